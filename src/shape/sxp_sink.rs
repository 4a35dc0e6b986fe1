//! Answers as S-expressions.

use super::sink::Sink;
use crate::core::model::Property;
use crate::sxp::printer;

/// Writes an S-expression in canonical form without building a tree.
#[derive(Debug, Default)]
pub struct SxpSink {
    out: Vec<u8>,
}

impl SxpSink {
    /// A sink that appends to `out`.
    pub fn new(out: Vec<u8>) -> Self {
        Self { out }
    }

    /// The length of the text up to here.
    pub(super) fn len(&self) -> usize {
        self.out.len()
    }

    /// Appends an expression that is printed already.
    pub(super) fn append(&mut self, append: impl FnOnce(&mut Vec<u8>)) {
        self.separate();
        append(&mut self.out);
    }

    /// The text.
    pub fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    fn separate(&mut self) {
        if !matches!(self.out.last(), None | Some(b'(')) {
            self.out.push(b' ');
        }
    }

    fn open(&mut self, head: &str) {
        self.separate();
        self.out.push(b'(');
        printer::text(&mut self.out, head.as_bytes());
    }

    fn close(&mut self) {
        self.out.push(b')');
    }
}

impl Sink for SxpSink {
    fn begin_record(&mut self, head: &str) {
        self.open(head);
    }
    fn end_record(&mut self) {
        self.close();
    }
    fn begin_field(&mut self, key: &str) {
        self.open(key);
    }
    fn end_field(&mut self) {
        self.close();
    }
    fn begin_section(&mut self, key: &str) {
        self.open(key);
    }
    fn end_section(&mut self) {
        self.close();
    }
    fn begin_many(&mut self, _key: &str) {}
    fn end_many(&mut self) {}
    fn begin_item(&mut self, key: &str) {
        self.open(key);
    }
    fn end_item(&mut self) {
        self.close();
    }
    fn begin_fields_item(&mut self, key: &str) {
        self.open(key);
    }
    fn end_fields_item(&mut self) {
        self.close();
    }
    fn begin_fields(&mut self) {
        self.begin_list();
    }
    fn end_fields(&mut self) {
        self.end_list();
    }
    fn begin_list(&mut self) {
        self.separate();
        self.out.push(b'(');
    }
    fn end_list(&mut self) {
        self.close();
    }
    fn text(&mut self, text: &[u8]) {
        self.separate();
        printer::text(&mut self.out, text);
    }
    fn int(&mut self, n: i64) {
        self.separate();
        printer::int(&mut self.out, n);
    }
    fn uint(&mut self, n: u128) {
        self.separate();
        match u64::try_from(n) {
            Ok(n) => printer::uint(&mut self.out, n),
            Err(_) => self.out.extend_from_slice(n.to_string().as_bytes()),
        }
    }
    fn float(&mut self, n: f64) {
        self.separate();
        printer::float(&mut self.out, n);
    }
    fn properties<'a>(&mut self, properties: impl Iterator<Item = &'a Property>) {
        for property in properties {
            self.separate();
            self.out.push(b'(');
            printer::text(&mut self.out, &property.key);
            for item in &property.values {
                self.value(item);
            }
            self.close();
        }
    }
}

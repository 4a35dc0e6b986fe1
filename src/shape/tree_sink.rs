//! Answers as nested lists: the tree of an S-expression, or another wire's lists.

use super::sink::Sink;
use crate::core::model::Property;
use crate::sxp::{Sxp, printer};
use std::iter;

/// Element of the lists that a [`NestedSink`] builds.
pub trait Node: Sized {
    /// A word or string.
    fn text(text: &[u8]) -> Self;
    /// An integer.
    fn int(n: i64) -> Self;
    /// An unsigned integer that can be large.
    fn uint(n: u128) -> Self;
    /// A floating-point number.
    fn float(n: f64) -> Self;
    /// A list.
    fn list(nodes: Vec<Self>) -> Self;

    /// The value of [`Sink::shows_vnc_location`].
    const SHOWS_VNC_LOCATION: bool = false;

    /// Text whose digits are a number in formats that have numbers.
    fn digits(text: &[u8]) -> Self {
        Self::text(text)
    }
}

/// Builds nested lists.
#[derive(Debug)]
pub struct NestedSink<N> {
    open: Vec<Vec<N>>,
}

/// Builds an S-expression tree.
pub type TreeSink = NestedSink<Sxp>;

impl<N> Default for NestedSink<N> {
    fn default() -> Self {
        Self { open: vec![Vec::new()] }
    }
}

impl<N: Node> NestedSink<N> {
    /// The written values.
    pub fn into_values(mut self) -> Vec<N> {
        self.open.pop().unwrap_or_default()
    }

    fn begin(&mut self, head: Option<&[u8]>) {
        self.open.push(head.map(N::text).into_iter().collect());
    }

    fn end(&mut self) {
        if let Some(done) = self.open.pop() {
            self.push(N::list(done));
        }
    }

    fn push(&mut self, node: N) {
        if let Some(list) = self.open.last_mut() {
            list.push(node);
        }
    }
}

impl<N: Node> Sink for NestedSink<N> {
    fn shows_vnc_location(&self) -> bool {
        N::SHOWS_VNC_LOCATION
    }
    fn begin_record(&mut self, head: &str) {
        self.begin(Some(head.as_bytes()));
    }
    fn end_record(&mut self) {
        self.end();
    }
    fn begin_field(&mut self, key: &str) {
        self.begin(Some(key.as_bytes()));
    }
    fn end_field(&mut self) {
        self.end();
    }
    fn begin_section(&mut self, key: &str) {
        self.begin(Some(key.as_bytes()));
    }
    fn end_section(&mut self) {
        self.end();
    }
    fn begin_many(&mut self, _key: &str) {}
    fn end_many(&mut self) {}
    fn begin_item(&mut self, key: &str) {
        self.begin(Some(key.as_bytes()));
    }
    fn end_item(&mut self) {
        self.end();
    }
    fn begin_fields_item(&mut self, key: &str) {
        self.begin(Some(key.as_bytes()));
    }
    fn end_fields_item(&mut self) {
        self.end();
    }
    fn begin_fields(&mut self) {
        self.begin(None);
    }
    fn end_fields(&mut self) {
        self.end();
    }
    fn begin_list(&mut self) {
        self.begin(None);
    }
    fn end_list(&mut self) {
        self.end();
    }
    fn text(&mut self, text: &[u8]) {
        self.push(N::text(text));
    }
    fn int(&mut self, n: i64) {
        self.push(N::int(n));
    }
    fn uint(&mut self, n: u128) {
        self.push(N::uint(n));
    }
    fn float(&mut self, n: f64) {
        self.push(N::float(n));
    }
    fn properties<'a>(&mut self, properties: impl Iterator<Item = &'a Property>) {
        for property in properties {
            self.begin(Some(&property.key));
            for item in &property.values {
                self.value(item);
            }
            self.end();
        }
    }
    fn settings<'a>(&mut self, settings: impl Iterator<Item = &'a Property>) {
        for setting in settings {
            match setting.text() {
                Some(text) => {
                    self.begin(Some(&setting.key));
                    self.push(N::digits(text));
                    self.end();
                }
                None => self.properties(iter::once(setting)),
            }
        }
    }
    fn digits_field(&mut self, key: &str, digits: &str) {
        self.begin(Some(key.as_bytes()));
        self.push(N::digits(digits.as_bytes()));
        self.end();
    }
}

impl Node for Sxp {
    fn text(text: &[u8]) -> Self {
        Sxp::atom(text)
    }
    fn int(n: i64) -> Self {
        printed(|out| printer::int(out, n))
    }
    fn uint(n: u128) -> Self {
        Sxp::atom(n.to_string())
    }
    fn float(n: f64) -> Self {
        printed(|out| printer::float(out, n))
    }
    fn list(nodes: Vec<Self>) -> Self {
        Sxp::list(nodes)
    }
}

fn printed(print: impl FnOnce(&mut Vec<u8>)) -> Sxp {
    let mut text = Vec::new();
    print(&mut text);
    Sxp::atom(text)
}

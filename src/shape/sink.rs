//! Where answers are written to.

use super::device::value;
use crate::core::model::Property;
use crate::sxp::{Sxp, printer};

/// Takes an answer piece by piece and writes it in its own way. Whoever tells the answer says what
/// is a record, a list or a key that can come several times; an S-expression shows no difference,
/// JSON does.
pub trait Sink {
    /// A record with a name: `(domain ...)`. Fields follow.
    fn begin_record(&mut self, head: &str);
    /// Ends it.
    fn end_record(&mut self);
    /// A field; its value follows.
    fn begin_field(&mut self, key: &str);
    /// Ends it.
    fn end_field(&mut self);
    /// A field whose value is fields: `(notes (GUEST_OS linux) ...)`.
    fn begin_section(&mut self, key: &str);
    /// Ends it.
    fn end_section(&mut self);
    /// A key that can come several times. Items follow.
    fn begin_many(&mut self, key: &str);
    /// Ends it.
    fn end_many(&mut self);
    /// An item of such a key whose value is one record: `(device (vif ...))`.
    fn begin_item(&mut self, key: &str);
    /// Ends it.
    fn end_item(&mut self);
    /// An item of such a key whose value is fields: `(vcpu (number 0) ...)`.
    fn begin_fields_item(&mut self, key: &str);
    /// Ends it.
    fn end_fields_item(&mut self);
    /// A record without a name; fields follow.
    fn begin_fields(&mut self);
    /// Ends it.
    fn end_fields(&mut self);
    /// A list; values follow.
    fn begin_list(&mut self);
    /// Ends it.
    fn end_list(&mut self);
    /// A word or string.
    fn text(&mut self, text: &[u8]);
    /// A whole number.
    fn int(&mut self, n: i64);
    /// A whole number that can be large.
    fn uint(&mut self, n: u128);
    /// A number with a fraction.
    fn float(&mut self, n: f64);
    /// Fields that nobody interprets. A key can come several times.
    fn properties<'a>(&mut self, properties: impl Iterator<Item = &'a Property>);

    /// The same, of which those that are digits mean numbers, for those who tell them apart.
    fn settings<'a>(&mut self, settings: impl Iterator<Item = &'a Property>) {
        self.properties(settings);
    }

    /// Whether a screen's address is told: xend told it over XML-RPC; its recorded HTTP answers
    /// have none.
    fn tells_screens(&self) -> bool {
        false
    }

    /// Fields that xend printed as one: `(dom 1 id 2064)`.
    fn joined_fields(&mut self, fields: &[(&str, u32)]) {
        for (n, (key, value)) in fields.iter().enumerate() {
            if n == 0 {
                self.begin_field(key);
            } else {
                self.text(key.as_bytes());
            }
            self.uint((*value).into());
        }
        if !fields.is_empty() {
            self.end_field();
        }
    }

    /// A field that is text.
    fn text_field(&mut self, key: &str, text: &[u8]) {
        self.begin_field(key);
        self.text(text);
        self.end_field();
    }

    /// A field that is text and means a number, for those who tell them apart.
    fn digits_field(&mut self, key: &str, digits: &str) {
        self.text_field(key, digits.as_bytes());
    }

    /// A field that has no value. xend printed Python's word for that.
    fn none_field(&mut self, key: &str) {
        self.text_field(key, b"None");
    }

    /// A field that is a whole number.
    fn uint_field(&mut self, key: &str, n: impl Into<u128>) {
        self.begin_field(key);
        self.uint(n.into());
        self.end_field();
    }

    /// A field that is a number with a fraction.
    fn float_field(&mut self, key: &str, n: f64) {
        self.begin_field(key);
        self.float(n);
        self.end_field();
    }
}

/// Writes an S-expression as text, without building a tree.
#[derive(Debug, Default)]
pub struct SxpSink {
    out: Vec<u8>,
}

impl SxpSink {
    /// Goes on where `out` ends.
    pub fn new(out: Vec<u8>) -> Self {
        Self { out }
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
                value(self, item);
            }
            self.close();
        }
    }
}

/// What a [`NestedSink`] builds its lists of.
pub trait Node: Sized {
    /// A word or string.
    fn text(text: &[u8]) -> Self;
    /// A whole number.
    fn int(n: i64) -> Self;
    /// A whole number that can be large.
    fn uint(n: u128) -> Self;
    /// A number with a fraction.
    fn float(n: f64) -> Self;
    /// A list.
    fn list(nodes: Vec<Self>) -> Self;

    /// What [`Sink::tells_screens`] says of such lists.
    const TELLS_SCREENS: bool = false;

    /// Text that means a number if it is digits.
    fn digits(text: &[u8]) -> Self {
        Self::text(text)
    }
}

/// Builds lists in lists.
#[derive(Debug)]
pub struct NestedSink<N> {
    open: Vec<Vec<N>>,
}

/// Builds a tree.
pub type TreeSink = NestedSink<Sxp>;

impl<N> Default for NestedSink<N> {
    fn default() -> Self {
        Self { open: vec![Vec::new()] }
    }
}

impl<N: Node> NestedSink<N> {
    /// What was written, one node a value.
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
    fn tells_screens(&self) -> bool {
        N::TELLS_SCREENS
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
                value(self, item);
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
                None => self.properties(std::iter::once(setting)),
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

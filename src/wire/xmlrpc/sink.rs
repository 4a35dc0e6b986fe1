//! S-expressions as XML-RPC has them: nested arrays.

use super::value::Value;
use crate::core::model::{Property, Value as Word};
use crate::shape::Sink;

/// Builds nested arrays: `['domain', ['domid', 1], ...]`.
#[derive(Debug)]
pub(super) struct ValueSink {
    open: Vec<Vec<Value>>,
    /// Keys of fields and items that are left out.
    without: &'static [&'static str],
}

/// A Python long, which xend left out of its answers: XML-RPC has no such thing.
const LONG: &str = "vcpu_avail";

impl ValueSink {
    /// What `tell` writes, which is one value.
    pub(super) fn written(tell: impl FnOnce(&mut Self)) -> Value {
        Self::write(&[LONG], tell)
    }

    /// The same of a domain without its devices, which is what xm asks for if it lists domains.
    pub(super) fn briefly(tell: impl FnOnce(&mut Self)) -> Value {
        Self::write(&[LONG, "device"], tell)
    }

    fn write(without: &'static [&'static str], tell: impl FnOnce(&mut Self)) -> Value {
        let mut sink = Self { open: vec![Vec::new()], without };
        tell(&mut sink);
        sink.open.pop().and_then(|mut values| values.pop()).unwrap_or(Value::Nil)
    }

    fn begin(&mut self, head: Option<&str>) {
        self.open.push(head.map(Value::text).into_iter().collect());
    }

    fn end(&mut self) {
        let Some(done) = self.open.pop() else { return };
        if !matches!(done.first(), Some(Value::Text(key)) if self.without.contains(&key.as_str())) {
            self.push(Value::Array(done));
        }
    }

    fn push(&mut self, value: Value) {
        if let Some(list) = self.open.last_mut() {
            list.push(value);
        }
    }

    fn word(&mut self, word: &Word) {
        match word {
            Word::Text(text) => self.text(text),
            Word::List(words) => {
                self.begin_list();
                for word in words {
                    self.word(word);
                }
                self.end_list();
            }
        }
    }
}

impl Sink for ValueSink {
    fn begin_record(&mut self, head: &str) {
        self.begin(Some(head));
    }
    fn end_record(&mut self) {
        self.end();
    }
    fn begin_field(&mut self, key: &str) {
        self.begin(Some(key));
    }
    fn end_field(&mut self) {
        self.end();
    }
    fn begin_section(&mut self, key: &str) {
        self.begin(Some(key));
    }
    fn end_section(&mut self) {
        self.end();
    }
    fn begin_many(&mut self, _key: &str) {}
    fn end_many(&mut self) {}
    fn begin_item(&mut self, key: &str) {
        self.begin(Some(key));
    }
    fn end_item(&mut self) {
        self.end();
    }
    fn begin_fields_item(&mut self, key: &str) {
        self.begin(Some(key));
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
        self.push(Value::text(String::from_utf8_lossy(text)));
    }
    fn int(&mut self, n: i64) {
        self.push(Value::Int(n));
    }
    fn uint(&mut self, n: u128) {
        self.push(i64::try_from(n).map_or_else(|_| Value::text(n.to_string()), Value::Int));
    }
    fn float(&mut self, n: f64) {
        self.push(Value::Double(n));
    }
    fn settings<'a>(&mut self, settings: impl Iterator<Item = &'a Property>) {
        for setting in settings {
            match setting.text() {
                Some(text) => self.digits_field(&setting.key.to_string(), &text.to_string()),
                None => self.properties(std::iter::once(setting)),
            }
        }
    }
    fn digits_field(&mut self, key: &str, digits: &str) {
        let value = digits.parse().map_or_else(|_| Value::text(digits), Value::Int);
        self.push(Value::Array(vec![Value::text(key), value]));
    }
    fn properties<'a>(&mut self, properties: impl Iterator<Item = &'a Property>) {
        for property in properties {
            self.open.push(vec![Value::text(property.key.to_string())]);
            property.values.iter().for_each(|word| self.word(word));
            self.end();
        }
    }
}

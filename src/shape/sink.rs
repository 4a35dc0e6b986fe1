//! The interface through which answers are written.

use crate::core::model::{Property, Uuid, Value};
use std::time::{SystemTime, UNIX_EPOCH};

/// Writes an answer piece by piece in one format. The caller distinguishes records, lists and
/// repeated keys, which look alike in an S-expression and differ in JSON.
pub trait Sink {
    /// Begins a named record: `(domain ...)`. Fields follow.
    fn begin_record(&mut self, head: &str);
    /// Ends a named record.
    fn end_record(&mut self);
    /// Begins a field. Its value follows.
    fn begin_field(&mut self, key: &str);
    /// Ends a field.
    fn end_field(&mut self);
    /// Begins a field whose value is fields: `(notes (GUEST_OS linux) ...)`.
    fn begin_section(&mut self, key: &str);
    /// Ends a section.
    fn end_section(&mut self);
    /// Begins a key that can be repeated. Items follow.
    fn begin_many(&mut self, key: &str);
    /// Ends a repeated key.
    fn end_many(&mut self);
    /// Begins an item of a repeated key whose value is a record: `(device (vif ...))`.
    fn begin_item(&mut self, key: &str);
    /// Ends an item.
    fn end_item(&mut self);
    /// Begins an item of a repeated key whose value is fields: `(vcpu (number 0) ...)`.
    fn begin_fields_item(&mut self, key: &str);
    /// Ends an item of fields.
    fn end_fields_item(&mut self);
    /// Begins a record without a name. Fields follow.
    fn begin_fields(&mut self);
    /// Ends a record without a name.
    fn end_fields(&mut self);
    /// Begins a list. Values follow.
    fn begin_list(&mut self);
    /// Ends a list.
    fn end_list(&mut self);
    /// Writes a word or string.
    fn text(&mut self, text: &[u8]);
    /// Writes an integer.
    fn int(&mut self, n: i64);
    /// Writes an unsigned integer that can be large.
    fn uint(&mut self, n: u128);
    /// Writes a floating-point number.
    fn float(&mut self, n: f64);
    /// Writes fields that xend does not interpret. A key can be repeated.
    fn properties<'a>(&mut self, properties: impl Iterator<Item = &'a Property>);

    /// Writes uninterpreted fields whose digits are numbers in formats that have numbers.
    fn settings<'a>(&mut self, settings: impl Iterator<Item = &'a Property>) {
        self.properties(settings);
    }

    /// Writes when an event happened: `(time 1763733000.5)`, in seconds since 1970. JSON has `at`
    /// instead, in the format of its other times.
    fn event_time(&mut self, at: SystemTime) {
        let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
        self.float_field("time", since.as_secs_f64());
    }

    /// Whether the address of a frame buffer is written. xend's XML-RPC answers had it, its
    /// recorded HTTP answers have none.
    fn shows_vnc_location(&self) -> bool {
        false
    }

    /// Writes a value of an uninterpreted field.
    fn value(&mut self, value: &Value) {
        match value {
            Value::Text(text) => self.text(text),
            Value::List(items) => {
                self.begin_list();
                for item in items {
                    self.value(item);
                }
                self.end_list();
            }
        }
    }

    /// Writes fields that xend printed as one: `(dom 1 id 2064)`.
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

    /// Writes a text field.
    fn text_field(&mut self, key: &str, text: &[u8]) {
        self.begin_field(key);
        self.text(text);
        self.end_field();
    }

    /// Writes a field of digits, which is a number in formats that have numbers.
    fn digits_field(&mut self, key: &str, digits: &str) {
        self.text_field(key, digits.as_bytes());
    }

    /// Writes a field without a value. xend printed Python's `None`.
    fn none_field(&mut self, key: &str) {
        self.text_field(key, b"None");
    }

    /// Writes an unsigned integer field.
    fn uint_field(&mut self, key: &str, n: impl Into<u128>) {
        self.begin_field(key);
        self.uint(n.into());
        self.end_field();
    }

    /// Writes a field that is on or off, 1 or 0 in formats without such values.
    fn flag_field(&mut self, key: &str, on: bool) {
        self.uint_field(key, on);
    }

    /// Writes a floating-point field.
    fn float_field(&mut self, key: &str, n: f64) {
        self.begin_field(key);
        self.float(n);
        self.end_field();
    }

    /// Writes a UUID field.
    fn uuid_field(&mut self, key: &str, uuid: &Uuid) {
        let text = &mut Uuid::encode_buffer();
        self.text_field(key, uuid.hyphenated().encode_lower(text).as_bytes());
    }
}

//! Answers as JSON, for today's scripts.
//!
//! A record `(domain (domid 1) ...)` is `{"domain": {"domid": 1, ...}}`. Keys that can be repeated
//! (`device`, `vcpu`) are arrays, even of one element; numbers are numbers. Keys that xend does not
//! interpret hold strings and arrays of strings.

use super::sink::Sink;
use crate::core::model::Property;
use std::collections::BTreeMap;
use std::time::SystemTime;

/// Writes JSON.
#[derive(Debug, Default)]
pub struct JsonSink {
    out: Vec<u8>,
}

impl JsonSink {
    /// The text.
    pub fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    fn separate(&mut self) {
        if !matches!(self.out.last(), None | Some(b'{' | b'[' | b':' | b',')) {
            self.out.push(b',');
        }
    }

    fn string(&mut self, text: &[u8]) {
        let text = String::from_utf8_lossy(text);
        // Writing to memory cannot fail.
        let _ = serde_json::to_writer(&mut self.out, &text);
    }

    fn key(&mut self, key: &[u8]) {
        self.separate();
        self.string(key);
        self.out.push(b':');
    }

    fn close(&mut self, bracket: u8) {
        self.out.push(bracket);
    }
}

impl Sink for JsonSink {
    fn joined_fields(&mut self, fields: &[(&str, u32)]) {
        for (key, value) in fields {
            self.uint_field(key, *value);
        }
    }
    fn begin_record(&mut self, head: &str) {
        self.separate();
        self.out.push(b'{');
        self.key(head.as_bytes());
        self.out.push(b'{');
    }
    fn end_record(&mut self) {
        self.out.extend_from_slice(b"}}");
    }
    fn begin_field(&mut self, key: &str) {
        self.key(key.as_bytes());
    }
    fn end_field(&mut self) {
        if self.out.last() == Some(&b':') {
            self.out.extend_from_slice(b"null");
        }
    }
    fn flag_field(&mut self, key: &str, on: bool) {
        self.begin_field(key);
        self.out.extend_from_slice(if on { b"true" } else { b"false" });
        self.end_field();
    }
    fn none_field(&mut self, key: &str) {
        self.begin_field(key);
        self.end_field();
    }
    fn begin_section(&mut self, key: &str) {
        self.key(key.as_bytes());
        self.out.push(b'{');
    }
    fn end_section(&mut self) {
        self.close(b'}');
    }
    fn begin_many(&mut self, key: &str) {
        self.key(key.as_bytes());
        self.out.push(b'[');
    }
    fn end_many(&mut self) {
        self.close(b']');
    }
    fn begin_item(&mut self, _key: &str) {}
    fn end_item(&mut self) {}
    fn begin_fields_item(&mut self, _key: &str) {
        self.separate();
        self.out.push(b'{');
    }
    fn end_fields_item(&mut self) {
        self.close(b'}');
    }
    fn begin_fields(&mut self) {
        self.separate();
        self.out.push(b'{');
    }
    fn end_fields(&mut self) {
        self.close(b'}');
    }
    fn begin_list(&mut self) {
        self.separate();
        self.out.push(b'[');
    }
    fn end_list(&mut self) {
        self.close(b']');
    }
    fn text(&mut self, text: &[u8]) {
        self.separate();
        self.string(text);
    }
    fn int(&mut self, n: i64) {
        self.separate();
        self.out.extend_from_slice(n.to_string().as_bytes());
    }
    fn uint(&mut self, n: u128) {
        self.separate();
        self.out.extend_from_slice(n.to_string().as_bytes());
    }
    fn float(&mut self, n: f64) {
        self.separate();
        let _ = serde_json::to_writer(&mut self.out, &n);
    }
    fn event_time(&mut self, at: SystemTime) {
        let at = jiff::Timestamp::try_from(at).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        self.text_field("at", at.to_string().as_bytes());
    }
    fn properties<'a>(&mut self, properties: impl Iterator<Item = &'a Property>) {
        let mut by_key: BTreeMap<&[u8], Vec<&Property>> = BTreeMap::new();
        for property in properties {
            by_key.entry(&property.key).or_default().push(property);
        }
        for (key, properties) in by_key {
            self.key(key);
            match properties.as_slice() {
                [property] => values(self, property),
                several => {
                    self.begin_list();
                    for property in several {
                        self.separate();
                        values(self, property);
                    }
                    self.end_list();
                }
            }
        }
    }
}

/// Writes no value as null, one value as itself, and several as an array.
fn values(sink: &mut JsonSink, property: &Property) {
    match property.values.as_slice() {
        [] => sink.out.extend_from_slice(b"null"),
        [value] => sink.value(value),
        several => {
            sink.begin_list();
            for item in several {
                sink.value(item);
            }
            sink.end_list();
        }
    }
}

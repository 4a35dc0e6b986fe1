//! `ETag` and `If-None-Match` of JSON answers: a client that has the answer already gets a `304`.
//!
//! A tag is made of what the caller sees, and of nothing else: the snapshot's generation counts the
//! changes of all domains, those of other users among them, and every figure. The figures of a
//! running domain change all the time: the tag of an answer that has them leaves them out, and is
//! weak.

use super::json::figures::WithFigures;
use super::json::kept_domain;
use super::response::{Content, ok, respond};
use crate::answer_memory::SharedText;
use crate::core::snapshot::DomainView;
use axum::http::header::{CONTENT_LENGTH, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use bytes::Bytes;
use serde::Serialize;
use std::collections::hash_map::{DefaultHasher, RandomState};
use std::hash::{BuildHasher as _, Hasher as _};
use std::io;
use std::sync::LazyLock;

/// Random keys of this run of the daemon. Two hashes of 64 bits make a tag.
static KEYS: LazyLock<[RandomState; 2]> =
    LazyLock::new(|| [RandomState::new(), RandomState::new()]);

/// JSON with its tag. The tag of a long text is made where the text is printed, beside the threads
/// that serve others.
#[derive(Clone)]
pub(super) struct TaggedJson {
    json: SharedText,
    tag: String,
}

/// A tag that is being made.
struct TagHasher([DefaultHasher; 2]);

impl TagHasher {
    fn new() -> Self {
        Self([KEYS[0].build_hasher(), KEYS[1].build_hasher()])
    }

    /// Both hashes of a text.
    fn digest(text: &[u8]) -> [u64; 2] {
        let mut hashers = Self::new().0;
        hashers.each_mut().map(|hasher| {
            hasher.write(text);
            hasher.finish()
        })
    }

    /// The tag in its quotation marks.
    fn finish(&self) -> String {
        let Self([first, second]) = self;
        format!("\"{:016x}{:016x}\"", first.finish(), second.finish())
    }
}

impl io::Write for TagHasher {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.iter_mut().for_each(|hasher| hasher.write(text));
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl TaggedJson {
    /// This JSON.
    pub(super) fn new(json: impl Into<Bytes>) -> Self {
        let json = json.into();
        let mut hasher = TagHasher::new();
        hasher.0.iter_mut().for_each(|one| one.write(&json));
        Self { json: SharedText::new(json), tag: hasher.finish() }
    }

    /// A value whose tag does not depend on its figures.
    pub(super) fn without_figures(mut value: impl WithFigures) -> Self {
        let mut json = Vec::new();
        let mut hasher = TagHasher::new();
        print(&value, &mut json);
        value.blank_figures();
        print(&value, &mut hasher);
        Self { json: SharedText::new(json), tag: format!("W/{}", hasher.finish()) }
    }

    /// A list of domains with all keys, whose tag does not depend on their figures.
    pub(super) fn domains<'a>(domains: impl Iterator<Item = &'a DomainView>, size: usize) -> Self {
        let mut hasher = TagHasher::new();
        let mut json = Vec::with_capacity(size);
        json.push(b'[');
        for (index, view) in domains.enumerate() {
            if index > 0 {
                json.push(b',');
            }
            kept_domain::append(&mut json, &mut hasher, view, TagHasher::digest);
        }
        json.push(b']');
        Self { json: SharedText::new(json), tag: format!("W/{}", hasher.finish()) }
    }

    /// The JSON.
    pub(super) fn into_text(self) -> SharedText {
        self.json
    }

    /// The length of the JSON in bytes.
    pub(super) fn len(&self) -> usize {
        self.json.len()
    }

    /// The response with it, or `304` if the client has it: `has` are the tags of what it has.
    pub(super) fn respond(self, has: Option<&str>) -> Response {
        let Self { json, tag } = self;
        let mut response = if has.is_some_and(|list| has_tag(list, &tag)) {
            let mut response = respond(304, "Not Modified", Content::Empty);
            response.headers_mut().remove(CONTENT_LENGTH);
            response
        } else {
            ok(Content::SharedJson(json))
        };
        if let Ok(tag) = HeaderValue::from_str(&tag) {
            response.headers_mut().insert(ETAG, tag);
        }
        response
    }
}

/// Prints a value. The types of `json/` can be printed, and neither of the writers fails.
fn print(value: &impl Serialize, to: impl io::Write) {
    serde_json::to_writer(to, value).unwrap_or_default();
}

/// The tags that a client has.
pub(super) fn tags_of(headers: &HeaderMap) -> Option<String> {
    let tags: Vec<&str> =
        headers.get_all(IF_NONE_MATCH).iter().filter_map(|tags| tags.to_str().ok()).collect();
    (!tags.is_empty()).then(|| tags.join(","))
}

/// A tag without the mark of a weak one.
fn opaque(tag: &str) -> &str {
    tag.strip_prefix("W/").unwrap_or(tag)
}

/// Whether a list of tags has this one. Weak tags are compared like strong ones (RFC 9110, 13.1.2).
fn has_tag(list: &str, tag: &str) -> bool {
    let mut tags = list.split(',').map(str::trim);
    tags.any(|one| one == "*" || opaque(one) == opaque(tag))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::{DomName, DomainConfig, DomainFacts};
    use crate::core::snapshot::fixtures::{facts, running, with_figures};
    use std::time::Duration;

    fn ask(has: Option<&str>, text: &'static str) -> (u16, String) {
        let response = TaggedJson::new(text).respond(has);
        let tag = response.headers().get(ETAG).unwrap().to_str().unwrap().to_owned();
        (response.status().as_u16(), tag)
    }

    #[test]
    fn an_answer_that_the_client_has_is_not_sent_again() {
        let (code, tag) = ask(None, "[1]");
        assert_eq!((code, tag.len()), (200, 34));
        for list in [tag.clone(), format!("W/{tag}"), format!("\"a\", {tag}"), "*".to_owned()] {
            assert_eq!(ask(Some(&list), "[1]"), (304, tag.clone()), "{list}");
        }
        let (code, other) = ask(Some(&tag), "[2]");
        assert_eq!(code, 200);
        assert_ne!(other, tag);
    }

    #[derive(Clone, Serialize)]
    struct Counter {
        name: &'static str,
        seconds: u32,
    }

    impl WithFigures for Counter {
        fn blank_figures(&mut self) {
            self.seconds = 0;
        }
    }

    #[test]
    fn figures_make_no_difference_to_a_tag() {
        let tag = |name, seconds| TaggedJson::without_figures(Counter { name, seconds });
        let one = tag("a", 1);
        let later = tag("a", 2);
        assert_eq!(one.tag, later.tag);
        assert!(one.tag.starts_with("W/\"") && one.json != later.json, "{}", one.tag);
        assert_ne!(one.tag, tag("b", 1).tag);
        assert_eq!(one.clone().respond(Some(&later.tag)).status(), 304);
    }

    #[test]
    fn a_list_of_domains_has_a_tag_of_its_own() {
        let domain = |number, name| running(number, DomainConfig::new(DomName::adopted(name), 64));
        let list = |views: &[&DomainView]| TaggedJson::domains(views.iter().copied(), 0);
        let [a, b] = [domain(1, "a"), domain(2, "b")];
        let facts = DomainFacts { memory_kib: 7, ..facts(1, Duration::from_secs(9)) };
        let later = with_figures(&a, facts);
        let one = list(&[&a, &b]);
        assert_eq!(one.tag, list(&[&later, &b]).tag);
        assert!(one.tag.starts_with("W/\""), "{}", one.tag);
        assert_ne!(one.tag, list(&[&b, &a]).tag);
        assert_ne!(one.tag, list(&[&a]).tag);
        let text: serde_json::Value = serde_json::from_slice(one.json.text()).unwrap();
        assert_eq!((&text[0]["name"], &text[1]["name"]), (&"a".into(), &"b".into()));
        assert_eq!(list(&[]).json.text(), "[]");
    }
}

//! `ETag` and `If-None-Match` of JSON answers: a client that has the answer already gets a `304`.
//!
//! A tag is made of what the caller sees, and of nothing else: the snapshot's generation counts the
//! changes of all domains, those of other users among them, and every figure.

use super::response::{Content, ok, respond};
use axum::http::header::{CONTENT_LENGTH, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use bytes::Bytes;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::sync::LazyLock;

/// Random keys of this run of the daemon. Two hashes of 64 bits make a tag.
static KEYS: LazyLock<[RandomState; 2]> =
    LazyLock::new(|| [RandomState::new(), RandomState::new()]);

/// JSON with its tag. The tag of a long text is made where the text is printed, beside the threads
/// that serve others.
#[derive(Clone)]
pub(super) struct TaggedJson {
    json: Bytes,
    tag: String,
}

impl TaggedJson {
    /// This JSON.
    pub(super) fn new(json: impl Into<Bytes>) -> Self {
        let json = json.into();
        let [first, second] = &*KEYS;
        let tag = format!("\"{:016x}{:016x}\"", first.hash_one(&json), second.hash_one(&json));
        Self { json, tag }
    }

    /// The response with it, or `304` if the client has it: `has` are the tags of what it has.
    pub(super) fn respond(self, has: Option<&str>) -> Response {
        let Self { json, tag } = self;
        let mut response = if has.is_some_and(|list| has_tag(list, &tag)) {
            let mut response = respond(304, "Not Modified", Content::Empty);
            response.headers_mut().remove(CONTENT_LENGTH);
            response
        } else {
            ok(Content::Json(json))
        };
        if let Ok(tag) = HeaderValue::from_str(&tag) {
            response.headers_mut().insert(ETAG, tag);
        }
        response
    }
}

/// The tags that a client has.
pub(super) fn tags_of(headers: &HeaderMap) -> Option<String> {
    let tags: Vec<&str> =
        headers.get_all(IF_NONE_MATCH).iter().filter_map(|tags| tags.to_str().ok()).collect();
    (!tags.is_empty()).then(|| tags.join(","))
}

/// Whether a list of tags has this one. Weak tags are compared like strong ones (RFC 9110, 13.1.2).
fn has_tag(list: &str, tag: &str) -> bool {
    let mut tags = list.split(',').map(str::trim);
    tags.any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

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
}

//! Responses: status, reason phrase, headers, body.
//!
//! The reason phrase is part of the interface: xm prints it. Old clients show the bodies of 500 and
//! 404 only, so every failure is a 500, or a 404 for something that does not exist, unless the
//! client asks for JSON.

use super::format::Format;
use crate::answer_memory::SharedText;
use crate::shape::{JsonSink, SxpSink};
use axum::body::Body;
use axum::http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, EXPIRES, HeaderName, LOCATION, PRAGMA, REFERRER_POLICY, VARY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use hyper::ext::ReasonPhrase;
use xend_templates::Asset;

const SXP: HeaderValue = HeaderValue::from_static("application/sxp");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");
const CSV: HeaderValue = HeaderValue::from_static("text/csv; charset=utf-8");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain");

/// A Content-Security-Policy with these sources of images.
macro_rules! policy {
    ($images:literal) => {
        concat!(
            "default-src 'none'; style-src 'self'; script-src 'self'; img-src ",
            $images,
            "; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        )
    };
}

/// The Content-Security-Policy of pages: nothing but the daemon's own stylesheet, script and icon,
/// requests and forms to the daemon alone, and no frames.
const POLICY: &str = policy!("'self'");

/// The same for a page whose script shows images that it has made.
const POLICY_WITH_DATA_IMAGES: &str = policy!("'self' data:");

/// Headers of every response: it is not cached, and it depends on Accept and User-Agent.
const COMMON: [(HeaderName, &str); 6] = [
    (EXPIRES, "-1"),
    (PRAGMA, "no-cache"),
    (CACHE_CONTROL, "no-cache"),
    (VARY, "Accept, User-Agent"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
];

/// A body with its type. An empty body has no type: xm 3.0.0 crashes on an empty body of type
/// `application/sxp`.
#[derive(Debug, Clone)]
pub(super) enum Content {
    Empty,
    /// An S-expression, or text that xend sent under this type.
    Sxp(Bytes),
    /// An S-expression that other clients are sent, too.
    SharedSxp(SharedText),
    Html(String),
    Json(Bytes),
    /// JSON that other clients are sent, too.
    SharedJson(SharedText),
    /// A failure, for clients that ask for JSON (RFC 9457).
    Problem(Bytes),
    Text(Bytes),
    Csv(String),
}

impl Content {
    /// Data as JSON, or else as an S-expression.
    pub(super) fn serialized(
        format: Format,
        to_sxp: impl FnOnce(&mut SxpSink),
        to_json: impl FnOnce(&mut JsonSink),
    ) -> Self {
        Self::data(format, format.serialize(to_sxp, to_json).into())
    }

    /// Data that is serialized already.
    pub(super) fn data(format: Format, bytes: Bytes) -> Self {
        match format {
            Format::Json => Self::Json(bytes),
            Format::Sxp | Format::Html { .. } => Self::Sxp(bytes),
        }
    }
}

/// Why a request failed, for the log: without what an agent in a guest or a client may have sent in
/// confidence.
#[derive(Debug, Clone)]
pub(super) struct Reason(pub(super) String);

/// The response to a request that failed, with the reason.
pub(super) fn because(mut response: Response, reason: impl Into<String>) -> Response {
    response.extensions_mut().insert(Reason(reason.into()));
    response
}

/// A response with xend's reason phrase, which is not always the standard's.
pub(super) fn respond(code: u16, phrase: &str, content: Content) -> Response {
    let mut shared = None;
    let (media, body) = match content {
        Content::Empty => (None, Bytes::new()),
        Content::Sxp(body) => (Some(SXP), body),
        Content::SharedSxp(text) => (Some(SXP), shared.insert(text).text().clone()),
        Content::Html(page) => (Some(HTML), page.into()),
        Content::Json(body) => (Some(JSON), body),
        Content::SharedJson(text) => (Some(JSON), shared.insert(text).text().clone()),
        Content::Problem(body) => (Some(PROBLEM), body),
        Content::Text(body) => (Some(TEXT), body),
        Content::Csv(text) => (Some(CSV), text.into()),
    };
    let mut response = Response::new(Body::empty());
    let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.reserve(COMMON.len() + 3);
    for (name, value) in COMMON {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert(CONTENT_LENGTH, body.len().into());
    if let Some(media) = media {
        if media == HTML {
            headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
            headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
        }
        headers.insert(CONTENT_TYPE, media);
    }
    *response.body_mut() = Body::from(body);
    if let Some(text) = shared {
        // For `answer_budget.rs`.
        response.extensions_mut().insert(text);
    }
    if status.canonical_reason() != Some(phrase) {
        // Some phrases contain client input, the name of an operation: no control characters, and
        // a bounded length.
        let phrase: String =
            phrase.chars().map(|c| if c.is_ascii_graphic() { c } else { ' ' }).take(200).collect();
        if let Ok(phrase) = ReasonPhrase::try_from(phrase.into_bytes()) {
            response.extensions_mut().insert(phrase);
        }
    }
    response
}

/// A response whose body has no length.
pub(super) fn stream(media: &'static str, body: Body) -> Response {
    let mut response = respond(200, "OK", Content::Empty);
    response.headers_mut().remove(CONTENT_LENGTH);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media));
    *response.body_mut() = body;
    response
}

/// A file that pages refer to. Browsers keep it if it is `immutable` under its path.
pub(super) fn asset(asset: &Asset, immutable: bool) -> Response {
    let mut response = Response::new(Body::from(asset.text));
    let headers = response.headers_mut();
    headers.insert(CONTENT_LENGTH, asset.text.len().into());
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(asset.media()));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let caching = if immutable { "public, max-age=31536000, immutable" } else { "no-cache" };
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(caching));
    response
}

/// An answer to be saved as the file `NAME.EXTENSION`.
pub(super) fn download(content: Content, name: &str, extension: &str) -> Response {
    let mut response = ok(content);
    let name: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' })
        .collect();
    if let Ok(value) =
        HeaderValue::from_str(&format!("attachment; filename=\"{name}.{extension}\""))
    {
        response.headers_mut().insert(CONTENT_DISPOSITION, value);
    }
    response
}

/// `200 OK`.
pub(super) fn ok(content: Content) -> Response {
    respond(200, "OK", content)
}

/// A page whose script shows images that it has made: the cursor of a screen, parts in JPEG.
pub(super) fn with_data_images(mut response: Response) -> Response {
    let policy = HeaderValue::from_static(POLICY_WITH_DATA_IMAGES);
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    response
}

/// `303 See Other`: another page, to be read.
pub(super) fn see_other(location: &str) -> Response {
    with_location(respond(303, "See Other", Content::Empty), location)
}

/// `404 Not found`. xm tests for exactly this phrase.
pub(super) fn not_found(text: &str) -> Response {
    because(respond(404, "Not found", Content::Text(Bytes::copy_from_slice(text.as_bytes()))), text)
}

/// A method that is neither GET, HEAD nor POST.
pub(super) fn method_not_supported(method: &Method) -> Response {
    let text = format!("Request method not supported ({method})");
    let mut response = respond(501, "Not implemented", Content::Text(text.into()));
    response.headers_mut().insert(ACCEPT, HeaderValue::from_static("GET,HEAD,POST"));
    response
}

/// Adds a Location.
pub(super) fn with_location(mut response: Response, location: &str) -> Response {
    if let Ok(location) = HeaderValue::from_str(location) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

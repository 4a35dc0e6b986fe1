//! Status, reason phrase, headers, body.

use super::format::Format;
use axum::body::Body;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
    EXPIRES, HeaderName, LOCATION, PRAGMA, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use hyper::ext::ReasonPhrase;

const SXP: HeaderValue = HeaderValue::from_static("application/sxp");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain");

/// The headers of every answer. Nothing of xend's may be kept by a cache, and what is answered
/// depends on who asks.
const COMMON: [(HeaderName, &str); 6] = [
    (EXPIRES, "-1"),
    (PRAGMA, "no-cache"),
    (CACHE_CONTROL, "no-cache"),
    (VARY, "Accept, User-Agent"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
];

/// A body with its type. An empty body has none: xm 3.0.0 dies of an empty body that claims to be
/// `application/sxp`.
#[derive(Debug, Clone)]
pub(super) enum Content {
    /// Nothing.
    Empty,
    /// An S-expression, or words that pretend to be one.
    Sxp(Bytes),
    /// A page.
    Html(String),
    /// JSON.
    Json(Bytes),
    /// Plain text.
    Text(Bytes),
}

/// An answer. The phrase is what xend said, not what the standard says.
pub(super) fn answer(code: u16, phrase: &str, content: Content) -> Response {
    let (media, body) = match content {
        Content::Empty => (None, Bytes::new()),
        Content::Sxp(body) => (Some(SXP), body),
        Content::Html(page) => (Some(HTML), page.into()),
        Content::Json(body) => (Some(JSON), body),
        Content::Text(body) => (Some(TEXT), body),
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
    if status.canonical_reason() != Some(phrase) {
        // What a client can send (the name of an operation) is in some phrases: no control
        // characters, nothing endless.
        let phrase: String =
            phrase.chars().map(|c| if c.is_ascii_graphic() { c } else { ' ' }).take(200).collect();
        if let Ok(phrase) = ReasonPhrase::try_from(phrase.into_bytes()) {
            response.extensions_mut().insert(phrase);
        }
    }
    response
}

/// What a page may load and be loaded by: its own stylesheet and script, this server alone, and no
/// frame.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// An answer that does not end by itself.
pub(super) fn streamed(media: &'static str, body: Body) -> Response {
    let mut response = answer(200, "OK", Content::Empty);
    response.headers_mut().remove(CONTENT_LENGTH);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media));
    *response.body_mut() = body;
    response
}

/// A file that pages refer to; `forever` if it never changes where it is.
pub(super) fn asset(asset: &xend_templates::Asset, forever: bool) -> Response {
    let mut response = Response::new(Body::from(asset.text));
    let headers = response.headers_mut();
    headers.insert(CONTENT_LENGTH, asset.text.len().into());
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(asset.media));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let caching = if forever { "public, max-age=31536000, immutable" } else { "no-cache" };
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(caching));
    response
}

/// A configuration to be kept as a file of this name.
pub(super) fn download(content: Content, name: &str) -> Response {
    let mut response = ok(content);
    let name: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' })
        .collect();
    if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{name}.sxp\"")) {
        response.headers_mut().insert(CONTENT_DISPOSITION, value);
    }
    response
}

/// `200 OK`.
pub(super) fn ok(content: Content) -> Response {
    answer(200, "OK", content)
}

/// `404 Not found`. xm's special case wants exactly this phrase.
pub(super) fn not_found(text: &str) -> Response {
    answer(404, "Not found", Content::Text(Bytes::copy_from_slice(text.as_bytes())))
}

/// A method that is neither GET, HEAD nor POST.
pub(super) fn method_not_supported(method: &Method) -> Response {
    let text = format!("Request method not supported ({method})");
    let mut response = answer(501, "Not implemented", Content::Text(text.into()));
    response
        .headers_mut()
        .insert(axum::http::header::ACCEPT, HeaderValue::from_static("GET,HEAD,POST"));
    response
}

/// Says where the answer's subject is to be found.
pub(super) fn located(mut response: Response, location: &str) -> Response {
    if let Ok(location) = HeaderValue::from_str(location) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

/// An S-expression or JSON that a sink has written.
pub(super) fn data(format: Format, bytes: Vec<u8>) -> Content {
    match format {
        Format::Json => Content::Json(bytes.into()),
        Format::Sxp | Format::Html { .. } => Content::Sxp(bytes.into()),
    }
}

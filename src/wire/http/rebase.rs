//! Answers for another host of the fleet: what leads to a page of this host leads to its path on
//! that one, below `/xend/host/NAME`.
//!
//! It is done to the printed page: in HTML of ours, `="/xend/` is the beginning of an attribute
//! alone, since quotes in texts are escaped.

use axum::body::{Body, to_bytes};
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use axum::response::Response;

/// The largest page, in bytes.
const MAX_PAGE: usize = 64 << 20;

/// What the beginning of an attribute with a path looks like.
const ATTRIBUTE: &str = "=\"/xend/";

/// The pages that are the same on all hosts: those of the host that is asked.
const SHARED: [&str; 5] = ["assets", "help", "host", "login", "logout"];

/// Attributes by which a script follows this host, which is not possible from another one.
const FOLLOWERS: [&str; 2] = [" data-events", " data-socket"];

/// The same answer, shown below `base` of `origin`.
pub(super) async fn rebased(mut response: Response, origin: &str, base: &str) -> Response {
    let location = response.headers().get(LOCATION).and_then(|location| location.to_str().ok());
    let location = location.and_then(|location| {
        let path = location.strip_prefix(origin).unwrap_or(location);
        let host = &location[..location.len() - path.len()];
        let below = path.trim_start_matches('/').strip_prefix("xend/")?;
        is_of_host(below).then(|| HeaderValue::from_str(&format!("{host}{base}/{below}")).ok())?
    });
    if let Some(location) = location {
        response.headers_mut().insert(LOCATION, location);
    }
    let media = response.headers().get(CONTENT_TYPE);
    if !media.is_some_and(|media| media.as_bytes().starts_with(b"text/html")) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let page = to_bytes(body, MAX_PAGE).await.unwrap_or_default();
    let page = String::from_utf8_lossy(&page);
    // Some links of xend's have the address of the host.
    let page = page.replace(&format!("=\"{origin}/xend/"), ATTRIBUTE);
    let page = page_below(&page, base);
    // An answer to HEAD has a length and no body.
    if !page.is_empty() {
        parts.headers.insert(CONTENT_LENGTH, page.len().into());
    }
    Response::from_parts(parts, Body::from(page))
}

/// The same page, whose links and forms lead below `base`.
fn page_below(page: &str, base: &str) -> String {
    let mut text = String::with_capacity(page.len() + page.len() / 8);
    let mut rest = page;
    while let Some(at) = rest.find(ATTRIBUTE) {
        let (before, attribute) = rest.split_at(at);
        let value = attribute.get(ATTRIBUTE.len()..).unwrap_or_default();
        let follower = FOLLOWERS.iter().find_map(|name| before.strip_suffix(name));
        if let Some(before) = follower {
            text.push_str(before);
            rest = value.split_once('"').map_or("", |(_, after)| after);
            continue;
        }
        text.push_str(before);
        if is_of_host(value) {
            text.push_str("=\"");
            text.push_str(base);
            text.push('/');
        } else {
            text.push_str(ATTRIBUTE);
        }
        rest = value;
    }
    text.push_str(rest);
    text
}

/// Whether a path below `/xend/` is that of a page about this host.
fn is_of_host(below: &str) -> bool {
    let first = below.split(['/', '?', '#', '"']).next().unwrap_or_default();
    !first.is_empty() && !SHARED.contains(&first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::StatusCode;

    #[test]
    fn links_and_forms_lead_to_the_host_that_has_the_domain() {
        for (page, below) in [
            (r#"<a href="/xend/domain/web1">"#, r#"<a href="/xend/host/b/domain/web1">"#),
            (r#"<form action="/xend/new">"#, r#"<form action="/xend/host/b/new">"#),
            (r#"<a href="/xend/domain?q=x">"#, r#"<a href="/xend/host/b/domain?q=x">"#),
            (r#"<a href="/xend/host/b/node">"#, r#"<a href="/xend/host/b/node">"#),
            (r#"<link href="/xend/assets/1/x.css">"#, r#"<link href="/xend/assets/1/x.css">"#),
            (r#"<body data-events="/xend/events?a" id="x">"#, r#"<body id="x">"#),
            (r#"<p data-socket="/xend/domain/a/console">"#, "<p>"),
            ("<p>=&quot;/xend/domain", "<p>=&quot;/xend/domain"),
            (r#"<a href="/xend/">"#, r#"<a href="/xend/">"#),
            (r#"<a href="/xend/d"#, r#"<a href="/xend/host/b/d"#),
        ] {
            assert_eq!(page_below(page, "/xend/host/b"), below);
        }
    }

    #[tokio::test]
    async fn a_location_is_that_on_the_host_that_was_asked() {
        for (location, below) in [
            ("http://a:1/xend/domain/x/..", "http://a:1/xend/host/b/domain/x/.."),
            ("/xend/domain", "/xend/host/b/domain"),
            ("/xend/login", "/xend/login"),
            ("http://elsewhere/xend/domain", "http://elsewhere/xend/domain"),
        ] {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::SEE_OTHER;
            response.headers_mut().insert(LOCATION, location.parse().unwrap());
            let response = rebased(response, "http://a:1", "/xend/host/b").await;
            assert_eq!(response.headers()[LOCATION], below);
        }
    }
}

//! Answers for another host of the fleet: what leads to a page of this host leads to its path on
//! that one, below `/xend/host/NAME`.
//!
//! It is done to the printed page: in HTML of ours, `="/xend/` is the beginning of an attribute
//! alone, since quotes in texts are escaped.

use super::errors::{no_room_for_answer, phrase_of};
use super::request::ShownAt;
use super::response::{Content, respond};
use crate::answer_memory::AnswerMemory;
use crate::core::offload::Offload;
use crate::memory_budget::{MemoryBudget, OverBudget};
use axum::body::{Body, to_bytes};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use axum::http::{HeaderValue, Method};
use axum::response::Response;
use bytes::Bytes;

/// The largest page, in bytes.
const MAX_PAGE: usize = 64 << 20;

/// What the paths of pages begin with.
const ROOT: &str = "/xend/";

/// The pages that are the same on all hosts: those of the host that is asked.
const SHARED: [&str; 5] = ["assets", "help", "host", "login", "logout"];

/// Attributes by which a script follows this host, which is not possible from another one.
const FOLLOWERS: [&str; 2] = [" data-events", " data-socket"];

/// The same answer to a request by this method, shown on the other host. A page is printed anew in
/// one of the `places`, and within the budget.
pub(super) async fn rebased(
    mut response: Response,
    shown_at: &ShownAt,
    method: &Method,
    places: &Offload,
    budget: &MemoryBudget,
) -> Response {
    let location = response.headers().get(LOCATION).and_then(|location| location.to_str().ok());
    if let Some(location) = location.and_then(|location| location_below(location, shown_at)) {
        response.headers_mut().insert(LOCATION, location);
    }
    let media = response.headers().get(CONTENT_TYPE);
    if !media.is_some_and(|media| media.as_bytes().starts_with(b"text/html")) {
        return response;
    }
    let is_post = *method == Method::POST;
    let (mut head, body) = response.into_parts();
    let Ok(page) = to_bytes(body, MAX_PAGE).await else { return too_long(is_post) };
    let page = places.print(page.len(), || page_below(&page, shown_at, budget)).await;
    match page {
        Ok(page) => {
            head.headers.insert(CONTENT_LENGTH, page.len().into());
            Response::from_parts(head, Body::from(page))
        }
        Err(over) => {
            let without_page = Response::from_parts(head, Body::empty());
            no_room_for_answer(&without_page, is_post, over)
        }
    }
}

fn location_below(location: &str, ShownAt { origin, base }: &ShownAt) -> Option<HeaderValue> {
    let path = location.strip_prefix(origin.as_str()).unwrap_or(location);
    let host = &location[..location.len() - path.len()];
    let below = path.trim_start_matches('/').strip_prefix("xend/")?;
    is_of_host(below).then(|| HeaderValue::from_str(&format!("{host}{base}/{below}")).ok())?
}

fn too_long(is_post: bool) -> Response {
    let done = if is_post { "The request is done, but its page" } else { "The page" };
    let most = MAX_PAGE >> 20;
    let text = format!("{done} is longer than {most} MiB: open it at the host itself\n");
    respond(502, phrase_of(502), Content::Text(text.into()))
}

/// The same page, whose links and forms lead below the base. It has the memory of the other one
/// beside it until it is printed.
fn page_below(page: &[u8], shown_at: &ShownAt, budget: &MemoryBudget) -> Result<Bytes, OverBudget> {
    // Pages are text: nothing is copied.
    let page = String::from_utf8_lossy(page);
    let links = page.matches(ROOT).count();
    let most = page.len().saturating_add(links.saturating_mul(shown_at.base.len()));
    let memory = AnswerMemory::reserve(budget, most)?;
    let mut text = String::with_capacity(most);
    lead_below(&page, shown_at, &mut text);
    Ok(memory.hold(text))
}

/// Writes the page with its links changed.
fn lead_below(page: &str, ShownAt { origin, base }: &ShownAt, text: &mut String) {
    let mut rest = page;
    while let Some(at) = rest.find("=\"") {
        let (before, attribute) = rest.split_at(at);
        let value = attribute.get(2..).unwrap_or_default();
        // Some links of xend's have the address of the host.
        let path = value.strip_prefix(origin.as_str()).unwrap_or(value);
        let Some(below) = path.strip_prefix(ROOT) else {
            text.push_str(before);
            text.push_str("=\"");
            rest = value;
            continue;
        };
        let follower = FOLLOWERS.iter().find_map(|name| before.strip_suffix(name));
        if let Some(before) = follower {
            text.push_str(before);
            rest = value.split_once('"').map_or("", |(_, after)| after);
            continue;
        }
        text.push_str(before);
        text.push_str("=\"");
        if is_of_host(below) {
            text.push_str(base);
            text.push('/');
        } else {
            text.push_str(ROOT);
        }
        rest = below;
    }
    text.push_str(rest);
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

    fn shown_at() -> ShownAt {
        ShownAt { origin: "http://a:1".to_owned(), base: "/xend/host/b".to_owned() }
    }

    async fn answer(response: Response, method: Method, budget: &MemoryBudget) -> Response {
        rebased(response, &shown_at(), &method, &Offload::default(), budget).await
    }

    /// An answer that is this page.
    fn page(text: impl Into<Body>) -> Response {
        let mut response = Response::new(text.into());
        let html = HeaderValue::from_static("text/html; charset=utf-8");
        response.headers_mut().insert(CONTENT_TYPE, html);
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("7"));
        response
    }

    #[test]
    fn links_and_forms_lead_to_the_host_that_has_the_domain() {
        for (page, below) in [
            (r#"<a href="/xend/domain/web1">"#, r#"<a href="/xend/host/b/domain/web1">"#),
            (r#"<a href="http://a:1/xend/domain">"#, r#"<a href="/xend/host/b/domain">"#),
            (r#"<a href="http://a:1/xend/help">"#, r#"<a href="/xend/help">"#),
            (r#"<a href="http://b:1/xend/domain">"#, r#"<a href="http://b:1/xend/domain">"#),
            (r#"<form action="/xend/new">"#, r#"<form action="/xend/host/b/new">"#),
            (r#"<a href="/xend/domain?q=x">"#, r#"<a href="/xend/host/b/domain?q=x">"#),
            (r#"<a href="/xend/host/b/node">"#, r#"<a href="/xend/host/b/node">"#),
            (r#"<link href="/xend/assets/1/x.css">"#, r#"<link href="/xend/assets/1/x.css">"#),
            (r#"<body data-events="/xend/events?a" id="x">"#, r#"<body id="x">"#),
            (r#"<p data-socket="/xend/domain/a/console">"#, "<p>"),
            ("<p>=&quot;/xend/domain", "<p>=&quot;/xend/domain"),
            (r#"<a href="/xend/">"#, r#"<a href="/xend/">"#),
            (r#"<a href="/xend/d"#, r#"<a href="/xend/host/b/d"#),
            (r#"<a href=""#, r#"<a href=""#),
        ] {
            let budget = MemoryBudget::default();
            assert_eq!(page_below(page.as_bytes(), &shown_at(), &budget).unwrap(), below);
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
            let response = answer(response, Method::POST, &MemoryBudget::default()).await;
            assert_eq!(response.headers()[LOCATION], below);
        }
    }

    #[tokio::test]
    async fn a_page_has_its_new_length() {
        let budget = MemoryBudget::default();
        let link = r#"<a href="/xend/node">"#;
        let shown = answer(page(link), Method::GET, &budget).await;
        assert_eq!(shown.headers()[CONTENT_LENGTH], (link.len() + 7).to_string());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_large_page_is_printed_beside_others_and_within_the_budget() {
        let link = r#"<a href="/xend/node">"#;
        let text = link.repeat(10_000);
        let budget = MemoryBudget::new(1 << 20);
        let places = Offload::default();
        let shown = rebased(page(text.clone()), &shown_at(), &Method::GET, &places, &budget).await;
        assert_eq!(places.printed(), 1);
        assert!(budget.reserved() >= text.len(), "{}", budget.reserved());
        let whole = to_bytes(shown.into_body(), usize::MAX).await.unwrap();
        assert_eq!(whole.len(), 10_000 * (link.len() + 7));
        drop(whole);
        assert_eq!(budget.reserved(), 0);
        let small = MemoryBudget::new(text.len());
        for (method, says) in [(Method::GET, "try again"), (Method::POST, "The request is done")] {
            let refused = answer(page(text.clone()), method, &small).await;
            assert_eq!(refused.status(), 503);
            let said = to_bytes(refused.into_body(), 1000).await.unwrap();
            assert!(String::from_utf8_lossy(&said).contains(says), "{said:?}");
        }
    }

    #[tokio::test]
    async fn a_page_that_is_too_long_is_told_of() {
        let budget = MemoryBudget::unlimited();
        let whole = Bytes::from(vec![b'x'; MAX_PAGE + 1]);
        for (method, says) in [(Method::GET, "The page is"), (Method::POST, "The request is done")]
        {
            let refused = answer(page(whole.clone()), method, &budget).await;
            assert_eq!(refused.status(), 502);
            let said = to_bytes(refused.into_body(), 1000).await.unwrap();
            assert!(String::from_utf8_lossy(&said).starts_with(says), "{said:?}");
        }
    }
}

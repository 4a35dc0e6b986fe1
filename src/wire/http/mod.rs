//! xend's HTTP interface.
//!
//! ```text
//! path      /xend//domain/ and /xend/dom%61in are /xend/domain
//! accept    S-expression, HTML or JSON?
//! params    query and form -> one typed request an operation
//! body      bounded, read to its end
//! multipart forms with files
//! selection which domains a list shows, and in which order
//! site      the table of pages: the router and the reference are made from it
//! pages     GET
//! ops       POST: one table a page, one entry an operation
//! reference /xend/help
//! place     where a request is answered, and in which form
//! failed    how failures are told
//! reply     status, reason phrase, headers, body
//! html      outcomes as pages of `templates`; a form for each operation of a domain, from the same table
//! events    what happens, as it happens
//! cache     lists that are printed once and sent often
//! ```
//!
//! The reason phrase is part of the interface: xm prints it. Clients show the bodies of 500 and 404
//! only, so whatever fails is a 500, or a 404 for a domain that is not there.

mod body;
mod errors;
mod events;
mod format;
mod get;
mod help;
mod html;
mod list_cache;
mod list_query;
mod multipart;
mod operations;
mod pages;
mod params;
mod path;
mod request;
mod response;

use crate::core::engine::Engine;
use crate::core::model::DomName;
use axum::Router;
use axum::extract::Request;
use axum::http::header::CONTENT_TYPE;
use axum::http::{Extensions, HeaderMap, Method, StatusCode, Version};
use axum::response::Response;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;

/// What can change while the daemon runs.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// The largest body in bytes.
    pub max_body: usize,
    /// Whether a caller may shut the host down.
    pub node_shutdown: bool,
    /// Where other hosts are expected to take domains in, if nobody says otherwise.
    pub relocation_port: u16,
}

/// What every page works with.
#[derive(Clone)]
pub struct Http(Arc<Inner>);

struct Inner {
    engine: Engine,
    cache: list_cache::Cache,
    settings: Box<dyn Fn() -> Settings + Send + Sync>,
    log: Box<dyn Fn() -> String + Send + Sync>,
    /// Places for those who follow along.
    followers: Arc<Semaphore>,
    /// Ends what does not end by itself.
    closing: CancellationToken,
}

impl Http {
    /// The wire in front of `engine`. `settings` is asked at each request, `log` gives the text of
    /// `/xend/node/log`. Streams of events end when `closing` is cancelled.
    pub fn new(
        engine: Engine,
        settings: impl Fn() -> Settings + Send + Sync + 'static,
        log: impl Fn() -> String + Send + Sync + 'static,
        closing: CancellationToken,
    ) -> Self {
        let (settings, log) = (Box::new(settings), Box::new(log));
        let (cache, followers) =
            (list_cache::Cache::default(), Arc::new(Semaphore::new(events::MOST)));
        Self(Arc::new(Inner { engine, cache, settings, log, followers, closing }))
    }

    /// All pages. Every request must carry a [`Caller`](crate::core::caller::Caller) among its
    /// extensions; one without is taken for an internal one.
    pub fn router(self) -> Router {
        let http = self.clone();
        let pages = pages::router()
            .with_state(self)
            .layer(CompressionLayer::new().compress_when(is_for_browsers))
            .layer(CatchPanicLayer::custom(panicked));
        // What old clients write in other ways (`//xend/domain/`) finds no route, is made canonical
        // and tried again: the usual request is routed once.
        let canonical = pages.clone().fallback(unknown);
        let pages =
            pages.fallback(move |request: Request| canonical.oneshot(path::canonical(request)));
        Router::new().fallback(move |request: Request| {
            let request = path::with_whole_name(request, |name| http.is_domain(name));
            pages.clone().oneshot(request)
        })
    }

    /// Whether a domain has this name.
    fn is_domain(&self, name: &str) -> bool {
        self.0.engine.snapshot().by_name(&DomName::adopted(name)).is_some()
    }

    fn settings(&self) -> Settings {
        (self.0.settings)()
    }
}

/// Pages and what they refer to are compressed for who asks for that. Nothing else is: old clients
/// want a Content-Length, and some (Python's `requests`) ask for what they have no use of.
fn is_for_browsers(_: StatusCode, _: Version, headers: &HeaderMap, _: &Extensions) -> bool {
    let media = headers.get(CONTENT_TYPE).map_or(&b""[..], |media| media.as_bytes());
    [&b"text/html"[..], b"text/css", b"text/javascript"].iter().any(|page| media.starts_with(page))
}

/// A fault of ours costs one request, not the daemon.
fn panicked(_: Box<dyn std::any::Any + Send>) -> Response {
    tracing::error!("A request made the daemon panic, this is a bug");
    response::answer(
        500,
        "Internal server error",
        response::Content::Text("Internal error, see the log".into()),
    )
}

/// A path that leads nowhere. As in xend, the first segment that is not known is named.
async fn unknown(method: Method, request: Request) -> Response {
    if !matches!(method, Method::GET | Method::HEAD | Method::POST) {
        return response::method_not_supported(&method);
    }
    let place = request::Place::of(&request, &[], format::Format::of(request.headers()));
    errors::not_found_at(
        &place,
        &format!("Not found: {}", path::unknown_segment(request.uri().path())),
    )
}

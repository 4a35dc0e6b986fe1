//! The pages, and who may read them.

use super::exposition;
use super::sources::Sources;
use crate::answer_memory::SharedText;
use crate::core::caller::{Caller, Principal};
use crate::core::engine::Engine;
use crate::core::error::{Error, ErrorKind};
use crate::core::rights::OpKind;
use crate::core::view::View;
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{Extensions, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use axum::{Router, routing};
use bytes::Bytes;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::Instant;
use tracing::{Level, debug, enabled};

/// How long a text is sent again. It is printed once for all who read in this time, so that readers
/// cost no more than one of them.
const PRINTED_FOR: Duration = Duration::from_secs(1);

/// The media type of OpenMetrics.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The media type of everything else.
const TEXT: &str = "text/plain; charset=utf-8";

/// The paths of a listener of metrics.
const PATHS: &str = "\
/metrics  what xend does and what its domains use, as OpenMetrics
/healthz  whether xend is alive
/readyz   whether xend can serve, or else why not
";

/// Who may read metrics on a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readers {
    /// The operators of the host.
    Operators,
    /// Everybody whom the listener admits, apart from the users of accounts: it serves nothing
    /// else, and a monitor needs no more rights than that.
    Connected,
}

/// Metrics and health of an engine; clones share them.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    engine: Engine,
    sources: Sources,
    printed: Arc<Mutex<Option<Printed>>>,
}

/// The text that was printed last.
struct Printed {
    at: Instant,
    text: SharedText,
}

/// What the handlers share.
#[derive(Clone)]
struct Pages {
    metrics: Metrics,
    readers: Readers,
}

impl Metrics {
    /// The metrics of `engine`, and of what surrounds it.
    pub fn new(engine: Engine, sources: Sources) -> Self {
        Self(Arc::new(Inner { engine, sources, printed: Arc::default() }))
    }

    /// The router of `/metrics`, `/healthz` and `/readyz`; a listener that serves nothing else
    /// lists them at `/`. A request without a [`Caller`] among its extensions is refused.
    pub fn router(&self, readers: Readers) -> Router {
        let router = Router::new()
            .route("/metrics", routing::get(metrics))
            .route("/healthz", routing::get(alive))
            .route("/readyz", routing::get(ready));
        let router = match readers {
            Readers::Connected => router.route("/", routing::get(list)),
            Readers::Operators => router,
        };
        router.with_state(Pages { metrics: self.clone(), readers }).layer(from_fn(log))
    }

    /// The text of all metrics.
    async fn text(&self, view: &View) -> Result<SharedText, Error> {
        view.require(OpKind::ReadMetrics, "metrics")?;
        // One text is printed at a time, even if its reader hangs up.
        let mut last = self.0.printed.clone().lock_owned().await;
        if let Some(printed) = last.as_ref() {
            if printed.at.elapsed() < PRINTED_FOR {
                return Ok(printed.text.clone());
            }
        }
        let at = Instant::now();
        let figures = self.0.sources.figures(view.metrics()?);
        let print = spawn_blocking(move || {
            let text = SharedText::new(exposition::print(figures)?);
            *last = Some(Printed { at, text: text.clone() });
            Ok(text)
        });
        print.await.map_err(not_printed)?.map_err(|error: fmt::Error| not_printed(error))
    }
}

fn not_printed(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::backend("The metrics cannot be printed", error)
}

impl Pages {
    /// The engine as the caller of a request may read it.
    fn view(&self, extensions: &Extensions) -> Option<View> {
        let caller = extensions.get::<Caller>()?;
        let caller = match (self.readers, &caller.principal) {
            // All that it reads here is for whoever the listener admits.
            (Readers::Connected, Principal::Nobody) => Caller::operator(caller.via.clone()),
            _ => caller.clone(),
        };
        Some(self.metrics.0.engine.view(&caller))
    }
}

/// The log line of each request, at debug level.
async fn log(request: Request, next: Next) -> Response {
    if !enabled!(Level::DEBUG) {
        return next.run(request).await;
    }
    let caller = request.extensions().get::<Caller>().cloned();
    let line = format!("{} {}", request.method(), request.uri().path());
    let response = next.run(request).await;
    let status = response.status().as_u16();
    debug!(caller = caller.map(tracing::field::display), status, "{line}");
    response
}

async fn metrics(State(pages): State<Pages>, request: Request) -> Response {
    let Some(view) = pages.view(request.extensions()) else { return unknown_caller() };
    let text = match pages.metrics.text(&view).await {
        Ok(text) => text,
        Err(error) => return refuse(&error),
    };
    match text.send(&pages.metrics.0.sources.budgets.answers) {
        Ok(text) => respond(StatusCode::OK, OPEN_METRICS, text),
        Err(over) => respond(StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("{over}\n").into()),
    }
}

/// The paths that there are.
async fn list(State(pages): State<Pages>, request: Request) -> Response {
    let Some(view) = pages.view(request.extensions()) else { return unknown_caller() };
    match view.require(OpKind::ReadMetrics, "metrics") {
        Ok(()) => respond(StatusCode::OK, TEXT, PATHS.into()),
        Err(error) => refuse(&error),
    }
}

/// Whether the daemon lives: it answers.
async fn alive(State(pages): State<Pages>, request: Request) -> Response {
    let Some(view) = pages.view(request.extensions()) else { return unknown_caller() };
    match view.require(OpKind::ReadMetrics, "health") {
        Ok(()) => respond(StatusCode::OK, TEXT, "alive\n".into()),
        Err(error) => refuse(&error),
    }
}

/// Whether the host can serve, and otherwise why not, a reason a line.
async fn ready(State(pages): State<Pages>, request: Request) -> Response {
    let Some(view) = pages.view(request.extensions()) else { return unknown_caller() };
    match view.reasons_against_service().await {
        Ok(reasons) if reasons.is_empty() => respond(StatusCode::OK, TEXT, "ready\n".into()),
        Ok(reasons) => {
            let text = reasons.join("\n") + "\n";
            respond(StatusCode::SERVICE_UNAVAILABLE, TEXT, text.into())
        }
        Err(error) => refuse(&error),
    }
}

fn unknown_caller() -> Response {
    tracing::error!("A request for metrics without a caller was refused, this is a bug");
    let text = "The daemon does not know where this request comes from\n";
    respond(StatusCode::FORBIDDEN, TEXT, text.into())
}

fn refuse(error: &Error) -> Response {
    let status = match error.kind() {
        ErrorKind::Denied => StatusCode::FORBIDDEN,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    respond(status, TEXT, format!("{error}\n").into())
}

fn respond(status: StatusCode, media: &'static str, body: Bytes) -> Response {
    (status, [(CONTENT_TYPE, media), (CACHE_CONTROL, "no-store")], body).into_response()
}

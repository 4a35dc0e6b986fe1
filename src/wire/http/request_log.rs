//! The log line of each request, at debug level: reads, and what is refused before the engine, are
//! in no other. Queries and bodies are not in it, since they may have passwords.

use super::response::Reason;
use crate::core::caller::Caller;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use tracing::field::display;
use tracing::{Level, debug, enabled};

/// The middleware: `axum::middleware::from_fn(log)`.
pub(super) async fn log(request: Request, next: Next) -> Response {
    if !enabled!(Level::DEBUG) {
        return next.run(request).await;
    }
    let caller = request.extensions().get::<Caller>().cloned();
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let response = next.run(request).await;
    let status = response.status().as_u16();
    let error = response.extensions().get::<Reason>().map(|reason| display(&reason.0));
    debug!(caller = caller.map(display), status, error, "{method} {path}");
    response
}

//! One connection, from its first byte to its last.

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::activity::Activity;
use super::pace::Paced;
use super::request_line::RequestLine;
use super::slots::Slot;
use crate::core::caller::Caller;

/// The most that the request line and the headers may take together, in bytes.
const MAX_HEAD: usize = 64 * 1024;

/// What ends a connection from outside.
#[derive(Debug, Clone)]
pub(super) struct Shutdown {
    /// Finish the request in hand, then close.
    pub(super) soft: CancellationToken,
    /// Close at once.
    pub(super) hard: CancellationToken,
}

/// Serves the requests of one connection; returns when it is closed.
pub(super) async fn serve<S>(
    stream: S,
    caller: Caller,
    app: Router,
    slot: Slot,
    patience: Duration,
    shutdown: Shutdown,
) where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let activity = Arc::clone(&slot.activity);
    let who = caller.to_string();
    let stream = Paced::new(stream, Arc::clone(&activity), patience);
    let stream = TokioIo::new(RequestLine::new(stream));
    let service =
        service_fn(|request| answer(request, app.clone(), caller.clone(), Arc::clone(&activity)));
    // Old clients compare header names with their case. An end of the client's stream is no reason
    // to drop a request that is being worked on.
    let connection = http1::Builder::new()
        .title_case_headers(true)
        .half_close(true)
        .max_header_size(MAX_HEAD)
        .serve_connection(stream, service);
    let mut connection = pin!(connection);
    let (mut draining, mut asked) = (false, false);
    let result = loop {
        tokio::select! {
            result = connection.as_mut() => break result,
            () = shutdown.hard.cancelled() => return,
            () = shutdown.soft.cancelled(), if !draining => {
                draining = true;
                connection.as_mut().graceful_shutdown();
            }
            () = slot.leave.cancelled(), if !asked => {
                asked = true;
                // It may have got busy since it was asked; then it leaves after its answer.
                if slot.activity.waiting(Instant::now()).is_some() {
                    return;
                }
                connection.as_mut().graceful_shutdown();
            }
        }
    };
    if let Err(error) = result {
        let reason = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        tracing::debug!("Connection of {who} ended: {error} {reason}");
    }
}

async fn answer(
    request: hyper::Request<Incoming>,
    app: Router,
    caller: Caller,
    activity: Arc<Activity>,
) -> Result<Response, Infallible> {
    let (mut head, body) = request.into_parts();
    head.extensions.insert(caller);
    let body = if body.is_end_stream() {
        activity.received();
        Body::empty()
    } else {
        activity.received_head();
        Body::new(Watched { body, activity: Some(Arc::clone(&activity)) })
    };
    let result = app.oneshot(Request::from_parts(head, body)).await;
    activity.answered();
    result
}

/// A request body that notes when it has all arrived.
struct Watched {
    body: Incoming,
    activity: Option<Arc<Activity>>,
}

impl HttpBody for Watched {
    type Data = axum::body::Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let this = self.get_mut();
        let frame = ready!(Pin::new(&mut this.body).poll_frame(cx));
        if frame.is_none() || this.body.is_end_stream() {
            if let Some(activity) = this.activity.take() {
                activity.received();
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

//! HTTP on one connection.

use super::activity::{Activity, Phase};
use super::connection_limit::ConnectionPermit;
use super::refusal_headers::{RefusalHeaders, SERVER_NAME};
use super::request_line::RequestLine;
use super::timeout_stream::TimeoutStream;
use crate::core::caller::Caller;
use crate::long_body::BodyDeadline;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::header::SERVER;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::error::Error as _;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

/// The largest request line and headers together, in bytes.
const MAX_HEAD: usize = 64 * 1024;

/// How long the rest of a request may take to arrive when the daemon stops.
const REST_OF_REQUEST: Duration = Duration::from_millis(250);

/// How long a client may take nothing of its response when the daemon stops.
const RESPONSE_STALL: Duration = Duration::from_secs(5);

/// How much is read of a connection before it is handled, in bytes. It is not counted with the
/// bodies: the number of connections bounds it.
const MAX_BUFFER: usize = 128 * 1024;

/// The tokens that end connections.
#[derive(Debug, Clone)]
pub(super) struct StopTokens {
    /// Finish the current request, then close.
    pub(super) soft: CancellationToken,
    /// Close at once.
    pub(super) hard: CancellationToken,
}

/// Serves the requests of a connection until it is closed.
pub(super) async fn serve<S>(
    stream: S,
    caller: Caller,
    app: Router,
    permit: ConnectionPermit,
    timeout: Duration,
    shutdown: StopTokens,
) where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let activity = Arc::clone(&permit.activity);
    let client = caller.to_string();
    let closed = CancellationToken::new();
    let guard = closed.clone().drop_guard();
    let stream = TimeoutStream::new(stream, Arc::clone(&activity), timeout, guard);
    let stream = TokioIo::new(RefusalHeaders::new(RequestLine::new(stream)));
    let service = service_fn(|request| {
        answer(request, app.clone(), caller.clone(), Arc::clone(&activity), timeout)
    });
    // Old clients compare header names with their case. A client that closes its sending side still
    // gets its response.
    let connection = http1::Builder::new()
        .title_case_headers(true)
        .half_close(true)
        .max_header_size(MAX_HEAD)
        .max_buf_size(MAX_BUFFER)
        .serve_connection(stream, service)
        .with_upgrades();
    let mut connection = Box::pin(connection);
    let mut stop_delayed = pin!(client_delays_stop(&activity, &shutdown.soft));
    let mut draining = false;
    let mut evicted = false;
    let result = loop {
        tokio::select! {
            result = connection.as_mut() => break result,
            () = shutdown.hard.cancelled() => {
                if let Some(request) = activity.handled_request() {
                    tracing::warn!("Closed {client} without an answer to {request}");
                }
                return;
            }
            () = shutdown.soft.cancelled(), if !draining => {
                draining = true;
                connection.as_mut().graceful_shutdown();
            }
            () = stop_delayed.as_mut() => {
                tracing::debug!("Closed {client}, which the stop would have waited for");
                return;
            }
            () = permit.evicted.cancelled(), if !evicted => {
                evicted = true;
                // A request may have arrived meanwhile; then the connection closes after its
                // answer.
                if activity.waiting(Instant::now()).is_some() {
                    return;
                }
                connection.as_mut().graceful_shutdown();
            }
        }
    };
    // An upgraded connection lives on in its handler, which has the stream now. Its place is taken
    // until the handler is done with it.
    drop(connection);
    tokio::select! {
        () = closed.cancelled() => {}
        () = shutdown.hard.cancelled() => {}
    }
    if let Err(error) = result {
        let source = error.source().map(ToString::to_string).unwrap_or_default();
        tracing::debug!("Connection of {client} ended: {error} {source}");
    }
}

/// Ends when the server stops and the client keeps it waiting: its request is not complete, or it
/// does not take its response.
async fn client_delays_stop(activity: &Activity, stop: &CancellationToken) {
    stop.cancelled().await;
    loop {
        sleep(REST_OF_REQUEST).await;
        let waited = activity.waiting(Instant::now());
        let is_stalled = waited.is_some_and(|waited| waited > RESPONSE_STALL);
        if is_stalled || activity.phase() == Phase::Receiving {
            return;
        }
    }
}

async fn answer(
    request: hyper::Request<Incoming>,
    app: Router,
    caller: Caller,
    activity: Arc<Activity>,
    timeout: Duration,
) -> Result<Response, Infallible> {
    let (mut head, body) = request.into_parts();
    head.extensions.insert(caller);
    activity.head_received(head.method.clone(), head.uri.clone());
    let body = if body.is_end_stream() {
        activity.request_received();
        Body::empty()
    } else {
        let of_body = Arc::clone(&activity);
        head.extensions.insert(BodyDeadline::new(timeout, move || of_body.part_taken()));
        Body::new(TrackedBody { body, activity: Some(Arc::clone(&activity)) })
    };
    let mut response = app.oneshot(Request::from_parts(head, body)).await?;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        activity.upgraded();
    } else {
        activity.response_made();
    }
    response.headers_mut().insert(SERVER, HeaderValue::from_static(SERVER_NAME));
    Ok(response)
}

/// A request body that reports its end to the [`Activity`].
struct TrackedBody {
    body: Incoming,
    /// `None` after the end.
    activity: Option<Arc<Activity>>,
}

impl HttpBody for TrackedBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let this = self.get_mut();
        let frame = ready!(Pin::new(&mut this.body).poll_frame(cx));
        if frame.is_none() || this.body.is_end_stream() {
            if let Some(activity) = this.activity.take() {
                activity.request_received();
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

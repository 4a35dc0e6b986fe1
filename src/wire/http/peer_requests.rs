//! Requests that other hosts of the fleet pass on: the pages of this host, as the callers of those
//! hosts may see them.

use super::context::Http;
use super::peer_body::PeerBody;
use super::peer_call::{ANSWER_HEADER, MAX_HEADER, PeerCall, REQUEST_HEADER};
use super::rebase::rebased;
use super::request::ShownAt;
use super::response::{Content, respond};
use crate::core::fleet::HostName;
use crate::core::ports::{HostStream, PeerRefusal, PeerRequests};
use crate::long_body::BodyDeadline;
use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, Method};
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{sleep, timeout};
use tower::ServiceExt as _;

/// How long the head of a request may take to arrive.
const HEAD_LIMIT: Duration = Duration::from_secs(5);
/// The longest head of a request, in bytes.
const MAX_HEAD: usize = MAX_HEADER + (32 << 10);
/// How much is read of a connection before it is handled, in bytes.
const MAX_BUFFER: usize = 2 * MAX_HEAD;
/// How long a request may take altogether, and with it the answer that nobody reads.
const LIMIT: Duration = Duration::from_secs(3600);
/// How long what has begun may take when the daemon stops.
const LAST_WORD: Duration = Duration::from_secs(30);
/// The longest body that another host passes on, in bytes; the page knows its own limit.
const MOST: usize = usize::MAX;

struct HttpPeers {
    http: Http,
    router: Router,
}

impl Http {
    /// The same pages for other hosts of the fleet.
    pub fn peer_requests(self) -> Arc<dyn PeerRequests> {
        Arc::new(HttpPeers { router: self.clone().router(), http: self })
    }
}

#[async_trait]
impl PeerRequests for HttpPeers {
    async fn serve(&self, stream: Box<dyn HostStream>, from: Result<HostName, PeerRefusal>) {
        let service = service_fn(|request| {
            let from = from.clone();
            async move { Ok::<_, Infallible>(self.answer(request, from).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_LIMIT)
            .keep_alive(false)
            .max_header_size(MAX_HEAD)
            .max_buf_size(MAX_BUFFER)
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = pin!(connection);
        let stopping = self.http.stopping();
        let ended = tokio::select! {
            ended = timeout(LIMIT, connection.as_mut()) => ended.ok(),
            () = stopping.cancelled() => {
                connection.as_mut().graceful_shutdown();
                tokio::select! {
                    ended = connection => Some(ended),
                    () = sleep(LAST_WORD) => None,
                }
            }
        };
        if let Some(Err(error)) = ended {
            let host = from.as_ref().map_or("a host", HostName::as_str);
            tracing::debug!("A request of {host} broke off: {error}");
        }
    }
}

impl HttpPeers {
    async fn answer(
        &self,
        request: hyper::Request<Incoming>,
        from: Result<HostName, PeerRefusal>,
    ) -> Response {
        let host = match from {
            Ok(host) => host,
            Err(refusal) => return refused(&refusal),
        };
        let (mut head, body) = request.into_parts();
        let header = head.headers.remove(REQUEST_HEADER);
        let header = header.as_ref().map_or(&b""[..], HeaderValue::as_bytes);
        let call = PeerCall::decode(header).and_then(|call| Ok((call.on_behalf()?, call)));
        let (on_behalf, PeerCall { origin, base, .. }) = match call {
            Ok(call) => call,
            Err(reason) => {
                let text = format!("the request cannot be read: {reason}; update xend on both");
                return plain(400, &text);
            }
        };
        let engine = self.http.engine();
        let shown_at = ShownAt { origin, base };
        head.extensions.insert(engine.peer_caller(&host, on_behalf));
        head.extensions.insert(shown_at.clone());
        // The body has its own limits.
        head.extensions.insert(BodyDeadline::new(super::peer_body::PAUSE, || {}));
        if head.method == Method::HEAD {
            // A page has its length when its links are changed; the connection leaves it out then.
            head.method = Method::GET;
        }
        let method = head.method.clone();
        let body = Body::new(PeerBody::new(body, MOST));
        let answer = self.router.clone().oneshot(Request::from_parts(head, body)).await;
        let answer = answer.unwrap_or_else(|never| match never {});
        let budget = self.http.answer_budget();
        let mut answer = rebased(answer, &shown_at, &method, engine.places(), budget).await;
        answer.headers_mut().insert(ANSWER_HEADER, HeaderValue::from_static("1"));
        answer
    }
}

fn refused(refusal: &PeerRefusal) -> Response {
    let status = match refusal {
        PeerRefusal::Stranger | PeerRefusal::Ambiguous | PeerRefusal::NotAllowed => 403,
        PeerRefusal::FleetUnknown | PeerRefusal::Busy => 503,
    };
    plain(status, &refusal.to_string())
}

/// A refusal before the wire: its text says why this host does not answer.
fn plain(status: u16, text: &str) -> Response {
    let phrase = super::errors::phrase_of(status);
    respond(status, phrase, Content::Text(text.to_owned().into()))
}

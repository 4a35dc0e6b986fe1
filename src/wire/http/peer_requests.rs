//! Requests that other hosts of the fleet pass on: the pages of this host, as the callers of those
//! hosts may see them.

use super::context::Http;
use super::errors::phrase_of;
use super::peer_body::PeerBody;
use super::peer_call::{ANSWER_HEADER, MAX_HEADER, PeerCall, REQUEST_HEADER};
use super::rebase::rebased;
use super::request::ShownAt;
use super::response::{Content, respond};
use crate::core::fleet::HostName;
use crate::core::ports::{HostStream, PeerRequests};
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
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

/// How long the head of a request may take to arrive.
const HEAD_LIMIT: Duration = Duration::from_secs(5);
/// The longest head of a request, in bytes.
const MAX_HEAD: usize = MAX_HEADER + (32 << 10);
/// How much is read of a connection before it is handled, in bytes.
const MAX_BUFFER: usize = 2 * MAX_HEAD;
/// How long what is asked for may take.
const WORK_LIMIT: Duration = Duration::from_secs(3600);
/// How long the other host may take to read an answer: its place is one of few.
const ANSWER_LIMIT: Duration = Duration::from_secs(120);
/// How long what has begun may take when the daemon stops.
const LAST_WORD: Duration = Duration::from_secs(30);
/// The longest body that another host passes on, in bytes; the page knows its own limit.
const MOST: usize = usize::MAX;

/// For whom other hosts of the fleet may ask this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerCallers {
    /// For operators of those hosts alone.
    Operators,
    /// For users of their accounts as well.
    Everybody,
}

struct HttpPeers {
    http: Http,
    router: Router,
    callers: PeerCallers,
}

impl Http {
    /// The same pages for other hosts of the fleet, which ask for these callers.
    pub fn peer_requests(self, callers: PeerCallers) -> Arc<dyn PeerRequests> {
        Arc::new(HttpPeers { router: self.clone().router(), http: self, callers })
    }
}

#[async_trait]
impl PeerRequests for HttpPeers {
    async fn serve(&self, stream: Box<dyn HostStream>, from: HostName) {
        let stopping = self.http.stopping();
        let answer = |request| self.answer(request, &from);
        if let Err(reason) = serve_one(stream, &stopping, answer).await {
            tracing::debug!("A request of {from} broke off: {reason}");
        }
    }
}

/// Answers one request. Whatever of it does not end in time is given up.
async fn serve_one<F>(
    stream: Box<dyn HostStream>,
    stopping: &CancellationToken,
    answer: impl Fn(hyper::Request<Incoming>) -> F,
) -> Result<(), String>
where
    F: Future<Output = Response>,
{
    let answered = CancellationToken::new();
    let (answer, answered) = (&answer, &answered);
    let service = service_fn(move |request| async move {
        let answer = answer(request).await;
        answered.cancel();
        Ok::<_, Infallible>(answer)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_LIMIT)
        .keep_alive(false)
        .max_header_size(MAX_HEAD)
        .max_buf_size(MAX_BUFFER)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let late = async {
        match timeout(WORK_LIMIT, answered.cancelled()).await {
            Ok(()) => {
                sleep(ANSWER_LIMIT).await;
                format!("its answer was not read within {} s", ANSWER_LIMIT.as_secs())
            }
            Err(_) => format!("it took longer than {} s", WORK_LIMIT.as_secs()),
        }
    };
    tokio::select! {
        ended = connection.as_mut() => ended.map_err(|error| error.to_string()),
        reason = late => Err(reason),
        () = stopping.cancelled() => {
            connection.as_mut().graceful_shutdown();
            match timeout(LAST_WORD, connection).await {
                Ok(ended) => ended.map_err(|error| error.to_string()),
                Err(_) => Err("xend is being stopped".to_owned()),
            }
        }
    }
}

impl HttpPeers {
    async fn answer(&self, request: hyper::Request<Incoming>, from: &HostName) -> Response {
        let (mut head, body) = request.into_parts();
        let header = head.headers.remove(REQUEST_HEADER);
        let header = header.as_ref().map_or(&b""[..], HeaderValue::as_bytes);
        let call = PeerCall::decode(header).and_then(|call| Ok((call.on_behalf()?, call)));
        let (on_behalf, PeerCall { origin, base, .. }) = match call {
            Ok(call) => call,
            Err(reason) => {
                let text = format!("the request cannot be read: {reason}; update xend on both");
                return refused(400, text);
            }
        };
        let is_user = on_behalf.account.as_ref().is_some_and(|(_, access)| !access.operator);
        if is_user && self.callers == PeerCallers::Operators {
            let text = "it takes no users of other hosts, see xend-fleet-users there".to_owned();
            return refused(403, text);
        }
        let engine = self.http.engine();
        let shown_at = ShownAt { origin, base };
        head.extensions.insert(engine.peer_caller(from, on_behalf));
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

/// A refusal before the wire: its text says why this host does not answer.
fn refused(status: u16, text: String) -> Response {
    respond(status, phrase_of(status), Content::Text(text.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
    use tokio::time::Instant;

    const QUESTION: &[u8] = b"GET / HTTP/1.1\r\nHost: peer\r\n\r\n";

    /// How a connection ends on which this is sent and nothing read, and how long it takes.
    async fn end(sent: &[u8], work: Duration) -> (Result<(), String>, Duration) {
        let (mut near, far) = duplex(4096);
        near.write_all(sent).await.unwrap();
        let began = Instant::now();
        let answer = |_| async move {
            sleep(work).await;
            Response::new(Body::from(vec![b'x'; 1 << 20]))
        };
        let ended = serve_one(Box::new(far), &CancellationToken::new(), answer).await;
        (ended, began.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_has_much_time_and_the_reader_of_its_answer_little() {
        let (ended, took) = end(QUESTION, WORK_LIMIT / 2).await;
        assert!(ended.unwrap_err().contains("not read"));
        assert_eq!(took.as_secs(), (WORK_LIMIT / 2 + ANSWER_LIMIT).as_secs());
        let (ended, took) = end(QUESTION, 2 * WORK_LIMIT).await;
        assert!(ended.unwrap_err().contains("took longer"));
        assert_eq!(took.as_secs(), WORK_LIMIT.as_secs());
        let (ended, took) = end(b"GET / HTTP/1.1\r\n", Duration::ZERO).await;
        assert!(ended.is_err() && took < 2 * HEAD_LIMIT, "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_waits_a_moment_for_what_has_begun() {
        let (mut near, far) = duplex(4 << 20);
        near.write_all(QUESTION).await.unwrap();
        let stopping = CancellationToken::new();
        let stop = async {
            sleep(Duration::from_secs(1)).await;
            stopping.cancel();
        };
        let answer = |_| async {
            sleep(LAST_WORD).await;
            Response::new(Body::from("done"))
        };
        let (ended, ()) = tokio::join!(serve_one(Box::new(far), &stopping, answer), stop);
        ended.unwrap();
        let mut text = String::new();
        near.read_to_string(&mut text).await.unwrap();
        assert!(text.ends_with("done"), "{text}");
    }
}

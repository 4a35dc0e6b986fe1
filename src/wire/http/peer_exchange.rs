//! A request to another host of the fleet and its answer, over a connection of their own.

use super::peer_body::PeerBody;
use super::peer_call::ANSWER_HEADER;
use axum::body::Body;
use axum::http::HeaderName;
use axum::http::header::{
    ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, ETAG, EXPIRES, LOCATION, PRAGMA, REFERRER_POLICY, RETRY_AFTER, VARY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::response::Response;
use http_body::Body as _;
use http_body_util::{BodyExt as _, Collected, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::ext::ReasonPhrase;
use hyper_util::rt::TokioIo;
use std::error::Error;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

/// The longest head of an answer, in bytes.
const MAX_HEAD: usize = 64 << 10;
/// How much is read of a refusal, in bytes, and how many characters of it are shown.
const MAX_REFUSAL: usize = 4 << 10;
const MAX_SHOWN: usize = 300;

/// The headers of an answer that pass: those of pages. The others are about the connection between
/// the hosts, or would mean something else on the host that was asked, as a cookie does.
const PASSED: [HeaderName; 16] = [
    ACCEPT,
    ALLOW,
    CACHE_CONTROL,
    CONTENT_DISPOSITION,
    CONTENT_LENGTH,
    CONTENT_SECURITY_POLICY,
    CONTENT_TYPE,
    ETAG,
    EXPIRES,
    LOCATION,
    PRAGMA,
    REFERRER_POLICY,
    RETRY_AFTER,
    VARY,
    X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
];

/// The answer of another host, of which the head has arrived.
#[derive(Debug)]
pub(super) struct PeerAnswer {
    answer: hyper::Response<Incoming>,
    connection: Connection,
}

/// The task that moves the bytes of a connection.
type Connection = AbortOnDropHandle<hyper::Result<()>>;

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Unanswered {
    /// The other host has not received the request as a whole, and so has not done it.
    NotSent(String),
    /// The same, since the client has not sent all of its body, which failed with this.
    OwnBody(hyper::Error),
    /// The other host refuses it, in these words.
    Refused(String),
    /// Whether the other host has done it is not known.
    Lost(String),
}

impl PeerAnswer {
    /// Sends a request, and waits for the answer.
    pub(super) async fn to<S>(
        request: hyper::Request<PeerBody<Body>>,
        stream: S,
        limit: Duration,
    ) -> Result<Self, Unanswered>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let late = || Err(Unanswered::Lost(format!("it takes longer than {} s", limit.as_secs())));
        timeout(limit, Self::exchange(request, stream)).await.unwrap_or_else(|_| late())
    }

    async fn exchange<S>(
        request: hyper::Request<PeerBody<Body>>,
        stream: S,
    ) -> Result<Self, Unanswered>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (mut sender, connection) = http1::Builder::new()
            .max_buf_size(MAX_HEAD)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| Unanswered::NotSent(error.to_string()))?;
        let connection = AbortOnDropHandle::new(tokio::spawn(connection));
        let answer = sender.send_request(request).await.map_err(Unanswered::of)?;
        if answer.headers().contains_key(ANSWER_HEADER) {
            return Ok(Self { answer, connection });
        }
        Err(refusal(answer).await)
    }

    /// How long the answer is, as far as that is known. The answer to `HEAD` is empty.
    pub(super) fn least_length(&self) -> u64 {
        self.answer.body().size_hint().lower()
    }

    /// The answer for the client, as it arrives, as far as it has `most` bytes.
    pub(super) fn shown(self, most: usize) -> Response {
        let Self { answer, connection } = self;
        let (mut head, body) = answer.into_parts();
        let body = PeerBody::new(body, most).map_frame(move |frame| {
            // The connection lives as long as the body.
            let _ = &connection;
            frame
        });
        let mut shown = Response::new(Body::new(body));
        *shown.status_mut() = head.status;
        for name in PASSED {
            if let Some(value) = head.headers.remove(&name) {
                shown.headers_mut().insert(name, value);
            }
        }
        if let Some(phrase) = head.extensions.remove::<ReasonPhrase>() {
            shown.extensions_mut().insert(phrase);
        }
        shown
    }
}

impl Unanswered {
    fn of(error: hyper::Error) -> Self {
        if error.is_canceled() {
            return Self::NotSent(error.to_string());
        }
        if error.is_user() {
            return Self::OwnBody(error);
        }
        Self::Lost(described(&error))
    }
}

/// An error with what it was caused by.
pub(super) fn described(error: &dyn Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

/// Why the other host has not answered, in its own words.
async fn refusal(answer: hyper::Response<Incoming>) -> Unanswered {
    let status = answer.status();
    let is_text = answer.headers().get(CONTENT_TYPE).is_some_and(|media| media == "text/plain");
    if !is_text || status.is_success() {
        let reason = "what it sends is no answer of a xend of the fleet";
        return Unanswered::Lost(reason.to_owned());
    }
    let body = Limited::new(PeerBody::new(answer.into_body(), MAX_REFUSAL), MAX_REFUSAL);
    let text = body.collect().await.map(Collected::to_bytes).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    Unanswered::Refused(text.chars().filter(|c| !c.is_control()).take(MAX_SHOWN).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::long_body::is_too_slow;
    use crate::wire::http::peer_body::{PAUSE, is_too_long};
    use axum::body::to_bytes;
    use bytes::Bytes;
    use std::io;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    const LIMIT: Duration = Duration::from_secs(60);

    /// What comes of a request with this body to a host that sends this, and then closes the
    /// connection or waits until the other end is closed.
    async fn asked(body: Body, sends: &str, closes: bool) -> Result<PeerAnswer, Unanswered> {
        let (near, mut far) = duplex(64 << 10);
        let sends = sends.to_owned();
        tokio::spawn(async move {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(far.read_u8().await.unwrap());
            }
            far.write_all(sends.as_bytes()).await.unwrap();
            if !closes {
                far.read_to_end(&mut head).await.ok();
            }
        });
        let request = hyper::Request::post("/").body(PeerBody::new(body, 8)).unwrap();
        PeerAnswer::to(request, near, LIMIT).await
    }

    const HEAD: &str = "HTTP/1.1 200 OK\r\nx-xend-peer-answer: 1\r\n";

    #[tokio::test(start_paused = true)]
    async fn what_may_have_been_done_is_told_from_what_was_not() {
        for (sends, closes) in [
            ("", true),
            ("", false),
            ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", true),
            ("rubbish\r\n\r\n", true),
        ] {
            let lost = asked(Body::empty(), sends, closes).await;
            assert!(matches!(lost, Err(Unanswered::Lost(_))), "{sends}: {lost:?}");
        }
        let refusal = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n\r\nno\x1b";
        match asked(Body::empty(), refusal, true).await {
            Err(Unanswered::Refused(text)) => assert_eq!(text, "no"),
            other => panic!("{other:?}"),
        }
        let broken = futures_util::stream::iter([Err::<Bytes, _>(io::Error::other("gone"))]);
        let silent = futures_util::stream::pending::<io::Result<Bytes>>();
        for (body, kind) in [
            (Body::from("123456789"), (true, false)),
            (Body::from_stream(silent), (false, true)),
            (Body::from_stream(broken), (false, false)),
        ] {
            match asked(body, "", false).await {
                Err(Unanswered::OwnBody(error)) => {
                    assert_eq!((is_too_long(&error), is_too_slow(&error)), kind, "{error}");
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_has_the_headers_of_a_page_alone() {
        let head = "Set-Cookie: a=b\r\nKeep-Alive: 5\r\nTrailer: x\r\nX-New: 1\r\nETag: \"1\"\r\n\
                    Server: x\r\nDate: x\r\nContent-Length: 2\r\n\r\nok";
        let answer =
            asked(Body::empty(), &format!("{}{head}", HEAD.replace("OK", "Fine")), true).await;
        let shown = answer.unwrap().shown(2);
        let mut names: Vec<_> = shown.headers().keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["content-length", "etag"]);
        assert_eq!(shown.extensions().get::<ReasonPhrase>().unwrap().as_bytes(), b"Fine");
        assert_eq!(to_bytes(shown.into_body(), 10).await.unwrap(), "ok");
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_is_too_long_or_pauses_breaks_off() {
        let chunked = format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
        let long = asked(Body::empty(), &chunked, false).await.unwrap();
        let error = to_bytes(long.shown(2).into_body(), 10).await.unwrap_err();
        assert!(is_too_long(&error), "{error}");
        let answer = asked(Body::empty(), &chunked, false).await.unwrap();
        let began = tokio::time::Instant::now();
        let error = to_bytes(answer.shown(10).into_body(), 10).await.unwrap_err();
        assert!(is_too_slow(&error), "{error}");
        assert_eq!(began.elapsed().as_secs(), PAUSE.as_secs());
        let known = format!("{HEAD}Content-Length: 1000000\r\n\r\n");
        let answer = asked(Body::empty(), &known, false).await.unwrap();
        assert_eq!(answer.least_length(), 1_000_000);
    }
}

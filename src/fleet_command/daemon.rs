//! The daemon of this host, which is asked over its unix socket.

use crate::config::{Switch, UnixSocket};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, CONTENT_TYPE, HOST};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

/// The longest answer that is read, in bytes.
const MAX_ANSWER: usize = 64 << 20;

/// Why the daemon has not answered.
#[derive(Debug, thiserror::Error)]
#[error("The daemon cannot be asked at {}: {source}", socket.display())]
pub struct Unasked {
    socket: PathBuf,
    source: DaemonError,
}

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    #[error("{0}")]
    Connect(std::io::Error),
    #[error("{0}")]
    Http(hyper::Error),
    #[error("its answer cannot be read: {0}")]
    Body(Box<dyn std::error::Error + Send + Sync>),
    #[error("it takes longer than {} s", .0.as_secs())]
    Late(Duration),
    #[error("{0}")]
    Strange(String),
}

/// The daemon.
#[derive(Debug)]
pub(super) struct Daemon {
    socket: PathBuf,
}

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    status: u16,
    pub(super) body: Bytes,
}

impl Answer {
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Why it failed: the detail of a problem in JSON, or else what it says.
    pub(super) fn reason(&self) -> String {
        let problem = serde_json::from_slice::<serde_json::Value>(&self.body).ok();
        let detail = problem.as_ref().and_then(|problem| problem["detail"].as_str());
        match detail {
            Some(detail) => detail.to_owned(),
            None => format!("status {}: {}", self.status, String::from_utf8_lossy(&self.body)),
        }
    }
}

impl Daemon {
    /// The daemon with this socket; `None` if it has none.
    pub(super) fn at(socket: &Switch<UnixSocket>) -> Option<Self> {
        match socket {
            Switch::On(socket) => Some(Self { socket: socket.path.clone() }),
            Switch::Off => None,
        }
    }

    /// A page as an S-expression.
    pub(super) async fn get(&self, target: &str, limit: Duration) -> Result<Answer, Unasked> {
        self.ask(Method::GET, target, "application/sxp", String::new(), limit).await
    }

    /// An operation, of which failures are told as problems.
    pub(super) async fn post(
        &self,
        target: &str,
        form: String,
        limit: Duration,
    ) -> Result<Answer, Unasked> {
        self.ask(Method::POST, target, "application/json", form, limit).await
    }

    /// The error of this daemon.
    pub(super) fn error(&self, source: DaemonError) -> Unasked {
        Unasked { socket: self.socket.clone(), source }
    }

    async fn ask(
        &self,
        method: Method,
        target: &str,
        media: &str,
        form: String,
        limit: Duration,
    ) -> Result<Answer, Unasked> {
        let request = Request::builder()
            .method(method)
            .uri(target)
            .header(HOST, "localhost")
            .header(ACCEPT, media)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Full::new(Bytes::from(form)))
            .map_err(|error| self.error(DaemonError::Strange(error.to_string())))?;
        let answer = timeout(limit, exchange(&self.socket, request)).await;
        let answer = answer.unwrap_or(Err(DaemonError::Late(limit)));
        answer.map_err(|source| self.error(source))
    }
}

async fn exchange(socket: &Path, request: Request<Full<Bytes>>) -> Result<Answer, DaemonError> {
    let stream = UnixStream::connect(socket).await.map_err(DaemonError::Connect)?;
    let handshake = http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(DaemonError::Http)?;
    let _connection = AbortOnDropHandle::new(tokio::spawn(connection));
    let answer = sender.send_request(request).await.map_err(DaemonError::Http)?;
    let (head, body) = answer.into_parts();
    let body = Limited::new(body, MAX_ANSWER).collect().await.map_err(DaemonError::Body)?;
    Ok(Answer { status: head.status.as_u16(), body: body.to_bytes() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::UnixListener;

    fn daemon(socket: &Path) -> Daemon {
        Daemon { socket: socket.to_owned() }
    }

    #[tokio::test]
    async fn an_answer_has_its_reason_and_a_daemon_that_says_nothing_its_limit() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("socket");
        let limit = Duration::from_secs(5);
        let text = daemon(&socket).get("/", limit).await.unwrap_err().to_string();
        assert!(text.starts_with("The daemon cannot be asked at /"), "{text}");
        let listener = UnixListener::bind(&socket).unwrap();
        let serve = async {
            for body in [r#"{"detail":"It is busy"}"#, "no"] {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut head = [0; 4096];
                let read = stream.read(&mut head).await.unwrap();
                assert!(head[..read].starts_with(b"POST /a HTTP/1.1\r\n"));
                let length = body.len();
                let answer = format!("HTTP/1.1 500 x\r\nContent-Length: {length}\r\n\r\n{body}");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
            let (stream, _) = listener.accept().await.unwrap();
            stream
        };
        let ask = async {
            for reason in ["It is busy", "status 500: no"] {
                let answer = daemon(&socket).post("/a", "b=c".to_owned(), limit).await.unwrap();
                assert_eq!((answer.is_success(), answer.reason().as_str()), (false, reason));
            }
            let soon = Duration::from_millis(20);
            daemon(&socket).get("/", soon).await.unwrap_err().to_string()
        };
        let (_stream, late) = tokio::join!(serve, ask);
        assert!(late.ends_with("it takes longer than 0 s"), "{late}");
    }
}

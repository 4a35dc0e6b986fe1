//! The headers of every answer, on those that hyper makes itself: it refuses a request whose head
//! it cannot read (400, 414, 431) with a head alone, and no service sees it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The value of the header `Server`, on every answer. xend's HTTP interface had none, its XML-RPC
/// named Python's library; no client looks at it.
pub(super) const SERVER_NAME: &str = concat!("xend/", env!("CARGO_PKG_VERSION"));

/// The headers of answers that no service has made.
const HEADERS: &str = "Expires: -1\r\nPragma: no-cache\r\nCache-Control: no-cache\r\n\
                       Vary: Accept, User-Agent\r\nX-Content-Type-Options: nosniff\r\n\
                       X-Frame-Options: DENY\r\nServer: ";

/// A stream that adds the headers to a refusal without any.
#[derive(Debug)]
pub(super) struct RefusalHeaders<S> {
    stream: S,
    /// A refusal with its headers, and how much of it is sent.
    refusal: Option<(Vec<u8>, usize)>,
}

impl<S> RefusalHeaders<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, refusal: None }
    }
}

/// A refusal of hyper's with the headers; `None` for everything else.
fn with_headers(written: &[u8]) -> Option<Vec<u8>> {
    let lines = written.strip_suffix(b"\r\n")?;
    let is_error = matches!(lines, [b'H', b'T', b'T', b'P', b'/', b'1', b'.', _, b' ', b'4', ..]);
    if !is_error {
        return None;
    }
    let text = std::str::from_utf8(lines).ok()?.to_ascii_lowercase();
    let is_refusal = text.ends_with("\r\n")
        && !text.contains("\r\n\r\n")
        && text.contains("\r\ncontent-length: 0\r\n")
        && !text.contains("\r\nserver:");
    is_refusal.then(|| [lines, HEADERS.as_bytes(), SERVER_NAME.as_bytes(), b"\r\n\r\n"].concat())
}

impl<S: AsyncRead + Unpin> AsyncRead for RefusalHeaders<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for RefusalHeaders<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Self { stream, refusal } = self.get_mut();
        if refusal.is_none() {
            *refusal = with_headers(buf).map(|bytes| (bytes, 0));
        }
        let Some((bytes, sent)) = refusal else { return Pin::new(stream).poll_write(cx, buf) };
        while let Some(rest) = bytes.get(*sent..).filter(|rest| !rest.is_empty()) {
            match ready!(Pin::new(&mut *stream).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => *sent += count,
            }
        }
        *refusal = None;
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match bufs {
            // A refusal has no body.
            [head] => self.poll_write(cx, head),
            _ => Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    /// What arrives when each of the pieces is written, through a pipe of `room` bytes.
    async fn passed(pieces: &[&str], room: usize) -> String {
        let (server, mut client) = tokio::io::duplex(room);
        let pieces: Vec<String> = pieces.iter().map(|&piece| piece.to_owned()).collect();
        let writer = tokio::spawn(async move {
            let mut stream = RefusalHeaders::new(server);
            for piece in pieces {
                stream.write_all(piece.as_bytes()).await.unwrap();
            }
        });
        let mut arrived = String::new();
        client.read_to_string(&mut arrived).await.unwrap();
        writer.await.unwrap();
        arrived
    }

    #[tokio::test]
    async fn a_refusal_of_hypers_gets_the_headers_and_nothing_else_does() {
        let refusal = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\
                       Date: Sun, 29 Nov 2026 01:27:53 GMT\r\n";
        let bare = format!("{refusal}\r\n");
        for room in [1, 7, 4096] {
            let arrived = passed(&[&bare], room).await;
            assert_eq!(arrived, format!("{refusal}{HEADERS}{SERVER_NAME}\r\n\r\n"));
        }
        let own = format!("{refusal}Server: {SERVER_NAME}\r\n\r\n");
        let with_body = format!("{bare}text\r\n\r\n");
        let fine = bare.replace("400 Bad Request", "200 OK");
        for other in [own.as_str(), &with_body, &fine, "HTTP/1.1 404 Not found\r\n\r\n", "", "\r\n"]
        {
            assert_eq!(passed(&[other], 4096).await, other);
        }
        assert_eq!(
            passed(&["x", &bare], 4096).await,
            format!("x{refusal}{HEADERS}{SERVER_NAME}\r\n\r\n")
        );
    }
}

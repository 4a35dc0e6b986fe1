//! Escapes raw spaces in the target of a request line.
//!
//! libvirt puts a domain's name unescaped into the path: `GET /xend/domain/my dom?detail=1
//! HTTP/1.1`. HTTP libraries refuse that, so the spaces inside the target of a connection's first
//! line become `%20` here. The first line is enough, since libvirt opens a connection for each
//! request; all other bytes pass unchanged.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Longest first line in bytes that is escaped; a longer one passes unchanged.
const MAX_LINE: usize = 16 * 1024;

/// A stream whose first line has no spaces in the request target.
#[derive(Debug)]
pub(super) struct RequestLine<S> {
    stream: S,
    state: LineState,
}

#[derive(Debug)]
enum LineState {
    /// The first line so far.
    Collecting(Vec<u8>),
    /// The bytes that were read ahead, and how many of them were passed on.
    Emitting(Vec<u8>, usize),
    /// The first line was passed on.
    Passing,
}

impl<S> RequestLine<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, state: LineState::Collecting(Vec::new()) }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for RequestLine<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { stream, state } = self.get_mut();
        loop {
            match state {
                LineState::Passing => return Pin::new(stream).poll_read(cx, buf),
                LineState::Emitting(bytes, sent) => {
                    let part = bytes.len().saturating_sub(*sent).min(buf.remaining());
                    buf.put_slice(&bytes[*sent..*sent + part]);
                    *sent += part;
                    if *sent == bytes.len() {
                        *state = LineState::Passing;
                    }
                    return Poll::Ready(Ok(()));
                }
                LineState::Collecting(line) => {
                    let start = buf.filled().len();
                    ready!(Pin::new(&mut *stream).poll_read(cx, buf))?;
                    let new = &buf.filled()[start..];
                    // Nearly always the line is complete and has no spaces: it stays in place.
                    if line.is_empty() && (new.is_empty() || has_valid_first_line(new)) {
                        *state = LineState::Passing;
                        return Poll::Ready(Ok(()));
                    }
                    let ended = new.is_empty();
                    let line_feed = new.contains(&b'\n');
                    line.extend_from_slice(new);
                    buf.set_filled(start);
                    if ended
                        || line.len() > MAX_LINE
                        || (line_feed && first_line_end(line).is_some())
                    {
                        escape_spaces(line);
                        *state = LineState::Emitting(std::mem::take(line), 0);
                    }
                }
            }
        }
    }
}

/// Start and end (before its `\n`) of the first line that is not empty. Empty lines may precede a
/// request.
fn first_line_end(bytes: &[u8]) -> Option<(usize, usize)> {
    let start = bytes.iter().position(|byte| !b"\r\n".contains(byte))?;
    let length = bytes[start..].iter().position(|&byte| byte == b'\n')?;
    Some((start, start + length))
}

fn has_valid_first_line(bytes: &[u8]) -> bool {
    first_line_end(bytes).is_some_and(|(start, end)| inner_spaces(&bytes[start..end]).is_none())
}

/// The part of a request line between its first and its last space, if it contains a space.
fn inner_spaces(line: &[u8]) -> Option<(usize, usize)> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let first = line.iter().position(|&byte| byte == b' ')? + 1;
    let last = line.iter().rposition(|&byte| byte == b' ')?;
    let is_http =
        matches!(&line[last..], [b' ', b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'0'..=b'9']);
    (is_http && first < last && line[first..last].contains(&b' ')).then_some((first, last))
}

/// Replaces the spaces inside the target of the first line by `%20`.
fn escape_spaces(bytes: &mut Vec<u8>) {
    let Some((start, end)) = first_line_end(bytes).filter(|(_, end)| *end <= MAX_LINE) else {
        return;
    };
    let Some((first, last)) = inner_spaces(&bytes[start..end]) else { return };
    let target: Vec<u8> = bytes[start + first..start + last]
        .iter()
        .flat_map(|byte| if *byte == b' ' { b"%20".as_slice() } else { std::slice::from_ref(byte) })
        .copied()
        .collect();
    bytes.splice(start + first..start + last, target);
}

impl<S: AsyncWrite + Unpin> AsyncWrite for RequestLine<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, bufs)
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

    /// The output when `input` arrives in pieces of `piece` bytes and is read into a buffer of
    /// `room` bytes.
    async fn passed(input: &[u8], piece: usize, room: usize) -> Vec<u8> {
        let (mut client, server) = tokio::io::duplex(piece);
        let input = input.to_vec();
        let sender = tokio::spawn(async move { client.write_all(&input).await.unwrap() });
        let mut stream = RequestLine::new(server);
        let mut output = Vec::new();
        let mut buffer = vec![0; room];
        loop {
            let count = stream.read(&mut buffer).await.unwrap();
            if count == 0 {
                break;
            }
            output.extend_from_slice(&buffer[..count]);
        }
        sender.await.unwrap();
        output
    }

    #[tokio::test]
    async fn spaces_in_the_target_are_escaped() {
        let cases = [
            (
                "GET /xend/domain/my dom?detail=1 HTTP/1.1\r\nHost: a b c\r\n\r\n",
                "GET /xend/domain/my%20dom?detail=1 HTTP/1.1\r\nHost: a b c\r\n\r\n",
            ),
            ("GET /a b  c HTTP/1.0\n\n", "GET /a%20b%20%20c HTTP/1.0\n\n"),
            ("\r\n\nGET /a b HTTP/1.1\r\n\r\n", "\r\n\nGET /a%20b HTTP/1.1\r\n\r\n"),
            (
                "POST /a b HTTP/1.1\r\n\r\nx y HTTP/1.1\r\n",
                "POST /a%20b HTTP/1.1\r\n\r\nx y HTTP/1.1\r\n",
            ),
            ("GET /a b HTTP/1.1 HTTP/1.1\r\n\r\n", "GET /a%20b%20HTTP/1.1 HTTP/1.1\r\n\r\n"),
        ];
        for (input, output) in cases {
            for (piece, room) in [(4096, 4096), (1, 4096), (7, 3), (4096, 1)] {
                let got = passed(input.as_bytes(), piece, room).await;
                assert_eq!(String::from_utf8(got).unwrap(), output, "{piece} {room}");
            }
        }
    }

    #[tokio::test]
    async fn everything_else_passes_unchanged() {
        let long = format!("GET /{} b HTTP/1.1\r\n\r\n", "x".repeat(MAX_LINE));
        let cases: &[&[u8]] = &[
            b"",
            b"\r\n\r\n",
            b"GET /a HTTP/1.1\r\nX: y z\r\n\r\nbody with HTTP/1.1\r\n",
            b"GET /a HTTP/1.1\r\n\r\nGET /b c HTTP/1.1\r\n\r\n",
            b"GET /a b\r\n\r\n",
            b"GET /a b HTTP/2.0\r\n\r\n",
            b"GET  HTTP/1.1\r\n\r\n",
            b"GET HTTP/1.1\r\n\r\n",
            b"no line end",
            b"\x16\x03\x01\x00\xff tls \n",
            long.as_bytes(),
        ];
        for input in cases {
            for (piece, room) in [(8192, 8192), (1, 8192), (9, 2)] {
                let got = passed(input, piece, room).await;
                assert!(got == *input, "{} in pieces of {piece}", input.escape_ascii());
            }
        }
    }
}

//! HTTP/1.1, as much of it as xend needs: requests with a short body, answers with a length, in
//! chunks, or up to the end of the connection.

use super::stream::Stream;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::fmt::{self, Write as _};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::time::Duration;

/// The longest line of an answer's head.
const MAX_LINE: u64 = 64 * 1024;
/// The most header lines.
const MAX_HEADERS: usize = 100;
/// The longest body in bytes that is read as a whole.
const MAX_BODY: u64 = 256 * 1024 * 1024;

/// A request.
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    /// Path and query, escaped.
    pub(crate) target: &'a str,
    /// The format of the answer.
    pub(crate) accept: &'a str,
    /// The type and the bytes of the body.
    pub(crate) body: Option<(&'a str, &'a [u8])>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: u16,
    pub(crate) reason: String,
    /// The name and version of the server, as it says; may be empty.
    pub(crate) server: String,
    pub(crate) body: Vec<u8>,
}

/// The head of an answer.
#[derive(Debug)]
struct Head {
    code: u16,
    reason: String,
    server: String,
    framing: Framing,
    /// Whether the connection is of use afterwards.
    is_kept: bool,
}

/// Where a body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    Length(u64),
    Chunked,
    UntilEnd,
}

/// A connection on which requests are made one after the other.
pub(crate) struct Connection<S> {
    stream: BufReader<S>,
    host: String,
    /// The value of `Authorization`.
    authorization: Option<String>,
    is_kept: bool,
}

impl<S: Read + Write> Connection<S> {
    /// A connection to this host.
    pub(crate) fn new(stream: S, host: String, authorization: Option<String>) -> Self {
        Self { stream: BufReader::new(stream), host, authorization, is_kept: true }
    }

    /// The value of `Authorization`.
    pub(crate) fn authorization(&self) -> Option<&str> {
        self.authorization.as_deref()
    }

    /// Whether another request can be made.
    pub(crate) fn is_kept(&self) -> bool {
        self.is_kept
    }

    /// Makes a request and reads the whole answer.
    pub(crate) fn ask(&mut self, request: &Request<'_>) -> io::Result<Answer> {
        self.is_kept = false;
        self.send(request)?;
        let head = read_head(&mut self.stream)?;
        let mut body = Vec::new();
        Body::new(&mut self.stream, head.framing).take(MAX_BODY + 1).read_to_end(&mut body)?;
        if body.len() as u64 > MAX_BODY {
            return Err(invalid("the answer is too long"));
        }
        self.is_kept = head.is_kept && head.framing != Framing::UntilEnd;
        Ok(Answer { code: head.code, reason: head.reason, server: head.server, body })
    }

    /// Makes a request whose answer does not end, and gives its lines. An answer that is not a
    /// success is read as a whole.
    pub(crate) fn stream(mut self, request: &Request<'_>) -> io::Result<Result<Lines<S>, Answer>> {
        self.send(request)?;
        let head = read_head(&mut self.stream)?;
        let mut body = Body::new(self.stream, head.framing);
        if head.code == 200 {
            return Ok(Ok(Lines { body: BufReader::new(body) }));
        }
        let mut text = Vec::new();
        body.by_ref().take(MAX_BODY).read_to_end(&mut text)?;
        Ok(Err(Answer { code: head.code, reason: head.reason, server: head.server, body: text }))
    }

    fn send(&mut self, request: &Request<'_>) -> io::Result<()> {
        let Request { method, target, accept, body } = request;
        let mut head = format!(
            "{method} {target} HTTP/1.1\r\nHost: {}\r\nUser-Agent: xm/{}\r\nAccept: {accept}\r\n",
            self.host,
            env!("CARGO_PKG_VERSION"),
        );
        if let Some(authorization) = &self.authorization {
            let _ = write!(head, "Authorization: {authorization}\r\n");
        }
        if let Some((media, body)) = body {
            let _ = write!(head, "Content-Type: {media}\r\nContent-Length: {}\r\n", body.len());
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(body.map_or(&[][..], |(_, body)| body));
        let stream = self.stream.get_mut();
        stream.write_all(&bytes)?;
        stream.flush()
    }
}

impl Connection<Stream> {
    /// Whether another request can be made, and the server has not closed the connection since the
    /// last one: it sends nothing unasked.
    pub(crate) fn is_open(&self) -> bool {
        let mut fds = [PollFd::new(self.stream.get_ref(), PollFlags::IN)];
        self.is_kept && poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) == Ok(0)
    }

    /// A read or write fails from now on when nothing moves for `limit`.
    pub(crate) fn set_limit(&self, limit: Duration) -> io::Result<()> {
        self.stream.get_ref().set_limit(limit)
    }

    /// The connection below.
    pub(crate) fn into_stream(self) -> Stream {
        self.stream.into_inner()
    }
}

/// The lines of an answer that does not end.
pub(crate) struct Lines<S> {
    body: BufReader<Body<BufReader<S>>>,
}

impl<S: Read> Lines<S> {
    /// The next line without its end; `None` when the server ends the answer.
    pub(crate) fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        (&mut self.body).take(MAX_LINE).read_until(b'\n', &mut line)?;
        if line.is_empty() {
            return Ok(None);
        }
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        Ok(Some(line))
    }

    /// Whether a further line has arrived already.
    pub(crate) fn has_more(&self) -> bool {
        self.body.buffer().contains(&b'\n')
    }
}

/// An answer of a server that speaks TLS, to a request without.
#[derive(Debug)]
struct Encrypted;

impl fmt::Display for Encrypted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the answer is encrypted")
    }
}

impl std::error::Error for Encrypted {}

/// Whether a request failed because the server speaks TLS.
pub(crate) fn is_encrypted(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Encrypted>());
    inner.is_some()
}

/// Fails if an answer begins as a record of TLS does: an alert, or a handshake.
fn check_plain(stream: &mut impl BufRead) -> io::Result<()> {
    match stream.fill_buf()?.first() {
        Some(0x15 | 0x16) => Err(io::Error::new(io::ErrorKind::InvalidData, Encrypted)),
        _ => Ok(()),
    }
}

fn invalid(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text.to_owned())
}

fn read_line(stream: &mut impl BufRead) -> io::Result<String> {
    let mut line = Vec::new();
    stream.take(MAX_LINE).read_until(b'\n', &mut line)?;
    if line.pop() != Some(b'\n') {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(String::from_utf8_lossy(&line).into_owned())
}

fn read_head(stream: &mut impl BufRead) -> io::Result<Head> {
    loop {
        let head = read_one_head(stream)?;
        // `100 Continue` announces an answer.
        if head.code >= 200 {
            return Ok(head);
        }
    }
}

fn read_one_head(stream: &mut impl BufRead) -> io::Result<Head> {
    check_plain(stream)?;
    let status = read_line(stream)?;
    let mut words = status.splitn(3, ' ');
    let version = words.next().unwrap_or_default();
    let code = words.next().and_then(|code| code.parse().ok());
    let code = code.filter(|_| version.starts_with("HTTP/1."));
    let code = code.ok_or_else(|| invalid("the answer is not HTTP"))?;
    let reason = words.next().unwrap_or_default().to_owned();
    let mut framing =
        if code == 204 || code < 200 { Framing::Length(0) } else { Framing::UntilEnd };
    let mut is_kept = version == "HTTP/1.1";
    let mut server = String::new();
    for _ in 0..MAX_HEADERS {
        let line = read_line(stream)?;
        if line.is_empty() {
            return Ok(Head { code, reason, server, framing, is_kept });
        }
        let (name, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.trim();
        match name.trim().to_ascii_lowercase().as_str() {
            "content-length" if framing != Framing::Chunked => {
                let length = value.parse().map_err(|_| invalid("Content-Length is no number"))?;
                framing = Framing::Length(length);
            }
            "transfer-encoding" if value.eq_ignore_ascii_case("chunked") => {
                framing = Framing::Chunked;
            }
            "server" => value.clone_into(&mut server),
            "connection" if value.eq_ignore_ascii_case("close") => is_kept = false,
            _ => {}
        }
    }
    Err(invalid("the answer has too many headers"))
}

/// The body of an answer, without its framing.
struct Body<R> {
    stream: R,
    framing: Framing,
    /// Bytes that are left of the body or of its chunk.
    left: u64,
    is_over: bool,
}

impl<R: BufRead> Body<R> {
    fn new(stream: R, framing: Framing) -> Self {
        let left = match framing {
            Framing::Length(length) => length,
            Framing::Chunked => 0,
            Framing::UntilEnd => u64::MAX,
        };
        Self { stream, framing, left, is_over: framing == Framing::Length(0) }
    }

    /// Reads the size of the next chunk. The last one is empty.
    fn begin_chunk(&mut self) -> io::Result<()> {
        let line = read_line(&mut self.stream)?;
        let size = line.split(';').next().unwrap_or_default().trim();
        self.left = u64::from_str_radix(size, 16).map_err(|_| invalid("a chunk has no size"))?;
        if self.left == 0 {
            while !read_line(&mut self.stream)?.is_empty() {}
            self.is_over = true;
        }
        Ok(())
    }
}

impl<R: BufRead> Read for Body<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.is_over && self.left == 0 {
            self.begin_chunk()?;
        }
        if self.is_over || buffer.is_empty() {
            return Ok(0);
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.stream.read(buffer.get_mut(..most).unwrap_or_default())?;
        if read == 0 {
            self.is_over = true;
            return match self.framing {
                Framing::UntilEnd => Ok(0),
                _ => Err(io::ErrorKind::UnexpectedEof.into()),
            };
        }
        if self.framing == Framing::UntilEnd {
            return Ok(read);
        }
        self.left -= read as u64;
        if self.left == 0 {
            match self.framing {
                // The end of the chunk's line.
                Framing::Chunked => drop(read_line(&mut self.stream)?),
                _ => self.is_over = true,
            }
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    /// Gives a prepared answer, and keeps what was sent.
    struct Prepared {
        answer: Cursor<Vec<u8>>,
        sent: Vec<u8>,
    }

    impl Read for Prepared {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            // Bytes come one by one in the worst case.
            let most = buffer.len().min(3);
            self.answer.read(&mut buffer[..most])
        }
    }

    impl Write for Prepared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.sent.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn connection(answer: &str) -> Connection<Prepared> {
        let answer = Cursor::new(answer.as_bytes().to_vec());
        let prepared = Prepared { answer, sent: Vec::new() };
        Connection::new(prepared, "localhost".to_owned(), None)
    }

    const GET: Request<'_> =
        Request { method: "GET", target: "/xend/node", accept: "application/sxp", body: None };

    #[test]
    fn a_request_is_written_and_its_answer_read() {
        let mut connection = connection("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n(ls)rest");
        let body = Some(("text/plain", &b"hello"[..]));
        let answer = connection.ask(&Request { method: "POST", body, ..GET }).unwrap();
        assert_eq!((answer.code, answer.body.as_slice()), (200, &b"(ls)"[..]));
        assert!(connection.is_kept());
        let sent = String::from_utf8_lossy(&connection.stream.get_ref().sent).into_owned();
        assert!(sent.starts_with("POST /xend/node HTTP/1.1\r\nHost: localhost\r\n"), "{sent}");
        assert!(sent.ends_with("Content-Length: 5\r\n\r\nhello"), "{sent}");
    }

    #[test]
    fn chunks_are_put_together() {
        let text = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not found\r\n\
            Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n";
        let mut connection = connection(text);
        let answer = connection.ask(&GET).unwrap();
        assert_eq!((answer.code, answer.reason.as_str()), (404, "Not found"));
        assert_eq!(answer.body, b"hello world");
        assert!(connection.is_kept());
    }

    #[test]
    fn a_body_ends_with_the_connection() {
        let mut connection = connection("HTTP/1.0 200 OK\r\n\r\nall of it");
        assert_eq!(connection.ask(&GET).unwrap().body, b"all of it");
        assert!(!connection.is_kept());
    }

    #[test]
    fn lines_come_one_by_one() {
        let text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
            4\r\na\nb\n\r\n3\r\nc\nd\r\n0\r\n\r\n";
        let mut lines = connection(text).stream(&GET).unwrap().unwrap();
        let mut all = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            all.push(String::from_utf8(line).unwrap());
        }
        assert_eq!(all, ["a", "b", "c", "d"]);
    }

    #[test]
    fn an_answer_of_tls_is_told_from_others() {
        let fails = |answer: &str| connection(answer).ask(&GET).unwrap_err();
        assert!(is_encrypted(&fails("\x15\x03\x03\0\x02\x02\x0a")));
        assert!(!is_encrypted(&fails("SSH-2.0-x\r\n\r\n")) && !is_encrypted(&fails("")));
    }

    #[test]
    fn answers_that_are_cut_or_wrong_are_errors() {
        for text in [
            "",
            "HTTP/1.1 200",
            "SSH-2.0-x\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello",
            "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        ] {
            assert!(connection(text).ask(&GET).is_err(), "{text}");
        }
        let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(200));
        assert!(connection(&many).ask(&GET).is_err());
    }
}

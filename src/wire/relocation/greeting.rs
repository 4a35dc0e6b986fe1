//! The beginning of a connection, before it has a place: the other host's request, or a refusal.
//! Both have a limit in time as a whole, and keep no thread.

use super::connection::{MAX_LONG, PeerStream, busy};
use crate::core::error::Error;
use crate::core::fingerprint::Fingerprint;
use crate::memory_budget::{MemoryBudget, ReservedBuffer};
use crate::peer_tls::{MEMBER_MIGRATION_PROTOCOL, PEER_PROTOCOL, PeerTls, fingerprint_of};
use crate::sxp::Sxp;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, copy, sink};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::rustls::server::Acceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;

/// How long the other host may take to send its request.
const REQUEST_LIMIT: Duration = Duration::from_secs(5);

/// How long the other host may take to read a refusal, and to close the connection.
const REFUSAL_LIMIT: Duration = Duration::from_secs(2);

/// How much is read at a time, in bytes.
const CHUNK: usize = 16 << 10;

/// How much of what a refused host sends is read, in bytes.
const MAX_DRAINED: u64 = 1 << 20;

/// What a connection is for.
pub(super) enum Greeted {
    /// A domain that moves, or a question about one.
    Migration(PeerStream),
    /// The same, of a host that says to be one of the fleet and may have this certificate.
    OfMember(Box<TlsStream<TcpStream>>, Option<Fingerprint>),
    /// A request of another host of the fleet, which may have this certificate.
    Request(Box<TlsStream<TcpStream>>, Option<Fingerprint>),
}

/// The TLS handshake, if the port has one. A host whose certificate is refused has a moment to read
/// why. A port that takes no requests is one of a host in no fleet.
pub(super) async fn shake_hands(
    tls: Option<&PeerTls>,
    takes_requests: bool,
    stream: TcpStream,
) -> io::Result<Greeted> {
    let Some(tls) = tls else { return Ok(Greeted::Migration(Either::Left(stream))) };
    stream.set_nodelay(true)?;
    let handshake = async {
        if !takes_requests {
            let accepted = tls.acceptor().accept(stream).into_fallible().await;
            let accepted = accepted.map_err(|(error, stream)| (error, Some(stream)));
            return accepted.map(|stream| (Box::new(stream), false));
        }
        let mut hello = LazyConfigAcceptor::new(Acceptor::default(), stream);
        let start = match (&mut hello).await {
            Ok(start) => start,
            Err(error) => return Err((error, hello.take_io())),
        };
        let mut protocols = start.client_hello().alpn().into_iter().flatten();
        let is_of_fleet = protocols
            .any(|protocol| [PEER_PROTOCOL, MEMBER_MIGRATION_PROTOCOL].contains(&protocol));
        drop(protocols);
        let acceptor = if is_of_fleet { tls.peer_acceptor() } else { tls.acceptor() };
        let stream = start.into_stream(Arc::clone(acceptor.config())).into_fallible().await;
        match stream {
            Ok(stream) => Ok((Box::new(stream), is_of_fleet)),
            Err((error, stream)) => Err((error, Some(stream))),
        }
    };
    match timeout(REQUEST_LIMIT, handshake).await {
        Ok(Ok((stream, true))) => {
            let certificate = fingerprint_of(stream.get_ref().1.peer_certificates());
            let is_request = stream.get_ref().1.alpn_protocol() == Some(PEER_PROTOCOL);
            Ok(if is_request {
                Greeted::Request(stream, certificate)
            } else {
                Greeted::OfMember(stream, certificate)
            })
        }
        Ok(Ok((stream, false))) => Ok(Greeted::Migration(Either::Right(stream))),
        Ok(Err((error, stream))) => {
            if let Some(mut stream) = stream {
                timeout(REFUSAL_LIMIT, close(&mut stream)).await.ok();
            }
            Err(error)
        }
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "it took too long")),
    }
}

/// Closes a connection, and reads what the other host still sends: a connection that is closed with
/// unread bytes is reset, and the other host would not see what it was told.
async fn close<S>(stream: &mut S) -> io::Result<u64>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    stream.shutdown().await?;
    copy(&mut stream.take(MAX_DRAINED), &mut sink()).await
}

/// Receives the text of the request, which may hold a configuration. The other host must send
/// nothing more before it is answered.
pub(super) async fn receive<S>(
    stream: &mut S,
    budget: &MemoryBudget,
) -> Result<ReservedBuffer, Error>
where
    S: AsyncRead + Unpin,
{
    let late = |elapsed| {
        let limit = REQUEST_LIMIT.as_secs();
        Error::backend(format!("The request did not arrive within {limit} s"), elapsed)
    };
    timeout(REQUEST_LIMIT, receive_line(stream, budget)).await.map_err(late)?
}

async fn receive_line<S>(stream: &mut S, budget: &MemoryBudget) -> Result<ReservedBuffer, Error>
where
    S: AsyncRead + Unpin,
{
    let lost = |error| Error::backend("The connection to the other host was lost", error);
    let mut text = budget.buffer();
    let mut chunk = vec![0; CHUNK];
    loop {
        let count = stream.read(&mut chunk).await.map_err(lost)?;
        let piece = chunk.get(..count).unwrap_or_default();
        text.extend(piece).map_err(busy)?;
        match piece.iter().position(|byte| *byte == b'\n') {
            Some(end) if end + 1 == count => return Ok(text),
            Some(_) => return Err(lost(io::Error::other("Something follows the message"))),
            None if count == 0 => return Err(lost(io::ErrorKind::UnexpectedEof.into())),
            None if text.len() > MAX_LONG => {
                return Err(lost(io::Error::other("The message is too long")));
            }
            None => {}
        }
    }
}

/// Sends the reason of a refusal, and gives the other host a moment to read it.
pub(super) async fn refuse<S>(stream: &mut S, reason: &str)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut text = Sxp::list([Sxp::atom("err"), Sxp::atom(reason)]).to_bytes();
    text.push(b'\n');
    let refusal = async {
        stream.write_all(&text).await?;
        close(stream).await
    };
    // The other host may have gone.
    timeout(REFUSAL_LIMIT, refusal).await.ok();
}

//! A client of xend over WebSocket connections.

use crate::http_support::{Daemon, GENEROUS};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use tungstenite::client::IntoClientRequest as _;
use tungstenite::handshake::HandshakeError;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Message, WebSocket};

pub(crate) fn tcp(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(GENEROUS)).unwrap();
    stream
}

pub(crate) fn unix(daemon: &Daemon) -> UnixStream {
    let stream = UnixStream::connect(daemon.socket()).unwrap();
    stream.set_read_timeout(Some(GENEROUS)).unwrap();
    stream
}

/// Opens a WebSocket; the status and the body of a refusal.
pub(crate) fn open<S: Read + Write>(
    stream: S,
    path: &str,
    headers: &[(&'static str, &str)],
) -> Result<WebSocket<S>, (u16, String)> {
    let mut request = format!("ws://localhost{path}").into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    match tungstenite::client(request, stream) {
        Ok((socket, _)) => Ok(socket),
        Err(HandshakeError::Failure(tungstenite::Error::Http(answer))) => {
            let body = answer.body().clone().unwrap_or_default();
            Err((answer.status().as_u16(), String::from_utf8_lossy(&body).into_owned()))
        }
        Err(error) => panic!("{path}: {error}"),
    }
}

/// Reads until the daemon closes the connection: the code and the reason.
pub(crate) fn closed<S: Read + Write>(socket: &mut WebSocket<S>) -> (CloseCode, String) {
    let mut is_heard = true;
    loop {
        match socket.read() {
            Ok(Message::Close(Some(frame))) => return (frame.code, frame.reason.to_string()),
            Ok(_) => {}
            // What the client answers meanwhile may come too late: its end is still to be read.
            Err(tungstenite::Error::Io(error)) if is_heard && is_broken(&error) => is_heard = false,
            Err(error) => panic!("{error}"),
        }
    }
}

fn is_broken(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::BrokenPipe
}

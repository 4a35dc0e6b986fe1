//! Connections of attackers.

use crate::victim::GENEROUS;
use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
use std::io::{self, Read as _, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// A connection from another address of this machine, `127.0.0.N`.
pub(crate) fn connect_from(number: u8, to: SocketAddr) -> io::Result<TcpStream> {
    let stream = socket(AddressFamily::INET, SocketType::STREAM, None)?;
    bind(&stream, &SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, number), 0))?;
    connect(&stream, &to)?;
    let stream = TcpStream::from(stream);
    stream.set_read_timeout(Some(GENEROUS))?;
    Ok(stream)
}

/// What a daemon answers to these bytes until it closes the connection; the client closes nothing.
pub(crate) fn answer_to(mut stream: TcpStream, bytes: &[u8]) -> Vec<u8> {
    // The daemon may have refused the rest.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    answer
}

/// The beginning of a POST with so many bytes of a body, of which none is sent.
pub(crate) fn head(target: &str, kind: &str, length: usize) -> String {
    format!(
        "POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n"
    )
}

/// A call over XML-RPC on a unix socket: the body of the answer.
pub(crate) fn call(socket: &Path, method: &str, params: &str) -> String {
    let body = format!(
        "<?xml version='1.0'?><methodCall><methodName>{method}</methodName>\
         <params>{params}</params></methodCall>"
    );
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(GENEROUS)).unwrap();
    let head = format!(
        "POST /RPC2 HTTP/1.0\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    // A body that is too long is refused before its end.
    let _ = stream.write_all(body.as_bytes());
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default()
}

/// A parameter of a call: text.
pub(crate) fn text(value: &str) -> String {
    format!("<param><value><string>{value}</string></value></param>")
}

/// Logs in to the Xen-API without a password: the session.
pub(crate) fn log_in(socket: &Path) -> String {
    let answer = call(socket, "session.login_with_password", &[text(""), text("")].concat());
    let session = answer.split("<name>Value</name>").nth(1).unwrap_or_default();
    let session = session.split(['<', '>']).find(|part| part.len() == 36);
    session.unwrap_or_else(|| panic!("no session: {answer}")).to_owned()
}

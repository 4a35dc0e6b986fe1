//! How a connection between hosts of a fleet begins: the one that connects says its name, by which
//! the other one compares the certificate.
//!
//! ```text
//! (host xen1)
//!                 (welcome)      or (err REASON)
//! ```
//!
//! What comes next waits for the welcome, so that a refusal is never mistaken for an answer.

use crate::core::fleet::HostName;
use crate::sxp::{Limits, Sxp, read_one};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

/// How long the other host may take to say its name.
const NAME_LIMIT: Duration = Duration::from_secs(5);
/// How long the other host may take to welcome this one: it asks etcd first.
const WELCOME_LIMIT: Duration = Duration::from_secs(8);
/// The longest line, in bytes.
const MAX_LINE: usize = 2 << 10;
/// The most characters of a reason that are shown.
const MAX_SHOWN: usize = 300;

/// Limits of a line.
const LIMITS: Limits = Limits { bytes: MAX_LINE, depth: 4, count: 16 };

/// Why a host is not welcome at another one.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotWelcome {
    /// It says why not.
    #[error("it refuses this host: {0}")]
    Refused(String),
    /// It says something else, or nothing.
    #[error("it does not welcome this host: {0}")]
    Lost(#[from] io::Error),
}

/// Says this host's name, and waits until it is welcome.
pub(super) async fn introduce<S>(stream: &mut S, own: &HostName) -> Result<(), NotWelcome>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let answer = async {
        send(stream, &[Sxp::atom("host"), Sxp::atom(own.as_str())]).await?;
        receive(stream).await
    };
    let late = || io::Error::new(io::ErrorKind::TimedOut, "it takes too long");
    let answer = timeout(WELCOME_LIMIT, answer).await.unwrap_or_else(|_| Err(late()))?;
    match answer.head() {
        Some("welcome") => Ok(()),
        Some("err") => {
            let reason = answer.tail().first().and_then(Sxp::as_str).unwrap_or("no reason given");
            let shown = reason.chars().filter(|c| !c.is_control()).take(MAX_SHOWN);
            Err(NotWelcome::Refused(shown.collect()))
        }
        _ => Err(NotWelcome::Lost(strange())),
    }
}

/// The name that the other host says.
pub(super) async fn name_of<S>(stream: &mut S) -> io::Result<HostName>
where
    S: AsyncRead + Unpin,
{
    let line = timeout(NAME_LIMIT, receive(stream)).await??;
    let name = line.tail().first().and_then(Sxp::as_str).filter(|_| line.head() == Some("host"));
    name.and_then(|name| name.parse().ok()).ok_or_else(strange)
}

/// Lets the other host go on.
pub(super) async fn welcome<S>(stream: &mut S) -> io::Result<()>
where
    S: AsyncWrite + Unpin,
{
    timeout(NAME_LIMIT, send(stream, &[Sxp::atom("welcome")])).await?
}

async fn send<S>(stream: &mut S, line: &[Sxp]) -> io::Result<()>
where
    S: AsyncWrite + Unpin,
{
    let mut text = Sxp::list(line.iter().cloned()).to_bytes();
    text.push(b'\n');
    stream.write_all(&text).await?;
    stream.flush().await
}

/// Byte by byte: what follows the line is of another kind.
async fn receive<S>(stream: &mut S) -> io::Result<Sxp>
where
    S: AsyncRead + Unpin,
{
    let mut text = Vec::new();
    loop {
        match stream.read_u8().await? {
            b'\n' => return read_one(&text, &LIMITS).map_err(|_| strange()),
            byte if text.len() < MAX_LINE => text.push(byte),
            _ => return Err(strange()),
        }
    }
}

fn strange() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "it does not speak the protocol of a fleet")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::duplex;

    fn own() -> HostName {
        "xen1".parse().unwrap()
    }

    #[tokio::test]
    async fn a_host_says_its_name_and_is_welcome() {
        let (mut near, mut far) = duplex(4096);
        let other = async {
            assert_eq!(name_of(&mut far).await.unwrap(), own());
            welcome(&mut far).await.unwrap();
            far.write_all(b"next").await.unwrap();
        };
        let own = own();
        let (introduced, ()) = tokio::join!(introduce(&mut near, &own), other);
        introduced.unwrap();
        let mut next = [0; 4];
        near.read_exact(&mut next).await.unwrap();
        assert_eq!(&next, b"next", "nothing of it is taken");
    }

    #[tokio::test(start_paused = true)]
    async fn anything_else_is_an_error_soon() {
        let long = format!("(err {})\n", "x".repeat(MAX_LINE));
        let control = format!("(err '{}\u{1b}[31m')\n", "no ".repeat(200));
        for (line, says) in [
            ("(err 'not you')\n", "refuses this host: not you"),
            (control.as_str(), "refuses this host: no no"),
            ("(ready)\n", "protocol of a fleet"),
            ("((((((((\n", "protocol of a fleet"),
            ("HTTP/1.1 200 OK\r\n", "protocol of a fleet"),
            (long.as_str(), "protocol of a fleet"),
            ("(wel", "it takes too long"),
        ] {
            let (mut near, mut far) = duplex(8192);
            far.write_all(line.as_bytes()).await.unwrap();
            let error = introduce(&mut near, &own()).await.unwrap_err().to_string();
            assert!(error.contains(says), "{line}: {error}");
            assert!(error.len() < 400 && !error.contains('\u{1b}'), "{error}");
        }
        for line in ["(host)\n", "(host ..)\n", "(guest xen1)\n", "xen1\n", "\n", "(host xen1)"] {
            let (mut near, mut far) = duplex(4096);
            near.write_all(line.as_bytes()).await.unwrap();
            assert!(name_of(&mut far).await.is_err(), "{line}");
        }
    }
}

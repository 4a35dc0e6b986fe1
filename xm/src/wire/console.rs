//! The console of a guest, over a WebSocket.

use super::stream::Stream;
use crate::caught_signals::CaughtSignals;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{self, Read as _};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};
use tungstenite::error::ProtocolError;
use tungstenite::http::Uri;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{ClientRequestBuilder, Error, HandshakeError, Message, WebSocket};

/// The key that leaves a console, `Ctrl-]`, as in xenconsole.
const ESCAPE: u8 = 0x1d;

/// How long a guest may print nothing after the end of the input, if that is no terminal.
const QUIET: Duration = Duration::from_secs(1);

/// The most input that is read at a time, in bytes.
const PIECE: usize = 4096;

/// How a conversation ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The user left, or there is no more input.
    Left,
    /// The domain is gone.
    Closed,
    /// xend closed the console, for this reason.
    Because(String),
    /// A signal came.
    BySignal,
}

/// What a wait ended with.
enum Wake {
    Input,
    /// Or the time limit.
    Xend,
    Signal,
}

/// A console.
pub(crate) struct Console(WebSocket<Stream>);

/// Why a console is not open.
pub(crate) enum NotOpened {
    /// xend has answered with this text.
    Refused(String),
    Broken(io::Error),
    /// The answer makes no sense, for this reason.
    NotUnderstood(String),
}

impl Console {
    /// Opens the console at this path of a host.
    pub(crate) fn open(
        stream: Stream,
        host: &str,
        path: &str,
        authorization: Option<&str>,
    ) -> Result<Self, NotOpened> {
        let url: Result<Uri, _> = format!("ws://{host}{path}").parse();
        let url = url.map_err(|error| NotOpened::Broken(io::Error::other(error)))?;
        let mut request = ClientRequestBuilder::new(url);
        if let Some(authorization) = authorization {
            request = request.with_header("Authorization", authorization);
        }
        let socket = match tungstenite::client(request, stream) {
            Ok((socket, _)) => socket,
            // The limit of the stream is over.
            Err(HandshakeError::Interrupted(_)) => {
                return Err(NotOpened::Broken(io::ErrorKind::TimedOut.into()));
            }
            Err(HandshakeError::Failure(error)) => return Err(NotOpened::of(error)),
        };
        socket.get_ref().set_nonblocking().map_err(NotOpened::Broken)?;
        Ok(Self(socket))
    }

    /// Types what standard input has, and passes the guest's output to `print`, until one of them
    /// ends or a signal comes. Only at a terminal is there a key that leaves.
    pub(crate) fn converse(
        &mut self,
        is_terminal: bool,
        signals: &CaughtSignals,
        mut print: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<Ended> {
        let mut has_input = true;
        let mut last_output = Instant::now();
        loop {
            loop {
                match self.0.read() {
                    Ok(Message::Binary(output)) => {
                        last_output = Instant::now();
                        print(&output)?;
                    }
                    Ok(Message::Close(frame)) => {
                        return Ok(match frame {
                            Some(frame) if frame.code != CloseCode::Normal => {
                                Ended::Because(frame.reason.to_string())
                            }
                            _ => Ended::Closed,
                        });
                    }
                    Ok(_) => {}
                    Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) => return Err(broken(error)),
                }
            }
            let is_sent = self.flush()?;
            if !has_input && last_output.elapsed() > QUIET {
                return Ok(Ended::Left);
            }
            match self.wait(signals, is_sent, has_input)? {
                Wake::Signal => return Ok(Ended::BySignal),
                Wake::Xend => continue,
                Wake::Input => {}
            }
            let mut keys = [0; PIECE];
            let count = io::stdin().lock().read(&mut keys)?;
            let keys = &keys[..count];
            if is_terminal && keys.contains(&ESCAPE) {
                return Ok(Ended::Left);
            }
            if keys.is_empty() {
                has_input = false;
                last_output = Instant::now();
                continue;
            }
            match self.0.write(Message::binary(keys.to_vec())) {
                Ok(()) => {}
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(broken(error)),
            }
        }
    }

    /// Sends what is to be sent. Returns whether all of it has been.
    fn flush(&mut self) -> io::Result<bool> {
        match self.0.flush() {
            Ok(()) => Ok(true),
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(broken(error)),
        }
    }

    /// Waits for xend, for signals and, once all of it is sent, for more input.
    fn wait(&self, signals: &CaughtSignals, is_sent: bool, has_input: bool) -> io::Result<Wake> {
        let stdin = io::stdin();
        let mut socket_events = PollFlags::IN;
        if !is_sent {
            socket_events |= PollFlags::OUT;
        }
        let mut fds = vec![
            PollFd::from_borrowed_fd(signals.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(self.0.get_ref().as_fd(), socket_events),
        ];
        if has_input && is_sent {
            fds.push(PollFd::from_borrowed_fd(stdin.as_fd(), PollFlags::IN));
        }
        // After the end of the input, silence has to be noticed.
        let limit = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
        match poll(&mut fds, (!has_input).then_some(&limit)) {
            Ok(_) => {}
            // A signal is seen the next time.
            Err(rustix::io::Errno::INTR) => return Ok(Wake::Xend),
            Err(errno) => return Err(errno.into()),
        }
        let is_ready = |at: usize| fds.get(at).is_some_and(|fd| !fd.revents().is_empty());
        Ok(match (is_ready(0), is_ready(2)) {
            (true, _) => Wake::Signal,
            (false, true) => Wake::Input,
            (false, false) => Wake::Xend,
        })
    }
}

impl NotOpened {
    fn of(error: Error) -> Self {
        match error {
            Error::Http(answer) => {
                let body = answer.into_body().unwrap_or_default();
                Self::Refused(String::from_utf8_lossy(&body).into_owned())
            }
            Error::Io(error) => Self::Broken(error),
            Error::Protocol(ProtocolError::HandshakeIncomplete) => {
                Self::Broken(io::ErrorKind::UnexpectedEof.into())
            }
            error => Self::NotUnderstood(error.to_string()),
        }
    }
}

fn broken(error: Error) -> io::Error {
    match error {
        Error::Io(error) => error,
        other => io::Error::other(other.to_string()),
    }
}

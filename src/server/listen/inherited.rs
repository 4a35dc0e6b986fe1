//! Sockets that a service manager opened.

use super::error::ListenError;
use listenfd::ListenFd;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;

/// Listening sockets from a service manager.
#[derive(Debug, Default)]
pub struct Inherited {
    pub tcp: Vec<TcpListener>,
    pub unix: Vec<UnixListener>,
}

impl Inherited {
    /// Takes the sockets of systemd's socket activation (`LISTEN_FDS`).
    ///
    /// Call this before the first thread starts: it removes the variables from the environment, so
    /// that child processes do not see them.
    pub fn from_env() -> Result<Self, ListenError> {
        let mut fds = ListenFd::from_env();
        let mut inherited = Self::default();
        for index in 0..fds.len() {
            if let Ok(Some(socket)) = fds.take_unix_listener(index) {
                inherited.unix.push(socket);
                continue;
            }
            match fds.take_tcp_listener(index) {
                Ok(socket) => inherited.tcp.extend(socket),
                Err(source) => return Err(ListenError::Inherited { index, source }),
            }
        }
        Ok(inherited)
    }
}

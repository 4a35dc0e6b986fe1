//! Sockets that a service manager opened for us.

use std::net::TcpListener;
use std::os::unix::net::UnixListener;

use listenfd::ListenFd;

use super::ListenError;

/// Listening sockets that were open before the daemon started.
#[derive(Debug, Default)]
pub struct Inherited {
    /// Those on TCP ports.
    pub tcp: Vec<TcpListener>,
    /// Those on unix sockets.
    pub unix: Vec<UnixListener>,
}

impl Inherited {
    /// Takes what systemd's socket activation left in `LISTEN_FDS`.
    ///
    /// Call it before the first thread is started: it takes the variables out of the environment,
    /// so that they do not reach child processes.
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

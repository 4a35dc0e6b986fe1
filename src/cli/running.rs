//! Whether a daemon runs, as far as its sockets tell.

use crate::config::{Config, ListenAddress};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, socket_with};
use std::fmt;
use std::io;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where the daemon of the package listens, whoever asks: as root, and as the user that systemd
/// makes for it.
const USUAL_SOCKETS: [&str; 2] = ["/var/lib/xend/xend-socket", "/run/xend/xend-socket"];

/// How long a TCP listener is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whether a daemon runs. The exit statuses are those of the old `xend status`, which are LSB's.
#[derive(Debug, PartialEq, Eq)]
pub enum Running {
    /// It listens at this address.
    Yes(String),
    /// Nothing listens at any of these.
    No(Vec<String>),
    /// It cannot be told.
    Unknown(String),
}

impl Running {
    /// Asks the sockets of a configuration, and the usual ones.
    pub fn of(config: &Config) -> Self {
        let usual = USUAL_SOCKETS.map(PathBuf::from);
        Self::at(config, &usual)
    }

    fn at(config: &Config, usual: &[PathBuf]) -> Self {
        let mut silent = Vec::new();
        let mut unknown = None;
        let listeners = [config.http_on_unix(), config.http_listener()];
        let configured = listeners.into_iter().flatten().map(|listener| listener.address);
        let configured = configured.map(|address| match address {
            ListenAddress::Unix(socket) => {
                (socket.path.display().to_string(), connect(&socket.path))
            }
            ListenAddress::Tcp(address) => {
                let connected = TcpStream::connect_timeout(&address, PATIENCE);
                (address.to_string(), connected.map(drop))
            }
        });
        let usual = usual.iter().map(|path| (path.display().to_string(), connect(path)));
        for (place, connected) in configured.chain(usual) {
            match connected {
                Ok(()) => return Self::Yes(place),
                Err(error) if is_silence(&error) => {
                    if !silent.contains(&place) {
                        silent.push(place);
                    }
                }
                Err(error) => unknown = Some(format!("{place}: {error}")),
            }
        }
        match unknown {
            Some(reason) => Self::Unknown(reason),
            None => Self::No(silent),
        }
    }

    /// 0 if it runs, 3 if it does not, 4 if that is unknown.
    pub fn exit_status(&self) -> u8 {
        match self {
            Self::Yes(_) => 0,
            Self::No(_) => 3,
            Self::Unknown(_) => 4,
        }
    }
}

impl fmt::Display for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Yes(place) => write!(f, "xend is running: it listens on {place}"),
            Self::No(places) => {
                write!(f, "xend is not running: nothing listens on {}", places.join(" or "))
            }
            Self::Unknown(reason) => write!(f, "It is unknown whether xend is running: {reason}"),
        }
    }
}

/// Connects and hangs up. A server that is too busy to accept runs, too: it is not waited for.
fn connect(socket: &Path) -> io::Result<()> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let probe = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    match rustix::net::connect(&probe, &SocketAddrUnix::new(socket)?) {
        Err(Errno::AGAIN) => Ok(()),
        connected => Ok(connected?),
    }
}

/// Whether an error of a connection says that nobody listens.
fn is_silence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Environment, RunOptions, Switch};
    use std::os::unix::net::UnixListener;

    #[test]
    fn sockets_tell_whether_it_runs() {
        let dir = tempfile::tempdir().unwrap();
        let own = dir.path().join("own");
        let usual = [dir.path().join("usual")];
        let options = RunOptions {
            http: Some(Switch::Off),
            unix: Some(Switch::On(own.clone())),
            state_dir: Some(dir.path().to_owned()),
            ..RunOptions::default()
        };
        let home = Some(dir.path().to_owned());
        let environment = Environment { home, ..Environment::default() };
        let config = Config::load(&options, &environment).unwrap().0;
        let place = |path: &Path| path.display().to_string();
        let asked = || Running::at(&config, &usual);
        let nothing = Running::No(vec![place(&own), place(&usual[0])]);
        assert_eq!((asked().exit_status(), asked()), (3, nothing));
        let listener = UnixListener::bind(&usual[0]).unwrap();
        assert_eq!((asked().exit_status(), asked()), (0, Running::Yes(place(&usual[0]))));
        drop(listener);
        assert_eq!(asked().exit_status(), 3, "a socket that nobody listens on");
        std::fs::write(&own, "").unwrap();
        let _listener = UnixListener::bind(dir.path().join("third")).unwrap();
        // A file is refused, too.
        assert_eq!(asked().exit_status(), 3);
        std::fs::remove_file(&own).unwrap();
        std::os::unix::fs::symlink(&own, &own).unwrap();
        assert_eq!(asked().exit_status(), 4);
        let _listener = UnixListener::bind(dir.path().join("other")).unwrap();
        assert!(asked().to_string().starts_with("It is unknown whether xend is running: "));
    }
}

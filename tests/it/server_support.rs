//! A server in the process of the test.

use arc_swap::ArcSwap;
use axum::Router;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpStream, UnixStream};
use tokio_util::either::Either;
use xend::config::{Config, Environment, RunOptions, Switch, Tunables};
use xend::server::{Inherited, Listener, Server, listen};

/// Time limit that nothing reaches unless it fails, even on a busy machine.
pub(crate) const GENEROUS: Duration = Duration::from_secs(60);

/// A client's end of a connection.
pub(crate) type Wire = Either<TcpStream, UnixStream>;

/// The default tunables with another request timeout.
pub(crate) fn tunables(request_timeout_seconds: u64) -> Tunables {
    Tunables {
        request_timeout: Duration::from_secs(request_timeout_seconds),
        ..Tunables::default()
    }
}

/// A configuration with all its paths in `dir` and TCP on a free port.
pub(crate) fn config_in(dir: &TempDir) -> Config {
    let options = RunOptions {
        http: Some(Switch::On(SocketAddr::from(([127, 0, 0, 1], 0)))),
        unix: Some(Switch::On(dir.path().join("run/xend-socket"))),
        ..RunOptions::default()
    };
    let environment = Environment { home: Some(dir.path().to_owned()), ..Environment::default() };
    Config::load(&options, &environment).unwrap().0
}

/// The port of the TCP listener among `listeners`.
pub(crate) fn tcp_address(listeners: &[Listener]) -> Option<SocketAddr> {
    listeners.iter().find_map(|listener| match listener {
        Listener::Tcp { local, .. } => Some(*local),
        Listener::Unix { .. } => None,
    })
}

/// A running server, which ends with the test's runtime.
pub(crate) struct Daemon {
    pub server: Server,
    pub address: SocketAddr,
    pub dir: TempDir,
}

impl Daemon {
    pub(crate) async fn start(app: Router, tunables: Tunables) -> Self {
        Self::start_with(app, tunables, 512).await
    }

    pub(crate) async fn start_with(
        app: Router,
        tunables: Tunables,
        max_connections: usize,
    ) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let listeners = listen::open(&config_in(&dir), Inherited::default()).await.unwrap().http;
        let address = tcp_address(&listeners).unwrap();
        let server = Server::new(Arc::new(ArcSwap::from_pointee(tunables)), max_connections);
        for listener in listeners {
            server.attach(listener, app.clone());
        }
        Self { server, address, dir }
    }

    pub(crate) fn socket_path(&self) -> PathBuf {
        self.dir.path().join("run/xend-socket")
    }

    pub(crate) async fn tcp(&self) -> Wire {
        Either::Left(TcpStream::connect(self.address).await.unwrap())
    }

    pub(crate) async fn unix(&self) -> Wire {
        Either::Right(UnixStream::connect(self.socket_path()).await.unwrap())
    }

    pub(crate) fn stop(&self) {
        self.server.stop();
    }
}

/// Reads one answer that has a Content-Length.
pub(crate) async fn read_answer(wire: &mut Wire) -> String {
    let mut bytes = Vec::new();
    let reading = async {
        loop {
            let text = String::from_utf8_lossy(&bytes);
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head
                    .lines()
                    .filter_map(|line| line.split_once(": "))
                    .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
                    .map_or(0, |(_, length)| length.parse().unwrap());
                if body.len() >= length {
                    return text.into_owned();
                }
            }
            if wire.read_buf(&mut bytes).await.unwrap() == 0 {
                return String::from_utf8_lossy(&bytes).into_owned();
            }
        }
    };
    tokio::time::timeout(GENEROUS, reading).await.expect("an answer")
}

/// Reads until the server closes the connection.
pub(crate) async fn read_to_end(wire: &mut Wire) -> String {
    let mut bytes = Vec::new();
    tokio::time::timeout(GENEROUS, wire.read_to_end(&mut bytes)).await.expect("an end").unwrap();
    String::from_utf8(bytes).unwrap()
}

//! The links of a host to etcd, which can be cut.

use std::net::Ipv4Addr;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::sleep;

/// What becomes of connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Link {
    Up,
    /// Connections end, and none is made.
    Refused,
    /// Nothing arrives, in neither direction, until the link is up.
    Silent,
    /// All takes so long.
    Slow(Duration),
}

/// The links of one host to all servers.
#[derive(Debug)]
pub(crate) struct Links {
    pub(crate) ports: Vec<u16>,
    link: watch::Sender<Link>,
}

impl Links {
    pub(crate) fn new(runtime: &Handle, servers: &[u16]) -> Self {
        let (link, state) = watch::channel(Link::Up);
        let mut ports = Vec::new();
        for server in servers {
            let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            listener.set_nonblocking(true).unwrap();
            ports.push(listener.local_addr().unwrap().port());
            runtime.spawn(serve(listener, *server, state.clone()));
        }
        Self { ports, link }
    }

    pub(crate) fn set(&self, link: Link) {
        self.link.send_replace(link);
    }
}

async fn serve(listener: std::net::TcpListener, server: u16, link: watch::Receiver<Link>) {
    let listener = TcpListener::from_std(listener).unwrap();
    loop {
        let Ok((client, _)) = listener.accept().await else { continue };
        let link = link.clone();
        tokio::spawn(async move {
            if *link.borrow() == Link::Refused {
                return;
            }
            let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, server)).await else {
                return;
            };
            client.set_nodelay(true).ok();
            server.set_nodelay(true).ok();
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = server.into_split();
            tokio::spawn(pass_on(from_server, to_client, link.clone()));
            pass_on(from_client, to_server, link).await;
        });
    }
}

async fn pass_on(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut link: watch::Receiver<Link>) {
    let mut part = vec![0; 16 << 10];
    loop {
        let length = tokio::select! {
            read = from.read(&mut part) => match read {
                Ok(length) if length > 0 => length,
                _ => return,
            },
            refused = link.wait_for(|link| *link == Link::Refused) => {
                drop(refused);
                return;
            }
        };
        let now = *link.borrow();
        match now {
            Link::Up => {}
            Link::Slow(delay) => sleep(delay).await,
            Link::Refused => return,
            Link::Silent => {
                if link.wait_for(|link| *link != Link::Silent).await.is_err() {
                    return;
                }
            }
        }
        if to.write_all(&part[..length]).await.is_err() {
            return;
        }
    }
}

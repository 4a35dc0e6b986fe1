//! A TCP proxy that cuts connections.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// Where the proxy cuts a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Cut {
    Nowhere,
    /// After this many bytes to the receiver.
    There(usize),
    /// After this many bytes back to the sender.
    Back(usize),
    /// Before anything is forwarded: the host is unreachable.
    AtOnce,
}

/// A proxy in front of a relocation port. The cuts apply to connections in order; connections after
/// the last cut pass through.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    cuts: Arc<Mutex<Vec<Cut>>>,
    /// Bytes forwarded to the receiver.
    pub(crate) there: Arc<AtomicUsize>,
    /// Bytes forwarded back to the sender.
    pub(crate) back: Arc<AtomicUsize>,
    /// The first bytes to the receiver.
    sent: Arc<Mutex<Vec<u8>>>,
}

/// How many bytes to the receiver are kept.
const MAX_KEPT: usize = 1 << 20;

impl Proxy {
    pub(crate) fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Self {
            address: listener.local_addr().unwrap(),
            cuts: Arc::default(),
            there: Arc::default(),
            back: Arc::default(),
            sent: Arc::default(),
        };
        let sent = proxy.sent.clone();
        let cuts = proxy.cuts.clone();
        let there = proxy.there.clone();
        let back = proxy.back.clone();
        thread::spawn(move || {
            for client in listener.incoming() {
                let Ok(client) = client else { return };
                let mut cuts = cuts.lock().unwrap();
                let cut = if cuts.is_empty() { Cut::Nowhere } else { cuts.remove(0) };
                drop(cuts);
                let Ok(server) = TcpStream::connect(target) else { continue };
                let (limit_there, limit_back) = match cut {
                    Cut::Nowhere => (usize::MAX, usize::MAX),
                    Cut::There(n) => (n, usize::MAX),
                    Cut::Back(n) => (usize::MAX, n),
                    Cut::AtOnce => continue,
                };
                let from_client = client.try_clone().unwrap();
                let to_server = server.try_clone().unwrap();
                let there = there.clone();
                let back = back.clone();
                let sent = sent.clone();
                thread::spawn(move || {
                    forward(from_client, to_server, limit_there, &there, &mut |bytes| {
                        let mut sent = sent.lock().unwrap();
                        if sent.len() < MAX_KEPT {
                            sent.extend_from_slice(bytes);
                        }
                    });
                });
                thread::spawn(move || forward(server, client, limit_back, &back, &mut |_| {}));
            }
        });
        proxy
    }

    /// The first bytes to the receiver, of all connections.
    pub(crate) fn sent(&self) -> Vec<u8> {
        self.sent.lock().unwrap().clone()
    }

    pub(crate) fn cut(&self, cuts: &[Cut]) {
        *self.cuts.lock().unwrap() = cuts.to_vec();
        self.there.store(0, Ordering::SeqCst);
        self.back.store(0, Ordering::SeqCst);
    }
}

/// Forwards at most `limit` bytes.
fn forward(
    mut from: TcpStream,
    mut to: TcpStream,
    limit: usize,
    forwarded: &AtomicUsize,
    keep: &mut dyn FnMut(&[u8]),
) {
    let mut left = limit;
    let mut buffer = [0; 4096];
    while left > 0 {
        let Ok(count @ 1..) = from.read(&mut buffer) else { break };
        let count = count.min(left);
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
        forwarded.fetch_add(count, Ordering::SeqCst);
        keep(&buffer[..count]);
        left -= count;
    }
    if left == 0 {
        // Both directions at once, like a pulled cable. Bytes already forwarded still arrive.
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    } else {
        let _ = to.shutdown(Shutdown::Write);
    }
}

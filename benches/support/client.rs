//! A client of HTTP that takes as little of the machine as it can, and rates of requests.

use bytes::Bytes;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The number of concurrent connections.
pub(crate) const CONNECTIONS: usize = 4;

/// A persistent connection.
pub(crate) struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, buffer: vec![0; 1 << 20] }
    }

    /// Sends a request and reads the answer. Returns the offset and the length of its body.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> (usize, usize) {
        self.stream.write_all(request).await.unwrap();
        let mut filled = 0;
        loop {
            let n = self.stream.read(&mut self.buffer[filled..]).await.unwrap();
            assert!(n > 0, "the server closed the connection");
            filled += n;
            let Some(end) =
                self.buffer[..filled.min(1024)].windows(4).position(|w| w == b"\r\n\r\n")
            else {
                continue;
            };
            let head = String::from_utf8_lossy(&self.buffer[..end]).to_ascii_lowercase();
            assert!(head.starts_with("http/1.1 200"), "{head}");
            let length: usize = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .unwrap()
                .trim()
                .parse()
                .unwrap();
            let whole = end + 4 + length;
            if self.buffer.len() < whole {
                self.buffer.resize(whole, 0);
            }
            while filled < whole {
                let n = self.stream.read(&mut self.buffer[filled..whole]).await.unwrap();
                assert!(n > 0, "the server closed the connection");
                filled += n;
            }
            return (end + 4, length);
        }
    }

    /// The body of the answer to a request.
    pub(crate) async fn body(&mut self, request: &[u8]) -> Bytes {
        let (head, length) = self.ask(request).await;
        Bytes::copy_from_slice(&self.buffer[head..head + length])
    }
}

/// A GET of a page, with these header lines.
pub(crate) fn get(target: &str, headers: &str) -> Arc<Vec<u8>> {
    Arc::new(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n").into_bytes())
}

/// The body of one answer.
pub(crate) async fn once(address: SocketAddr, request: &[u8]) -> Bytes {
    Client::connect(address).await.body(request).await
}

/// How many answers a second some connections get.
pub(crate) async fn rate(address: SocketAddr, request: &Arc<Vec<u8>>, time: Duration) -> f64 {
    let started = Instant::now();
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..CONNECTIONS {
        let request = Arc::clone(request);
        clients.spawn(async move {
            let mut client = Client::connect(address).await;
            let mut done = 0_u32;
            while started.elapsed() < time {
                client.ask(&request).await;
                done += 1;
            }
            done
        });
    }
    let done: u32 = clients.join_all().await.into_iter().sum();
    f64::from(done) / started.elapsed().as_secs_f64()
}

pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

pub(crate) fn percentile(values: &mut [Duration], percent: usize) -> Duration {
    values.sort();
    values[(values.len() * percent / 100).min(values.len() - 1)]
}

/// Bytes of this process's memory.
pub(crate) fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

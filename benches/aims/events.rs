//! Many clients that follow all events, while domains change.

use crate::Effort;
use crate::host::Host;
use crate::support::client::percentile;
use crate::table::Aim::{AtLeast, AtMost};
use crate::table::Table;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use xend::core::caller::Caller;
use xend::core::model::DomainRef;
use xend::core::op::{Change, DomainOp};

/// Changes a second, each of which is an event.
const CHANGES: u32 = 1_000;

pub(crate) async fn measure(effort: Effort, table: &mut Table) {
    let host = Host::with(effort.domains(1_000).min(100), "d").await;
    let followers = (effort.domains(10_000) as usize / 50).max(2);
    // Each has an interface of its own: the streams of clients that have gone count for a while.
    let half = run(&host, host.http(None).await, followers / 2, effort).await;
    let all = run(&host, host.http(None).await, followers, effort).await;
    let what = format!("events: {followers} followers, {CHANGES} changes a second");
    table.ratio(format!("{what}, share of events received"), all.share, AtLeast(1.0));
    table.add(format!("{what}, p99"), all.p99.as_secs_f64() * 1e3, " ms", AtMost(50.0));
    table.ratio(
        format!("{what}, CPU time for each beside half as many"),
        all.cpu / half.cpu / 2.0,
        AtMost(1.1),
    );
}

struct Outcome {
    /// The share of events that the followers received.
    share: f64,
    p99: Duration,
    /// CPU time of this process, clients included, in seconds.
    cpu: f64,
}

async fn run(host: &Host, address: SocketAddr, followers: usize, effort: Effort) -> Outcome {
    let changes = if effort.quick() { 40 } else { 2 * CHANGES };
    let started = Instant::now();
    let mut all: JoinSet<Vec<Duration>> = JoinSet::new();
    let listening = Arc::new(Barrier::new(followers + 1));
    for _ in 0..followers {
        all.spawn(follow(address, changes as usize, started, listening.clone()));
    }
    listening.wait().await;
    let first = started.elapsed();
    let before = cpu_time();
    let sent = change(host, changes, started, first).await;
    let mut late = Vec::new();
    let mut received = 0;
    while let Some(times) = all.join_next().await {
        let times = times.unwrap();
        received += times.len();
        late.extend(times.iter().zip(&sent).map(|(at, sent)| at.saturating_sub(*sent)));
    }
    let expected = followers * changes as usize;
    Outcome {
        share: received as f64 / expected as f64,
        p99: percentile(&mut late, 99),
        cpu: cpu_time() - before,
    }
}

/// Pauses and unpauses domains. Returns when each change began.
async fn change(host: &Host, changes: u32, started: Instant, first: Duration) -> Vec<Duration> {
    let mut begun = Vec::new();
    for n in 0..changes {
        let due = first + Duration::from_secs(1) * n / CHANGES;
        begun.push(started.elapsed());
        let engine = host.engine.clone();
        let op = if n / 2 % 2 == 0 { DomainOp::Pause } else { DomainOp::Unpause };
        let domain = DomainRef::new(format!("d{}", n % 2));
        engine.execute(&Caller::internal(), Change::Domain(domain, op)).await.unwrap();
        let now = started.elapsed();
        tokio::time::sleep(due.saturating_sub(now)).await;
    }
    begun
}

/// The times at which a follower received each change, as far as each came within some seconds of
/// the one before.
async fn follow(
    address: SocketAddr,
    changes: usize,
    started: Instant,
    listening: Arc<Barrier>,
) -> Vec<Duration> {
    let mut stream = BufReader::new(TcpStream::connect(address).await.unwrap());
    let request =
        b"GET /xend/events HTTP/1.1\r\nHost: localhost\r\nAccept: application/sxp\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut times = Vec::with_capacity(changes);
    let mut line = Vec::new();
    while !line.windows(9).any(|part| part == b"listening") {
        line.clear();
        assert!(stream.read_until(b'\n', &mut line).await.unwrap() > 0, "no events come");
    }
    listening.wait().await;
    let mut last = Instant::now();
    while times.len() < changes {
        line.clear();
        let read = stream.read_until(b'\n', &mut line);
        // Heartbeats come while no event does.
        match tokio::time::timeout_at((last + Duration::from_secs(10)).into(), read).await {
            Ok(Ok(n)) if n > 0 => {}
            _ => break,
        }
        // Of the events of a change, the one of the operation.
        if line.windows(5).any(|part| part == b"pause")
            && line.windows(4).any(|part| part == b"done")
        {
            times.push(started.elapsed());
            last = Instant::now();
        }
    }
    times
}

/// The CPU time of this process.
fn cpu_time() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = text.rsplit(')').next().unwrap().split_whitespace().collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}

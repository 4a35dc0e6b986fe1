//! Wrong logins: what they cost in memory and time.
//!
//! 400 wrong logins from 99 addresses at the same time, then as many one after another, and then
//! requests with a password that was right before. Run with `cargo bench --bench logins`. It fails
//! if the memory of the process grows by more than the memory of the hashes that may be computed at
//! the same time.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "a benchmark fails by a panic"
)]

use futures_util::future::join_all;
use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;
use xend::auth::{LoginGate, hash};
use xend::core::caller::Via;
use xend::core::ports::{LoginError, Logins};
use xend::core::rights::{Access, Account, Accounts, Credential};

const LOGINS: u32 = 400;
const ADDRESSES: u32 = 99;

/// The memory of two hashes, and as much again for everything else, in MiB.
const MOST_MIB: u64 = 80;

fn main() {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
        let accounts = Arc::new(Accounts::default());
        let credential = Credential::Hash(hash("right").unwrap());
        accounts.replace(vec![Account::new("steve", credential, Access::default())], None);
        let gate = LoginGate::new(accounts);
        let before = memory_mib("VmRSS");

        let start = Instant::now();
        let all = join_all((0..LOGINS).map(|n| wrong_login(&gate, n))).await;
        report("at the same time", &all, start);
        let start = Instant::now();
        let mut all = Vec::new();
        for n in LOGINS..2 * LOGINS {
            all.push(wrong_login(&gate, n).await);
        }
        report("one after another", &all, start);
        let peak = memory_mib("VmHWM");
        let after = memory_mib("VmRSS");
        println!("memory: {before} MiB before, {peak} MiB at most, {after} MiB afterwards");
        assert!(peak - before <= MOST_MIB, "{} MiB more", peak - before);

        gate.log_in("steve", "right", &from(0)).await.unwrap();
        let start = Instant::now();
        for _ in 0..10_000 {
            gate.log_in("steve", "right", &from(0)).await.unwrap();
        }
        println!("a password that was right before: {:?} each", start.elapsed() / 10_000);
    });
}

/// A login of a user of its own, whose failures do not slow down others.
async fn wrong_login(gate: &LoginGate, n: u32) -> LoginError {
    gate.log_in(&format!("user{n}"), "wrong", &from(n % ADDRESSES)).await.unwrap_err()
}

fn from(host: u32) -> Via {
    let ip = std::net::Ipv4Addr::from_bits(0xc000_0200 + host);
    let peer = SocketAddr::from((ip, 4711));
    Via::Tcp { peer, local: peer, encrypted: true }
}

fn report(what: &str, errors: &[LoginError], start: Instant) {
    let refused = errors.iter().filter(|error| matches!(error, LoginError::Refused(_))).count();
    let busy = errors.iter().filter(|error| matches!(error, LoginError::Busy)).count();
    println!(
        "{LOGINS} wrong logins {what}: {refused} refused, {busy} turned away, {:?}",
        start.elapsed()
    );
    assert_eq!(refused + busy, errors.len());
}

/// A figure of the process's memory in MiB.
fn memory_mib(key: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(key)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

//! A large fleet on a real etcd: hosts that exist in etcd alone, and a daemon that shows them.
//!
//! `cargo bench --features fleet --bench fleet` needs etcd, and takes a minute. Figures of one
//! size beside those of another say whether the cost for each host grows with their number.
//! `-- --test` makes small fleets, for no figures.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_precision_loss,
    missing_docs,
    reason = "a benchmark fails by a panic"
)]

#[path = "../support/client.rs"]
#[allow(dead_code, reason = "shared with other benchmarks")]
mod client;
#[path = "../../tests/fleet/commands.rs"]
#[allow(dead_code, unused_imports, reason = "shared with the tests of a fleet")]
mod commands;
#[path = "../../tests/fleet/etcd_server.rs"]
#[allow(dead_code, unused_imports, reason = "shared with the tests of a fleet")]
mod etcd_server;
mod fan_out;
mod gateway;
mod members;
#[path = "../../tests/support/ports.rs"]
mod ports;
#[path = "../../tests/support/process.rs"]
mod process;
#[path = "../aims/table.rs"]
mod table;

use commands::Host;
use etcd_server::EtcdServer;
use gateway::{Gateway, Shown};
use members::Members;
use std::time::Duration;
use table::Aim::{AtLeast, AtMost};
use table::Table;
use xend::fleet::Keys;

/// Time limit that nothing reaches unless it fails.
pub(crate) const GENEROUS: Duration = Duration::from_secs(120);

/// How large the fleets are, and how long changes are followed.
struct Size {
    /// Numbers of hosts, growing.
    hosts: [u32; 3],
    domains_each: u32,
    /// Numbers of watchers, each with the changes a second that it hears.
    watchers: &'static [(u32, u32)],
    following: Duration,
}

const LARGE: Size = Size {
    hosts: [100, 300, 1_000],
    domains_each: 100,
    watchers: &[(20, 100), (100, 100), (300, 50)],
    following: Duration::from_secs(5),
};

const SMALL: Size = Size {
    hosts: [2, 4, 8],
    domains_each: 5,
    watchers: &[(3, 20)],
    following: Duration::from_millis(200),
};

fn main() {
    let is_test = std::env::args().any(|arg| arg == "--test");
    let size = if is_test { SMALL } else { LARGE };
    let Some(server) = EtcdServer::start() else { return };
    let host = Host::new("gateway", &server.url());
    host.fleet(&["init"]).ok();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(measure(&size, &server, &host));
}

async fn measure(size: &Size, server: &EtcdServer, host: &Host) {
    let keys = Keys::new("lab".parse().unwrap());
    let mut table = Table::default();
    let mut members = Members::new(server, keys.clone(), size.domains_each);
    let mut shown = Vec::new();
    for hosts in size.hosts {
        let puts = members.grow(hosts).await;
        let domains = hosts * size.domains_each;
        println!("{hosts} hosts with {domains} domains:");
        table.add(
            format!("keys put in a second by {hosts} hosts that begin"),
            puts,
            "",
            AtLeast(1_000.0),
        );
        shown.push(Gateway::start(host).await.shows(hosts, domains, &mut table));
    }
    compare(size, &shown, &mut table);
    for (watchers, rate) in size.watchers {
        fan_out::measure(server, &keys, *watchers, *rate, size.following, &mut table).await;
    }
    let leases = members.end().await;
    table.add("renewals of leases in a second", leases.rate, "", AtLeast(0.0));
    table.add("99th percentile of a renewal", leases.p99 * 1e3, " ms", AtMost(1_000.0));
    table.add("leases that were lost", f64::from(leases.lost), "", AtMost(0.0));
    table.print();
}

/// The costs for each domain in the largest fleet, times those in the smallest one.
fn compare(size: &Size, shown: &[Shown], table: &mut Table) {
    let (Some(first), Some(last)) = (shown.first(), shown.last()) else { return };
    let growth = f64::from(size.hosts[2]) / f64::from(size.hosts[0]);
    for (what, few, many) in [
        ("the first list of all domains", first.first_list, last.first_list),
        ("a list of all domains", first.list, last.list),
        ("a list of all hosts", first.hosts, last.hosts),
        ("memory for the fleet", first.memory, last.memory),
    ] {
        let ratio = many / few / growth;
        let (many, few) = (size.hosts[2], size.hosts[0]);
        let what = format!("{what}: for each host at {many} hosts, times at {few}");
        table.ratio(what, ratio, AtMost(1.5));
    }
}

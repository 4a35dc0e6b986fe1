//! Creating domains: how much of the time from the request to the answer is not that of the
//! simulated devices.

use crate::Effort;
use crate::host::Host;
use crate::support::client::median;
use crate::support::config;
use crate::table::Aim::AtMost;
use crate::table::Table;
use std::time::Instant;
use xend::core::caller::Caller;
use xend::core::op::Change;

/// Clients that create a domain at the same time.
const CLIENTS: u32 = 64;

pub(crate) async fn measure(effort: Effort, table: &mut Table) {
    let host = Host::with(10, "d").await;
    let alone = create(&host, "a", effort.domains(4_000).max(2), 1).await;
    let together = create(&host, "b", effort.domains(8_000).max(2), CLIENTS).await;
    table.add("create to answer, one client", alone * 1e3, " ms", AtMost(5.0));
    table.add(
        "create to answer, 64 clients, each domain's share of the time",
        together * 1e3,
        " ms",
        AtMost(5.0),
    );
}

/// The median time of a create in a round of `clients` at a time, for each of them.
async fn create(host: &Host, name: &str, domains: u32, clients: u32) -> f64 {
    let mut times = Vec::new();
    for round in 0..domains.min(640) / clients.min(domains) {
        let started = Instant::now();
        let mut waiting = tokio::task::JoinSet::new();
        for client in 0..clients {
            let engine = host.engine.clone();
            let config = config(&format!("{name}{round}-{client}"), "/dev/vg0/x");
            waiting.spawn(async move {
                engine.execute(&Caller::internal(), Change::Create(Box::new(config))).await.unwrap()
            });
        }
        waiting.join_all().await;
        times.push(started.elapsed().as_secs_f64() / f64::from(clients));
    }
    median(&mut times)
}

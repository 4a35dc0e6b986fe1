//! Hosts that exist in etcd alone: their records, their leases and the summaries of their domains.

use crate::client::percentile;
use crate::etcd_server::EtcdServer;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, UNIX_EPOCH};
use tokio::task::JoinSet;
use tokio::time::sleep_until;
use uuid::Uuid;
use xend::core::fleet::HostName;
use xend::fleet::{AliveRecord, HostFacts, HostRecord, Keys, Kv, Lease, Op, Txn, ViewRecord};

/// The time to live of a lease, and how often a host renews it.
const TTL: Duration = Duration::from_secs(15);
const RENEWAL: Duration = Duration::from_secs(5);

/// The connections of all hosts together.
const CLIENTS: u32 = 16;

/// What became of the leases.
pub(crate) struct Leases {
    /// Renewals in a second.
    pub(crate) rate: f64,
    /// Seconds.
    pub(crate) p99: f64,
    pub(crate) lost: u32,
}

pub(crate) struct Members {
    clients: Vec<Arc<dyn Kv>>,
    keys: Keys,
    domains_each: u32,
    hosts: u32,
    renewals: JoinSet<()>,
    stopped: Arc<AtomicBool>,
    lost: Arc<AtomicU32>,
    times: Arc<Mutex<Vec<Duration>>>,
    began: Instant,
}

/// The summary of a domain.
pub(crate) fn summary(number: u32, memory_mib: u64) -> ViewRecord {
    ViewRecord {
        name: format!("customer-{number}.example.org"),
        domid: Some(number % 30_000 + 1),
        state: "running".to_owned(),
        memory_mib,
        vcpus: 2,
        started: Some(1_700_000_000 + u64::from(number)),
        apart: Vec::new(),
    }
}

pub(crate) fn name(host: u32) -> HostName {
    format!("host{host:04}").parse().unwrap()
}

impl Members {
    pub(crate) fn new(server: &EtcdServer, keys: Keys, domains_each: u32) -> Self {
        Self {
            clients: (0..CLIENTS).map(|_| server.client()).collect(),
            keys,
            domains_each,
            hosts: 0,
            renewals: JoinSet::new(),
            stopped: Arc::default(),
            lost: Arc::default(),
            times: Arc::default(),
            began: Instant::now(),
        }
    }

    /// Adds hosts until there are `hosts`, each of which writes its record and all its domains.
    /// Returns the keys put in a second.
    pub(crate) async fn grow(&mut self, hosts: u32) -> f64 {
        let began = Instant::now();
        let mut clients = JoinSet::new();
        for (first, client) in (self.hosts..).zip(&self.clients) {
            let (client, keys, each) = (client.clone(), self.keys.clone(), self.domains_each);
            clients.spawn(async move {
                let mut leases = Vec::new();
                for host in (first..hosts).step_by(CLIENTS as usize) {
                    leases.push((host, join(&*client, &keys, host, each).await));
                }
                (client, leases)
            });
        }
        let mut added = 0;
        for (client, leases) in clients.join_all().await {
            added += leases.len();
            self.keep(&client, leases);
        }
        self.hosts = hosts;
        let puts = added * (2 + self.domains_each as usize);
        puts as f64 / began.elapsed().as_secs_f64()
    }

    /// Renews leases until the end, each at its time.
    fn keep(&mut self, client: &Arc<dyn Kv>, leases: Vec<(u32, Lease)>) {
        for (host, lease) in leases {
            let (client, stopped) = (client.clone(), self.stopped.clone());
            let (lost, times) = (self.lost.clone(), self.times.clone());
            let shift = RENEWAL.mul_f64(f64::from(host % 100) / 100.0);
            self.renewals.spawn(async move {
                let mut next = Instant::now() + shift;
                while !stopped.load(Ordering::Relaxed) {
                    sleep_until(next.into()).await;
                    let began = Instant::now();
                    if client.keep_alive(lease).await.is_err() {
                        lost.fetch_add(1, Ordering::Relaxed);
                        return;
                    }
                    times.lock().unwrap().push(began.elapsed());
                    next += RENEWAL;
                }
            });
        }
    }

    /// Ends the renewals. A host whose key has gone has lost its lease, too.
    pub(crate) async fn end(self) -> Leases {
        let seconds = self.began.elapsed().as_secs_f64();
        let alive = self.clients[0].list(&self.keys.alives()).await.unwrap().entries;
        let alive = alive.iter().filter(|entry| entry.key.contains("/host")).count();
        self.stopped.store(true, Ordering::Relaxed);
        self.renewals.join_all().await;
        let mut times = self.times.lock().unwrap().clone();
        let gone = self.hosts - u32::try_from(alive).unwrap();
        let p99 = if times.is_empty() { Duration::ZERO } else { percentile(&mut times, 99) };
        Leases {
            rate: times.len() as f64 / seconds,
            p99: p99.as_secs_f64(),
            lost: gone.max(self.lost.load(Ordering::Relaxed)),
        }
    }
}

/// Writes what a host writes when it begins.
async fn join(kv: &dyn Kv, keys: &Keys, host: u32, domains: u32) -> Lease {
    let name = name(host);
    let mut record = HostRecord::joining(Uuid::from_u128(u128::from(host) + 1), UNIX_EPOCH);
    record.facts = HostFacts {
        version: "0.1.0".to_owned(),
        hypervisor: "sim".to_owned(),
        cpus: 32,
        memory_mib: 1 << 18,
        relocation: Some(format!("192.0.2.{}:8003", host % 250 + 1)),
        ..HostFacts::default()
    };
    let lease = kv.grant(TTL).await.unwrap();
    let alive = AliveRecord { epoch: 1, boot_id: Uuid::from_u128(u128::from(host)) };
    let alive = Op::Put { key: keys.alive(&name), value: alive.encode(), lease: Some(lease) };
    write(kv, vec![Op::put(keys.host(&name), record.encode()), alive]).await;
    let numbers = (0..domains).map(|number| host * domains + number);
    let views: Vec<Op> = numbers
        .map(|number| {
            let domain = Uuid::from_u128(u128::from(number) + (1 << 64));
            Op::put(keys.view(&name, domain), summary(number, 512).encode())
        })
        .collect();
    for batch in views.chunks(Txn::MAX_OPS) {
        write(kv, batch.to_vec()).await;
    }
    lease
}

pub(crate) async fn write(kv: &dyn Kv, ops: Vec<Op>) {
    kv.commit(Txn { compares: Vec::new(), ops }).await.unwrap();
}

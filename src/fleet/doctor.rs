//! What `xend fleet doctor` tells beside the status: whether etcd is slow, and whether the hosts
//! answer this one.

use super::key_file::KeyFile;
use super::keys::Keys;
use super::kv::{Kv, KvError};
use super::status::{FleetStatus, Problem};
use crate::core::error::Error;
use crate::core::fleet::{HostName, Member};
use crate::core::model::Uuid;
use crate::core::ports::Peers;
use futures_util::StreamExt as _;
use futures_util::stream;
use serde::Serialize;
use std::time::Duration;
use tokio::time::Instant;

/// How often etcd is read, one read after the other.
const READS: usize = 5;
/// A read of etcd takes a few milliseconds. With this one, leases are near their end.
const SLOW_READ: Duration = Duration::from_millis(500);
/// The hosts that are asked at a time.
const AT_ONCE: usize = 16;

/// A fleet, as one host sees it now, and its ways to etcd and to the hosts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Examination {
    #[serde(flatten)]
    pub status: FleetStatus,
    /// The slowest of a few reads of etcd, in milliseconds; `None` if it does not answer.
    pub etcd_read_ms: Option<u64>,
    /// The hosts that are alive, this one among them, sorted by name.
    pub ways: Vec<Way>,
}

/// The way to a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Way {
    pub host: String,
    /// How long the host took to say that this one is welcome, in milliseconds.
    pub answer_ms: Option<u64>,
    /// Why it does not say so.
    pub error: Option<String>,
}

impl Examination {
    /// Asks etcd for all of it, and connects to each host that is alive as a request would. `peers`
    /// is the reason if this host has no certificate.
    pub async fn of(
        kv: &dyn Kv,
        keys: &Keys,
        host: &HostName,
        uuid: Uuid,
        key_file: &KeyFile,
        peers: Result<&dyn Peers, &str>,
    ) -> Self {
        let (status, hosts) = FleetStatus::with_hosts(kv, keys, host, uuid, key_file).await;
        let mut examined = Self { status, etcd_read_ms: None, ways: Vec::new() };
        // Otherwise the status says what is wrong, and nothing more can be known.
        if examined.status.is_member == Some(true) {
            match slowest_read(kv, keys).await {
                Ok(slowest) => examined.judge_etcd(slowest),
                Err(error) => {
                    examined.status.problems.push(Problem::new(error.to_string(), "see to etcd"));
                }
            }
            match peers {
                Ok(peers) => examined.try_ways(hosts, host, peers).await,
                Err(reason) => examined.status.problems.push(Problem::new(
                    format!("This host cannot ask others: {reason}"),
                    "as root, see xend-relocation-ssl-server in docs/fleet.md",
                )),
            }
        }
        examined
    }

    fn judge_etcd(&mut self, slowest: Duration) {
        self.etcd_read_ms = Some(millis(slowest));
        if slowest >= SLOW_READ {
            self.status.problems.push(Problem::new(
                format!("etcd is slow: a read took {} ms", millis(slowest)),
                "look at the disks and the network of its servers; a host whose lease is not renewed \
                 within 15 s is silent",
            ));
        }
    }

    async fn try_ways(
        &mut self,
        hosts: Vec<(HostName, Member)>,
        own: &HostName,
        peers: &dyn Peers,
    ) {
        let tried = hosts.into_iter().map(|(host, member)| async move {
            let began = Instant::now();
            let connected = peers.connect(&host, &member).await;
            (host, connected.map(|_| began.elapsed()))
        });
        let mut tried: Vec<_> = stream::iter(tried).buffer_unordered(AT_ONCE).collect().await;
        tried.sort_by(|one, other| one.0.cmp(&other.0));
        for (host, answered) in tried {
            if let Err(error) = &answered {
                self.status.problems.push(unanswered(&host, own, error));
            }
            self.ways.push(Way {
                host: host.to_string(),
                answer_ms: answered.as_ref().ok().copied().map(millis),
                error: answered.err().map(|error| error.to_string()),
            });
        }
    }
}

fn unanswered(host: &HostName, own: &HostName, error: &Error) -> Problem {
    let advice = if host == own {
        "see the log of xend on this host: no other host can ask it, nor send it domains".to_owned()
    } else {
        format!("see the log of xend on {host}, and whether a firewall is between the hosts")
    };
    Problem::new(error.to_string(), advice)
}

async fn slowest_read(kv: &dyn Kv, keys: &Keys) -> Result<Duration, KvError> {
    let mut slowest = Duration::ZERO;
    for _ in 0..READS {
        let began = Instant::now();
        kv.get(&keys.schema()).await?;
        slowest = slowest.max(began.elapsed());
    }
    Ok(slowest)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::ports::HostStream;
    use crate::fleet::memory::MemoryKv;
    use crate::fleet::{AliveRecord, HostRecord, Op, SCHEMAS, SchemaRecord, Txn};
    use async_trait::async_trait;
    use std::time::UNIX_EPOCH;
    use tokio::io::duplex;
    use tokio::time::sleep;

    /// Hosts of which one does not answer, and the others take longer the later their names are.
    #[derive(Debug)]
    struct Hosts {
        away: HostName,
    }

    #[async_trait]
    impl Peers for Hosts {
        async fn connect(
            &self,
            host: &HostName,
            member: &Member,
        ) -> Result<Box<dyn HostStream>, Error> {
            assert!(member.relocation.is_some());
            if *host == self.away {
                let message = format!("{host} cannot be reached");
                return Err(Error::Unreachable { message, source: None });
            }
            let last = host.as_str().bytes().last().unwrap();
            sleep(Duration::from_millis(10 * u64::from(last - b'0'))).await;
            Ok(Box::new(duplex(1).0))
        }
    }

    fn name(text: &str) -> HostName {
        text.parse().unwrap()
    }

    /// A fleet of four hosts, the last of which is silent.
    async fn fleet(kv: &MemoryKv, keys: &Keys) {
        let mut ops = vec![Op::put(keys.schema(), SchemaRecord { schema: SCHEMAS.max }.encode())];
        for number in 1..=4 {
            let host = name(&format!("xen{number}"));
            let mut record = HostRecord::joining(Uuid::from_u128(number), UNIX_EPOCH);
            record.facts.relocation = Some("192.0.2.1:8003".to_owned());
            record.facts.fingerprint = Some([format!("{number:02X}").as_str(); 32].join(":"));
            ops.push(Op::put(keys.host(&host), record.encode()));
            let alive = AliveRecord { epoch: 1, boot_id: Uuid::nil() };
            if number < 4 {
                ops.push(Op::put(keys.alive(&host), alive.encode()));
            }
        }
        kv.commit(Txn { compares: Vec::new(), ops }).await.unwrap();
    }

    async fn examined(uuid: u128, peers: Result<&dyn Peers, &str>) -> Examination {
        let kv = MemoryKv::default();
        let keys = Keys::new("lab".parse().unwrap());
        fleet(&kv, &keys).await;
        let key_file = KeyFile::at("/nonexistent/key");
        let uuid = Uuid::from_u128(uuid);
        Examination::of(&kv, &keys, &name("xen1"), uuid, &key_file, peers).await
    }

    #[tokio::test(start_paused = true)]
    async fn hosts_that_are_alive_are_tried_and_those_that_do_not_answer_are_told_of() {
        let hosts = Hosts { away: name("xen2") };
        let Examination { status, etcd_read_ms, ways } = examined(1, Ok(&hosts)).await;
        let way = |host: &str, answer_ms, error: Option<&str>| Way {
            host: host.to_owned(),
            answer_ms,
            error: error.map(str::to_owned),
        };
        let expected = [
            way("xen1", Some(10), None),
            way("xen2", None, Some("xen2 cannot be reached")),
            way("xen3", Some(30), None),
        ];
        assert_eq!(ways, expected);
        assert_eq!(etcd_read_ms, Some(0));
        let problems = status.problems.iter().map(|problem| problem.what.as_str());
        assert_eq!(problems.filter(|what| what.contains("reached")).count(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_that_is_no_member_has_no_ways() {
        let hosts = Hosts { away: name("xen2") };
        let Examination { status, etcd_read_ms, ways } = examined(7, Ok(&hosts)).await;
        assert_eq!((status.is_member, etcd_read_ms, ways), (Some(false), None, Vec::new()));
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_certificate_the_fault_is_this_hosts() {
        let Examination { status, ways, .. } = examined(1, Err("no key")).await;
        let problems = status.problems.iter().map(|problem| problem.what.as_str());
        let of_ways: Vec<_> = problems.filter(|what| what.contains("ask")).collect();
        assert_eq!((of_ways, ways), (vec!["This host cannot ask others: no key"], Vec::new()));
    }
}

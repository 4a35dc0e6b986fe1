//! What an operator is told of a fleet: what there is, what is wrong, and what to type.

mod absences;
mod away;
mod contents;
mod definitions;
mod owners;
mod protected;
mod protection;

use super::key_file::KeyFile;
use super::keys::{HostKey, Keys};
use super::kv::{Entry, Kv, KvAlarm, KvServer};
use super::records::{ForgottenRecord, HostRecord, SCHEMAS, SchemaRecord};
use crate::core::fleet::{HostName, Member};
use crate::core::model::Uuid;
use crate::core::ownership::Boot;
use contents::{Contents, settled_contents};
use owners::{Dispute, Owners};
use serde::Serialize;

pub use away::AwayStatus;

/// A fleet, as one host sees it now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FleetStatus {
    /// The name of the fleet.
    pub fleet: String,
    /// The name of this host.
    pub host: String,
    /// This host's own UUID.
    pub uuid: Uuid,
    /// Whether this host is in the fleet; `None` while etcd does not answer.
    pub is_member: Option<bool>,
    /// The servers of etcd.
    pub etcd: Vec<EtcdStatus>,
    /// The members, sorted by name.
    pub members: Vec<MemberStatus>,
    /// The hosts that watch for hosts that die, sorted.
    pub takers: Vec<String>,
    /// The number of domains that are to be started elsewhere when their host dies.
    pub protected: usize,
    /// What is wrong; empty if all is well.
    pub problems: Vec<Problem>,
}

/// A server of etcd.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EtcdStatus {
    pub endpoint: String,
    /// `None` if it is of no use.
    pub version: Option<String>,
    /// Why it is of no use.
    pub error: Option<String>,
}

/// A member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MemberStatus {
    pub name: String,
    /// Whether its xend renews its lease.
    pub is_alive: bool,
    /// Whether it is away on purpose, so that it is not taken for dead.
    pub away: Option<AwayStatus>,
    /// Empty until its xend has run as a member.
    pub version: String,
    /// `HOST:PORT` of the listener for domains from other hosts.
    pub relocation: Option<String>,
    /// The fingerprint of the certificate that it shows to other hosts.
    pub fingerprint: Option<String>,
    /// The number of its domains, as it has written them.
    pub domains: usize,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    pub what: String,
    /// What a person does about it.
    pub advice: String,
}

impl Problem {
    pub(super) fn new(what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { what: what.into(), advice: advice.into() }
    }
}

impl FleetStatus {
    /// Asks etcd for all of it.
    pub async fn of(
        kv: &dyn Kv,
        keys: &Keys,
        host: &HostName,
        uuid: Uuid,
        key_file: &KeyFile,
    ) -> Self {
        Self::with_hosts(kv, keys, host, uuid, key_file).await.0
    }

    /// The same, and the hosts that can be asked, sorted by name: those that are alive and have a
    /// certificate.
    pub(super) async fn with_hosts(
        kv: &dyn Kv,
        keys: &Keys,
        host: &HostName,
        uuid: Uuid,
        key_file: &KeyFile,
    ) -> (Self, Vec<(HostName, Member)>) {
        let mut hosts = Vec::new();
        let mut status = Self {
            fleet: keys.cluster().to_string(),
            host: host.to_string(),
            uuid,
            is_member: None,
            etcd: Vec::new(),
            members: Vec::new(),
            takers: Vec::new(),
            protected: 0,
            problems: Vec::new(),
        };
        status.ask_servers(kv).await;
        match settled_contents(kv, keys, host).await {
            Ok(contents) => {
                status.judge(keys, host, &contents);
                hosts = contents.hosts_to_ask(keys);
                let Contents { key, homes, orphans, clashes, .. } = &contents;
                status.judge_definitions(keys, homes, orphans, clashes);
                let Contents { hosts, alive, protection, .. } = &contents;
                status.judge_protection(keys, hosts, alive, protection);
                if status.is_member == Some(true) {
                    status.judge_key(key.as_deref(), key_file).await;
                }
            }
            Err(error) => status.problems.push(Problem::new(
                error.to_string(),
                "see to etcd; until then, domains of this host are served as before, and those of \
                 other hosts are shown as they were",
            )),
        }
        (status, hosts)
    }

    async fn ask_servers(&mut self, kv: &dyn Kv) {
        let servers = kv.status().await.map(|status| status.endpoints).unwrap_or_default();
        let some_answer = servers.iter().any(|(_, server)| server.is_ok());
        for (endpoint, server) in servers {
            let (version, error) = match server {
                Ok(KvServer { version, alarms }) => {
                    self.problems.extend(alarms.iter().map(|alarm| of_alarm(&endpoint, *alarm)));
                    (Some(version), None)
                }
                Err(reason) => {
                    // If none answers, that is one problem, and what is read of etcd says it.
                    if some_answer {
                        let what = format!("etcd at {endpoint} is of no use: {reason}");
                        let advice =
                            "see to that server: the others do its work until one more fails";
                        self.problems.push(Problem::new(what, advice));
                    }
                    (None, Some(reason))
                }
            };
            self.etcd.push(EtcdStatus { endpoint, version, error });
        }
    }

    fn judge(&mut self, keys: &Keys, host: &HostName, contents: &Contents) {
        let fleet = keys.cluster();
        self.is_member = Some(false);
        let Some(schema) = &contents.schema else {
            let advice = "xend fleet init on its first host";
            self.problems.push(Problem::new(format!("There is no fleet {fleet}"), advice));
            return;
        };
        match SchemaRecord::decode(&schema.value) {
            Ok(record) if SCHEMAS.contains(record.schema) => {}
            Ok(SchemaRecord { schema }) => self.problems.push(Problem::new(
                format!("The fleet needs schema {schema}, which this xend does not speak"),
                "update xend on this host",
            )),
            Err(error) => self.problems.push(Problem::new(
                format!("{} makes no sense: {error}", schema.key),
                "update xend on this host, or restore etcd from a backup",
            )),
        }
        for entry in &contents.hosts {
            let Some(HostKey::Host(name)) = keys.parse(&entry.key) else { continue };
            match HostRecord::decode(&entry.value) {
                Ok(record) => {
                    let is_alive = contents.alive.contains(&name);
                    let domains = contents.domains.get(&name).copied().unwrap_or(0);
                    let boot = Boot { host: name.clone(), epoch: record.epoch };
                    let away = contents.protection.aways.get(&boot);
                    let away = away.map(|record| AwayStatus::of(*record));
                    // The silence of a host that is away is none.
                    let is_missed = !is_alive && away.is_none();
                    self.judge_member(host, &name, &record, is_missed);
                    self.judge_certificate(&name, &record);
                    self.members.push(MemberStatus {
                        name: name.to_string(),
                        is_alive,
                        away,
                        version: record.facts.version,
                        relocation: record.facts.relocation,
                        fingerprint: record.facts.fingerprint,
                        domains,
                    });
                }
                Err(error) => self.problems.push(Problem::new(
                    format!("{} makes no sense: {error}", entry.key),
                    "update xend on this host",
                )),
            }
        }
        self.judge_owners(keys, &contents.hosts, &contents.owners);
        if !contents.hosts.iter().any(|entry| entry.key == keys.host(host)) {
            self.problems.push(Problem::new(
                match ForgottenRecord::about(self.uuid, contents.forgotten.as_ref()) {
                    Some(note) => format!("This host, {host}, has been forgotten on {}", note.by),
                    None => format!("This host is not in the fleet by the name {host}"),
                },
                "xend fleet token on a member, and xend fleet join here",
            ));
        }
    }

    fn judge_member(
        &mut self,
        host: &HostName,
        name: &HostName,
        record: &HostRecord,
        is_missed: bool,
    ) {
        if name == host {
            if record.uuid != self.uuid {
                self.problems.push(Problem::new(
                    format!("The fleet's {name} is another host, with the UUID {}", record.uuid),
                    format!(
                        "give this host another name by (xend-fleet-host NAME), or xend fleet \
                         forget {name} if that one is gone for good, and xend fleet join"
                    ),
                ));
                return;
            }
            self.is_member = Some(true);
        }
        if !is_missed {
            return;
        }
        let problem = if name == host {
            Problem::new(
                format!("This host, {name}, is silent: its xend does not run, or not as a member"),
                "systemctl restart xend, and look for \"fleet\" in journalctl -u xend",
            )
        } else {
            Problem::new(
                format!("{name} is silent: it is off, cut off from etcd, or its xend does not run"),
                format!(
                    "look at {name}: its domains may still be running; there, xend fleet status \
                     says more, and systemctl start xend starts xend; if it is off, xend fleet \
                     confirm-dead {name}, and if it is gone for good, xend fleet forget {name}"
                ),
            )
        };
        self.problems.push(problem);
    }

    /// Says which domains nobody can start, and which may run twice.
    fn judge_owners(&mut self, keys: &Keys, hosts: &[Entry], owners: &Owners) {
        for (owner, domains) in &owners.domains {
            let record = keys.host(owner);
            if !hosts.iter().any(|entry| entry.key == record) {
                self.problems.push(Problem::new(
                    format!("{owner} is not in the fleet, and has domains of it ({domains})"),
                    format!("see that {owner} is off, and xend fleet forget {owner}"),
                ));
            }
        }
        for Dispute { domain, name, runs_on, owner } in &owners.disputes {
            self.problems.push(Problem::new(
                format!("Domain {name} ({domain}) runs on {runs_on}, and belongs to {owner}"),
                "it may run on both: destroy one of them",
            ));
        }
    }

    /// Says what keeps other hosts from asking this one. `members` has those before it.
    fn judge_certificate(&mut self, name: &HostName, record: &HostRecord) {
        // One that has joined and has not run yet says nothing of itself.
        let Some(fingerprint) = &record.facts.fingerprint else {
            if !record.facts.version.is_empty() {
                self.problems.push(Problem::new(
                    format!("{name} has no certificate: other hosts cannot ask it, nor it them"),
                    format!("(xend-relocation-ssl-server yes) on {name}, see docs/fleet.md"),
                ));
            }
            return;
        };
        let same = |member: &&MemberStatus| member.fingerprint.as_ref() == Some(fingerprint);
        if let Some(other) = self.members.iter().find(same) {
            self.problems.push(Problem::new(
                format!(
                    "{} and {name} have the same certificate: neither is known by it",
                    other.name
                ),
                "give each host a key and a certificate of its own",
            ));
        }
    }
}

fn of_alarm(endpoint: &str, alarm: KvAlarm) -> Problem {
    match alarm {
        KvAlarm::NoSpace => Problem::new(
            format!("etcd at {endpoint} says that a database is full, and takes no changes"),
            "etcdctl compaction REVISION, etcdctl defrag --cluster, and etcdctl alarm disarm; see \
             etcd's --quota-backend-bytes and --auto-compaction-retention",
        ),
        KvAlarm::Corrupt => Problem::new(
            format!("etcd at {endpoint} says that the data of a server are damaged"),
            "etcdctl alarm list names the server: stop it, and add it anew without its data",
        ),
    }
}

#[cfg(test)]
mod tests;

//! One change of `own/U`, from its first try to the knowledge of what came of it.
//!
//! A transaction compares the key's revision, that of the host's own record, and that there is no
//! fence of this boot of the host. After one in doubt the membership ends: the host's record is
//! written anew, so that what comes late fails, and then the key says what happened.

use super::record::OwnRecord;
use super::state::Owner;
use crate::core::model::Uuid;
use crate::core::ownership::{Boot, Next, NotOurs, Own, Step};
use crate::fleet::kv::{Committed, Compare, Entry, KvError, Op, Txn};
use crate::fleet::membership::{Ended, Membership};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// How long a change may take, without the transaction that is under way at its end.
pub(super) const STEP_LIMIT: Duration = Duration::from_secs(10);

/// How often a change is tried that others get in the way of.
const TRIES: usize = 16;

/// Why a change was not made.
#[derive(Debug)]
pub(super) enum Failed {
    /// It is not this host's to make.
    NotOurs(NotOurs),
    /// The fleet cannot be asked, or does not permit it.
    Unavailable {
        reason: String,
        /// Whether it may have happened.
        in_doubt: bool,
        scope: Scope,
    },
}

/// What cannot be changed either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// No domain: etcd does not answer.
    Silence,
    /// No domain of this host.
    Host,
    /// This domain alone.
    Domain,
}

/// Why one try did not make the change.
pub(super) enum Obstacle {
    NotOurs(NotOurs),
    /// Something has changed meanwhile.
    Changed,
    InDoubt,
    Silent(String),
    /// It is of no use to try again.
    Refused(String),
    /// The same, for this domain.
    Strange(String),
}

impl From<KvError> for Obstacle {
    fn from(error: KvError) -> Self {
        let reason = format!("The fleet's {error}");
        match error {
            KvError::Unreachable(_) => Self::Silent(reason),
            KvError::InDoubt(_) => Self::InDoubt,
            KvError::Refused(_) | KvError::Compacted | KvError::NoLease => Self::Refused(reason),
        }
    }
}

impl Owner {
    /// Makes a change, and tells in which membership: a host that has not joined has nothing to
    /// write. The caller has the domain's turn.
    pub(super) async fn step(
        &self,
        domain: Uuid,
        step: &Step,
    ) -> Result<Option<Membership>, Failed> {
        let op = self.entropy.uuid();
        let deadline = Instant::now() + STEP_LIMIT;
        let mut in_doubt = false;
        let unavailable =
            |reason, in_doubt, scope| Err(Failed::Unavailable { reason, in_doubt, scope });
        for _ in 0..TRIES {
            let membership = match self.place.membership(deadline).await {
                Ok(Some(membership)) => membership,
                Ok(None) => return Ok(None),
                Err(reason) => return unavailable(reason, in_doubt, Scope::Silence),
            };
            let attempt = Attempt { membership, domain, op, deadline };
            match self.try_step(&attempt, step).await {
                Ok(()) => return Ok(Some(membership)),
                Err(Obstacle::NotOurs(not_ours)) => return Err(Failed::NotOurs(not_ours)),
                Err(Obstacle::Changed) => {}
                Err(Obstacle::InDoubt) => {
                    in_doubt = true;
                    self.place.end(membership, Ended::InDoubt);
                }
                Err(Obstacle::Silent(reason)) => {
                    return unavailable(reason, in_doubt, Scope::Silence);
                }
                Err(Obstacle::Refused(reason)) => {
                    return unavailable(reason, in_doubt, Scope::Host);
                }
                Err(Obstacle::Strange(reason)) => {
                    return unavailable(reason, in_doubt, Scope::Domain);
                }
            }
        }
        let reason = "Other hosts change in the fleet to whom it belongs".to_owned();
        unavailable(reason, in_doubt, Scope::Domain)
    }

    async fn try_step(&self, attempt: &Attempt, step: &Step) -> Result<(), Obstacle> {
        let Attempt { membership, domain, op, deadline } = *attempt;
        let key = self.keys.own(domain);
        let found = self.get(&key, deadline).await?;
        let own = found.as_ref().map(read).transpose()?;
        self.check_restored(step, own.as_ref())?;
        if own.as_ref().is_some_and(|own| own.op == op) {
            return Ok(());
        }
        let by = Boot { host: self.host.clone(), epoch: membership.epoch };
        let next = step.after(own.as_ref(), &by, op).map_err(Obstacle::NotOurs)?;
        let revision = found.map(|entry| entry.modified);
        let mut compares = vec![
            Compare::Modified(self.keys.host(&self.host), membership.revision),
            match revision {
                Some(revision) => Compare::Modified(key.clone(), revision),
                None => Compare::Absent(key.clone()),
            },
        ];
        let fence = self.keys.fence(&self.host, membership.epoch);
        let op = match next {
            Next::Same => return Ok(()),
            Next::Remove => Op::Delete { key: key.clone() },
            Next::Write(own) => {
                compares.push(Compare::Absent(fence.clone()));
                Op::Put { key: key.clone(), value: OwnRecord::encode(&own), lease: None }
            }
        };
        let before = self.told.highest();
        if let Committed::Yes(now) = self.kv.commit(Txn { compares, ops: vec![op] }).await? {
            if self.told.has_gone_back(before, now) {
                // Who has the domain was read from the backup.
                self.etcd_was_restored();
                return Err(Obstacle::InDoubt);
            }
            return Ok(());
        }
        if *step != Step::Halt && self.get(&fence, deadline).await?.is_some() {
            return Err(Obstacle::Refused(format!("This host is fenced ({fence} in etcd)")));
        }
        let now = self.get(&key, deadline).await?.map(|entry| entry.modified);
        if now == revision {
            // What is left is the host's own record.
            self.place.end(membership, Ended::Changed);
        }
        Err(Obstacle::Changed)
    }

    async fn get(&self, key: &str, deadline: Instant) -> Result<Option<Entry>, Obstacle> {
        match timeout_at(deadline, self.kv.get(key)).await {
            Ok(found) => Ok(found?),
            Err(_) => Err(Obstacle::Silent("The fleet's etcd is too slow".to_owned())),
        }
    }

    /// Fails if the step takes a domain, and etcd can have forgotten that another host has it.
    fn check_restored(&self, step: &Step, own: Option<&Own>) -> Result<(), Obstacle> {
        let takes = match step {
            Step::Claim => true,
            Step::Receive { .. } | Step::TakeBack { .. } => own.is_none(),
            Step::Run | Step::Hold | Step::Move { .. } | Step::Halt => false,
        };
        if !takes || !self.is_restored() {
            return Ok(());
        }
        let reason = "The fleet's etcd was restored from a backup, and may not know which domains run \
                      on other hosts (when each host shows its own in xend fleet status, restart xend \
                      here)";
        Err(Obstacle::Refused(reason.to_owned()))
    }
}

/// One try of a change.
struct Attempt {
    membership: Membership,
    domain: Uuid,
    /// The change.
    op: Uuid,
    deadline: Instant,
}

/// Reads a value of `own/U`.
pub(super) fn read(entry: &Entry) -> Result<Own, Obstacle> {
    let strange = |reason| format!("The value of {} in etcd is strange: {reason}", entry.key);
    OwnRecord::decode(&entry.value).map_err(|reason| Obstacle::Strange(strange(reason)))
}

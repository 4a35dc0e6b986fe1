//! One change of what etcd has of a domain, from its first try to the knowledge of what came of it.
//!
//! A transaction compares the keys that it was made from, the host's own record, and that there is
//! no fence of this boot of the host. After one in doubt the membership ends: the host's record is
//! written anew, so that what comes late fails, and then the keys say what happened.

use super::sealed::Unsealed;
use super::state::Owner;
use crate::core::fleet_domain::{Act, DefinitionStep, Refusal};
use crate::core::model::{CompleteConfig, Invalid, Uuid};
use crate::core::ownership::{Boot, Own, Step};
use crate::fleet::domain::{FoundDomain, Trouble};
use crate::fleet::kv::{Committed, Compare, Entry, KvError, Op, Revision};
use crate::fleet::membership::{Ended, Membership};
use crate::fleet::protection_records::{FenceRecord, FenceStep};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// How long a change may take, without the transaction that is under way at its end.
pub(super) const STEP_LIMIT: Duration = Duration::from_secs(10);

/// How often a change is tried that others get in the way of.
const TRIES: usize = 16;

const TOO_SLOW: &str = "The fleet's etcd is too slow";

/// What came of a change.
#[derive(Debug, Clone, Copy)]
pub(super) enum Done {
    /// Nothing: a host that has not joined has nothing to write.
    Outside,
    /// Nothing: it was so already.
    Same,
    Written(Written),
}

/// A change that was made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Written {
    pub(super) op: Uuid,
    pub(super) revision: Revision,
}

/// Why a change was not made.
#[derive(Debug)]
pub(super) enum Failed {
    /// The guard does not take a domain that is protected. With the reason, and what to do.
    Unguarded(String),
    /// It is not this host's to make.
    Refused(Refusal),
    /// The definition is too long for a fleet.
    TooLong(Invalid),
    /// The passwords in it cannot be sealed, for this reason.
    NoKey(String),
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
enum Obstacle {
    NotOurs(Refusal),
    /// Something has changed meanwhile.
    Changed,
    InDoubt,
    Silent(String),
    /// It is of no use to try again.
    Refused(String),
    /// The same, for this domain.
    Strange(String),
}

impl From<Unsealed> for Failed {
    fn from(unsealed: Unsealed) -> Self {
        match unsealed {
            Unsealed::TooLong(invalid) => Self::TooLong(invalid),
            Unsealed::NoKey(reason) => Self::NoKey(reason),
            // It is sealed before the first try.
            Unsealed::Unknown(error) => Self::Unavailable {
                reason: format!("The fleet's {error}"),
                in_doubt: false,
                scope: Scope::Silence,
            },
        }
    }
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

impl From<Trouble> for Obstacle {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Kv(error) => error.into(),
            Trouble::Strange(reason) => Self::Strange(reason),
            Trouble::Refused(refusal) => Self::NotOurs(refusal),
        }
    }
}

impl Owner {
    /// Makes a change. The caller has the domain's turn. `definition` is what is put.
    pub(super) async fn act(
        &self,
        domain: Uuid,
        act: &Act,
        definition: Option<&CompleteConfig>,
    ) -> Result<Done, Failed> {
        let op = self.entropy.uuid();
        let deadline = Instant::now() + STEP_LIMIT;
        let mut in_doubt = false;
        let mut text: Option<String> = None;
        let unavailable =
            |reason, in_doubt, scope| Err(Failed::Unavailable { reason, in_doubt, scope });
        for _ in 0..TRIES {
            let membership = match self.place.membership(deadline).await {
                Ok(Some(membership)) => membership,
                Ok(None) => return Ok(Done::Outside),
                Err(reason) => return unavailable(reason, in_doubt, Scope::Silence),
            };
            // Not before: a host in no fleet has no key.
            if let (Some(definition), None) = (definition, &text) {
                text = Some(self.sealed_until(deadline, definition).await?);
            }
            let text = text.as_deref();
            let attempt = Attempt { membership, domain, op, text, deadline };
            match self.try_act(&attempt, act).await {
                Ok(done) => return Ok(done),
                Err(Obstacle::NotOurs(refusal)) => return Err(Failed::Refused(refusal)),
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
        let reason = "Other hosts change what the fleet has of it".to_owned();
        unavailable(reason, in_doubt, Scope::Domain)
    }

    /// A step of ownership alone.
    pub(super) async fn step(&self, domain: Uuid, step: Step) -> Result<Done, Failed> {
        let name = self.locals().name(domain);
        self.act(domain, &Act::own(step, name), None).await
    }

    async fn try_act(&self, attempt: &Attempt<'_>, act: &Act) -> Result<Done, Obstacle> {
        let Attempt { membership, domain, op, text, deadline } = *attempt;
        let found = within(deadline, FoundDomain::read(&*self.kv, &self.keys, domain)).await?;
        if let Some(step) = &act.own {
            self.check_restored(step, found.domain.own.as_ref())?;
        }
        if found.domain.is_of(op) {
            let revision = found.definition.map_or(Revision(0), |entry| entry.modified);
            return Ok(Done::Written(Written { op, revision }));
        }
        let by = Boot { host: self.host.clone(), epoch: membership.epoch };
        let guarded = self.is_guarded(domain, &by, found.domain.own.as_ref());
        let after = found.domain.after(act, &by, op, guarded).map_err(Obstacle::NotOurs)?;
        if after == found.domain {
            return Ok(Done::Same);
        }
        let txn = found.txn(&*self.kv, &self.keys, &after, text);
        let mut txn = within(deadline, txn).await?;
        let host = self.keys.host(&self.host);
        txn.compares.push(Compare::Modified(host.clone(), membership.revision));
        let fence = self.keys.fence(&self.host, membership.epoch);
        let gives_up = matches!(act.own, Some(Step::Halt | Step::GiveBack { .. }))
            || act.definition == Some(DefinitionStep::Remove);
        if !gives_up {
            txn.compares.push(Compare::Absent(fence.clone()));
        }
        if let Some(Step::TakeOver { from }) = &act.own {
            txn.compares.push(self.ended_boot(deadline, from).await?);
            // Nobody else removes what that host has told of the domain.
            txn.ops.push(Op::Delete { key: self.keys.view(&from.host, domain) });
        }
        let before = self.told.highest();
        if let Committed::Yes(revision) = self.kv.commit(txn).await? {
            if self.told.has_gone_back(before, revision) {
                // What the fleet has of the domain was read from the backup.
                self.etcd_was_restored();
                return Err(Obstacle::InDoubt);
            }
            return Ok(Done::Written(Written { op, revision }));
        }
        let get = async |key: &str| within(deadline, async { Ok(self.kv.get(key).await?) }).await;
        if !gives_up && get(&fence).await?.is_some() {
            return Err(Obstacle::Refused(format!("This host is fenced ({fence} in etcd)")));
        }
        let record = get(&host).await?;
        if record.is_none_or(|record| record.modified != membership.revision) {
            self.place.end(membership, Ended::Changed);
        }
        Err(Obstacle::Changed)
    }

    /// What a takeover compares: that the guarded domains of this boot have ended.
    async fn ended_boot(&self, deadline: Instant, from: &Boot) -> Result<Compare, Obstacle> {
        let key = self.keys.fence(&from.host, from.epoch);
        let fence = within(deadline, async { Ok(self.kv.get(&key).await?) }).await?;
        let has_ended = |entry: &Entry| {
            FenceRecord::decode(&entry.value).is_ok_and(|fence| fence.step >= FenceStep::Waited)
        };
        match fence.filter(has_ended) {
            Some(fence) => Ok(Compare::Modified(key, fence.modified)),
            None => Err(Obstacle::Strange(format!("{key} does not say that this boot has ended"))),
        }
    }

    async fn sealed_until(
        &self,
        deadline: Instant,
        definition: &CompleteConfig,
    ) -> Result<String, Failed> {
        match timeout_at(deadline, self.sealed(definition)).await {
            Ok(sealed) => Ok(sealed?),
            Err(_) => Err(Failed::Unavailable {
                reason: TOO_SLOW.to_owned(),
                in_doubt: false,
                scope: Scope::Silence,
            }),
        }
    }

    /// Fails if the step takes a domain, and etcd can have forgotten that another host has it.
    fn check_restored(&self, step: &Step, own: Option<&Own>) -> Result<(), Obstacle> {
        let takes = match step {
            Step::Claim => true,
            Step::Receive { .. } | Step::TakeBack { .. } => own.is_none(),
            // That the other host has ended is known by a key that was read just now.
            Step::TakeOver { .. }
            | Step::Return { .. }
            | Step::GiveBack { .. }
            | Step::Run
            | Step::Hold
            | Step::Move { .. }
            | Step::Halt => false,
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
#[derive(Clone, Copy)]
struct Attempt<'a> {
    membership: Membership,
    domain: Uuid,
    /// The change.
    op: Uuid,
    /// The definition that is put.
    text: Option<&'a str>,
    deadline: Instant,
}

/// What etcd answers until the deadline.
async fn within<T>(
    deadline: Instant,
    asked: impl Future<Output = Result<T, Trouble>>,
) -> Result<T, Obstacle> {
    match timeout_at(deadline, asked).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Obstacle::Silent(TOO_SLOW.to_owned())),
    }
}

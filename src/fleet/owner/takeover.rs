//! Starting a domain here that another host had which has ended, or that this host had and its
//! guard has ended.

use super::state::Owner;
use super::step::{Done, Failed};
use crate::core::error::Error;
use crate::core::fleet_domain::{Act, DefinitionStep};
use crate::core::model::{DomName, Uuid};
use crate::core::ownership::{Boot, Step};
use crate::core::ports::Copies;
use crate::fleet::domain::{FoundDomain, Trouble};
use crate::fleet::kv::{Committed, Compare, Entry, KvError, Op, Txn};
use crate::fleet::protection_records::{FailedTry, MAX_TRIES, TakeoverRecord};
use crate::fleet::records::shortened;
use std::pin::Pin;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use tracing::{error, info, warn};

/// How long a domain waits for its definition to be here, once etcd says that it is this host's.
const DEFINITION_LIMIT: Duration = Duration::from_secs(20);
const DEFINITION_PERIOD: Duration = Duration::from_millis(100);
/// How long is waited before a start is tried again.
const RETRY: Duration = Duration::from_secs(5);
/// The longest reason that is written into etcd, in bytes.
const MAX_REASON: usize = 300;

/// A start that is under way.
pub(super) type Run<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// What came of an attempt to have a domain run here.
enum Outcome {
    /// It runs, or is none of this host's.
    Over,
    /// etcd or the guard does not answer, or the domain is busy: it is tried again.
    Later(String),
    /// It cannot be started here.
    Failed(String),
}

/// The takeover of a domain by this host, as etcd has it.
struct Assigned {
    entry: Entry,
    record: TakeoverRecord,
    from: Boot,
}

impl Owner {
    /// A host is to take a domain over. If it is this one, it does so.
    pub(super) fn note_takeover(&self, entry: &Entry) {
        let record = TakeoverRecord::decode(&entry.value).ok();
        let is_own = record.is_some_and(|record| self.is_to_try(&record));
        if let Some(domain) = self.keys.parse_takeover(&entry.key).filter(|_| is_own) {
            self.registrations().want(domain);
        }
    }

    /// Whether this host is to take a domain over, and has not failed to.
    fn is_to_try(&self, record: &TakeoverRecord) -> bool {
        let own = self.host.to_string();
        let has_failed = record.failed.iter().any(|tried| tried.host == own);
        record.to.as_ref() == Some(&own) && !has_failed
    }

    /// Starts a domain that is wanted here, or finds out that it is not.
    pub(super) async fn run_wanted(&self, domain: Uuid, copies: &dyn Copies) {
        match self.try_to_run(domain, copies).await {
            Outcome::Over => self.registrations().unwant(domain),
            Outcome::Later(reason) => {
                let name = shown(self.locals().name(domain), domain);
                warn!(domain = %name, reason, "A protected domain is started later");
            }
            Outcome::Failed(reason) => self.give_up(domain, reason).await,
        }
        if self.registrations().is_wanted(domain) {
            sleep(RETRY).await;
        }
        self.registrations().end_run(domain);
        self.guard_news.notify_one();
    }

    async fn try_to_run(&self, domain: Uuid, copies: &dyn Copies) -> Outcome {
        let found = match FoundDomain::read(&*self.kv, &self.keys, domain).await {
            Ok(found) => found,
            Err(Trouble::Strange(reason)) => return Outcome::Failed(reason),
            Err(Trouble::Kv(error)) => return Outcome::Later(format!("The fleet's {error}")),
            Err(Trouble::Refused(_)) => {
                return Outcome::Later("Other hosts change what the fleet has of it".to_owned());
            }
        };
        let assigned = match self.assigned(domain).await {
            Ok(assigned) => assigned,
            Err(error) => return Outcome::Later(format!("The fleet's {error}")),
        };
        let is_here = || self.locals().stage(domain).is_some();
        let owner = found.domain.own.map(|own| own.by);
        match (owner, &assigned) {
            (Some(by), _) if by.host == self.host => {}
            (Some(by), Some(assigned)) if by == assigned.from => {
                if let Err(outcome) = self.take_over(domain, &assigned.from).await {
                    return outcome;
                }
            }
            _ => {
                // Somebody else has it, or has ended it.
                if !is_here() {
                    self.registrations().set_free(domain);
                }
                return Outcome::Over;
            }
        }
        if !is_here() {
            let began = Instant::now();
            while copies.definition(domain).is_none() {
                if began.elapsed() >= DEFINITION_LIMIT {
                    return Outcome::Failed("its definition does not get here".to_owned());
                }
                sleep(DEFINITION_PERIOD).await;
            }
            match copies.start(domain).await {
                Ok(()) => {}
                Err(
                    error @ (Error::FleetUnavailable { .. }
                    | Error::OwnerUnknown { .. }
                    | Error::Undecided { .. }
                    | Error::InDoubt { .. }
                    | Error::Busy(_)),
                ) => return Outcome::Later(error.to_string()),
                Err(error) => return Outcome::Failed(error.to_string()),
            }
        }
        let name = shown(self.locals().name(domain), domain);
        if let Some(assigned) = assigned {
            let from = &assigned.from.host;
            info!(domain = %name, %from, "A domain of a host that has ended runs here now");
            self.change_takeover(&assigned.entry, None).await;
        } else {
            info!(domain = %name, "A protected domain runs again");
        }
        Outcome::Over
    }

    /// The takeover of a domain, if this host is to try it.
    async fn assigned(&self, domain: Uuid) -> Result<Option<Assigned>, KvError> {
        let Some(entry) = self.kv.get(&self.keys.takeover(domain)).await? else { return Ok(None) };
        let record = TakeoverRecord::decode(&entry.value).ok();
        let record = record.filter(|record| self.is_to_try(record));
        Ok(record.and_then(|record| {
            let from = record.from()?;
            Some(Assigned { entry, record, from })
        }))
    }

    /// Makes a domain of a boot that has ended this host's, with its definition. The guard has it
    /// before.
    async fn take_over(&self, domain: Uuid, from: &Boot) -> Result<(), Outcome> {
        let _turn = self.turn(domain).await;
        let registered = self.guard.register(domain).await;
        let epoch = registered.map_err(|failure| Outcome::Failed(failure.to_string()))?;
        self.registrations().add(domain, epoch, false);
        let act = Act {
            own: Some(Step::TakeOver { from: from.clone() }),
            definition: Some(DefinitionStep::TakeOver { from: from.host.clone() }),
            name: None,
        };
        match self.act(domain, &act, None).await {
            Ok(Done::Same | Done::Written(_)) => Ok(()),
            Ok(Done::Outside) => Err(Outcome::Later("this host is in no fleet".to_owned())),
            Err(Failed::Refused(_)) => {
                // It is another one's by now: what was asked for cannot happen any more.
                self.registrations().set_free(domain);
                Err(Outcome::Over)
            }
            Err(failed) => Err(Outcome::Later(self.failure(domain, failed, false).to_string())),
        }
    }

    /// A domain cannot be started here: another host may try, or it stays halted.
    async fn give_up(&self, domain: Uuid, reason: String) {
        let name = shown(self.locals().name(domain), domain);
        // Else it is tried again, and fails again.
        let Ok(assigned) = self.assigned(domain).await else { return };
        let Some(Assigned { entry, mut record, from }) = assigned else {
            let tries = self.registrations().note_failure(domain);
            error!(domain = %name, tries, reason, "A protected domain cannot be started again");
            if tries >= MAX_TRIES {
                self.registrations().unwant(domain);
                self.tell(domain);
            }
            return;
        };
        error!(domain = %name, from = %from.host, reason, "A domain cannot be taken over");
        let act = Act {
            own: Some(Step::Return { to: from.clone() }),
            definition: Some(DefinitionStep::Return { to: from.host }),
            name: None,
        };
        let returned = {
            let _turn = self.turn(domain).await;
            self.act(domain, &act, None).await
        };
        // One that another host has by now is none of this one's.
        if !matches!(returned, Ok(_) | Err(Failed::Refused(_))) {
            return;
        }
        self.registrations().set_free(domain);
        let reason = shortened(&reason, MAX_REASON);
        record.failed.push(FailedTry { host: self.host.to_string(), reason });
        record.op = self.entropy.uuid();
        if self.change_takeover(&entry, Some(record)).await {
            self.registrations().unwant(domain);
        }
    }

    /// Writes what has become of a takeover; `None` if it is over. Tells whether that is done, or
    /// not needed any more.
    async fn change_takeover(&self, entry: &Entry, record: Option<TakeoverRecord>) -> bool {
        let key = entry.key.clone();
        let compares = vec![Compare::Modified(key.clone(), entry.modified)];
        let op = match record {
            Some(record) => Op::put(key, record.encode()),
            None => Op::Delete { key },
        };
        let committed = self.kv.commit(Txn { compares, ops: vec![op] }).await;
        matches!(committed, Ok(Committed::Yes(_) | Committed::No))
    }
}

/// What a domain is called in messages.
fn shown(name: Option<DomName>, domain: Uuid) -> String {
    name.map_or_else(|| domain.to_string(), |name| name.to_string())
}

//! What etcd says, one change at a time.

use crate::core::model::Uuid;
use crate::core::ownership::Boot;
use crate::core::taker::{Fence, Guarded, Policy, Seen, Takeover};
use crate::fleet::domain::OwnRecord;
use crate::fleet::keys::{HostKey, Keys};
use crate::fleet::kv::{Entry, KvError, KvEvent, Watched};
use crate::fleet::protection_records::{FenceRecord, FenceStep, PolicyRecord, TakeoverRecord};
use crate::fleet::records::HostRecord;

/// What is known.
pub(super) struct Known {
    keys: Keys,
    pub(super) seen: Seen,
}

impl Known {
    /// Nothing, on this boot of this host.
    pub(super) fn new(keys: Keys, own: Boot) -> Self {
        Self { keys, seen: Seen::nothing(own) }
    }

    /// Below which a taker looks. Domains come before what is said of their hosts, and fences last.
    pub(super) fn prefixes(keys: &Keys) -> [String; 8] {
        [
            keys.takers(),
            keys.policies(),
            keys.takeovers(),
            keys.owns(),
            keys.hosts(),
            keys.alives(),
            keys.aways(),
            keys.fences(),
        ]
    }

    /// Takes in what a watch tells; `None` if it has ended.
    pub(super) fn take_in(
        &mut self,
        told: Option<Result<Watched, KvError>>,
    ) -> Result<(), KvError> {
        let ended = || KvError::Unreachable("the watches have ended".to_owned());
        if let Watched::Events(events) = told.ok_or_else(ended)?? {
            for event in &events {
                match event {
                    KvEvent::Put(entry) => self.put(entry),
                    KvEvent::Deleted { key, .. } => self.delete(key),
                }
            }
        }
        Ok(())
    }

    /// Takes in a value. What makes no sense counts as what keeps a taker from doing something.
    pub(super) fn put(&mut self, Entry { key, value, .. }: &Entry) {
        let Self { keys, seen } = self;
        if let Some(host) = keys.parse(key) {
            match host {
                HostKey::Host(host) => {
                    let epoch = HostRecord::decode(value).map_or(0, |record| record.epoch);
                    seen.hosts.insert(host, epoch);
                }
                HostKey::Alive(host) => {
                    seen.alive.insert(host);
                }
                HostKey::View(..) => {}
            }
        } else if let Some((host, epoch)) = keys.parse_fence(key) {
            seen.fences.insert(Boot { host, epoch }, fence(value));
        } else if let Some((host, epoch)) = keys.parse_away(key) {
            seen.aways.insert(Boot { host, epoch });
        } else if let Some(host) = keys.parse_taker(key) {
            seen.takers.insert(host);
        } else if let Some(domain) = keys.parse_own(key) {
            match OwnRecord::decode(value) {
                Ok(own) if own.guarded => {
                    seen.guarded.insert(domain, Guarded { by: own.by, name: own.name });
                }
                Ok(_) | Err(_) => {
                    seen.guarded.remove(&domain);
                }
            }
        } else if let Some(domain) = keys.parse_policy(key) {
            match PolicyRecord::decode(value) {
                Ok(PolicyRecord { restart, priority }) => {
                    let tries = usize::try_from(restart.tries()).unwrap_or(usize::MAX);
                    seen.policies.insert(domain, Policy { tries, priority });
                }
                Err(_) => {
                    seen.policies.remove(&domain);
                }
            }
        } else if let Some(domain) = keys.parse_takeover(key) {
            seen.takeovers.insert(domain, takeover(value));
        }
    }

    fn delete(&mut self, key: &str) {
        let Self { keys, seen } = self;
        let of_domain = |domain: Option<Uuid>| domain.unwrap_or_default();
        match keys.parse(key) {
            Some(HostKey::Host(host)) => {
                seen.hosts.remove(&host);
            }
            Some(HostKey::Alive(host)) => {
                seen.alive.remove(&host);
            }
            Some(HostKey::View(..)) | None => {}
        }
        if let Some((host, epoch)) = keys.parse_fence(key) {
            seen.fences.remove(&Boot { host, epoch });
        }
        if let Some((host, epoch)) = keys.parse_away(key) {
            seen.aways.remove(&Boot { host, epoch });
        }
        if let Some(host) = keys.parse_taker(key) {
            seen.takers.remove(&host);
        }
        seen.guarded.remove(&of_domain(keys.parse_own(key)));
        seen.policies.remove(&of_domain(keys.parse_policy(key)));
        seen.takeovers.remove(&of_domain(keys.parse_takeover(key)));
    }
}

fn fence(value: &[u8]) -> Fence {
    match FenceRecord::decode(value) {
        Ok(FenceRecord { step: FenceStep::Declared, op, .. }) => Fence::Declared { op },
        Ok(FenceRecord { step: FenceStep::Waited | FenceStep::Confirmed, .. }) => Fence::Ended,
        Err(_) => Fence::Strange,
    }
}

/// What a takeover says; `None` if it makes no sense.
pub(super) fn takeover(value: &[u8]) -> Option<Takeover> {
    let record = TakeoverRecord::decode(value).ok()?;
    let failed = record.failed.iter().map(|tried| tried.host.parse().ok());
    Some(Takeover {
        from: record.from()?,
        to: record.to.as_ref().and_then(|to| to.parse().ok()),
        failed: failed.collect::<Option<_>>()?,
    })
}

//! What etcd says, as far as it matters to a taker.

use crate::core::fleet::HostName;
use crate::core::model::{DomName, Uuid};
use crate::core::ownership::Boot;
use std::collections::{BTreeMap, BTreeSet};

/// How far a fence is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fence {
    /// The host may still be ending its guarded domains. `op` is the change that wrote this.
    Declared { op: Uuid },
    /// A taker has waited, or a person says so: the guarded domains of this boot have ended.
    Ended,
    /// Its value makes no sense to this version. The boot is fenced, and nothing is known of its
    /// domains.
    Strange,
}

/// A guarded domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guarded {
    pub by: Boot,
    /// `None` if another domain has its name.
    pub name: Option<DomName>,
}

/// What becomes of a domain when its host dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// On how many hosts it is tried.
    pub tries: usize,
    pub priority: u8,
}

impl Policy {
    /// Of a guarded domain whose policy has gone: its host was about to let it go.
    const NONE: Self = Self { tries: 1, priority: 0 };
}

/// That a host is to start a domain of another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Takeover {
    pub from: Boot,
    /// `None` if somebody has to look at it.
    pub to: Option<HostName>,
    /// The hosts that could not.
    pub failed: Vec<HostName>,
}

/// What etcd says.
#[derive(Debug, Clone)]
pub struct Seen {
    /// This boot of this host.
    pub own: Boot,
    /// The members, each with its last epoch; 0 of one that has not run yet, or is of another
    /// version.
    pub hosts: BTreeMap<HostName, u64>,
    pub alive: BTreeSet<HostName>,
    /// The boots that are away on purpose.
    pub aways: BTreeSet<Boot>,
    pub fences: BTreeMap<Boot, Fence>,
    pub takers: BTreeSet<HostName>,
    pub guarded: BTreeMap<Uuid, Guarded>,
    pub policies: BTreeMap<Uuid, Policy>,
    /// `None` has a value that makes no sense to this version.
    pub takeovers: BTreeMap<Uuid, Option<Takeover>>,
}

impl Seen {
    /// Nothing, as this boot of this host sees it.
    pub fn nothing(own: Boot) -> Self {
        Self {
            own,
            hosts: BTreeMap::new(),
            alive: BTreeSet::new(),
            aways: BTreeSet::new(),
            fences: BTreeMap::new(),
            takers: BTreeSet::new(),
            guarded: BTreeMap::new(),
            policies: BTreeMap::new(),
            takeovers: BTreeMap::new(),
        }
    }

    /// The last boot of a member that has run.
    pub fn last_boot(&self, host: &HostName) -> Option<Boot> {
        let epoch = *self.hosts.get(host).filter(|epoch| **epoch > 0)?;
        Some(Boot { host: host.clone(), epoch })
    }

    /// Whether a boot gets no domain any more.
    pub fn is_fenced(&self, boot: &Boot) -> bool {
        self.fences.contains_key(boot)
    }

    /// Whether a boot is to be given no domain.
    pub fn is_barred(&self, boot: &Boot) -> bool {
        self.is_fenced(boot) || self.aways.contains(boot)
    }

    /// The hosts that are to be given no domain.
    pub fn barred(&self) -> BTreeSet<HostName> {
        let boots = self.hosts.keys().filter_map(|host| self.last_boot(host));
        boots.filter(|boot| self.is_barred(boot)).map(|boot| boot.host).collect()
    }

    /// The boots that have guarded domains.
    pub fn guarded_boots(&self) -> BTreeSet<Boot> {
        self.guarded.values().map(|domain| domain.by.clone()).collect()
    }

    /// What becomes of a guarded domain.
    pub fn policy(&self, domain: Uuid) -> Policy {
        self.policies.get(&domain).copied().unwrap_or(Policy::NONE)
    }

    /// Whether this host is the taker that assigns domains to hosts: the first by name of those
    /// that can. If two hosts take themselves for it, what one of them writes fails.
    pub fn assigns(&self) -> bool {
        let can = |host: &&HostName| {
            let is_heard = **host == self.own.host || self.alive.contains(*host);
            is_heard && self.last_boot(host).is_some_and(|boot| !self.is_fenced(&boot))
        };
        self.takers.iter().find(can) == Some(&self.own.host)
    }
}

//! What this host has its guard do, and which domains it wants to run again.

use crate::core::model::Uuid;
use crate::fleet::guard::GuardedHere;
use std::collections::{BTreeMap, BTreeSet};

/// A domain that the guard has.
#[derive(Debug, Clone, Copy)]
struct Registration {
    epoch: u64,
    build: Build,
    going: Going,
}

/// Whether the build of a domain is over, which the guard has to know: before that, it cannot tell
/// whether the domain is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Build {
    UnderWay,
    Over,
    /// The guard knows.
    Told,
}

/// The way out of the guard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Going {
    Stays,
    /// etcd is to say first that it is not guarded.
    Wanted,
    /// etcd says so.
    Free,
}

/// Whether the host is away on purpose.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Absence {
    #[default]
    Present,
    /// etcd is to say so.
    Leaving,
    /// etcd says so: no taker fences this boot. The guard may not know.
    Acknowledged,
    /// The guard has unset its timers.
    Away,
}

/// The domains of this host that are guarded, or are to be.
#[derive(Debug, Default)]
pub(super) struct Registrations {
    /// Whether the guard was asked what it has from an earlier run of the daemon.
    is_known: bool,
    here: BTreeMap<Uuid, Registration>,
    /// The domains with a policy, here or not.
    protected: BTreeSet<Uuid>,
    /// Domains that have ended, or not begun, and that this host is to start. With the number of
    /// times that it has tried.
    wanted: BTreeMap<Uuid, u32>,
    /// Those of them that are being started.
    starting: BTreeSet<Uuid>,
    absence: Absence,
    /// Domains that were built anew while no guard was asked.
    rebuilt: BTreeSet<Uuid>,
}

impl Registrations {
    /// What the guard has from an earlier run of the daemon: no build of that one goes on.
    pub(super) fn restore(&mut self, guarded: &GuardedHere) {
        self.is_known = true;
        for domain in &guarded.domains {
            let Some(epoch) = guarded.epoch else { continue };
            let restored = Registration { epoch, build: Build::Over, going: Going::Stays };
            self.here.entry(*domain).or_insert(restored);
        }
    }

    /// The same, unless it is known.
    pub(super) fn restore_once(&mut self, guarded: &GuardedHere) {
        if !self.is_known {
            self.restore(guarded);
        }
    }

    /// Whether the guard has some domain, as far as is known.
    pub(super) fn has_some(&self) -> bool {
        !self.here.is_empty()
    }

    /// The number of domains that the guard has.
    pub(super) fn count_if_known(&self) -> Option<usize> {
        self.is_known.then_some(self.here.len())
    }

    pub(super) const fn is_known(&self) -> bool {
        self.is_known
    }

    /// A boot that is not this epoch has ended, and all that it guarded.
    pub(super) fn begin(&mut self, epoch: u64) {
        self.here.retain(|_, registration| registration.epoch == epoch);
    }

    /// The guard has a domain whose build begins, or which is here already.
    pub(super) fn add(&mut self, domain: Uuid, epoch: u64, is_built: bool) {
        let build = if is_built { Build::Over } else { Build::UnderWay };
        self.here.insert(domain, Registration { epoch, build, going: Going::Stays });
    }

    /// Whether the guard has a domain.
    pub(super) fn contains(&self, domain: Uuid) -> bool {
        self.here.contains_key(&domain)
    }

    /// The epoch in which the guard has a domain and is to keep it.
    pub(super) fn epoch_of(&self, domain: Uuid) -> Option<u64> {
        let registration = self.here.get(&domain)?;
        (registration.going == Going::Stays).then_some(registration.epoch)
    }

    /// The build of a domain is over, and the guard may know that.
    pub(super) fn end_build(&mut self, domain: Uuid, is_told: bool) {
        if let Some(registration) = self.here.get_mut(&domain) {
            let is_known = is_told || registration.build == Build::Told;
            registration.build = if is_known { Build::Told } else { Build::Over };
        }
    }

    /// The domains whose build is over, and the guard does not know.
    pub(super) fn untold(&self) -> Vec<Uuid> {
        self.having(|registration| registration.build == Build::Over)
    }

    /// etcd says that a domain is not guarded, or not this host's any more.
    pub(super) fn set_free(&mut self, domain: Uuid) {
        if let Some(registration) = self.here.get_mut(&domain) {
            registration.going = Going::Free;
        }
    }

    /// The domains of which etcd says so.
    pub(super) fn free(&self) -> Vec<Uuid> {
        self.having(|registration| registration.going == Going::Free)
    }

    /// The guard has a domain no more, unless it was registered anew.
    pub(super) fn remove_free(&mut self, domain: Uuid) {
        if self.here.get(&domain).is_some_and(|known| known.going == Going::Free) {
            self.here.remove(&domain);
        }
    }

    /// The guard has ended a domain.
    pub(super) fn remove(&mut self, domain: Uuid) {
        self.here.remove(&domain);
    }

    fn having(&self, is_one: impl Fn(&Registration) -> bool) -> Vec<Uuid> {
        let some = self.here.iter().filter(|(_, registration)| is_one(registration));
        some.map(|(domain, _)| *domain).collect()
    }

    /// A domain is protected, or not.
    pub(super) fn set_protected(&mut self, domain: Uuid, is_protected: bool) {
        if is_protected {
            self.protected.insert(domain);
        } else {
            self.protected.remove(&domain);
        }
    }

    /// These domains are protected, and no others.
    pub(super) fn set_all_protected(&mut self, protected: BTreeSet<Uuid>) {
        self.protected = protected;
    }

    /// Of domains that run here: those that the guard is to get.
    pub(super) fn unguarded(&self, running: impl Iterator<Item = Uuid>) -> Vec<Uuid> {
        let is_one = |domain: &Uuid| self.protected.contains(domain) && !self.contains(*domain);
        running.filter(is_one).collect()
    }

    /// Notes that the guard is to let those domains go that are protected no more, and returns
    /// these.
    pub(super) fn let_go(&mut self, running: impl Iterator<Item = Uuid>) -> Vec<Uuid> {
        let mut going = Vec::new();
        for domain in running.filter(|domain| !self.protected.contains(domain)) {
            if let Some(registration) = self.here.get_mut(&domain) {
                if registration.going == Going::Stays && registration.build != Build::UnderWay {
                    registration.going = Going::Wanted;
                    going.push(domain);
                }
            }
        }
        going
    }

    /// Whether the guard is to let a domain go as soon as etcd says that it is not guarded.
    pub(super) fn is_going(&self, domain: Uuid) -> bool {
        self.here.get(&domain).is_some_and(|known| known.going == Going::Wanted)
    }

    /// This host is to start a domain.
    pub(super) fn want(&mut self, domain: Uuid) {
        self.wanted.entry(domain).or_default();
    }

    /// Whether this host is to start a domain: that it is not here means nothing.
    pub(super) fn is_wanted(&self, domain: Uuid) -> bool {
        self.wanted.contains_key(&domain)
    }

    /// The domains that this host is to start.
    pub(super) fn wanted(&self) -> Vec<Uuid> {
        self.wanted.keys().copied().collect()
    }

    /// A start begins, unless one is under way.
    pub(super) fn begin_run(&mut self, domain: Uuid) -> bool {
        self.starting.insert(domain)
    }

    /// A start is over, or was given up.
    pub(super) fn end_run(&mut self, domain: Uuid) {
        self.starting.remove(&domain);
    }

    /// Starts of an earlier membership are none of this one's.
    pub(super) fn forget_runs(&mut self) {
        self.starting.clear();
    }

    /// A start has failed: how often it has by now.
    pub(super) fn note_failure(&mut self, domain: Uuid) -> u32 {
        let tries = self.wanted.entry(domain).or_default();
        *tries += 1;
        *tries
    }

    pub(super) const fn absence(&self) -> Absence {
        self.absence
    }

    pub(super) fn is_present(&self) -> bool {
        self.absence == Absence::Present
    }

    /// Ends what is known of domains that were built anew, if the host is present.
    pub(super) fn set_absence(&mut self, absence: Absence) {
        self.absence = absence;
        if absence == Absence::Present {
            self.rebuilt.clear();
        }
    }

    /// The host is about to be away, if it is not: nothing is guarded anew from now on.
    pub(super) fn begin_absence(&mut self) {
        if self.absence == Absence::Present {
            self.absence = Absence::Leaving;
        }
    }

    /// etcd says that the host is away.
    pub(super) fn acknowledge_absence(&mut self) {
        if self.absence != Absence::Away {
            self.absence = Absence::Acknowledged;
        }
    }

    /// A domain is about to be built anew that the guard has. If the host is away, that needs no
    /// timer: the guard is told on the way back.
    pub(super) fn rebuild_while_away(&mut self, domain: Uuid) -> bool {
        let is_away = matches!(self.absence, Absence::Acknowledged | Absence::Away);
        if let Some(registration) = self.here.get_mut(&domain).filter(|_| is_away) {
            registration.build = Build::UnderWay;
            self.rebuilt.insert(domain);
            return true;
        }
        false
    }

    /// The domains of which the guard, which has these, is to be told on the way back. `guarded`
    /// are those that etcd has.
    pub(super) fn lost(&self, has: &BTreeSet<Uuid>, guarded: &BTreeSet<Uuid>) -> BTreeSet<Uuid> {
        let staying = self.here.iter().filter(|(_, known)| known.going != Going::Free);
        let wanted = staying.map(|(domain, _)| domain).chain(guarded);
        let lost = wanted.filter(|domain| !has.contains(domain));
        lost.chain(&self.rebuilt).copied().collect()
    }

    /// The guard has a domain under this epoch, of which it was told on the way back; `None` of one
    /// that is not here any more.
    pub(super) fn has_guard(&mut self, domain: Uuid, epoch: Option<u64>) {
        self.rebuilt.remove(&domain);
        let Some(epoch) = epoch else { return };
        let added = Registration { epoch, build: Build::Over, going: Going::Stays };
        let registration = self.here.entry(domain).or_insert(added);
        registration.epoch = epoch;
        // It is to be told of the build once more.
        if registration.build == Build::Told {
            registration.build = Build::Over;
        }
    }

    /// Ends the absence, as far as the guard is concerned. Tells whether that may be: it may not
    /// while a domain is built of which the guard was not told.
    pub(super) fn end_absence(&mut self) -> bool {
        let may_end = self.rebuilt.is_empty();
        if may_end {
            self.absence = Absence::Present;
        }
        may_end
    }

    /// This host is not to start a domain any more.
    pub(super) fn unwant(&mut self, domain: Uuid) {
        self.wanted.remove(&domain);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOMAIN: Uuid = Uuid::from_u128(1);

    #[test]
    fn a_domain_leaves_the_guard_after_etcd_has_said_so() {
        let mut table = Registrations::default();
        table.set_protected(DOMAIN, true);
        assert_eq!(table.unguarded([DOMAIN].into_iter()), [DOMAIN]);
        table.add(DOMAIN, 2, false);
        assert!(table.unguarded([DOMAIN].into_iter()).is_empty() && table.untold().is_empty());
        table.set_protected(DOMAIN, false);
        assert!(table.let_go([DOMAIN].into_iter()).is_empty(), "it is being built");
        table.end_build(DOMAIN, false);
        assert_eq!((table.untold(), table.epoch_of(DOMAIN)), (vec![DOMAIN], Some(2)));
        table.end_build(DOMAIN, true);
        assert_eq!(table.let_go([DOMAIN].into_iter()), [DOMAIN]);
        assert!(table.is_going(DOMAIN) && table.epoch_of(DOMAIN).is_none());
        table.remove_free(DOMAIN);
        assert!(table.contains(DOMAIN), "etcd has not said so");
        table.set_free(DOMAIN);
        assert_eq!(table.free(), [DOMAIN]);
        table.remove_free(DOMAIN);
        assert!(!table.contains(DOMAIN));
    }

    #[test]
    fn what_was_registered_anew_stays() {
        let mut table = Registrations::default();
        table.add(DOMAIN, 2, true);
        table.set_free(DOMAIN);
        table.add(DOMAIN, 2, false);
        table.remove_free(DOMAIN);
        assert_eq!(table.epoch_of(DOMAIN), Some(2));
        table.begin(3);
        assert!(!table.contains(DOMAIN), "a boot has ended");
    }

    #[test]
    fn what_the_guard_has_from_before_is_built() {
        let mut table = Registrations::default();
        let here =
            GuardedHere { epoch: Some(4), domains: [DOMAIN].into(), ..GuardedHere::default() };
        table.restore(&here);
        assert!(table.is_known());
        assert_eq!((table.untold(), table.epoch_of(DOMAIN)), (vec![DOMAIN], Some(4)));
        // One that is registered while the guard is asked is being built.
        let mut table = Registrations::default();
        table.add(DOMAIN, 4, false);
        table.restore(&here);
        assert!(table.untold().is_empty());
    }
}

//! The domains in memory, and what is due.

use super::record::Record;
use crate::core::model::DomId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;
use tokio_util::sync::CancellationToken;

/// A domain in memory.
#[derive(Debug)]
pub(super) struct Slot {
    /// What is kept of it.
    pub record: Arc<Record>,
    /// Held while the record is being replaced, disk included: only by threads that may block.
    pub turn: Arc<Mutex<()>>,
    /// Cancelled when the domain begins to be taken apart.
    pub gone: CancellationToken,
}

/// All domains.
#[derive(Debug, Default)]
pub(super) struct State {
    /// By domid.
    pub domains: BTreeMap<DomId, Slot>,
    /// What is going to happen by itself, and when.
    pub due: BTreeSet<(SystemTime, DomId)>,
    /// What the domains have, those being built included.
    pub used_kib: u64,
    /// What has happened and is not on disk yet: domains that are gone, and crashes.
    pub unswept: Vec<DomId>,
}

impl State {
    /// Adds a domain; its memory is not counted.
    pub(super) fn add(&mut self, record: Record, now: SystemTime) {
        let domid = record.domid;
        self.schedule(None, &record, now);
        if record.untold_crash(now) {
            self.unswept.push(domid);
        }
        let slot =
            Slot { record: Arc::new(record), turn: Arc::default(), gone: CancellationToken::new() };
        if slot.record.dying.is_some() {
            slot.gone.cancel();
        }
        self.domains.insert(domid, slot);
    }

    /// Puts a record in the place of the one before it. Says whether something is due that was not,
    /// or earlier.
    pub(super) fn replace(&mut self, record: Record, now: SystemTime) -> bool {
        let domid = record.domid;
        let Some(slot) = self.domains.get_mut(&domid) else { return false };
        let old = std::mem::replace(&mut slot.record, Arc::new(record));
        let new = Arc::clone(&slot.record);
        if new.dying.is_some() {
            slot.gone.cancel();
        }
        self.used_kib = self.used_kib.saturating_sub(old.memory_kib).saturating_add(new.memory_kib);
        self.schedule(Some(&old), &new, now)
    }

    /// Removes a domain and gives its memory back. Says whether it was there.
    pub(super) fn remove(&mut self, domid: DomId) -> bool {
        let Some(slot) = self.domains.remove(&domid) else { return false };
        slot.gone.cancel();
        self.used_kib = self.used_kib.saturating_sub(slot.record.memory_kib);
        if let Some(when) = slot.record.due() {
            self.due.remove(&(when, domid));
        }
        true
    }

    /// Notes when something happens to a domain by itself. A stop that has been announced is not
    /// announced again.
    fn schedule(&mut self, old: Option<&Record>, new: &Record, now: SystemTime) -> bool {
        let unannounced =
            old.and_then(Record::due).is_some_and(|when| self.due.remove(&(when, new.domid)));
        let stopped =
            |record: &Record| record.dying.is_none() && record.life.stopped(now).is_some();
        let old_news = stopped(new) && !unannounced && old.is_none_or(stopped);
        let first = self.due.first().copied();
        if let Some(when) = new.due().filter(|_| !old_news) {
            self.due.insert((when, new.domid));
        }
        self.due.first().copied() != first
    }
}

#[cfg(test)]
mod tests {
    use super::super::settings::SimSettings;
    use super::super::testing::config;
    use super::*;
    use crate::core::model::{ShutdownReason, Uuid};
    use std::time::{Duration, UNIX_EPOCH};

    #[test]
    fn a_stop_is_announced_once_even_if_something_else_changes_just_then() {
        let at = |millis| UNIX_EPOCH + Duration::from_millis(millis);
        let mut record =
            Record::new(DomId(1), Uuid::nil(), config("a", 64), at(0), &SimSettings::default());
        let mut state = State::default();
        state.add(record.clone(), at(0));
        assert!(state.due.is_empty());
        record.life.ask(ShutdownReason::Reboot);
        record.life.paused = false;
        assert!(state.replace(record.clone(), at(0)));
        assert_eq!(state.due.first(), Some(&(at(600), DomId(1))));

        record.vcpu_avail = 3;
        state.replace(record.clone(), at(601));
        assert!(state.due.pop_first().is_some(), "nobody has heard of it yet");
        record.vcpu_avail = 1;
        assert!(!state.replace(record.clone(), at(602)));
        assert!(state.due.is_empty());

        record.dying = Some((at(700), at(720)));
        assert!(state.replace(record, at(700)));
        assert!(state.remove(DomId(1)) && state.due.is_empty() && state.used_kib == 0);
    }

    #[test]
    fn what_has_stopped_when_the_host_is_found_is_not_announced() {
        let mut record = Record::new(
            DomId(1),
            Uuid::nil(),
            config("a", 64),
            UNIX_EPOCH,
            &SimSettings::default(),
        );
        record.life.stop(ShutdownReason::Crash);
        let mut state = State::default();
        state.add(record, UNIX_EPOCH);
        assert_eq!((state.due.len(), state.unswept.as_slice()), (0, [DomId(1)].as_slice()));
    }
}

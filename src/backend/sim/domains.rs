//! The domains in memory, and the times at which they change by themselves.

use super::agent::AgentMemory;
use super::record::Record;
use super::screen::scene::Screen;
use super::terminal::Terminal;
use crate::core::model::DomId;
use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;
use tokio_util::sync::CancellationToken;

/// A domain in memory.
#[derive(Debug)]
pub(super) struct DomainEntry {
    pub(super) record: Arc<Record>,
    /// Held while the record is replaced, in memory and on disk: only by threads that may block.
    pub(super) change_lock: Arc<Mutex<()>>,
    /// Cancelled when the domain's destruction begins.
    pub(super) destroyed: CancellationToken,
    pub(super) agent: Arc<Mutex<AgentMemory>>,
    pub(super) terminal: Arc<Mutex<Terminal>>,
    pub(super) screen: Arc<Screen>,
}

/// All domains.
#[derive(Debug, Default)]
pub(super) struct Domains {
    pub(super) by_domid: BTreeMap<DomId, DomainEntry>,
    /// The next change of each domain that changes by itself.
    pub(super) due: BTreeSet<(SystemTime, DomId)>,
    /// When each agent that has something to do does it.
    agents_due: BTreeSet<(SystemTime, DomId)>,
    /// The memory of all domains, and of those that are being built.
    pub(super) used_kib: u64,
    /// Domains that have stopped or gone by themselves, which is not on disk yet.
    pub(super) unrecorded: Vec<DomId>,
}

impl Domains {
    /// Adds a domain. Its memory has been counted before.
    pub(super) fn add(&mut self, record: Record, now: SystemTime) {
        let domid = record.domid;
        self.schedule(None, &record, now);
        self.schedule_agent(None, &record);
        if record.has_unlogged_crash(now) {
            self.unrecorded.push(domid);
        }
        let entry = DomainEntry {
            record: Arc::new(record),
            change_lock: Arc::default(),
            destroyed: CancellationToken::new(),
            agent: Arc::default(),
            terminal: Arc::default(),
            screen: Arc::default(),
        };
        if entry.record.dying.is_some() {
            entry.destroyed.cancel();
        }
        self.by_domid.insert(domid, entry);
    }

    /// Replaces a domain's record. Returns whether [`next`](Self::next) is another time now.
    pub(super) fn replace(&mut self, record: Record, now: SystemTime) -> bool {
        let domid = record.domid;
        let Some(entry) = self.by_domid.get_mut(&domid) else { return false };
        let old = mem::replace(&mut entry.record, Arc::new(record));
        let new = Arc::clone(&entry.record);
        if new.dying.is_some() {
            entry.destroyed.cancel();
        }
        self.used_kib = self.used_kib.saturating_sub(old.memory_kib).saturating_add(new.memory_kib);
        let before = self.next();
        self.schedule(Some(&old), &new, now);
        self.schedule_agent(Some(&old), &new);
        self.next() != before
    }

    /// When the next domain changes by itself, or an agent does something.
    pub(super) fn next(&self) -> Option<SystemTime> {
        let first = [self.due.first(), self.agents_due.first()];
        first.into_iter().flatten().map(|(when, _)| *when).min()
    }

    /// Takes the domains whose agents have something to do now.
    pub(super) fn take_due_agents(&mut self, now: SystemTime) -> Vec<DomId> {
        let mut due = Vec::new();
        while let Some((_, domid)) = self.agents_due.first().filter(|(when, _)| *when <= now) {
            due.push(*domid);
            self.agents_due.pop_first();
        }
        due
    }

    /// Removes a domain and frees its memory. Returns whether it existed.
    pub(super) fn remove(&mut self, domid: DomId) -> bool {
        let Some(entry) = self.by_domid.remove(&domid) else { return false };
        entry.destroyed.cancel();
        self.used_kib = self.used_kib.saturating_sub(entry.record.memory_kib);
        if let Some(when) = entry.record.changes_at() {
            self.due.remove(&(when, domid));
        }
        if let Some(when) = entry.record.agent_acts_at() {
            self.agents_due.remove(&(when, domid));
        }
        true
    }

    /// Schedules the next change of a domain, except a stop that has been reported already.
    fn schedule(&mut self, old: Option<&Record>, new: &Record, now: SystemTime) {
        let was_due = old
            .and_then(Record::changes_at)
            .is_some_and(|when| self.due.remove(&(when, new.domid)));
        let has_stopped =
            |record: &Record| record.dying.is_none() && record.guest.stopped(now).is_some();
        let is_reported = has_stopped(new) && !was_due && old.is_none_or(has_stopped);
        if let Some(when) = new.changes_at().filter(|_| !is_reported) {
            self.due.insert((when, new.domid));
        }
    }

    fn schedule_agent(&mut self, old: Option<&Record>, new: &Record) {
        if let Some(when) = old.and_then(Record::agent_acts_at) {
            self.agents_due.remove(&(when, new.domid));
        }
        if let Some(when) = new.agent_acts_at() {
            self.agents_due.insert((when, new.domid));
        }
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
    fn a_stop_is_reported_once_even_if_the_record_changes_meanwhile() {
        let at = |millis| UNIX_EPOCH + Duration::from_millis(millis);
        let mut record =
            Record::new(DomId(1), Uuid::nil(), config("a", 64), at(0), &SimSettings::default());
        let mut domains = Domains::default();
        domains.add(record.clone(), at(0));
        assert!(domains.due.is_empty());
        record.guest.request_shutdown(ShutdownReason::Reboot);
        record.guest.paused = false;
        assert!(domains.replace(record.clone(), at(0)));
        assert_eq!(domains.due.first(), Some(&(at(600), DomId(1))));

        record.vcpu_avail = 3;
        domains.replace(record.clone(), at(601));
        assert!(domains.due.pop_first().is_some(), "it is not reported yet");
        record.vcpu_avail = 1;
        assert!(!domains.replace(record.clone(), at(602)));
        assert!(domains.due.is_empty());

        record.dying = Some((at(700), at(720)));
        assert!(domains.replace(record, at(700)));
        assert!(domains.remove(DomId(1)) && domains.due.is_empty() && domains.used_kib == 0);
    }

    #[test]
    fn a_guest_that_had_stopped_before_the_host_was_opened_is_not_reported() {
        let mut record = Record::new(
            DomId(1),
            Uuid::nil(),
            config("a", 64),
            UNIX_EPOCH,
            &SimSettings::default(),
        );
        record.guest.stop(ShutdownReason::Crash);
        let mut domains = Domains::default();
        domains.add(record, UNIX_EPOCH);
        assert_eq!((domains.due.len(), domains.unrecorded.as_slice()), (0, [DomId(1)].as_slice()));
    }
}

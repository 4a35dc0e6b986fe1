//! The host: its domains, its memory, and the events in its guests.
//!
//! Everything exists twice: in memory, protected by locks that are held for moments, and on disk,
//! where it outlives the daemon. A change is made on a copy of the domain's record, which is
//! written to disk and then replaces the one in memory: an acknowledged change is never lost, and a
//! change that could not be written has not happened. Changes therefore run on threads that may
//! block. Each domain has its own lock for changes, and reads wait for none.

mod agents;
mod ends;
mod own_record;
mod terminals;

use super::devices;
use super::dmesg::{self, Dmesg};
use super::domains::Domains;
use super::facts;
use super::host_record::HostRecord;
use super::lock::lock;
use super::network;
use super::record::Record;
use super::sched;
use super::settings::SimSettings;
use super::state_dir::StateDir;
use crate::core::backend::{ChangeSender, ReportSender};
use crate::core::error::Error;
use crate::core::model::{DomId, DomainFacts, Interface};
use crate::core::ports::{Clock, Entropy};
use own_record::{OwnRecord, log_not_written};
use std::collections::HashSet;
use std::io;
use std::mem;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// The first of the domids that Xen reserves, such as `DOMID_SELF`.
const FIRST_RESERVED_DOMID: u32 = 0x7ff0;

/// The host.
pub(super) struct Host {
    pub(super) settings: SimSettings,
    pub(super) clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    state_dir: StateDir,
    dmesg: Dmesg,
    domains: Mutex<Domains>,
    /// Held while the record is replaced, in memory and on disk.
    own_record: Mutex<OwnRecord>,
    /// Domain-0's network. It ends with the daemon, as a real one ends with the machine's run.
    pub(super) interfaces: Mutex<Vec<Interface>>,
    pub(super) changes: ChangeSender,
    pub(super) reports: ReportSender,
    /// Held while a new domain gets a port for its screen.
    vnc_ports: Mutex<()>,
    /// Notified when the next event comes earlier than before.
    pub(super) wake: Arc<Notify>,
}

impl Host {
    /// Opens the host as it was left. `boot` is the id of this run of the machine: domains of an
    /// earlier run are gone.
    pub(super) fn open(
        state_dir: StateDir,
        boot: String,
        settings: SimSettings,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> io::Result<Self> {
        let now = clock.now();
        let mut own_record = OwnRecord::open(&state_dir, boot, &settings)?;
        let dmesg = Dmesg::open(&state_dir)?;
        let mut domains = Domains::default();
        for mut record in state_dir.records()? {
            if record.is_gone(now) {
                state_dir.history().gone(record.domid)?;
                state_dir.remove_record(record.domid)?;
                continue;
            }
            state_dir.history().found(&record, now)?;
            if record.sched.scheduler() != settings.scheduler {
                record.sched = sched::initial(settings.scheduler, record.domid, &record.config);
            }
            domains.add(record, now);
        }
        if !domains.by_domid.contains_key(&DomId::ZERO) {
            let record = Record::domain0(now, &settings);
            // What cannot be written, for want of room, is written with the next change.
            if let Err(error) = state_dir.write_record(&record) {
                log_not_written(&state_dir, "The record of Domain-0", error);
            }
            if let Err(error) = dmesg.add(&state_dir, &dmesg::banner(&settings)) {
                log_not_written(&state_dir, "Xen's messages", error);
            }
            domains.add(record, now);
        }
        let used = domains.by_domid.values().map(|entry| entry.record.memory_kib);
        domains.used_kib = used.fold(0, u64::saturating_add);
        // Last, so that a daemon that was killed before this point starts over.
        if let Err(error) = own_record.store(&state_dir) {
            log_not_written(&state_dir, "The record of the simulated host", error);
        }
        let host = Self {
            settings,
            clock,
            entropy,
            state_dir,
            dmesg,
            domains: Mutex::new(domains),
            own_record: Mutex::new(own_record),
            interfaces: Mutex::new(network::initial()),
            changes: ChangeSender::default(),
            reports: ReportSender::default(),
            vnc_ports: Mutex::default(),
            wake: Arc::default(),
        };
        host.record_events();
        Ok(host)
    }

    /// Lets another daemon open the host.
    pub(super) fn close(&self) {
        self.state_dir.close();
    }

    pub(super) fn now(&self) -> SystemTime {
        self.clock.now()
    }

    /// The record of a domain; `None` if there is no such domain, or no longer.
    pub(super) fn record(&self, domid: DomId) -> Option<Arc<Record>> {
        let now = self.now();
        let domains = lock(&self.domains);
        let record = domains.by_domid.get(&domid).map(|entry| Arc::clone(&entry.record));
        record.filter(|record| !record.is_gone(now))
    }

    pub(super) fn required_record(&self, domid: DomId) -> Result<Arc<Record>, Error> {
        self.record(domid).ok_or_else(|| no_such_domain(domid))
    }

    /// The record of a domain, and a token that is cancelled when the domain's destruction begins.
    pub(super) fn record_and_token(
        &self,
        domid: DomId,
    ) -> Result<(Arc<Record>, CancellationToken), Error> {
        let domains = lock(&self.domains);
        let entry = domains.by_domid.get(&domid).ok_or_else(|| no_such_domain(domid))?;
        Ok((Arc::clone(&entry.record), entry.destroyed.clone()))
    }

    /// The records of all domains, by domid, without those that are gone.
    pub(super) fn existing_records(&self) -> Vec<Arc<Record>> {
        let now = self.now();
        let domains = lock(&self.domains);
        let records = domains.by_domid.values().map(|entry| Arc::clone(&entry.record));
        records.filter(|record| !record.is_gone(now)).collect()
    }

    pub(super) fn facts(&self, record: &Record) -> DomainFacts {
        facts::domain(record, self.now(), &self.settings)
    }

    pub(super) fn free_kib(&self) -> u64 {
        self.apply_due();
        self.free_kib_beside(&lock(&self.domains))
    }

    fn free_kib_beside(&self, domains: &Domains) -> u64 {
        let now = self.now();
        let excess = domains.by_domid.values().map(|entry| entry.record.excess_kib(now));
        let used = excess.fold(domains.used_kib, u64::saturating_add);
        let used = used.saturating_add(SimSettings::XEN_KIB);
        self.settings.memory_kib().saturating_sub(used)
    }

    /// Counts memory as used, for a domain that is being built or grows.
    pub(super) fn take_memory(&self, needed_kib: u64) -> Result<(), Error> {
        self.apply_due();
        let mut domains = lock(&self.domains);
        let free_kib = self.free_kib_beside(&domains);
        if needed_kib > free_kib {
            return Err(Error::NoMemory { needed_kib, free_kib: Some(free_kib) });
        }
        domains.used_kib += needed_kib;
        Ok(())
    }

    /// Undoes [`take_memory`](Self::take_memory).
    pub(super) fn free_memory(&self, kib: u64) {
        let mut domains = lock(&self.domains);
        domains.used_kib = domains.used_kib.saturating_sub(kib);
    }

    pub(super) fn host_record(&self) -> HostRecord {
        lock(&self.own_record).record().clone()
    }

    /// Changes the host's record, on disk and in memory. Blocks.
    pub(super) fn change_host_record(
        &self,
        change: impl FnOnce(&HostRecord) -> Result<HostRecord, Error>,
    ) -> Result<(), Error> {
        let mut own = lock(&self.own_record);
        let mut next = OwnRecord::changed(change(own.record())?);
        next.store(&self.state_dir).map_err(|error| self.state_dir.not_written(error))?;
        *own = next;
        Ok(())
    }

    /// Writes the record of a domain, and before it the host's if that could not be written yet:
    /// the next start would take the domain for one of another run of the machine. Blocks.
    fn write_record(&self, record: &Record) -> Result<(), Error> {
        let stored = lock(&self.own_record).store(&self.state_dir);
        let told = stored.and_then(|()| self.state_dir.history().before(record, self.now()));
        let written = told.and_then(|()| self.state_dir.write_record(record));
        written.map_err(|error| self.state_dir.not_written(error))
    }

    /// The domid of a domain that is being built. It is not used again, even if the build fails.
    /// Blocks.
    pub(super) fn allocate_domid(&self) -> Result<DomId, Error> {
        let mut domid = 0;
        self.change_host_record(|record| {
            domid = record.next_domid;
            if domid >= FIRST_RESERVED_DOMID {
                let last = FIRST_RESERVED_DOMID - 1;
                return Err(Error::LimitReached(format!(
                    "No domain number is left: all up to {last} have been used"
                )));
            }
            Ok(HostRecord { next_domid: domid + 1, ..record.clone() })
        })?;
        Ok(DomId(domid))
    }

    /// Adds a domain, whose memory has been [taken](Self::take_memory). Blocks.
    pub(super) fn add(&self, mut record: Record) -> Result<DomainFacts, Error> {
        let screen = devices::screen(&record.config).cloned();
        // Two domains that are built at the same time must not get the same port.
        let _vnc_ports = screen.as_ref().map(|_| lock(&self.vnc_ports));
        if let Some(screen) = &screen {
            let others = self.existing_records();
            let others = others.iter().filter(|other| other.dying.is_none());
            let in_use: HashSet<u16> = others.filter_map(|other| other.vnc_port).collect();
            record.vnc_port = devices::vnc_port(screen, &in_use);
            if record.vnc_port.is_none() {
                devices::set_port_in_use(screen, &mut record.links);
            }
        }
        self.write_record(&record)?;
        let facts = self.facts(&record);
        let message = format!("d{}: domain created, {} KiB", record.domid, record.memory_kib);
        lock(&self.domains).add(record, self.now());
        self.log(&message);
        Ok(facts)
    }

    /// Changes a domain's record, on disk and in memory. Blocks.
    pub(super) fn change<T>(
        &self,
        domid: DomId,
        apply: impl FnOnce(&mut Record, SystemTime) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.change_even_dying(domid, |record, now| {
            if record.dying.is_some() { Err(no_such_domain(domid)) } else { apply(record, now) }
        })
    }

    /// As [`change`](Self::change), for a domain whose destruction may have begun.
    pub(super) fn change_even_dying<T>(
        &self,
        domid: DomId,
        apply: impl FnOnce(&mut Record, SystemTime) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let entry_lock =
            lock(&self.domains).by_domid.get(&domid).map(|entry| Arc::clone(&entry.change_lock));
        let entry_lock = entry_lock.ok_or_else(|| no_such_domain(domid))?;
        let _changing = lock(&entry_lock);
        let old = self.required_record(domid)?;
        let mut new = Record::clone(&old);
        let now = self.now();
        let outcome = apply(&mut new, now)?;
        if new != *old {
            self.write_record(&new)?;
            if lock(&self.domains).replace(new, now) {
                self.wake.notify_one();
            }
        }
        self.tell_end(domid);
        Ok(outcome)
    }

    /// Removes a domain from memory and disk, whatever its state. Blocks.
    pub(super) fn remove(&self, domid: DomId) {
        let removed = lock(&self.domains).remove(domid);
        if removed {
            self.remove_record(domid);
        }
    }

    /// Applies the events that are due in memory, and reports the domains. Returns when the next
    /// event is due, or an agent has something to do.
    pub(super) fn apply_due(&self) -> Option<SystemTime> {
        let now = self.now();
        let mut changed = Vec::new();
        let next = {
            let mut domains = lock(&self.domains);
            while let Some((when, domid)) =
                domains.due.first().copied().filter(|(at, _)| *at <= now)
            {
                domains.due.remove(&(when, domid));
                domains.unrecorded.push(domid);
                changed.push(domid);
                if domains.by_domid.get(&domid).is_some_and(|entry| entry.record.is_gone(now)) {
                    domains.remove(domid);
                }
            }
            domains.next()
        };
        for domid in changed {
            self.changes.send(domid);
        }
        next
    }

    /// Whether there are events for [`record_events`](Self::record_events).
    pub(super) fn has_unrecorded(&self) -> bool {
        !lock(&self.domains).unrecorded.is_empty()
    }

    /// Applies events on disk that [`apply_due`](Self::apply_due) has applied in memory. Blocks. It
    /// is not urgent: the record of a domain whose destruction has ended counts as removed.
    pub(super) fn record_events(&self) {
        if self.state_dir.is_closed() {
            return;
        }
        let unrecorded = mem::take(&mut lock(&self.domains).unrecorded);
        for domid in unrecorded {
            match self.record(domid) {
                None => self.remove_record(domid),
                Some(record) if record.has_unlogged_crash(self.now()) => self.record_crash(domid),
                Some(_) => self.note_end(domid),
            }
        }
    }

    fn remove_record(&self, domid: DomId) {
        if let Err(error) = self.state_dir.remove_record(domid) {
            tracing::warn!(%domid, %error, "The record of a destroyed domain could not be removed");
        }
    }

    /// Adds lines to Xen's message buffer. Blocks.
    fn log(&self, lines: &str) {
        if let Err(error) = self.dmesg.add(&self.state_dir, lines) {
            tracing::warn!(%error, "Xen's messages could not be recorded");
        }
    }

    /// Adds a crash to Xen's message buffer. Blocks.
    pub(super) fn log_crash(&self, domid: DomId) {
        let cpu = domid.0 % self.settings.cpus.max(1);
        self.log(&format!("Domain {domid} (vcpu#0) crashed on cpu#{cpu}:"));
    }

    pub(super) fn dmesg(&self) -> Vec<u8> {
        self.dmesg.text()
    }

    /// Empties Xen's message buffer. Blocks.
    pub(super) fn clear_dmesg(&self) -> Result<(), Error> {
        self.dmesg.clear(&self.state_dir).map_err(|error| self.state_dir.not_written(error))
    }

    /// Adds the keys to Xen's message buffer, without the output of a real Xen. Blocks.
    pub(super) fn press_keys(&self, keys: &str) -> Result<(), Error> {
        keys.chars()
            .try_for_each(|key| self.dmesg.add(&self.state_dir, &format!("'{key}' pressed")))
            .map_err(|error| self.state_dir.not_written(error))
    }
}

fn no_such_domain(domid: DomId) -> Error {
    Error::NoSuchDomain(domid.to_string())
}

//! The host: its domains, its memory, and what happens by itself.
//!
//! Everything is kept twice: in memory, where it is looked up under a lock that is held for
//! moments, and on disk, where it outlives the daemon. A change is worked out on a copy of the
//! domain's record, written, and only then seen in memory, so that what was acknowledged is never
//! lost and what could not be written never happened. Changes therefore run on threads that may
//! block; each domain has its own queue for them, and looking waits for none.

use super::create::{Built, Reservation};
use super::dmesg::{self, Dmesg};
use super::form::HostRecord;
use super::machine::{SimPool, first_interfaces};
use super::record::Record;
use super::settings::SimSettings;
use super::state::State;
use super::store::Store;
use super::{devices, facts, lock, sched};
use crate::core::error::Error;
use crate::core::model::{CpuSet, DomId, DomainFacts, Interface, PoolFacts};
use crate::core::ports::{Clock, DomainChanged, Entropy};
use std::io;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

/// Xen's own numbers, such as `DOMID_SELF`, begin here.
const FIRST_RESERVED_DOMID: u32 = 0x7ff0;

/// The host.
pub(super) struct Host {
    pub settings: SimSettings,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    store: Store,
    dmesg: Dmesg,
    state: Mutex<State>,
    /// Held while the host's record is being written.
    numbers: Mutex<HostRecord>,
    /// Domain-0's network: like a real one it is gone with the machine's run, and here with the
    /// daemon's.
    pub interfaces: Mutex<Vec<Interface>>,
    listener: Mutex<Option<mpsc::UnboundedSender<DomainChanged>>>,
    /// Held while a new domain's screen is given a port.
    displays: Mutex<()>,
    /// Told when something is due earlier than it was.
    pub wake: Arc<Notify>,
}

impl Host {
    /// Finds the host as it was left. `boot` tells this run of the machine from others: what an
    /// earlier one had is gone.
    pub(super) fn open(
        store: Store,
        boot: String,
        settings: SimSettings,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> io::Result<Self> {
        let now = clock.now();
        let known = store.host()?;
        // The new record is written last, so that a daemon killed in between starts over and finds
        // nothing half gone.
        let same_run = known.as_ref().is_none_or(|host| host.boot == boot);
        if !same_run {
            store.clear()?;
        }
        let (records, highest) = store.domains()?;
        let known = known.filter(|_| same_run);
        let next = known.as_ref().map_or(1, |host| host.next_domid);
        let first =
            || SimPool { name: PoolFacts::FIRST.to_owned(), cpus: CpuSet::first(settings.cpus) };
        let pools = known
            .map(|host| host.pools)
            .filter(|pools| !pools.is_empty())
            .unwrap_or_else(|| vec![first()]);
        let numbers =
            HostRecord { boot, next_domid: next.max(highest.saturating_add(1)).max(1), pools };

        let dmesg = Dmesg::open(&store)?;
        let mut state = State::default();
        for mut record in records {
            if record.is_gone(now) {
                store.remove(record.domid)?;
                continue;
            }
            if record.sched.scheduler() != settings.scheduler {
                record.sched = sched::initial(settings.scheduler, record.domid, &record.config);
            }
            state.add(record, now);
        }
        if !state.domains.contains_key(&DomId::ZERO) {
            let record = Record::domain0(now, &settings);
            store.write(&record)?;
            dmesg.add(&store, &dmesg::banner(&settings))?;
            state.add(record, now);
        }
        state.used_kib =
            state.domains.values().fold(0, |sum, slot| slot.record.memory_kib.saturating_add(sum));
        store.write_host(&numbers)?;
        let host = Self {
            settings,
            clock,
            entropy,
            store,
            dmesg,
            state: Mutex::new(state),
            numbers: Mutex::new(numbers),
            interfaces: Mutex::new(first_interfaces()),
            listener: Mutex::default(),
            displays: Mutex::default(),
            wake: Arc::default(),
        };
        host.sweep();
        Ok(host)
    }

    /// Now.
    pub(super) fn now(&self) -> SystemTime {
        self.clock.now()
    }

    /// A domain's record; none if it is not there or already gone.
    pub(super) fn record(&self, domid: DomId) -> Option<Arc<Record>> {
        let now = self.now();
        let state = lock(&self.state);
        state
            .domains
            .get(&domid)
            .map(|slot| Arc::clone(&slot.record))
            .filter(|record| !record.is_gone(now))
    }

    /// The same, as an operation on it needs it.
    pub(super) fn known(&self, domid: DomId) -> Result<Arc<Record>, Error> {
        self.record(domid).ok_or_else(|| no_such(domid))
    }

    /// A domain's record, and what is cancelled when it begins to be taken apart.
    pub(super) fn watched(&self, domid: DomId) -> Result<(Arc<Record>, CancellationToken), Error> {
        let state = lock(&self.state);
        let slot = state.domains.get(&domid).ok_or_else(|| no_such(domid))?;
        Ok((Arc::clone(&slot.record), slot.gone.clone()))
    }

    /// All domains' records, by domid.
    pub(super) fn records(&self) -> Vec<Arc<Record>> {
        lock(&self.state).domains.values().map(|slot| Arc::clone(&slot.record)).collect()
    }

    /// What the hypervisor says of a domain.
    pub(super) fn facts(&self, record: &Record) -> DomainFacts {
        facts::domain(record, self.now(), &self.settings)
    }

    /// Memory that nobody has, in KiB.
    pub(super) fn free_kib(&self) -> u64 {
        self.settle();
        self.free_of(&lock(&self.state))
    }

    fn free_of(&self, state: &State) -> u64 {
        let now = self.now();
        let excess = state
            .domains
            .values()
            .fold(0, |sum: u64, slot| sum.saturating_add(slot.record.excess_kib(now)));
        let used = state.used_kib.saturating_add(excess).saturating_add(SimSettings::XEN_KIB);
        self.settings.memory_kib().saturating_sub(used)
    }

    /// Sets memory aside for a domain that is being built.
    pub(super) fn reserve(self: &Arc<Self>, needed_kib: u64) -> Result<Reservation, Error> {
        self.settle();
        let mut state = lock(&self.state);
        let free_kib = self.free_of(&state);
        if needed_kib > free_kib {
            return Err(Error::NoMemory { needed_kib, free_kib });
        }
        state.used_kib += needed_kib;
        Ok(Reservation::new(Arc::clone(self), needed_kib))
    }

    /// Gives back memory that was set aside.
    pub(super) fn give_back(&self, kib: u64) {
        let mut state = lock(&self.state);
        state.used_kib = state.used_kib.saturating_sub(kib);
    }

    /// The host's record.
    pub(super) fn numbers(&self) -> HostRecord {
        lock(&self.numbers).clone()
    }

    /// Changes the host's record, on disk and in memory. Blocks.
    pub(super) fn renumber(
        &self,
        change: impl FnOnce(&HostRecord) -> Result<HostRecord, Error>,
    ) -> Result<(), Error> {
        let mut numbers = lock(&self.numbers);
        let next = change(&numbers)?;
        self.store.write_host(&next).map_err(unwritten)?;
        *numbers = next;
        Ok(())
    }

    /// The number of a domain that is being built. It will not be used again, whatever becomes of
    /// the domain.
    pub(super) fn take_domid(&self) -> Result<DomId, Error> {
        let mut numbers = lock(&self.numbers);
        let domid = numbers.next_domid;
        if domid >= FIRST_RESERVED_DOMID {
            let message = format!(
                "No domain number is left: all up to {} have been used",
                FIRST_RESERVED_DOMID - 1
            );
            return Err(Error::Unsupported(message));
        }
        let next = HostRecord { next_domid: domid + 1, ..numbers.clone() };
        self.store.write_host(&next).map_err(unwritten)?;
        *numbers = next;
        Ok(DomId(domid))
    }

    /// Adds a domain whose memory has been set aside.
    pub(super) fn add(
        self: &Arc<Self>,
        mut record: Record,
        memory: Reservation,
    ) -> Result<Built, Error> {
        // Two domains that are built at once must not be given the same port.
        let turn =
            devices::screen(&record.config).map(|screen| (screen.clone(), lock(&self.displays)));
        if let Some((screen, _)) = &turn {
            let others = self.records();
            let others = others.iter().filter(|other| other.dying.is_none());
            let in_use: Vec<u16> = others.filter_map(|other| other.vnc_port).collect();
            record.vnc_port = devices::vnc_port(screen, &in_use);
            if record.vnc_port.is_none() {
                devices::port_is_taken(screen, &mut record.links);
            }
        }
        self.store.write(&record).map_err(unwritten)?;
        let (domid, kib) = (record.domid, record.memory_kib);
        let built = Built::new(Arc::clone(self), self.facts(&record));
        memory.hand_over();
        lock(&self.state).add(record, self.now());
        self.tell(&format!("d{domid}: domain created, {kib} KiB"));
        Ok(built)
    }

    /// Changes a domain's record, on disk and in memory. Blocks.
    pub(super) fn change<T>(
        &self,
        domid: DomId,
        apply: impl FnOnce(&mut Record, SystemTime) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.change_even_dying(domid, |record, now| {
            if record.dying.is_some() { Err(no_such(domid)) } else { apply(record, now) }
        })
    }

    /// The same, on a domain that may be being taken apart already.
    pub(super) fn change_even_dying<T>(
        &self,
        domid: DomId,
        apply: impl FnOnce(&mut Record, SystemTime) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let turn = lock(&self.state).domains.get(&domid).map(|slot| Arc::clone(&slot.turn));
        let turn = turn.ok_or_else(|| no_such(domid))?;
        let _mine = lock(&turn);
        let old = self.known(domid)?;
        let mut new = Record::clone(&old);
        let now = self.now();
        let outcome = apply(&mut new, now)?;
        if new != *old {
            self.store.write(&new).map_err(unwritten)?;
            if lock(&self.state).replace(new, now) {
                self.wake.notify_one();
            }
        }
        Ok(outcome)
    }

    /// Takes a domain out of memory and disk, whatever its state.
    pub(super) fn forget(&self, domid: DomId) {
        let removed = lock(&self.state).remove(domid);
        if removed {
            self.remove_file(domid);
        }
    }

    /// Does in memory what has become due, and tells whoever listens. Says when the next thing is
    /// due.
    pub(super) fn settle(&self) -> Option<SystemTime> {
        let now = self.now();
        let mut happened = Vec::new();
        let next = {
            let mut state = lock(&self.state);
            while let Some((_, domid)) = state.due.first().copied().filter(|(when, _)| *when <= now)
            {
                state.due.pop_first();
                happened.push(domid);
                state.unswept.push(domid);
                if state.domains.get(&domid).is_some_and(|slot| slot.record.is_gone(now)) {
                    state.remove(domid);
                }
            }
            state.due.first().map(|(when, _)| *when)
        };
        for domid in happened {
            self.announce(domid);
        }
        next
    }

    /// Whether there is something to [`sweep`](Self::sweep).
    pub(super) fn is_unswept(&self) -> bool {
        !lock(&self.state).unswept.is_empty()
    }

    /// Does on disk what has happened by itself. Blocks. Nothing depends on its being done soon: a
    /// file that says that its domain was to be gone by now is as good as none.
    pub(super) fn sweep(&self) {
        if self.store.is_closed() {
            return;
        }
        let unswept = std::mem::take(&mut lock(&self.state).unswept);
        for domid in unswept {
            let Some(record) = self.record(domid) else {
                self.remove_file(domid);
                continue;
            };
            if record.untold_crash(self.now()) {
                let told = self.change_even_dying(domid, |record, now| {
                    let untold = record.untold_crash(now);
                    record.crash_told = true;
                    Ok(untold)
                });
                match told {
                    Ok(true) => self.tell_crash(domid),
                    Ok(false) => {}
                    Err(error) => tracing::warn!(%domid, %error, "A crash could not be recorded"),
                }
            }
        }
    }

    fn remove_file(&self, domid: DomId) {
        if let Err(error) = self.store.remove(domid) {
            tracing::warn!(%domid, %error, "The record of a domain that is gone could not be removed");
        }
    }

    /// Adds lines to the message buffer. Blocks.
    pub(super) fn tell(&self, lines: &str) {
        if let Err(error) = self.dmesg.add(&self.store, lines) {
            tracing::warn!(%error, "Xen's messages could not be recorded");
        }
    }

    /// What Xen says of a crash. Blocks.
    pub(super) fn tell_crash(&self, domid: DomId) {
        self.tell(&format!(
            "Domain {domid} (vcpu#0) crashed on cpu#{}:",
            domid.0 % self.settings.cpus.max(1)
        ));
    }

    /// The message buffer.
    pub(super) fn messages(&self) -> Vec<u8> {
        self.dmesg.text()
    }

    /// Empties it. Blocks.
    pub(super) fn clear_messages(&self) -> Result<(), Error> {
        self.dmesg.clear(&self.store).map_err(unwritten)
    }

    /// Notes that keys were pressed; they show nothing of a machine that is not there. Blocks.
    pub(super) fn press(&self, keys: &str) -> Result<(), Error> {
        keys.chars()
            .try_for_each(|key| self.dmesg.add(&self.store, &format!("'{key}' pressed")))
            .map_err(unwritten)
    }

    /// Lets another daemon have the host.
    pub(super) fn close(&self) {
        self.store.close();
    }

    /// Tells whoever listens to look at a domain.
    fn announce(&self, domid: DomId) {
        if let Some(listener) = lock(&self.listener).as_ref() {
            // Nobody listens any more: then nobody misses it.
            let _ = listener.send(DomainChanged(domid));
        }
    }

    /// A new listener, in place of the last one.
    pub(super) fn listen(&self) -> mpsc::UnboundedReceiver<DomainChanged> {
        let (sender, receiver) = mpsc::unbounded_channel();
        *lock(&self.listener) = Some(sender);
        receiver
    }
}

/// There is no such domain.
pub(super) fn no_such(domid: DomId) -> Error {
    Error::NoSuchDomain(domid.to_string())
}

/// What the host is made of could not be written.
fn unwritten(source: io::Error) -> Error {
    Error::backend("The simulated host could not record the change", source)
}

//! What the guard of a fleet's domains has of Xen: the two timers of the watchdog, and the end of
//! domains.
//!
//! All of it is hypercalls. libxl would wait: for XenStore, for scripts that unplug devices, for a
//! device model that does not end, and for its lock of each domain, which the daemon may hold. A
//! fence must work when any of these hangs.
//!
//! So a domain is destroyed in the hypervisor alone, and what its toolstack has of it stays: its
//! nodes in XenStore, its device model, its backends. The daemon clears that away when it hears of
//! the domain's end. Until then the hypervisor still lists the domain as dying: it never runs
//! again, and has lost its memory but for the pages that a backend maps.
//!
//! **A dying domain is not gone.** A backend that maps its pages may still be writing to its disks,
//! on which another host starts it next. A backend lets go after its last write, and then the
//! domain leaves the list; so one that is not listed has ended altogether. If it does not leave the
//! list in time, since its daemon is not there or its storage hangs, the watchdog resets the
//! machine.

use super::ffi::Hypercalls;
use crate::core::guard::Timer;
use crate::core::model::{DomId, Uuid};
use std::io;

/// The hypercalls, or what tests have in their place.
trait Calls {
    fn watchdog(&self, timer: u32, seconds: u32) -> io::Result<u32>;
    fn next_domain(&self, domid: u32) -> io::Result<Option<(u32, [u8; 16])>>;
    fn halt(&self, domid: u32) -> io::Result<()>;
    fn end(&self, domid: u32) -> io::Result<()>;
}

impl Calls for Hypercalls {
    fn watchdog(&self, timer: u32, seconds: u32) -> io::Result<u32> {
        self.watchdog(timer, seconds)
    }

    fn next_domain(&self, domid: u32) -> io::Result<Option<(u32, [u8; 16])>> {
        self.next_domain(domid)
    }

    fn halt(&self, domid: u32) -> io::Result<()> {
        self.halt(domid)
    }

    fn end(&self, domid: u32) -> io::Result<()> {
        self.end(domid)
    }
}

/// Opens the hypervisor, and sees that it tells of its domains.
fn open() -> io::Result<Box<dyn Calls + Send + Sync>> {
    let calls = Hypercalls::open()?;
    calls.next_domain(DomId::ZERO.0)?;
    Ok(Box::new(calls))
}

/// The two timers of Domain-0's watchdog. Xen has no more of them, and hands out each one once: a
/// process that ends without unsetting its timer leaves it to nobody, and it runs out.
pub struct WatchdogTimers {
    calls: Box<dyn Calls + Send + Sync>,
    /// Their numbers, while they are this guard's.
    numbers: [Option<u32>; 2],
}

impl WatchdogTimers {
    /// Fails where there is no Xen. Takes no timer yet.
    pub fn open() -> io::Result<Self> {
        Ok(Self { calls: open()?, numbers: [None; 2] })
    }

    /// Sets a timer to so many seconds from now. The first time it takes both and sets both: a
    /// guard that has one of them only could not set it safely again.
    pub fn set(&mut self, timer: Timer, seconds: u32) -> io::Result<()> {
        let [Some(first), Some(second)] = self.numbers else { return self.take(seconds) };
        let number = match timer {
            Timer::First => first,
            Timer::Second => second,
        };
        self.calls.watchdog(number, seconds).map(drop)
    }

    fn take(&mut self, seconds: u32) -> io::Result<()> {
        self.unset()?;
        for at in 0..self.numbers.len() {
            match self.calls.watchdog(0, seconds) {
                Ok(number) => self.numbers[at] = Some(number),
                Err(error) => {
                    self.unset()?;
                    return Err(not_taken(error));
                }
            }
        }
        Ok(())
    }

    /// Unsets both timers, which are free then.
    pub fn unset(&mut self) -> io::Result<()> {
        let mut done = Ok(());
        for number in &mut self.numbers {
            let Some(timer) = *number else { continue };
            match self.calls.watchdog(timer, 0) {
                Ok(_) => *number = None,
                Err(error) => done = Err(error),
            }
        }
        done
    }
}

fn not_taken(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::AlreadyExists | io::ErrorKind::StorageFull => io::Error::other(
            "Xen has two timers for Domain-0, the guard needs both, and one is taken: stop \
             xenwatchdogd (pkill -USR1 xenwatchdogd). If a guard has been killed, the machine is \
             about to be reset",
        ),
        _ => error,
    }
}

/// Destroys domains without the daemon.
pub struct DomainDestroyer(Box<dyn Calls + Send + Sync>);

impl DomainDestroyer {
    /// Fails where there is no Xen.
    pub fn open() -> io::Result<Self> {
        open().map(Self)
    }

    /// Destroys the domains that have these UUIDs, and tells which UUIDs no domain has afterwards.
    /// Blocks while Xen frees their memory.
    pub fn destroy(&self, domains: &[Uuid]) -> io::Result<Vec<Uuid>> {
        let found = self.having(domains)?;
        // All of them have stopped before the memory of the first one is freed, which takes as long
        // as there is much of it. One that has stopped already may be destroyed all the same.
        for (domid, uuid) in &found {
            if let Err(error) = self.0.halt(*domid) {
                tracing::warn!(domid, %uuid, "A guarded domain cannot be paused: {error}");
            }
        }
        for (domid, uuid) in &found {
            if let Err(error) = self.0.end(*domid) {
                tracing::error!(domid, %uuid, "A guarded domain cannot be destroyed: {error}");
            }
        }
        let left = self.having(domains)?;
        for (domid, uuid) in &left {
            tracing::warn!(domid, %uuid, "A guarded domain is not gone yet");
        }
        let is_gone = |domain: &&Uuid| !left.iter().any(|(_, uuid)| uuid == *domain);
        Ok(domains.iter().filter(is_gone).copied().collect())
    }

    /// The domids of domains that have one of these UUIDs. During a migration within the host two
    /// domains have the same one. Domain-0, whose UUID is zero, is none of them.
    fn having(&self, domains: &[Uuid]) -> io::Result<Vec<(u32, Uuid)>> {
        let mut found = Vec::new();
        let mut from = DomId::ZERO.0 + 1;
        while let Some((domid, uuid)) = self.0.next_domain(from)? {
            let uuid = Uuid::from_bytes(uuid);
            if domains.contains(&uuid) {
                found.push((domid, uuid));
            }
            from = domid + 1;
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::sync::{Arc, Mutex};

    /// What has become of a hypervisor.
    #[derive(Debug, Default)]
    struct Host {
        /// What is left of the timers; `None` if one is free.
        timers: [Option<u32>; 2],
        /// Unsetting this timer fails.
        stuck: Option<u32>,
        /// UUIDs by domid.
        domains: BTreeMap<u32, u128>,
        /// Domids of domains whose pages a backend maps.
        mapped: Vec<u32>,
        calls: Vec<String>,
    }

    #[derive(Clone, Default)]
    struct Fake(Arc<Mutex<Host>>);

    impl Fake {
        fn with<T>(&self, change: impl FnOnce(&mut Host) -> T) -> T {
            change(&mut self.0.lock().unwrap())
        }

        fn timers(&self) -> WatchdogTimers {
            WatchdogTimers { calls: Box::new(self.clone()), numbers: [None; 2] }
        }

        fn destroy(&self, domains: &[u128]) -> Vec<u128> {
            let domains: Vec<Uuid> = domains.iter().copied().map(Uuid::from_u128).collect();
            let gone = DomainDestroyer(Box::new(self.clone())).destroy(&domains).unwrap();
            gone.iter().map(Uuid::as_u128).collect()
        }
    }

    impl Calls for Fake {
        fn watchdog(&self, timer: u32, seconds: u32) -> io::Result<u32> {
            self.with(|host| {
                let number = match timer {
                    0 => host.timers.iter().position(Option::is_none),
                    number => Some(number as usize - 1),
                };
                let Some(at) = number else { return Err(io::ErrorKind::AlreadyExists.into()) };
                let number = u32::try_from(at + 1).unwrap();
                if seconds == 0 && host.stuck == Some(number) {
                    return Err(io::ErrorKind::Other.into());
                }
                host.timers[at] = (seconds > 0).then_some(seconds);
                Ok(number)
            })
        }

        fn next_domain(&self, domid: u32) -> io::Result<Option<(u32, [u8; 16])>> {
            let next = self.with(|host| host.domains.range(domid..).next().map(|(k, v)| (*k, *v)));
            Ok(next.map(|(domid, uuid)| (domid, uuid.to_be_bytes())))
        }

        fn halt(&self, domid: u32) -> io::Result<()> {
            self.with(|host| host.calls.push(format!("halt {domid}")));
            Ok(())
        }

        fn end(&self, domid: u32) -> io::Result<()> {
            self.with(|host| {
                host.calls.push(format!("end {domid}"));
                if !host.mapped.contains(&domid) {
                    host.domains.remove(&domid);
                }
            });
            Ok(())
        }
    }

    #[test]
    fn both_timers_are_taken_together_and_set_one_by_one() {
        let fake = Fake::default();
        let mut timers = fake.timers();
        timers.set(Timer::First, 29).unwrap();
        assert_eq!(fake.with(|host| host.timers), [Some(29), Some(29)]);
        timers.set(Timer::Second, 30).unwrap();
        assert_eq!(fake.with(|host| host.timers), [Some(29), Some(30)]);
        timers.set(Timer::First, 28).unwrap();
        assert_eq!(fake.with(|host| host.timers), [Some(28), Some(30)]);
        timers.unset().unwrap();
        timers.unset().unwrap();
        assert_eq!(fake.with(|host| host.timers), [None; 2]);
        timers.set(Timer::Second, 30).unwrap();
        assert_eq!(fake.with(|host| host.timers), [Some(30), Some(30)]);
    }

    #[test]
    fn a_watchdog_of_which_somebody_has_a_timer_stays_as_it_is() {
        for theirs in 0..2 {
            let fake = Fake::default();
            let mut before = [None; 2];
            before[theirs] = Some(300);
            fake.with(|host| host.timers = before);
            let mut timers = fake.timers();
            let error = timers.set(Timer::First, 30).unwrap_err().to_string();
            assert!(error.contains("stop xenwatchdogd"), "{error}");
            timers.unset().unwrap();
            assert_eq!(fake.with(|host| host.timers), before);
            fake.with(|host| host.timers = [None; 2]);
            timers.set(Timer::First, 30).unwrap();
        }
    }

    #[test]
    fn a_timer_that_cannot_be_unset_is_remembered() {
        let fake = Fake::default();
        fake.with(|host| host.stuck = Some(1));
        let mut timers = fake.timers();
        timers.set(Timer::First, 30).unwrap();
        timers.unset().unwrap_err();
        assert_eq!(fake.with(|host| host.timers), [Some(30), None]);
        // It would be taken for somebody else's.
        timers.set(Timer::First, 30).unwrap_err();
        fake.with(|host| host.stuck = None);
        timers.set(Timer::First, 20).unwrap();
        assert_eq!(fake.with(|host| host.timers), [Some(20), Some(20)]);
        timers.unset().unwrap();
        assert_eq!(fake.with(|host| host.timers), [None; 2]);
    }

    #[test]
    fn exactly_the_named_domains_are_stopped_and_then_destroyed() {
        let fake = Fake::default();
        // Two domains have one UUID during a migration within the host.
        fake.with(|host| host.domains = [(0, 0), (1, 7), (4, 8), (5, 9), (6, 7)].into());
        assert_eq!(fake.destroy(&[7, 9, 10]), [7, 9, 10]);
        let calls = ["halt 1", "halt 5", "halt 6", "end 1", "end 5", "end 6"];
        assert_eq!(fake.with(|host| host.calls.clone()), calls);
        assert_eq!(fake.with(|host| host.domains.clone()), [(0, 0), (4, 8)].into());
    }

    #[test]
    fn a_domain_whose_pages_are_mapped_is_not_gone() {
        let fake = Fake::default();
        fake.with(|host| {
            host.domains = [(0, 0), (1, 7), (2, 8)].into();
            host.mapped = vec![1];
        });
        assert_eq!(fake.destroy(&[7, 8]), [8]);
        assert_eq!(fake.destroy(&[7]), []);
        fake.with(|host| host.mapped.clear());
        assert_eq!(fake.destroy(&[7]), [7]);
    }

    #[test]
    fn domain_0_is_never_destroyed() {
        let fake = Fake::default();
        fake.with(|host| host.domains = [(0, 0)].into());
        assert_eq!(fake.destroy(&[0]), [0]);
        assert_eq!(fake.with(|host| host.calls.clone()), [] as [&str; 0]);
    }
}

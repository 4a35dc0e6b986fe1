//! The machine of a guard on a Xen host.

use crate::backend::libxl::{DomainDestroyer, WatchdogTimers};
use crate::core::guard::Timer;
use crate::core::model::Uuid;
use crate::fleet::guard::{Destroyer, Watchdog};
use std::io;
use std::sync::Arc;

/// The watchdog, or why there is none, and what destroys domains.
pub(super) fn machine() -> (Result<Box<dyn Watchdog>, String>, Arc<dyn Destroyer>) {
    let opened =
        WatchdogTimers::open().and_then(|timers| DomainDestroyer::open().map(|end| (timers, end)));
    match opened {
        Ok((timers, destroyer)) => (Ok(Box::new(timers)), Arc::new(destroyer)),
        Err(error) => {
            let reason = format!("Xen cannot be reached, is this Domain-0? {error}");
            tracing::error!("Nothing will be guarded: {reason}");
            (Err(reason), Arc::new(NothingToDestroy))
        }
    }
}

impl Watchdog for WatchdogTimers {
    fn set(&mut self, timer: Timer, seconds: u32) -> io::Result<()> {
        self.set(timer, seconds)
    }

    fn disarm(&mut self) -> io::Result<()> {
        self.unset()
    }
}

impl Destroyer for DomainDestroyer {
    fn destroy(&self, domains: &[Uuid]) -> Vec<Uuid> {
        self.destroy(domains).unwrap_or_else(|error| {
            tracing::error!("The guarded domains cannot be found: {error}");
            Vec::new()
        })
    }
}

/// Where nothing is guarded.
struct NothingToDestroy;

impl Destroyer for NothingToDestroy {
    fn destroy(&self, _domains: &[Uuid]) -> Vec<Uuid> {
        Vec::new()
    }
}

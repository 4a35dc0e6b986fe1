//! A simulated Xen host: the embedded default, for trying things out, for tests, and for writing
//! clients against.
//!
//! # What it simulates
//!
//! A host with CPUs and memory, Domain-0, and domains that are built, boot, use CPU time, and stop.
//! Memory that is not there is not given out. Domids grow and are not used again. Devices take a
//! moment to be connected. Xen has a scheduler, with its own parameters for each domain, and a
//! message buffer.
//!
//! Like those of a real host, its domains outlive the daemon. They even go on living without it:
//! what a guest does is a function of time over a small record that is on disk (see `guest`), so a
//! guest that was asked to shut down just before the daemon was killed has done so when the daemon
//! comes back. What ends all domains is a boot of the machine, told by the kernel's boot id.
//!
//! | a guest | |
//! |---|---|
//! | boots | in 0.4 s ([`SimSettings::boot`]) of not being paused; a PV guest has one VCPU until it runs for the first time |
//! | idles | at 1 % to 3 % of a CPU, the same for a domid at all times, and is seen blocked; 60 % of one while it boots |
//! | is asked to stop | obeys 0.2 s ([`SimSettings::react`]) later, but not before it has booted, and not while paused |
//! | is crashed | stops at once |
//! | has stopped | stays as it is, with its memory, until it is destroyed |
//!
//! # Misbehaviour on request
//!
//! | where | word | what happens |
//! |---|---|---|
//! | name | `deaf` | the guest ignores requests to shut down, and does not let go of its devices |
//! | name | `saveslow` | writing its memory takes 10 ms a MiB |
//! | name | `savefails` | half of its memory cannot be read |
//! | name | `busy` | the guest keeps its VCPUs busy, as far as cap, reservation and affinity let it, and is seen running |
//! | kernel arguments | `sim-poweroff`, `sim-halt`, `sim-reboot`, `sim-crash` | the guest does so by itself when it has booted; `sim-crash=2.5`: that many seconds later |
//! | path of kernel, RAM disk, loader or device model | `nosuch` | there is no such file |
//! | path of a disk | `hotplugerror` | it does not exist, and waiting for devices says so |
//! | path of a disk | `hotplugbusy` | somebody else uses it, and waiting for devices says so |
//! | path of a disk | `hotpluglost` | it is never connected: waiting for devices fails after 10 s ([`SimSettings::device_patience`]) |
//! | path of a disk | `hotplugslow` | building the domain takes 2 s ([`SimSettings::slow_create`]) |
//!
//! A word counts wherever it is found in the name or path, except kernel arguments, which are whole
//! words (`crashkernel=64M` is harmless). The name is the one that the domain is built with.
//!
//! # What it does not do
//!
//! Guests don't compete: four CPUs are enough for any number of busy guests. Names and UUIDs may be
//! doubled, as far as this host is concerned; that is for a toolstack to prevent. `maxmem` is not
//! held free, and shadow memory and Xen's own cost of a domain are nothing.

mod create;
mod devices;
mod dmesg;
mod dump;
mod facts;
mod form;
mod guest;
mod host;
mod hotplug;
mod hypervisor;
mod machine;
mod memory;
mod record;
mod sched;
mod settings;
mod state;
mod store;
#[cfg(test)]
mod testing;
mod words;

pub use settings::SimSettings;

use crate::core::error::Error;
use crate::core::model::{DomId, Invalid};
use crate::core::ports::{Clock, Entropy};
use host::Host;
use record::Record;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, SystemTime};
use store::Store;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

/// Why a simulated host could not be started.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// Another daemon has it.
    #[error("The simulated host in {} belongs to another running xend", .0.display())]
    InUse(PathBuf),
    /// Its directory cannot be used.
    #[error("The simulated host in {} cannot be used", dir.display())]
    Directory {
        /// The directory.
        dir: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// There cannot be such a host.
    #[error("There cannot be such a simulated host: {0}")]
    Settings(#[from] Invalid),
    /// It was not started from a task of a Tokio runtime.
    #[error("A simulated host needs a Tokio runtime")]
    NoRuntime,
}

/// A simulated host. Clones are handles to the same one; with the last of them this process lets go
/// of it.
#[derive(Clone)]
pub struct Sim {
    host: Arc<Host>,
    runtime: Handle,
    _owner: Arc<Owner>,
}

impl std::fmt::Debug for Sim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sim").field("settings", &self.host.settings).finish_non_exhaustive()
    }
}

impl Sim {
    /// Finds the host that is kept in a directory, or starts one there. Must be called in a Tokio
    /// runtime that has time; it reads files, so not from where much else is waiting.
    pub fn open(
        dir: &Path,
        settings: SimSettings,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, SimError> {
        let runtime = Handle::try_current().map_err(|_| SimError::NoRuntime)?;
        settings.check()?;
        let broken = |source| SimError::Directory { dir: dir.to_owned(), source };
        let store = Store::open(dir).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => SimError::InUse(dir.to_owned()),
            _ => broken(error),
        })?;
        let boot = settings.boot_id.clone().unwrap_or_else(machine_boot_id);
        let host = Arc::new(Host::open(store, boot, settings, clock, entropy).map_err(broken)?);
        let timer =
            runtime.spawn(watch(Arc::downgrade(&host), Arc::clone(&host.wake), runtime.clone()));
        let owner = Owner { host: Arc::clone(&host), timer: timer.abort_handle() };
        Ok(Self { host, runtime, _owner: Arc::new(owner) })
    }

    /// Does something that may wait for the disk. It is done to the end even if nobody waits for it
    /// any more.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let done = self.runtime.spawn_blocking(work).await;
        done.unwrap_or_else(|error| {
            Err(Error::backend("The simulated host has been stopped", error))
        })
    }

    /// Changes a domain's record.
    async fn change<T: Send + 'static>(
        &self,
        domid: DomId,
        apply: impl FnOnce(&mut Record, SystemTime) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let host = Arc::clone(&self.host);
        self.blocking(move || host.change(domid, apply)).await
    }
}

/// What all handles have in common. With it ends what is going on in the background, at once:
/// whoever opens the host next does not have to wait for that.
struct Owner {
    host: Arc<Host>,
    timer: AbortHandle,
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.timer.abort();
        self.host.close();
    }
}

/// Sees to it that what happens by itself is noticed when it happens.
async fn watch(host: Weak<Host>, wake: Arc<Notify>, runtime: Handle) {
    // A clock that disagrees with the timer, even one that stands still, must not make this spin.
    const SHORTEST: Duration = Duration::from_millis(1);
    loop {
        let Some(host) = host.upgrade() else { return };
        let next = host
            .settle()
            .map(|when| when.duration_since(host.now()).unwrap_or_default().max(SHORTEST));
        if host.is_unswept() {
            // Dropping the handle leaves the work to itself.
            drop(runtime.spawn_blocking(move || host.sweep()));
        } else {
            drop(host);
        }
        match next {
            None => wake.notified().await,
            Some(wait) => {
                let _ = tokio::time::timeout(wait, wake.notified()).await;
            }
        }
    }
}

/// The kernel's name for the time since the machine was booted. Where there is none, domains
/// outlive even that.
fn machine_boot_id() -> String {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.trim().to_owned()
}

/// Locks. A panic elsewhere leaves nothing half done here, since changes are made on copies.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

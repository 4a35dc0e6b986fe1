//! The handle that implements the ports.

use super::boot::boot_id;
use super::host::Host;
use super::record::Record;
use super::settings::SimSettings;
use super::state_dir::StateDir;
use crate::core::error::Error;
use crate::core::model::{DomId, Invalid};
use crate::core::ports::{Clock, Entropy};
use crate::dir_lock::LockError;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time;

/// Why a simulated host could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// Another daemon has opened it, or its directory cannot be opened.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// Its directory cannot be used.
    #[error("The simulated host in {} cannot be used", .0.display())]
    Directory(PathBuf, #[source] io::Error),
    /// The settings contradict each other, or are out of range.
    #[error("There cannot be such a simulated host")]
    Settings(#[from] Invalid),
    /// It was not opened in a task of a Tokio runtime.
    #[error("A simulated host needs a Tokio runtime")]
    NoRuntime,
}

/// A simulated host. Clones are handles to the same host; this process closes it with the last
/// handle.
#[derive(Clone)]
pub struct Sim {
    host: Arc<Host>,
    runtime: Handle,
    _owner: Arc<Owner>,
}

impl fmt::Debug for Sim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sim").field("settings", &self.host.settings).finish_non_exhaustive()
    }
}

impl Sim {
    /// Opens the host in a directory, or makes one there. Must be called in a Tokio runtime with a
    /// timer. Blocks: it reads files.
    pub fn open(
        dir: &Path,
        settings: SimSettings,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, SimError> {
        let runtime = Handle::try_current().map_err(|_| SimError::NoRuntime)?;
        settings.check()?;
        let unusable = |source| SimError::Directory(dir.to_owned(), source);
        let state_dir = StateDir::open(dir)?;
        let boot = settings.boot_id.clone().unwrap_or_else(|| machine_boot_id(dir));
        let host = Host::open(state_dir, boot, settings, clock, entropy).map_err(unusable)?;
        let host = Arc::new(host);
        let timer =
            runtime.spawn(run_timer(Arc::downgrade(&host), host.wake.clone(), runtime.clone()));
        let owner = Owner { host: Arc::clone(&host), timer: timer.abort_handle() };
        Ok(Self { host, runtime, _owner: Arc::new(owner) })
    }

    pub(super) fn host(&self) -> &Arc<Host> {
        &self.host
    }

    /// Runs a function that may wait for the disk. It runs to its end even if the caller stops
    /// waiting.
    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Arc<Host>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let host = Arc::clone(&self.host);
        let done = self.runtime.spawn_blocking(move || work(&host)).await;
        done.unwrap_or_else(|error| {
            Err(Error::backend("The simulated host has been stopped", error))
        })
    }

    /// Changes a domain's record.
    pub(super) async fn change<T: Send + 'static>(
        &self,
        domid: DomId,
        apply: impl FnOnce(&mut Record, SystemTime) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.blocking(move |host| host.change(domid, apply)).await
    }
}

/// Owned by all handles together. Its end stops the timer and closes the host at once: the next
/// daemon need not wait for a task in the background.
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

/// Applies each event of a guest when it is due.
async fn run_timer(host: Weak<Host>, wake: Arc<Notify>, runtime: Handle) {
    // If the clock disagrees with Tokio's timer, or stands still, this must not spin.
    const MIN_WAIT: Duration = Duration::from_millis(1);
    loop {
        let Some(host) = host.upgrade() else { return };
        let agents = host.take_due_agents();
        let next = host
            .apply_due()
            .map(|when| when.duration_since(host.now()).unwrap_or_default().max(MIN_WAIT));
        if host.has_unrecorded() || !agents.is_empty() {
            // The task goes on without its handle.
            drop(runtime.spawn_blocking(move || {
                host.record_events();
                host.run_agents(&agents);
            }));
        } else {
            drop(host);
        }
        match next {
            None => wake.notified().await,
            Some(wait) => {
                let _ = time::timeout(wait, wake.notified()).await;
            }
        }
    }
}

/// The id of this run of the machine. Empty if it has none: domains then outlive a boot.
fn machine_boot_id(dir: &Path) -> String {
    boot_id(dir).map(|id| id.to_string()).unwrap_or_default()
}

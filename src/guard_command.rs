//! `xend guard`: the guard of a host's protected domains, a process of its own.
//!
//! ```text
//! simulated          destroying domains of a simulated host, and a client of its watchdog
//! simulated_watchdog the watchdog of a simulated host, again a process of its own
//! socket             where the daemon finds the guard
//! xen                the watchdog of Xen, and destroying domains there
//! ```

mod simulated;
mod simulated_watchdog;
mod socket;
#[cfg(feature = "xen")]
mod xen;

use crate::backend::sim;
use crate::cli::{FleetHost, GuardOptions};
use crate::config::{Config, ConfigError, Environment, Hypervisor, NoFleet, RunOptions};
use crate::core::model::Uuid;
use crate::core::ports::Entropy as _;
use crate::fleet::guard::{self, BootClock, FenceReader, GuardPorts, READ_LIMIT};
use crate::fleet::{self, FleetSettings, Keys, Kv, NoClient};
use crate::os::OsEntropy;
use crate::server::telemetry::{Telemetry, TelemetryError};
use crate::store;
use rustix::mm::{MlockAllFlags, mlockall};
use rustix::time::{ClockId, clock_gettime};
use sd_notify::NotifyState;
use simulated::{SimulatedDestroyer, SimulatedWatchdog};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The most threads for calls that block: reading files for etcd, the watchdog, destroying.
const MAX_BLOCKING: usize = 8;
/// The stack of each in bytes: all of it is locked.
const STACK: usize = 512 << 10;

/// A guard that cannot begin, or had to end.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The host is in no fleet.
    #[error(transparent)]
    NoFleet(#[from] NoFleet),
    /// This build has no client for etcd.
    #[error(transparent)]
    NoClient(#[from] NoClient),
    /// The log cannot be set up.
    #[error(transparent)]
    Log(#[from] TelemetryError),
    /// The state directory cannot be used.
    #[error("Cannot use the state directory {}: {source}", dir.display())]
    StateDir { dir: PathBuf, source: io::Error },
    /// Another guard runs, or its socket cannot be made.
    #[error("Cannot listen on {}: {source}", socket.display())]
    Socket { socket: PathBuf, source: io::Error },
    /// Its memory may be paged out, and so the guard stopped.
    #[error("Cannot lock the memory, as root or with LimitMEMLOCK=infinity it can be: {0}")]
    Memory(io::Error),
    /// It cannot be told which boot of the machine this is.
    #[error("Cannot tell which boot of the machine this is: {0}")]
    BootId(io::Error),
    /// There is no runtime.
    #[error("Cannot start: {0}")]
    Runtime(io::Error),
    /// It was stopped while it guarded domains.
    #[error(
        "Stopped while domains ({0}) are guarded: the watchdog resets this machine within 30 s"
    )]
    Guarding(usize),
    /// The watchdog of a simulated host cannot be.
    #[error("Cannot be the watchdog of {}: {source}", dir.display())]
    Watchdog { dir: PathBuf, source: io::Error },
}

/// Guards until SIGTERM or SIGINT, or is the watchdog of a simulated host.
pub fn run(
    host: &FleetHost,
    options: &GuardOptions,
    environment: &Environment,
) -> Result<(), GuardError> {
    if let Some(dir) = &options.simulated_watchdog {
        let failed = |source| GuardError::Watchdog { dir: dir.clone(), source };
        return simulated_watchdog::run(dir).map_err(failed);
    }
    let run_options = RunOptions { hypervisor: options.hypervisor, ..host.run_options() };
    let (config, _) = Config::load(&run_options, environment)?;
    let settings = config.fleet.clone().ok_or_else(|| NoFleet::of(&run_options, environment))?;
    let kv = fleet::connect_within(settings.etcd.clone(), READ_LIMIT)?;
    Telemetry::init(&config.tunables.log_filter, None, config.log_format)?;
    let dir = &config.state_dir;
    let failed = |source| GuardError::StateDir { dir: dir.clone(), source };
    let uuid = store::host_uuid(dir, OsEntropy.uuid()).map_err(failed)?;
    let boot_id = boot_of(&config).map_err(GuardError::BootId)?;
    lock_memory(config.hypervisor)?;
    let runtime = Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(MAX_BLOCKING)
        .thread_stack_size(STACK)
        .build()
        .map_err(GuardError::Runtime)?;
    let reader = reader(kv, settings, uuid, boot_id);
    let guarded = runtime.block_on(keep_guard(&config, reader))?;
    if guarded == 0 { Ok(()) } else { Err(GuardError::Guarding(guarded)) }
}

fn boot_of(config: &Config) -> io::Result<Uuid> {
    match config.hypervisor {
        Hypervisor::Sim => sim::boot_id(&config.state_dir.join("sim")),
        #[cfg(feature = "xen")]
        Hypervisor::Xen => crate::os::boot_id(),
    }
}

fn reader(kv: Arc<dyn Kv>, settings: FleetSettings, uuid: Uuid, boot_id: Uuid) -> FenceReader {
    let FleetSettings { cluster, host, .. } = settings;
    FenceReader { kv, keys: Keys::new(cluster), host, uuid, boot_id }
}

/// Guards until it is told to stop, and tells how many domains it guarded then.
async fn keep_guard(config: &Config, reader: FenceReader) -> Result<usize, GuardError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(GuardError::Runtime)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(GuardError::Runtime)?;
    let path = fleet::guard_socket(&config.state_dir);
    let failed = |source| GuardError::Socket { socket: path.clone(), source };
    let socket = socket::open(&path).map_err(failed)?;
    let stopping = CancellationToken::new();
    let (handle, driver) = guard::drive(ports(config), reader, stopping.clone());
    tracing::info!("Listening on {}", path.display());
    // Without systemd there is nobody to tell.
    sd_notify::notify(&[NotifyState::Ready]).ok();
    let serving = tokio::spawn(guard::serve(socket.listener, handle));
    let stop = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        stopping.cancel();
        std::future::pending().await
    };
    let guarded = tokio::select! {
        guarded = driver => guarded,
        never = stop => never,
    };
    serving.abort();
    Ok(guarded)
}

/// The machine of the guard.
fn ports(config: &Config) -> GuardPorts {
    let clock: Arc<dyn BootClock> = Arc::new(MachineClock);
    match config.hypervisor {
        Hypervisor::Sim => {
            let dir = config.state_dir.join("sim");
            GuardPorts {
                watchdog: Ok(Box::new(SimulatedWatchdog::new(dir.clone()))),
                destroyer: Arc::new(SimulatedDestroyer(dir)),
                clock,
            }
        }
        #[cfg(feature = "xen")]
        Hypervisor::Xen => {
            let (watchdog, destroyer) = xen::machine();
            GuardPorts { watchdog, destroyer, clock }
        }
    }
}

/// `CLOCK_BOOTTIME`
struct MachineClock;

impl BootClock for MachineClock {
    fn now(&self) -> Duration {
        let now = clock_gettime(ClockId::Boottime);
        // The kernel counts it from 0.
        Duration::try_from(now).unwrap_or_default()
    }
}

/// Keeps the guard from waiting for a disk. A simulated host may be anybody's, who may lock no
/// memory.
fn lock_memory(hypervisor: Hypervisor) -> Result<(), GuardError> {
    match mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE) {
        Ok(()) => Ok(()),
        Err(error) if hypervisor == Hypervisor::Sim => {
            tracing::warn!("The memory is not locked, as it would be on a Xen host: {error}");
            Ok(())
        }
        Err(error) => Err(GuardError::Memory(error.into())),
    }
}

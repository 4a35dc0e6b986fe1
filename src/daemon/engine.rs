//! The engine in front of its hypervisor.

use super::fleet::Fleet;
use super::relocation;
use anyhow::{Context as _, Result};
use arc_swap::ArcSwap;
use std::sync::Arc;
use xend::backend::domain0::is_domain0;
use xend::backend::sim::{Sim, SimSettings};
use xend::config::{Config, Hypervisor};
use xend::core::engine::{Engine, EnginePorts, Settings};
use xend::core::model::{Invalid, Policy};
use xend::core::ports;
use xend::core::rights::Accounts;
use xend::durable;
use xend::os::{OsEntropy, SystemClock};
use xend::state_file;
use xend::store::DirStore;
use xend::wire::relocation::{TcpTransport, TlsPeers};

/// Why the hypervisor is most likely not the wanted one.
pub(super) fn suspicion(hypervisor: Hypervisor) -> Option<&'static str> {
    match (hypervisor, is_domain0()) {
        (Hypervisor::Sim, true) => Some(
            "This machine is a Xen host, but xend simulates another one and does not see its \
             domains: for them, write (xend-hypervisor xen) or give --hypervisor xen",
        ),
        #[cfg(feature = "xen")]
        (Hypervisor::Xen, false) => Some(
            "This machine is no Xen host, so that xend does not start: boot it with Xen, or write \
             (xend-hypervisor sim)",
        ),
        _ => None,
    }
}

/// Logs that the host is simulated, as a warning where that is most likely a mistake.
fn log_simulation() {
    if let Some(suspicion) = suspicion(Hypervisor::Sim) {
        tracing::warn!("{suspicion}");
    } else {
        tracing::info!("The host is simulated: none of its domains is real");
    }
}

fn sim_settings(config: &Config) -> SimSettings {
    SimSettings {
        cpus: config.sim.cpus,
        memory_mib: config.sim.memory_mib,
        scheduler: config.scheduler,
        vnc_password: config.vnc_password.clone(),
        ..SimSettings::default()
    }
}

/// Why the hypervisor would refuse the configuration.
pub(super) fn check(config: &Config) -> Option<Invalid> {
    match config.hypervisor {
        Hypervisor::Sim => sim_settings(config).check().err(),
        #[cfg(feature = "xen")]
        Hypervisor::Xen => None,
    }
}

/// Starts the engine.
pub(super) async fn start(
    config: &Config,
    policy: Arc<ArcSwap<Policy>>,
    accounts: Arc<Accounts>,
    tls: &relocation::Tls,
    fleet: Option<&Fleet>,
) -> Result<Engine> {
    let limit = config.hypervisor_limit;
    let clock: Arc<dyn ports::Clock> = Arc::new(SystemClock);
    let entropy: Arc<dyn ports::Entropy> = Arc::new(OsEntropy);
    let hypervisor: Arc<dyn ports::Hypervisor> = match config.hypervisor {
        Hypervisor::Sim => {
            log_simulation();
            let dir = config.state_dir.join("sim");
            Arc::new(Sim::open(&dir, sim_settings(config), clock.clone(), entropy.clone())?)
        }
        #[cfg(feature = "xen")]
        Hypervisor::Xen => {
            let password = config.vnc_password.clone();
            Arc::new(xend::backend::libxl::Xen::open(limit, password, clock.clone())?)
        }
    };
    let dump_dir = config.state_dir.join("dump");
    // The memory of guests is in it.
    state_file::make_dir(&dump_dir)
        .with_context(|| format!("Cannot create {}", dump_dir.display()))?;
    durable::remove_unfinished(&dump_dir)
        .with_context(|| format!("Cannot read {}", dump_dir.display()))?;
    let tls = tls.clone().map_err(|(key, reason)| format!("{reason}, see {key}"));
    let settings = Settings {
        hypervisor_limit: limit,
        dump_dir,
        policy,
        accounts,
        fleet: fleet.map(Fleet::reader),
        peers: fleet.map(|fleet| Arc::new(TlsPeers::new(fleet.own(), tls.clone())) as _),
        ownership: fleet.map_or_else(|| Arc::new(ports::Alone) as _, Fleet::ownership),
        ..Settings::default()
    };
    let state_dir = &config.state_dir;
    let storage = &config.storage;
    let store = DirStore::with_storage(state_dir, storage, entropy.clone());
    let store = Arc::new(store.with_context(|| {
        format!("Cannot use {} with disk images in {}", state_dir.display(), storage.display())
    })?);
    let transport = TcpTransport::new(limit * 2).with_tls(tls).named(fleet.map(Fleet::own));
    let transport = Arc::new(transport);
    Ok(Engine::start(EnginePorts { hypervisor, store, transport, clock, entropy }, settings)
        .await?)
}

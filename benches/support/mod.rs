//! What benchmarks share: the gateway on a simulated host, and the daemon's server.
#![allow(dead_code, reason = "not every benchmark uses all of it")]

pub(crate) mod client;
pub(crate) mod nginx;

use axum::Router;
use axum::middleware::from_fn_with_state;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use xend::backend::sim::{Sim, SimSettings};
use xend::config::{Config, Environment, RunOptions, Switch};
use xend::core::engine::{Engine, EnginePorts, Settings};
use xend::core::model::{CompleteConfig, DomainConfig};
use xend::os::{OsEntropy, SystemClock};
use xend::server::{Guard, Inherited, Listener, Server, listen};
use xend::shape::{read_config, stored_config};
use xend::store::DirStore;
use xend::sxp::{Limits, pretty, read_one};
use xend::wire::relocation::TcpTransport;

/// The engine on a new simulated host, whose files are below `dir`, too.
pub(crate) async fn engine(dir: &Path, settings: SimSettings) -> Engine {
    engine_on(simulated_host(dir, settings), dir).await
}

/// A host with room for many domains. One whose disk is at `hotplugslow` is built for longer than is
/// measured.
pub(crate) fn large_host() -> SimSettings {
    SimSettings {
        memory_mib: 1 << 24,
        slow_create: Duration::from_secs(6),
        ..SimSettings::default()
    }
}

/// A domain as old hosts had it.
pub(crate) fn config(name: &str, disk: &str) -> DomainConfig {
    let text = format!(
        "(vm (name {name}) (memory 128) (maxmem 256) (vcpus 2) \
         (on_poweroff destroy) (on_reboot restart) (on_crash restart) (image (linux \
         (kernel /boot/vmlinuz-2.6-xenU) (root '/dev/sda1 ro') (args 'console=hvc0'))) \
         (device (vbd (uname phy:{disk}) (dev sda1) (mode w))) \
         (device (vif (bridge xenbr0) (ip 10.0.0.5))))"
    );
    read_config(&read_one(text.as_bytes(), &Limits::default()).unwrap()).unwrap()
}

/// Writes a definition like the daemon, without syncing each file.
pub(crate) fn store_definition(dir: &Path, config: &DomainConfig) {
    let dir = dir.join("domains").join(config.uuid.unwrap().to_string());
    std::fs::create_dir_all(&dir).unwrap();
    let config = CompleteConfig::for_definition(config.clone(), &OsEntropy).unwrap();
    std::fs::write(dir.join("config.sxp"), pretty(&stored_config(&config), 100)).unwrap();
}

/// A simulated host with its records below `dir`.
pub(crate) fn simulated_host(dir: &Path, settings: SimSettings) -> Sim {
    Sim::open(&dir.join("sim"), settings, Arc::new(SystemClock), Arc::new(OsEntropy)).unwrap()
}

/// The engine on this host, with its state directory `dir`.
pub(crate) async fn engine_on(host: Sim, dir: &Path) -> Engine {
    let entropy = Arc::new(OsEntropy);
    let ports = EnginePorts {
        hypervisor: Arc::new(host),
        store: Arc::new(DirStore::open(dir, entropy.clone()).unwrap()),
        transport: Arc::new(TcpTransport::new(Duration::from_secs(60))),
        clock: Arc::new(SystemClock),
        entropy,
    };
    Engine::start(ports, Settings::default()).await.unwrap()
}

/// Serves a router on a new port, with the daemon's server and guard, whatever this machine's
/// configuration is.
pub(crate) async fn serve(router: Router) -> SocketAddr {
    let options = RunOptions {
        http: Some(Switch::On(SocketAddr::from(([127, 0, 0, 1], 0)))),
        unix: Some(Switch::Off),
        config: Some("/dev/null".into()),
        state_dir: Some("/nonexistent".into()),
        ..RunOptions::default()
    };
    let (config, _) = Config::load(&options, &Environment::default()).unwrap();
    let live = config.live_tunables();
    let server = Server::new(Arc::clone(&live), 512);
    let app = router.layer(from_fn_with_state(Guard::new(live), Guard::check));
    let mut address = None;
    for listener in listen::open(&config, Inherited::default()).await.unwrap().http {
        if let Listener::Tcp { local, .. } = &listener {
            address = Some(*local);
        }
        server.attach(listener, app.clone());
    }
    // The server's tasks run until the runtime ends.
    std::mem::forget(server);
    address.unwrap()
}

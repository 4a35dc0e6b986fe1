//! The fleet that the host is in.

use super::relocation::Tls;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use xend::backend::sim;
use xend::config::{Config, Diagnostic, Hypervisor, Switch};
use xend::core::caller::Caller;
use xend::core::engine::Engine;
use xend::core::fingerprint::Fingerprint;
use xend::core::fleet::HostName;
use xend::core::model::Uuid;
use xend::core::ports;
use xend::fleet::guard::GuardClient;
use xend::fleet::{
    self, FleetReader, FleetSettings, HostFacts, Keys, Kv, MemberMark, Notes, OwnHost, Owner,
    SCHEMAS, take_part,
};
use xend::os::OsEntropy;
use xend::store::FleetMark;
use xend::wire::http::PeerCallers;

/// The fleet, before the engine starts. etcd may be away: nothing waits for it here.
pub(super) struct Fleet {
    settings: FleetSettings,
    mark: FleetMark,
    keys: Keys,
    kv: Arc<dyn Kv>,
    owner: Arc<Owner>,
}

impl Fleet {
    /// The fleet of the configuration, if there is one. What is wrong with its files is logged, and
    /// may be mended while the daemon runs.
    pub(super) fn open(config: &Config) -> Option<Self> {
        let settings = config.fleet.clone()?;
        if let Some(diagnostic) = check(config) {
            tracing::error!("{diagnostic}");
        }
        let kv = fleet::connect(settings.etcd.clone()).ok()?;
        let keys = Keys::new(settings.cluster.clone());
        let host = settings.host.clone();
        let notes = Notes::open(&fleet::fleet_dir(&config.state_dir));
        let key = settings.key_file(&config.state_dir);
        let guard = Arc::new(GuardClient::new(fleet::guard_socket(&config.state_dir)));
        let owner =
            Owner::new(Arc::clone(&kv), keys.clone(), host, Arc::new(OsEntropy), notes, key, guard);
        let mark = FleetMark::new(&config.state_dir, settings.cluster.as_str());
        Some(Self { settings, mark, keys, kv, owner })
    }

    /// This host.
    pub(super) fn own(&self) -> HostName {
        self.settings.host.clone()
    }

    /// For whom other hosts may ask this one.
    pub(super) fn callers(&self) -> PeerCallers {
        if self.settings.takes_users { PeerCallers::Everybody } else { PeerCallers::Operators }
    }

    /// What is shown of it.
    pub(super) fn reader(&self) -> Arc<dyn ports::Fleet> {
        FleetReader::new(Arc::clone(&self.kv), self.keys.clone(), self.settings.host.clone())
    }

    /// Which domains belong to this host.
    pub(super) fn ownership(&self) -> Arc<dyn ports::Ownership> {
        Arc::clone(&self.owner) as _
    }

    /// Takes part in it, until the daemon stops.
    pub(super) fn take_part(
        self,
        config: &Config,
        engine: Engine,
        uuid: Uuid,
        tls: &Tls,
        stopping: CancellationToken,
    ) -> impl Future<Output = ()> + use<> {
        let info = Arc::clone(engine.view(&Caller::internal()).host_info());
        let own = OwnHost {
            uuid,
            // A daemon that cannot tell counts as a boot.
            boot_id: boot_of(config).unwrap_or_else(|_| engine.new_uuid()),
            facts: HostFacts {
                relocation: relocation(config, &self.settings.host),
                fingerprint: None,
                version: env!("CARGO_PKG_VERSION").to_owned(),
                hypervisor: info.hypervisor().to_owned(),
                cpus: info.topology.cpus,
                memory_mib: info.total_memory,
                storages: self.settings.storages,
                schemas: Some(SCHEMAS),
            },
            name: self.settings.host,
            mark: Arc::new(Mark(self.mark)),
        };
        take_part(self.kv, self.keys, own, certificate(config, tls), engine, self.owner, stopping)
    }
}

/// Which boot of the host this is.
fn boot_of(config: &Config) -> io::Result<Uuid> {
    match config.hypervisor {
        Hypervisor::Sim => sim::boot_id(&config.state_dir.join("sim")),
        #[cfg(feature = "xen")]
        Hypervisor::Xen => xend::os::boot_id(),
    }
}

/// The mark in the state directory.
#[derive(Debug)]
struct Mark(FleetMark);

impl MemberMark for Mark {
    fn is_set(&self) -> bool {
        self.0.is_set()
    }

    fn set(&self) -> io::Result<()> {
        self.0.set()
    }
}

/// The certificate of the encrypted relocation port; none without one.
fn certificate(config: &Config, tls: &Tls) -> watch::Receiver<Option<Fingerprint>> {
    match (&config.relocation_ssl, tls) {
        (Switch::On(_), Ok(tls)) => tls.fingerprint(),
        _ => watch::channel(None).1,
    }
}

/// What a start would say of the files with which etcd is reached.
pub(super) fn check(config: &Config) -> Option<Diagnostic> {
    let reason = config.fleet.as_ref()?.etcd.check_files().err()?;
    let message = format!("The fleet's etcd cannot be reached: {reason}");
    Some(Diagnostic::error_at(config.origins.keys.get("xend-fleet-etcd"), message))
}

/// Where other hosts send domains: over an encrypted connection if both are served. A listener on
/// all interfaces is reached by the host's name.
fn relocation(config: &Config, host: &HostName) -> Option<String> {
    let address = |switch: &Switch<SocketAddr>| match switch {
        Switch::On(address) => Some(*address),
        Switch::Off => None,
    };
    let served = address(&config.relocation_ssl).or_else(|| address(&config.relocation))?;
    Some(if served.ip().is_unspecified() {
        format!("{host}:{}", served.port())
    } else {
        served.to_string()
    })
}

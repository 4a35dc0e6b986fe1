//! Domains from other hosts.

use anyhow::Result;
use arc_swap::ArcSwap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use xend::config::{Config, Diagnostic, Origin, Switch};
use xend::core::engine::Engine;
use xend::core::ports::PeerRequests;
use xend::memory_budget::MemoryBudget;
use xend::peer_tls::PeerTls;
use xend::peers::AllowedHosts;
use xend::server::listen::ListenError;
use xend::server::telemetry::Announcements;
use xend::server::{Server, listen};
use xend::wire::relocation::{RelocationPlaces, RelocationServer};

/// The port for plain connections, and the one for encrypted ones.
pub(super) const RELOCATION_PORTS: usize = 2;

/// This host's certificate for encrypted migration, or the key and the reason why there is none.
pub(super) type Tls = Result<Arc<PeerTls>, (&'static str, String)>;

/// Reads the files for encrypted migration. Without them domains can be sent unencrypted only.
pub(super) fn open_tls(config: &Config) -> Tls {
    let opened = listen::open_relocation_tls(config).map(Arc::new);
    if let Some(diagnostic) = unsent(config, &opened) {
        tracing::error!("{diagnostic}");
    }
    opened
}

/// What a start would say of the files for encrypted migration.
pub(super) fn check(config: &Config) -> Option<Diagnostic> {
    unsent(config, &listen::open_relocation_tls(config).map(Arc::new))
}

/// The error that domains are not sent over encrypted connections. The port says it, if it is on.
fn unsent(config: &Config, tls: &Tls) -> Option<Diagnostic> {
    let is_silent = !wants_tls(config) || config.relocation_ssl != Switch::Off;
    let (key, reason) = tls.as_ref().err().filter(|_| !is_silent)?;
    let message = format!("Domains are not sent over encrypted connections: {reason}, see {key}");
    Some(Diagnostic::error_at(config.origins.keys.get(key), message))
}

fn wants_tls(config: &Config) -> bool {
    config.relocation_tls.is_ok() || config.relocation_ssl != Switch::Off
}

/// The relocation ports, which a reload opens, moves and closes.
pub(super) struct Relocation {
    engine: Engine,
    server: Arc<Server>,
    budget: MemoryBudget,
    tls: Tls,
    /// Whether the configuration at the start asks for encryption.
    wants_tls: bool,
    places: RelocationPlaces,
    /// What answers other hosts of the fleet.
    requests: Option<Arc<dyn PeerRequests>>,
    ports: Mutex<Vec<Port>>,
}

/// What the encrypted port has beside the plain one.
pub(super) struct Encrypted {
    pub(super) tls: Tls,
    /// What answers other hosts of the fleet; `None` on a host in no fleet.
    pub(super) requests: Option<Arc<dyn PeerRequests>>,
}

/// One of the two ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    Encrypted,
}

/// A port that is served.
struct Port {
    kind: Kind,
    /// As it is configured.
    address: SocketAddr,
    allowed: Arc<ArcSwap<AllowedHosts>>,
    /// Stops accepting. Domains that are arriving still do.
    close: CancellationToken,
}

/// Why a port cannot be opened: the key with the wrong value, and the error.
type Unopened = (&'static str, anyhow::Error);

impl Kind {
    fn switch(self, config: &Config) -> &Switch<SocketAddr> {
        match self {
            Self::Plain => &config.relocation,
            Self::Encrypted => &config.relocation_ssl,
        }
    }

    fn origin(self, config: &Config) -> &Origin {
        match self {
            Self::Plain => &config.origins.relocation,
            Self::Encrypted => &config.origins.relocation_ssl,
        }
    }

    const fn port_key(self) -> &'static str {
        match self {
            Self::Plain => "xend-relocation-port",
            Self::Encrypted => "xend-relocation-ssl-port",
        }
    }

    /// The option of the command line for the port, if there is one.
    const fn option(self) -> Option<&'static str> {
        match self {
            Self::Plain => Some("--relocation"),
            Self::Encrypted => None,
        }
    }

    /// The words before its address on standard output.
    const fn announced(self) -> &'static str {
        match self {
            Self::Plain => "Relocation",
            Self::Encrypted => "Encrypted relocation",
        }
    }
}

impl Relocation {
    /// Serves domains from other hosts, as far as that is configured. Like any other listener of
    /// the file, one that cannot be opened is not served.
    pub(super) async fn start(
        config: &Config,
        engine: &Engine,
        server: &Arc<Server>,
        budget: &MemoryBudget,
        encrypted: Encrypted,
        places: RelocationPlaces,
        announcements: Announcements,
    ) -> Result<Self> {
        let relocation = Self {
            engine: engine.clone(),
            server: Arc::clone(server),
            budget: budget.clone(),
            tls: encrypted.tls,
            wants_tls: wants_tls(config),
            places,
            requests: encrypted.requests,
            ports: Mutex::default(),
        };
        for kind in [Kind::Plain, Kind::Encrypted] {
            relocation.start_port(config, kind, announcements).await?;
        }
        Ok(relocation)
    }

    async fn start_port(
        &self,
        config: &Config,
        kind: Kind,
        announcements: Announcements,
    ) -> Result<()> {
        let Switch::On(address) = *kind.switch(config) else { return Ok(()) };
        match self.open(config, kind, address).await {
            Ok((port, bound)) => {
                announcements.announce([bound], kind.announced());
                self.ports.lock().await.push(port);
                Ok(())
            }
            Err((key, error)) => {
                let message = format!("{error:#}");
                let origin = kind.origin(config);
                let diagnostic = listen::relocation_error(config, origin, address, key, &message);
                let Some(diagnostic) = diagnostic else {
                    let is_of_file = key == listen::RELOCATION_HOSTS;
                    return Err(if is_of_file { error.context(key) } else { error });
                };
                tracing::error!("{diagnostic}");
                Ok(())
            }
        }
    }

    /// Applies a changed configuration. What cannot be applied is logged, and stays as it is.
    pub(super) async fn reload(&self, config: &Config) {
        for kind in [Kind::Plain, Kind::Encrypted] {
            self.reload_port(config, kind).await;
        }
    }

    async fn reload_port(&self, config: &Config, kind: Kind) {
        let mut ports = self.ports.lock().await;
        let old = ports.iter().position(|port| port.kind == kind);
        let Switch::On(address) = *kind.switch(config) else {
            match old {
                Some(_) if config.relocation_is_wrong => {
                    let port = kind.announced();
                    tracing::error!("{port} stays as it is: see the errors above");
                }
                Some(at) => ports.swap_remove(at).close(),
                None => {}
            }
            return;
        };
        let applied = match old.and_then(|at| ports.get(at)).filter(|old| old.address == address) {
            Some(old) => allowed_hosts(config, kind, address).map(|hosts| {
                old.allowed.store(Arc::new(hosts));
                None
            }),
            None => self.open(config, kind, address).await.map(Some),
        };
        match applied {
            Ok(None) => {}
            Ok(Some((new, bound))) => {
                tracing::info!("Domains from other hosts are accepted on {bound}");
                if let Some(at) = old {
                    ports.swap_remove(at).close();
                }
                ports.push(new);
            }
            Err((key, error)) => {
                let port = kind.announced();
                tracing::error!(
                    "{port} stays as it is: {error:#}, see {key}; if it is right, restart xend to \
                     apply it"
                );
            }
        }
    }

    /// Reads the files for encrypted migration again. After an error the old ones stay in force.
    pub(super) fn reload_certificates(&self) {
        match &self.tls {
            Ok(tls) => {
                if let Err(error) = tls.reload() {
                    tracing::error!("Keeping the old certificates for migration: {error}");
                }
            }
            Err((key, reason)) if self.wants_tls => tracing::warn!(
                "There is no encrypted migration, and a reload does not change that: if the files \
                 are right now, restart xend (at the start: {reason}, see {key})"
            ),
            Err(_) => {}
        }
    }

    /// Opens a port and serves it. Returns it with the address to which it is bound.
    async fn open(
        &self,
        config: &Config,
        kind: Kind,
        address: SocketAddr,
    ) -> Result<(Port, SocketAddr), Unopened> {
        let hosts = allowed_hosts(config, kind, address)?;
        let tls = match kind {
            Kind::Plain => None,
            Kind::Encrypted => {
                let tls = self.tls.clone();
                Some(tls.map_err(|(key, reason)| (key, anyhow::Error::msg(reason)))?)
            }
        };
        let bind = async {
            let listener = TcpListener::bind(address).await?;
            let bound = listener.local_addr()?;
            io::Result::Ok((listener, bound))
        };
        let (listener, bound) = bind.await.map_err(|error| {
            let is_address_error = error.kind() == io::ErrorKind::AddrNotAvailable;
            let key = if is_address_error { "xend-relocation-address" } else { kind.port_key() };
            let place = format!("the relocation port {address}");
            (key, ListenError::of_tcp(place, address.port(), kind.option(), error).into())
        })?;
        let allowed = Arc::new(ArcSwap::from_pointee(hosts));
        let close = self.server.stopping().child_token();
        let relocation = RelocationServer::new(
            self.engine.clone(),
            Arc::clone(&allowed),
            self.server.identities(),
            config.hypervisor_limit * 2,
        )
        .with_places(self.places)
        .with_budget(self.budget.clone())
        .with_counts(self.server.listener_counts().add(format!("relocation {bound}")))
        .with_tls(tls)
        .with_requests(self.requests.clone());
        self.server.spawn(relocation.serve(listener, close.clone()));
        Ok((Port { kind, address, allowed, close }, bound))
    }
}

impl Port {
    fn close(self) {
        self.close.cancel();
        tracing::info!("The relocation port {} is closed", self.address);
    }
}

/// The hosts that may send domains.
fn allowed_hosts(
    config: &Config,
    kind: Kind,
    address: SocketAddr,
) -> Result<AllowedHosts, Unopened> {
    let hosts = AllowedHosts::parse(&config.relocation_hosts)
        .map_err(|invalid| (listen::RELOCATION_HOSTS, invalid.into()))?;
    if let (Kind::Plain, Some(warning)) = (kind, listen::open_to_every_host(&hosts, address)) {
        tracing::warn!("{warning}");
    }
    Ok(hosts)
}

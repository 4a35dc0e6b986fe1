//! The configuration: command line over file over default, as one [`Config`].
//!
//! The file is xend's own `xend-config.sxp`: a sequence of `(key value)`. A file written for xend works: its keys
//! that have no effect here are accepted in silence, and a key nobody knows is a [`Warning`], not an error.
//!
//! | key | value | default | reload |
//! |---|---|---|---|
//! | `xend-http-server` | yes, no | yes | |
//! | `xend-port` | 1 to 65535 | 8000 | |
//! | `xend-address` | IP address, `localhost`, or `''` for all interfaces | 127.0.0.1 | |
//! | `xend-unix-server` | yes, no | yes | |
//! | `xend-unix-path` | path | `xend-socket` in [`Places::runtime`] | |
//! | `xend-unix-mode` | octal permission bits | 0600 | |
//! | `xend-unix-group` | name or number | the daemon's own | |
//! | `xend-http-hosts` | host names | none beside the machine's own | yes |
//! | `xend-max-body` | bytes | 1048576 | yes |
//! | `xend-max-connections` | connections on each listener | 512 | |
//! | `xend-request-timeout` | seconds | 30 | yes |
//! | `xend-node-shutdown` | yes, no | no | yes |
//! | `loglevel` | DEBUG, INFO, WARNING, ERROR, CRITICAL | INFO | yes |
//! | `logfile` | path | standard error | |
//! | `dom0-min-mem` | MiB | 196 | yes |
//! | `enable-dom0-ballooning` | yes, no | yes, or no if `dom0-min-mem` is 0 | yes |
//! | `xend-relocation-server` | yes, no | no | |
//! | `xend-relocation-port` | 1 to 65535 | 8002 | |
//! | `xend-relocation-address` | IP address, `localhost`, or `''` for all interfaces | `''` | |
//! | `xend-relocation-hosts-allow` | regular expressions for names and addresses, `''` for everybody | `^localhost$ ^localhost\.localdomain$` | |
//! | `xend-unix-xmlrpc-server` | yes, no | yes | |
//! | `xend-tcp-xmlrpc-server` | yes, no | no | |
//! | `xend-tcp-xmlrpc-server-address` | IP address, `localhost`, or `''` for all interfaces | localhost | |
//! | `xend-tcp-xmlrpc-server-port` | 1 to 65535 | 8006 | |
//! | `xend-tcp-xmlrpc-server-ssl-key-file`, `-cert-file` | paths | not encrypted | |
//! | `xen-api-server` | listeners: `unix`, port or address:port; `none`, `pam` or `password`; hosts; key; certificate | `((unix))` | |
//! | `xend-password-file` | path | `passwords` in the state directory | |
//! | `xend-access-without-password` | yes, no: whether XML-RPC without passwords may be reached from other machines | no | |
//! | `xend-storage-path` | directory of disk images | `storage` in the state directory | |
//! | `scheduler` | credit, credit2, sedf, rtds | credit | |
//! | `xend-hypervisor-limit` | seconds for one call of the hypervisor, or without progress of a long one: for slow test machines | 120 | |
//! | `sim-cpus` | 1 to 4096 | 4 | |
//! | `sim-memory` | MiB | 16384 | |
//!
//! What a running daemon can take over on SIGHUP lives in [`Tunables`]; [`Config::needs_restart`] names the rest.

mod error;
mod file;
mod keys;
mod listeners;
mod places;
pub(crate) mod value;

#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

pub use error::{ConfigError, Remark, Warning};
pub use listeners::{Auth, Place, RpcListener, TlsFiles};
pub use places::{Environment, Places};

use crate::cli::RunOptions;
use crate::core::model::Scheduler;

/// xend's relocation port.
const RELOCATION_PORT: u16 = 8002;

/// Who may send domains here if nobody says so: what xend's own configuration file came with.
const RELOCATION_HOSTS: &str = r"^localhost$ ^localhost\.localdomain$";

/// Long enough for a slow device, short enough for whoever waits.
const HYPERVISOR_LIMIT: Duration = Duration::from_secs(120);

/// Something that can be turned off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Switch<T> {
    /// Not wanted.
    Off,
    /// Wanted, and how.
    On(T),
}

/// What runs the domains.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Hypervisor {
    /// The built-in simulator.
    #[default]
    Sim,
    /// The Xen of this host, through libxl.
    #[cfg(feature = "xen")]
    Xen,
}

/// The unix socket to serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnixSocket {
    /// Where it is in the file system.
    pub path: PathBuf,
    /// Its permission bits.
    pub mode: u32,
    /// Group that owns it, by name or number.
    pub group: Option<String>,
}

/// The host that the simulator pretends to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SimHost {
    /// Physical CPUs.
    pub cpus: u32,
    /// Memory in MiB.
    pub memory_mib: u64,
}

/// Settings that a running daemon takes over on SIGHUP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tunables {
    /// What is logged, in the filter syntax of `tracing`.
    pub log: String,
    /// Host names that a request over TCP may name beside the machine's own; lower case.
    pub allowed_hosts: Vec<String>,
    /// Largest request body, in bytes.
    pub max_body: usize,
    /// Time a client has to send a whole request, and to take the answer from the socket.
    pub request_timeout: Duration,
    /// Whether `POST /xend/node` may shut the machine down.
    pub node_shutdown: bool,
    /// Memory that ballooning leaves to Domain-0, in MiB.
    pub dom0_min_mem_mib: u64,
    /// Whether Domain-0 gives memory to new domains.
    pub dom0_ballooning: bool,
    /// Where other hosts are expected to take domains in, if nobody says otherwise.
    pub relocation_port: u16,
}

impl Default for Tunables {
    fn default() -> Self {
        Self {
            log: value::DEFAULT_FILTER.to_owned(),
            allowed_hosts: Vec::new(),
            max_body: 1024 * 1024,
            request_timeout: Duration::from_secs(30),
            node_shutdown: false,
            dom0_min_mem_mib: 196,
            dom0_ballooning: true,
            relocation_port: RELOCATION_PORT,
        }
    }
}

/// The tunables in force: many readers, replaced as a whole by a reload.
pub type Live = Arc<ArcSwap<Tunables>>;

/// Everything the daemon is told at its start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where to serve TCP.
    pub http: Switch<SocketAddr>,
    /// Where to serve a unix socket.
    pub unix: Switch<UnixSocket>,
    /// Directory of what must survive a restart.
    pub state_dir: PathBuf,
    /// What runs the domains.
    pub hypervisor: Hypervisor,
    /// How long one call of the hypervisor may take, and a long one without progress.
    pub hypervisor_limit: Duration,
    /// CPU scheduler of the simulated host.
    pub scheduler: Scheduler,
    /// Size of the simulated host.
    pub sim: SimHost,
    /// Where to serve xm's calls.
    pub xmlrpc: Vec<RpcListener>,
    /// Where to serve the Xen-API, and xm's calls as well.
    pub xen_api: Vec<RpcListener>,
    /// Users and hashed passwords, for listeners that ask for them.
    pub password_file: PathBuf,
    /// Directory of disk images; one in the state directory if `None`.
    pub storage: Option<PathBuf>,
    /// Where to take in domains from other hosts.
    pub relocation: Switch<SocketAddr>,
    /// Which hosts may send some: regular expressions, separated by blanks; none for all.
    pub relocation_hosts: String,
    /// Connections that each listener serves at a time.
    pub max_connections: usize,
    /// Where the log goes; standard error if `None`.
    pub logfile: Option<PathBuf>,
    /// What can change while the daemon runs.
    pub tunables: Tunables,
}

impl Config {
    /// Reads the configuration file and puts `options` over it.
    ///
    /// The file is the one of `options`, which must exist, or else the default one of `environment`, which need not.
    /// The warnings are for the log, which does not exist yet when a configuration is read for the first time.
    pub fn load(
        options: &RunOptions,
        environment: &Environment,
    ) -> Result<(Self, Vec<Warning>), ConfigError> {
        let places = Places::of(environment);
        let default_file = places.as_ref().map(|places| places.config.clone());
        let (settings, warnings) = match (&options.config, default_file) {
            (Some(path), _) => file::read(path)?,
            (None, Some(path)) => file::read_if_there(&path)?,
            (None, None) => Default::default(),
        };
        Self::merge(options, settings, places.as_ref()).map(|config| (config, warnings))
    }

    fn merge(
        options: &RunOptions,
        mut file: file::Settings,
        places: Option<&Places>,
    ) -> Result<Self, ConfigError> {
        let http = options.http.clone().unwrap_or_else(|| {
            let ip = file.address.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
            let address = SocketAddr::new(ip, file.port.unwrap_or(8000));
            if file.http_server.unwrap_or(true) { Switch::On(address) } else { Switch::Off }
        });
        let unix_path = match &options.unix {
            Some(Switch::On(path)) => Some(path.clone()),
            Some(Switch::Off) => None,
            None if file.unix_server == Some(false) => None,
            None => Some(match (file.unix_path.clone(), places) {
                (Some(path), _) => path,
                (None, Some(places)) => places.runtime.join("xend-socket"),
                (None, None) => return Err(ConfigError::NoHome("--unix")),
            }),
        };
        let (mode, group) = (file.unix_mode.unwrap_or(0o600), file.unix_group.clone());
        let socket_at = |path| UnixSocket { path, mode, group: group.clone() };
        let unix = unix_path.map_or(Switch::Off, |path| Switch::On(socket_at(path)));
        let (xmlrpc, xen_api) = listeners::merge(options, &mut file, places, socket_at)?;
        let state_dir = match (&options.state_dir, places) {
            (Some(dir), _) => dir.clone(),
            (None, Some(places)) => places.state.clone(),
            (None, None) => return Err(ConfigError::NoHome("--state-dir")),
        };
        let relocation_port = file.relocation_port.unwrap_or(RELOCATION_PORT);
        let relocation = options.relocation.clone().unwrap_or_else(|| {
            let ip = file.relocation_address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
            let address = SocketAddr::new(ip, relocation_port);
            if file.relocation_server.unwrap_or(false) { Switch::On(address) } else { Switch::Off }
        });
        let defaults = Tunables::default();
        let dom0_min_mem_mib = file.dom0_min_mem.unwrap_or(defaults.dom0_min_mem_mib);
        let tunables = Tunables {
            log: options.log.clone().or(file.log).unwrap_or(defaults.log),
            allowed_hosts: file.hosts.unwrap_or(defaults.allowed_hosts),
            max_body: file.max_body.unwrap_or(defaults.max_body),
            request_timeout: file.request_timeout.unwrap_or(defaults.request_timeout),
            node_shutdown: file.node_shutdown.unwrap_or(defaults.node_shutdown),
            dom0_min_mem_mib,
            dom0_ballooning: file.dom0_ballooning.unwrap_or(dom0_min_mem_mib > 0),
            relocation_port,
        };
        Ok(Self {
            http,
            unix,
            state_dir: state_dir.clone(),
            hypervisor: options.hypervisor.unwrap_or_default(),
            hypervisor_limit: file.hypervisor_limit.unwrap_or(HYPERVISOR_LIMIT),
            scheduler: options.scheduler.or(file.scheduler).unwrap_or_default(),
            sim: SimHost {
                cpus: file.sim_cpus.unwrap_or(4),
                memory_mib: file.sim_memory.unwrap_or(16 * 1024),
            },
            xmlrpc,
            xen_api,
            password_file: file.password_file.unwrap_or_else(|| state_dir.join("passwords")),
            storage: file.storage,
            relocation,
            relocation_hosts: file.relocation_hosts.unwrap_or_else(|| RELOCATION_HOSTS.to_owned()),
            max_connections: file.max_connections.unwrap_or(512),
            logfile: file.logfile,
            tunables,
        })
    }

    /// Names the settings that differ in `new` and that only a restart can change.
    pub fn needs_restart(&self, new: &Self) -> Vec<&'static str> {
        [
            ("the HTTP address", self.http != new.http),
            ("the unix socket", self.unix != new.unix),
            ("the state directory", self.state_dir != new.state_dir),
            ("the hypervisor", self.hypervisor != new.hypervisor),
            ("xend-hypervisor-limit", self.hypervisor_limit != new.hypervisor_limit),
            ("scheduler", self.scheduler != new.scheduler),
            ("the simulated host", self.sim != new.sim),
            ("the XML-RPC server", self.xmlrpc != new.xmlrpc),
            ("xen-api-server", self.xen_api != new.xen_api),
            ("xend-password-file", self.password_file != new.password_file),
            ("xend-storage-path", self.storage != new.storage),
            ("the relocation server", {
                (&self.relocation, &self.relocation_hosts) != (&new.relocation, &new.relocation_hosts)
            }),
            ("xend-max-connections", self.max_connections != new.max_connections),
            ("logfile", self.logfile != new.logfile),
        ]
        .into_iter()
        .filter_map(|(name, differs)| differs.then_some(name))
        .collect()
    }

    /// The tunables behind a handle that the parts of the daemon share.
    pub fn live(&self) -> Live {
        Arc::new(ArcSwap::from_pointee(self.tunables.clone()))
    }
}

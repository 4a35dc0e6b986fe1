//! The configuration: command line over file over default, as one [`Config`].
//!
//! The file is xend's own `xend-config.sxp`: a sequence of `(key value)`. A file written for xend
//! works. `keys.rs` has the table of keys; `dist/xend-config.sxp` explains them to people. A key
//! that xend had and that has no effect here, and a key that nobody knows, is a
//! [`Finding::Warning`] if it asks for something. An entry of a listener that is broken is a
//! [`Finding::Fault`]: that listener is left out, and everything else is served.
//!
//! What a running daemon can take over on SIGHUP lives in [`Tunables`]; [`Config::needs_restart`]
//! names the rest.

mod error;
mod file;
mod keys;
mod listeners;
mod options;
mod places;
mod unused;
pub(crate) mod value;

#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

pub use error::{ConfigError, Finding, KeyPositions, Origin, Position, Remark};
pub use keys::reference;
pub use listeners::{Auth, Place, RpcListener, TlsFiles};
pub use options::{Hypervisor, RunOptions, Switch};
pub use places::{Environment, Places};

use crate::core::model::{DeviceDefaults, Password, Scheduler, Text};
use keys::Service;

/// xend's relocation port.
const RELOCATION_PORT: u16 = 8002;

/// Who may send domains here if nobody says so: what xend's own configuration file came with.
const RELOCATION_HOSTS: &str = r"^localhost$ ^localhost\.localdomain$";

/// Long enough for a slow device, short enough for whoever waits.
const HYPERVISOR_LIMIT: Duration = Duration::from_secs(120);

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
    /// Whether the memory of every domain that crashes is written to a file.
    pub enable_dump: bool,
    /// What devices have whose configuration leaves it open.
    pub devices: DeviceDefaults,
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
            enable_dump: false,
            devices: DeviceDefaults::default(),
            relocation_port: RELOCATION_PORT,
        }
    }
}

impl Tunables {
    fn merge(options: &RunOptions, file: &mut file::Settings, relocation_port: u16) -> Self {
        let defaults = Self::default();
        let dom0_min_mem_mib = file.dom0_min_mem.unwrap_or(defaults.dom0_min_mem_mib);
        // What Xen does by itself is not written into configurations.
        let unusual = |said: Option<Text>, usual: &str| {
            said.filter(|text| !text.is_empty() && *text != usual)
        };
        let vnc_listen = file
            .vnc_listen
            .take()
            .map(|said| if said.is_empty() { "0.0.0.0".into() } else { said });
        Self {
            log: options.log.clone().or(file.log.take()).unwrap_or(defaults.log),
            allowed_hosts: file.hosts.take().unwrap_or(defaults.allowed_hosts),
            max_body: file.max_body.unwrap_or(defaults.max_body),
            request_timeout: file.request_timeout.unwrap_or(defaults.request_timeout),
            node_shutdown: file.node_shutdown.unwrap_or(defaults.node_shutdown),
            dom0_min_mem_mib,
            dom0_ballooning: file.dom0_ballooning.unwrap_or(dom0_min_mem_mib > 0),
            enable_dump: file.enable_dump.unwrap_or(defaults.enable_dump),
            devices: DeviceDefaults {
                vif_script: unusual(file.vif_script.take(), "vif-bridge"),
                vif_bridge: unusual(file.vif_bridge.take(), ""),
                vnc_listen: unusual(vnc_listen, "127.0.0.1"),
                keymap: unusual(file.keymap.take(), ""),
            },
            relocation_port,
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
    /// Password of VNC screens that name none.
    pub vnc_password: Option<Password>,
    /// Where the file speaks of HTTP over TCP, HTTP on the unix socket and relocation, and where it
    /// has its keys.
    pub origins: Origins,
    /// Connections that each listener serves at a time.
    pub max_connections: usize,
    /// Where the log goes; standard error if `None`.
    pub logfile: Option<PathBuf>,
    /// What can change while the daemon runs.
    pub tunables: Tunables,
}

/// Where the file speaks of listeners that have no list of their own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origins {
    /// HTTP over TCP.
    pub http: Origin,
    /// HTTP on the unix socket.
    pub unix: Origin,
    /// Domains from other hosts.
    pub relocation: Origin,
    /// Each key, whether it counts or the command line does.
    pub keys: KeyPositions,
}

impl Config {
    /// Reads the configuration file and puts `options` over it.
    ///
    /// The file is the one of `options`, which must exist, or else the default one of
    /// `environment`, which need not. The findings are for the log, which does not exist yet when a
    /// configuration is read for the first time.
    pub fn load(
        options: &RunOptions,
        environment: &Environment,
    ) -> Result<(Self, Vec<Finding>), ConfigError> {
        let places = Places::of(environment);
        let default_file = places.as_ref().map(|places| places.config.clone());
        let mut settings = match (&options.config, default_file) {
            (Some(path), _) => file::read(path)?,
            (None, Some(path)) => file::read_if_there(&path)?,
            (None, None) => file::Settings::default(),
        };
        let config = Self::merge(options, &mut settings, places.as_ref())?;
        Ok((config, settings.into_findings()))
    }

    fn merge(
        options: &RunOptions,
        file: &mut file::Settings,
        places: Option<&Places>,
    ) -> Result<Self, ConfigError> {
        let mut origins = Origins { keys: file.positions.clone(), ..Origins::default() };
        let http = match &options.http {
            Some(said) => said.clone(),
            None if file.serves(Service::Http) && file.http_server.unwrap_or(true) => {
                origins.http = file.origin(&["xend-address", "xend-port", "xend-http-server"]);
                let ip = file.address.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
                Switch::On(SocketAddr::new(ip, file.port.unwrap_or(8000)))
            }
            None => Switch::Off,
        };
        let unix_path = match &options.unix {
            Some(Switch::On(path)) => Some(path.clone()),
            Some(Switch::Off) => None,
            None if !file.serves(Service::Unix) || file.unix_server == Some(false) => None,
            None => {
                origins.unix = file.origin(&[
                    "xend-unix-path",
                    "xend-unix-mode",
                    "xend-unix-group",
                    "xend-unix-server",
                ]);
                Some(match (file.unix_path.clone(), places) {
                    (Some(path), _) => path,
                    (None, Some(places)) => places.runtime.join("xend-socket"),
                    (None, None) => return Err(ConfigError::NoHome("--unix")),
                })
            }
        };
        let (mode, group) = (file.unix_mode.unwrap_or(0o600), file.unix_group.clone());
        let socket_at = |path| UnixSocket { path, mode, group: group.clone() };
        let unix = unix_path.map_or(Switch::Off, |path| Switch::On(socket_at(path)));
        let xmlrpc = listeners::xmlrpc(options, file, places, socket_at);
        let xen_api = listeners::xen_api(options, file, places, socket_at);
        let state_dir = match (&options.state_dir, places) {
            (Some(dir), _) => dir.clone(),
            (None, Some(places)) => places.state.clone(),
            (None, None) => return Err(ConfigError::NoHome("--state-dir")),
        };
        let relocation_port = file.relocation_port.unwrap_or(RELOCATION_PORT);
        let relocation = match &options.relocation {
            Some(said) => said.clone(),
            None if file.serves(Service::Relocation) && file.relocation_server.unwrap_or(false) => {
                origins.relocation =
                    file.origin(&["xend-relocation-hosts-allow", "xend-relocation-server"]);
                let ip = file.relocation_address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
                Switch::On(SocketAddr::new(ip, relocation_port))
            }
            None => Switch::Off,
        };
        let tunables = Tunables::merge(options, file, relocation_port);
        Ok(Self {
            http,
            unix,
            hypervisor: options.hypervisor.unwrap_or_default(),
            hypervisor_limit: file.hypervisor_limit.unwrap_or(HYPERVISOR_LIMIT),
            scheduler: options.scheduler.or(file.scheduler).unwrap_or_default(),
            sim: SimHost {
                cpus: file.sim_cpus.unwrap_or(4),
                memory_mib: file.sim_memory.unwrap_or(16 * 1024),
            },
            xmlrpc,
            xen_api,
            password_file: file.password_file.take().unwrap_or_else(|| state_dir.join("passwords")),
            storage: file.storage.take(),
            state_dir,
            relocation,
            relocation_hosts: file
                .relocation_hosts
                .take()
                .unwrap_or_else(|| RELOCATION_HOSTS.to_owned()),
            vnc_password: file.vncpasswd.take().and_then(Password::new),
            origins,
            max_connections: file.max_connections.unwrap_or(512),
            logfile: file.logfile.take(),
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
            ("vncpasswd", self.vnc_password != new.vnc_password),
            ("xend-storage-path", self.storage != new.storage),
            ("the relocation server", {
                (&self.relocation, &self.relocation_hosts)
                    != (&new.relocation, &new.relocation_hosts)
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

//! The configuration of a daemon: command line over file over default.

use super::diagnostic::{Diagnostic, KeyPositions, Origin};
use super::error::ConfigError;
use super::file::ConfigFile;
use super::fleet;
use super::keys::ListenerGroup;
use super::listener::{Auth, ListenerConfig, TlsFiles, UnixSocket};
use super::listeners;
use super::options::{Hypervisor, LogFormat, RunOptions, Switch};
use super::paths::{DefaultPaths, Environment};
use super::relocation;
use super::settings::FileSettings;
use super::table::keys;
use super::tunables::{LiveTunables, Tunables};
use crate::core::model::{Password, Scheduler};
use crate::fleet::FleetSettings;
use crate::peer_tls::PeerTlsFiles;
use arc_swap::ArcSwap;
use std::net::SocketAddr;
use std::path::{self, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The size of the simulated host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SimHost {
    /// Physical CPUs.
    pub cpus: u32,
    pub memory_mib: u64,
}

/// The configuration of a daemon at its start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The TCP listener for HTTP.
    pub http: Switch<SocketAddr>,
    /// How clients of HTTP over TCP log in: not at all, or with an account.
    pub http_auth: Auth,
    /// Key and certificate of HTTP over TCP; `None` for plain connections.
    pub http_tls: Option<TlsFiles>,
    /// The unix socket for HTTP.
    pub unix: Switch<UnixSocket>,
    /// The directory of persistent data; absolute.
    pub state_dir: PathBuf,
    /// The hypervisor that runs the domains.
    pub hypervisor: Hypervisor,
    /// The time limit of a hypervisor call, and for a long one to make progress.
    pub hypervisor_limit: Duration,
    /// The scheduler of the simulated host.
    pub scheduler: Scheduler,
    /// The size of the simulated host.
    pub sim: SimHost,
    /// The listeners for xm's calls.
    pub xmlrpc: Vec<ListenerConfig>,
    /// The listeners for the Xen-API, which serve xm's calls, too.
    pub xen_api: Vec<ListenerConfig>,
    /// The listener for Argo.
    pub argo: Option<ListenerConfig>,
    /// The listener for metrics.
    pub metrics: Option<ListenerConfig>,
    /// The directory of Argo's plug-ins.
    pub argo_commands: PathBuf,
    /// The directory of configuration files that Argo lists and starts.
    pub domain_files: PathBuf,
    /// The file of accounts; `None` if the user has no home directory for it.
    pub users_file: Option<PathBuf>,
    /// Users and hashed passwords, for listeners that need them.
    pub password_file: PathBuf,
    /// The directory of disk images.
    pub storage: PathBuf,
    /// The listener for domains from other hosts.
    pub relocation: Switch<SocketAddr>,
    /// The listener for domains from other hosts over encrypted connections.
    pub relocation_ssl: Switch<SocketAddr>,
    /// Whether the file has a wrong value for these listeners. Those of the file are not served
    /// then, and a reload leaves them as they are.
    pub relocation_is_wrong: bool,
    /// The files for encrypted connections to and from other hosts, or the reason why there are
    /// none.
    pub relocation_tls: Result<PeerTlsFiles, String>,
    /// Hosts that may send domains: regular expressions separated by blanks; empty for all.
    pub relocation_hosts: String,
    /// The fleet that this host is in, if any.
    pub fleet: Option<FleetSettings>,
    /// The password of VNC screens that have none.
    pub vnc_password: Option<Password>,
    /// Positions in the file.
    pub origins: Origins,
    /// The memory for the bodies of all requests at a time, in bytes.
    pub body_memory: usize,
    /// The number of simultaneous connections of each listener.
    pub max_connections: usize,
    /// The log file; `None` for standard error.
    pub logfile: Option<PathBuf>,
    /// The format of the lines in it.
    pub log_format: LogFormat,
    /// The settings that can change while the daemon runs.
    pub tunables: Tunables,
    /// The values of the file, which a reload compares.
    pub(super) file: FileSettings,
}

/// A configuration with the messages about it. If there are refusals, it has defaults in the place
/// of what was refused, and nobody may use it.
struct Examined {
    config: Config,
    refusals: Vec<Diagnostic>,
    diagnostics: Vec<Diagnostic>,
}

/// Positions in the file of the listeners that are configured one by one, and of all keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origins {
    /// HTTP over TCP.
    pub http: Origin,
    /// HTTP on the unix socket.
    pub unix: Origin,
    /// Domains from other hosts.
    pub relocation: Origin,
    /// Domains from other hosts over encrypted connections.
    pub relocation_ssl: Origin,
    /// Each key of the file, even if the command line overrides it.
    pub keys: KeyPositions,
}

impl Config {
    /// Reads the configuration file and applies `options` over it.
    ///
    /// The file is that of `options`, which must exist, or the default one of `environment`, which
    /// need not. The diagnostics are for the log, which is not set up yet at the first load.
    pub fn load(
        options: &RunOptions,
        environment: &Environment,
    ) -> Result<(Self, Vec<Diagnostic>), ConfigError> {
        let Examined { config, refusals, diagnostics } = Self::examine(options, environment)?;
        match refusals.into_iter().next() {
            Some(first) => Err(ConfigError::Invalid(first)),
            None => Ok((config, diagnostics)),
        }
    }

    /// The same for a check, which has all messages about the file: those that keep the daemon from
    /// starting come first. There is no configuration then.
    pub fn check(
        options: &RunOptions,
        environment: &Environment,
    ) -> Result<(Option<Self>, Vec<Diagnostic>), ConfigError> {
        let Examined { config, mut refusals, diagnostics } = Self::examine(options, environment)?;
        let config = refusals.is_empty().then_some(config);
        refusals.extend(diagnostics);
        Ok((config, refusals))
    }

    fn examine(options: &RunOptions, environment: &Environment) -> Result<Examined, ConfigError> {
        let paths = DefaultPaths::of(environment);
        let mut file = match (&options.config, &paths) {
            (Some(path), _) => ConfigFile::read(path)?,
            (None, Some(paths)) => ConfigFile::read_if_exists(&paths.config)?,
            (None, None) => ConfigFile::empty(),
        };
        let config = Self::merge(options, &mut file, paths.as_ref())?;
        let refusals = file.take_refusals();
        Ok(Examined { config, refusals, diagnostics: file.into_diagnostics() })
    }

    fn merge(
        options: &RunOptions,
        file: &mut ConfigFile,
        paths: Option<&DefaultPaths>,
    ) -> Result<Self, ConfigError> {
        let state_dir = match (&options.state_dir, paths) {
            // Paths of files in it are recorded, and handed to others.
            (Some(dir), _) => path::absolute(dir)
                .map_err(|source| ConfigError::Relative { path: dir.clone(), source })?,
            (None, Some(paths)) => paths.state.clone(),
            (None, None) => return Err(ConfigError::NoHome("--state-dir")),
        };
        let hypervisor = file.hypervisor(options.hypervisor);
        let mut origins = Origins { keys: file.positions.clone(), ..Origins::default() };
        let http = http(options, file, &mut origins);
        let http_tls = http_tls(file);
        let unix = unix(options, file, paths, &mut origins)?;
        let xmlrpc = listeners::xmlrpc(options, file, paths);
        let xen_api = listeners::xen_api(options, file, paths);
        let argo = listeners::argo(options, file);
        let metrics = listeners::metrics(options, file);
        let relocation_tls = relocation::files(&file.settings);
        let relocation = relocation::listeners(options, file, &relocation_tls);
        origins.relocation = relocation.plain.1;
        origins.relocation_ssl = relocation.encrypted.1;
        let fleet = fleet::settings(file);
        let settings = &file.settings;
        let in_state_dir = |path: &Option<PathBuf>, default: &str| {
            path.clone().unwrap_or_else(|| state_dir.join(default))
        };
        Ok(Self {
            http,
            http_auth: settings.http_auth,
            http_tls,
            unix,
            hypervisor,
            hypervisor_limit: settings.hypervisor_limit,
            scheduler: options.scheduler.unwrap_or(settings.scheduler),
            sim: SimHost { cpus: settings.sim_cpus, memory_mib: settings.sim_memory_mib },
            xmlrpc,
            xen_api,
            argo,
            metrics,
            argo_commands: settings.argo_commands.clone(),
            domain_files: settings.domain_files.clone(),
            users_file: settings.users_file.clone().or_else(|| Some(paths?.users.clone())),
            password_file: in_state_dir(&settings.password_file, "passwords"),
            storage: in_state_dir(&settings.storage_path, "storage"),
            state_dir,
            relocation: relocation.plain.0,
            relocation_ssl: relocation.encrypted.0,
            relocation_is_wrong: relocation.is_wrong,
            relocation_tls,
            relocation_hosts: settings.relocation_hosts.clone(),
            fleet,
            vnc_password: settings.vnc_password.clone(),
            origins,
            body_memory: settings.body_memory_mib.saturating_mul(1 << 20),
            max_connections: settings.max_connections,
            logfile: settings.logfile.clone(),
            log_format: options.log_format.unwrap_or(settings.log_format),
            tunables: Tunables::new(settings, options.log.clone()),
            file: settings.clone(),
        })
    }

    /// The TCP listener for HTTP, with its login method.
    pub fn http_listener(&self) -> Option<ListenerConfig> {
        match self.http {
            Switch::On(address) => Some(self.http_on(address)),
            Switch::Off => None,
        }
    }

    /// A TCP listener for HTTP on another address, as a service manager opens it.
    pub fn http_on(&self, address: SocketAddr) -> ListenerConfig {
        let origin = self.origins.http.clone();
        ListenerConfig::tcp(address, self.http_auth, self.http_tls.clone(), origin)
    }

    /// The listener for HTTP on the unix socket.
    pub fn http_on_unix(&self) -> Option<ListenerConfig> {
        match &self.unix {
            Switch::On(socket) => {
                let origin = self.origins.unix.clone();
                Some(ListenerConfig::unix(socket.clone(), Auth::None, origin))
            }
            Switch::Off => None,
        }
    }

    /// Whether clients of a listener log in with accounts of the users file.
    pub fn needs_accounts(&self) -> bool {
        let http = self.http_listener();
        let mut listeners = http.iter().chain(&self.xmlrpc).chain(&self.xen_api).chain(&self.argo);
        listeners.any(|listener| listener.auth == Auth::Users)
    }

    /// Whether this host is meant to have accounts: the file names a users file, or clients of a
    /// listener log in with accounts.
    pub fn wants_accounts(&self) -> bool {
        self.file.users_file.is_some() || self.needs_accounts()
    }

    /// The keys whose change takes effect only after a restart.
    pub fn needs_restart(&self, new: &Self) -> Vec<&'static str> {
        // Nothing needs a restart if the command line overrides all that differs.
        if self.reloaded(new) == *new {
            return Vec::new();
        }
        keys()
            .filter(|key| !key.reload && (key.field.differs)(&self.file, &new.file))
            .map(|key| key.name)
            .collect()
    }

    /// This configuration with all that a reload takes from the new one.
    pub(super) fn reloaded(&self, new: &Self) -> Self {
        Self {
            tunables: new.tunables.clone(),
            file: new.file.clone(),
            relocation: new.relocation.clone(),
            relocation_ssl: new.relocation_ssl.clone(),
            relocation_is_wrong: new.relocation_is_wrong,
            relocation_hosts: new.relocation_hosts.clone(),
            ..self.clone()
        }
    }

    /// The tunables behind a handle that the parts of the daemon share.
    pub fn live_tunables(&self) -> LiveTunables {
        Arc::new(ArcSwap::from_pointee(self.tunables.clone()))
    }
}

/// The TCP listener for HTTP.
fn http(options: &RunOptions, file: &mut ConfigFile, origins: &mut Origins) -> Switch<SocketAddr> {
    if let Some(option) = &options.http {
        return option.clone();
    }
    if !file.is_served(ListenerGroup::TcpHttp) || !file.settings.http.enabled {
        return Switch::Off;
    }
    origins.http = file.origin(&[
        "xend-address",
        "xend-port",
        "xend-http-server",
        "xend-http-auth",
        "xend-http-key",
    ]);
    Switch::On(file.settings.http.socket_address())
}

/// Key and certificate of HTTP over TCP, on whatever address. One without the other keeps the
/// daemon from starting, since nobody wants plain connections then.
fn http_tls(file: &mut ConfigFile) -> Option<TlsFiles> {
    let files = file.settings.http_tls.files("xend-http-key", "xend-http-cert");
    files.unwrap_or_else(|reason| {
        let position = file.origin(&["xend-http-key", "xend-http-cert"]).0;
        if let Some(position) = position {
            file.refuse_together(position.error(reason));
        }
        None
    })
}

fn unix(
    options: &RunOptions,
    file: &mut ConfigFile,
    paths: Option<&DefaultPaths>,
    origins: &mut Origins,
) -> Result<Switch<UnixSocket>, ConfigError> {
    let default = paths.map(|paths| paths.runtime.join("xend-socket"));
    let path = match &options.unix {
        Some(Switch::On(path)) => path.clone(),
        Some(Switch::Off) => return Ok(Switch::Off),
        None if !file.is_served(ListenerGroup::UnixHttp) || !file.settings.unix.http_enabled => {
            return Ok(Switch::Off);
        }
        None => {
            origins.unix = file.origin(&[
                "xend-unix-path",
                "xend-unix-mode",
                "xend-unix-group",
                "xend-unix-server",
            ]);
            let configured = file.settings.unix.http_path.as_ref().or(default.as_ref());
            configured.ok_or(ConfigError::NoHome("--unix"))?.clone()
        }
    };
    let is_default = default.as_ref() == Some(&path);
    Ok(Switch::On(file.settings.unix.socket(path, is_default)))
}

//! `xend-config.sxp`: from bytes to settings.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::Remark;
use super::listeners::Wanted;
use super::value::{Entry, Problem};
use super::{ConfigError, Warning, keys};
use crate::core::model::Scheduler;
use crate::sxp::{self, Limits};

/// What a file says; `None` where it says nothing.
#[derive(Debug, Default)]
pub(super) struct Settings {
    pub(super) http_server: Option<bool>,
    pub(super) port: Option<u16>,
    pub(super) address: Option<IpAddr>,
    pub(super) unix_server: Option<bool>,
    pub(super) unix_path: Option<PathBuf>,
    pub(super) unix_mode: Option<u32>,
    pub(super) unix_group: Option<String>,
    pub(super) hosts: Option<Vec<String>>,
    pub(super) max_body: Option<usize>,
    pub(super) max_connections: Option<usize>,
    pub(super) request_timeout: Option<Duration>,
    pub(super) node_shutdown: Option<bool>,
    pub(super) log: Option<String>,
    pub(super) logfile: Option<PathBuf>,
    pub(super) dom0_min_mem: Option<u64>,
    pub(super) dom0_ballooning: Option<bool>,
    pub(super) scheduler: Option<Scheduler>,
    pub(super) relocation_server: Option<bool>,
    pub(super) relocation_port: Option<u16>,
    pub(super) relocation_address: Option<IpAddr>,
    pub(super) relocation_hosts: Option<String>,
    pub(super) xmlrpc_unix: Option<bool>,
    pub(super) xmlrpc_tcp: Option<bool>,
    pub(super) xmlrpc_address: Option<IpAddr>,
    pub(super) xmlrpc_port: Option<u16>,
    pub(super) xmlrpc_key: Option<PathBuf>,
    pub(super) xmlrpc_cert: Option<PathBuf>,
    pub(super) xen_api: Option<Vec<Wanted>>,
    pub(super) open_access: Option<bool>,
    pub(super) password_file: Option<PathBuf>,
    pub(super) storage: Option<PathBuf>,
    pub(super) hypervisor_limit: Option<Duration>,
    pub(super) sim_cpus: Option<u32>,
    pub(super) sim_memory: Option<u64>,
}

impl Settings {
    /// Takes one entry over; `false` if this key has no effect.
    fn take(&mut self, entry: &Entry<'_>) -> Result<bool, Problem> {
        const MEGABYTES: std::ops::RangeInclusive<u64> = 0..=1 << 30;
        match entry.key {
            "xend-http-server" => self.http_server = Some(entry.yes_no()?),
            "xend-port" => self.port = Some(entry.number("a port", &(1..=65535))?),
            "xend-address" => self.address = Some(entry.address()?),
            "xend-unix-server" => self.unix_server = Some(entry.yes_no()?),
            "xend-unix-path" => self.unix_path = Some(entry.path()?),
            "xend-unix-mode" => self.unix_mode = Some(entry.mode()?),
            "xend-unix-group" => self.unix_group = Some(entry.text("a group")?),
            "xend-http-hosts" => self.hosts = Some(entry.hosts()?),
            "xend-max-body" => self.max_body = Some(entry.number("a number of bytes", &(1..=1 << 30))?),
            "xend-max-connections" => {
                self.max_connections = Some(entry.number("a number of connections", &(1..=100_000))?);
            }
            "xend-request-timeout" => {
                let seconds = entry.number("a number of seconds", &(1..=86_400))?;
                self.request_timeout = Some(Duration::from_secs(seconds));
            }
            "xend-node-shutdown" => self.node_shutdown = Some(entry.yes_no()?),
            "loglevel" => self.log = Some(entry.log_level()?),
            "logfile" => self.logfile = Some(entry.path()?),
            "dom0-min-mem" => self.dom0_min_mem = Some(entry.number("a number of MiB", &MEGABYTES)?),
            "enable-dom0-ballooning" => self.dom0_ballooning = Some(entry.yes_no()?),
            "scheduler" => self.scheduler = Some(entry.scheduler()?),
            "xend-relocation-server" => self.relocation_server = Some(entry.yes_no()?),
            "xend-relocation-port" => self.relocation_port = Some(entry.number("a port", &(1..=65535))?),
            "xend-relocation-address" => self.relocation_address = Some(entry.address()?),
            "xend-relocation-hosts-allow" => self.relocation_hosts = Some(entry.patterns()?),
            "xend-unix-xmlrpc-server" => self.xmlrpc_unix = Some(entry.yes_no()?),
            "xend-tcp-xmlrpc-server" => self.xmlrpc_tcp = Some(entry.yes_no()?),
            "xend-tcp-xmlrpc-server-address" => self.xmlrpc_address = Some(entry.address()?),
            "xend-tcp-xmlrpc-server-port" => self.xmlrpc_port = Some(entry.number("a port", &(1..=65535))?),
            "xend-tcp-xmlrpc-server-ssl-key-file" => self.xmlrpc_key = Some(entry.path()?),
            "xend-tcp-xmlrpc-server-ssl-cert-file" => self.xmlrpc_cert = Some(entry.path()?),
            "xen-api-server" => self.xen_api = Some(entry.xen_api_listeners()?),
            "xend-access-without-password" => self.open_access = Some(entry.yes_no()?),
            "xend-password-file" => self.password_file = Some(entry.path()?),
            "xend-storage-path" => self.storage = Some(entry.path()?),
            "xend-hypervisor-limit" => {
                let seconds = entry.number("a number of seconds", &(10..=86_400))?;
                self.hypervisor_limit = Some(Duration::from_secs(seconds));
            }
            "sim-cpus" => self.sim_cpus = Some(entry.number("a number of CPUs", &(1..=4096))?),
            "sim-memory" => self.sim_memory = Some(entry.number("a number of MiB", &MEGABYTES)?),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// Reads a file that must exist.
pub(super) fn read(path: &Path) -> Result<(Settings, Vec<Warning>), ConfigError> {
    let text = fs::read(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
    parse(path, &text)
}

/// Reads a file that need not exist.
pub(super) fn read_if_there(path: &Path) -> Result<(Settings, Vec<Warning>), ConfigError> {
    match read(path) {
        Err(ConfigError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            Ok(Default::default())
        }
        result => result,
    }
}

fn parse(path: &Path, text: &[u8]) -> Result<(Settings, Vec<Warning>), ConfigError> {
    let remark = |at: u32, message: String| Remark::new(path, sxp::position(text, at as usize), message);
    let forms = sxp::read_all(text, &Limits::default()).map_err(|error| {
        ConfigError::Invalid(Remark::new(path, (error.line(), error.column()), error.to_string()))
    })?;
    let mut settings = Settings::default();
    let mut warnings = Vec::new();
    let mut seen = HashSet::new();
    for form in &forms {
        let Some(key) = form.head() else {
            return Err(ConfigError::Invalid(remark(form.at(), "Expected (key value)".to_owned())));
        };
        let entry = Entry { key, values: form.tail(), at: form.at() };
        let took = settings
            .take(&entry)
            .map_err(|problem| ConfigError::Invalid(remark(problem.at, problem.message)))?;
        let key_shown = key.escape_debug();
        if !took && keys::is_without_effect(key) {
            tracing::debug!("Configuration key {key_shown} has no effect");
        } else if !took {
            warnings.push(Warning(remark(entry.at, format!("Unknown key {key_shown} is ignored"))));
        } else if !seen.insert(key) {
            let message = format!("{key_shown} is given again, this one counts");
            warnings.push(Warning(remark(entry.at, message)));
        }
    }
    Ok((settings, warnings))
}

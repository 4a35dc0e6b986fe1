//! `xend-config.sxp`: from bytes to settings.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::{KeyPositions, Origin, Position, Remark};
use super::keys::{self, Broken, Service};
use super::listeners::Wanted;
use super::unused;
use super::value::{Entry, Problem, Source, is_file_name};
use super::{ConfigError, Finding};
use crate::core::model::{Scheduler, Text, nearest};
use crate::sxp::{self, Limits, Sxp};

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
    pub(super) enable_dump: Option<bool>,
    pub(super) vif_script: Option<Text>,
    pub(super) vif_bridge: Option<Text>,
    pub(super) vnc_listen: Option<Text>,
    pub(super) vncpasswd: Option<Text>,
    pub(super) keymap: Option<Text>,
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
    /// Where each key is.
    pub(super) positions: KeyPositions,
    /// Broken entries of listeners that nobody has asked about yet.
    broken: Vec<(Service, Remark)>,
    /// What its writer should know.
    findings: Vec<Finding>,
}

impl Settings {
    /// Where the first of these keys is that the file has.
    pub(super) fn origin(&self, keys: &[&str]) -> Origin {
        Origin(keys.iter().find_map(|key| self.positions.of(key)).cloned())
    }

    fn warn(&mut self, remark: Remark) {
        self.findings.push(Finding::Warning(remark));
    }

    pub(super) fn fault(&mut self, remark: Remark) {
        self.findings.push(Finding::Fault(remark));
    }

    /// Whether a listener can be served: it is left out if one of its entries is broken. To be
    /// asked once, where the command line does not decide.
    pub(super) fn serves(&mut self, service: Service) -> bool {
        let (broken, others) =
            std::mem::take(&mut self.broken).into_iter().partition(|(of, _)| *of == service);
        self.broken = others;
        let broken: Vec<_> = broken;
        for (_, remark) in &broken {
            self.fault(remark.clone().and(&format!("{} is left out", service.name())));
        }
        broken.is_empty()
    }

    /// What its writer should know. Entries of listeners that the command line decides on are
    /// broken all the same.
    pub(super) fn into_findings(mut self) -> Vec<Finding> {
        for (service, remark) in std::mem::take(&mut self.broken) {
            self.warn(remark.and(&format!("the command line counts for {}", service.name())));
        }
        self.findings
    }

    /// Notes that a listener is not served. One that the command line asks for has no place in the
    /// file.
    pub(super) fn leave_out(&mut self, origin: &Origin, why: &str, what: &str) {
        if let Some(at) = &origin.0 {
            self.fault(at.remark(format!("{what} is left out: {why}")));
        }
    }

    /// `(vif-script 'vif-bridge bridge=xenbr1')`: a script, and the bridge that is to be its
    /// default.
    pub(super) fn read_vif_script(&mut self, entry: &Entry<'_>) -> Result<(), Problem> {
        let text = entry.free_text()?;
        let line = text.to_string();
        let mut words = line.split_whitespace();
        if let Some(script) = words.next() {
            let path = Path::new(script);
            let is_path = path.is_absolute() && path.file_name().is_some();
            if !is_path && !is_file_name(script) {
                let message = format!(
                    "'{}' is neither a file name nor an absolute path",
                    script.escape_debug()
                );
                return Err(
                    entry.problem(entry.values.first().map_or(entry.at, Sxp::offset), &message)
                );
            }
            self.vif_script = Some(script.into());
        }
        for word in words {
            if let Some(bridge) = word.strip_prefix("bridge=") {
                self.vif_bridge = Some(bridge.into());
            } else {
                let message = format!(
                    "vif-script: '{}' has no effect, only bridge=NAME has",
                    word.escape_debug()
                );
                self.warn(entry.source.position(entry.at).remark(message));
            }
        }
        Ok(())
    }

    /// Takes one entry over.
    fn take(&mut self, entry: &Entry<'_>) -> Result<(), ConfigError> {
        let Some(key) = keys::find(entry.key) else {
            let at = entry.source.position(entry.at);
            if let Some(remark) = unknown_or_unused(entry, &at) {
                self.warn(remark);
            }
            return Ok(());
        };
        self.positions.0.insert(key.name, entry.source.position(entry.at));
        let Err(Problem { at, message }) = (key.read)(self, entry) else { return Ok(()) };
        let remark = entry.source.position(at).remark(message);
        match key.broken {
            Broken::Refused => return Err(ConfigError::Invalid(remark)),
            Broken::LeavesOut(service) => self.broken.push((service, remark)),
            Broken::Default => {
                let default = if key.default.is_empty() { "nothing" } else { key.default };
                self.fault(remark.and(&format!("the default counts, {default}")));
            }
        }
        Ok(())
    }
}

/// What is to be said of a key without an effect here.
fn unknown_or_unused(entry: &Entry<'_>, at: &Position) -> Option<Remark> {
    let Some(unused) = unused::find(entry.key) else {
        let names =
            keys::KEYS.iter().map(|key| key.name).chain(unused::UNUSED.iter().map(|key| key.name));
        let hint =
            nearest(entry.key, names).map(|name| format!(", {name} is one")).unwrap_or_default();
        return Some(
            at.remark(format!("Unknown key {} is ignored{hint}", entry.key.escape_debug())),
        );
    };
    let mut words = Vec::new();
    words_of(entry.values, &mut words);
    let harmless = words.is_empty()
        || matches!(words.as_slice(), [word] if unused.is_harmless(entry.key, word));
    (!harmless)
        .then(|| at.remark(format!("{} has no effect: {}", entry.key.escape_debug(), unused.why)))
}

/// The words of a value, whatever lists they are in. Recursion is bounded: the reader bounds a
/// tree's depth.
fn words_of<'a>(values: &'a [Sxp], words: &mut Vec<&'a str>) {
    for value in values {
        match value.as_list() {
            Some(items) => words_of(items, words),
            None => words.push(value.as_str().unwrap_or("?")),
        }
    }
}

/// Reads a file that must exist.
pub(super) fn read(path: &Path) -> Result<Settings, ConfigError> {
    let text =
        fs::read(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
    parse(&Source { path, text: &text })
}

/// Reads a file that need not exist.
pub(super) fn read_if_there(path: &Path) -> Result<Settings, ConfigError> {
    match read(path) {
        Err(ConfigError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            Ok(Settings::default())
        }
        result => result,
    }
}

fn parse(source: &Source<'_>) -> Result<Settings, ConfigError> {
    let forms = sxp::read_all(source.text, &Limits::default()).map_err(|error| {
        let at = Position::new(source.path, (error.line(), error.column()));
        ConfigError::Invalid(at.remark(error.to_string()))
    })?;
    let mut settings = Settings::default();
    let mut seen = HashSet::new();
    let mut bare = false;
    for form in &forms {
        let Some(key) = form.head() else {
            // Several words without parentheses are one mistake. What they are is not shown: one
            // can be a password.
            let word = form.as_list().is_none();
            if !(std::mem::replace(&mut bare, word) && word) {
                settings.warn(source.position(form.offset()).remark(outside(form)));
            }
            continue;
        };
        bare = false;
        if seen.insert(key) {
            settings.take(&Entry {
                source: *source,
                key,
                values: form.tail(),
                at: form.offset(),
            })?;
        } else {
            // As in xend.
            let message =
                format!("{} is given again and ignored, the first one counts", key.escape_debug());
            settings.warn(source.position(form.offset()).remark(message));
        }
    }
    Ok(settings)
}

/// What is to be said of something that is no entry.
fn outside(form: &Sxp) -> String {
    match form.as_str().filter(|word| keys::find(word).is_some() || unused::find(word).is_some()) {
        Some(key) => format!("{key} is ignored: write ({key} VALUE), in parentheses"),
        None => "This is ignored: an entry is (key value), in parentheses".to_owned(),
    }
}

//! The start: options and configuration become an agent.

use crate::agent::{Agent, Pair};
use crate::config::{Config, ExchangeKind, PATH, PairConfig, ParserKind};
use crate::exchange::Exchange;
use crate::exchanges::directory::Directory;
use crate::exchanges::stdio::Stdio;
use crate::exchanges::xenstore::XenStore;
use crate::lock::Lock;
use crate::log;
use crate::network::kernel::Linux;
use crate::network::rollback;
use crate::options::Options;
use crate::parser::Parser;
use crate::parsers::json::Json;
use crate::paths::{JOURNAL, LOCK, STATE};
use crate::plugins::Plugins;
use crate::registry::{Registry, Settings};
use crate::reporting::Reporting;
use crate::root::Root;
use crate::runner::SystemRunner;
use crate::shadow::Shadow;
use crate::stop::Stop;
use crate::system::System;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where the kernel tells which hypervisor it runs on.
const HYPERVISOR: &str = "/sys/hypervisor/type";

/// The variable that names the device or socket of XenStore in place of the machine's own.
const XENSTORE: &str = "XENSTORED_PATH";

/// What is known before the agent starts.
pub struct Start {
    options: Options,
    config: Config,
    system: System,
}

impl Start {
    /// Reads the configuration.
    pub fn new(options: Options) -> Result<Self, String> {
        let directory = options.root.clone().unwrap_or_else(|| PathBuf::from("/"));
        if !directory.is_dir() {
            return Err(format!("There is no directory {}", directory.display()));
        }
        let root = Root::new(&directory).with_journal(JOURNAL);
        let config = match &options.config {
            Some(file) => Config::read(file)?,
            None if root.exists(PATH) => Config::read(&root.path(PATH))?,
            None => Config::default(),
        };
        let root = root.with_own(own_paths(&directory, &options, &config));
        let runner = if root.is_running_system() {
            SystemRunner::new()
        } else {
            SystemRunner::without_names()
        };
        let shadow = options.shadow.clone();
        let system = System { root, runner: Box::new(runner), shadow };
        Ok(Self { options, config, system })
    }

    /// The documentation of all commands.
    pub fn documentation(&self) -> String {
        self.registry().documentation(&self.system)
    }

    /// Whether the machine's own XenStore is needed and there is none, because the machine is no
    /// guest of Xen.
    pub fn lacks_xen(&self) -> bool {
        let needs_machine = self.options.root.is_none() && self.uses_machine_xenstore();
        needs_machine && hypervisor().is_none_or(|name| name != "xen")
    }

    /// Whether requests come through the machine's own XenStore.
    fn uses_machine_xenstore(&self) -> bool {
        let is_named = std::env::var_os(XENSTORE).is_some_and(|path| !path.is_empty());
        !is_named
            && self.options.xenstore.is_none()
            && self.config.pair.iter().any(|pair| *pair == PairConfig::machine_xenstore())
    }

    /// The agent, if no other one runs. What an earlier one has left when it was killed is removed.
    pub fn agent(self) -> Result<Agent, String> {
        let locks = self.lock()?;
        // Before the recovery, which may take a minute: a signal does not end it half-way.
        let stop = Stop::on_signals().map_err(|error| format!("Cannot take signals: {error}"))?;
        note_recovery(self.system.root.recover());
        if let Some(shadow) = &self.system.shadow {
            note_recovery(Shadow::at(shadow)?.recover());
        }
        // Not at the next reset alone: by then somebody may have changed the files on purpose.
        if let Err(error) = rollback::recover(&self.system, &Linux) {
            log::line(error);
        }
        if let Some(reason) = self.config.report_only.reason(&self.system.root) {
            log::line(reason);
        }
        let pairs: Result<_, String> =
            self.config.pair.iter().map(|pair| self.pair(pair)).collect();
        Ok(Agent {
            pairs: pairs?,
            registry: self.registry(),
            reporting: self.reporting(),
            stop,
            once: self.options.once,
            system: self.system,
            locks,
        })
    }

    /// Locks the files below the root, and the machine's requests if an agent of another root takes
    /// them.
    fn lock(&self) -> Result<Vec<Lock>, String> {
        let root = &self.system.root;
        let machine = Root::new("/");
        let takes_machine = self.uses_machine_xenstore() && !root.is_running_system();
        let roots = [Some(root), Some(&machine).filter(|_| takes_machine)];
        let locks = roots.into_iter().flatten().map(|root| Lock::take(root, LOCK));
        locks.filter_map(Result::transpose).collect()
    }

    fn registry(&self) -> Registry {
        let plugins = &self.config.plugins;
        Registry::new(Settings {
            version: &self.config.version,
            is_on: &|name| self.config.is_on(name),
            plugins: Plugins::new(
                plugins.directory.clone(),
                Duration::from_secs(plugins.limit_seconds),
            ),
            report_only: self.config.report_only,
        })
    }

    fn pair(&self, pair: &PairConfig) -> Result<Pair, String> {
        let parser: Box<dyn Parser> = match pair.parser {
            ParserKind::Json => Box::new(Json),
        };
        let path = pair.path.clone();
        let (name, exchange): (_, Box<dyn Exchange>) = match pair.exchange {
            ExchangeKind::XenStore => {
                ("XenStore", Box::new(XenStore::new(self.xenstore(path.as_deref()))))
            }
            ExchangeKind::Directory => {
                let path = path.unwrap_or_default();
                let opened = Directory::open(path.clone());
                let exchange =
                    opened.map_err(|error| format!("Cannot use {}: {error}", path.display()))?;
                ("directory", Box::new(exchange))
            }
            ExchangeKind::Stdio => ("stdio", Box::new(Stdio::new(path))),
        };
        Ok(Pair::new(name, exchange, parser))
    }

    /// Reports go where the first pair with XenStore has its requests.
    fn reporting(&self) -> Option<Reporting> {
        let is_xenstore = |pair: &&PairConfig| pair.exchange == ExchangeKind::XenStore;
        let pair = self.config.pair.iter().find(is_xenstore)?;
        let path = self.xenstore(pair.path.as_deref());
        self.config.reports.enabled.then(|| Reporting::new(path))
    }

    /// The option counts for pairs whose XenStore is the machine's own.
    fn xenstore(&self, configured: Option<&Path>) -> Option<PathBuf> {
        configured.map(Path::to_owned).or_else(|| self.options.xenstore.clone())
    }
}

/// The paths below the root of what is the agent's own: no host replaces it.
fn own_paths(root: &Path, options: &Options, config: &Config) -> Vec<String> {
    let directories = config.pair.iter().filter(|pair| pair.exchange == ExchangeKind::Directory);
    let directories = directories.filter_map(|pair| pair.path.as_ref());
    let exchanged = directories.flat_map(|path| [path.join("host"), path.join("guest")]);
    let outside = options.config.iter().cloned().chain(exchanged);
    let mut paths: Vec<String> = outside.flat_map(|path| below(root, &path)).collect();
    paths.extend([STATE, LOCK, PATH].map(ToOwned::to_owned));
    paths.extend(Some(config.plugins.directory.clone()).filter(|path| !path.is_empty()));
    paths
}

/// The paths below the root of a file that is named from outside, and of what it is a link to;
/// those that are not below the root are left out.
fn below(root: &Path, path: &Path) -> Vec<String> {
    let of_root = |path: &Path| {
        let root = root.canonicalize().ok()?;
        Some(format!("/{}", path.strip_prefix(root).ok()?.to_str()?))
    };
    let paths = [itself(path), path.canonicalize().ok()];
    paths.into_iter().flatten().filter_map(|path| of_root(&path)).collect()
}

/// The path without links among its directories. A link at its end stays.
fn itself(path: &Path) -> Option<PathBuf> {
    let path = std::path::absolute(path).ok()?;
    let parent = path.parent().and_then(|parent| parent.canonicalize().ok());
    let real = parent.and_then(|parent| Some(parent.join(path.file_name()?)));
    Some(real.unwrap_or(path))
}

fn note_recovery(removed: io::Result<Option<String>>) {
    match removed {
        Ok(Some(file)) => log::line(format_args!("Removed the unfinished file {file}")),
        Ok(None) => {}
        Err(error) => log::line(format_args!("Cannot remove unfinished files: {error}")),
    }
}

fn hypervisor() -> Option<String> {
    std::fs::read_to_string(HYPERVISOR).ok().map(|name| name.trim().to_owned())
}

//! The start: options and configuration become an agent.

use crate::agent::{Agent, Pair};
use crate::config::{Config, ExchangeKind, PATH, PairConfig, ParserKind};
use crate::exchange::Exchange;
use crate::exchanges::directory::Directory;
use crate::exchanges::stdio::Stdio;
use crate::exchanges::xenstore::XenStore;
use crate::log;
use crate::network::reset;
use crate::options::Options;
use crate::parser::Parser;
use crate::parsers::json::Json;
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

/// Where replacements of files are noted while they go on.
const JOURNAL: &str = "/var/lib/xend-guest-agent/replacing";

/// Where the kernel tells which hypervisor it runs on.
const HYPERVISOR: &str = "/sys/hypervisor/type";

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
        let root = Root::new(directory).with_journal(JOURNAL);
        let config = match &options.config {
            Some(file) => Config::read(file)?,
            None if root.exists(PATH) => Config::read(&root.path(PATH))?,
            None => Config::default(),
        };
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
        let needs_machine = self.options.xenstore.is_none()
            && self.options.root.is_none()
            && self.config.pair.iter().any(|pair| *pair == PairConfig::machine_xenstore());
        needs_machine && hypervisor().is_none_or(|name| name != "xen")
    }

    /// The agent. What an earlier one has left when it was killed is removed.
    pub fn agent(self) -> Result<Agent, String> {
        note_recovery(self.system.root.recover());
        if let Some(shadow) = &self.system.shadow {
            note_recovery(Shadow::at(shadow)?.recover());
        }
        // Not at the next reset alone: by then somebody may have changed the files on purpose.
        match reset::recover(&self.system) {
            Ok(true) => log::line("Put the network's old files back: an agent was killed"),
            Ok(false) => {}
            Err(error) => log::line(format_args!("Cannot restore the network's files: {error}")),
        }
        if let Some(reason) = self.config.report_only.reason(&self.system.root) {
            log::line(reason);
        }
        let pairs: Result<_, String> =
            self.config.pair.iter().map(|pair| self.pair(pair)).collect();
        let stop = Stop::on_signals().map_err(|error| format!("Cannot take signals: {error}"))?;
        Ok(Agent {
            pairs: pairs?,
            registry: self.registry(),
            reporting: self.reporting(),
            stop,
            once: self.options.once,
            system: self.system,
        })
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

//! The state that all sessions share.

use super::domain_files::DomainFiles;
use super::plugins::Plugins;
use super::signature::Signature;
use crate::core::engine::Engine;
use crate::core::ports::Logins;
use crate::memory_budget::MemoryBudget;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Settings of the protocol.
pub struct ArgoOptions {
    /// The configuration files of domains that are instances as well.
    pub domain_files: Option<DomainFiles>,
    /// The directory of programs that serve further commands.
    pub commands: Option<PathBuf>,
    /// How long a session may send no command.
    pub idle_limit: Duration,
    /// How long a session may send no command before anybody has logged in.
    pub login_limit: Duration,
    /// How long a client may take for an answer.
    pub write_limit: Duration,
    /// How long a program may take for a command.
    pub command_limit: Duration,
    /// The memory for answers.
    pub answers: MemoryBudget,
}

impl Default for ArgoOptions {
    fn default() -> Self {
        Self {
            domain_files: None,
            commands: None,
            idle_limit: Duration::from_secs(15 * 60),
            login_limit: Duration::from_secs(60),
            write_limit: Duration::from_secs(60),
            command_limit: Duration::from_secs(10),
            answers: MemoryBudget::default(),
        }
    }
}

/// The Argo protocol in front of an engine.
#[derive(Clone)]
pub struct Argo(Arc<Inner>);

struct Inner {
    engine: Engine,
    logins: Arc<dyn Logins>,
    signatures: Vec<&'static Signature>,
    plugins: Option<Plugins>,
    options: ArgoOptions,
}

impl Argo {
    /// `signatures` are those of the daemon's own commands.
    pub(super) fn with_commands(
        engine: Engine,
        logins: Arc<dyn Logins>,
        options: ArgoOptions,
        signatures: Vec<&'static Signature>,
    ) -> Self {
        let names = || signatures.iter().map(|signature| &*signature.name).collect();
        let limit = options.command_limit;
        let plugins = options.commands.clone().map(|dir| Plugins::new(dir, limit, names()));
        Self(Arc::new(Inner { engine, logins, signatures, plugins, options }))
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.0.engine
    }

    pub(super) fn logins(&self) -> &dyn Logins {
        &*self.0.logins
    }

    pub(super) fn options(&self) -> &ArgoOptions {
        &self.0.options
    }

    /// The daemon's own commands, in the order of the documentation.
    pub(super) fn signatures(&self) -> &[&'static Signature] {
        &self.0.signatures
    }

    /// The commands that the operator adds.
    pub(super) fn plugins(&self) -> Option<&Plugins> {
        self.0.plugins.as_ref()
    }
}

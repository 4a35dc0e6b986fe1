//! What SIGHUP changes.

use super::accounts::HostAccounts;
use super::diagnostics::log;
use super::relocation::Relocation;
use arc_swap::ArcSwap;
use std::error::Error as _;
use std::sync::Arc;
use tokio::task::spawn_blocking;
use xend::config::{Config, Environment, LiveTunables, RunOptions};
use xend::core::model::Policy;
use xend::server::listen::Tls;
use xend::server::telemetry::Telemetry;

/// The parts of a running daemon that a reload changes.
pub(super) struct Reload {
    pub(super) options: RunOptions,
    pub(super) environment: Environment,
    /// The configuration at the start.
    pub(super) config: Config,
    pub(super) telemetry: Telemetry,
    pub(super) tunables: LiveTunables,
    pub(super) policy: Arc<ArcSwap<Policy>>,
    pub(super) accounts: HostAccounts,
    pub(super) tls: Vec<Arc<Tls>>,
    /// The listeners that could not be opened at the start.
    pub(super) left_out: Vec<String>,
    pub(super) relocation: Relocation,
}

impl Reload {
    /// Reads all files again. What a file has wrong is logged, and stays as it is.
    pub(super) async fn run(self: &Arc<Self>) {
        let this = Arc::clone(self);
        // It reads files, and may ask for the names of users.
        let config = spawn_blocking(move || this.read_files()).await;
        if let Ok(Some(config)) = config {
            self.relocation.reload(&config).await;
        }
    }

    /// Reads the files and applies them. Returns the new configuration. Blocks.
    fn read_files(&self) -> Option<Config> {
        let config = self.reload_config();
        self.accounts.reload();
        for tls in &self.tls {
            if let Err(error) = tls.reload() {
                let source = error.source().map(|source| format!(": {source}"));
                let source = source.unwrap_or_default();
                tracing::error!("Keeping the old key and certificate: {error}{source}");
            }
        }
        for listener in &self.left_out {
            tracing::warn!(
                "{listener} could not be served at the start, and a reload does not open it: if its \
                 files are right now, restart xend"
            );
        }
        self.relocation.reload_certificates();
        config
    }

    /// Applies a changed configuration file, as far as that is possible without a restart.
    fn reload_config(&self) -> Option<Config> {
        let (new, diagnostics) = match Config::load(&self.options, &self.environment) {
            Ok(loaded) => loaded,
            Err(error) => {
                let error = anyhow::Error::from(error);
                tracing::error!("Keeping the old configuration: {error:#}");
                return None;
            }
        };
        log(diagnostics);
        for key in self.config.needs_restart(&new) {
            tracing::warn!("{key} has changed: restart xend to apply it");
        }
        if let Err(error) = self.telemetry.reload(&new.tunables.log_filter) {
            tracing::error!("{error}");
        }
        self.policy.store(Arc::new(new.tunables.policy.clone()));
        self.tunables.store(Arc::new(new.tunables.clone()));
        Some(new)
    }
}

//! The file of accounts, and the gate that passwords pass.

use std::sync::Arc;
use xend::auth::{LoginGate, UsersFile};
use xend::config::Config;
use xend::core::rights::Accounts;
use xend::server::Server;

/// The accounts of this host.
#[derive(Clone)]
pub(super) struct HostAccounts {
    /// Those in force.
    pub(super) accounts: Arc<Accounts>,
    pub(super) gate: Arc<LoginGate>,
    /// `None` if there is no file, see [`Config::users_file`].
    file: Option<Arc<UsersFile>>,
}

impl HostAccounts {
    /// Reads the file of the configuration. Without it, or after an error, which is logged, nobody
    /// has an account. That makes nobody an operator: a host that wants accounts has them in use.
    pub(super) fn load(config: &Config) -> Self {
        let accounts = Arc::new(Accounts::default());
        let gate = LoginGate::new(Arc::clone(&accounts));
        let file = config.users_file.as_ref().map(|path| Arc::new(UsersFile::new(path)));
        let loaded = Self { accounts, gate, file };
        loaded.reload();
        if config.wants_accounts() {
            loaded.accounts.put_in_use();
        }
        if config.needs_accounts() && loaded.accounts.all().is_empty() {
            let path = config.users_file.as_deref().map(|path| format!(" in {}", path.display()));
            let place = path.unwrap_or_default();
            tracing::error!("Nobody can log in: there are no accounts{place}, see xend user add");
        }
        loaded
    }

    /// Reads the file again. An error is logged, and the old accounts stay.
    pub(super) fn reload(&self) {
        if let Some(file) = &self.file {
            // The result is in the log.
            file.reload(&self.accounts).ok();
        }
    }

    /// Reads the file again whenever it changes, until the server stops.
    pub(super) fn watch(&self, server: &Server) {
        if let Some(file) = &self.file {
            server.spawn(file.clone().watch(Arc::clone(&self.accounts), server.stopping()));
        }
    }
}

//! The file of accounts, and the gate that passwords pass.

use super::diagnostics::log;
use std::sync::Arc;
use xend::auth::{LoginGate, PasswordFile, UsersFile};
use xend::config::{Auth, Config, Diagnostic, ListenAddress, ListenerConfig};
use xend::core::rights::Accounts;
use xend::server::Server;

const USERS_FILE: &str = "xend-users-file";

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
        log(open_to_this_machine(config, loaded.accounts.are_in_use()));
        if config.needs_accounts() && loaded.accounts.all().is_empty() {
            tracing::error!("{}", nobody_can_log_in(config));
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

    /// Reads the file again whenever it changes, until the server stops. Logins of strangers end
    /// then.
    pub(super) fn watch(&self, server: &Server) {
        let (gate, stopping) = (self.gate.clone(), server.stopping());
        server.spawn(async move {
            stopping.cancelled().await;
            gate.begin_stop();
        });
        if let Some(file) = &self.file {
            server.spawn(file.clone().watch(Arc::clone(&self.accounts), server.stopping()));
        }
    }
}

fn nobody_can_log_in(config: &Config) -> String {
    let path = config.users_file.as_deref().map(|path| format!(" in {}", path.display()));
    let place = path.unwrap_or_default();
    format!("Nobody can log in: there are no accounts{place}, see xend user add")
}

/// Warnings about what lets every user of this machine control every domain.
fn open_to_this_machine(config: &Config, has_accounts: bool) -> Vec<Diagnostic> {
    let http = config.http_listener().into_iter().chain(config.http_on_unix());
    let all = http.chain(config.xmlrpc.iter().chain(&config.xen_api).cloned());
    let all: Vec<_> = all.collect();
    let is_for_all = |listener: &ListenerConfig| match &listener.address {
        // Who may write to a socket may connect.
        ListenAddress::Unix(socket) => socket.mode & 0o002 != 0,
        ListenAddress::Tcp(_) => false,
    };
    let trusts_loopback = |listener: &ListenerConfig| {
        listener.auth == Auth::None && matches!(listener.address, ListenAddress::Tcp(_))
    };
    let warning = |key: &str, advice: &str| {
        let message = format!("{key}: every user of this machine controls every domain: {advice}");
        Diagnostic::warning_at(config.origins.keys.get(key), message)
    };
    let mut warnings = Vec::new();
    if !has_accounts && all.iter().any(is_for_all) {
        let advice = "write (xend-unix-mode 0660) and name a group with xend-unix-group, or make \
                      accounts with xend user add";
        warnings.push(warning("xend-unix-mode", advice));
    }
    if config.tunables.trust_loopback && all.iter().any(trusts_loopback) {
        let advice = "name those who may with xend-trusted-users, or write (xend-http-auth users)";
        warnings.push(warning("xend-http-trust-loopback", advice));
    }
    warnings
}

/// What is wrong with the files by which people log in.
pub(super) fn check(config: &Config) -> Vec<Diagnostic> {
    let position = config.origins.keys.get(USERS_FILE);
    let file = config.users_file.as_ref().map(UsersFile::new);
    let accounts = file.map_or(Ok(Vec::new()), |file| file.accounts());
    let has_accounts = accounts.as_ref().map_or(true, |accounts| !accounts.is_empty());
    let mut diagnostics = open_to_this_machine(config, has_accounts || config.wants_accounts());
    match accounts {
        Err(error) => diagnostics.push(Diagnostic::error_at(None, error.to_string())),
        Ok(accounts) if !accounts.is_empty() => {}
        Ok(_) if config.needs_accounts() => {
            diagnostics.push(Diagnostic::warning_at(position, nobody_can_log_in(config)));
        }
        Ok(_) if config.wants_accounts() => {
            let message = "there are no accounts, so that the unix sockets are for root, xend's \
                           own user and xend-trusted-users alone, see xend user add";
            let message = format!("{USERS_FILE}: {message}");
            diagnostics.push(Diagnostic::warning_at(position, message));
        }
        Ok(_) => {}
    }
    if config.xen_api.iter().any(|listener| listener.auth == Auth::Password) {
        let problem = PasswordFile::new(&config.password_file).check_file().err();
        let message = problem.map(|problem| format!("Nobody can log in to the Xen-API: {problem}"));
        let position = config.origins.keys.get("xend-password-file");
        diagnostics.extend(message.map(|message| Diagnostic::warning_at(position, message)));
    }
    diagnostics
}

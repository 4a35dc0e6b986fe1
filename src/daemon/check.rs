//! What a start would say of the configuration, without one.

use super::{accounts, engine, fleet, relocation};
use std::path::Path;
use xend::config::{Config, ConfigError, Diagnostic, Environment, RunOptions};
use xend::dir_lock::LockError;
use xend::parent_dir;
use xend::server::{listen, telemetry};

/// What a check has found.
pub(crate) struct Findings {
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// Whether it has looked beyond the configuration file, which is of no use as long as a value
    /// is missing.
    pub(crate) is_complete: bool,
}

/// Reads all that a start reads, and returns its messages.
pub(crate) fn check(
    options: &RunOptions,
    environment: &Environment,
) -> Result<Findings, ConfigError> {
    let (config, mut diagnostics) = Config::check(options, environment)?;
    let Some(config) = config else { return Ok(Findings { diagnostics, is_complete: false }) };
    diagnostics.extend(listen::check(&config));
    diagnostics.extend(telemetry::check(&config));
    diagnostics.extend(directories(options, &config));
    diagnostics.extend(relocation::check(&config));
    diagnostics.extend(fleet::check(&config));
    diagnostics.extend(
        engine::suspicion(config.hypervisor)
            .map(|suspicion| Diagnostic::warning_at(None, suspicion)),
    );
    diagnostics.extend(
        engine::check(&config).map(|refusal| Diagnostic::error_at(None, refusal.to_string())),
    );
    let nothing = listen::check_any(&config).err();
    diagnostics.extend(nothing.map(|error| Diagnostic::error_at(None, error.to_string())));
    diagnostics.extend(accounts::check(&config));
    Ok(Findings { diagnostics, is_complete: true })
}

/// Fails if more than the state directory itself is missing. The default one may be the first of a
/// user's files of this kind.
pub(super) fn state_dir(options: &RunOptions, config: &Config) -> Result<(), LockError> {
    let dir = &config.state_dir;
    if options.state_dir.is_none() {
        return Ok(());
    }
    let checked = parent_dir::check(&dir.join("lock"));
    checked.map_err(|source| LockError::Unusable { dir: dir.clone(), source })
}

/// The state directory, and that of disk images, without which the rest is served.
fn directories(options: &RunOptions, config: &Config) -> Vec<Diagnostic> {
    let unusable = |dir: &Path| {
        let error = parent_dir::check_writable(dir).err()?;
        Some(format!("{} cannot be used: {error}", dir.display()))
    };
    let missing = state_dir(options, config).err().map(|error| {
        let error = anyhow::Error::from(error);
        Diagnostic::error_at(None, format!("{error:#}"))
    });
    let state = missing.or_else(|| {
        let error = unusable(&config.state_dir)?;
        let message = format!("{error}, make it writable or give another one with --state-dir");
        Some(Diagnostic::error_at(None, message))
    });
    let storage = Some(&config.storage).filter(|dir| !dir.starts_with(&config.state_dir));
    let storage = storage.and_then(|dir| unusable(dir)).map(|error| {
        let key = "xend-storage-path";
        let message = format!("{error}, mount or make it, or change {key}");
        Diagnostic::warning_at(config.origins.keys.get(key), message)
    });
    state.into_iter().chain(storage).collect()
}

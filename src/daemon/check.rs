//! What a start would say of the configuration, without one.

use super::{accounts, engine, relocation};
use std::path::Path;
use xend::config::{Config, ConfigError, Diagnostic, Environment, RunOptions};
use xend::parent_dir;
use xend::server::{listen, telemetry};

/// Reads all that a start reads, and returns its messages.
pub(crate) fn check(
    options: &RunOptions,
    environment: &Environment,
) -> Result<Vec<Diagnostic>, ConfigError> {
    let (config, mut diagnostics) = Config::load(options, environment)?;
    diagnostics.extend(listen::check(&config));
    diagnostics.extend(telemetry::check(&config));
    diagnostics.extend(directories(&config));
    diagnostics.extend(relocation::check(&config));
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
    Ok(diagnostics)
}

/// The state directory, and that of disk images, without which the rest is served.
fn directories(config: &Config) -> Vec<Diagnostic> {
    let unusable = |dir: &Path| {
        let error = parent_dir::check_writable(dir).err()?;
        Some(format!("{} cannot be used: {error}", dir.display()))
    };
    let state = unusable(&config.state_dir).map(|error| {
        let message = format!("{error}, make it writable or give another one with --state-dir");
        Diagnostic::error_at(None, message)
    });
    let storage = Some(&config.storage).filter(|dir| !dir.starts_with(&config.state_dir));
    let storage = storage.and_then(|dir| unusable(dir)).map(|error| {
        let key = "xend-storage-path";
        let message = format!("{error}, mount or make it, or change {key}");
        Diagnostic::warning_at(config.origins.keys.get(key), message)
    });
    state.into_iter().chain(storage).collect()
}

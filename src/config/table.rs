//! The table of configuration keys: one row a key.

mod accounts;
mod daemon;
mod domains;
mod fleet;
mod listeners;
mod metrics;

use super::entry::{Entry, Source};
use super::keys::{Key, Section};
use super::settings::FileSettings;
use crate::sxp::{self, Limits};
use std::path::Path;

/// All keys that have an effect, in the order of the sample file.
pub(super) const SECTIONS: &[Section] = &[
    daemon::HYPERVISOR,
    listeners::TCP_HTTP,
    listeners::UNIX_HTTP,
    accounts::ACCOUNTS,
    daemon::LIMITS,
    daemon::LOG,
    domains::DOMAIN_0,
    domains::DOMAINS,
    listeners::XML_RPC,
    listeners::XEN_API,
    accounts::ARGO,
    metrics::METRICS,
    listeners::MIGRATION,
    fleet::FLEET,
    daemon::SLOW_MACHINES,
    daemon::SIMULATED_HOST,
];

/// All keys that have an effect.
pub(super) fn keys() -> impl Iterator<Item = &'static Key> {
    SECTIONS.iter().flat_map(|section| section.keys)
}

/// The key with this name.
pub(super) fn find(name: &str) -> Option<&'static Key> {
    keys().find(|key| key.name == name)
}

impl FileSettings {
    /// The defaults of the table.
    pub(super) fn defaults() -> Self {
        let mut settings = Self::default();
        for key in keys().filter(|key| !key.default.is_empty() && !key.default_is_computed) {
            let text = format!("({} {})", key.name, key.default);
            let Ok(tree) = sxp::read_one(text.as_bytes(), &Limits::DEFAULT) else { continue };
            let source = Source { path: Path::new("default"), text: text.as_bytes() };
            let entry = Entry { source, key: key.name, values: tree.tail(), offset: 0 };
            // A test reads every default, so none fails here.
            (key.field.read)(&mut settings, &entry, &mut Vec::new()).ok();
        }
        settings
    }
}

//! The configuration that is stored with a domain, as an S-expression:
//!
//! ```text
//! (xend (started SECONDS) (config (domain ...)))
//! ```

use crate::core::error::Error;
use crate::core::model::DomainConfig;
use crate::shape;
use crate::sxp::{Limits, Sxp, read_one};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A domain's configuration, and when the domain was built.
pub(super) struct StoredConfig {
    pub(super) started: Option<SystemTime>,
    pub(super) config: DomainConfig,
}

impl StoredConfig {
    pub(super) fn print(&self) -> String {
        let since_epoch =
            |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let started = self.started.map(|time| {
            Sxp::list([Sxp::atom("started"), Sxp::atom(since_epoch(time).to_string())])
        });
        let config = Sxp::list([Sxp::atom("config"), shape::stored_config(&self.config)]);
        Sxp::list([Sxp::atom("xend")].into_iter().chain(started).chain([config])).to_string()
    }

    /// `None` if the text has no configuration, or is not an S-expression of xend.
    pub(super) fn read(text: &str) -> Result<Option<Self>, Error> {
        let tree = read_one(text.as_bytes(), &Limits::STORED).map_err(|error| {
            Error::backend("The configuration that is stored with the domain is damaged", error)
        })?;
        let config = tree.value("config").and_then(|config| shape::read_stored(config).ok());
        let started = tree
            .value("started")
            .and_then(Sxp::as_str)
            .and_then(|text| text.parse::<f64>().ok())
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
            .and_then(|since_epoch| UNIX_EPOCH.checked_add(since_epoch));
        Ok(config.map(|config| Self { started, config }))
    }
}

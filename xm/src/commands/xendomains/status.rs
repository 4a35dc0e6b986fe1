//! Whether the domains that are to run with the host do.

use super::auto;
use super::report::Report;
use super::saved;
use super::settings::Settings;
use crate::context::Context;
use crate::domain::Domain;
use crate::failure::Failure;
use serde::Serialize;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// The domains that start with the host, and those that are saved still. The fields are the keys of
/// `--json`.
#[derive(Serialize)]
pub(super) struct Status {
    started: bool,
    domains: Vec<AutoStatus>,
    saved: Vec<SavedStatus>,
}

#[derive(Serialize)]
struct AutoStatus {
    name: String,
    running: bool,
}

#[derive(Serialize)]
struct SavedStatus {
    name: String,
    file: PathBuf,
}

impl Status {
    /// Looks at the domains. What cannot be read is reported.
    pub(super) fn read(
        context: &Context,
        settings: &Settings,
        report: &mut Report,
    ) -> Result<Self, Failure> {
        let domains = context.gateway.domains("all")?;
        let on_host = domains.iter().filter(|domain| domain.domid().is_some()).map(Domain::name);
        let on_host: BTreeSet<&str> = on_host.collect();
        for variable in &settings.without_directory {
            report.failed(format!("The domains of {variable} are unknown: correct the variable"));
        }
        let names = settings.auto.as_ref().map(|directory| auto::names(directory, report));
        let saved = settings.save.as_ref().map_or(Ok(Vec::new()), |dir| saved::saved(dir));
        let saved = saved.unwrap_or_else(|failure| {
            report.failed(failure.to_string());
            Vec::new()
        });
        let auto_status =
            |name: String| AutoStatus { running: on_host.contains(name.as_str()), name };
        let saved = saved.into_iter().map(|file| SavedStatus { name: file.name, file: file.path });
        Ok(Self {
            started: true,
            domains: names.unwrap_or_default().into_iter().map(auto_status).collect(),
            saved: saved.collect(),
        })
    }

    /// Reports the domains that run, those that do not, and those that are saved still.
    pub(super) fn report(&self, report: &mut Report) {
        for AutoStatus { name, running } in &self.domains {
            if *running {
                report.done(format!("{name} runs"));
            } else {
                report.failed(format!("{name} does not run"));
            }
        }
        for SavedStatus { name, file } in &self.saved {
            report.failed(format!("{name} is saved still: {}", file.display()));
        }
    }

    /// Whether all domains run that are to.
    pub(super) fn is_good(&self) -> bool {
        self.saved.is_empty() && self.domains.iter().all(|domain| domain.running)
    }
}

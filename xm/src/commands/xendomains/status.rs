//! Whether the domains that are to run with the host do.

use super::auto;
use super::report::Report;
use super::saved;
use super::settings::Settings;
use crate::context::Context;
use crate::domain::Domain;
use crate::failure::Failure;
use std::collections::BTreeSet;

/// Reports the domains that run, those that do not, and those that are saved still.
pub(super) fn status(
    context: &Context,
    settings: &Settings,
    report: &mut Report,
) -> Result<(), Failure> {
    let domains = context.gateway.domains("all")?;
    let on_host = domains.iter().filter(|domain| domain.domid().is_some()).map(Domain::name);
    let on_host: BTreeSet<&str> = on_host.collect();
    for variable in &settings.without_directory {
        report.failed(format!("The domains of {variable} are unknown: correct the variable"));
    }
    if let Some(directory) = &settings.auto {
        for name in auto::names(directory, report) {
            if on_host.contains(name.as_str()) {
                report.done(format!("{name} runs"));
            } else {
                report.failed(format!("{name} does not run"));
            }
        }
    }
    if let Some(directory) = &settings.save {
        match saved::saved(directory) {
            Ok(files) => {
                for file in files {
                    report.failed(format!("{} is saved still: {}", file.name, file.path.display()));
                }
            }
            Err(failure) => report.failed(failure.to_string()),
        }
    }
    Ok(())
}

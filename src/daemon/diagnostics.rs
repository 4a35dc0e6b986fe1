//! Messages about the configuration, in the log.

use xend::config::{Diagnostic, Severity};

/// Logs the messages.
pub(super) fn log(diagnostics: Vec<Diagnostic>) {
    for diagnostic in diagnostics {
        match diagnostic.severity {
            Severity::Warning => tracing::warn!("{diagnostic}"),
            Severity::Error => tracing::error!("{diagnostic}"),
        }
    }
}

//! The kinds of records of a domain, and the fields that all of them share.

use super::sink::Sink;
use crate::core::model::Property;

/// The kind of a domain's or device's record.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum RecordKind {
    /// Of a running domain, with the backend's additions.
    Running {
        /// Whether the guest is paravirtualised.
        pv: bool,
    },
    /// As configured.
    Configured,
    /// As configured, with passwords: for the hypervisor and for files that only root reads.
    Stored,
}

/// Writes uninterpreted fields. Only stored records have passwords.
pub(super) fn properties(sink: &mut impl Sink, properties: &[Property], kind: RecordKind) {
    if kind == RecordKind::Stored {
        return sink.properties(properties.iter());
    }
    let shown: Vec<_> = Property::shown(properties).collect();
    sink.properties(shown.iter().map(AsRef::as_ref));
}

//! The work of the engine: operations, and calls of the hypervisor.

use crate::core::metrics::{Ending, Measurement};
use crate::core::rights::OpKind;
use crate::wire::metrics::family::{Family, Kind, Samples, Unit};
use std::fmt;

pub(super) const ENGINE: &[Family] = &[
    Family {
        name: "operations",
        kind: Kind::Counter,
        unit: None,
        help: "Operations that were asked for, by how they ended.",
        labels: &["operation", "result"],
        read: |figures, samples| {
            let all = &figures.host.operations;
            all.iter().try_for_each(|(kind, found)| add_endings(samples, &label(*kind), found))
        },
    },
    Family {
        name: "operation_duration",
        kind: Kind::Histogram,
        unit: Some(Unit::Seconds),
        help: "How long operations took, with the time for which they waited for others.",
        labels: &["operation"],
        read: |figures, samples| {
            let mut all = figures.host.operations.iter();
            all.try_for_each(|(kind, found)| {
                samples.add_durations(&[&label(*kind)], &found.durations)
            })
        },
    },
    Family {
        name: "operations_running",
        kind: Kind::Gauge,
        unit: None,
        help: "Operations on domains that are going on.",
        labels: &[],
        read: |figures, samples| samples.add(&[], figures.host.operations_running),
    },
    Family {
        name: "operations_waiting",
        kind: Kind::Gauge,
        unit: None,
        help: "Operations that wait for another one on the same domain.",
        labels: &[],
        read: |figures, samples| samples.add(&[], figures.host.operations_waiting),
    },
    Family {
        name: "guest_requests",
        kind: Kind::Gauge,
        unit: None,
        help: "Requests that wait for agents in guests.",
        labels: &[],
        read: |figures, samples| samples.add(&[], figures.host.guest_requests),
    },
    Family {
        name: "hypervisor_calls",
        kind: Kind::Counter,
        unit: None,
        help: "Calls of the hypervisor, by how they ended.",
        labels: &["call", "result"],
        read: |figures, samples| {
            let mut all = figures.host.calls.iter();
            all.try_for_each(|(call, found)| add_endings(samples, call.name(), found))
        },
    },
    Family {
        name: "hypervisor_call_duration",
        kind: Kind::Histogram,
        unit: Some(Unit::Seconds),
        help: "How long calls of the hypervisor took.",
        labels: &["call"],
        read: |figures, samples| {
            let mut all = figures.host.calls.iter();
            all.try_for_each(|(call, found)| {
                samples.add_durations(&[call.name()], &found.durations)
            })
        },
    },
];

/// The endings of an operation or a call. Those that alerts are about are there from the first one
/// on, so that their growth is seen.
fn add_endings(samples: &mut Samples<'_>, name: &str, found: &Measurement) -> fmt::Result {
    let is_always_there =
        |ending| matches!(ending, Ending::Done | Ending::Backend | Ending::Timeout);
    let mut endings = found.endings().filter(|(ending, n)| *n > 0 || is_always_there(*ending));
    endings.try_for_each(|(ending, count)| samples.add(&[name, ending.name()], count))
}

/// The name of a kind of operation: `set_max_memory` of `SetMaxMemory`.
fn label(kind: OpKind) -> String {
    let mut label = String::new();
    for letter in kind.name().chars() {
        if letter.is_ascii_uppercase() && !label.is_empty() {
            label.push('_');
        }
        label.push(letter.to_ascii_lowercase());
    }
    label
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_have_plain_names() {
        assert_eq!(label(OpKind::SetMaxMemory), "set_max_memory");
        assert_eq!(label(OpKind::Pause), "pause");
    }
}

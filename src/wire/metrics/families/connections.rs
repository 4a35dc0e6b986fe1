//! The listeners and their connections.

use crate::wire::metrics::family::{Family, Kind};

pub(super) const CONNECTIONS: &[Family] = &[
    Family {
        name: "connections_open",
        kind: Kind::Gauge,
        unit: None,
        help: "Connections that are admitted and open.",
        labels: &["listener"],
        read: |figures, samples| {
            let mut all = figures.connections.iter();
            all.try_for_each(|one| samples.add(&[&one.listener], one.open))
        },
    },
    Family {
        name: "connections_accepted",
        kind: Kind::Counter,
        unit: None,
        help: "Connections of clients, those that were refused included.",
        labels: &["listener"],
        read: |figures, samples| {
            let mut all = figures.connections.iter();
            all.try_for_each(|one| samples.add(&[&one.listener], one.accepted))
        },
    },
    Family {
        name: "connections_refused",
        kind: Kind::Counter,
        unit: None,
        help: "Connections that were refused: the host or user may not connect, encryption or \
               greeting failed, too many were new, or all places were busy.",
        labels: &["listener", "reason"],
        read: |figures, samples| {
            let mut all = figures.connections.iter();
            all.try_for_each(|one| {
                let mut reasons = one.refused.iter();
                reasons.try_for_each(|(reason, count)| {
                    samples.add(&[&one.listener, reason.name()], *count)
                })
            })
        },
    },
];

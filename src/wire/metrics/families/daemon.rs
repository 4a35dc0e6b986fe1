//! The daemon itself.

use crate::wire::metrics::family::{Family, Kind, Unit};
use std::time::SystemTime;

pub(super) const DAEMON: &[Family] = &[
    Family {
        name: "build",
        kind: Kind::Info,
        unit: None,
        help: "The version of xend, the kind of its hypervisor (xen or sim), and Xen's version.",
        labels: &["version", "hypervisor", "xen"],
        read: |figures, samples| {
            let host = &figures.host.host;
            let xen = format!("{}.{}{}", host.xen_major, host.xen_minor, host.xen_extra);
            samples.add_info(&[figures.version, host.hypervisor(), &xen])
        },
    },
    Family {
        name: "start_time",
        kind: Kind::Gauge,
        unit: Some(Unit::Seconds),
        help: "When xend was started, in seconds since 1970.",
        labels: &[],
        read: |figures, samples| {
            let since = figures.host.started.duration_since(SystemTime::UNIX_EPOCH);
            samples.add(&[], since.unwrap_or_default().as_secs_f64())
        },
    },
    Family {
        name: "hypervisor_answers",
        kind: Kind::Gauge,
        unit: None,
        help: "Whether the hypervisor answers: 1 or 0.",
        labels: &[],
        read: |figures, samples| samples.add(&[], figures.host.hypervisor_answers),
    },
    Family {
        name: "store_writable",
        kind: Kind::Gauge,
        unit: None,
        help: "Whether the state directory can be written: 1 or 0.",
        labels: &[],
        read: |figures, samples| match figures.host.store_is_writable {
            Some(is_writable) => samples.add(&[], is_writable),
            None => Ok(()),
        },
    },
    Family {
        name: "figures_age",
        kind: Kind::Gauge,
        unit: Some(Unit::Seconds),
        help: "The age of the figures of domains. It grows while the hypervisor does not answer.",
        labels: &[],
        read: |figures, samples| match figures.host.figures_age {
            Some(age) => samples.add(&[], age.as_secs_f64()),
            None => Ok(()),
        },
    },
    Family {
        name: "client_memory_reserved",
        kind: Kind::Gauge,
        unit: Some(Unit::Bytes),
        help: "Memory that is reserved for large requests, or for large answers.",
        labels: &["purpose"],
        read: |figures, samples| {
            samples.add(&["requests"], figures.requests.reserved)?;
            samples.add(&["answers"], figures.answers.reserved)
        },
    },
    Family {
        name: "client_memory_limit",
        kind: Kind::Gauge,
        unit: Some(Unit::Bytes),
        help: "Memory that can be reserved for them, each (xend-body-memory).",
        labels: &["purpose"],
        read: |figures, samples| {
            samples.add(&["requests"], figures.requests.limit)?;
            samples.add(&["answers"], figures.answers.limit)
        },
    },
    Family {
        name: "tasks",
        kind: Kind::Gauge,
        unit: None,
        help: "Tasks of the Xen-API: running, or ended and kept for their clients.",
        labels: &["state"],
        read: |figures, samples| {
            samples.add(&["running"], figures.tasks.running)?;
            samples.add(&["ended"], figures.tasks.ended)
        },
    },
    Family {
        name: "json_tasks",
        kind: Kind::Gauge,
        unit: None,
        help: "Tasks of JSON (Prefer: respond-async): running, or ended and kept for their clients.",
        labels: &["state"],
        read: |figures, samples| {
            samples.add(&["running"], figures.json_tasks.running)?;
            samples.add(&["ended"], figures.json_tasks.ended)
        },
    },
    Family {
        name: "events",
        kind: Kind::Counter,
        unit: None,
        help: "Events in the journal since the start.",
        labels: &[],
        read: |figures, samples| samples.add(&[], figures.host.events),
    },
    Family {
        name: "events_kept",
        kind: Kind::Gauge,
        unit: None,
        help: "Events that the journal keeps for readers that are behind.",
        labels: &[],
        read: |figures, samples| samples.add(&[], figures.host.events_kept),
    },
];

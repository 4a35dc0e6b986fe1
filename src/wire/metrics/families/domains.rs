//! The host and its domains.

use crate::core::device_io::DeviceBytes;
use crate::core::lifecycle::State;
use crate::core::model::{Device, DomainFacts, ShutdownReason};
use crate::core::snapshot::DomainView;
use crate::wire::metrics::family::{Family, Kind, Samples, Unit, Value};
use crate::wire::metrics::sources::Figures;
use std::fmt;

/// The states in which a domain is seen.
const STATES: [State; 7] = [
    State::Halted,
    State::Suspended,
    State::Paused,
    State::Running,
    State::Stopped(ShutdownReason::Poweroff),
    State::Stopped(ShutdownReason::Crash),
    State::Dying,
];

pub(super) const DOMAINS: &[Family] = &[
    Family {
        name: "host_cpus",
        kind: Kind::Gauge,
        unit: None,
        help: "Physical CPUs of the host.",
        labels: &[],
        read: |figures, samples| samples.add(&[], u64::from(figures.host.host.topology.cpus)),
    },
    Family {
        name: "host_memory",
        kind: Kind::Gauge,
        unit: Some(Unit::Bytes),
        help: "Memory of the host.",
        labels: &[],
        read: |figures, samples| samples.add(&[], of_mib(figures.host.host.total_memory)),
    },
    Family {
        name: "host_memory_free",
        kind: Kind::Gauge,
        unit: Some(Unit::Bytes),
        help: "Memory of the host that no domain has.",
        labels: &[],
        read: |figures, samples| {
            samples.add(&[], of_mib(figures.host.snapshot.figures.free_memory))
        },
    },
    Family {
        name: "domains",
        kind: Kind::Gauge,
        unit: None,
        help: "Domains, Domain-0 included, by their state.",
        labels: &["state"],
        read: |figures, samples| {
            let all: Vec<_> =
                figures.host.snapshot.domains().map(|one| label(one.state())).collect();
            STATES.into_iter().map(label).try_for_each(|state| {
                samples.add(&[state], all.iter().filter(|one| **one == state).count())
            })
        },
    },
    Family {
        name: "domain",
        kind: Kind::Info,
        unit: None,
        help: "A domain with its UUID and its number on the host (empty off the host).",
        labels: &["domain", "uuid", "domid"],
        read: |figures, samples| {
            figures.host.snapshot.domains().try_for_each(|view| {
                let domid = view.domid().map(|domid| domid.to_string()).unwrap_or_default();
                samples.add_info(&[view.name().as_str(), &view.uuid.to_string(), &domid])
            })
        },
    },
    Family {
        name: "domain_state",
        kind: Kind::Gauge,
        unit: None,
        help: "The state of a domain: 1 in that state, and no sample in any other.",
        labels: &["domain", "state"],
        read: |figures, samples| {
            figures.host.snapshot.domains().try_for_each(|view| {
                samples.add(&[view.name().as_str(), label(view.state())], 1_u64)
            })
        },
    },
    Family {
        name: "domain_cpu",
        kind: Kind::Counter,
        unit: Some(Unit::Seconds),
        help: "CPU time of all VCPUs of a domain since it was built.",
        labels: &["domain"],
        read: |figures, samples| {
            add_facts(figures, samples, |facts| facts.cpu_time.as_secs_f64().into())
        },
    },
    Family {
        name: "domain_vcpus",
        kind: Kind::Gauge,
        unit: None,
        help: "VCPUs of a domain that are online.",
        labels: &["domain"],
        read: |figures, samples| {
            add_facts(figures, samples, |facts| u64::from(facts.online_vcpus).into())
        },
    },
    Family {
        name: "domain_memory",
        kind: Kind::Gauge,
        unit: Some(Unit::Bytes),
        help: "Memory that a domain has.",
        labels: &["domain"],
        read: |figures, samples| {
            add_facts(figures, samples, |facts| facts.memory_kib.saturating_mul(1 << 10).into())
        },
    },
    Family {
        name: "domain_vbd_read",
        kind: Kind::Counter,
        unit: Some(Unit::Bytes),
        help: "Bytes that a domain has read from a disk.",
        labels: &["domain", "device"],
        read: |figures, samples| add_devices(figures, samples, true, |bytes| bytes.into_guest),
    },
    Family {
        name: "domain_vbd_written",
        kind: Kind::Counter,
        unit: Some(Unit::Bytes),
        help: "Bytes that a domain has written to a disk.",
        labels: &["domain", "device"],
        read: |figures, samples| add_devices(figures, samples, true, |bytes| bytes.out_of_guest),
    },
    Family {
        name: "domain_vif_received",
        kind: Kind::Counter,
        unit: Some(Unit::Bytes),
        help: "Bytes that a domain has received over a network interface.",
        labels: &["domain", "device"],
        read: |figures, samples| add_devices(figures, samples, false, |bytes| bytes.into_guest),
    },
    Family {
        name: "domain_vif_sent",
        kind: Kind::Counter,
        unit: Some(Unit::Bytes),
        help: "Bytes that a domain has sent over a network interface.",
        labels: &["domain", "device"],
        read: |figures, samples| add_devices(figures, samples, false, |bytes| bytes.out_of_guest),
    },
];

/// One sample of each domain on the host.
fn add_facts(
    figures: &Figures,
    samples: &mut Samples<'_>,
    value: fn(&DomainFacts) -> Value,
) -> fmt::Result {
    figures.host.snapshot.domains().try_for_each(|view| match &view.facts {
        Some(facts) => samples.add(&[view.name().as_str()], value(facts)),
        None => Ok(()),
    })
}

/// One sample of each disk, or of each network interface, of the domains on the host.
fn add_devices(
    figures: &Figures,
    samples: &mut Samples<'_>,
    blocks: bool,
    value: fn(&DeviceBytes) -> u64,
) -> fmt::Result {
    figures.host.snapshot.domains().try_for_each(|view| {
        let Some(domid) = view.domid() else { return Ok(()) };
        let devices = figures.host.devices.of(&view.uuid, domid).iter();
        devices.filter(|bytes| bytes.is_block == blocks).try_for_each(|bytes| {
            samples.add(&[view.name().as_str(), &device_name(view, bytes)], value(bytes))
        })
    })
}

/// The name of a disk in the configuration, `xvda`; otherwise the number of the device.
fn device_name(view: &DomainView, bytes: &DeviceBytes) -> String {
    let blocks = view.config.devices.iter().filter_map(Device::as_block);
    let known = blocks.filter(|_| bytes.is_block).find(|block| block.number.0 == bytes.number);
    known.map_or_else(|| bytes.number.to_string(), |block| block.dev.clone())
}

fn of_mib(mib: u64) -> u64 {
    mib.saturating_mul(1 << 20)
}

const fn label(state: State) -> &'static str {
    match state {
        State::Halted => "halted",
        State::Suspended => "suspended",
        State::Building => "building",
        State::Paused => "paused",
        State::Running => "running",
        State::Stopped(ShutdownReason::Crash) => "crashed",
        State::Stopped(_) => "stopped",
        State::Dying => "dying",
        State::Gone => "gone",
    }
}

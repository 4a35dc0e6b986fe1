//! What VMs and their devices do at the moment.

use super::devices::{self, facts_of, find, is_block, is_vif};
use super::network;
use super::notes::Shelf;
use super::table::{Class, Field};
use super::world::{Need, World, map, metrics_of, number, text, texts};
use crate::core::model::{Device, Interface, Property, RunFlags, Uuid, VcpuFacts};
use crate::core::snapshot::DomainView;
use crate::wire::xmlrpc::object_ids::derived_uuid as derived;
use crate::wire::xmlrpc::value::Value;
use std::sync::Arc;
use std::time::SystemTime;

const VCPUS: &[Need] = &[Need::Vcpus];

fn of(world: &World, metrics: Uuid) -> Option<&Arc<DomainView>> {
    world.measured_by(metrics).filter(|view| metrics_of(view.uuid) == metrics)
}

/// Something of each VCPU, by its number.
fn each(world: &World, metrics: Uuid, get: impl Fn(&VcpuFacts) -> Value) -> Option<Value> {
    let vcpus = world.seen.vcpus.get(&of(world, metrics)?.uuid);
    let members = vcpus.into_iter().flatten().map(|vcpu| (vcpu.number.to_string(), get(vcpu)));
    Some(Value::Struct(members.collect()))
}

fn params(world: &World, metrics: Uuid) -> Option<Value> {
    let view = of(world, metrics)?;
    let (weight, cap) = (view.config.cpu_weight.to_string(), view.config.cpu_cap.to_string());
    let mut members =
        vec![("weight".to_owned(), Value::Text(weight)), ("cap".to_owned(), Value::Text(cap))];
    for vcpu in world.seen.vcpus.get(&view.uuid).into_iter().flatten() {
        let cpus: Vec<String> = vcpu.affinity.iter().map(|cpu| cpu.to_string()).collect();
        members.push((format!("cpumap{}", vcpu.number), Value::text(cpus.join(","))));
    }
    Some(Value::Struct(members))
}

/// The words that fit; none of a VM that is not on the host.
fn state(world: &World, metrics: Uuid) -> Option<Value> {
    let words = |flags: RunFlags| {
        let crashed = flags.crashed();
        let all = [
            ("running", flags.running && flags.shutdown.is_none()),
            ("blocked", flags.blocked && flags.shutdown.is_none()),
            ("paused", flags.paused),
            ("dying", flags.dying),
            ("crashed", crashed),
            ("shutdown", flags.shutdown.is_some() && !crashed),
        ];
        texts(all.into_iter().filter(|(_, on)| *on).map(|(word, _)| word.to_owned()))
    };
    Some(of(world, metrics)?.facts.as_ref().map_or_else(|| texts([]), |facts| words(facts.flags)))
}

pub(super) static VM_METRICS: Class = Class {
    name: "VM_metrics",
    all: |world| world.snapshot.domains().map(|view| metrics_of(view.uuid)).collect(),
    needs: &[],
    shelf: Shelf::Inventory,
    fields: &[
        Field::read("uuid", |world, uuid| of(world, uuid).map(|_| Value::text(uuid.to_string()))),
        Field::read("memory_actual", |world, uuid| {
            let view = of(world, uuid)?;
            Some(number(view.facts.as_ref().map_or(0, |facts| u128::from(facts.memory_kib) * 1024)))
        }),
        Field::read("VCPUs_number", |world, uuid| {
            let view = of(world, uuid)?;
            Some(number(view.facts.as_ref().map_or(view.config.vcpus, |facts| facts.online_vcpus)))
        }),
        // A share of the time since the VM was started: xend had no other, and answered 0.
        Field::read("VCPUs_utilisation", |world, uuid| {
            let started = of(world, uuid)?.facts.as_ref().and_then(|facts| facts.start_time);
            let up = started.and_then(|started| world.now.duration_since(started).ok());
            let share =
                |time: f64| up.map_or(0.0, |up| (time / up.as_secs_f64().max(1e-9)).min(1.0));
            each(world, uuid, |vcpu| Value::Double(share(vcpu.cpu_time.as_secs_f64())))
        })
        .needing(VCPUS),
        Field::read("VCPUs_CPU", |world, uuid| {
            each(world, uuid, |vcpu| number(vcpu.cpu.map_or(-1, i64::from)))
        })
        .needing(VCPUS),
        Field::read("VCPUs_flags", |world, uuid| {
            each(world, uuid, |vcpu| {
                let all =
                    [("blocked", vcpu.blocked), ("online", vcpu.online), ("running", vcpu.running)];
                texts(all.into_iter().filter(|(_, on)| *on).map(|(word, _)| word.to_owned()))
            })
        })
        .needing(VCPUS),
        Field::read("VCPUs_params", params).needing(VCPUS),
        Field::read("state", state),
        Field::read("start_time", |world, uuid| {
            let started = of(world, uuid)?.facts.as_ref().and_then(|facts| facts.start_time);
            Some(World::time(started.unwrap_or(SystemTime::UNIX_EPOCH)))
        }),
        Field::read("last_updated", |world, _| Some(World::time(world.now))),
    ],
    calls: &[],
};

fn guest(world: &World, metrics: Uuid) -> Option<&Arc<DomainView>> {
    world.measured_by(metrics).filter(|view| derived(view.uuid, "guest_metrics") == metrics)
}

/// What the guest's kernel said of itself when it was built.
fn kernel(world: &World, metrics: Uuid) -> Option<Value> {
    let facts = guest(world, metrics)?.facts.as_ref();
    let notes = facts.map(|facts| facts.notes.clone()).unwrap_or_default();
    let note = |key: &str| {
        let found = notes.iter().find(|property| property.key == key).and_then(Property::text);
        found.map(ToString::to_string)
    };
    let fields = [("name", note("GUEST_OS")), ("uname", note("GUEST_VERSION"))];
    Some(map(fields.into_iter().filter_map(|(key, value)| Some((key, value?)))))
}

/// The addresses that the interfaces were given: `0/ip`.
fn addresses(world: &World, metrics: Uuid) -> Option<Value> {
    let devices = &guest(world, metrics)?.config.devices;
    let address = |device: &Device| match device {
        Device::Vif(vif) => {
            Some((format!("{}/ip", vif.id.unwrap_or_default()), vif.ip.as_ref()?.to_string()))
        }
        _ => None,
    };
    let known: Vec<(String, String)> = devices.iter().filter_map(address).collect();
    Some(map(known.iter().map(|(key, value)| (key.as_str(), value.clone()))))
}

fn nothing(world: &World, metrics: Uuid) -> Option<Value> {
    guest(world, metrics).map(|_| map([]))
}

/// What a guest says of itself: documented by xend, which never had it. What only an agent in the
/// guest knows is empty.
pub(super) static VM_GUEST_METRICS: Class = Class {
    name: "VM_guest_metrics",
    all: |world| world.snapshot.domains().map(|view| derived(view.uuid, "guest_metrics")).collect(),
    needs: &[],
    shelf: Shelf::Inventory,
    fields: &[
        Field::read("uuid", |world, uuid| guest(world, uuid).and_then(|_| text(uuid))),
        Field::read("os_version", kernel),
        Field::read("PV_drivers_version", nothing),
        Field::read("memory", nothing),
        Field::read("disks", nothing),
        Field::read("networks", addresses),
        Field::read("other", nothing),
        Field::read("last_updated", |world, _| Some(World::time(world.now))),
    ],
    calls: &[],
};

/// What a device moved since its VM was started, in bytes: in and out.
fn moved(world: &World, of: fn(&Device) -> bool, uuid: Uuid) -> Option<(u64, u64)> {
    let plugged = find(world, of, uuid)?;
    Some(facts_of(world, &plugged).and_then(|facts| facts.io).unwrap_or_default())
}

/// The same in KiB a second.
fn rate(world: &World, of: fn(&Device) -> bool, uuid: Uuid) -> Option<(f64, f64)> {
    let started = find(world, of, uuid)?.view.facts.as_ref().and_then(|facts| facts.start_time);
    Some(since(moved(world, of, uuid)?, started, world.now))
}

#[allow(clippy::cast_precision_loss, reason = "exact up to 8 PiB")]
fn kib(bytes: u64) -> f64 {
    bytes as f64 / 1024.0
}

fn since((read, written): (u64, u64), start: Option<SystemTime>, now: SystemTime) -> (f64, f64) {
    let up =
        start.and_then(|start| now.duration_since(start).ok()).map_or(0.0, |up| up.as_secs_f64());
    let rate = |bytes: u64| if up > 0.0 { kib(bytes) / up } else { 0.0 };
    (rate(read), rate(written))
}

/// The reference is the disk's own.
pub(super) static VBD_METRICS: Class = Class {
    name: "VBD_metrics",
    all: |world| devices::all(world, is_block),
    needs: &[],
    shelf: Shelf::Inventory,
    fields: &[
        Field::read("uuid", |world, uuid| find(world, is_block, uuid).and_then(|_| text(uuid))),
        Field::read("io_read_kbs", |world, uuid| {
            Some(Value::Double(rate(world, is_block, uuid)?.0))
        })
        .needing(&[Need::Devices]),
        Field::read("io_write_kbs", |world, uuid| {
            Some(Value::Double(rate(world, is_block, uuid)?.1))
        })
        .needing(&[Need::Devices]),
        Field::read("last_updated", |world, _| Some(World::time(world.now))),
    ],
    calls: &[],
};

/// The reference is the interface's own.
pub(super) static VIF_METRICS: Class = Class {
    name: "VIF_metrics",
    all: |world| devices::all(world, is_vif),
    needs: &[],
    shelf: Shelf::Inventory,
    fields: &[
        Field::read("uuid", |world, uuid| find(world, is_vif, uuid).and_then(|_| text(uuid))),
        Field::read("io_read_kbs", |world, uuid| Some(Value::Double(rate(world, is_vif, uuid)?.0)))
            .needing(&[Need::Devices]),
        Field::read("io_write_kbs", |world, uuid| {
            Some(Value::Double(rate(world, is_vif, uuid)?.1))
        })
        .needing(&[Need::Devices]),
        Field::read("io_total_read_kbs", |world, uuid| {
            Some(Value::Double(kib(moved(world, is_vif, uuid)?.0)))
        })
        .needing(&[Need::Devices]),
        Field::read("io_total_write_kbs", |world, uuid| {
            Some(Value::Double(kib(moved(world, is_vif, uuid)?.1)))
        })
        .needing(&[Need::Devices]),
        Field::read("last_updated", |world, _| Some(World::time(world.now))),
    ],
    calls: &[],
};

/// The card that these are the metrics of.
fn pif(world: &World, metrics: Uuid) -> Option<Uuid> {
    network::all_pifs(world).into_iter().find(|pif| metrics_of(*pif) == metrics)
}

fn card(world: &World, metrics: Uuid) -> Option<&Interface> {
    network::port(world, pif(world, metrics)?)
}

/// How long the host has been up; Linux counts what its cards moved from then on.
fn up_since(now: SystemTime) -> Option<SystemTime> {
    let text = std::fs::read_to_string("/proc/uptime").ok()?;
    let seconds = text.split_whitespace().next()?.parse::<f64>().ok()?;
    now.checked_sub(std::time::Duration::try_from_secs_f64(seconds).ok()?)
}

pub(super) static PIF_METRICS: Class = Class {
    name: "PIF_metrics",
    all: |world| network::all_pifs(world).into_iter().map(metrics_of).collect(),
    needs: &[Need::Interfaces],
    shelf: Shelf::Inventory,
    fields: &[
        Field::read("uuid", |world, uuid| card(world, uuid).and_then(|_| text(uuid))),
        Field::read("io_read_kbs", |world, uuid| {
            Some(Value::Double(since(card(world, uuid)?.io, up_since(world.now), world.now).0))
        }),
        Field::read("io_write_kbs", |world, uuid| {
            Some(Value::Double(since(card(world, uuid)?.io, up_since(world.now), world.now).1))
        }),
        Field::read("last_updated", |world, _| Some(World::time(world.now))),
        Field::read("pif", |world, uuid| text(pif(world, uuid)?)),
    ],
    calls: &[],
};

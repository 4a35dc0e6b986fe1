//! What a VM does at the moment.

use super::table::{Class, Field};
use super::world::{World, metrics_of, number, texts};
use crate::core::model::{RunFlags, Uuid, VcpuFacts};
use crate::core::snapshot::DomainView;
use crate::wire::xmlrpc::value::Value;
use std::sync::Arc;
use std::time::SystemTime;

fn of(world: &World, metrics: Uuid) -> Option<&Arc<DomainView>> {
    world.measured_by(metrics)
}

/// Something of each VCPU, by its number.
fn each(world: &World, metrics: Uuid, get: impl Fn(&VcpuFacts) -> Value) -> Option<Value> {
    let vcpus = world.vcpus.get(&of(world, metrics)?.uuid);
    let members = vcpus.into_iter().flatten().map(|vcpu| (vcpu.number.to_string(), get(vcpu)));
    Some(Value::Struct(members.collect()))
}

fn params(world: &World, metrics: Uuid) -> Option<Value> {
    let view = of(world, metrics)?;
    let (weight, cap) = (view.config.cpu_weight.to_string(), view.config.cpu_cap.to_string());
    let mut members = vec![("weight".to_owned(), Value::Text(weight)), ("cap".to_owned(), Value::Text(cap))];
    for vcpu in world.vcpus.get(&view.uuid).into_iter().flatten() {
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
            let share = |time: f64| up.map_or(0.0, |up| (time / up.as_secs_f64().max(1e-9)).min(1.0));
            each(world, uuid, |vcpu| Value::Double(share(vcpu.cpu_time.as_secs_f64())))
        }),
        Field::read("VCPUs_CPU", |world, uuid| {
            each(world, uuid, |vcpu| number(vcpu.cpu.map_or(-1, i64::from)))
        }),
        Field::read("VCPUs_flags", |world, uuid| {
            each(world, uuid, |vcpu| {
                let all = [("blocked", vcpu.blocked), ("online", vcpu.online), ("running", vcpu.running)];
                texts(all.into_iter().filter(|(_, on)| *on).map(|(word, _)| word.to_owned()))
            })
        }),
        Field::read("VCPUs_params", params),
        Field::read("state", state),
        Field::read("start_time", |world, uuid| {
            let started = of(world, uuid)?.facts.as_ref().and_then(|facts| facts.start_time);
            Some(World::time(started.unwrap_or(SystemTime::UNIX_EPOCH)))
        }),
        Field::read("last_updated", |world, _| Some(World::time(world.now))),
    ],
    calls: &[],
};

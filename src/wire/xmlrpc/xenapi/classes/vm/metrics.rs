//! Metrics of VMs.

use crate::core::model::{RunFlags, Uuid, VcpuFacts};
use crate::core::snapshot::DomainView;
use crate::wire::xmlrpc::value::Value;
use crate::wire::xmlrpc::xenapi::failure::Failure;
use crate::wire::xmlrpc::xenapi::fetched::Need;
use crate::wire::xmlrpc::xenapi::host_view::HostView;
use crate::wire::xmlrpc::xenapi::inputs::Inputs;
use crate::wire::xmlrpc::xenapi::objects::vms::{metrics_uuid, vm_of_metrics};
use crate::wire::xmlrpc::xenapi::schema::{Class, Field};
use crate::wire::xmlrpc::xenapi::values::{no_texts, set_flags, text, time};
use std::time::SystemTime;

const VCPUS: &[Need] = &[Need::Vcpus];

/// A value of each VCPU, by its number.
fn each_vcpu(
    host: &HostView,
    metrics: Uuid,
    get: impl Fn(&VcpuFacts) -> Value,
) -> Result<Value, Failure> {
    let vcpus = host.fetched.vcpus(vm_of_metrics(host, metrics)?.uuid)?;
    let members = vcpus.iter().map(|vcpu| (vcpu.number.to_string(), get(vcpu)));
    Ok(Value::Struct(members.collect()))
}

/// Weight, cap and affinities.
fn vcpus_params(host: &HostView, metrics: Uuid) -> Result<Value, Failure> {
    let vm = vm_of_metrics(host, metrics)?;
    let mut members = vec![
        ("weight".to_owned(), text(&vm.config.cpu_weight)),
        ("cap".to_owned(), text(&vm.config.cpu_cap)),
    ];
    for vcpu in host.fetched.vcpus(vm.uuid)? {
        let cpus: Vec<String> = vcpu.affinity.iter().map(|cpu| cpu.to_string()).collect();
        members.push((format!("cpumap{}", vcpu.number), text(&cpus.join(","))));
    }
    Ok(Value::Struct(members))
}

/// The share of time since the VM was started that each VCPU ran. xend had no other time to relate
/// it to, and answered 0.
fn vcpus_utilisation(host: &HostView, metrics: Uuid) -> Result<Value, Failure> {
    let started = start_time(vm_of_metrics(host, metrics)?);
    let up = started.and_then(|started| host.now.duration_since(started).ok());
    let share = |time: f64| up.map_or(0.0, |up| (time / up.as_secs_f64().max(1e-9)).min(1.0));
    each_vcpu(host, metrics, |vcpu| Value::Double(share(vcpu.cpu_time.as_secs_f64())))
}

/// The states that apply; empty when the VM is not on the host.
fn state(vm: &DomainView) -> Value {
    let states = |flags: RunFlags| {
        let crashed = flags.crashed();
        set_flags([
            ("running", flags.running && flags.shutdown.is_none()),
            ("blocked", flags.blocked && flags.shutdown.is_none()),
            ("paused", flags.paused),
            ("dying", flags.dying),
            ("crashed", crashed),
            ("shutdown", flags.shutdown.is_some() && !crashed),
        ])
    };
    vm.facts.as_ref().map_or_else(no_texts, |facts| states(facts.flags))
}

fn start_time(vm: &DomainView) -> Option<SystemTime> {
    vm.facts.as_ref().and_then(|facts| facts.start_time)
}

fn memory_actual(vm: &DomainView) -> Value {
    let kib = vm.facts.as_ref().map_or(0, |facts| facts.memory_kib);
    text(&(u128::from(kib) * 1024))
}

fn vcpus_number(vm: &DomainView) -> Value {
    text(&vm.facts.as_ref().map_or(vm.config.vcpus, |facts| facts.online_vcpus))
}

pub(crate) static VM_METRICS: Class = Class {
    name: "VM_metrics",
    all: |host| Ok(host.vms().map(|vm| metrics_uuid(vm.uuid)).collect()),
    check: |host, uuid| vm_of_metrics(host, uuid).map(drop),
    inputs: Some(|host, uuid| {
        Ok(Inputs::Figures(vm_of_metrics(host, uuid)?.clone(), host.version.swept))
    }),
    fields: &[
        Field::read("uuid", |_, uuid| Ok(text(&uuid))).in_fleet(),
        Field::read("memory_actual", |host, uuid| Ok(memory_actual(vm_of_metrics(host, uuid)?)))
            .in_fleet(),
        Field::read("VCPUs_number", |host, uuid| Ok(vcpus_number(vm_of_metrics(host, uuid)?)))
            .in_fleet(),
        Field::read("VCPUs_utilisation", vcpus_utilisation).needing(VCPUS),
        Field::read("VCPUs_CPU", |host, uuid| {
            each_vcpu(host, uuid, |vcpu| text(&vcpu.cpu.map_or(-1, i64::from)))
        })
        .needing(VCPUS),
        Field::read("VCPUs_flags", |host, uuid| {
            each_vcpu(host, uuid, |vcpu| {
                set_flags([
                    ("blocked", vcpu.blocked),
                    ("online", vcpu.online),
                    ("running", vcpu.running),
                ])
            })
        })
        .needing(VCPUS),
        Field::read("VCPUs_params", vcpus_params).needing(VCPUS),
        Field::read("state", |host, uuid| Ok(state(vm_of_metrics(host, uuid)?))).in_fleet(),
        Field::read("start_time", |host, uuid| {
            let started = start_time(vm_of_metrics(host, uuid)?);
            Ok(time(started.unwrap_or(SystemTime::UNIX_EPOCH)))
        })
        .in_fleet(),
        Field::read("last_updated", |host, _| Ok(time(host.now))).in_fleet(),
    ],
    ..Class::EMPTY
};

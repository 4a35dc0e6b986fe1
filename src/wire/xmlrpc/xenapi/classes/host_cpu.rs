//! CPUs of the host.

use crate::core::model::Uuid;
use crate::wire::xmlrpc::object_ids::cpu_uuid;
use crate::wire::xmlrpc::value::Value;
use crate::wire::xmlrpc::xenapi::failure::Failure;
use crate::wire::xmlrpc::xenapi::fetched::Need;
use crate::wire::xmlrpc::xenapi::host_view::HostView;
use crate::wire::xmlrpc::xenapi::objects::host::{cpu_number, cpus};
use crate::wire::xmlrpc::xenapi::objects::pools::pool_of_cpu;
use crate::wire::xmlrpc::xenapi::schema::{Action, Class, ClassCall, Field};
use crate::wire::xmlrpc::xenapi::values::{refs, text};
use std::time::Duration;

const HARDWARE: &[Need] = &[Need::Hardware];

/// The share of a CPU that the VCPUs on it use, from 0 to 1, by their average use since their VMs
/// were started.
fn utilisation(host: &HostView, cpu: u32) -> Result<f64, Failure> {
    let share = |vm: &Uuid, cpu_time: Duration| {
        let started = host.vm(*vm).and_then(|vm| vm.facts.as_ref()?.start_time);
        let up = started.and_then(|started| host.now.duration_since(started).ok());
        up.map_or(0.0, |up| cpu_time.as_secs_f64() / up.as_secs_f64().max(1e-9))
    };
    let mut sum = 0.0;
    for (vm, vcpus) in host.fetched.all_vcpus()? {
        let on_cpu = vcpus.iter().filter(|vcpu| vcpu.online && vcpu.cpu == Some(cpu));
        sum += on_cpu.map(|vcpu| share(vm, vcpu.cpu_time)).sum::<f64>();
    }
    Ok(sum.min(1.0))
}

/// The CPUs that are in no pool.
fn unassigned(host: &HostView) -> Result<Vec<Uuid>, Failure> {
    let pools = host.fetched.pools()?;
    let free = (0..host.info.topology.cpus)
        .filter(|cpu| !pools.iter().any(|pool| pool.cpus.contains(*cpu)));
    Ok(free.map(|cpu| cpu_uuid(host.host, cpu)).collect())
}

pub(super) static HOST_CPU: Class = Class {
    name: "host_cpu",
    all: |host| Ok(cpus(host)),
    check: |host, uuid| cpu_number(host, uuid).map(drop),
    fields: &[
        Field::read("uuid", |_, uuid| Ok(text(&uuid))),
        Field::read("host", |host, _| Ok(host.host_ref())),
        Field::read("number", |host, uuid| Ok(text(&cpu_number(host, uuid)?))),
        Field::read("vendor", |host, _| Ok(text(&host.fetched.hardware()?.cpu.vendor)))
            .needing(HARDWARE),
        Field::read("speed", |host, _| Ok(text(&(host.info.topology.khz / 1000)))),
        Field::read("modelname", |host, _| Ok(text(&host.fetched.hardware()?.cpu.name)))
            .needing(HARDWARE),
        Field::read("stepping", |host, _| Ok(text(&host.fetched.hardware()?.cpu.stepping)))
            .needing(HARDWARE),
        Field::read("flags", |host, _| Ok(text(&host.fetched.hardware()?.cpu.flags)))
            .needing(HARDWARE),
        Field::read("utilisation", |host, uuid| {
            Ok(Value::Double(utilisation(host, cpu_number(host, uuid)?)?))
        })
        .needing(&[Need::Vcpus]),
        Field::read("features", |host, _| Ok(text(&host.info.hw_caps))),
        Field::read("cpu_pool", |host, uuid| pool_of_cpu(host, cpu_number(host, uuid)?))
            .needing(&[Need::Pools]),
    ],
    calls: &[ClassCall::on_class("get_unassigned_cpus", &["session"], |host, _, _| {
        Ok(Action::Answer(refs(unassigned(host)?)))
    })
    .needing(&[Need::Pools])],
    ..Class::EMPTY
};

//! The host, its CPUs and metrics, and the pool that it is alone in.

use crate::core::model::Uuid;
use crate::wire::xmlrpc::object_ids::cpu_uuid;
use crate::wire::xmlrpc::xenapi::failure::Failure;
use crate::wire::xmlrpc::xenapi::host_view::HostView;
use crate::wire::xmlrpc::xenapi::index::METRICS;
use crate::wire::xmlrpc::xenapi::references::find_object;

/// Fails unless the object is the only one of its class.
pub(crate) fn check_only(class: &str, only: Uuid, uuid: Uuid) -> Result<(), Failure> {
    if uuid == only { Ok(()) } else { Err(Failure::no_object(class, &uuid)) }
}

pub(crate) fn check_host(host: &HostView, uuid: Uuid) -> Result<(), Failure> {
    check_only("host", host.host, uuid)
}

pub(crate) fn host_metrics(host: &HostView) -> Uuid {
    host.host_object(METRICS)
}

/// The pool of hosts.
pub(crate) fn host_pool(host: &HostView) -> Uuid {
    host.host_object("pool")
}

pub(crate) fn cpus(host: &HostView) -> Vec<Uuid> {
    // Those of other hosts are objects there alone.
    let count = if host.is_other() { 0 } else { host.info.topology.cpus };
    (0..count).map(|cpu| cpu_uuid(host.host, cpu)).collect()
}

/// The number of a CPU.
pub(crate) fn cpu_number(host: &HostView, uuid: Uuid) -> Result<u32, Failure> {
    let number = (0..host.info.topology.cpus).find(|cpu| cpu_uuid(host.host, *cpu) == uuid);
    number.ok_or_else(|| Failure::no_object("host_cpu", &uuid))
}

/// The CPU that a reference names.
pub(crate) fn find_cpu(host: &HostView, reference: &str) -> Result<u32, Failure> {
    cpu_number(host, find_object("host_cpu", reference, |uuid| cpu_number(host, uuid))?)
}

/// Fails if the host is disabled.
pub(crate) fn check_enabled(host: &HostView) -> Result<(), Failure> {
    if host.is_enabled {
        return Ok(());
    }
    Err(Failure::not_allowed("The host is disabled, see host.enable"))
}

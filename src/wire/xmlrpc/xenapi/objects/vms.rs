//! VMs and their metrics.

use crate::core::error::Error;
use crate::core::lifecycle::State;
use crate::core::model::{DomainRef, ShutdownReason, Uuid};
use crate::core::op::{Change, DomainOp};
use crate::core::rights::OpKind;
use crate::core::snapshot::DomainView;
use crate::wire::xmlrpc::object_ids::derived_uuid;
use crate::wire::xmlrpc::xenapi::failure::{Failure, FailureContext};
use crate::wire::xmlrpc::xenapi::host_view::HostView;
use crate::wire::xmlrpc::xenapi::index::{GUEST_METRICS, METRICS};
use std::sync::Arc;

/// A VM's state in the words of the Xen-API. One that is on its way down is halted.
pub(crate) fn power_state(vm: &DomainView) -> &'static str {
    match vm.state() {
        State::Paused => "Paused",
        State::Running | State::Building => "Running",
        State::Suspended | State::Stopped(ShutdownReason::Suspend) => "Suspended",
        State::Stopped(ShutdownReason::Crash) => "Crashed",
        State::Halted | State::Stopped(_) | State::Dying | State::Gone => "Halted",
    }
}

pub(crate) fn vm(host: &HostView, uuid: Uuid) -> Result<&Arc<DomainView>, Failure> {
    host.vm(uuid).ok_or_else(|| Failure::no_object("VM", &uuid))
}

/// The UUID of the metrics of a VM or of one of the host's cards. Those of a VM's disks and
/// interfaces have the device's own UUID.
pub(crate) fn metrics_uuid(of: Uuid) -> Uuid {
    derived_uuid(of, METRICS)
}

pub(crate) fn guest_metrics_uuid(vm: Uuid) -> Uuid {
    derived_uuid(vm, GUEST_METRICS)
}

/// The VM of these metrics.
pub(crate) fn vm_of_metrics(host: &HostView, metrics: Uuid) -> Result<&Arc<DomainView>, Failure> {
    let vm = host.vm_of_metrics(metrics, METRICS);
    vm.ok_or_else(|| Failure::no_object("VM_metrics", &metrics))
}

/// The VM of these guest metrics.
pub(crate) fn vm_of_guest_metrics(
    host: &HostView,
    metrics: Uuid,
) -> Result<&Arc<DomainView>, Failure> {
    let vm = host.vm_of_metrics(metrics, GUEST_METRICS);
    vm.ok_or_else(|| Failure::no_object("VM_guest_metrics", &metrics))
}

/// A change of a VM.
pub(crate) fn vm_change(vm: Uuid, op: DomainOp) -> Change {
    Change::Domain(DomainRef::new(vm.to_string()), op)
}

/// Fails if the caller lacks the right to a change of a VM. The engine checks every change; here it
/// is checked before the state of the VM, which then is not what is wrong with the call. `op` is
/// the change's name.
pub(crate) fn check_right(
    host: &HostView,
    vm: &DomainView,
    kind: OpKind,
    op: &'static str,
) -> Result<(), Failure> {
    let name = vm.name().as_str();
    if host.access.may_on(kind, vm.uuid, name) {
        return Ok(());
    }
    let error = Error::not_permitted(op, kind.need(), name);
    Err(Failure::from_error(error, &FailureContext::default()))
}

/// The context of an operation on a VM that should run.
pub(crate) fn vm_context(vm: &DomainView) -> FailureContext {
    FailureContext {
        object: vm.uuid.to_string(),
        power_state: power_state(vm),
        wanted_state: "Running",
        ..FailureContext::default()
    }
}

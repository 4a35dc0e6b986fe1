//! Parameters of VMs that both setters and records of new VMs have.

use crate::core::model::{ActionOnShutdown, ClientDataChange, ClientValue, Uuid};
use crate::core::op::{Change, DomainOp};
use crate::core::rights::OpKind;
use crate::wire::xmlrpc::args::Args;
use crate::wire::xmlrpc::xenapi::failure::{Failure, FailureContext};
use crate::wire::xmlrpc::xenapi::host_view::HostView;
use crate::wire::xmlrpc::xenapi::objects::vms::{check_right, power_state, vm, vm_change};
use crate::wire::xmlrpc::xenapi::schema::Action;

/// Power states in which an operation is possible; the first one is named in errors.
pub(super) type PowerStates = &'static [&'static str];

/// For operations in every power state, and those that the engine checks.
pub(super) const ANY: PowerStates = &[];

/// The binary logarithm of a MiB.
pub(super) const MIB: u32 = 20;

/// An operation on a VM that is in one of these states.
pub(super) fn execute_in(
    host: &HostView,
    uuid: Uuid,
    states: PowerStates,
    op: DomainOp,
) -> Result<Action, Failure> {
    let (change, context) = change_in(host, uuid, states, op)?;
    Ok(Action::execute(vec![change], context))
}

/// The same, as a change.
pub(super) fn change_in(
    host: &HostView,
    uuid: Uuid,
    states: PowerStates,
    op: DomainOp,
) -> Result<(Change, FailureContext), Failure> {
    let vm = vm(host, uuid)?;
    let change = vm_change(uuid, op);
    check_right(host, vm, OpKind::of(&change), change.name())?;
    let now = power_state(vm);
    let context = FailureContext {
        object: uuid.to_string(),
        power_state: now,
        wanted_state: states.first().copied().unwrap_or("Running"),
        ..FailureContext::default()
    };
    if !states.is_empty() && !states.contains(&now) {
        return Err(Failure::power_state(&context));
    }
    Ok((change, context))
}

/// A size in bytes as MiB: Xen has no smaller unit.
pub(super) fn mib(args: &Args<'_>, at: usize) -> Result<u64, Failure> {
    Ok(args.number::<u64>(at)? >> MIB)
}

/// A change of a field without effect.
pub(super) fn text_data(field: &str, value: String) -> ClientDataChange {
    ClientDataChange::Field(field.to_owned(), Some(ClientValue::Text(value)))
}

/// A `memory_static_min` in MiB, which is not above `memory_static_max`.
pub(super) fn static_min(min: u64, max: u64) -> Result<ClientDataChange, Failure> {
    let bytes = |mib: u64| u128::from(mib) << MIB;
    if min > max {
        let reason = format!("more than memory_static_max, {} bytes", bytes(max));
        return Err(Failure::value("memory_static_min", &reason));
    }
    Ok(text_data("memory_static_min", bytes(min).to_string()))
}

/// The Xen-API's name of an `actions_after_*`.
pub(super) const fn event_name(event: ActionOnShutdown) -> &'static str {
    match event {
        ActionOnShutdown::Destroy => "destroy",
        ActionOnShutdown::Restart => "restart",
        ActionOnShutdown::Preserve => "preserve",
        ActionOnShutdown::RenameRestart => "rename_restart",
        ActionOnShutdown::CoredumpDestroy => "coredump_and_destroy",
        ActionOnShutdown::CoredumpRestart => "coredump_and_restart",
    }
}

/// An `actions_after_*`. Those with a core dump are for crashes alone.
pub(super) fn parse_event(
    name: &str,
    is_crash: bool,
    vm: &str,
) -> Result<ActionOnShutdown, Failure> {
    let same = |event: &ActionOnShutdown| {
        event_name(*event) == name || event.name() == name.replace('_', "-")
    };
    let event = ActionOnShutdown::ALL.into_iter().find(same);
    let dumps = |event: &ActionOnShutdown| {
        matches!(event, ActionOnShutdown::CoredumpDestroy | ActionOnShutdown::CoredumpRestart)
    };
    let code = if is_crash { "VM_ON_CRASH_BEHAVIOUR_INVALID" } else { "VM_ON_NORMAL_EXIT_INVALID" };
    event.filter(|event| is_crash || !dumps(event)).ok_or_else(|| Failure::new(code, [vm]))
}

/// An `actions_after_suspend`, which has no effect.
pub(super) fn after_suspend(name: &str, vm: &str) -> Result<ClientDataChange, Failure> {
    let name = event_name(parse_event(name, false, vm)?);
    Ok(text_data("actions_after_suspend", name.to_owned()))
}

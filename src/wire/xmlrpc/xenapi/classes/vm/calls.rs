//! The calls of VMs.

use super::clone::clone;
use super::create::create;
use super::parameters::{ANY, PowerStates, change_in, execute_in, mib};
use super::set;
use crate::core::model::{GuestKind, ShutdownReason, Trigger, Uuid};
use crate::core::op::{Change, DomainOp};
use crate::core::ports::Destination;
use crate::core::rights::OpKind;
use crate::wire::xmlrpc::args::Args;
use crate::wire::xmlrpc::value::Value;
use crate::wire::xmlrpc::xenapi::classes::security::no_module;
use crate::wire::xmlrpc::xenapi::failure::{Failure, FailureContext};
use crate::wire::xmlrpc::xenapi::fetched::Need;
use crate::wire::xmlrpc::xenapi::host_view::HostView;
use crate::wire::xmlrpc::xenapi::objects::host::check_enabled;
use crate::wire::xmlrpc::xenapi::objects::pools::find_pool;
use crate::wire::xmlrpc::xenapi::objects::vms::vm;
use crate::wire::xmlrpc::xenapi::schema::{Action, ClassCall, MakeOnHost, OnHost};

const RUNNING: PowerStates = &["Running"];
const ON_HOST: PowerStates = &["Running", "Paused"];
const HALTED: PowerStates = &["Halted"];
const SUSPENDED: PowerStates = &["Suspended"];

/// A value of a map of options; nil if it is missing.
fn option(options: &[(String, Value)], name: &str) -> Value {
    let found = options.iter().find(|(key, _)| key == name);
    found.map_or(Value::Nil, |(_, value)| value.clone())
}

/// The options are `port`, `node`, `ssl` and `change_home_server`, as numbers or texts.
fn migrate(host: &HostView, uuid: Uuid, args: &Args<'_>) -> Result<Action, Failure> {
    let Some(Value::Struct(options)) = args.values.get(4) else {
        return Err(Failure::value("other_config", "a map is expected"));
    };
    let values = [option(options, "port"), option(options, "ssl")];
    let options = Args { names: &["port", "ssl"], values: &values };
    let port = options.optional_number(0)?;
    let ssl = options.optional_flag(1)?;
    let to = Destination::new(&args.text(2)?, port, ssl, &host.policy.relocation);
    let to = to.map_err(|invalid| Failure::value("dest", &invalid))?;
    let live = args.flag(3, false)?;
    execute_in(host, uuid, RUNNING, DomainOp::Migrate { to, live })
}

fn send_trigger(host: &HostView, uuid: Uuid, args: &Args<'_>) -> Result<Action, Failure> {
    let trigger: Result<Trigger, _> = args.text(2)?.parse();
    let trigger = trigger.map_err(|invalid| Failure::value("trigger", &invalid))?;
    let is_button = matches!(trigger, Trigger::Power | Trigger::Sleep | Trigger::S3Resume);
    let kind = vm(host, uuid)?.config.image.as_ref().map(|image| image.kind);
    if is_button && kind == Some(GuestKind::Pv) {
        return Err(Failure::new("VM_HVM_REQUIRED", [uuid.to_string().as_str()]));
    }
    let vcpu = args.optional_number(3)?.unwrap_or(0);
    execute_in(host, uuid, ON_HOST, DomainOp::Trigger(trigger, vcpu))
}

fn start(host: &HostView, uuid: Uuid, args: &Args<'_>) -> Result<Action, Failure> {
    check_enabled(host)?;
    execute_in(host, uuid, HALTED, DomainOp::Start { paused: args.flag(2, false)? })
}

fn start_on(_: &HostView, uuid: Uuid, args: &Args<'_>) -> Result<Action, Failure> {
    // Nothing is left to be forced.
    args.flag(4, false)?;
    let option = args.flag(3, false)?;
    let make: MakeOnHost = |host, uuid, on, paused| {
        check_enabled(host)?;
        let change = change_in(host, uuid, HALTED, DomainOp::Start { paused })?;
        if !on.is_own {
            return Err(Failure::not_allowed(&format!(
                "The VM {} is defined on this host, and starts on no other one: start it here, and \
                 migrate it to {}",
                vm(host, uuid)?.name(),
                on.name
            )));
        }
        Ok(change)
    };
    Ok(Action::OnHost(OnHost { vm: uuid, host: args.text(2)?, option, make }))
}

/// The option is `live`.
fn pool_migrate(_: &HostView, uuid: Uuid, args: &Args<'_>) -> Result<Action, Failure> {
    let Some(Value::Struct(options)) = args.values.get(3) else {
        return Err(Failure::value("options", "a map is expected"));
    };
    let values = [option(options, "live")];
    let option = Args { names: &["live"], values: &values }.flag(0, false)?;
    let make: MakeOnHost = |host, uuid, on, live| {
        let to = Destination::new(on.name.as_str(), None, None, &host.policy.relocation);
        let to = to.map_err(|invalid| Failure::value("host", &invalid))?;
        change_in(host, uuid, RUNNING, DomainOp::Migrate { to, live })
    };
    Ok(Action::OnHost(OnHost { vm: uuid, host: args.text(2)?, option, make }))
}

fn resume(host: &HostView, uuid: Uuid, args: &Args<'_>) -> Result<Action, Failure> {
    check_enabled(host)?;
    execute_in(host, uuid, SUSPENDED, DomainOp::Resume { paused: args.flag(2, false)? })
}

fn save(host: &HostView, uuid: Uuid, args: &Args<'_>) -> Result<Action, Failure> {
    let file = args.path(2)?;
    let checkpoint = args.flag(3, false)?;
    execute_in(host, uuid, RUNNING, DomainOp::Save { file, checkpoint, replace: true })
}

fn restore(_: &HostView, _: Uuid, args: &Args<'_>) -> Result<Action, Failure> {
    let file = args.path(1)?;
    let paused = args.flag(2, false)?;
    let changes = vec![Change::Restore { file, paused }];
    Ok(Action::execute(changes, FailureContext::default()))
}

fn migrate_to_pool(host: &HostView, uuid: Uuid, args: &Args<'_>) -> Result<Action, Failure> {
    let pool = find_pool(host, &args.text(2)?)?;
    if !pool.is_active() {
        return Err(Failure::new("POOL_BAD_STATE", ["deactivated"]));
    }
    execute_in(host, uuid, ANY, DomainOp::MoveToPool(pool.name()))
}

fn send_sysrq(host: &HostView, uuid: Uuid, args: &Args<'_>) -> Result<Action, Failure> {
    match args.text(2)?.as_bytes() {
        [key] => execute_in(host, uuid, ON_HOST, DomainOp::Sysrq(*key)),
        _ => Err(Failure::value("key", "one letter is expected")),
    }
}

/// A call without parameters of its own.
macro_rules! plain {
    ($name:literal, $states:expr, $op:expr) => {
        ClassCall::on_object($name, &["session", "vm"], |host, uuid, _| {
            execute_in(host, uuid, $states, $op)
        })
    };
}

/// A call with these parameters beside the session and the VM.
macro_rules! with {
    ($name:literal, [$($param:literal),*], $make:expr) => {
        ClassCall::on_object($name, &["session", "vm", $($param),*], $make)
    };
}

pub(super) const CALLS: &[ClassCall] = &[
    ClassCall::on_class("create", &["session", "record"], create).requiring(OpKind::DefineDomain),
    with!("clone", ["new_name"], clone).optional(1).requiring(OpKind::DefineDomain),
    with!("start", ["start_paused"], start),
    // No failure if the VM is in the wanted state already.
    plain!("pause", ON_HOST, DomainOp::Pause),
    plain!("unpause", &["Paused", "Running"], DomainOp::Unpause),
    plain!("clean_shutdown", RUNNING, DomainOp::Shutdown(ShutdownReason::Poweroff)),
    plain!("clean_reboot", RUNNING, DomainOp::Shutdown(ShutdownReason::Reboot)),
    plain!("hard_shutdown", &["Running", "Paused", "Crashed", "Suspended"], DomainOp::Destroy),
    plain!("hard_reboot", ON_HOST, DomainOp::Reset),
    plain!("suspend", RUNNING, DomainOp::Suspend),
    with!("resume", ["start_paused"], resume),
    plain!("destroy", HALTED, DomainOp::Delete),
    with!("send_sysrq", ["key"], send_sysrq),
    with!("set_VCPUs_number_live", ["nvcpu"], |host, uuid, args| {
        execute_in(host, uuid, ANY, DomainOp::SetVcpus(args.vcpus(2)?))
    }),
    with!("set_memory_dynamic_max_live", ["value"], |host, uuid, args| {
        execute_in(host, uuid, ANY, DomainOp::SetMemory(mib(args, 2)?))
    }),
    with!("set_memory_dynamic_min_live", ["value"], set::memory_dynamic_min),
    with!("add_to_VCPUs_params", ["key", "value"], set::add_vcpus_param),
    with!("add_to_VCPUs_params_live", ["key", "value"], set::add_vcpus_param),
    with!("remove_from_VCPUs_params", ["key"], set::remove_vcpus_param),
    with!("add_to_HVM_boot_params", ["key", "value"], set::add_boot_param),
    with!("remove_from_HVM_boot_params", ["key"], set::remove_boot_param),
    with!("add_to_platform", ["key", "value"], set::add_platform),
    with!("remove_from_platform", ["key"], set::remove_platform),
    with!("add_to_xenstore_data", ["key", "value"], set::add_xenstore_node),
    with!("remove_from_xenstore_data", ["key"], set::remove_xenstore_node),
    // xm calls it after each pause and unpause; the VM's state has the flag already.
    with!("set_pauseflag", ["flag"], |_, _, args| {
        args.flag(2, false)?;
        Ok(Action::Answer(Value::Nil))
    }),
    with!("send_trigger", ["trigger", "vcpu"], send_trigger),
    with!("save", ["file", "checkpoint"], save),
    ClassCall::on_class("restore", &["session", "file", "start_paused"], restore)
        .requiring(OpKind::RestoreDomain),
    with!("migrate", ["dest", "live", "other_config"], migrate),
    with!("start_on", ["host", "start_paused", "force"], start_on).of_fleet(),
    with!("pool_migrate", ["host", "options"], pool_migrate).of_fleet(),
    with!("cpu_pool_migrate", ["cpu_pool"], migrate_to_pool).needing(&[Need::Pools]),
    with!("set_security_label", ["label", "old_label"], |_, _, _| Err(no_module())),
];

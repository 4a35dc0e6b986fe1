//! Virtual machines: what is done with them.

use super::failure::{About, Failure};
use super::notes::MIB;
use super::table::{Call, Work};
use super::vm::power_state;
use super::world::{Need, World};
use super::{cpu_pool, vm_create, vm_set};
use crate::core::model::{DomainRef, GuestKind, ShutdownReason, Trigger, Uuid};
use crate::core::op::{Change, DomainOp, Op};
use crate::core::ports::Destination;
use crate::wire::xmlrpc::args::Args;
use crate::wire::xmlrpc::value::Value;

/// The states in which something can be done, the one that is named if it is none of them first.
type States = &'static [&'static str];

const RUNNING: States = &["Running"];
const ON_HOST: States = &["Running", "Paused"];
const HALTED: States = &["Halted"];
/// It does not matter, or the engine knows better.
pub(super) const ANY: States = &[];

/// Something with a VM that is in one of these states.
pub(super) fn does(
    world: &World,
    uuid: Uuid,
    states: States,
    op: DomainOp,
) -> Result<Work, Failure> {
    let now = world.vm(uuid).map_or("Unknown", |view| power_state(view));
    let about = About {
        vm: uuid.to_string(),
        power_state: now,
        wanted: states.first().copied().unwrap_or("Running"),
        ..About::default()
    };
    if !states.is_empty() && !states.contains(&now) {
        return Err(Failure::power_state(&about));
    }
    let ops: Vec<Op> = vec![Change::Domain(DomainRef::new(uuid.to_string()), op).into()];
    Ok(Work::silent(ops, about))
}

/// Bytes, of which Xen takes whole MiB.
pub(super) fn mib(args: &Args<'_>, at: usize) -> Result<u64, Failure> {
    Ok(args.number::<u64>(at)? >> MIB)
}

/// `{port, node, ssl, change_home_server}`, as numbers or texts.
fn migrate(world: &World, uuid: Uuid, args: &Args<'_>) -> Result<Work, Failure> {
    let Some(Value::Struct(options)) = args.values.get(4) else {
        return Err(Failure::value("other_config", "a map is expected"));
    };
    let option =
        |name: &str| options.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    let values: Vec<Value> = ["port", "ssl"].map(|name| option(name).unwrap_or(Value::Nil)).into();
    let options = Args { names: &["port", "ssl"], values: &values };
    if options.flag(1, false)? {
        return Err(Failure::value("ssl", "there is no encryption, use a network of your own"));
    }
    let port = options.optional_number(0)?;
    let to = Destination::new(&args.text(2)?, port, world.wire.settings().relocation_port);
    let to = to.map_err(|invalid| Failure::value("dest", &invalid.to_string()))?;
    does(world, uuid, RUNNING, DomainOp::Migrate { to, live: args.flag(3, false)? })
}

fn send_trigger(world: &World, uuid: Uuid, args: &Args<'_>) -> Result<Work, Failure> {
    let trigger: Result<Trigger, _> = args.text(2)?.parse();
    let trigger = trigger.map_err(|invalid| Failure::value("trigger", &invalid.to_string()))?;
    let buttons = matches!(trigger, Trigger::Power | Trigger::Sleep | Trigger::S3Resume);
    if buttons && vm_set::kind_of(world, uuid) == Some(GuestKind::Pv) {
        return Err(Failure::new("VM_HVM_REQUIRED", [uuid.to_string().as_str()]));
    }
    does(world, uuid, ON_HOST, DomainOp::Trigger(trigger, args.optional_number(3)?.unwrap_or(0)))
}

/// A host that is disabled starts nothing.
fn start(world: &World, uuid: Uuid, args: &Args<'_>) -> Result<Work, Failure> {
    super::host::check_enabled(world)?;
    does(world, uuid, HALTED, DomainOp::Start { paused: args.flag(2, false)? })
}

fn resume(world: &World, uuid: Uuid, args: &Args<'_>) -> Result<Work, Failure> {
    super::host::check_enabled(world)?;
    does(world, uuid, &["Suspended"], DomainOp::Resume { paused: args.flag(2, false)? })
}

fn migrate_to_pool(world: &World, uuid: Uuid, args: &Args<'_>) -> Result<Work, Failure> {
    let pool = cpu_pool::find(world, &args.text(2)?)?;
    if !pool.is_active() {
        return Err(Failure::new("POOL_BAD_STATE", ["deactivated"]));
    }
    does(world, uuid, ANY, DomainOp::MoveToPool(pool.name()))
}

/// Something that takes nothing but the VM.
macro_rules! plain {
    ($name:literal, $states:expr, $op:expr) => {
        Call::one($name, &["session", "vm"], |world, uuid, _| does(world, uuid, $states, $op))
    };
}

/// Something that takes one parameter more.
macro_rules! taking {
    ($name:literal, $param:literal, $states:expr, |$args:ident| $op:expr) => {
        Call::one($name, &["session", "vm", $param], |world, uuid, $args| {
            does(world, uuid, $states, $op)
        })
    };
}

pub(super) const CALLS: &[Call] = &[
    Call::free("create", &["session", "record"], vm_create::create),
    Call::one("clone", &["session", "vm", "new_name"], vm_create::clone).optional(1),
    Call::one("start", &["session", "vm", "start_paused"], start),
    // Nothing is wrong with a VM that is so already.
    plain!("pause", ON_HOST, DomainOp::Pause),
    plain!("unpause", &["Paused", "Running"], DomainOp::Unpause),
    plain!("clean_shutdown", RUNNING, DomainOp::Shutdown(ShutdownReason::Poweroff)),
    plain!("clean_reboot", RUNNING, DomainOp::Shutdown(ShutdownReason::Reboot)),
    plain!("hard_shutdown", &["Running", "Paused", "Crashed", "Suspended"], DomainOp::Destroy),
    plain!("hard_reboot", ON_HOST, DomainOp::Reset),
    plain!("suspend", RUNNING, DomainOp::Suspend),
    Call::one("resume", &["session", "vm", "start_paused"], resume),
    plain!("destroy", HALTED, DomainOp::Delete),
    taking!("send_sysrq", "key", ON_HOST, |args| match args.text(2)?.as_bytes() {
        [key] => DomainOp::Sysrq(*key),
        _ => return Err(Failure::value("key", "one letter is expected")),
    }),
    taking!("set_VCPUs_number_live", "nvcpu", ANY, |args| DomainOp::SetVcpus(args.vcpus(2)?)),
    taking!("set_memory_dynamic_max_live", "value", ANY, |args| DomainOp::SetMemory(mib(args, 2)?)),
    Call::one(
        "set_memory_dynamic_min_live",
        &["session", "vm", "value"],
        vm_set::memory_dynamic_min,
    ),
    Call::one("add_to_VCPUs_params", &["session", "vm", "key", "value"], vm_set::add_vcpus_param),
    Call::one(
        "add_to_VCPUs_params_live",
        &["session", "vm", "key", "value"],
        vm_set::add_vcpus_param,
    ),
    Call::one("remove_from_VCPUs_params", &["session", "vm", "key"], vm_set::remove_vcpus_param),
    Call::one("add_to_HVM_boot_params", &["session", "vm", "key", "value"], vm_set::add_boot_param),
    Call::one("remove_from_HVM_boot_params", &["session", "vm", "key"], vm_set::remove_boot_param),
    Call::one("add_to_platform", &["session", "vm", "key", "value"], vm_set::add_platform),
    Call::one("remove_from_platform", &["session", "vm", "key"], vm_set::remove_platform),
    // xm calls it behind each pause and unpause: the VM's state says the same.
    Call::one("set_pauseflag", &["session", "vm", "flag"], |_, _, args| {
        args.flag(2, false)?;
        Ok(Work::Said(Value::Nil))
    }),
    Call::one("send_trigger", &["session", "vm", "trigger", "vcpu"], send_trigger),
    Call::one("save", &["session", "vm", "file", "checkpoint"], |world, uuid, args| {
        let (file, checkpoint) = (args.path(2)?, args.flag(3, false)?);
        does(world, uuid, RUNNING, DomainOp::Save { file, checkpoint })
    }),
    Call::free("restore", &["session", "file", "start_paused"], |_, _, args| {
        let ops =
            vec![Change::Restore { file: args.path(1)?, paused: args.flag(2, false)? }.into()];
        Ok(Work::silent(ops, About::default()))
    }),
    Call::one("migrate", &["session", "vm", "dest", "live", "other_config"], migrate),
    Call::one("cpu_pool_migrate", &["session", "vm", "cpu_pool"], migrate_to_pool)
        .needing(&[Need::Pools]),
    // There is no security module to know a label.
    Call::one("set_security_label", &["session", "vm", "label", "old_label"], |_, _, _| {
        Err(super::policy::no_module())
    }),
];

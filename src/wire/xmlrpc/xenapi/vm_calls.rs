//! Virtual machines: what is done with them.

use super::failure::{About, Failure};
use super::table::{Call, Work};
use super::vm::power_state;
use super::world::World;
use crate::core::model::{DomName, DomainRef, Scheduler, ShutdownReason, Trigger, Uuid};
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
const ANY: States = &[];

/// Something with a VM that is in one of these states.
fn does(world: &World, uuid: Uuid, states: States, op: DomainOp) -> Result<Work, Failure> {
    let now = world.vm(uuid).map_or("Unknown", |view| power_state(view));
    let about = About {
        vm: uuid.to_string(),
        power_state: now,
        wanted: states.first().copied().unwrap_or("Running"),
    };
    if !states.is_empty() && !states.contains(&now) {
        return Err(Failure::power_state(&about));
    }
    let ops: Vec<Op> = vec![Change::Domain(DomainRef::new(uuid.to_string()), op).into()];
    Ok(Work::Ask { ops, about, tell: |_| Value::Nil })
}

pub(super) fn rename(world: &World, uuid: Uuid, args: &Args<'_>) -> Result<Work, Failure> {
    let name =
        DomName::new(&args.text(2)?).map_err(|invalid| Failure::value("name_label", &invalid.to_string()))?;
    does(world, uuid, ANY, DomainOp::Rename(name))
}

/// Bytes, of which Xen takes whole MiB.
fn mib(args: &Args<'_>, at: usize) -> Result<u64, Failure> {
    Ok(args.number::<u64>(at)? >> 20)
}

/// `{port, node, ssl, change_home_server}`, as numbers or texts.
fn migrate(world: &World, uuid: Uuid, args: &Args<'_>) -> Result<Work, Failure> {
    let Some(Value::Struct(options)) = args.values.get(4) else {
        return Err(Failure::value("other_config", "a map is expected"));
    };
    let option = |name: &str| options.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    let values: Vec<Value> = ["port", "ssl"].map(|name| option(name).unwrap_or(Value::Nil)).into();
    let options = Args { names: &["port", "ssl"], values: &values };
    if options.flag(1, false)? {
        return Err(Failure::value("ssl", "there is no encryption, use a network of your own"));
    }
    let port = options.optional_number::<u16>(0)?.filter(|port| *port != 0);
    let port = port.unwrap_or(world.wire.settings().relocation_port);
    let to = Destination::new(&args.text(2)?, port);
    let to = to.map_err(|invalid| Failure::value("destination", &invalid.to_string()))?;
    does(world, uuid, RUNNING, DomainOp::Migrate { to, live: args.flag(3, false)? })
}

/// `weight`, `cap` and `cpumapN`, which take effect at once.
fn add_vcpus_param(world: &World, uuid: Uuid, args: &Args<'_>) -> Result<Work, Failure> {
    let (key, scheduler) = (args.text(2)?, world.info.scheduler);
    let share = |weight, cap| DomainOp::SetShare { scheduler, weight, cap };
    let credit = matches!(scheduler, Scheduler::Credit | Scheduler::Credit2);
    let op = match (key.as_str(), key.strip_prefix("cpumap")) {
        ("weight", _) if credit => share(Some(args.number(3)?), None),
        ("cap", _) if credit => share(None, Some(args.number(3)?)),
        (_, Some(vcpu)) => {
            let vcpu =
                vcpu.parse().map_err(|_| Failure::value("key", "cpumap and a VCPU's number is expected"))?;
            let cpus = args.cpus(3, world.info.topology.cpus)?;
            DomainOp::Pin { vcpu: Some(vcpu), cpus }
        }
        _ => return Err(Failure::value("key", "weight, cap or cpumapN is expected")),
    };
    does(world, uuid, ANY, op)
}

/// Something that takes nothing but the VM.
macro_rules! plain {
    ($name:literal, $states:expr, $op:expr) => {
        Call {
            name: $name,
            takes: &["session", "vm"],
            one: true,
            make: |world, uuid, _| does(world, uuid, $states, $op),
        }
    };
}

/// Something that takes one parameter more.
macro_rules! taking {
    ($name:literal, $param:literal, $states:expr, |$args:ident| $op:expr) => {
        Call {
            name: $name,
            takes: &["session", "vm", $param],
            one: true,
            make: |world, uuid, $args| does(world, uuid, $states, $op),
        }
    };
}

pub(super) const CALLS: &[Call] = &[
    taking!("start", "start_paused", HALTED, |args| DomainOp::Start { paused: args.flag(2, false)? }),
    plain!("pause", RUNNING, DomainOp::Pause),
    plain!("unpause", &["Paused"], DomainOp::Unpause),
    plain!("clean_shutdown", RUNNING, DomainOp::Shutdown(ShutdownReason::Poweroff)),
    plain!("clean_reboot", RUNNING, DomainOp::Shutdown(ShutdownReason::Reboot)),
    plain!("hard_shutdown", &["Running", "Paused", "Crashed", "Suspended"], DomainOp::Destroy),
    plain!("hard_reboot", ON_HOST, DomainOp::Reset),
    plain!("suspend", RUNNING, DomainOp::Suspend),
    taking!("resume", "start_paused", &["Suspended"], |args| DomainOp::Resume {
        paused: args.flag(2, false)?
    }),
    plain!("destroy", HALTED, DomainOp::Delete),
    taking!("send_sysrq", "key", ON_HOST, |args| match args.text(2)?.as_bytes() {
        [key] => DomainOp::Sysrq(*key),
        _ => return Err(Failure::value("key", "one letter is expected")),
    }),
    taking!("set_VCPUs_number_live", "nvcpu", ANY, |args| DomainOp::SetVcpus(args.number(2)?)),
    taking!("set_memory_dynamic_max_live", "value", ANY, |args| DomainOp::SetMemory(mib(args, 2)?)),
    // xm sets both to the same, and the balloon has one target.
    taking!("set_memory_dynamic_min_live", "value", ANY, |args| DomainOp::SetMemory(mib(args, 2)?)),
    taking!("set_memory_static_max", "value", ANY, |args| DomainOp::SetMaxMemory(mib(args, 2)?)),
    // xm calls it behind each pause and unpause: the VM's state says the same.
    Call {
        name: "set_pauseflag",
        takes: &["session", "vm", "flag"],
        one: true,
        make: |_, _, _| Ok(Work::Said(Value::Nil)),
    },
    Call {
        name: "send_trigger",
        takes: &["session", "vm", "trigger", "vcpu"],
        one: true,
        make: |world, uuid, args| {
            let trigger: Result<Trigger, _> = args.text(2)?.parse();
            let trigger = trigger.map_err(|invalid| Failure::value("trigger", &invalid.to_string()))?;
            does(world, uuid, ON_HOST, DomainOp::Trigger(trigger, args.optional_number(3)?.unwrap_or(0)))
        },
    },
    Call {
        name: "save",
        takes: &["session", "vm", "file", "checkpoint"],
        one: true,
        make: |world, uuid, args| {
            let (file, checkpoint) = (args.path(2)?, args.flag(3, false)?);
            does(world, uuid, RUNNING, DomainOp::Save { file, checkpoint })
        },
    },
    Call {
        name: "restore",
        takes: &["session", "file", "start_paused"],
        one: false,
        make: |_, _, args| {
            let ops = vec![Change::Restore { file: args.path(1)?, paused: args.flag(2, false)? }.into()];
            Ok(Work::Ask { ops, about: About::default(), tell: |_| Value::Nil })
        },
    },
    Call {
        name: "migrate",
        takes: &["session", "vm", "dest", "live", "other_config"],
        one: true,
        make: migrate,
    },
    Call {
        name: "add_to_VCPUs_params_live",
        takes: &["session", "vm", "key", "value"],
        one: true,
        make: add_vcpus_param,
    },
];

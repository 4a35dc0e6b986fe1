//! Virtual machines: what is set.

use super::failure::{About, Failure};
use super::notes::{self, MIB};
use super::table::Work;
use super::vm::{power_state, view, words};
use super::vm_calls::{ANY, does, mib};
use super::world::World;
use crate::core::model::{
    CpuSet, DomName, DomainRef, GuestKind, Note, NoteChange, OnEvent, OnXendStart, Scheduler,
    Setting, Text, Uuid,
};
use crate::core::op::{Change, DomainOp, Op};
use crate::wire::xmlrpc::args::Args;

/// What a setter makes.
type Made = Result<Work, Failure>;

/// Sets something of the configuration.
fn set(world: &World, uuid: Uuid, setting: Setting) -> Made {
    if setting.is_for_halted() {
        return does(world, uuid, &["Halted"], DomainOp::Set(setting));
    }
    does(world, uuid, ANY, DomainOp::Set(setting))
}

/// Several things, one after the other.
#[allow(clippy::unnecessary_wraps, reason = "what a setter ends with")]
fn all(world: &World, uuid: Uuid, ops: Vec<DomainOp>) -> Made {
    let about = About {
        vm: uuid.to_string(),
        power_state: view(world, uuid).map_or("Unknown", |view| power_state(view)),
        wanted: "Running",
        ..About::default()
    };
    let op = |op| Op::from(Change::Domain(DomainRef::new(uuid.to_string()), op));
    Ok(Work::silent(ops.into_iter().map(op).collect(), about))
}

fn entry(field: &str, key: String, value: Option<String>) -> DomainOp {
    DomainOp::Set(Setting::Note(NoteChange::Entry { field: field.to_owned(), key, value }))
}

pub(super) fn name(world: &World, uuid: Uuid, args: &Args<'_>) -> Made {
    let name = DomName::new(&args.text(2)?)
        .map_err(|invalid| Failure::value("name_label", &invalid.to_string()))?;
    does(world, uuid, ANY, DomainOp::Rename(name))
}

/// What becomes of a text.
macro_rules! text {
    ($name:ident, $setting:expr) => {
        pub(super) fn $name(world: &World, uuid: Uuid, args: &Args<'_>) -> Made {
            let text = Text::from(args.text(2)?);
            set(world, uuid, $setting(text))
        }
    };
}

text!(description, Setting::Description);
text!(pool_name, Setting::Pool);
text!(pv_bootloader, Setting::Bootloader);
text!(pv_bootloader_args, Setting::BootloaderArgs);
text!(pv_kernel, Setting::Kernel);
text!(pv_args, Setting::Args);
text!(pv_ramdisk, |path: Text| Setting::Ramdisk(Some(path).filter(|path| !path.is_empty())));

pub(super) fn auto_power_on(world: &World, uuid: Uuid, args: &Args<'_>) -> Made {
    let on = if args.flag(2, false)? { OnXendStart::Start } else { OnXendStart::Ignore };
    set(world, uuid, Setting::OnXendStart(on))
}

pub(super) fn memory_static_max(world: &World, uuid: Uuid, args: &Args<'_>) -> Made {
    does(world, uuid, ANY, DomainOp::SetMaxMemory(mib(args, 2)?))
}

/// It has no effect, and is noted.
pub(super) fn memory_static_min(world: &World, uuid: Uuid, args: &Args<'_>) -> Made {
    let least = mib(args, 2)?;
    let most = view(world, uuid).map_or(0, |view| view.config.maxmem);
    set(world, uuid, Setting::Note(static_min(least, most)?))
}

/// The note of a `memory_static_min` in MiB that is not above `memory_static_max`.
pub(super) fn static_min(least: u64, most: u64) -> Result<NoteChange, Failure> {
    let bytes = |mib: u64| u128::from(mib) << MIB;
    if least > most {
        let reason = format!("more than memory_static_max, {} bytes", bytes(most));
        return Err(Failure::value("memory_static_min", &reason));
    }
    Ok(NoteChange::Field(
        "memory_static_min".to_owned(),
        Some(Note::Text(bytes(least).to_string())),
    ))
}

pub(super) fn memory_dynamic_max(world: &World, uuid: Uuid, args: &Args<'_>) -> Made {
    does(world, uuid, ANY, DomainOp::SetMemory(mib(args, 2)?))
}

/// The balloon has one target. What it is not to go below lifts it, and is noted.
pub(super) fn memory_dynamic_min(world: &World, uuid: Uuid, args: &Args<'_>) -> Made {
    let least = mib(args, 2)?;
    let bytes = (u128::from(least) << MIB).to_string();
    let note = NoteChange::Field("memory_dynamic_min".to_owned(), Some(Note::Text(bytes)));
    let lift = view(world, uuid).is_some_and(|view| view.config.memory < least);
    let lift = lift.then_some(DomainOp::SetMemory(least));
    all(world, uuid, lift.into_iter().chain([DomainOp::Set(Setting::Note(note))]).collect())
}

pub(super) fn vcpus_max(world: &World, uuid: Uuid, args: &Args<'_>) -> Made {
    set(world, uuid, Setting::Vcpus(args.vcpus(2)?))
}

pub(super) fn vcpus_at_startup(world: &World, uuid: Uuid, args: &Args<'_>) -> Made {
    set(world, uuid, Setting::OnlineVcpus(args.vcpus(2)?))
}

/// A word for what happens to a VM; `crash` has more of them than the others.
pub(super) fn event(text: &str, crash: bool, vm: &str) -> Result<OnEvent, Failure> {
    let word = OnEvent::ALL
        .into_iter()
        .find(|on| words(*on) == text || on.name() == text.replace('_', "-"));
    let code = if crash { "VM_ON_CRASH_BEHAVIOUR_INVALID" } else { "VM_ON_NORMAL_EXIT_INVALID" };
    let coredump = |on: &OnEvent| matches!(on, OnEvent::CoredumpDestroy | OnEvent::CoredumpRestart);
    word.filter(|on| crash || !coredump(on)).ok_or_else(|| Failure::new(code, [vm]))
}

pub(super) fn after_shutdown(world: &World, uuid: Uuid, args: &Args<'_>) -> Made {
    set(world, uuid, Setting::OnPoweroff(event(&args.text(2)?, false, &uuid.to_string())?))
}

/// It has no effect, and is noted.
pub(super) fn after_suspend(world: &World, uuid: Uuid, args: &Args<'_>) -> Made {
    set(world, uuid, Setting::Note(on_suspend(&args.text(2)?, &uuid.to_string())?))
}

/// The note of what happens after a suspend.
pub(super) fn on_suspend(word: &str, vm: &str) -> Result<NoteChange, Failure> {
    let word = words(event(word, false, vm)?).to_owned();
    Ok(NoteChange::Field("actions_after_suspend".to_owned(), Some(Note::Text(word))))
}

pub(super) fn after_reboot(world: &World, uuid: Uuid, args: &Args<'_>) -> Made {
    set(world, uuid, Setting::OnReboot(event(&args.text(2)?, false, &uuid.to_string())?))
}

pub(super) fn after_crash(world: &World, uuid: Uuid, args: &Args<'_>) -> Made {
    set(world, uuid, Setting::OnCrash(event(&args.text(2)?, true, &uuid.to_string())?))
}

/// An empty policy is a paravirtual guest's, any other an HVM guest's.
pub(super) fn hvm_boot_policy(world: &World, uuid: Uuid, args: &Args<'_>) -> Made {
    set(world, uuid, Setting::Hvm(!args.text(2)?.is_empty()))
}

fn boot_param(key: String, value: Option<String>) -> DomainOp {
    if key == "order" {
        return DomainOp::Set(Setting::Platform("boot".into(), value.map(Text::from)));
    }
    entry("HVM_boot_params", key, value)
}

pub(super) fn hvm_boot_params(world: &World, uuid: Uuid, args: &Args<'_>) -> Made {
    let mut map = args.map(2)?;
    let order = boot_param("order".to_owned(), map.remove("order"));
    let order = Some(order).filter(|_| !args.leaves(2, "order"));
    if let Some(Note::Map(old)) =
        view(world, uuid).and_then(|view| view.config.notes.get("HVM_boot_params"))
    {
        notes::keep(&mut map, old.clone(), args, 2);
    }
    let rest = NoteChange::Field("HVM_boot_params".to_owned(), Some(Note::Map(map)));
    only_hvm(world, uuid)?;
    all(world, uuid, order.into_iter().chain([DomainOp::Set(Setting::Note(rest))]).collect())
}

pub(super) fn add_boot_param(world: &World, uuid: Uuid, args: &Args<'_>) -> Made {
    only_hvm(world, uuid)?;
    let key = args.text(2)?;
    let ops = added(args)?.map(|value| boot_param(key, Some(value)));
    all(world, uuid, ops.into_iter().collect())
}

pub(super) fn remove_boot_param(world: &World, uuid: Uuid, args: &Args<'_>) -> Made {
    only_hvm(world, uuid)?;
    all(world, uuid, vec![boot_param(args.text(2)?, None)])
}

/// What is to be added to a map; `None` if the value is nil, which leaves it as it is.
fn added(args: &Args<'_>) -> Result<Option<String>, Failure> {
    Ok(args.optional_text(3)?)
}

/// What only a guest with firmware has.
pub(super) fn only_hvm(world: &World, uuid: Uuid) -> Result<(), Failure> {
    let hvm = view(world, uuid).is_some_and(|view| view.config.is_hvm());
    if hvm { Ok(()) } else { Err(Failure::new("VM_HVM_REQUIRED", [uuid.to_string().as_str()])) }
}

fn platform_key(key: String, value: Option<String>) -> DomainOp {
    DomainOp::Set(Setting::Platform(key.into(), value.map(Text::from)))
}

pub(super) fn platform(world: &World, uuid: Uuid, args: &Args<'_>) -> Made {
    let map = args.map(2)?;
    let image = view(world, uuid).and_then(|view| view.config.image.clone());
    let gone = image.iter().flat_map(|image| &image.rest).filter(|setting| {
        let key = setting.key.to_string();
        let stays = setting.is_secret() || map.contains_key(&key) || args.leaves(2, &key);
        setting.text().is_some() && !stays
    });
    let gone: Vec<DomainOp> =
        gone.map(|setting| platform_key(setting.key.to_string(), None)).collect();
    let new = map.into_iter().map(|(key, value)| platform_key(key, Some(value)));
    all(world, uuid, gone.into_iter().chain(new).collect())
}

pub(super) fn add_platform(world: &World, uuid: Uuid, args: &Args<'_>) -> Made {
    let key = args.text(2)?;
    let ops = added(args)?.map(|value| platform_key(key, Some(value)));
    all(world, uuid, ops.into_iter().collect())
}

pub(super) fn remove_platform(world: &World, uuid: Uuid, args: &Args<'_>) -> Made {
    all(world, uuid, vec![platform_key(args.text(2)?, None)])
}

/// What one of the parameters does: weight, cap and affinities count at once, others are kept.
fn vcpus_param(
    world: &World,
    uuid: Uuid,
    key: &str,
    value: Option<String>,
) -> Result<DomainOp, Failure> {
    let scheduler = world.info.scheduler;
    let values =
        [value.clone().map_or(crate::wire::xmlrpc::Value::Nil, crate::wire::xmlrpc::Value::Text)];
    let names = ["value"];
    let args = Args { names: &names, values: &values };
    let credit = matches!(scheduler, Scheduler::Credit | Scheduler::Credit2);
    let unpinned = || Ok(CpuSet::default());
    Ok(match (key, key.strip_prefix("cpumap")) {
        ("weight" | "cap", _) if !credit => {
            return Err(Failure::value(
                "key",
                &format!("The scheduler of this host is {scheduler}"),
            ));
        }
        ("weight", _) => DomainOp::SetShare {
            scheduler,
            weight: Some(args.optional_number(0)?.unwrap_or(256)),
            cap: None,
        },
        ("cap", _) => DomainOp::SetShare {
            scheduler,
            weight: None,
            cap: Some(args.optional_number(0)?.unwrap_or(0)),
        },
        (_, Some(vcpu)) if !vcpu.is_empty() => {
            let vcpu = vcpu
                .parse()
                .map_err(|_| Failure::value("key", "cpumap and a VCPU's number is expected"))?;
            if let Some(most) =
                view(world, uuid).map(|view| view.config.vcpus).filter(|count| vcpu >= *count)
            {
                let most = most.saturating_sub(1);
                return Err(Failure::value(
                    "key",
                    &format!("VCPU {vcpu} is out of range, 0 to {most}"),
                ));
            }
            let there = world.info.topology.cpus;
            let cpus = if value.is_some() {
                args.cpus(0, there).map_err(Failure::from)
            } else {
                unpinned()
            };
            DomainOp::Pin { vcpu: Some(vcpu), cpus: cpus? }
        }
        _ => entry("VCPUs_params", key.to_owned(), value),
    })
}

pub(super) fn vcpus_params(world: &World, uuid: Uuid, args: &Args<'_>) -> Made {
    let params = args.map(2)?;
    let op = |(key, value): (&String, &String)| {
        vcpus_param(world, uuid, key, Some(value.clone()))
            .map_err(|failure| failure.sent(key, value))
    };
    all(world, uuid, params.iter().map(op).collect::<Result<_, _>>()?)
}

pub(super) fn add_vcpus_param(world: &World, uuid: Uuid, args: &Args<'_>) -> Made {
    let key = args.text(2)?;
    let ops = added(args)?.map(|value| vcpus_param(world, uuid, &key, Some(value)));
    all(world, uuid, ops.into_iter().collect::<Result<_, _>>()?)
}

pub(super) fn remove_vcpus_param(world: &World, uuid: Uuid, args: &Args<'_>) -> Made {
    all(world, uuid, vec![vcpus_param(world, uuid, &args.text(2)?, None)?])
}

/// What kind of guest it is; none if nothing is said of what it boots.
pub(super) fn kind_of(world: &World, uuid: Uuid) -> Option<GuestKind> {
    view(world, uuid)?.config.image.as_ref().map(|image| image.kind)
}

//! The setters of VMs.

use super::parameters::{
    self, ANY, MIB, PowerStates, execute_in, mib, parse_event, static_min, text_data,
};
use crate::core::model::{
    ClientDataChange, ClientValue, CpuSet, DomName, DomainConfig, OnXendStart, Scheduler, Setting,
    Text, Uuid, XenstoreData, XenstoreDataChange,
};
use crate::core::op::DomainOp;
use crate::wire::xmlrpc::args::Args;
use crate::wire::xmlrpc::value::Value;
use crate::wire::xmlrpc::xenapi::client_data;
use crate::wire::xmlrpc::xenapi::failure::Failure;
use crate::wire::xmlrpc::xenapi::host_view::HostView;
use crate::wire::xmlrpc::xenapi::objects::vms::{vm, vm_change, vm_context};
use crate::wire::xmlrpc::xenapi::schema::Action;

const HALTED: PowerStates = &["Halted"];

/// The weight of a domain that has none of its own.
const DEFAULT_WEIGHT: u16 = 256;

fn config(host: &HostView, uuid: Uuid) -> Result<&DomainConfig, Failure> {
    Ok(&vm(host, uuid)?.config)
}

/// Changes a setting of the configuration.
fn set(host: &HostView, uuid: Uuid, setting: Setting) -> Result<Action, Failure> {
    let states = if setting.is_for_halted() { HALTED } else { ANY };
    execute_in(host, uuid, states, DomainOp::Set(setting))
}

/// Several operations, one after the other.
fn execute_all(
    host: &HostView,
    uuid: Uuid,
    ops: impl IntoIterator<Item = DomainOp>,
) -> Result<Action, Failure> {
    let context = vm_context(vm(host, uuid)?);
    Ok(Action::execute(ops.into_iter().map(|op| vm_change(uuid, op)).collect(), context))
}

fn set_entry(field: &str, key: String, value: Option<String>) -> DomainOp {
    DomainOp::Set(Setting::ClientData(ClientDataChange::Entry {
        field: field.to_owned(),
        key,
        value,
    }))
}

pub(super) fn name(host: &HostView, uuid: Uuid, args: &Args<'_>) -> Result<Action, Failure> {
    let name =
        DomName::new(&args.text(2)?).map_err(|invalid| Failure::value("name_label", &invalid))?;
    execute_in(host, uuid, ANY, DomainOp::Rename(name))
}

/// A setter of a text.
macro_rules! text_setter {
    ($name:ident, $setting:expr) => {
        pub(super) fn $name(
            host: &HostView,
            uuid: Uuid,
            args: &Args<'_>,
        ) -> Result<Action, Failure> {
            let text = Text::from(args.text(2)?);
            set(host, uuid, $setting(text))
        }
    };
}

text_setter!(description, Setting::Description);
text_setter!(pool_name, Setting::Pool);
text_setter!(pv_bootloader, Setting::Bootloader);
text_setter!(pv_bootloader_args, Setting::BootloaderArgs);
text_setter!(pv_kernel, Setting::Kernel);
text_setter!(pv_args, Setting::Args);
text_setter!(pv_ramdisk, |path: Text| Setting::Ramdisk(Some(path).filter(|path| !path.is_empty())));

pub(super) fn auto_power_on(
    host: &HostView,
    uuid: Uuid,
    args: &Args<'_>,
) -> Result<Action, Failure> {
    let on = if args.flag(2, false)? { OnXendStart::Start } else { OnXendStart::Ignore };
    set(host, uuid, Setting::OnXendStart(on))
}

pub(super) fn memory_static_max(
    host: &HostView,
    uuid: Uuid,
    args: &Args<'_>,
) -> Result<Action, Failure> {
    execute_in(host, uuid, ANY, DomainOp::SetMaxMemory(mib(args, 2)?))
}

/// Has no effect.
pub(super) fn memory_static_min(
    host: &HostView,
    uuid: Uuid,
    args: &Args<'_>,
) -> Result<Action, Failure> {
    let min = mib(args, 2)?;
    set(host, uuid, Setting::ClientData(static_min(min, config(host, uuid)?.maxmem)?))
}

pub(super) fn memory_dynamic_max(
    host: &HostView,
    uuid: Uuid,
    args: &Args<'_>,
) -> Result<Action, Failure> {
    execute_in(host, uuid, ANY, DomainOp::SetMemory(mib(args, 2)?))
}

/// The balloon has one target: a higher minimum lifts it, and is stored.
pub(super) fn memory_dynamic_min(
    host: &HostView,
    uuid: Uuid,
    args: &Args<'_>,
) -> Result<Action, Failure> {
    let min = mib(args, 2)?;
    let lift = (config(host, uuid)?.memory < min).then_some(DomainOp::SetMemory(min));
    let bytes = (u128::from(min) << MIB).to_string();
    let store = DomainOp::Set(Setting::ClientData(text_data("memory_dynamic_min", bytes)));
    execute_all(host, uuid, lift.into_iter().chain([store]))
}

pub(super) fn vcpus_max(host: &HostView, uuid: Uuid, args: &Args<'_>) -> Result<Action, Failure> {
    set(host, uuid, Setting::Vcpus(args.vcpus(2)?))
}

pub(super) fn vcpus_at_startup(
    host: &HostView,
    uuid: Uuid,
    args: &Args<'_>,
) -> Result<Action, Failure> {
    set(host, uuid, Setting::OnlineVcpus(args.vcpus(2)?))
}

pub(super) fn after_shutdown(
    host: &HostView,
    uuid: Uuid,
    args: &Args<'_>,
) -> Result<Action, Failure> {
    let event = parse_event(&args.text(2)?, false, &uuid.to_string())?;
    set(host, uuid, Setting::OnPoweroff(event))
}

pub(super) fn after_reboot(
    host: &HostView,
    uuid: Uuid,
    args: &Args<'_>,
) -> Result<Action, Failure> {
    let event = parse_event(&args.text(2)?, false, &uuid.to_string())?;
    set(host, uuid, Setting::OnReboot(event))
}

pub(super) fn after_crash(host: &HostView, uuid: Uuid, args: &Args<'_>) -> Result<Action, Failure> {
    let event = parse_event(&args.text(2)?, true, &uuid.to_string())?;
    set(host, uuid, Setting::OnCrash(event))
}

/// Has no effect.
pub(super) fn after_suspend(
    host: &HostView,
    uuid: Uuid,
    args: &Args<'_>,
) -> Result<Action, Failure> {
    let change = parameters::after_suspend(&args.text(2)?, &uuid.to_string())?;
    set(host, uuid, Setting::ClientData(change))
}

/// An empty policy makes it a paravirtual guest, any other an HVM guest.
pub(super) fn hvm_boot_policy(
    host: &HostView,
    uuid: Uuid,
    args: &Args<'_>,
) -> Result<Action, Failure> {
    set(host, uuid, Setting::Hvm(!args.text(2)?.is_empty()))
}

fn check_hvm(host: &HostView, uuid: Uuid) -> Result<(), Failure> {
    if config(host, uuid)?.is_hvm() {
        return Ok(());
    }
    Err(Failure::new("VM_HVM_REQUIRED", [uuid.to_string().as_str()]))
}

fn set_boot_param(key: String, value: Option<String>) -> DomainOp {
    if key == "order" {
        return DomainOp::Set(Setting::Platform("boot".into(), value.map(Text::from)));
    }
    set_entry("HVM_boot_params", key, value)
}

pub(super) fn hvm_boot_params(
    host: &HostView,
    uuid: Uuid,
    args: &Args<'_>,
) -> Result<Action, Failure> {
    let mut map = args.map(2)?;
    let order = set_boot_param("order".to_owned(), map.remove("order"));
    let order = Some(order).filter(|_| !args.has_nil_member(2, "order"));
    if let Some(ClientValue::Map(old)) = config(host, uuid)?.client_data.get("HVM_boot_params") {
        client_data::keep_entries(&mut map, old.clone(), args, 2);
    }
    let others = ClientDataChange::Field("HVM_boot_params".to_owned(), Some(ClientValue::Map(map)));
    check_hvm(host, uuid)?;
    execute_all(host, uuid, order.into_iter().chain([DomainOp::Set(Setting::ClientData(others))]))
}

pub(super) fn add_boot_param(
    host: &HostView,
    uuid: Uuid,
    args: &Args<'_>,
) -> Result<Action, Failure> {
    check_hvm(host, uuid)?;
    let key = args.text(2)?;
    // A nil value changes nothing.
    let op = args.optional_text(3)?.map(|value| set_boot_param(key, Some(value)));
    execute_all(host, uuid, op)
}

pub(super) fn remove_boot_param(
    host: &HostView,
    uuid: Uuid,
    args: &Args<'_>,
) -> Result<Action, Failure> {
    check_hvm(host, uuid)?;
    execute_all(host, uuid, [set_boot_param(args.text(2)?, None)])
}

fn set_platform_key(key: String, value: Option<String>) -> DomainOp {
    DomainOp::Set(Setting::Platform(key.into(), value.map(Text::from)))
}

/// Sets all keys of the platform. Passwords, and keys that are nil, keep their values.
pub(super) fn platform(host: &HostView, uuid: Uuid, args: &Args<'_>) -> Result<Action, Failure> {
    let map = args.map(2)?;
    let image = config(host, uuid)?.image.as_ref();
    let removed = image.into_iter().flat_map(|image| &image.rest).filter(|setting| {
        let key = setting.key.to_string();
        let stays = setting.is_secret() || map.contains_key(&key) || args.has_nil_member(2, &key);
        setting.text().is_some() && !stays
    });
    let mut ops: Vec<DomainOp> =
        removed.map(|setting| set_platform_key(setting.key.to_string(), None)).collect();
    ops.extend(map.into_iter().map(|(key, value)| set_platform_key(key, Some(value))));
    execute_all(host, uuid, ops)
}

pub(super) fn add_platform(
    host: &HostView,
    uuid: Uuid,
    args: &Args<'_>,
) -> Result<Action, Failure> {
    let key = args.text(2)?;
    // A nil value changes nothing.
    let op = args.optional_text(3)?.map(|value| set_platform_key(key, Some(value)));
    execute_all(host, uuid, op)
}

pub(super) fn remove_platform(
    host: &HostView,
    uuid: Uuid,
    args: &Args<'_>,
) -> Result<Action, Failure> {
    execute_all(host, uuid, [set_platform_key(args.text(2)?, None)])
}

/// One of the `VCPUs_params`: weight, cap and affinities count at once, others have no effect.
/// Without a value it gets its default.
fn set_vcpus_param(
    host: &HostView,
    uuid: Uuid,
    key: &str,
    value: Option<String>,
) -> Result<DomainOp, Failure> {
    let scheduler = host.info.scheduler;
    let has_shares = matches!(scheduler, Scheduler::Credit | Scheduler::Credit2);
    let values = [value.clone().map_or(Value::Nil, Value::Text)];
    let args = Args { names: &["value"], values: &values };
    match (key, key.strip_prefix("cpumap")) {
        ("weight" | "cap", _) if !has_shares => {
            let reason = format!("The scheduler of this host is {scheduler}");
            Err(Failure::value("key", &reason))
        }
        ("weight", _) => {
            let weight = Some(args.optional_number(0)?.unwrap_or(DEFAULT_WEIGHT));
            Ok(DomainOp::SetShare { scheduler, weight, cap: None })
        }
        ("cap", _) => {
            let cap = Some(args.optional_number(0)?.unwrap_or(0));
            Ok(DomainOp::SetShare { scheduler, weight: None, cap })
        }
        (_, Some(vcpu)) if !vcpu.is_empty() => {
            let vcpu: u32 = vcpu
                .parse()
                .map_err(|_| Failure::value("key", "cpumap and a VCPU's number is expected"))?;
            let count = config(host, uuid)?.vcpus;
            if vcpu >= count {
                let last = count.saturating_sub(1);
                let reason = format!("VCPU {vcpu} is out of range, 0 to {last}");
                return Err(Failure::value("key", &reason));
            }
            let cpus = match value {
                Some(_) => args.cpus(0, host.nameable_cpus())?,
                None => CpuSet::default(),
            };
            Ok(DomainOp::Pin { vcpu: Some(vcpu), cpus })
        }
        _ => Ok(set_entry("VCPUs_params", key.to_owned(), value)),
    }
}

pub(super) fn vcpus_params(
    host: &HostView,
    uuid: Uuid,
    args: &Args<'_>,
) -> Result<Action, Failure> {
    let mut ops = Vec::new();
    for (key, value) in args.map(2)? {
        let op = set_vcpus_param(host, uuid, &key, Some(value.clone()));
        ops.push(op.map_err(|failure| failure.sent(&key, &value))?);
    }
    execute_all(host, uuid, ops)
}

pub(super) fn add_vcpus_param(
    host: &HostView,
    uuid: Uuid,
    args: &Args<'_>,
) -> Result<Action, Failure> {
    let key = args.text(2)?;
    // A nil value changes nothing.
    let value = args.optional_text(3)?;
    let op = value.map(|value| set_vcpus_param(host, uuid, &key, Some(value))).transpose()?;
    execute_all(host, uuid, op)
}

pub(super) fn remove_vcpus_param(
    host: &HostView,
    uuid: Uuid,
    args: &Args<'_>,
) -> Result<Action, Failure> {
    execute_all(host, uuid, [set_vcpus_param(host, uuid, &args.text(2)?, None)?])
}

fn set_xenstore_node(path: String, value: Option<String>) -> DomainOp {
    let change = XenstoreDataChange::Node(path, value.map(Text::from));
    DomainOp::Set(Setting::XenstoreData(change))
}

/// Sets all nodes that are written before the guest starts. Nodes that are nil keep their values,
/// and so do those with passwords, even if the map is empty: clients cannot read them, and would
/// lose them when they write back what they read.
pub(super) fn xenstore_data(
    host: &HostView,
    uuid: Uuid,
    args: &Args<'_>,
) -> Result<Action, Failure> {
    let mut data = XenstoreData::default();
    for (path, value) in config(host, uuid)?.xenstore_data.iter() {
        if args.has_nil_member(2, path.as_str()) {
            set_node(&mut data, path.as_str(), value.clone())?;
        }
    }
    for (path, value) in args.map(2)? {
        set_node(&mut data, &path, value.into())?;
    }
    set(host, uuid, Setting::XenstoreData(XenstoreDataChange::All(data)))
}

fn set_node(data: &mut XenstoreData, path: &str, value: Text) -> Result<(), Failure> {
    data.set(path, Some(value)).map_err(|invalid| Failure::unfit(&invalid))
}

pub(super) fn add_xenstore_node(
    host: &HostView,
    uuid: Uuid,
    args: &Args<'_>,
) -> Result<Action, Failure> {
    let path = args.text(2)?;
    // A nil value changes nothing.
    let op = args.optional_text(3)?.map(|value| set_xenstore_node(path, Some(value)));
    execute_all(host, uuid, op)
}

pub(super) fn remove_xenstore_node(
    host: &HostView,
    uuid: Uuid,
    args: &Args<'_>,
) -> Result<Action, Failure> {
    execute_all(host, uuid, [set_xenstore_node(args.text(2)?, None)])
}

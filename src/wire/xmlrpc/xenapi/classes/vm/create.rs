//! `VM.create`: a definition from a record.

use super::fields::FIELDS;
use super::parameters::{MIB, after_suspend, parse_event, static_min, text_data};
use crate::core::error::{Error, Place};
use crate::core::model::{
    ActionOnShutdown, ClientDataChange, DomName, DomainConfig, OnXendStart, Property, Setting,
    Text, Uuid, parse_uuid,
};
use crate::core::op::Change;
use crate::wire::xmlrpc::args::Args;
use crate::wire::xmlrpc::value::Value;
use crate::wire::xmlrpc::xenapi::client_data;
use crate::wire::xmlrpc::xenapi::failure::{Failure, FailureContext};
use crate::wire::xmlrpc::xenapi::host_view::HostView;
use crate::wire::xmlrpc::xenapi::new_record::NewRecord;
use crate::wire::xmlrpc::xenapi::schema::Action;
use std::collections::BTreeMap;

/// Members of a record that are no fields of a VM, and that xm sends.
const EXTRA_MEMBERS: [&str; 2] = ["superpages", "s3_integrity"];

pub(super) fn create(host: &HostView, _: Uuid, args: &Args<'_>) -> Result<Action, Failure> {
    let record = NewRecord::from_args("VM", args)?;
    let name = new_name(host, &record)?;
    let uuid = new_uuid(host, &record)?;
    let reference = uuid.map(|uuid| uuid.to_string()).unwrap_or_default();
    let (memory, maxmem) = memory(&record)?;
    let mut config = DomainConfig::new(name.clone(), memory);
    config.maxmem = maxmem;
    config.uuid = uuid;
    config.client_data = client_data::from_record(&record, FIELDS)?;
    let params = record.map("VCPUs_params")?;
    let mut settings = memory_minima(&record, maxmem)?;
    settings.extend(general_settings(&record, &reference)?);
    settings.extend(image_settings(&record)?);
    settings.extend(vcpu_settings(&record, &params)?);
    for setting in settings {
        setting.apply(&mut config).map_err(|invalid| Failure::unfit(&invalid))?;
    }
    for (path, value) in record.map("xenstore_data")? {
        let set = config.xenstore_data.set(&path, Some(value.into()));
        set.map_err(|invalid| Failure::unfit(&invalid))?;
    }
    for key in EXTRA_MEMBERS {
        if let Some(value) = record.optional_text(key)? {
            config.rest.push(Property::new(key, value));
        }
    }
    set_scheduling(&mut config, &params, host.nameable_cpus())?;
    config.check().map_err(|invalid| Failure::unfit(&invalid))?;
    let context = FailureContext { object: reference, ..FailureContext::default() };
    Ok(Action::Define { changes: vec![Change::Define(Box::new(config))], context, name })
}

fn new_name(host: &HostView, record: &NewRecord<'_>) -> Result<DomName, Failure> {
    let name = DomName::new(&record.required_text("name_label")?)
        .map_err(|invalid| Failure::value("name_label", &invalid))?;
    if host.vm_by_name(&name).is_some() {
        return Err(Failure::new("UNIQUE_NAME_ERROR", [name.as_str(), "VM"]));
    }
    Ok(name)
}

/// The UUID in the record, or a new one; `None` if the engine chooses it. Another domain's would
/// redefine that domain.
fn new_uuid(host: &HostView, record: &NewRecord<'_>) -> Result<Option<Uuid>, Failure> {
    let uuid = match record.text("uuid")?.as_str() {
        "" => return Ok(host.uuid_of_new_vm()),
        given => parse_uuid(given).map_err(|invalid| Failure::value("uuid", &invalid))?,
    };
    let Some(vm) = host.vm(uuid) else { return Ok(Some(uuid)) };
    let taken =
        Error::UuidTaken { uuid, owner: vm.name().to_string(), at: Place::Here(vm.domid()) };
    Err(Failure::from_error(taken, &FailureContext::default()))
}

/// The target and the maximum in MiB; the record has bytes.
fn memory(record: &NewRecord<'_>) -> Result<(u64, u64), Failure> {
    let too_little = |name| Failure::value(name, "1 MiB, 1048576 bytes, at least is expected");
    let mib = |name| match record.number::<u64>(name)? {
        None | Some(0) => Ok(None),
        Some(bytes) if bytes >> MIB == 0 => Err(too_little(name)),
        Some(bytes) => Ok(Some(bytes >> MIB)),
    };
    let max = mib("memory_static_max")?;
    let target = mib("memory_dynamic_max")?;
    let Some(memory) = target.or(max) else {
        for name in ["memory_dynamic_max", "memory_static_max"] {
            if record.number::<u64>(name)?.is_some() {
                return Err(too_little(name));
            }
        }
        return Err(Failure::new("CREATE_UNSPECIFIED_ATTRIBUTE", ["memory_dynamic_max", "VM"]));
    };
    Ok((memory, max.unwrap_or(memory)))
}

/// The minima, which have no effect.
fn memory_minima(record: &NewRecord<'_>, maxmem: u64) -> Result<Vec<Setting>, Failure> {
    let mut settings = Vec::new();
    if let Some(min) = record.number::<u64>("memory_static_min")? {
        settings.push(Setting::ClientData(static_min(min >> MIB, maxmem)?));
    }
    if let Some(min) = record.number::<u64>("memory_dynamic_min")? {
        // In whole MiB, like all other sizes.
        let bytes = (min >> MIB << MIB).to_string();
        settings.push(Setting::ClientData(text_data("memory_dynamic_min", bytes)));
    }
    Ok(settings)
}

/// An `actions_after_*`.
fn event(
    record: &NewRecord<'_>,
    field: &'static str,
    default: ActionOnShutdown,
    vm: &str,
) -> Result<ActionOnShutdown, Failure> {
    match record.text(field)?.as_str() {
        "" => Ok(default),
        name => parse_event(name, field == "actions_after_crash", vm),
    }
}

fn general_settings(record: &NewRecord<'_>, vm: &str) -> Result<Vec<Setting>, Failure> {
    let mut settings = vec![
        Setting::Description(record.text("name_description")?.trim().into()),
        Setting::OnPoweroff(event(
            record,
            "actions_after_shutdown",
            ActionOnShutdown::Destroy,
            vm,
        )?),
        Setting::OnReboot(event(record, "actions_after_reboot", ActionOnShutdown::Restart, vm)?),
        Setting::OnCrash(event(record, "actions_after_crash", ActionOnShutdown::Restart, vm)?),
    ];
    let on_suspend = record.text("actions_after_suspend")?;
    if !on_suspend.is_empty() {
        settings.push(Setting::ClientData(after_suspend(&on_suspend, vm)?));
    }
    if record.flag("auto_power_on")? {
        settings.push(Setting::OnXendStart(OnXendStart::Start));
    }
    let pool = record.text("pool_name")?;
    if !pool.is_empty() {
        settings.push(Setting::Pool(pool.into()));
    }
    Ok(settings)
}

fn image_settings(record: &NewRecord<'_>) -> Result<Vec<Setting>, Failure> {
    let ramdisk = record.text("PV_ramdisk")?;
    let mut settings = vec![
        Setting::Hvm(!record.text("HVM_boot_policy")?.is_empty()),
        Setting::Bootloader(record.text("PV_bootloader")?.into()),
        Setting::BootloaderArgs(record.text("PV_bootloader_args")?.into()),
        Setting::Kernel(record.text("PV_kernel")?.into()),
        Setting::Ramdisk(Some(ramdisk).filter(|path| !path.is_empty()).map(Text::from)),
        Setting::Args(record.text("PV_args")?.into()),
    ];
    let platform = |key: String, value: String| Setting::Platform(key.into(), Some(value.into()));
    for (key, value) in record.map("platform")? {
        settings.push(platform(key, value));
    }
    for (key, value) in record.map("HVM_boot_params")? {
        settings.push(match key.as_str() {
            "order" => platform("boot".to_owned(), value),
            _ => entry("HVM_boot_params", key, value),
        });
    }
    Ok(settings)
}

fn vcpu_settings(
    record: &NewRecord<'_>,
    params: &BTreeMap<String, String>,
) -> Result<Vec<Setting>, Failure> {
    let online = record.vcpus("VCPUs_at_startup")?;
    let count = record.vcpus("VCPUs_max")?.or(online).unwrap_or(1);
    let mut settings = vec![Setting::Vcpus(count)];
    settings.extend(online.map(Setting::OnlineVcpus));
    let others = params.iter().filter(|(key, _)| !is_scheduling(key));
    settings.extend(others.map(|(key, value)| entry("VCPUs_params", key.clone(), value.clone())));
    Ok(settings)
}

/// An entry of a map without effect.
fn entry(field: &str, key: String, value: String) -> Setting {
    let value = Some(value);
    Setting::ClientData(ClientDataChange::Entry { field: field.to_owned(), key, value })
}

/// Whether one of the `VCPUs_params` has a place of its own in the configuration.
fn is_scheduling(key: &str) -> bool {
    matches!(key, "weight" | "cap") || key.starts_with("cpumap")
}

fn set_scheduling(
    config: &mut DomainConfig,
    params: &BTreeMap<String, String>,
    host_cpus: u32,
) -> Result<(), Failure> {
    for (key, value) in params.iter().filter(|(key, _)| is_scheduling(key)) {
        set_scheduling_param(config, key, value, host_cpus)
            .map_err(|failure| failure.sent(key, value))?;
    }
    Ok(())
}

fn set_scheduling_param(
    config: &mut DomainConfig,
    key: &str,
    value: &str,
    host_cpus: u32,
) -> Result<(), Failure> {
    let args = Args { names: &["VCPUs_params"], values: &[Value::text(value)] };
    let vcpu = key.strip_prefix("cpumap").and_then(|vcpu| vcpu.parse::<usize>().ok());
    match (key, vcpu) {
        ("weight", _) => config.cpu_weight = args.number::<u16>(0)?.max(1),
        ("cap", _) => config.cpu_cap = args.number(0)?,
        (_, Some(vcpu)) => {
            let missing = || Failure::value("VCPUs_params", &format!("There is no VCPU {vcpu}"));
            let affinity = config.cpus.get_mut(vcpu).ok_or_else(missing)?;
            *affinity = args.cpus(0, host_cpus)?;
        }
        _ => return Err(Failure::value("VCPUs_params", "cpumap and a VCPU's number is expected")),
    }
    Ok(())
}

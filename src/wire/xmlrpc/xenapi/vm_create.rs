//! Virtual machines: how one comes to be.

use super::disks::of_block;
use super::failure::{About, Failure};
use super::notes::{self, MIB, of_record};
use super::record::Record;
use super::table::Work;
use super::vm::{VM, view};
use super::vm_set::{self as set, event, static_min};
use super::world::World;
use crate::core::error::Error;
use crate::core::model::{
    Device, DomName, DomainConfig, Note, NoteChange, OnEvent, OnXendStart, Property, Setting, Text,
    Uuid, Vdi, parse_uuid,
};
use crate::core::op::{Change, Op};
use crate::wire::xmlrpc::args::Args;
use std::collections::BTreeMap;

/// Members of a record that are no fields of a VM, and that xm sends.
const SAID_ELSEWHERE: [&str; 2] = ["superpages", "s3_integrity"];

/// `VM.create(record)`: a definition.
pub(super) fn create(world: &World, _: Uuid, args: &Args<'_>) -> Result<Work, Failure> {
    let record = Record::of("VM", args)?;
    let name = DomName::new(&record.needed("name_label")?)
        .map_err(|invalid| Failure::value("name_label", &invalid.to_string()))?;
    if world.snapshot.by_name(&name).is_some() {
        return Err(Failure::new("UNIQUE_NAME_ERROR", [name.as_str(), "VM"]));
    }
    let uuid = match record.text("uuid")?.as_str() {
        "" => Uuid::new_v4(),
        given => {
            parse_uuid(given).map_err(|invalid| Failure::value("uuid", &invalid.to_string()))?
        }
    };
    // Another domain's UUID would redefine that domain.
    if let Some(view) = world.snapshot.by_uuid(&uuid) {
        let taken = Error::UuidTaken { uuid, owner: view.name().to_string(), domid: view.domid() };
        return Err(Failure::of(taken, &About::default()));
    }
    let (memory, maxmem) = memory(&record)?;
    let mut config = DomainConfig::new(name, memory);
    config.maxmem = maxmem;
    config.uuid = Some(uuid);
    config.notes = of_record(&record, VM.fields)?;
    if let Some(least) = record.number::<u64>("memory_static_min")? {
        let note = static_min(least >> MIB, maxmem)?;
        note.apply(&mut config.notes).map_err(|invalid| Failure::unfit(&invalid.to_string()))?;
    }
    if let Some(least) = record.number("memory_dynamic_min")? {
        let least = notes::memory(least).to_string();
        let note = NoteChange::Field("memory_dynamic_min".into(), Some(Note::Text(least)));
        note.apply(&mut config.notes).map_err(|invalid| Failure::unfit(&invalid.to_string()))?;
    }
    let vm = uuid.to_string();
    let mut settings = vec![
        Setting::Description(record.text("name_description")?.trim().into()),
        Setting::Hvm(!record.text("HVM_boot_policy")?.is_empty()),
        Setting::Bootloader(record.text("PV_bootloader")?.into()),
        Setting::BootloaderArgs(record.text("PV_bootloader_args")?.into()),
        Setting::Kernel(record.text("PV_kernel")?.into()),
        Setting::Ramdisk(
            record.optional_text("PV_ramdisk")?.filter(|path| !path.is_empty()).map(Text::from),
        ),
        Setting::Args(record.text("PV_args")?.into()),
        Setting::OnPoweroff(after(&record, "actions_after_shutdown", OnEvent::Destroy, &vm)?),
        Setting::OnReboot(after(&record, "actions_after_reboot", OnEvent::Restart, &vm)?),
        Setting::OnCrash(after(&record, "actions_after_crash", OnEvent::Restart, &vm)?),
    ];
    let on_suspend = record.optional_text("actions_after_suspend")?.filter(|word| !word.is_empty());
    settings
        .extend(on_suspend.map(|word| set::on_suspend(&word, &vm)).transpose()?.map(Setting::Note));
    if record.flag("auto_power_on")? {
        settings.push(Setting::OnXendStart(OnXendStart::Start));
    }
    if let Some(pool) = record.optional_text("pool_name")?.filter(|pool| !pool.is_empty()) {
        settings.push(Setting::Pool(pool.into()));
    }
    let vcpus = record.vcpus("VCPUs_max")?.or(record.vcpus("VCPUs_at_startup")?).unwrap_or(1);
    settings.push(Setting::Vcpus(vcpus));
    if let Some(online) = record.vcpus("VCPUs_at_startup")? {
        settings.push(Setting::OnlineVcpus(online));
    }
    let platform = record.map("platform")?.into_iter();
    settings.extend(platform.map(|(key, value)| Setting::Platform(key.into(), Some(value.into()))));
    let entry = |field: &str, (key, value): (String, String)| {
        Setting::Note(NoteChange::Entry { field: field.to_owned(), key, value: Some(value) })
    };
    for (key, value) in record.map("HVM_boot_params")? {
        settings.push(match key.as_str() {
            "order" => Setting::Platform("boot".into(), Some(value.into())),
            _ => entry("HVM_boot_params", (key, value)),
        });
    }
    let params = record.map("VCPUs_params")?;
    let others = params
        .iter()
        .filter(|(key, _)| !is_ours(key))
        .map(|(key, value)| (key.clone(), value.clone()));
    settings.extend(others.map(|param| entry("VCPUs_params", param)));
    for setting in settings {
        setting.apply(&mut config).map_err(|invalid| Failure::unfit(&invalid.to_string()))?;
    }
    for key in SAID_ELSEWHERE {
        if let Some(value) = record.optional_text(key)? {
            config.rest.push(Property::new(key, value));
        }
    }
    schedule(&mut config, &params, world.info.topology.cpus)?;
    let about = About { vm: vm.clone(), ..About::default() };
    Ok(Work::makes(vec![Change::Define(Box::new(config)).into()], about, uuid))
}

/// MiB that the guest is to have, and at most: given in bytes.
fn memory(record: &Record<'_>) -> Result<(u64, u64), Failure> {
    let too_little = |name| Failure::value(name, "1 MiB, 1048576 bytes, at least is expected");
    let mib = |name| match record.number::<u64>(name)? {
        None | Some(0) => Ok(None),
        Some(bytes) if bytes >> MIB == 0 => Err(too_little(name)),
        Some(bytes) => Ok(Some(bytes >> MIB)),
    };
    let most = mib("memory_static_max")?;
    let target = mib("memory_dynamic_max")?;
    let Some(memory) = target.or(most) else {
        for name in ["memory_dynamic_max", "memory_static_max"] {
            if record.number::<u64>(name)?.is_some() {
                return Err(too_little(name));
            }
        }
        return Err(Failure::new("CREATE_UNSPECIFIED_ATTRIBUTE", ["memory_dynamic_max", "VM"]));
    };
    Ok((memory, most.unwrap_or(memory)))
}

fn after(
    record: &Record<'_>,
    field: &'static str,
    otherwise: OnEvent,
    vm: &str,
) -> Result<OnEvent, Failure> {
    match record.text(field)?.as_str() {
        "" => Ok(otherwise),
        word => event(word, field == "actions_after_crash", vm),
    }
}

/// Whether a parameter of VCPUs has a place of its own in the configuration.
fn is_ours(key: &str) -> bool {
    matches!(key, "weight" | "cap") || key.starts_with("cpumap")
}

fn schedule(
    config: &mut DomainConfig,
    params: &BTreeMap<String, String>,
    cpus: u32,
) -> Result<(), Failure> {
    for (key, value) in params.iter().filter(|(key, _)| is_ours(key)) {
        schedule_by(config, key, value, cpus).map_err(|failure| failure.sent(key, value))?;
    }
    config.check().map_err(|invalid| Failure::unfit(&invalid.to_string()))
}

/// The same of one parameter.
fn schedule_by(
    config: &mut DomainConfig,
    key: &str,
    value: &str,
    cpus: u32,
) -> Result<(), Failure> {
    let args =
        Args { names: &["VCPUs_params"], values: &[crate::wire::xmlrpc::Value::text(value)] };
    match (key, key.strip_prefix("cpumap").and_then(|vcpu| vcpu.parse::<usize>().ok())) {
        ("weight", _) => config.cpu_weight = args.number::<u16>(0)?.max(1),
        ("cap", _) => config.cpu_cap = args.number(0)?,
        (_, Some(vcpu)) => {
            let slot = config.cpus.get_mut(vcpu);
            let missing = || Failure::value("VCPUs_params", &format!("There is no VCPU {vcpu}"));
            *slot.ok_or_else(missing)? = args.cpus(0, cpus)?;
        }
        _ => return Err(Failure::value("VCPUs_params", "cpumap and a VCPU's number is expected")),
    }
    Ok(())
}

/// `VM.clone(vm, new_name)`: another definition of the same, with images of its own.
pub(super) fn clone(world: &World, uuid: Uuid, args: &Args<'_>) -> Result<Work, Failure> {
    let gone = || Failure::new("HANDLE_INVALID", ["VM", &uuid.to_string()]);
    let original = view(world, uuid).ok_or_else(gone)?;
    if original.facts.is_some() {
        let power_state = super::vm::power_state(original);
        return Err(Failure::power_state(&About {
            vm: uuid.to_string(),
            power_state,
            wanted: "Halted",
            ..About::default()
        }));
    }
    let name = match args.optional_text(2)? {
        Some(name) => name,
        None => free_name(world, original.name().as_str()),
    };
    let name =
        DomName::new(&name).map_err(|invalid| Failure::value("new_name", &invalid.to_string()))?;
    let new = Uuid::new_v4();
    let mut config = DomainConfig::clone(&original.config);
    (config.name, config.uuid) = (name, Some(new));
    let mut ops: Vec<Op> = Vec::new();
    for device in &mut config.devices {
        *device.uuid_mut() = None;
        match device {
            Device::Vif(vif) => vif.mac = None,
            Device::Block(block) => {
                let image = of_block(world, block).and_then(|uuid| world.inventory.vdi(&uuid));
                let shared = block.mode == crate::core::model::BlockMode::ReadOnly;
                let Some((item, vdi)) = image.filter(|(_, vdi)| vdi.own && !vdi.read_only) else {
                    if shared || image.is_some_and(|(_, vdi)| vdi.read_only || vdi.sharable) {
                        continue;
                    }
                    let why = format!(
                        "Disk {} is no image of the local storage and cannot be copied",
                        block.dev
                    );
                    return Err(Failure::new("OPERATION_NOT_ALLOWED", [why.as_str()]));
                };
                let copy = Uuid::new_v4();
                let image = Vdi { location: Text::default(), ..vdi.clone() };
                let notes = item.notes.clone();
                ops.push(
                    Change::CreateVdi {
                        uuid: copy,
                        vdi: Box::new(image),
                        notes,
                        copy: Some(item.uuid),
                    }
                    .into(),
                );
                block.vdi = Some(copy);
                let path = String::from_utf8_lossy(&vdi.location)
                    .replace(&item.uuid.to_string(), &copy.to_string());
                block.uname = path.into();
            }
            _ => {}
        }
    }
    ops.push(Change::Define(Box::new(config)).into());
    Ok(Work::makes(ops, About { vm: new.to_string(), ..About::default() }, new))
}

fn free_name(world: &World, of: &str) -> String {
    let name = |n: u32| if n == 0 { format!("{of}-clone") } else { format!("{of}-clone-{n}") };
    let taken =
        |name: &str| DomName::new(name).is_ok_and(|name| world.snapshot.by_name(&name).is_some());
    (0..1000).map(name).find(|name| !taken(name)).unwrap_or_else(|| name(0))
}

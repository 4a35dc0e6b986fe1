//! What of the machine's is handed through to VMs: PCI functions and SCSI devices.

use super::devices::{
    all, attach, detach, find, for_vm, is_dpci, is_dscsi, is_dscsi_hba, runtime, vm_of,
};
use super::failure::Failure;
use super::notes::Shelf;
use super::record::Record;
use super::table::{Call, Class, Field, Work};
use super::world::{Need, World, number, refs, text};
use crate::core::model::{
    Device, Generic, Hctl, PciDevice, PciFacts, PciFunction, Property, ScsiFacts, Uuid,
};
use crate::wire::xmlrpc::args::Args;
use crate::wire::xmlrpc::value::Value;

const PLUGGED: &[Need] = &[Need::Hardware];

fn ppci_of(world: &World, facts: &PciFacts) -> Uuid {
    world.own(&format!("PPCI {}", facts.address))
}

fn ppci(world: &World, uuid: Uuid) -> Option<&PciFacts> {
    world.seen.hardware.pci.iter().find(|facts| ppci_of(world, facts) == uuid)
}

pub(super) fn all_ppcis(world: &World) -> Vec<Uuid> {
    world.seen.hardware.pci.iter().map(|facts| ppci_of(world, facts)).collect()
}

/// `0x8086`
fn hex(number: u32) -> Option<Value> {
    text(format!("{number:#06x}"))
}

pub(super) static PPCI: Class = Class {
    name: "PPCI",
    all: all_ppcis,
    needs: PLUGGED,
    shelf: Shelf::Inventory,
    fields: &[
        Field::read("uuid", |world, uuid| ppci(world, uuid).and_then(|_| text(uuid))),
        Field::read("host", |world, _| Some(world.host_ref())),
        Field::read("domain", |world, uuid| Some(number(ppci(world, uuid)?.address.domain))),
        Field::read("bus", |world, uuid| Some(number(ppci(world, uuid)?.address.bus))),
        Field::read("slot", |world, uuid| Some(number(ppci(world, uuid)?.address.slot))),
        Field::read("func", |world, uuid| Some(number(ppci(world, uuid)?.address.func))),
        Field::read("name", |world, uuid| text(ppci(world, uuid)?.address)),
        Field::read("vendor_id", |world, uuid| hex(ppci(world, uuid)?.vendor.into())),
        // The names of makers and devices are in a data base of their own, which lspci has.
        Field::read("vendor_name", |world, uuid| ppci(world, uuid).and_then(|_| text(""))),
        Field::read("device_id", |world, uuid| hex(ppci(world, uuid)?.device.into())),
        Field::read("device_name", |world, uuid| ppci(world, uuid).and_then(|_| text(""))),
        Field::read("revision_id", |world, uuid| {
            text(format!("{:#04x}", ppci(world, uuid)?.revision))
        }),
        Field::read("class_code", |world, uuid| hex(ppci(world, uuid)?.class >> 8)),
        Field::read("class_name", |world, uuid| text(kind_of_card(ppci(world, uuid)?.class))),
        Field::read("subsystem_vendor_id", |world, uuid| {
            hex(ppci(world, uuid)?.subsystem_vendor.into())
        }),
        Field::read("subsystem_vendor_name", |world, uuid| {
            ppci(world, uuid).and_then(|_| text(""))
        }),
        Field::read("subsystem_id", |world, uuid| hex(ppci(world, uuid)?.subsystem.into())),
        Field::read("subsystem_name", |world, uuid| ppci(world, uuid).and_then(|_| text(""))),
        Field::read("driver", |world, uuid| text(&ppci(world, uuid)?.driver)),
    ],
    calls: &[],
};

/// What PCI's base classes are called.
const fn kind_of_card(class: u32) -> &'static str {
    match class >> 16 {
        0x01 => "Mass storage controller",
        0x02 => "Network controller",
        0x03 => "Display controller",
        0x04 => "Multimedia controller",
        0x05 => "Memory controller",
        0x06 => "Bridge",
        0x07 => "Communication controller",
        0x08 => "Generic system peripheral",
        0x09 => "Input device controller",
        0x0c => "Serial bus controller",
        0x0d => "Wireless controller",
        _ => "Unclassified device",
    }
}

/// The first function of a device that is handed through.
fn function(world: &World, uuid: Uuid) -> Option<&PciFunction> {
    match find(world, is_dpci, uuid)?.device {
        Device::Pci(pci) => pci.functions.first(),
        _ => None,
    }
}

fn word(function: &PciFunction, key: &str) -> Option<String> {
    let found = function.rest.iter().find(|property| property.key == key);
    found.and_then(Property::text).map(ToString::to_string)
}

/// A number that was given in hexadecimal or not.
fn slot(text: &str) -> Option<u32> {
    text.strip_prefix("0x")
        .map_or_else(|| text.parse().ok(), |hex| u32::from_str_radix(hex, 16).ok())
}

fn virtual_slot(world: &World, uuid: Uuid) -> Option<i64> {
    let given = word(function(world, uuid)?, "vslot").and_then(|text| slot(&text));
    Some(given.map_or(-1, i64::from))
}

fn create_dpci(world: &World, _: Uuid, args: &Args<'_>) -> Result<Work, Failure> {
    let record = Record::of("DPCI", args)?;
    let view = for_vm(world, &record)?;
    let physical = record.object(world, "PPCI", &PPCI)?;
    let address = ppci(world, physical).map(|facts| facts.address);
    let address =
        address.ok_or_else(|| Failure::new("HANDLE_INVALID", ["PPCI", &physical.to_string()]))?;
    let same = |device: &Device| matches!(device, Device::Pci(pci) if pci.functions.iter().any(|function| function.address == address));
    let user = world
        .snapshot
        .domains()
        .find(|view| view.configs().any(|config| config.devices.iter().any(same)));
    if let Some(user) = user {
        let why = format!("{address} is handed through to {} already", user.name());
        return Err(Failure::new("DIRECT_PCI_ERROR", [why.as_str()]));
    }
    let mut rest = Vec::new();
    if let Some(slot) = record.number::<u32>("hotplug_slot")?.filter(|slot| (1..32).contains(slot))
    {
        rest.push(Property::new("vslot", format!("{slot:#04x}")));
    }
    if let Some(key) = record.optional_text("key")?.filter(|key| !key.is_empty()) {
        rest.push(Property::new("key", key));
    }
    let options = record.map("options")?;
    if !options.is_empty() {
        let options: Vec<String> =
            options.iter().map(|(key, value)| format!("{key}={value}")).collect();
        rest.push(Property::new("opts", options.join(",")));
    }
    let functions = vec![PciFunction { address, rest }];
    let uuid = Some(Uuid::new_v4());
    Ok(attach(view, Device::Pci(PciDevice { functions, uuid, ..PciDevice::default() })))
}

pub(super) static DPCI: Class = Class {
    name: "DPCI",
    all: |world| all(world, is_dpci),
    needs: &[],
    shelf: Shelf::Device,
    fields: &[
        Field::read("uuid", |world, uuid| find(world, is_dpci, uuid).and_then(|_| text(uuid))),
        Field::read("virtual_domain", |world, uuid| function(world, uuid).and_then(|_| text("0"))),
        Field::read("virtual_bus", |world, uuid| function(world, uuid).and_then(|_| text("0"))),
        Field::read("virtual_slot", |world, uuid| Some(number(virtual_slot(world, uuid)?))),
        Field::read("virtual_func", |world, uuid| function(world, uuid).and_then(|_| text("0"))),
        Field::read("virtual_name", |world, uuid| {
            let slot = virtual_slot(world, uuid)?;
            text(if slot < 0 { String::new() } else { format!("0000:00:{slot:02x}.0") })
        }),
        Field::read("VM", |world, uuid| vm_of(world, is_dpci, uuid)),
        Field::read("PPCI", |world, uuid| {
            let address = function(world, uuid)?.address;
            let facts = world.seen.hardware.pci.iter().find(|facts| facts.address == address);
            text(facts.map_or_else(String::new, |facts| ppci_of(world, facts).to_string()))
        })
        .needing(PLUGGED),
        Field::read("hotplug_slot", |world, uuid| Some(number(virtual_slot(world, uuid)?.max(0)))),
        // Which functions of one card belong together: xend told them by the first one's address.
        Field::read("key", |world, uuid| {
            let function = function(world, uuid)?;
            text(word(function, "key").unwrap_or_else(|| function.address.to_string()))
        }),
        Field::read("options", |world, uuid| {
            let options = word(function(world, uuid)?, "opts").unwrap_or_default();
            let pairs = options.split(',').filter_map(|pair| pair.split_once('='));
            let pairs = pairs.filter(|(key, _)| !Property::is_secret_key(key));
            Some(Value::Struct(
                pairs.map(|(key, value)| (key.to_owned(), Value::text(value))).collect(),
            ))
        }),
    ],
    calls: &[
        Call::free("create", &["session", "record"], create_dpci).needing(PLUGGED),
        Call::one("destroy", &["session", "self"], |world, uuid, _| {
            detach(world, "DPCI", is_dpci, uuid, true)
        }),
    ],
};

fn pscsi_of(world: &World, at: Hctl) -> Uuid {
    world.own(&format!("PSCSI {at}"))
}

fn pscsi(world: &World, uuid: Uuid) -> Option<&ScsiFacts> {
    world.seen.hardware.scsi.iter().find(|facts| pscsi_of(world, facts.at) == uuid)
}

pub(super) fn all_pscsis(world: &World) -> Vec<Uuid> {
    world.seen.hardware.scsi.iter().map(|facts| pscsi_of(world, facts.at)).collect()
}

/// What SCSI's kinds of devices are called.
const fn kind_of_scsi(kind: u32) -> &'static str {
    match kind {
        0 => "disk",
        1 => "tape",
        5 => "cd/dvd",
        8 => "mediumx",
        _ => "unknown",
    }
}

/// `/dev/sda`
fn node(name: &str) -> Option<Value> {
    text(if name.is_empty() { String::new() } else { format!("/dev/{name}") })
}

pub(super) static PSCSI: Class = Class {
    name: "PSCSI",
    all: all_pscsis,
    needs: PLUGGED,
    shelf: Shelf::Inventory,
    fields: &[
        Field::read("uuid", |world, uuid| pscsi(world, uuid).and_then(|_| text(uuid))),
        Field::read("host", |world, _| Some(world.host_ref())),
        Field::read("HBA", |world, uuid| text(hba_of(world, pscsi(world, uuid)?.at.0[0]))),
        Field::read("physical_host", |world, uuid| Some(number(pscsi(world, uuid)?.at.0[0]))),
        Field::read("physical_channel", |world, uuid| Some(number(pscsi(world, uuid)?.at.0[1]))),
        Field::read("physical_target", |world, uuid| Some(number(pscsi(world, uuid)?.at.0[2]))),
        Field::read("physical_lun", |world, uuid| Some(number(pscsi(world, uuid)?.at.0[3]))),
        Field::read("physical_HCTL", |world, uuid| text(pscsi(world, uuid)?.at)),
        Field::read("vendor_name", |world, uuid| text(&pscsi(world, uuid)?.vendor)),
        Field::read("model", |world, uuid| text(&pscsi(world, uuid)?.model)),
        Field::read("type_id", |world, uuid| Some(number(pscsi(world, uuid)?.kind))),
        Field::read("type", |world, uuid| text(kind_of_scsi(pscsi(world, uuid)?.kind))),
        Field::read("dev_name", |world, uuid| node(&pscsi(world, uuid)?.node)),
        Field::read("sg_name", |world, uuid| node(&pscsi(world, uuid)?.generic)),
        Field::read("revision", |world, uuid| text(&pscsi(world, uuid)?.revision)),
        // Which says who it is whatever it is plugged into; scsi_id knows.
        Field::read("scsi_id", |world, uuid| pscsi(world, uuid).and_then(|_| text(""))),
        Field::read("scsi_level", |world, uuid| text(&pscsi(world, uuid)?.level)),
    ],
    calls: &[],
};

fn hba_of(world: &World, host: u32) -> Uuid {
    world.own(&format!("PSCSI_HBA {host}"))
}

/// The numbers of the adapters.
fn adapters(world: &World) -> Vec<u32> {
    let mut hosts: Vec<u32> = world.seen.hardware.scsi.iter().map(|facts| facts.at.0[0]).collect();
    hosts.dedup();
    hosts
}

fn adapter(world: &World, uuid: Uuid) -> Option<u32> {
    adapters(world).into_iter().find(|host| hba_of(world, *host) == uuid)
}

pub(super) fn all_hbas(world: &World) -> Vec<Uuid> {
    adapters(world).into_iter().map(|host| hba_of(world, host)).collect()
}

pub(super) static PSCSI_HBA: Class = Class {
    name: "PSCSI_HBA",
    all: all_hbas,
    needs: PLUGGED,
    shelf: Shelf::Inventory,
    fields: &[
        Field::read("uuid", |world, uuid| adapter(world, uuid).and_then(|_| text(uuid))),
        Field::read("host", |world, _| Some(world.host_ref())),
        Field::read("physical_host", |world, uuid| Some(number(adapter(world, uuid)?))),
        Field::read("PSCSIs", |world, uuid| {
            let host = adapter(world, uuid)?;
            let on = world.seen.hardware.scsi.iter().filter(|facts| facts.at.0[0] == host);
            Some(refs(on.map(|facts| pscsi_of(world, facts.at))))
        }),
    ],
    calls: &[],
};

fn rest(world: &World, of: fn(&Device) -> bool, uuid: Uuid, key: &str) -> Option<String> {
    let device = find(world, of, uuid)?.device;
    let found = device.rest().iter().find(|property| property.key == key).and_then(Property::text);
    Some(found.map(ToString::to_string).unwrap_or_default())
}

/// One of the four numbers by which the guest knows it.
fn virtual_number(world: &World, uuid: Uuid, which: usize) -> Option<Value> {
    let hctl = rest(world, is_dscsi, uuid, "v-dev")?.parse::<Hctl>().ok();
    Some(number(hctl.map_or(0, |hctl| hctl.0[which])))
}

fn vscsi(rest: Vec<Property>) -> Device {
    Device::Generic(Generic {
        class: "vscsi".to_owned(),
        id: None,
        uuid: Some(Uuid::new_v4()),
        rest,
    })
}

fn create_dscsi(world: &World, _: Uuid, args: &Args<'_>) -> Result<Work, Failure> {
    let record = Record::of("DSCSI", args)?;
    let view = for_vm(world, &record)?;
    let physical = record.object(world, "PSCSI", &PSCSI)?;
    let facts = pscsi(world, physical);
    let facts =
        facts.ok_or_else(|| Failure::new("HANDLE_INVALID", ["PSCSI", &physical.to_string()]))?;
    let at = record.parsed::<Hctl>("virtual_HCTL")?;
    let at =
        at.ok_or_else(|| Failure::new("CREATE_UNSPECIFIED_ATTRIBUTE", ["virtual_HCTL", "DSCSI"]))?;
    let device = vscsi(vec![
        Property::new("p-dev", facts.at.to_string()),
        Property::new("p-devname", facts.node.as_str()),
        Property::new("v-dev", at.to_string()),
    ]);
    Ok(attach(view, device))
}

pub(super) static DSCSI: Class = Class {
    name: "DSCSI",
    all: |world| all(world, is_dscsi),
    needs: &[],
    shelf: Shelf::Device,
    fields: &[
        Field::read("uuid", |world, uuid| find(world, is_dscsi, uuid).and_then(|_| text(uuid))),
        Field::read("VM", |world, uuid| vm_of(world, is_dscsi, uuid)),
        Field::read("PSCSI", |world, uuid| {
            let at = rest(world, is_dscsi, uuid, "p-dev")?.parse::<Hctl>().ok();
            let there =
                at.filter(|at| world.seen.hardware.scsi.iter().any(|facts| facts.at == *at));
            text(there.map_or_else(String::new, |at| pscsi_of(world, at).to_string()))
        })
        .needing(PLUGGED),
        Field::read("HBA", |world, uuid| find(world, is_dscsi, uuid).and_then(|_| text(""))),
        Field::read("virtual_host", |world, uuid| virtual_number(world, uuid, 0)),
        Field::read("virtual_channel", |world, uuid| virtual_number(world, uuid, 1)),
        Field::read("virtual_target", |world, uuid| virtual_number(world, uuid, 2)),
        Field::read("virtual_lun", |world, uuid| virtual_number(world, uuid, 3)),
        Field::read("virtual_HCTL", |world, uuid| text(rest(world, is_dscsi, uuid, "v-dev")?)),
        Field::read("runtime_properties", |world, uuid| runtime(world, is_dscsi, uuid))
            .needing(&[Need::Devices]),
    ],
    calls: &[
        Call::free("create", &["session", "record"], create_dscsi).needing(PLUGGED),
        Call::one("destroy", &["session", "self"], |world, uuid, _| {
            detach(world, "DSCSI", is_dscsi, uuid, true)
        }),
    ],
};

fn create_dscsi_hba(world: &World, _: Uuid, args: &Args<'_>) -> Result<Work, Failure> {
    let record = Record::of("DSCSI_HBA", args)?;
    let view = for_vm(world, &record)?;
    let physical = record.object(world, "PSCSI_HBA", &PSCSI_HBA)?;
    let host = adapter(world, physical).unwrap_or_default();
    let seen = record.number::<u32>("virtual_host")?.unwrap_or(host);
    let mode = match record.text("assignment_mode")?.as_str() {
        "" | "HOST" => "HOST",
        "VIRT" => "VIRT",
        _ => return Err(Failure::value("assignment_mode", "HOST or VIRT is expected")),
    };
    let device = vscsi(vec![
        Property::new("feature-host", "1"),
        Property::new("p-host", host.to_string()),
        Property::new("v-host", seen.to_string()),
        Property::new("assignment_mode", mode),
    ]);
    Ok(attach(view, device))
}

pub(super) static DSCSI_HBA: Class = Class {
    name: "DSCSI_HBA",
    all: |world| all(world, is_dscsi_hba),
    needs: &[],
    shelf: Shelf::Device,
    fields: &[
        Field::read("uuid", |world, uuid| find(world, is_dscsi_hba, uuid).and_then(|_| text(uuid))),
        Field::read("VM", |world, uuid| vm_of(world, is_dscsi_hba, uuid)),
        Field::read("PSCSI_HBAs", |world, uuid| {
            let host = rest(world, is_dscsi_hba, uuid, "p-host")?.parse::<u32>().ok();
            let there = host.filter(|host| adapters(world).contains(host));
            Some(refs(there.map(|host| hba_of(world, host))))
        })
        .needing(PLUGGED),
        Field::read("DSCSIs", |world, uuid| {
            find(world, is_dscsi_hba, uuid).map(|_| Value::Array(vec![]))
        }),
        Field::read("virtual_host", |world, uuid| text(rest(world, is_dscsi_hba, uuid, "v-host")?)),
        Field::read("assignment_mode", |world, uuid| {
            text(rest(world, is_dscsi_hba, uuid, "assignment_mode")?)
        }),
    ],
    calls: &[
        Call::free("create", &["session", "record"], create_dscsi_hba).needing(PLUGGED),
        Call::one("destroy", &["session", "self"], |world, uuid, _| {
            detach(world, "DSCSI_HBA", is_dscsi_hba, uuid, true)
        }),
    ],
};

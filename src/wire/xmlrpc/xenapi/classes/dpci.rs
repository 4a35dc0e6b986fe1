//! PCI devices of the host that are passed through to VMs.

use crate::core::model::{Device, PciDevice, PciFunction, Property, Uuid};
use crate::wire::xmlrpc::args::Args;
use crate::wire::xmlrpc::value::Value;
use crate::wire::xmlrpc::xenapi::failure::Failure;
use crate::wire::xmlrpc::xenapi::fetched::Need;
use crate::wire::xmlrpc::xenapi::host_view::HostView;
use crate::wire::xmlrpc::xenapi::new_record::NewRecord;
use crate::wire::xmlrpc::xenapi::objects::devices::{self, attach, key, vm_of_record};
use crate::wire::xmlrpc::xenapi::objects::hardware::{ppci, ppci_uuid};
use crate::wire::xmlrpc::xenapi::schema::{Action, Class, ClassCall, DataStore, Field};
use crate::wire::xmlrpc::xenapi::values::{optional_ref, text};

/// The first function of a device.
fn function(host: &HostView, uuid: Uuid) -> Result<&PciFunction, Failure> {
    let pci = devices::DPCI.find(host, uuid)?.device.as_pci();
    pci.and_then(|pci| pci.functions.first()).ok_or_else(|| Failure::no_object("DPCI", &uuid))
}

/// A setting of its first function.
fn setting(host: &HostView, uuid: Uuid, name: &str) -> Result<Option<String>, Failure> {
    Ok(key(&function(host, uuid)?.rest, name).map(ToString::to_string))
}

/// A number, in hexadecimal or not.
fn parse_slot(text: &str) -> Option<u32> {
    match text.strip_prefix("0x") {
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

/// The slot that was configured; `None` if Xen chooses one.
fn virtual_slot(host: &HostView, uuid: Uuid) -> Result<Option<u32>, Failure> {
    Ok(setting(host, uuid, "vslot")?.and_then(|slot| parse_slot(&slot)))
}

/// Options of a device as a map, without passwords.
fn options(host: &HostView, uuid: Uuid) -> Result<Value, Failure> {
    let options = setting(host, uuid, "opts")?.unwrap_or_default();
    let pairs = options.split(',').filter_map(|pair| pair.split_once('='));
    let shown = pairs.filter(|(key, _)| !Property::is_secret_key(key));
    Ok(Value::Struct(shown.map(|(key, value)| (key.to_owned(), Value::text(value))).collect()))
}

fn create(host: &HostView, _: Uuid, args: &Args<'_>) -> Result<Action, Failure> {
    let record = NewRecord::from_args("DPCI", args)?;
    let vm = vm_of_record(host, &record)?;
    let physical = record.object("PPCI", "PPCI", |uuid| ppci(host, uuid))?;
    let address = ppci(host, physical)?.address;
    let is_same = |device: &Device| {
        let mut functions = device.as_pci().into_iter().flat_map(|pci| &pci.functions);
        functions.any(|function| function.address == address)
    };
    let mut vms = host.vms();
    let user = vms.find(|vm| vm.configs().any(|config| config.devices.iter().any(is_same)));
    if let Some(user) = user {
        let reason = format!("{address} is passed through to {} already", user.name());
        return Err(Failure::new("DIRECT_PCI_ERROR", [reason.as_str()]));
    }
    let mut rest = Vec::new();
    let slot = record.number::<u32>("hotplug_slot")?.filter(|slot| (1..32).contains(slot));
    rest.extend(slot.map(|slot| Property::new("vslot", format!("{slot:#04x}"))));
    let key = record.optional_text("key")?.filter(|key| !key.is_empty());
    rest.extend(key.map(|key| Property::new("key", key)));
    let options = record.map("options")?;
    if !options.is_empty() {
        let options: Vec<String> =
            options.iter().map(|(key, value)| format!("{key}={value}")).collect();
        rest.push(Property::new("opts", options.join(",")));
    }
    let functions = vec![PciFunction { address, rest }];
    Ok(attach(host, vm, Device::Pci(PciDevice { functions, ..PciDevice::default() })))
}

pub(super) static DPCI: Class = Class {
    name: "DPCI",
    all: |host| Ok(devices::DPCI.all(host)),
    check: |host, uuid| function(host, uuid).map(drop),
    data_store: DataStore::Device,
    fields: &[
        Field::read("uuid", |_, uuid| Ok(text(&uuid))),
        Field::read("virtual_domain", |_, _| Ok(text("0"))),
        Field::read("virtual_bus", |_, _| Ok(text("0"))),
        Field::read("virtual_slot", |host, uuid| {
            Ok(text(&virtual_slot(host, uuid)?.map_or(-1, i64::from)))
        }),
        Field::read("virtual_func", |_, _| Ok(text("0"))),
        Field::read("virtual_name", |host, uuid| {
            let slot = virtual_slot(host, uuid)?;
            Ok(text(&slot.map(|slot| format!("0000:00:{slot:02x}.0")).unwrap_or_default()))
        }),
        Field::read("VM", |host, uuid| Ok(text(&devices::DPCI.find(host, uuid)?.vm.uuid))),
        Field::read("PPCI", |host, uuid| {
            let address = function(host, uuid)?.address;
            let mut physical = host.fetched.hardware()?.pci.iter();
            let physical = physical.find(|facts| facts.address == address);
            Ok(optional_ref(physical.map(|facts| ppci_uuid(host, facts))))
        })
        .needing(&[Need::Hardware]),
        Field::read("hotplug_slot", |host, uuid| {
            Ok(text(&virtual_slot(host, uuid)?.unwrap_or_default()))
        }),
        // Functions of one card have the same key: in xend, the address of the first one.
        Field::read("key", |host, uuid| {
            let address = function(host, uuid)?.address;
            let key = setting(host, uuid, "key")?;
            Ok(text(&key.unwrap_or_else(|| address.to_string())))
        }),
        Field::read("options", options),
    ],
    calls: &[
        ClassCall::on_class("create", &["session", "record"], create).needing(&[Need::Hardware]),
        ClassCall::on_object("destroy", &["session", "self"], |host, uuid, _| {
            devices::DPCI.destroy(host, uuid)
        }),
    ],
    ..Class::EMPTY
};

//! Network interfaces of VMs.

use super::security::{LABEL_PARAMS, no_module};
use crate::core::model::{Device, Invalid, Mac, Text, Uuid, Vif};
use crate::wire::xmlrpc::args::Args;
use crate::wire::xmlrpc::value::Value;
use crate::wire::xmlrpc::xenapi::failure::Failure;
use crate::wire::xmlrpc::xenapi::fetched::Need;
use crate::wire::xmlrpc::xenapi::host_view::HostView;
use crate::wire::xmlrpc::xenapi::new_record::NewRecord;
use crate::wire::xmlrpc::xenapi::objects::devices::{
    self, attach, device_inputs, key, put, vm_of_record,
};
use crate::wire::xmlrpc::xenapi::objects::networks::{
    bridge, default_bridge, find_network, network_of_vif, parse_mtu,
};
use crate::wire::xmlrpc::xenapi::schema::{Action, Class, ClassCall, DataStore, Field};
use crate::wire::xmlrpc::xenapi::values::{optional_ref, text};

fn vif(host: &HostView, uuid: Uuid) -> Result<&Vif, Failure> {
    match devices::VIF.find(host, uuid)?.device {
        Device::Vif(vif) => Ok(vif),
        _ => Err(Failure::no_object("VIF", &uuid)),
    }
}

/// Changes an interface, which the guest sees: it cannot change while the VM runs.
fn change(host: &HostView, uuid: Uuid, apply: impl FnOnce(&mut Vif)) -> Result<Action, Failure> {
    devices::VIF.change(host, uuid, true, |device| {
        if let Device::Vif(vif) = device {
            apply(vif);
        }
        Ok(())
    })
}

/// A setting of an interface.
fn setting(host: &HostView, uuid: Uuid, name: &str) -> Result<Option<String>, Failure> {
    Ok(key(&vif(host, uuid)?.rest, name).map(ToString::to_string))
}

/// An address; `None` for the empty text.
fn parse_mac(text: &str) -> Result<Option<Mac>, Failure> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|invalid: Invalid| Failure::value("MAC", &invalid))
}

fn create(host: &HostView, _: Uuid, args: &Args<'_>) -> Result<Action, Failure> {
    let record = NewRecord::from_args("VIF", args)?;
    let vm = vm_of_record(host, &record)?;
    let bridge = match record.text("network")?.as_str() {
        "" => default_bridge(host)?,
        reference => Some(bridge(host, find_network(host, reference)?)?),
    };
    let mac = parse_mac(&record.text("MAC")?)?;
    let mut devices = vm.configs().flat_map(|config| &config.devices);
    let has_mac = |device: &Device| matches!(device, Device::Vif(vif) if vif.mac == mac);
    if let Some(mac) = mac.filter(|_| devices.any(has_mac)) {
        return Err(Failure::new("DEVICE_EXISTS_ERROR", [mac.to_string().as_str()]));
    }
    let bridge = bridge.map(|bridge| Text::from(bridge.as_str()));
    let mut vif = Vif { mac, bridge, ..Vif::default() };
    put(&mut vif.rest, "type", record.optional_text("type")?);
    put(&mut vif.rest, "mtu", parse_mtu(record.number("MTU")?)?.map(|mtu| mtu.to_string()));
    put(&mut vif.rest, "security_label", record.optional_text("security_label")?);
    Ok(attach(host, vm, Device::Vif(vif)))
}

pub(super) static VIF: Class = Class {
    name: "VIF",
    all: |host| Ok(devices::VIF.all(host)),
    check: |host, uuid| devices::VIF.check(host, uuid),
    data_store: DataStore::Device,
    inputs: Some(|host, uuid| {
        let found = devices::VIF.find(host, uuid)?;
        device_inputs(host, &found, network_of_vif(host, vif(host, uuid)?)?)
    }),
    fields: &[
        Field::read("uuid", |_, uuid| Ok(text(&uuid))),
        Field::read("VM", |host, uuid| Ok(text(&devices::VIF.find(host, uuid)?.vm.uuid))),
        Field::read("network", |host, uuid| {
            Ok(optional_ref(network_of_vif(host, vif(host, uuid)?)?))
        })
        .needing(&[Need::Interfaces]),
        Field::read_write(
            "device",
            |host, uuid| {
                let number = vif(host, uuid)?.id.unwrap_or_default();
                let name = setting(host, uuid, "device")?;
                Ok(text(&name.unwrap_or_else(|| format!("eth{number}"))))
            },
            |host, uuid, args| {
                let name = args.text(2)?;
                change(host, uuid, |vif| put(&mut vif.rest, "device", Some(name)))
            },
        ),
        Field::read_write(
            "MAC",
            |host, uuid| {
                let mac = vif(host, uuid)?.mac;
                Ok(text(&mac.map(|mac| mac.to_string()).unwrap_or_default()))
            },
            |host, uuid, args| {
                let mac = parse_mac(&args.text(2)?)?;
                let mac = mac.ok_or_else(|| Failure::value("MAC", "an address is expected"))?;
                change(host, uuid, |vif| vif.mac = Some(mac))
            },
        ),
        Field::read_write(
            "MTU",
            |host, uuid| {
                let mtu = setting(host, uuid, "mtu")?;
                Ok(text(&mtu.unwrap_or_else(|| "0".to_owned())))
            },
            |host, uuid, args| {
                let mtu = parse_mtu(Some(args.number(2)?))?.map(|mtu| mtu.to_string());
                change(host, uuid, |vif| put(&mut vif.rest, "mtu", mtu))
            },
        ),
        Field::read("security_label", |host, uuid| {
            Ok(text(&setting(host, uuid, "security_label")?.unwrap_or_default()))
        }),
        Field::read("currently_attached", |host, uuid| {
            Ok(Value::Bool(devices::VIF.find(host, uuid)?.attached))
        }),
        // The metrics have the interface's own reference.
        Field::read("metrics", |_, uuid| Ok(text(&uuid))),
        Field::read("runtime_properties", |host, uuid| devices::VIF.runtime_properties(host, uuid))
            .needing(&[Need::Devices]),
    ],
    calls: &[
        ClassCall::on_class("create", &["session", "record"], create).needing(&[Need::Interfaces]),
        ClassCall::on_object("destroy", &["session", "self"], |host, uuid, _| {
            devices::VIF.destroy(host, uuid)
        }),
        ClassCall::on_object("plug", &["session", "self"], |host, uuid, _| {
            devices::VIF.plug(host, uuid)
        }),
        ClassCall::on_object("unplug", &["session", "self"], |host, uuid, _| {
            devices::VIF.unplug(host, uuid)
        }),
        ClassCall::on_object("set_security_label", LABEL_PARAMS, |_, _, _| Err(no_module())),
    ],
    ..Class::EMPTY
};

//! A VM's network interfaces.

use super::devices::{
    all, attach, attached, detach, find, for_vm, is_vif, key, plug, put, runtime, set, vm_of,
};
use super::failure::Failure;
use super::network::{self, NETWORK};
use super::notes::Shelf;
use super::record::{Record, find as find_object};
use super::table::{Call, Class, Field, Work};
use super::world::{Need, World, number, text};
use crate::core::model::{Device, Invalid, Mac, Text, Uuid, Vif};
use crate::wire::xmlrpc::args::Args;

fn vif(world: &World, uuid: Uuid) -> Option<&Vif> {
    match find(world, is_vif, uuid)?.device {
        Device::Vif(vif) => Some(vif),
        _ => None,
    }
}

fn with_vif(
    world: &World,
    uuid: Uuid,
    change: impl FnOnce(&mut Vif) -> Result<(), Failure>,
) -> Result<Work, Failure> {
    set(world, is_vif, uuid, true, |device| match device {
        Device::Vif(vif) => change(vif),
        _ => Ok(()),
    })
}

/// The longest packet in bytes, between what IPv4 asks of everybody and what Linux takes.
pub(super) fn mtu(number: Option<u32>) -> Result<Option<u32>, Failure> {
    match number {
        Some(0) | None => Ok(None),
        Some(mtu @ 68..=65_521) => Ok(Some(mtu)),
        Some(_) => Err(Failure::value("MTU", "68 to 65521 is expected")),
    }
}

fn mac(text: &str) -> Result<Option<Mac>, Failure> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|invalid: Invalid| Failure::value("MAC", &invalid.to_string()))
}

fn create_vif(world: &World, _: Uuid, args: &Args<'_>) -> Result<Work, Failure> {
    let record = Record::of("VIF", args)?;
    let view = for_vm(world, &record)?;
    let bridge = match record.text("network")?.as_str() {
        "" => network::default_bridge(world),
        given => network::bridge(world, find_object(world, &NETWORK, given)?),
    };
    let mac = mac(&record.text("MAC")?)?;
    let taken =
        |device: &Device| matches!(device, Device::Vif(vif) if mac.is_some() && vif.mac == mac);
    if let Some(mac) = mac.filter(|_| view.configs().any(|config| config.devices.iter().any(taken)))
    {
        return Err(Failure::new("DEVICE_EXISTS_ERROR", [mac.to_string().as_str()]));
    }
    let mut vif =
        Vif { mac, bridge: bridge.map(Text::from), uuid: Some(Uuid::new_v4()), ..Vif::default() };
    put(&mut vif.rest, "type", record.optional_text("type")?);
    put(&mut vif.rest, "mtu", mtu(record.number("MTU")?)?.map(|mtu| mtu.to_string()));
    put(&mut vif.rest, "security_label", record.optional_text("security_label")?);
    Ok(attach(view, Device::Vif(vif)))
}

pub(super) static VIF: Class = Class {
    name: "VIF",
    all: |world| all(world, is_vif),
    needs: &[],
    shelf: Shelf::Device,
    fields: &[
        Field::read("uuid", |world, uuid| find(world, is_vif, uuid).and_then(|_| text(uuid))),
        Field::read("VM", |world, uuid| vm_of(world, is_vif, uuid)),
        Field::read("network", |world, uuid| {
            text(
                network::of_vif(world, vif(world, uuid)?)
                    .map_or_else(String::new, |network| network.to_string()),
            )
        })
        .needing(&[Need::Interfaces]),
        Field::written(
            "device",
            |world, uuid| {
                let vif = vif(world, uuid)?;
                let noted = key(&vif.rest, "device").map(ToString::to_string);
                text(noted.unwrap_or_else(|| format!("eth{}", vif.id.unwrap_or_default())))
            },
            |world, uuid, args| {
                let name = args.text(2)?;
                with_vif(world, uuid, |vif| {
                    put(&mut vif.rest, "device", Some(name));
                    Ok(())
                })
            },
        ),
        Field::written(
            "MAC",
            |world, uuid| {
                text(vif(world, uuid)?.mac.map(|mac| mac.to_string()).unwrap_or_default())
            },
            |world, uuid, args| {
                let mac = mac(&args.text(2)?)?
                    .ok_or_else(|| Failure::value("MAC", "an address is expected"))?;
                with_vif(world, uuid, |vif| {
                    vif.mac = Some(mac);
                    Ok(())
                })
            },
        ),
        Field::written(
            "MTU",
            |world, uuid| {
                Some(number(
                    key(&vif(world, uuid)?.rest, "mtu")
                        .map_or_else(|| "0".to_owned(), ToString::to_string),
                ))
            },
            |world, uuid, args| {
                let mtu = mtu(Some(args.number(2)?))?;
                with_vif(world, uuid, |vif| {
                    put(&mut vif.rest, "mtu", mtu.map(|mtu| mtu.to_string()));
                    Ok(())
                })
            },
        ),
        Field::read("security_label", |world, uuid| {
            text(
                key(&vif(world, uuid)?.rest, "security_label")
                    .map(ToString::to_string)
                    .unwrap_or_default(),
            )
        }),
        Field::read("currently_attached", |world, uuid| attached(world, is_vif, uuid)),
        Field::read("metrics", |world, uuid| find(world, is_vif, uuid).and_then(|_| text(uuid))),
        Field::read("runtime_properties", |world, uuid| runtime(world, is_vif, uuid))
            .needing(&[Need::Devices]),
    ],
    calls: &[
        Call::free("create", &["session", "record"], create_vif).needing(&[Need::Interfaces]),
        Call::one("destroy", &["session", "self"], |world, uuid, _| {
            detach(world, "VIF", is_vif, uuid, true)
        }),
        Call::one("plug", &["session", "self"], |world, uuid, _| plug(world, "VIF", is_vif, uuid)),
        Call::one("unplug", &["session", "self"], |world, uuid, _| {
            detach(world, "VIF", is_vif, uuid, false)
        }),
        Call::one("set_security_label", &["session", "self", "label", "old_label"], |_, _, _| {
            Err(super::policy::no_module())
        }),
    ],
};

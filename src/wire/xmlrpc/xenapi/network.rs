//! Networks, which are bridges of Domain-0's, and the cards on them.

use super::devices::is_vif;
use super::failure::{About, Failure, Instead};
use super::host::HOST;
use super::notes::{Kind, Shelf, of_record};
use super::record::{Record, find};
use super::table::{Call, Class, Field, Work};
use super::vif::mtu;
use super::world::{Need, World, map, metrics_of, number, refs, text};
use crate::core::model::{
    Device, Interface, InterfaceChange, InterfaceKind, Mac, Network, Uuid, Vif, Vlan,
};
use crate::core::op::{Change, NetworkOp};
use crate::wire::xmlrpc::args::Args;
use crate::wire::xmlrpc::value::Value;
use std::collections::BTreeSet;

const NETWORKED: &[Need] = &[Need::Interfaces];

/// A network's UUID follows from its bridge's name.
fn network(world: &World, bridge: &str) -> Uuid {
    world.own(&format!("network {bridge}"))
}

/// The bridges: Domain-0's own, those that somebody made, and those that VMs are to be on.
fn bridges(world: &World) -> &[String] {
    world.bridges.get_or_init(|| {
        let own = world.seen.interfaces.iter().filter(|one| one.kind == InterfaceKind::Bridge);
        let own = own.map(|one| one.name.clone());
        let made = world.inventory.networks().map(|(_, network)| network.bridge.clone());
        let wanted = world.devices(is_vif).filter_map(|plugged| match plugged.device {
            Device::Vif(vif) => vif.bridge.as_ref().map(ToString::to_string),
            _ => None,
        });
        let all: BTreeSet<String> = own.chain(made).chain(wanted).collect();
        all.into_iter().collect()
    })
}

/// The bridge of a network.
pub(super) fn bridge(world: &World, uuid: Uuid) -> Option<String> {
    bridges(world).iter().find(|bridge| network(world, bridge) == uuid).cloned()
}

/// The bridge that Xen's scripts make, and that libxl takes for interfaces that name none.
const XENBR0: &str = "xenbr0";

/// The bridge of interfaces that name none: of those that the host has by itself, if it has any.
pub(super) fn default_bridge(world: &World) -> Option<String> {
    let own = |bridge: &&String| made(world, bridge).is_none();
    let all = bridges(world);
    let xenbr0 = all.iter().find(|bridge| *bridge == XENBR0);
    xenbr0.or_else(|| all.iter().find(own)).or(all.first()).cloned()
}

/// The network that an interface is on.
pub(super) fn of_vif(world: &World, vif: &Vif) -> Option<Uuid> {
    let bridge = vif.bridge.as_ref().map(ToString::to_string);
    bridge.or_else(|| default_bridge(world)).map(|bridge| network(world, &bridge))
}

/// What somebody made, and not the host's administrator.
fn made(world: &World, bridge: &str) -> Option<Uuid> {
    world.inventory.networks().find(|(_, one)| one.bridge == bridge).map(|(item, _)| item.uuid)
}

fn about(uuid: Uuid) -> About {
    let instead = Some(Instead::MessageAndObject("NETWORK_ERROR", uuid.to_string()));
    About { instead, class: Some("network"), ..About::default() }
}

fn create(world: &World, _: Uuid, args: &Args<'_>) -> Result<Work, Failure> {
    let record = Record::of("network", args)?;
    let name = record.needed("name_label")?;
    let made = Network::new(&name)
        .map_err(|invalid| Failure::value("name_label", &invalid.to_string()))?;
    if bridges(world).contains(&name) {
        return Err(Failure::new("UNIQUE_NAME_ERROR", [name.as_str(), "network"]));
    }
    let uuid = network(world, &name);
    let notes = of_record(&record, NETWORK.fields)?;
    let ops = vec![Change::Network(NetworkOp::Create { uuid, network: made, notes }).into()];
    Ok(Work::makes(ops, about(uuid), uuid))
}

pub(super) static NETWORK: Class = Class {
    name: "network",
    all: |world| bridges(world).iter().map(|bridge| network(world, bridge)).collect(),
    needs: NETWORKED,
    shelf: Shelf::Inventory,
    fields: &[
        Field::read("uuid", |world, uuid| bridge(world, uuid).and_then(|_| text(uuid))),
        // The label is the bridge's name, which those who use it know.
        Field::written(
            "name_label",
            |world, uuid| text(bridge(world, uuid)?),
            |_, uuid, _| {
                let why = "A network is called as its bridge is: create another one";
                Err(Failure::new("NETWORK_ERROR", [why, uuid.to_string().as_str()]))
            },
        ),
        Field::noted("name_description", Kind::Text, |world, uuid| {
            bridge(world, uuid).and_then(|_| text(""))
        }),
        Field::read("VIFs", |world, uuid| {
            bridge(world, uuid)?;
            let on = world.devices(is_vif).filter(|plugged| match plugged.device {
                Device::Vif(vif) => of_vif(world, vif) == Some(uuid),
                _ => false,
            });
            Some(refs(on.filter_map(|plugged| plugged.device.uuid())))
        }),
        Field::read("PIFs", |world, uuid| {
            let bridge = bridge(world, uuid)?;
            let on = ports(world).filter(|port| port.bridge.as_ref() == Some(&bridge));
            Some(refs(on.map(|port| pif(world, &port.name))))
        }),
        Field::read("managed", |world, uuid| {
            Some(Value::Bool(made(world, &bridge(world, uuid)?).is_some()))
        }),
        Field::noted("default_gateway", Kind::Text, |_, _| text("")),
        Field::noted("default_netmask", Kind::Text, |_, _| text("")),
        Field::noted("other_config", Kind::Map, |_, _| Some(map([]))),
    ],
    calls: &[
        Call::free("create", &["session", "record"], create),
        Call::one("destroy", &["session", "self"], |world, uuid, _| {
            let made = bridge(world, uuid).and_then(|bridge| made(world, &bridge));
            let made = made.ok_or_else(|| {
                let why = "It is a bridge of the host's own, which others see to";
                Failure::new("NETWORK_ERROR", [why, uuid.to_string().as_str()])
            })?;
            Ok(Work::silent(vec![Change::Network(NetworkOp::Destroy(made)).into()], about(uuid)))
        }),
    ],
};

/// Cards and virtual LANs.
fn ports(world: &World) -> impl Iterator<Item = &Interface> {
    world.seen.interfaces.iter().filter(|one| one.kind != InterfaceKind::Bridge)
}

fn pif(world: &World, name: &str) -> Uuid {
    world.own(&format!("PIF {name}"))
}

pub(super) fn port(world: &World, uuid: Uuid) -> Option<&Interface> {
    ports(world).find(|port| pif(world, &port.name) == uuid)
}

/// All cards and virtual LANs.
pub(super) fn all_pifs(world: &World) -> Vec<Uuid> {
    ports(world).map(|port| pif(world, &port.name)).collect()
}

fn create_vlan(world: &World, _: Uuid, args: &Args<'_>) -> Result<Work, Failure> {
    let network = find(world, &NETWORK, &args.text(2)?)?;
    find(world, &HOST, &args.text(3)?)?;
    let (device, tag) = (args.text(1)?, args.number::<i64>(4)?);
    let invalid = || Failure::new("VLAN_TAG_INVALID", [tag.to_string().as_str()]);
    let bridge = bridge(world, network).unwrap_or_default();
    let vlan = Vlan::new(&device, tag, &bridge).map_err(|_| invalid())?;
    let card = ports(world).any(|port| port.name == device && port.kind == InterfaceKind::Physical);
    if !card {
        return Err(Failure::value("device", "the name of one of the host's cards is expected"));
    }
    let uuid = pif(world, &vlan.name());
    if port(world, uuid).is_some() {
        return Err(Failure::new("DEVICE_EXISTS_ERROR", [vlan.name().as_str()]));
    }
    let ops = vec![Change::Network(NetworkOp::CreateVlan { uuid, vlan }).into()];
    Ok(Work::makes(ops, about(network), uuid))
}

/// Puts a card on a bridge, or takes it off.
fn link(world: &World, uuid: Uuid, on: bool) -> Result<Work, Failure> {
    let port = port(world, uuid)
        .ok_or_else(|| Failure::new("HANDLE_INVALID", ["PIF", &uuid.to_string()]))?;
    let stored = world.inventory.vlans().find(|(_, vlan)| vlan.name() == port.name);
    // A card that is on none goes back to where it was, or on the default one.
    let home = stored.map(|(_, vlan)| vlan.bridge.clone());
    let noted = world.notes(uuid).text("bridge").map(str::to_owned);
    let otherwise = || default_bridge(world);
    let bridge = if on { port.bridge.clone().or(home).or(noted).or_else(otherwise) } else { None };
    let mut ops = Vec::new();
    if let (false, Some(bridge)) = (on, &port.bridge) {
        let note = crate::core::model::Note::Text(bridge.clone());
        let change = crate::core::model::NoteChange::Field("bridge".to_owned(), Some(note));
        ops.push(Change::Note(uuid, change).into());
    }
    ops.push(
        Change::Network(NetworkOp::Interface(InterfaceChange::Link {
            name: port.name.clone(),
            bridge,
        }))
        .into(),
    );
    Ok(Work::silent(ops, about(uuid)))
}

fn adjust(world: &World, uuid: Uuid, mac: Option<Mac>, mtu: Option<u32>) -> Result<Work, Failure> {
    let port = port(world, uuid)
        .ok_or_else(|| Failure::new("HANDLE_INVALID", ["PIF", &uuid.to_string()]))?;
    let op = NetworkOp::Interface(InterfaceChange::Adjust { name: port.name.clone(), mac, mtu });
    Ok(Work::silent(vec![Change::Network(op).into()], about(uuid)))
}

pub(super) static PIF: Class = Class {
    name: "PIF",
    all: all_pifs,
    needs: NETWORKED,
    shelf: Shelf::Inventory,
    fields: &[
        Field::read("uuid", |world, uuid| port(world, uuid).and_then(|_| text(uuid))),
        Field::read("device", |world, uuid| {
            let port = port(world, uuid)?;
            match &port.kind {
                InterfaceKind::Vlan { device, .. } => text(device),
                _ => text(&port.name),
            }
        }),
        Field::read("network", |world, uuid| {
            let bridge = port(world, uuid)?.bridge.as_ref();
            text(bridge.map_or_else(String::new, |bridge| network(world, bridge).to_string()))
        }),
        Field::read("host", |world, _| Some(world.host_ref())),
        Field::written(
            "MAC",
            |world, uuid| {
                text(port(world, uuid)?.mac.map(|mac| mac.to_string()).unwrap_or_default())
            },
            |world, uuid, args| {
                let mac = args.text(2)?.parse();
                let mac = mac.map_err(|invalid: crate::core::model::Invalid| {
                    Failure::value("MAC", &invalid.to_string())
                })?;
                adjust(world, uuid, Some(mac), None)
            },
        ),
        Field::written(
            "MTU",
            |world, uuid| Some(number(port(world, uuid)?.mtu)),
            |world, uuid, args| {
                let mtu = mtu(Some(args.number(2)?))?;
                let mtu = mtu.ok_or_else(|| Failure::value("MTU", "68 to 65521 is expected"))?;
                adjust(world, uuid, None, Some(mtu))
            },
        ),
        Field::read("VLAN", |world, uuid| match &port(world, uuid)?.kind {
            InterfaceKind::Vlan { tag, .. } => Some(number(tag)),
            _ => text("-1"),
        }),
        Field::read("metrics", |world, uuid| {
            port(world, uuid).and_then(|_| text(metrics_of(uuid)))
        }),
    ],
    calls: &[
        Call::free("create_VLAN", &["session", "device", "network", "host", "VLAN"], create_vlan),
        Call::one("destroy", &["session", "self"], |world, uuid, _| {
            let made = world.inventory.vlans().find(|(item, _)| item.uuid == uuid);
            if made.is_none() {
                let why = "It is a card of the host's, or a virtual LAN that others see to";
                return Err(Failure::new("OPERATION_NOT_ALLOWED", [why]));
            }
            Ok(Work::silent(
                vec![Change::Network(NetworkOp::DestroyVlan(uuid)).into()],
                about(uuid),
            ))
        }),
        Call::one("plug", &["session", "self"], |world, uuid, _| link(world, uuid, true)),
        Call::one("unplug", &["session", "self"], |world, uuid, _| link(world, uuid, false)),
    ],
};

//! The host's network cards and virtual LANs.

use crate::core::model::{
    ClientDataChange, ClientValue, Interface, InterfaceChange, InterfaceKind, Invalid, Mac, Uuid,
    Vlan,
};
use crate::core::op::{Change, NetworkOp};
use crate::core::rights::OpKind;
use crate::wire::xmlrpc::args::Args;
use crate::wire::xmlrpc::xenapi::failure::Failure;
use crate::wire::xmlrpc::xenapi::fetched::Need;
use crate::wire::xmlrpc::xenapi::host_view::HostView;
use crate::wire::xmlrpc::xenapi::objects::host::check_host;
use crate::wire::xmlrpc::xenapi::objects::networks::{
    all_pifs, bridge, card, cards, default_bridge, find_network, network_context, network_uuid,
    parse_mtu, pif_uuid,
};
use crate::wire::xmlrpc::xenapi::objects::vms::metrics_uuid;
use crate::wire::xmlrpc::xenapi::references::find_object;
use crate::wire::xmlrpc::xenapi::schema::{Action, Class, ClassCall, Field};
use crate::wire::xmlrpc::xenapi::values::{optional_ref, text};

/// The client data that remembers the bridge of an unplugged card.
const BRIDGE_KEY: &str = "bridge";

fn create_vlan(host: &HostView, _: Uuid, args: &Args<'_>) -> Result<Action, Failure> {
    let network = find_network(host, &args.text(2)?)?;
    find_object("host", &args.text(3)?, |uuid| check_host(host, uuid))?;
    let device = args.text(1)?;
    let tag = args.number::<i64>(4)?;
    let vlan = Vlan::new(&device, tag, bridge(host, network)?)
        .map_err(|_| Failure::new("VLAN_TAG_INVALID", [tag.to_string().as_str()]))?;
    let is_card = |card: &Interface| card.name == device && card.kind == InterfaceKind::Physical;
    if !cards(host)?.any(is_card) {
        return Err(Failure::value("device", "the name of one of the host's cards is expected"));
    }
    let uuid = pif_uuid(host, &vlan.name());
    if card(host, uuid).is_ok() {
        return Err(Failure::new("DEVICE_EXISTS_ERROR", [vlan.name().as_str()]));
    }
    let changes = vec![Change::Network(NetworkOp::CreateVlan { uuid, vlan })];
    Ok(Action::create(changes, network_context(network), uuid))
}

fn destroy(host: &HostView, uuid: Uuid) -> Result<Action, Failure> {
    if !host.inventory.vlans().any(|(item, _)| item.uuid == uuid) {
        let reason = "It is a card, or a virtual LAN of the host's administrator";
        return Err(Failure::not_allowed(reason));
    }
    let changes = vec![Change::Network(NetworkOp::DestroyVlan(uuid))];
    Ok(Action::execute(changes, network_context(uuid)))
}

fn link(card: &Interface, bridge: Option<String>) -> Change {
    let name = card.name.clone();
    Change::Network(NetworkOp::Interface(InterfaceChange::Link { name, bridge }))
}

/// Puts a card on the bridge that it has, was created for or was on; otherwise on the default one.
fn plug(host: &HostView, uuid: Uuid) -> Result<Action, Failure> {
    let card = card(host, uuid)?;
    let stored = host.inventory.vlans().find(|(_, vlan)| vlan.name() == card.name);
    let stored = stored.map(|(_, vlan)| vlan.bridge.clone());
    let remembered = || host.client_data(uuid).text(BRIDGE_KEY).map(str::to_owned);
    let default = default_bridge(host)?.cloned();
    let bridge = card.bridge.clone().or(stored).or_else(remembered).or(default);
    Ok(Action::execute(vec![link(card, bridge)], network_context(uuid)))
}

/// Takes a card off its bridge, and remembers the bridge.
fn unplug(host: &HostView, uuid: Uuid) -> Result<Action, Failure> {
    let card = card(host, uuid)?;
    let remember = card.bridge.clone().map(|bridge| {
        let change =
            ClientDataChange::Field(BRIDGE_KEY.to_owned(), Some(ClientValue::Text(bridge)));
        Change::SetClientData(uuid, change)
    });
    let changes = remember.into_iter().chain([link(card, None)]).collect();
    Ok(Action::execute(changes, network_context(uuid)))
}

fn adjust(
    host: &HostView,
    uuid: Uuid,
    mac: Option<Mac>,
    mtu: Option<u32>,
) -> Result<Action, Failure> {
    let name = card(host, uuid)?.name.clone();
    let op = NetworkOp::Interface(InterfaceChange::Adjust { name, mac, mtu });
    Ok(Action::execute(vec![Change::Network(op)], network_context(uuid)))
}

pub(super) static PIF: Class = Class {
    name: "PIF",
    all: all_pifs,
    check: |host, uuid| card(host, uuid).map(drop),
    needs: &[Need::Interfaces],
    fields: &[
        Field::read("uuid", |_, uuid| Ok(text(&uuid))),
        Field::read("device", |host, uuid| {
            let card = card(host, uuid)?;
            Ok(text(match &card.kind {
                InterfaceKind::Vlan { device, .. } => device,
                _ => &card.name,
            }))
        }),
        Field::read("network", |host, uuid| {
            let bridge = card(host, uuid)?.bridge.as_ref();
            Ok(optional_ref(bridge.map(|bridge| network_uuid(host, bridge))))
        }),
        Field::read("host", |host, _| Ok(host.host_ref())),
        Field::read_write(
            "MAC",
            |host, uuid| {
                let mac = card(host, uuid)?.mac;
                Ok(text(&mac.map(|mac| mac.to_string()).unwrap_or_default()))
            },
            |host, uuid, args| {
                let mac = args.text(2)?.parse();
                let mac = mac.map_err(|invalid: Invalid| Failure::value("MAC", &invalid))?;
                adjust(host, uuid, Some(mac), None)
            },
        ),
        Field::read_write(
            "MTU",
            |host, uuid| Ok(text(&card(host, uuid)?.mtu)),
            |host, uuid, args| {
                let mtu = parse_mtu(Some(args.number(2)?))?;
                let mtu = mtu.ok_or_else(|| Failure::value("MTU", "68 to 65521 is expected"))?;
                adjust(host, uuid, None, Some(mtu))
            },
        ),
        Field::read("VLAN", |host, uuid| {
            Ok(match &card(host, uuid)?.kind {
                InterfaceKind::Vlan { tag, .. } => text(tag),
                _ => text("-1"),
            })
        }),
        Field::read("metrics", |_, uuid| Ok(text(&metrics_uuid(uuid)))),
    ],
    calls: &[
        ClassCall::on_class(
            "create_VLAN",
            &["session", "device", "network", "host", "VLAN"],
            create_vlan,
        )
        .requiring(OpKind::ChangeNetwork),
        ClassCall::on_object("destroy", &["session", "self"], |host, uuid, _| destroy(host, uuid))
            .requiring(OpKind::ChangeNetwork),
        ClassCall::on_object("plug", &["session", "self"], |host, uuid, _| plug(host, uuid))
            .requiring(OpKind::ChangeNetwork),
        ClassCall::on_object("unplug", &["session", "self"], |host, uuid, _| unplug(host, uuid))
            .requiring(OpKind::ChangeNetwork),
    ],
    ..Class::EMPTY
};

//! Networks.

use crate::core::model::{Network, Uuid};
use crate::core::op::{Change, NetworkOp};
use crate::core::rights::OpKind;
use crate::wire::xmlrpc::args::Args;
use crate::wire::xmlrpc::value::Value;
use crate::wire::xmlrpc::xenapi::client_data;
use crate::wire::xmlrpc::xenapi::failure::Failure;
use crate::wire::xmlrpc::xenapi::fetched::Need;
use crate::wire::xmlrpc::xenapi::host_view::HostView;
use crate::wire::xmlrpc::xenapi::new_record::NewRecord;
use crate::wire::xmlrpc::xenapi::objects::networks::{
    all_networks, bridge, bridges, cards, created_network, network_context, network_uuid, pif_uuid,
    vifs_of_network,
};
use crate::wire::xmlrpc::xenapi::schema::{Action, Class, ClassCall, DataType, Field};
use crate::wire::xmlrpc::xenapi::values::{map, refs, text};

fn create(host: &HostView, _: Uuid, args: &Args<'_>) -> Result<Action, Failure> {
    let record = NewRecord::from_args("network", args)?;
    let name = record.required_text("name_label")?;
    let network = Network::new(&name).map_err(|invalid| Failure::value("name_label", &invalid))?;
    if bridges(host)?.contains(&name) {
        return Err(Failure::new("UNIQUE_NAME_ERROR", [name.as_str(), "network"]));
    }
    let uuid = network_uuid(host, &name);
    let client_data = client_data::from_record(&record, NETWORK.fields)?;
    let changes = vec![Change::Network(NetworkOp::Create { uuid, network, client_data })];
    Ok(Action::create(changes, network_context(uuid), uuid))
}

fn destroy(host: &HostView, uuid: Uuid) -> Result<Action, Failure> {
    let created = created_network(host, bridge(host, uuid)?);
    let created = created.ok_or_else(|| {
        let reason = "The bridge belongs to the host's administrator";
        Failure::new("NETWORK_ERROR", [reason, uuid.to_string().as_str()])
    })?;
    let changes = vec![Change::Network(NetworkOp::Destroy(created))];
    Ok(Action::execute(changes, network_context(uuid)))
}

/// The cards on a network.
fn pifs(host: &HostView, uuid: Uuid) -> Result<Vec<Uuid>, Failure> {
    let bridge = bridge(host, uuid)?;
    let own = cards(host)?.filter(|card| card.bridge.as_ref() == Some(bridge));
    Ok(own.map(|card| pif_uuid(host, &card.name)).collect())
}

pub(super) static NETWORK: Class = Class {
    name: "network",
    all: all_networks,
    check: |host, uuid| bridge(host, uuid).map(drop),
    needs: &[Need::Interfaces],
    fields: &[
        Field::read("uuid", |_, uuid| Ok(text(&uuid))),
        // The label is the bridge's name. It is fixed, since interfaces refer to it.
        Field::read_write(
            "name_label",
            |host, uuid| Ok(text(bridge(host, uuid)?)),
            |_, uuid, _| {
                let reason = "A network has the name of its bridge: create another one";
                Err(Failure::new("NETWORK_ERROR", [reason, uuid.to_string().as_str()]))
            },
        ),
        Field::client_data("name_description", DataType::Text, |_, _| Ok(text(""))),
        Field::read("VIFs", |host, uuid| Ok(refs(vifs_of_network(host, uuid)?))),
        Field::read("PIFs", |host, uuid| Ok(refs(pifs(host, uuid)?))),
        Field::read("managed", |host, uuid| {
            Ok(Value::Bool(created_network(host, bridge(host, uuid)?).is_some()))
        }),
        Field::client_data("default_gateway", DataType::Text, |_, _| Ok(text(""))),
        Field::client_data("default_netmask", DataType::Text, |_, _| Ok(text(""))),
        Field::client_data("other_config", DataType::Map, |_, _| Ok(map([]))),
    ],
    calls: &[
        ClassCall::on_class("create", &["session", "record"], create)
            .requiring(OpKind::ChangeNetwork),
        ClassCall::on_object("destroy", &["session", "self"], |host, uuid, _| destroy(host, uuid))
            .requiring(OpKind::ChangeNetwork),
    ],
    ..Class::EMPTY
};

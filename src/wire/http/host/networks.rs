//! `GET /xend/node/network`: bridges and who is on them, cards and virtual LANs.

use super::listing::{empty_text, list_page, respond, some_links, text_field};
use super::usage::of_bridges;
use crate::core::inventory::Inventory;
use crate::core::model::{DomName, Interface, InterfaceKind};
use crate::core::rights::OpKind;
use crate::core::snapshot::{DomainView, Snapshot};
use crate::wire::http::context::Http;
use crate::wire::http::errors::operation_failed;
use crate::wire::http::html::parts::domain_link;
use crate::wire::http::html::units::bytes;
use crate::wire::http::json::host::{Bridge, HostInterface, Networks};
use crate::wire::http::request::RequestInfo;
use axum::extract::State;
use axum::response::Response;
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use xend_templates::{Cell, Link, ListPage, Table, TableColumn};

/// The bridge that Xen's scripts make, and that libxl takes for interfaces that name none.
const XENBR0: &str = "xenbr0";

/// `GET /xend/node/network`
pub(crate) async fn get(
    State(http): State<Http>,
    request: RequestInfo,
) -> Result<Response, Response> {
    let view = http.view(&request.caller);
    let failed = |error| operation_failed(&request, "network", &error);
    let interfaces = view.interfaces().await.map_err(failed)?;
    let wanted = request.query.text("q").map_err(|invalid| failed(invalid.into()))?;
    let wanted = wanted.unwrap_or_default();
    let snapshot = view.snapshot();
    let policy = view.policy();
    let default = policy.devices.vif_bridge.as_ref().map(ToString::to_string);
    let default = default.as_deref().unwrap_or(XENBR0);
    let print = || {
        let networks = Facts {
            interfaces: &interfaces,
            inventory: &view.inventory(),
            snapshot: &snapshot,
            default,
        }
        .read(wanted.trim());
        respond(&request, &networks, || page(&request, &networks, &snapshot, &wanted))
    };
    Ok(http.engine().print(snapshot.len() * 64, print).await)
}

/// What the page is made from.
struct Facts<'a> {
    interfaces: &'a [Interface],
    inventory: &'a Inventory,
    snapshot: &'a Snapshot,
    /// The bridge of interfaces that name none.
    default: &'a str,
}

impl Facts<'_> {
    /// The bridges whose names, or one of whose domains, contain `wanted`.
    fn read(&self, wanted: &str) -> Networks {
        let is = |kind: InterfaceKind| move |one: &&Interface| one.kind == kind;
        let existing: BTreeSet<&str> = self
            .interfaces
            .iter()
            .filter(is(InterfaceKind::Bridge))
            .map(|bridge| bridge.name.as_str())
            .collect();
        let created: HashSet<&str> =
            self.inventory.networks().map(|(_, network)| network.bridge.as_str()).collect();
        let mut members = of_bridges(self.snapshot, self.default);
        for name in existing.iter().chain(&created) {
            members.entry((*name).to_owned()).or_default();
        }
        let bridge = |(name, views): (String, Vec<&Arc<DomainView>>)| Bridge {
            exists: existing.contains(name.as_str()),
            is_created_by_client: created.contains(name.as_str()),
            interfaces: self
                .interfaces
                .iter()
                .filter(|one| one.bridge.as_deref() == Some(name.as_str()))
                .map(|one| one.name.clone())
                .collect(),
            domains: views.iter().map(|view| view.name().to_string()).collect(),
            name,
        };
        let matches = |bridge: &Bridge| {
            bridge.name.contains(wanted) || bridge.domains.iter().any(|name| name.contains(wanted))
        };
        let cards = self.interfaces.iter().filter(|one| one.kind != InterfaceKind::Bridge);
        Networks {
            bridges: members.into_iter().map(bridge).filter(matches).collect(),
            interfaces: cards.map(interface).collect(),
        }
    }
}

fn interface(one: &Interface) -> HostInterface {
    HostInterface {
        name: one.name.clone(),
        kind: match one.kind {
            InterfaceKind::Vlan { .. } => "vlan",
            InterfaceKind::Physical | InterfaceKind::Bridge => "card",
        },
        mac: one.mac.map(|mac| mac.to_string()),
        mtu_bytes: one.mtu,
        bridge: one.bridge.clone(),
        received_bytes: one.io.0,
        sent_bytes: one.io.1,
    }
}

fn page(request: &RequestInfo, networks: &Networks, snapshot: &Snapshot, wanted: &str) -> ListPage {
    let may_see_vnets = request.access().may(OpKind::ShowVnets);
    ListPage {
        filter: vec![text_field("q", "Bridge or domain", wanted)],
        tables: vec![
            Table {
                empty: empty_text("bridges", 0, !wanted.trim().is_empty()),
                ..bridges(networks, snapshot)
            },
            interfaces(networks),
        ],
        links: may_see_vnets
            .then(|| Link::new("Virtual networks", "/xend/vnet"))
            .into_iter()
            .collect(),
        ..list_page(request, "Networks", "Bridges of Domain-0, and the domains that are on them.")
    }
}

fn bridges(networks: &Networks, snapshot: &Snapshot) -> Table {
    let row = |bridge: &Bridge| {
        let state = if bridge.exists { "exists" } else { "missing" };
        let (links, more) = some_links(bridge.domains.iter().map(|name| name_link(snapshot, name)));
        vec![
            Cell::Text(bridge.name.clone()),
            Cell::State(state.to_owned()),
            Cell::Text(bridge.interfaces.join(", ")),
            Cell::Text(bridge.domains.len().to_string()),
            Cell::Links { links, more },
        ]
    };
    Table {
        id: "bridges".to_owned(),
        title: "Bridges".to_owned(),
        columns: vec![
            TableColumn::text("Bridge"),
            TableColumn::text("State"),
            TableColumn::text("Interfaces"),
            TableColumn::number("Count"),
            TableColumn::text("Domains"),
        ],
        rows: networks.bridges.iter().map(row).collect(),
        ..Table::default()
    }
}

/// A link to the domain with this name.
pub(super) fn name_link(snapshot: &Snapshot, name: &str) -> Link {
    let found = snapshot.by_name(&DomName::adopted(name));
    found.map_or_else(|| Link::new(name, "/xend/domain"), |view| domain_link(view))
}

fn interfaces(networks: &Networks) -> Table {
    let row = |one: &HostInterface| {
        vec![
            Cell::Text(one.name.clone()),
            Cell::Text(if one.kind == "vlan" { "Virtual LAN" } else { "Card" }.to_owned()),
            Cell::Text(one.bridge.clone().unwrap_or_default()),
            Cell::Text(one.mac.clone().unwrap_or_default()),
            Cell::Text(one.mtu_bytes.to_string()),
            Cell::Text(bytes(one.received_bytes)),
            Cell::Text(bytes(one.sent_bytes)),
        ]
    };
    Table {
        id: "interfaces".to_owned(),
        title: "Interfaces".to_owned(),
        columns: vec![
            TableColumn::text("Interface"),
            TableColumn::text("Kind"),
            TableColumn::text("Bridge"),
            TableColumn::text("MAC address"),
            TableColumn::number("MTU"),
            TableColumn::number("Received"),
            TableColumn::number("Sent"),
        ],
        rows: networks.interfaces.iter().map(row).collect(),
        empty: "No cards and no virtual LANs.".to_owned(),
        pager: None,
    }
}

//! Networks, which are bridges of Domain-0, and the cards and virtual LANs on them (PIFs).

use super::vms::metrics_uuid;
use crate::core::model::{Device, Interface, InterfaceKind, Text, Uuid, Vif};
use crate::wire::xmlrpc::xenapi::failure::{CodeOverride, Failure, FailureContext};
use crate::wire::xmlrpc::xenapi::host_view::{self, HostView};
use crate::wire::xmlrpc::xenapi::references::find_object;
use std::collections::BTreeSet;

/// The bridge that Xen's scripts make, and that libxl takes for interfaces that name none.
const XENBR0: &str = "xenbr0";

/// A network's UUID follows from its bridge's name.
pub(crate) fn network_uuid(host: &HostView, bridge: &str) -> Uuid {
    host.host_object(&format!("network {bridge}"))
}

/// The names of all bridges: Domain-0's own, those of networks that clients created, and those
/// that VMs' interfaces name. A caller who does not see Domain-0's own has those that the account
/// allows.
pub(crate) fn bridges(host: &HostView) -> Result<&BTreeSet<String>, Failure> {
    if let Some(bridges) = host.bridges.get() {
        return Ok(bridges);
    }
    let interfaces = host.fetched.interfaces()?.iter();
    let own = interfaces.filter(|one| one.kind == InterfaceKind::Bridge);
    let own = own.map(|one| one.name.clone());
    let allowed = if host.shows_host() { &[][..] } else { &host.access.limits.bridges };
    let created = host.inventory.networks().map(|(_, network)| network.bridge.clone());
    let named = host.index.bridges().map(ToString::to_string);
    let all = own.chain(allowed.iter().cloned()).chain(created).chain(named).collect();
    Ok(host.bridges.get_or_init(|| all))
}

/// All networks, in the order of their bridges' names.
pub(crate) fn all_networks(host: &HostView) -> Result<Vec<Uuid>, Failure> {
    Ok(bridges(host)?.iter().map(|bridge| network_uuid(host, bridge)).collect())
}

/// The bridge of a network.
pub(crate) fn bridge(host: &HostView, network: Uuid) -> Result<&String, Failure> {
    let bridges = bridges(host)?;
    let of_networks = host.bridges_of_networks.get_or_init(|| {
        bridges.iter().map(|bridge| (network_uuid(host, bridge), bridge.clone())).collect()
    });
    of_networks.get(&network).ok_or_else(|| Failure::no_object("network", &network))
}

/// The network that a reference names.
pub(crate) fn find_network(host: &HostView, reference: &str) -> Result<Uuid, Failure> {
    find_object("network", reference, |uuid| bridge(host, uuid))
}

/// The bridge of interfaces that name none; `None` on a host without bridges. One of the host's own
/// comes before those that clients created. A caller who does not see these cannot tell.
pub(crate) fn default_bridge(host: &HostView) -> Result<Option<&String>, Failure> {
    let all = bridges(host)?;
    let found = host.default_bridge.get_or_init(|| {
        let default = all.get(XENBR0);
        if !host.shows_host() {
            return default.cloned();
        }
        let own = || all.iter().find(|bridge| created_network(host, bridge).is_none());
        default.or_else(own).or(all.first()).cloned()
    });
    Ok(found.as_ref())
}

/// The network of an interface; `None` on a host without bridges.
pub(crate) fn network_of_vif(host: &HostView, vif: &Vif) -> Result<Option<Uuid>, Failure> {
    Ok(match &vif.bridge {
        Some(bridge) => Some(network_uuid(host, &bridge.to_string())),
        None => default_bridge(host)?.map(|bridge| network_uuid(host, bridge)),
    })
}

/// The interfaces on a network.
pub(crate) fn vifs_of_network(host: &HostView, network: Uuid) -> Result<Vec<Uuid>, Failure> {
    let bridge = bridge(host, network)?;
    let is_default = default_bridge(host)? == Some(bridge);
    let named = host.index.vms_on_bridge(Some(Text::from(bridge.as_str())));
    let by_default = is_default.then(|| host.index.vms_on_bridge(None)).into_iter().flatten();
    let on_bridge = |device: &Device| match device {
        Device::Vif(vif) => match &vif.bridge {
            Some(named) => *named == bridge.as_str(),
            None => is_default,
        },
        _ => false,
    };
    let devices = host.sorted_vms(named.chain(by_default)).into_iter().flat_map(host_view::devices);
    let vifs = devices.filter(|found| on_bridge(found.device));
    Ok(vifs.filter_map(|found| found.device.uuid()).collect())
}

/// The item of a network that a client created; `None` for a bridge of the host's administrator.
pub(crate) fn created_network(host: &HostView, bridge: &str) -> Option<Uuid> {
    let mut networks = host.inventory.networks();
    networks.find(|(_, network)| network.bridge == bridge).map(|(item, _)| item.uuid)
}

/// The longest packet in bytes; `None` for 0, which leaves it to the backend. The limits are IPv4's
/// and Linux's.
pub(crate) fn parse_mtu(mtu: Option<u32>) -> Result<Option<u32>, Failure> {
    match mtu {
        Some(0) | None => Ok(None),
        Some(68..=65_521) => Ok(mtu),
        Some(_) => Err(Failure::value("MTU", "68 to 65521 is expected")),
    }
}

/// The context of a change of the host's network.
pub(crate) fn network_context(object: Uuid) -> FailureContext {
    let code = Some(CodeOverride::WithObject("NETWORK_ERROR", object.to_string()));
    FailureContext { code, class: Some("network"), ..FailureContext::default() }
}

/// The host's cards and virtual LANs.
pub(crate) fn cards(host: &HostView) -> Result<impl Iterator<Item = &Interface>, Failure> {
    let interfaces = host.fetched.interfaces()?.iter();
    Ok(interfaces.filter(|one| one.kind != InterfaceKind::Bridge))
}

/// The card whose metrics these are.
pub(crate) fn card_of_metrics(host: &HostView, metrics: Uuid) -> Result<&Interface, Failure> {
    let of_metrics = |card: &&Interface| metrics_uuid(pif_uuid(host, &card.name)) == metrics;
    cards(host)?.find(of_metrics).ok_or_else(|| Failure::no_object("PIF_metrics", &metrics))
}

/// A card's UUID follows from its name.
pub(crate) fn pif_uuid(host: &HostView, name: &str) -> Uuid {
    host.host_object(&format!("PIF {name}"))
}

/// The card behind a PIF.
pub(crate) fn card(host: &HostView, pif: Uuid) -> Result<&Interface, Failure> {
    let card = cards(host)?.find(|card| pif_uuid(host, &card.name) == pif);
    card.ok_or_else(|| Failure::no_object("PIF", &pif))
}

/// The PIFs of all cards and virtual LANs.
pub(crate) fn all_pifs(host: &HostView) -> Result<Vec<Uuid>, Failure> {
    Ok(cards(host)?.map(|card| pif_uuid(host, &card.name)).collect())
}

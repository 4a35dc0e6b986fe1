//! Which domains use which parts of the host. Each question looks at each domain once.

use crate::core::model::{Device, PciAddress, PciDevice, Text, Uuid, Vdi};
use crate::core::snapshot::{DomainView, Snapshot};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// The domains with these images, by the images' UUIDs.
pub(in crate::wire::http) fn of_images<'a>(
    snapshot: &'a Snapshot,
    images: &[(Uuid, &Vdi)],
) -> HashMap<Uuid, Vec<&'a Arc<DomainView>>> {
    let by_uuid: HashMap<Uuid, Uuid> = images.iter().map(|(uuid, _)| (*uuid, *uuid)).collect();
    let by_name: HashMap<Text, Uuid> =
        images.iter().map(|(uuid, vdi)| (vdi.uname(), *uuid)).collect();
    let mut users: HashMap<Uuid, Vec<&Arc<DomainView>>> = HashMap::new();
    for view in snapshot.domains() {
        let devices = view.configs().flat_map(|config| &config.devices);
        for block in devices.filter_map(Device::as_block) {
            let image = match block.vdi {
                Some(vdi) => by_uuid.get(&vdi),
                None if block.uname.is_empty() => None,
                None => by_name.get(&block.uname),
            };
            if let Some(image) = image {
                add(users.entry(*image).or_default(), view);
            }
        }
    }
    users
}

/// The domains on each bridge. Interfaces that name none are on `default`.
pub(super) fn of_bridges<'a>(
    snapshot: &'a Snapshot,
    default: &str,
) -> BTreeMap<String, Vec<&'a Arc<DomainView>>> {
    let mut members: BTreeMap<String, Vec<&Arc<DomainView>>> = BTreeMap::new();
    for view in snapshot.domains() {
        let devices = view.configs().flat_map(|config| &config.devices);
        for vif in devices.filter_map(Device::as_vif) {
            let bridge =
                vif.bridge.as_ref().map_or_else(|| default.to_owned(), ToString::to_string);
            add(members.entry(bridge).or_default(), view);
        }
    }
    members
}

/// The domain with each PCI function: the one on the host, if several are configured with it.
pub(super) fn of_pci_functions(snapshot: &Snapshot) -> HashMap<PciAddress, &Arc<DomainView>> {
    let mut owners: HashMap<PciAddress, &Arc<DomainView>> = HashMap::new();
    for view in snapshot.domains() {
        let devices = view.configs().flat_map(|config| &config.devices);
        for address in devices.filter_map(Device::as_pci).flat_map(PciDevice::addresses) {
            let known = owners.entry(address).or_insert(view);
            if known.facts.is_none() {
                *known = view;
            }
        }
    }
    owners
}

/// Adds a domain once, whose devices follow each other.
fn add<'a>(all: &mut Vec<&'a Arc<DomainView>>, view: &'a Arc<DomainView>) {
    if all.last().is_none_or(|last| !Arc::ptr_eq(last, view)) {
        all.push(view);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::{Block, DomName, DomainConfig, VdiKind, Vif};
    use crate::core::snapshot::fixtures::{running, snapshot, with_domains};
    use crate::shape;
    use crate::wire::http::config_text::parse;

    fn names(views: &[&Arc<DomainView>]) -> Vec<String> {
        views.iter().map(|view| view.name().to_string()).collect()
    }

    fn host(domains: &[(&str, Vec<Device>)]) -> Snapshot {
        let views = domains.iter().zip(5..).map(|((name, devices), domid)| {
            let mut config = DomainConfig::new(DomName::new(name).unwrap(), 64);
            config.devices.clone_from(devices);
            running(domid, config)
        });
        with_domains(snapshot(&[]), views)
    }

    #[test]
    fn an_image_is_used_by_its_uuid_or_its_place() {
        let uuid = Uuid::from_u128;
        let vdi = |location: &str| Vdi {
            location: location.into(),
            size: 0,
            kind: VdiKind::User,
            own: false,
            sharable: false,
            read_only: false,
        };
        let disk = |dev: &str, uname: &str, vdi| {
            let mode = if uname.is_empty() { ":cdrom" } else { "" };
            let text = format!(
                "(vm (name a) (memory 64) (device (vbd (uname '{uname}') (dev {dev}{mode}) (mode r))))"
            );
            let config = parse(text.as_bytes(), shape::read_config).unwrap();
            let Some(Device::Block(block)) = config.devices.first() else { panic!("{text}") };
            Device::Block(Block { vdi, ..block.clone() })
        };
        let host = host(&[
            ("web1", vec![disk("xvda", "file:/a", None), disk("xvdb", "file:/a", None)]),
            ("web2", vec![disk("xvda", "file:/elsewhere", Some(uuid(1)))]),
            ("web3", vec![disk("xvda", "file:/a", Some(uuid(9))), disk("xvdb", "", None)]),
        ]);
        let [a, none] = [vdi("/a"), vdi("")];
        let users = of_images(&host, &[(uuid(1), &a), (uuid(2), &none)]);
        assert_eq!(names(&users[&uuid(1)]), ["web1", "web2"]);
        assert!(!users.contains_key(&uuid(2)));
    }

    #[test]
    fn an_interface_without_a_bridge_is_on_the_default_one() {
        let vif = |bridge: Option<&str>| {
            Device::Vif(Vif { bridge: bridge.map(Text::from), ..Vif::default() })
        };
        let host = host(&[("web1", vec![vif(Some("lan"))]), ("web2", vec![vif(None)])]);
        let on = of_bridges(&host, "xenbr0");
        assert_eq!(
            (names(&on["lan"]), names(&on["xenbr0"])),
            (vec!["web1".into()], vec!["web2".into()])
        );
    }
}

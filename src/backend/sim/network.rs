//! Domain-0's network.

use crate::core::error::Error;
use crate::core::model::{Interface, InterfaceChange, InterfaceKind, Invalid, Mac, NetworkChange};

/// The interfaces of a new host: one card, on the one bridge.
pub(super) fn initial() -> Vec<Interface> {
    let card = interface("eth0".to_owned(), InterfaceKind::Physical, 1);
    let bridge = interface("xenbr0".to_owned(), InterfaceKind::Bridge, 1);
    vec![Interface { bridge: Some(bridge.name.clone()), ..card }, bridge]
}

fn interface(name: String, kind: InterfaceKind, mac: u8) -> Interface {
    Interface {
        name,
        kind,
        mac: Some(Mac::in_xen_range([0x7f, 0xff, mac])),
        mtu: 1500,
        bridge: None,
        io: (0, 0),
    }
}

/// Changes the interfaces, which stay sorted by name. It is no error if an interface that is added
/// exists already, or one that is removed does not.
pub(super) fn change(interfaces: &mut Vec<Interface>, change: NetworkChange) -> Result<(), Error> {
    match change {
        NetworkChange::MakeBridge(name) => add(interfaces, name, InterfaceKind::Bridge),
        NetworkChange::MakeVlan { device, tag } => {
            find(interfaces, &device)?;
            let name = Interface::vlan_name(&device, tag);
            add(interfaces, name, InterfaceKind::Vlan { device, tag });
        }
        NetworkChange::RemoveBridge(name) => remove(interfaces, &name),
        NetworkChange::RemoveVlan { device, tag } => {
            remove(interfaces, &Interface::vlan_name(&device, tag));
        }
        NetworkChange::Interface(InterfaceChange::Adjust { name, mac, mtu }) => {
            let found = find(interfaces, &name)?;
            found.mac = mac.or(found.mac);
            found.mtu = mtu.unwrap_or(found.mtu);
        }
        NetworkChange::Interface(InterfaceChange::Link { name, bridge }) => {
            if let Some(bridge) = &bridge {
                let found = find(interfaces, bridge)?;
                if found.kind != InterfaceKind::Bridge {
                    return Err(no_such_interface(bridge));
                }
            }
            find(interfaces, &name)?.bridge = bridge;
        }
    }
    Ok(())
}

fn add(interfaces: &mut Vec<Interface>, name: String, kind: InterfaceKind) {
    if interfaces.iter().any(|interface| interface.name == name) {
        return;
    }
    let mac = u8::try_from(interfaces.len()).unwrap_or(u8::MAX);
    interfaces.push(interface(name, kind, mac));
    interfaces.sort_by(|a, b| a.name.cmp(&b.name));
}

fn remove(interfaces: &mut Vec<Interface>, name: &str) {
    interfaces.retain(|interface| interface.name != name);
    for interface in interfaces {
        if interface.bridge.as_deref() == Some(name) {
            interface.bridge = None;
        }
    }
}

fn find<'a>(interfaces: &'a mut [Interface], name: &str) -> Result<&'a mut Interface, Error> {
    let found = interfaces.iter_mut().find(|interface| interface.name == name);
    found.ok_or_else(|| no_such_interface(name))
}

fn no_such_interface(name: &str) -> Error {
    Invalid::new(format!("There is no network interface {name}")).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removing_a_bridge_leaves_its_interfaces() {
        let mut interfaces = initial();
        let mut apply =
            |requested| change(&mut interfaces, requested).map_err(|error| error.to_string());
        apply(NetworkChange::MakeBridge("br1".into())).unwrap();
        apply(NetworkChange::MakeVlan { device: "eth0".into(), tag: 7 }).unwrap();
        apply(NetworkChange::MakeVlan { device: "eth0".into(), tag: 7 }).unwrap();
        assert!(apply(NetworkChange::MakeVlan { device: "eth9".into(), tag: 7 }).is_err());
        let link = |bridge: &str| {
            NetworkChange::Interface(InterfaceChange::Link {
                name: "eth0.7".into(),
                bridge: Some(bridge.into()),
            })
        };
        apply(link("br1")).unwrap();
        assert!(apply(link("eth0")).is_err());
        apply(NetworkChange::RemoveBridge("br1".into())).unwrap();
        let vlan = interfaces.iter().find(|interface| interface.name == "eth0.7").unwrap();
        assert_eq!((&vlan.bridge, interfaces.len()), (&None, 3));
    }
}

//! The devices on a domain's page.

use super::parts::{facts, tree};
use crate::core::model::{
    BlockKind, BlockMode, Device as DeviceConfig, DeviceFacts, Text, Vfb, Vif,
};
use crate::core::rights::{Access, OpKind};
use crate::core::snapshot::DomainView;
use crate::shape;
use crate::sxp::Sxp;
use crate::wire::http::operations::devices::{CONFIGURE, DESTROY};
use xend_templates::{Device, Field, FieldKind, OperationForm};

/// The devices of a domain. `connected` is what XenStore has of them.
pub(super) fn devices(
    access: &Access,
    view: &DomainView,
    connected: &[DeviceFacts],
) -> Vec<Device> {
    let may = |kind: OpKind| access.may_on(kind, view.uuid, view.name().as_str());
    let rights = DeviceRights {
        change: may(OpKind::ChangeMedium),
        unplug: may(OpKind::DetachDevice),
        screen: may(OpKind::UseScreen),
    };
    view.config.devices.iter().map(|config| device(config, connected, view, rights)).collect()
}

#[derive(Debug, Clone, Copy)]
struct DeviceRights {
    change: bool,
    unplug: bool,
    screen: bool,
}

fn device(
    config: &DeviceConfig,
    connected: &[DeviceFacts],
    view: &DomainView,
    rights: DeviceRights,
) -> Device {
    let tree = tree(|sink| shape::defined_devices(sink, std::slice::from_ref(config)));
    // The tree is `((0 (vbd (dev xvda) ...)))`, with the device's number first.
    let record = tree.as_list().and_then(|list| list.first()?.tail().first());
    let mut operations = Vec::new();
    if rights.change {
        operations.extend(change_medium(config));
    }
    if rights.unplug {
        operations.extend(unplug(config, view));
    }
    Device {
        name: name(config),
        source: source(config, view, rights),
        mode: config.as_block().map(|block| mode(block.mode).to_owned()).unwrap_or_default(),
        state: xenbus_state(config, connected).unwrap_or_default(),
        facts: record.map(|record| facts(record.tail())).unwrap_or_default(),
        operations,
    }
}

/// `Disk xvda`, `CD-ROM hdc`, `Network interface 0`
fn name(config: &DeviceConfig) -> String {
    let kind = match config {
        DeviceConfig::Block(block) => {
            let kind = if block.kind == BlockKind::Cdrom { "CD-ROM" } else { "Disk" };
            return format!("{kind} {}", block.dev);
        }
        DeviceConfig::Vif(_) => "Network interface",
        DeviceConfig::Vfb(_) => "Screen",
        DeviceConfig::Vkbd(_) => "Keyboard",
        DeviceConfig::Console(_) => "Console",
        DeviceConfig::Pci(_) => return "PCI devices".to_owned(),
        DeviceConfig::Generic(_) => config.class(),
    };
    match config.id() {
        Some(number) => format!("{kind} {number}"),
        None => kind.to_owned(),
    }
}

fn source(config: &DeviceConfig, view: &DomainView, rights: DeviceRights) -> String {
    match config {
        DeviceConfig::Block(block) if block.uname.is_empty() => "no medium".to_owned(),
        DeviceConfig::Block(block) => block.uname.to_string(),
        DeviceConfig::Vif(vif) => interface(vif),
        DeviceConfig::Vfb(vfb) => screen(vfb, view, rights),
        DeviceConfig::Pci(pci) => {
            let addresses: Vec<String> =
                pci.functions.iter().map(|function| function.address.to_string()).collect();
            addresses.join(", ")
        }
        _ => String::new(),
    }
}

/// `xenbr0, 00:16:3e:11:22:33`
fn interface(vif: &Vif) -> String {
    let parts =
        [vif.bridge.as_ref().map(Text::to_string), vif.mac.as_ref().map(ToString::to_string)];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn screen(vfb: &Vfb, view: &DomainView, rights: DeviceRights) -> String {
    match view.screen_address().filter(|_| rights.screen) {
        Some(address) if vfb.is_vnc() => format!("VNC at {address}"),
        _ if vfb.is_vnc() => "VNC".to_owned(),
        _ => String::new(),
    }
}

const fn mode(mode: BlockMode) -> &'static str {
    match mode {
        BlockMode::ReadOnly => "read-only",
        BlockMode::ReadWrite => "read and write",
        BlockMode::Shared => "shared, read and write",
    }
}

/// The form with which a CD-ROM drive gets another medium.
fn change_medium(config: &DeviceConfig) -> Option<OperationForm> {
    let block = config.as_block().filter(|block| block.kind == BlockKind::Cdrom)?;
    let property = |key: &str, value: &str| Sxp::list([Sxp::atom(key), Sxp::atom(value)]);
    let text = Sxp::list([
        Sxp::atom(block.class.name()),
        property("uname", &block.uname.to_string()),
        property("dev", &format!("{}:cdrom", block.dev)),
        property("mode", block.mode.name()),
    ]);
    let config = Field {
        name: "config".to_owned(),
        label: "Drive with the new medium".to_owned(),
        about: "Write the path of the medium into uname, or leave uname empty to eject".to_owned(),
        unit: "S-expression".to_owned(),
        kind: FieldKind::Lines(String::new()),
        required: true,
        value: text.to_string(),
    };
    Some(OperationForm {
        op: CONFIGURE.name.to_owned(),
        label: "Change medium".to_owned(),
        about: String::new(),
        danger: false,
        fields: vec![Field::fixed("dev", &block.dev), config],
    })
}

/// The form that unplugs a disk or a network interface.
fn unplug(config: &DeviceConfig, view: &DomainView) -> Option<OperationForm> {
    let dev = match config {
        DeviceConfig::Block(block) => block.dev.clone(),
        DeviceConfig::Vif(vif) => vif.id?.to_string(),
        _ => return None,
    };
    Some(OperationForm {
        op: DESTROY.name.to_owned(),
        label: "Unplug".to_owned(),
        about: format!("Takes it from {}, and out of its definition.", view.name()),
        danger: true,
        fields: vec![Field::fixed("type", config.class()), Field::fixed("dev", &dev)],
    })
}

/// The state of a device's connection in XenStore. `None` if it has none.
fn xenbus_state(config: &DeviceConfig, connected: &[DeviceFacts]) -> Option<String> {
    let number = config.id();
    let facts = connected.iter().find(|facts| {
        config.has_class(&facts.class) && number.is_none_or(|number| number == facts.number)
    })?;
    let node = facts.nodes.iter().find(|node| node.key == "state")?;
    Some(xenbus_state_name(&node.text()?.to_string()).to_owned())
}

/// The states of `xen/include/public/io/xenbus.h`.
fn xenbus_state_name(number: &str) -> &str {
    match number {
        "1" => "initialising",
        "2" => "waiting",
        "3" => "initialised",
        "4" => "connected",
        "5" => "closing",
        "6" => "closed",
        "7" | "8" => "reconfiguring",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::{DomName, DomainConfig, Uuid};
    use crate::shape::read_device;
    use crate::sxp::{Limits, read_one};

    fn shown(text: &str) -> Device {
        let tree = read_one(text.as_bytes(), &Limits::DEFAULT).unwrap();
        let mut config = DomainConfig::new(DomName::new("web1").unwrap(), 64);
        config.devices.push(read_device(&tree).unwrap().unwrap());
        let view = DomainView::defined(Uuid::from_u128(1), config);
        devices(&Access::operator(), &view, &[]).remove(0)
    }

    fn labels(device: &Device) -> Vec<&str> {
        device.operations.iter().map(|operation| operation.label.as_str()).collect()
    }

    #[test]
    fn devices_are_told_in_words() {
        let disk = shown("(vbd (uname phy:/dev/vg0/a) (dev xvda) (mode w))");
        assert_eq!((disk.name.as_str(), disk.mode.as_str()), ("Disk xvda", "read and write"));
        assert_eq!(disk.source, "phy:/dev/vg0/a");
        assert_eq!(labels(&disk), ["Unplug"]);
        let drive = shown("(vbd (uname '') (dev hdc:cdrom) (mode r))");
        assert_eq!((drive.name.as_str(), drive.source.as_str()), ("CD-ROM hdc", "no medium"));
        assert_eq!(labels(&drive), ["Change medium", "Unplug"]);
        let text = &drive.operations[0].fields[1].value;
        assert!(text.starts_with("(vbd (") && text.contains("(dev hdc:cdrom)"), "{text}");
        let interface = shown("(vif (bridge xenbr0) (mac 00:16:3e:11:22:33))");
        assert_eq!(interface.name, "Network interface 0");
        assert_eq!(interface.source, "xenbr0, 00:16:3e:11:22:33");
        assert!(interface.facts.iter().any(|fact| fact.name == "uuid"), "{interface:?}");
        assert_eq!(shown("(vfb (type vnc))").source, "VNC");
    }
}

//! Network interfaces, PCI functions, ports and consoles.

use crate::element::Element;
use crate::error::Fault;
use crate::kind::Kind;
use crate::tree;
use crate::values::{fault, pci_number};
use xend_sxp::Sxp;

/// The script that connects an interface to a bridge.
const BRIDGE_SCRIPT: &str = "vif-bridge";

/// The devices of the interfaces.
pub(crate) fn interfaces(
    devices: &Element,
    kind: Kind,
    fields: &mut Vec<Sxp>,
    warnings: &mut Vec<Fault>,
) -> Result<(), Fault> {
    for interface in devices.all("interface") {
        let mut vif = Vec::new();
        let mut add = |key: &str, text: Option<&str>| {
            vif.extend(text.map(|text| tree::field(key, text, interface.offset)));
        };
        let script = interface.attribute_of("script", "path");
        add("mac", interface.attribute_of("mac", "address"));
        match interface.attribute("type").unwrap_or("bridge") {
            "bridge" => {
                add("bridge", interface.attribute_of("source", "bridge"));
                add("script", script.or(Some(BRIDGE_SCRIPT)));
            }
            "ethernet" => add("script", script),
            "network" => {
                interface.child("source").into_iter().for_each(Element::ignore);
                let reason = "the bridge of the network is not known here: add (bridge NAME)";
                warnings.push(fault(interface, reason));
                add("script", script);
            }
            _ => {
                let reason = "only the types bridge, ethernet and network are supported";
                return Err(fault(interface, reason));
            }
        }
        add("ip", interface.attribute_of("ip", "address"));
        let name = interface.attribute_of("target", "dev");
        add("vifname", name.filter(|name| !name.starts_with("vif")));
        let model = interface.attribute_of("model", "type");
        match (kind, model) {
            (Kind::Hvm, Some("netfront")) => add("type", Some("netfront")),
            (_, model) => {
                add("model", model);
                add("type", (kind == Kind::Hvm).then_some("ioemu"));
            }
        }
        // libvirt counts KiB a second.
        let limit = interface.child("bandwidth").and_then(|limit| limit.child("outbound"));
        let rate = limit.and_then(|limit| limit.attribute("average"));
        add("rate", rate.map(|rate| format!("{rate}KB/s")).as_deref());
        add("backend", interface.attribute_of("backenddomain", "name"));
        fields.push(tree::device("vif", vif, interface.offset));
    }
    Ok(())
}

/// The one device that has all PCI functions.
pub(crate) fn pci_functions(
    devices: &Element,
    fields: &mut Vec<Sxp>,
    warnings: &mut Vec<Fault>,
) -> Result<(), Fault> {
    let mut functions = Vec::new();
    let mut first = devices.offset;
    for device in devices.all("hostdev") {
        if !device.is("type", "pci") {
            device.ignore();
            warnings.push(fault(device, "only PCI functions are passed through"));
            continue;
        }
        let Some(address) = device.child("source").and_then(|source| source.child("address"))
        else {
            return Err(fault(device, "<source><address/></source> is expected"));
        };
        if functions.is_empty() {
            first = device.offset;
        }
        let field = |key, text: String| tree::field(key, text, device.offset);
        functions.push(tree::list(
            [
                "dev".into(),
                field("domain", format!("0x{:04x}", pci_number(address, "domain")?)),
                field("bus", format!("0x{:02x}", pci_number(address, "bus")?)),
                field("slot", format!("0x{:02x}", pci_number(address, "slot")?)),
                field("func", format!("0x{:x}", pci_number(address, "function")?)),
            ],
            device.offset,
        ));
    }
    if !functions.is_empty() {
        fields.push(tree::device("pci", functions, first));
    }
    Ok(())
}

/// A serial or parallel port in the words of the device model; `None` if it has none for it.
pub(crate) fn port(element: &Element, warnings: &mut Vec<Fault>) -> Option<String> {
    let kind = element.attribute("type").unwrap_or("pty");
    let source = |mode: &str| {
        let all = || element.all("source");
        all().find(|source| source.is("mode", mode)).or_else(|| {
            all().find(|source| source.attribute("mode").is_none() && mode == "connect")
        })
    };
    let path = || element.attribute_of("source", "path").unwrap_or_default();
    let address = |source: Option<&Element>| {
        let part = |name| source.and_then(|source| source.attribute(name)).unwrap_or_default();
        format!("{}:{}", part("host"), part("service"))
    };
    element.child("target").into_iter().for_each(Element::ignore);
    let server = |source: Option<&Element>| if source.is_some() { ",server,nowait" } else { "" };
    Some(match kind {
        "pty" | "null" | "vc" | "stdio" => {
            element.child("source").into_iter().for_each(Element::ignore);
            kind.to_owned()
        }
        "dev" => path().to_owned(),
        "file" | "pipe" => format!("{kind}:{}", path()),
        "tcp" => {
            let protocol = match element.attribute_of("protocol", "type") {
                Some("telnet") => "telnet",
                _ => "tcp",
            };
            let bound = source("bind");
            let address = address(bound.or_else(|| source("connect")));
            format!("{protocol}:{address}{}", server(bound))
        }
        "udp" => format!("udp:{}@{}", address(source("connect")), address(source("bind"))),
        "unix" => format!("unix:{}{}", path(), server(source("bind"))),
        _ => {
            element.ignore();
            warnings.push(fault(element, "the type is not supported, the port is left out"));
            return None;
        }
    })
}

/// Counts the consoles as read: each domain has one.
pub(crate) fn consoles(devices: &Element) {
    devices.all("console").for_each(Element::ignore);
}

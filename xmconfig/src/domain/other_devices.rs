//! SCSI and USB devices, ports, interrupts and TPMs.

use super::settings::{Item, Settings};
use super::tree;
use crate::error::Fault;
use crate::language::Data;
use std::collections::BTreeMap;
use std::str;
use xend_sxp::Sxp;

/// The most ports of a USB controller.
const MAX_PORTS: u32 = 16;

/// The devices of `vscsi`, `1:0:0:0,0:0:0:0`: one for each adapter of the guest, with its units.
pub(super) fn scsi(settings: &Settings<'_>, devices: &mut Vec<Sxp>) -> Result<(), Fault> {
    let mut adapters: BTreeMap<u32, (Vec<Sxp>, Vec<u8>, u32)> = BTreeMap::new();
    for item in settings.items("vscsi")? {
        let parts: Vec<&[u8]> =
            item.text.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).collect();
        let (host, guest, backend) = match parts.as_slice() {
            [host, guest] => (*host, *guest, &b""[..]),
            [host, guest, backend] => (*host, *guest, *backend),
            _ => return Err(item.fault("HOST,GUEST is expected, like 1:0:0:0,0:0:0:0")),
        };
        if guest == b"host" {
            return Err(item.fault("a whole adapter is not supported, list its units"));
        }
        let Some(adapter) = adapter_of(guest) else {
            return Err(item.fault("the guest's unit is not like 0:0:0:0"));
        };
        let (units, known, _) =
            adapters.entry(adapter).or_insert_with(|| (Vec::new(), backend.to_vec(), item.offset));
        if known != backend {
            return Err(item.fault("another unit of the adapter has another backend"));
        }
        units.push(unit(&item, adapter, host, guest));
    }
    for (units, backend, offset) in adapters.into_values() {
        let host = [tree::text_field("feature-host", "0", offset)];
        let backend = (!backend.is_empty()).then(|| tree::text_field("backend", backend, offset));
        devices.push(tree::device("vscsi", host.into_iter().chain(units).chain(backend), offset));
    }
    Ok(())
}

/// The adapter of a guest's unit, the first of its four numbers.
fn adapter_of(unit: &[u8]) -> Option<u32> {
    let numbers = str::from_utf8(unit).ok()?.split(':').map(|number| number.parse().ok());
    match numbers.collect::<Option<Vec<u32>>>()?.as_slice() {
        [adapter, _, _, _] => Some(*adapter),
        _ => None,
    }
}

fn unit(item: &Item<'_>, adapter: u32, host: &[u8], guest: &[u8]) -> Sxp {
    let field = |key: &str, text: &[u8]| tree::text_field(key, text, item.offset);
    // xm asked the host for the device of a unit's numbers.
    let name = host.strip_prefix(b"/dev/").map(|name| field("p-devname", name));
    let fields = [
        field("state", b"1"),
        field("devid", adapter.to_string().as_bytes()),
        field("p-dev", host),
    ];
    let fields = fields.into_iter().chain(name).chain([field("v-dev", guest)]);
    tree::list(["dev".into()].into_iter().chain(fields), item.offset)
}

/// The devices of `vusb`, `usbver=2,numports=4,port_1=1-8`.
pub(super) fn usb(settings: &Settings<'_>, devices: &mut Vec<Sxp>) -> Result<(), Fault> {
    let ports: Vec<String> = (1..=MAX_PORTS).map(|port| format!("port_{port}")).collect();
    let known: Vec<&str> =
        ["usbver", "numports"].into_iter().chain(ports.iter().map(String::as_str)).collect();
    for item in settings.items("vusb")? {
        let pairs = item.pairs(&known)?;
        let number = |key: &str, default: u32, most: u32| {
            let text = pairs.get(key.as_bytes()).map(|text| str::from_utf8(text));
            let number = text.map_or(Some(default), |text| text.ok()?.parse().ok());
            let number = number.filter(|number| (1..=most).contains(number));
            number.ok_or_else(|| item.fault(format!("{key} is not a number from 1 to {most}")))
        };
        let version = number("usbver", 2, 2)?;
        let count = number("numports", 8, MAX_PORTS)?;
        let port = |(n, name): (u32, &String)| {
            let bus = pairs.get(name.as_bytes()).copied().unwrap_or_default();
            tree::text_field(&n.to_string(), bus, item.offset)
        };
        let fields = [
            tree::text_field("usb-ver", version.to_string(), item.offset),
            tree::text_field("num-ports", count.to_string(), item.offset),
            tree::list(
                ["port".into()].into_iter().chain((1..=count).zip(&ports).map(port)),
                item.offset,
            ),
        ];
        devices.push(tree::device("vusb", fields, item.offset));
    }
    Ok(())
}

/// The devices of `ioports`, `02f8-02ff`.
pub(super) fn io_ports(settings: &Settings<'_>, devices: &mut Vec<Sxp>) -> Result<(), Fault> {
    for item in settings.items("ioports")? {
        let mut ends = item.text.split(|byte| *byte == b'-').map(<[u8]>::trim_ascii);
        let from = ends.next().unwrap_or_default();
        let to = ends.next().unwrap_or(from);
        let is_port =
            |port: &[u8]| (1..=8).contains(&port.len()) && port.iter().all(u8::is_ascii_hexdigit);
        if ends.next().is_some() || !is_port(from) || !is_port(to) {
            return Err(item.fault("hexadecimal ports are expected, like 02f8-02ff"));
        }
        let field = |key, port: &[u8]| tree::text_field(key, [b"0x", port].concat(), item.offset);
        devices.push(tree::device("ioports", [field("from", from), field("to", to)], item.offset));
    }
    Ok(())
}

/// The devices of `irq`, a list of numbers.
pub(super) fn interrupts(settings: &Settings<'_>, devices: &mut Vec<Sxp>) -> Result<(), Fault> {
    for value in settings.list("irq")? {
        let number = match &value.data {
            Data::Int(_) | Data::Text(_) => str::from_utf8(&value.data.to_text())
                .ok()
                .and_then(|text| text.trim().parse::<u32>().ok()),
            _ => None,
        };
        let Some(number) = number else {
            return Err(Fault::new(value.offset, "irq: a list of numbers is expected"));
        };
        let field = tree::text_field("irq", number.to_string(), value.offset);
        devices.push(tree::device("irq", [field], value.offset));
    }
    Ok(())
}

/// The device of `vtpm`, `instance=1,backend=0`: xm took the first alone.
pub(super) fn tpm(settings: &Settings<'_>, devices: &mut Vec<Sxp>) -> Result<(), Fault> {
    let Some(item) = settings.items("vtpm")?.into_iter().next() else { return Ok(()) };
    let pairs = item.pairs(&["backend", "instance", "type", "uuid"])?;
    let mut fields = Vec::new();
    if let Some(instance) = pairs.get(b"instance") {
        let number = str::from_utf8(instance).ok().and_then(|text| text.parse::<u32>().ok());
        let instance = match (*instance, number) {
            (b"VTPMD", _) => 0,
            (_, Some(number @ 1..)) => number,
            _ => return Err(item.fault("the instance is not a number from 1 on")),
        };
        fields.push(tree::text_field("pref_instance", instance.to_string(), item.offset));
    }
    for key in ["backend", "type", "uuid"] {
        if let Some(text) = pairs.get(key.as_bytes()).filter(|text| !text.is_empty()) {
            fields.push(tree::text_field(key, text, item.offset));
        }
    }
    devices.push(tree::device("vtpm", fields, item.offset));
    Ok(())
}

//! Devices with parts that come and go while the device stays: the functions of a PCI bus, the
//! units of a SCSI adapter, the ports of a USB controller. xm 4.x and libvirt send a device with
//! only those parts that change.

use crate::core::error::Error;
use crate::core::model::{Device, Generic, Invalid, PciDevice, Property, Text, Value};
use std::collections::HashMap;

pub(super) const SCSI: &str = "vscsi";
pub(super) const USB: &str = "vusb";

/// Ports of a USB controller at most.
const MAX_PORTS: u32 = 31;

/// States of `XenBus`, as xm writes them in a SCSI unit.
const INITIALISING: &[u8] = b"1";
const CLOSING: &[u8] = b"5";

/// Whether a change adds parts rather than removing some.
pub(super) fn adds_parts(change: &Device) -> bool {
    match change {
        Device::Pci(pci) => !pci.functions.is_empty() && state_of(pci) == b"Initialising",
        Device::Generic(generic) if generic.class == SCSI => {
            units(generic).next().is_some_and(|unit| {
                unit.child("state").is_none_or(|state| state.as_slice() == INITIALISING)
            })
        }
        _ => false,
    }
}

fn state_of(pci: &PciDevice) -> &[u8] {
    let state = pci.rest.iter().find(|property| property.key == "state").and_then(Property::text);
    state.map_or(&b"Initialising"[..], |state| state.as_slice())
}

/// The PCI bus after a change: `(state Initialising)` adds functions, `(state Closing)` removes
/// some.
pub(super) fn change_functions(old: &PciDevice, new: PciDevice) -> Result<PciDevice, Error> {
    // Each function is compared with the others.
    PciDevice::check_count(new.functions.len())?;
    let mut device = old.clone();
    match state_of(&new) {
        b"Closing" => {
            for removed in &new.functions {
                let at = device.functions.iter().position(|f| f.address == removed.address);
                let at = at.ok_or_else(|| Error::not_connected(&removed.address))?;
                device.functions.remove(at);
            }
        }
        b"Initialising" => {
            for function in new.functions {
                if device.functions.iter().any(|f| f.address == function.address) {
                    let reason = format!("The device \"{}\" is already defined", function.address);
                    return Err(Invalid::new(reason).taken().into());
                }
                device.functions.push(function);
            }
        }
        other => {
            let reason = format!(
                "pci state: {:?} is neither Initialising nor Closing",
                bstr::BStr::new(other)
            );
            return Err(Invalid::new(reason).into());
        }
    }
    Ok(device)
}

/// The units `(dev (p-dev 1:0:0:0) (v-dev 0:0:0:0) ...)` of a SCSI adapter.
fn units(adapter: &Generic) -> impl Iterator<Item = &Property> {
    adapter.rest.iter().filter(|property| property.key == "dev")
}

/// The number of a SCSI adapter, which its units hold.
pub(super) fn adapter_number(device: &Device) -> Option<u32> {
    let Device::Generic(generic) = device else { return None };
    let number = units(generic).next().and_then(|unit| unit.child("devid"));
    number.and_then(|number| number.to_string().trim().parse().ok()).or(generic.id)
}

/// Whether an adapter has units.
pub(super) fn has_units(adapter: &Generic) -> bool {
    units(adapter).next().is_some()
}

/// The adapter after a change: state 1 adds a unit, state 5 removes it.
pub(super) fn change_units(old: &Generic, new: &Generic) -> Result<Generic, Error> {
    // `None` is a unit that was removed.
    let mut rest: Vec<Option<&Property>> = old.rest.iter().map(Some).collect();
    let mut places: HashMap<&Text, usize> = HashMap::new();
    for (place, property) in old.rest.iter().enumerate() {
        if let Some(at) = property.child("v-dev").filter(|_| property.key == "dev") {
            places.entry(at).or_insert(place);
        }
    }
    for unit in units(new) {
        let at = unit
            .child("v-dev")
            .ok_or_else(|| Invalid::new("vscsi dev: v-dev is missing, like 0:0:0:0"))?;
        let found = places.get(at).copied();
        match (unit.child("state").map_or(INITIALISING, |state| state.as_slice()), found) {
            (INITIALISING, None) => {
                places.insert(at, rest.len());
                rest.push(Some(unit));
            }
            (INITIALISING, Some(_)) => {
                let reason = format!("The virtual device \"{at}\" is already defined");
                return Err(Invalid::new(reason).taken().into());
            }
            (CLOSING, Some(found)) => {
                places.remove(at);
                rest[found] = None;
            }
            (CLOSING, None) => return Err(Error::not_connected(&at)),
            (other, _) => {
                let reason =
                    format!("vscsi state: {:?} is neither 1 nor 5", bstr::BStr::new(other));
                return Err(Invalid::new(reason).into());
            }
        }
    }
    let rest = rest.into_iter().flatten().cloned().collect();
    Ok(Generic { rest, ..old.clone() })
}

/// The controller after a change of its ports, `(port (1 1-1) (2 ''))`: a port without a bus is
/// empty.
pub(super) fn change_ports(old: &Generic, new: &Generic) -> Result<Generic, Error> {
    let count =
        old.rest.iter().find(|property| property.key == "num-ports").and_then(Property::text);
    let count = count
        .and_then(|count| count.to_string().trim().parse().ok())
        .unwrap_or(MAX_PORTS)
        .min(MAX_PORTS);
    let mut controller = old.clone();
    let known = controller.rest.iter().position(|property| property.key == "port");
    let at = known.unwrap_or_else(|| {
        controller.rest.push(Property { key: "port".into(), values: vec![] });
        controller.rest.len() - 1
    });
    let ports = &mut controller.rest[at].values;
    let mut places = HashMap::new();
    for (place, port) in ports.iter().enumerate() {
        if let Some(number) = port_number(port) {
            places.entry(number).or_insert(place);
        }
    }
    for port in new
        .rest
        .iter()
        .filter(|property| property.key == "port")
        .flat_map(|property| &property.values)
    {
        let number = port_number(port).filter(|number| (1..=count).contains(number));
        let number =
            number.ok_or_else(|| Invalid::new(format!("vusb port: 1 to {count} is expected")))?;
        if let Some(place) = places.get(&number) {
            ports[*place] = port.clone();
        } else {
            places.insert(number, ports.len());
            ports.push(port.clone());
        }
    }
    Ok(controller)
}

fn port_number(port: &Value) -> Option<u32> {
    let Value::List(items) = port else { return None };
    items.first()?.as_text()?.to_string().trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(key: &str, word: &str) -> Value {
        Value::List(vec![Value::text(key), Value::text(word)])
    }

    fn generic(class: &str, rest: Vec<Property>) -> Generic {
        Generic { class: class.to_owned(), id: None, uuid: None, rest }
    }

    #[test]
    fn units_come_and_go_in_one_change() {
        let unit = |at: &str, state: &str| Property {
            key: "dev".into(),
            values: vec![pair("v-dev", at), pair("state", state)],
        };
        let adapter = |units: Vec<Property>| {
            let other = [Property::new("feature-host", "0")];
            generic(SCSI, other.into_iter().chain(units).collect())
        };
        let old = adapter(vec![unit("0:0:0:0", "1"), unit("0:0:1:0", "1")]);
        let change =
            adapter(vec![unit("0:0:0:0", "5"), unit("0:0:0:0", "1"), unit("0:0:2:0", "1")]);
        let new = adapter(vec![unit("0:0:1:0", "1"), unit("0:0:0:0", "1"), unit("0:0:2:0", "1")]);
        assert_eq!(change_units(&old, &change).unwrap(), new);
        for refused in [unit("0:0:1:0", "1"), unit("0:0:9:0", "5"), unit("0:0:9:0", "2")] {
            assert!(change_units(&old, &adapter(vec![refused])).is_err());
        }
    }

    #[test]
    fn ports_are_set_by_their_numbers() {
        let controller = |ports: Vec<Value>| {
            let ports = Property { key: "port".into(), values: ports };
            generic(USB, vec![Property::new("num-ports", "3"), ports])
        };
        let old = controller(vec![pair("1", "1-1"), pair("2", "")]);
        let change = controller(vec![pair("2", "1-4"), pair("3", "1-5"), pair("3", "")]);
        let new = controller(vec![pair("1", "1-1"), pair("2", "1-4"), pair("3", "")]);
        assert_eq!(change_ports(&old, &change).unwrap(), new);
        assert!(change_ports(&old, &controller(vec![pair("4", "1-1")])).is_err());
    }
}

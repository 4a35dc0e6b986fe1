//! Devices that have parts, which come and go while the device stays: the functions of a PCI bus,
//! the units behind a SCSI adapter, the ports of a USB controller. xm 4.x and libvirt send a device
//! with the parts that change alone.

use crate::core::error::Error;
use crate::core::model::{Device, Generic, Invalid, PciDevice, Property, Value};

pub(super) const SCSI: &str = "vscsi";
pub(super) const USB: &str = "vusb";

/// The most ports that a USB controller has.
const MOST_PORTS: u32 = 31;

/// The states of `XenBus`, as xm writes them on a SCSI unit.
const INITIALISING: &[u8] = b"1";
const CLOSING: &[u8] = b"5";

/// Whether a change brings parts rather than taking some away.
pub(super) fn brings_some(change: &Device) -> bool {
    match change {
        Device::Pci(pci) => !pci.functions.is_empty() && state_of(pci) == b"Initialising",
        Device::Generic(generic) if generic.class == SCSI => {
            lines(generic).next().is_some_and(|line| {
                line.child("state").is_none_or(|state| state.as_slice() == INITIALISING)
            })
        }
        _ => false,
    }
}

fn state_of(pci: &PciDevice) -> &[u8] {
    let state = pci.rest.iter().find(|property| property.key == "state").and_then(Property::text);
    state.map_or(&b"Initialising"[..], |state| state.as_slice())
}

/// What becomes of PCI functions when `(state Initialising)` brings some and `(state Closing)`
/// takes some away.
pub(super) fn functions(old: &PciDevice, new: PciDevice) -> Result<PciDevice, Error> {
    let mut device = old.clone();
    match state_of(&new) {
        b"Closing" => {
            for gone in &new.functions {
                let at = device.functions.iter().position(|f| f.address == gone.address);
                let at = at.ok_or_else(|| Error::NotConnected(gone.address.to_string()))?;
                device.functions.remove(at);
            }
        }
        b"Initialising" => {
            for function in new.functions {
                if device.functions.iter().any(|f| f.address == function.address) {
                    let reason = format!("The device \"{}\" is already defined", function.address);
                    return Err(Invalid::new(reason).into());
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

/// The lists `(dev (p-dev 1:0:0:0) (v-dev 0:0:0:0) ...)` of a SCSI adapter.
fn lines(adapter: &Generic) -> impl Iterator<Item = &Property> {
    adapter.rest.iter().filter(|property| property.key == "dev")
}

/// The number of a SCSI adapter, which its units carry.
pub(super) fn adapter(device: &Device) -> Option<u32> {
    let Device::Generic(generic) = device else { return None };
    let number = lines(generic).next().and_then(|line| line.child("devid"));
    number.and_then(|number| number.to_string().trim().parse().ok()).or(generic.id)
}

/// Whether an adapter has units left.
pub(super) fn has_units(adapter: &Generic) -> bool {
    lines(adapter).next().is_some()
}

/// What becomes of an adapter's units when some come (state 1) and some go (state 5).
pub(super) fn units(old: &Generic, new: &Generic) -> Result<Generic, Error> {
    let mut adapter = old.clone();
    for line in lines(new) {
        let at = line
            .child("v-dev")
            .ok_or_else(|| Invalid::new("vscsi dev: v-dev is missing, like 0:0:0:0"))?;
        let same =
            |property: &Property| property.key == "dev" && property.child("v-dev") == Some(at);
        let found = adapter.rest.iter().position(same);
        match (line.child("state").map_or(INITIALISING, |state| state.as_slice()), found) {
            (INITIALISING, None) => adapter.rest.push(line.clone()),
            (INITIALISING, Some(_)) => {
                return Err(Invalid::new(format!(
                    "The virtual device \"{at}\" is already defined"
                ))
                .into());
            }
            (CLOSING, Some(found)) => drop(adapter.rest.remove(found)),
            (CLOSING, None) => return Err(Error::NotConnected(at.to_string())),
            (other, _) => {
                let reason =
                    format!("vscsi state: {:?} is neither 1 nor 5", bstr::BStr::new(other));
                return Err(Invalid::new(reason).into());
            }
        }
    }
    Ok(adapter)
}

/// What becomes of a controller's ports, `(port (1 1-1) (2 ''))`: a port without a bus is empty.
pub(super) fn ports(old: &Generic, new: &Generic) -> Result<Generic, Error> {
    let count =
        old.rest.iter().find(|property| property.key == "num-ports").and_then(Property::text);
    let count = count
        .and_then(|count| count.to_string().trim().parse().ok())
        .unwrap_or(MOST_PORTS)
        .min(MOST_PORTS);
    let mut controller = old.clone();
    let known = controller.rest.iter().position(|property| property.key == "port");
    let at = known.unwrap_or_else(|| {
        controller.rest.push(Property { key: "port".into(), values: vec![] });
        controller.rest.len() - 1
    });
    let ports = &mut controller.rest[at].values;
    for port in new
        .rest
        .iter()
        .filter(|property| property.key == "port")
        .flat_map(|property| &property.values)
    {
        let number = number_of(port).filter(|number| (1..=count).contains(number));
        let number =
            number.ok_or_else(|| Invalid::new(format!("vusb port: 1 to {count} is expected")))?;
        match ports.iter_mut().find(|one| number_of(one) == Some(number)) {
            Some(one) => *one = port.clone(),
            None => ports.push(port.clone()),
        }
    }
    Ok(controller)
}

fn number_of(port: &Value) -> Option<u32> {
    let Value::List(items) = port else { return None };
    items.first()?.as_text()?.to_string().trim().parse().ok()
}

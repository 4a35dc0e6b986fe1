//! Devices as libxl's JSON.

use super::ffi::LibxlDeviceType;
use crate::core::error::Error;
use crate::core::model::{
    Block, BlockKind, BlockMode, Device, Invalid, Password, PciFunction, Property, Vif,
};
use serde_json::{Value, json};

/// The devices of libxl's that a device of ours becomes: none for a console, which libxl makes by
/// itself, and one for each function of a PCI device. `vnc_password` is the host's.
pub(super) fn to_json(
    device: &Device,
    vnc_password: Option<&Password>,
) -> Result<Vec<(LibxlDeviceType, Value)>, Error> {
    match device {
        Device::Block(block) => Ok(vec![(LibxlDeviceType::Disk, disk(block)?)]),
        Device::Vif(interface) => Ok(vec![(LibxlDeviceType::Nic, nic(interface))]),
        Device::Vfb(frame_buffer) => {
            let mut vfb = json!({
                "devid": frame_buffer.id.unwrap_or(0),
                "vnc": vnc(&frame_buffer.rest, vnc_password),
            });
            if let Some(keymap) = setting(&frame_buffer.rest, "keymap").filter(|s| !s.is_empty()) {
                vfb["keymap"] = keymap.into();
            }
            Ok(vec![(LibxlDeviceType::Vfb, vfb)])
        }
        Device::Vkbd(keyboard) => {
            Ok(vec![(LibxlDeviceType::Vkb, json!({ "devid": keyboard.id.unwrap_or(0) }))])
        }
        Device::Pci(device) => {
            let functions = device.functions.iter();
            Ok(functions.map(|function| (LibxlDeviceType::Pci, pci(function))).collect())
        }
        Device::Console(_) => Ok(vec![]),
        Device::Generic(other) => {
            let reason = format!("Today's Xen has no devices of the class {}", other.class);
            Err(Error::Unsupported(reason))
        }
    }
}

/// The list of a `libxl_domain_config` that has the devices of a class.
pub(super) fn list_name(class: LibxlDeviceType) -> &'static str {
    match class {
        LibxlDeviceType::Disk => "disks",
        LibxlDeviceType::Nic => "nics",
        LibxlDeviceType::Vfb => "vfbs",
        LibxlDeviceType::Vkb => "vkbs",
        LibxlDeviceType::Pci => "pcidevs",
    }
}

/// libxl's `libxl_defbool`.
pub(super) fn defbool(on: bool) -> Value {
    if on { "True" } else { "False" }.into()
}

/// The value of a key, if it is a single word.
pub(super) fn setting(properties: &[Property], key: &str) -> Option<String> {
    let property = properties.iter().find(|property| property.key == key);
    property.and_then(Property::text).map(ToString::to_string)
}

/// A PCI function: libxl has no devices of several functions.
fn pci(function: &PciFunction) -> Value {
    let address = function.address;
    json!({
        "domain": address.domain, "bus": address.bus, "dev": address.slot, "func": address.func,
    })
}

/// blkback serves `phy:` and `file:`, and finds out by itself which of the two a path is. QEMU
/// serves the formats that the kernel does not know. Any other type names a hotplug script.
pub(super) fn disk(block: &Block) -> Result<Value, Error> {
    let (types, path) = block.source();
    let mut script = None;
    let format = match types.as_slice() {
        [] => "empty",
        [.., "qcow"] => "qcow",
        [.., "qcow2"] => "qcow2",
        [.., "vhd"] => "vhd",
        ["phy" | "file" | "tap" | "tap2" | "aio"] | ["tap" | "tap2", .., "aio" | "sync"] => "raw",
        ["tap" | "tap2", .., kind] => {
            let reason = format!("Block device type \"tap:{kind}\" is not served by today's Xen");
            return Err(Invalid::new(reason).into());
        }
        [kind, ..] => {
            script = Some(format!("block-{kind}"));
            "raw"
        }
    };
    let mut path = String::from_utf8_lossy(path).into_owned();
    if types.first() == Some(&"phy") && !path.starts_with('/') {
        path.insert_str(0, "/dev/");
    }
    let mut disk = json!({
        "vdev": block.dev,
        "format": format,
        "readwrite": u8::from(block.mode != BlockMode::ReadOnly),
        "is_cdrom": u8::from(block.kind == BlockKind::Cdrom),
        "removable": u8::from(block.kind == BlockKind::Cdrom),
    });
    if format != "empty" {
        disk["pdev_path"] = path.into();
    }
    if ["qcow", "qcow2", "vhd"].contains(&format) {
        disk["backend"] = "qdisk".into();
    } else if script.is_some() || (format == "raw" && block.kind == BlockKind::Disk) {
        disk["backend"] = "phy".into();
    }
    if let Some(script) = script {
        disk["script"] = script.into();
    }
    if let Some(backend) = block.backend.as_ref().filter(|backend| !backend.is_dom0()) {
        disk["backend_domname"] = backend.0.to_string().into();
    }
    Ok(disk)
}

fn nic(vif: &Vif) -> Value {
    let mut nic = json!({ "devid": vif.id.unwrap_or(0) });
    for (key, value) in [
        ("mac", vif.mac.map(|mac| mac.to_string())),
        ("bridge", vif.bridge.as_ref().map(ToString::to_string)),
        ("script", vif.script.as_ref().map(ToString::to_string)),
        ("ip", vif.ip.as_ref().map(ToString::to_string)),
        ("model", setting(&vif.rest, "model")),
        ("ifname", setting(&vif.rest, "vifname")),
    ] {
        if let Some(value) = value {
            nic[key] = value.into();
        }
    }
    if let Some(backend) = vif.backend.as_ref().filter(|backend| !backend.is_dom0()) {
        nic["backend_domname"] = backend.0.to_string().into();
    }
    match setting(&vif.rest, "type").as_deref() {
        Some("ioemu") => nic["nictype"] = "vif_ioemu".into(),
        Some("netfront" | "vif") => nic["nictype"] = "vif".into(),
        _ => {}
    }
    nic
}

/// The VNC server of a screen. The screen's own password counts even if it is empty; without one it
/// has the host's.
pub(super) fn vnc(properties: &[Property], host_password: Option<&Password>) -> Value {
    let get = |key: &str| setting(properties, key);
    let on = get("vnc").is_some_and(|value| value != "0")
        || get("type").is_some_and(|kind| kind == "vnc");
    let mut vnc = json!({ "enable": defbool(on) });
    for (key, name) in [("vnclisten", "listen"), ("vncpasswd", "passwd")] {
        if let Some(value) = get(key) {
            vnc[name] = value.into();
        }
    }
    if let (None, Some(password)) = (get("vncpasswd"), host_password) {
        vnc["passwd"] = password.reveal().to_string().into();
    }
    if let Some(display) = get("vncdisplay").and_then(|display| display.parse::<u32>().ok()) {
        vnc["display"] = display.into();
    }
    if let Some(unused) = get("vncunused") {
        vnc["findunused"] = defbool(unused != "0");
    }
    vnc
}

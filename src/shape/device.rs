//! Devices: `(device (vbd ...))`.

use super::error::ShapeError;
use super::fields::Fields;
use super::record::{RecordKind, properties};
use super::sink::Sink;
use crate::core::model::{
    Backend, Block, BlockClass, BlockKind, BlockMode, Console, Device, Generic, Image, Invalid,
    PciAddress, PciDevice, PciFunction, Property, Text, Unit, Uuid, Vfb, Vif, VirtualDevice, Vkbd,
    parse_uuid,
};
use crate::sxp::Sxp;

/// Directory of Xen's hotplug scripts, which applies to a script name without a path.
const SCRIPTS: &str = "/etc/xen/scripts/";

/// Image keys that described the frame buffer before it was a device.
const VFB_KEYS: [&str; 11] = [
    "vnc",
    "sdl",
    "opengl",
    "vncdisplay",
    "vnclisten",
    "vncunused",
    "vncpasswd",
    "display",
    "xauthority",
    "keymap",
    "type",
];

/// Reads a device: `(vbd (uname phy:/dev/vg0/a) (dev sda1) (mode w))`. `None` for a device that
/// xend adds by itself and prints in its answers.
pub(super) fn read_device(device: &Sxp) -> Result<Option<Device>, ShapeError> {
    let Some(class) = device.head() else {
        return Err(ShapeError::new(
            "device",
            "a list like (vbd (uname phy:/dev/vg0/a) (dev sda1)) is expected",
            device,
        ));
    };
    if class == "pci" {
        return pci(device).map(|pci| Some(Device::Pci(pci)));
    }
    // Checked first, so that the error for `(vncpasswd secret)` is about the class.
    let unknown = || ShapeError::new("device", format!("{class} not a valid device type"), device);
    if !Device::is_class(class) {
        return Err(unknown());
    }
    let mut fields = Fields::new(class, device.tail())?;
    // Keys of answers only.
    fields.drop_keys(&["protocol_version", "location", "handle", "vfb_uuid"]);
    let id = devid(&mut fields)?;
    let uuid = fields.checked("uuid", parse_uuid)?;
    let device = match class {
        "vbd" => Device::Block(block(BlockClass::Vbd, uuid, fields, device)?),
        "tap" => Device::Block(block(BlockClass::Tap, uuid, fields, device)?),
        "tap2" => Device::Block(block(BlockClass::Tap2, uuid, fields, device)?),
        "vif" => Device::Vif(Vif {
            mac: fields.parse("mac")?,
            bridge: fields.optional_text("bridge")?,
            script: fields.optional_text("script")?,
            ip: fields.optional_text("ip")?,
            backend: backend(&mut fields)?,
            uuid,
            id,
            rest: fields.rest(),
        }),
        "vfb" => {
            // libvirt and xm send `(type vnc)`, which xend turns into `(vnc 1)`.
            let kind = fields.optional_text("type")?;
            fields.drop_keys(&["backend"]);
            let mut rest = fields.rest();
            if let Some(kind) = kind.filter(|kind| !rest.iter().any(|p| p.key == *kind)) {
                rest.push(Property::new(kind, "1"));
            }
            Device::Vfb(Vfb { id, uuid, rest })
        }
        "vkbd" => {
            Device::Vkbd(Vkbd { backend: backend(&mut fields)?, uuid, id, rest: fields.rest() })
        }
        "console" => {
            let protocol = fields.optional_text("protocol")?.unwrap_or_else(|| "vt100".into());
            Device::Console(Console { protocol, uuid, id, rest: fields.rest() })
        }
        other if Device::GENERIC.contains(&other) => {
            Device::Generic(Generic { class: other.to_owned(), uuid, id, rest: fields.rest() })
        }
        _ => return Err(unknown()),
    };
    Ok(Some(device))
}

fn block(
    class: BlockClass,
    uuid: Option<Uuid>,
    mut fields: Fields<'_>,
    at: &Sxp,
) -> Result<Block, ShapeError> {
    let Some(dev) = fields.checked("dev", |text| Ok(text.to_owned()))? else {
        return Err(ShapeError::new(
            fields.name("dev"),
            "missing, give the device's name in the guest, like xvda",
            at,
        ));
    };
    let (name, kind) = split_device_name(&dev)
        .map_err(|reason| ShapeError::new(fields.name("dev"), reason, at))?;
    let number = VirtualDevice::parse(name)
        .map_err(|reason| ShapeError::new(fields.name("dev"), reason, at))?;
    let uname_word = fields.word("uname")?;
    let uname = uname_word.and_then(Sxp::as_bytes).unwrap_or_default();
    Block::check_uname(uname, kind).map_err(|reason| {
        ShapeError::new(fields.name("uname"), reason, uname_word.unwrap_or(at))
    })?;
    // A key of answers only.
    fields.drop_keys(&["protocol"]);
    let vdi = fields.optional_text("VDI")?.and_then(|text| parse_uuid(&text.to_string()).ok());
    let mode = fields.parse::<BlockMode>("mode")?.unwrap_or(BlockMode::ReadOnly);
    let bootable = fields.number("bootable", Unit::Plain, 0..=1)?.map(|n| n == 1);
    let backend = backend(&mut fields)?;
    let mut rest = fields.rest();
    // Answers have the usual driver; any other driver was configured.
    rest.retain(|property| {
        !(property.key == "driver" && property.text().is_some_and(|v| v == "paravirtualised"))
    });
    Ok(Block {
        class,
        uname: uname.into(),
        dev: name.to_owned(),
        number,
        kind,
        mode,
        bootable,
        backend,
        vdi,
        uuid,
        rest,
    })
}

/// Splits xend's prefix and suffix off a device name: `ioemu:hda`, `hda:disk`, `hdc:cdrom`.
fn split_device_name(dev: &str) -> Result<(&str, BlockKind), Invalid> {
    let dev = dev.strip_prefix("ioemu:").unwrap_or(dev);
    match dev.split_once(':') {
        None => Ok((dev, BlockKind::Disk)),
        Some((name, "disk")) => Ok((name, BlockKind::Disk)),
        Some((name, "cdrom")) => Ok((name, BlockKind::Cdrom)),
        Some((_, other)) => Err(Invalid::new(format!("{other:?} is neither disk nor cdrom"))),
    }
}

/// The number of a stored device. Some answers have it, too.
fn devid(fields: &mut Fields<'_>) -> Result<Option<u32>, ShapeError> {
    Ok(fields
        .number("devid", Unit::Plain, 0..=u64::from(u32::MAX))?
        .and_then(|id| u32::try_from(id).ok()))
}

fn backend(fields: &mut Fields<'_>) -> Result<Option<Backend>, ShapeError> {
    Ok(fields.optional_text("backend")?.map(Backend))
}

fn pci(device: &Sxp) -> Result<PciDevice, ShapeError> {
    let mut fields = Fields::new("pci", device.tail())?;
    let id = devid(&mut fields)?;
    let mut functions = Vec::new();
    let devs = fields.take_all("dev");
    // Before they are read: a text can have many more than a domain.
    PciDevice::check_count(devs.len()).map_err(|reason| ShapeError::whole(&reason, device))?;
    for dev in devs {
        let mut parts = Fields::new("pci dev", dev.tail())?;
        parts.drop_keys(&["uuid"]);
        let mut number = |key| parts.checked(key, pci_number);
        let missing =
            |key: &str| ShapeError::new(format!("pci dev {key}"), "missing, like 0x1b", dev);
        let domain = number("domain")?.unwrap_or(0);
        let bus = number("bus")?.ok_or_else(|| missing("bus"))?;
        let slot = number("slot")?.ok_or_else(|| missing("slot"))?;
        let address = PciAddress::new(domain, bus, slot, number("func")?.unwrap_or(0))
            .map_err(|reason| ShapeError::new("pci dev", reason, dev))?;
        functions.push(PciFunction { address, rest: parts.rest() });
    }
    Ok(PciDevice {
        functions,
        backend: backend(&mut fields)?,
        uuid: fields.checked("uuid", parse_uuid)?,
        id,
        rest: fields.rest(),
    })
}

/// Reads a hexadecimal number: `0x1b`, or `1b` as `lspci` prints it.
fn pci_number(text: &str) -> Result<u32, Invalid> {
    let digits = text.trim().strip_prefix("0x").unwrap_or(text.trim());
    u32::from_str_radix(digits, 16)
        .map_err(|_| Invalid::new(format!("{text:?} is not a hexadecimal number like 0x1b")))
}

/// The frame buffer of an image with `(vnc 1)` or `(sdl 1)`, unless there is a `vfb` device.
pub(super) fn implied_vfb(image: Option<&Image>, devices: &[Device]) -> Option<Device> {
    let image =
        image.filter(|image| ["vnc", "sdl", "opengl"].iter().any(|key| image.switched_on(key)))?;
    if devices.iter().any(|device| matches!(device, Device::Vfb(_))) {
        return None;
    }
    let wanted = |p: &&Property| {
        VFB_KEYS.iter().any(|key| p.key == *key)
            && p.text().is_some_and(|v| v != "0" && !v.is_empty())
    };
    Some(Device::Vfb(Vfb {
        rest: image.rest.iter().filter(wanted).cloned().collect(),
        ..Vfb::default()
    }))
}

/// Writes the record of a device: `(vif (mac ...) ...)`. `location` is the address of a console or
/// frame buffer.
pub(super) fn device(
    sink: &mut impl Sink,
    device: &Device,
    kind: RecordKind,
    bootable: Option<bool>,
    location: Option<&str>,
) {
    sink.begin_record(device.class());
    if let (RecordKind::Stored, Some(id), None) = (kind, device.id(), device.as_block()) {
        sink.uint_field("devid", id);
    }
    let running = matches!(kind, RecordKind::Running { .. });
    match device {
        Device::Block(block) => {
            if kind == (RecordKind::Running { pv: true }) {
                sink.text_field("protocol", b"x86_64-abi");
            }
            uuid_field(sink, block.uuid);
            if let Some(bootable) = bootable {
                sink.uint_field("bootable", bootable);
            }
            if kind == RecordKind::Configured && !block.rest.iter().any(|p| p.key == "driver") {
                sink.text_field("driver", b"paravirtualised");
            }
            let suffix = if running || block.kind == BlockKind::Cdrom {
                format!(":{}", block.kind.name())
            } else {
                String::new()
            };
            sink.text_field("dev", format!("{}{suffix}", block.dev).as_bytes());
            if !block.uname.is_empty() {
                sink.text_field("uname", &block.uname);
            }
            sink.text_field("mode", block.mode.name().as_bytes());
            backend_field(sink, block.backend.as_ref(), running);
            match block.vdi {
                Some(vdi) => sink.text_field("VDI", vdi.to_string().as_bytes()),
                None if running => sink.text_field("VDI", b""),
                None => {}
            }
            properties(sink, &block.rest, kind);
        }
        Device::Vif(vif) => {
            optional_field(sink, "bridge", vif.bridge.as_ref());
            uuid_field(sink, vif.uuid);
            script_field(sink, vif.script.as_ref(), running);
            optional_field(sink, "ip", vif.ip.as_ref());
            if let Some(mac) = vif.mac {
                sink.text_field("mac", mac.to_string().as_bytes());
            }
            properties(sink, &vif.rest, kind);
            backend_field(sink, vif.backend.as_ref(), running);
        }
        Device::Vfb(vfb) => {
            properties(sink, &vfb.rest, kind);
            if let Some(location) = location {
                sink.text_field("location", location.as_bytes());
            }
            uuid_field(sink, vfb.uuid);
        }
        Device::Vkbd(vkbd) => {
            if !running {
                uuid_field(sink, vkbd.uuid);
            }
            backend_field(sink, vkbd.backend.as_ref(), running);
            properties(sink, &vkbd.rest, kind);
        }
        Device::Pci(pci) => {
            pci_fields(sink, pci, kind);
        }
        Device::Console(console) => {
            sink.text_field("protocol", &console.protocol);
            if let Some(location) = location {
                sink.text_field("location", location.as_bytes());
            }
            uuid_field(sink, console.uuid);
            properties(sink, &console.rest, kind);
        }
        Device::Generic(generic) => {
            uuid_field(sink, generic.uuid);
            properties(sink, &generic.rest, kind);
        }
    }
    sink.end_record();
}

fn pci_fields(sink: &mut impl Sink, pci: &PciDevice, kind: RecordKind) {
    sink.begin_many("dev");
    for function in &pci.functions {
        sink.begin_fields_item("dev");
        for (key, number) in function.address.words() {
            sink.text_field(key, number.as_bytes());
        }
        properties(sink, &function.rest, kind);
        sink.end_fields_item();
    }
    sink.end_many();
    uuid_field(sink, pci.uuid);
    backend_field(sink, pci.backend.as_ref(), matches!(kind, RecordKind::Running { .. }));
    properties(sink, &pci.rest, kind);
}

fn uuid_field(sink: &mut impl Sink, uuid: Option<Uuid>) {
    if let Some(uuid) = uuid {
        sink.uuid_field("uuid", &uuid);
    }
}

fn optional_field(sink: &mut impl Sink, key: &str, text: Option<&Text>) {
    if let Some(text) = text {
        sink.text_field(key, text);
    }
}

fn script_field(sink: &mut impl Sink, script: Option<&Text>, running: bool) {
    match script {
        Some(script) if !running || script.contains(&b'/') => sink.text_field("script", script),
        Some(script) => sink.text_field("script", &[SCRIPTS.as_bytes(), script].concat()),
        None if running => sink.text_field("script", format!("{SCRIPTS}vif-bridge").as_bytes()),
        None => {}
    }
}

/// A device of a running guest always has a backend; Domain-0 is the default.
fn backend_field(sink: &mut impl Sink, backend: Option<&Backend>, running: bool) {
    match backend {
        Some(backend) if running && backend.is_dom0() => sink.digits_field("backend", "0"),
        Some(backend) => sink.text_field("backend", &backend.0),
        None if running => sink.digits_field("backend", "0"),
        None => {}
    }
}

//! Disks.

use crate::element::Element;
use crate::error::Fault;
use crate::kind::Kind;
use crate::tree;
use crate::values::fault;
use xend_sxp::Sxp;

/// The devices of all disks but the floppies of an HVM guest, which are in its image.
pub(crate) fn disks(
    devices: &Element,
    kind: Kind,
    fields: &mut Vec<Sxp>,
    warnings: &mut Vec<Fault>,
) -> Result<(), Fault> {
    for disk in devices.all("disk") {
        if kind == Kind::Hvm && disk.is("device", "floppy") {
            continue;
        }
        let source = disk.child("source");
        if source.is_some_and(|source| path_of(source).is_none()) {
            disk.ignore();
            let reason = "only files and block devices are supported, the disk is left out";
            warnings.push(fault(disk, reason));
            continue;
        }
        fields.push(device(disk)?);
    }
    Ok(())
}

fn device(disk: &Element) -> Result<Sxp, Fault> {
    let is_cdrom = disk.is("device", "cdrom");
    let Some(target) = disk.attribute_of("target", "dev") else {
        return Err(fault(disk, "<target dev='...'/> is expected"));
    };
    let dev = if is_cdrom && !target.contains(':') {
        format!("{target}:cdrom")
    } else {
        target.to_owned()
    };
    let uname = uname(disk);
    let class = match &uname {
        Some(uname) if uname.starts_with("tap2:") => "tap2",
        Some(uname) if uname.starts_with("tap:") => "tap",
        _ => "vbd",
    };
    let mut fields = vec![tree::field("dev", dev, disk.offset)];
    fields.extend(uname.map(|uname| tree::field("uname", uname, disk.offset)));
    let mode = if disk.child("readonly").is_some() || is_cdrom {
        "r"
    } else if disk.child("shareable").is_some() {
        "w!"
    } else {
        "w"
    };
    fields.push(tree::field("mode", mode, disk.offset));
    if let Some(backend) = disk.attribute_of("backenddomain", "name") {
        fields.push(tree::field("backend", backend, disk.offset));
    }
    Ok(tree::device(class, fields, disk.offset))
}

/// The path of a file or device.
fn path_of(source: &Element) -> Option<&str> {
    source.attribute("file").or_else(|| source.attribute("dev"))
}

/// xend's words for the source; `None` for an empty drive.
fn uname(disk: &Element) -> Option<String> {
    let driver = disk.child("driver");
    let format = driver.and_then(|driver| driver.attribute("type")).unwrap_or("raw");
    let path = path_of(disk.child("source")?)?;
    let kind = match driver.and_then(|driver| driver.attribute("name")) {
        Some(name @ ("tap" | "tap2")) => {
            format!("{name}:{}", if format == "raw" { "aio" } else { format })
        }
        // The driver of libvirt for libxl, which xend does not know by name.
        None | Some("qemu") if format != "raw" => format!("tap:{format}"),
        None | Some("qemu") if disk.is("type", "block") => "phy".to_owned(),
        None | Some("qemu") => "file".to_owned(),
        Some(name) => name.to_owned(),
    };
    // xend looks for devices in /dev, libvirt spells that out.
    let is_relative = kind == "phy" && !path.starts_with('/');
    Some(format!("{kind}:{}{path}", if is_relative { "/dev/" } else { "" }))
}

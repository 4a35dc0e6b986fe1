//! `devices`, `device_create`, `device_configure`, `device_destroy`

use super::table::{Asked, EVERYWHERE, Operation, Param, Success, Takes, needed, optional};
use crate::core::model::{Device, Invalid};
use crate::core::op::{DeviceRef, DomainOp, Query};
use crate::shape;
use crate::sxp::{Limits, read_first};
use crate::wire::http::params::flag;
use serde::Deserialize;

/// What xm 3.0 to 4.4 and libvirt ask for.
const CLASSES: &[&str] =
    &["vbd", "tap", "tap2", "vif", "vfb", "vkbd", "pci", "console", "vusb", "vscsi", "vtpm"];

const CLASS: Param = needed("type", Takes::Word(CLASSES), "The class of device", "vbd");

const DEV: Param = needed(
    "dev",
    Takes::Text("a name like xvda, sda1, hdc, or a number"),
    "Which device of the class; only block devices have names",
    "xvdb",
);

const EXAMPLE: &str = "(vbd (uname phy:/dev/vg0/data) (dev xvdb) (mode w))";

pub(super) static DEVICES: Operation = Operation {
    name: "devices",
    label: "Show devices",
    about: "Lists the devices of a class with their states, as XenStore shows them; those of a domain that is not on the \
            host as they are defined.",
    when: &EVERYWHERE,
    loses: None,
    params: &[CLASS],
    success: Success::Answer,
    op: |asked| {
        let Devices { class } = asked.params.request()?;
        Device::check_class(&class)?;
        Ok(Query::Devices(asked.target(), class).into())
    },
};

pub(super) static CREATE: Operation = Operation {
    name: "device_create",
    label: "Plug in a device",
    about: "Plugs a device in and waits until it is connected. One that does not get connected is taken away again.",
    when: &EVERYWHERE,
    loses: None,
    params: &[needed("config", Takes::Config("a device"), "The device", EXAMPLE)],
    success: Success::Answer,
    op: |asked| asked.domain(DomainOp::AttachDevice(Box::new(device(asked)?))),
};

pub(super) static CONFIGURE: Operation = Operation {
    name: "device_configure",
    label: "Change a device",
    about: "Changes the medium of a CD-ROM drive; or, with (pci (dev ...) (state Initialising)) or (state Closing), the \
            functions of a PCI device.",
    when: &EVERYWHERE,
    loses: None,
    params: &[
        needed(
            "config",
            Takes::Config("a device"),
            "What the device is to be",
            "(vbd (uname file:/srv/cd.iso) (dev hdc:cdrom) (mode r))",
        ),
        DEV,
    ],
    success: Success::Empty,
    op: |asked| {
        let Configure { dev } = asked.params.request()?;
        let to = device(asked)?;
        let device = DeviceRef::parse(to.class(), &dev)?;
        asked.domain(DomainOp::ConfigureDevice { device, to: Box::new(to) })
    },
};

pub(super) static DESTROY: Operation = Operation {
    name: "device_destroy",
    label: "Unplug a device",
    about: "Unplugs a device.",
    when: &EVERYWHERE,
    loses: None,
    params: &[
        CLASS,
        DEV,
        optional("force", Takes::Flag, "0", "Whether the guest is not asked to let go of it", "0"),
        optional(
            "rm_cfg",
            Takes::Flag,
            "1",
            "Whether a managed domain is to be without it when it next starts, too",
            "1",
        ),
    ],
    success: Success::Empty,
    op: |asked| {
        let Destroy { class, dev, force, rm_cfg } = asked.params.request()?;
        Device::check_class(&class)?;
        let device = DeviceRef::parse(&class, &dev)?;
        asked.domain(DomainOp::DetachDevice { class, device, force, forget: rm_cfg })
    },
};

#[derive(Debug, Deserialize)]
struct Devices {
    #[serde(rename = "type")]
    class: String,
}

#[derive(Debug, Deserialize)]
struct Configure {
    dev: String,
}

/// xm 3.0.0 sends neither `force` nor `rm_cfg`.
#[derive(Debug, Deserialize)]
struct Destroy {
    #[serde(rename = "type")]
    class: String,
    dev: String,
    #[serde(default, deserialize_with = "flag")]
    force: bool,
    #[serde(default = "yes", deserialize_with = "flag")]
    rm_cfg: bool,
}

fn yes() -> bool {
    true
}

fn device(asked: &Asked<'_>) -> Result<Device, Invalid> {
    let text = asked.params.one("config")?;
    let invalid = |reason: String| Invalid::new(format!("Invalid value for config: {reason}"));
    let sxp =
        read_first(text, &Limits::default()).map_err(|error| invalid(format!("{error:#}")))?;
    // In a domain's configuration a device has a wrapper, here it has none: whoever sends one means
    // the same.
    let inner = match sxp.tail() {
        [one] if sxp.head() == Some("device") => one,
        _ => &sxp,
    };
    let mut device = shape::read_device(inner)
        .map_err(|error| {
            let (line, column) = error.position(text);
            invalid(format!("line {line}, column {column}: {error}"))
        })?
        .ok_or_else(|| invalid("xend makes such a device by itself".to_owned()))?;
    device.forget_id();
    Ok(device)
}

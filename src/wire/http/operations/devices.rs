//! `devices`, `device_create`, `device_configure`, `device_destroy`.

use crate::core::model::{Device, Invalid};
use crate::core::op::{DeviceRef, DomainOp};
use crate::core::rights::OpKind;
use crate::shape;
use crate::sxp::Sxp;
use crate::wire::http::engine_request::Query;
use crate::wire::http::operation::{
    ANY_STAGE, AnswerType, ConfigKind, Operation, OperationRequest, Param, ParamKind, Success,
    optional, required,
};
use crate::wire::http::params::{bad_value, flag};
use serde::Deserialize;

/// The classes that xm 3.0 to 4.4 and libvirt ask for.
const CLASSES: &[&str] =
    &["vbd", "tap", "tap2", "vif", "vfb", "vkbd", "pci", "console", "vusb", "vscsi", "vtpm"];

const CLASS: Param = required("type", ParamKind::Word(CLASSES), "Device class", "vbd");

const DEV: Param = required(
    "dev",
    ParamKind::Text("a name such as xvda or hdc, or a number"),
    "Device within the class; only block devices have names",
    "xvdb",
);

const EXAMPLE: &str = "(vbd (uname phy:/dev/vg0/data) (dev xvdb) (mode w))";

pub(super) static DEVICES: Operation = Operation {
    name: "devices",
    label: "Show devices",
    about: "Lists the devices of a class with their states in XenStore. For a domain that is not \
            on the host, lists its defined devices.",
    kinds: &[OpKind::ShowDevices],
    stages: &ANY_STAGE,
    data_loss: None,
    params: &[CLASS],
    success: Success::Answer(AnswerType::Devices),
    build: |request| {
        let ListDevices { class } = request.params.parse()?;
        Device::check_class(&class)?;
        Ok(Query::Devices(request.domain(), class).into())
    },
};

pub(super) static CREATE: Operation = Operation {
    name: "device_create",
    label: "Attach device",
    about: "Attaches a device and waits until it is connected. If it does not connect, it is \
            removed again.",
    kinds: &[OpKind::AttachDevice],
    stages: &ANY_STAGE,
    data_loss: None,
    params: &[required(
        "config",
        ParamKind::Config(ConfigKind::Device),
        "The device's configuration",
        EXAMPLE,
    )],
    success: Success::Answer(AnswerType::Attached),
    build: |request| request.change(DomainOp::AttachDevice(Box::new(parse_device(request)?))),
};

pub(crate) static CONFIGURE: Operation = Operation {
    name: "device_configure",
    label: "Change device",
    about: "Changes the medium of a CD-ROM drive, or with (pci (dev ...) (state Initialising)) or \
            (state Closing) the functions of a PCI device.",
    kinds: &[OpKind::ChangeMedium, OpKind::ConfigureDevice],
    stages: &ANY_STAGE,
    data_loss: None,
    params: &[
        required(
            "config",
            ParamKind::Config(ConfigKind::Device),
            "The device's new configuration",
            "(vbd (uname file:/srv/cd.iso) (dev hdc:cdrom) (mode r))",
        ),
        Param { example: "hdc", ..DEV },
    ],
    success: Success::Empty,
    build: |request| {
        let ConfigureDevice { dev } = request.params.parse()?;
        let to = parse_device(request)?;
        let device = DeviceRef::parse(to.class(), &dev)?;
        request.change(DomainOp::ConfigureDevice { device, to: Box::new(to) })
    },
};

pub(crate) static DESTROY: Operation = Operation {
    name: "device_destroy",
    label: "Detach device",
    about: "Detaches a device.",
    kinds: &[OpKind::DetachDevice],
    stages: &ANY_STAGE,
    data_loss: None,
    params: &[
        CLASS,
        DEV,
        optional(
            "force",
            ParamKind::Flag,
            "0",
            "Detach it even if the guest does not release it",
            "0",
        ),
        optional(
            "rm_cfg",
            ParamKind::Flag,
            "1",
            "Also remove it from the domain's definition",
            "1",
        ),
    ],
    success: Success::Empty,
    build: |request| {
        let DestroyDevice { class, dev, force, rm_cfg } = request.params.parse()?;
        Device::check_class(&class)?;
        let device = DeviceRef::parse(&class, &dev)?;
        request.change(DomainOp::DetachDevice { class, device, force, forget: rm_cfg })
    },
};

#[derive(Debug, Deserialize)]
struct ListDevices {
    #[serde(rename = "type")]
    class: String,
}

#[derive(Debug, Deserialize)]
struct ConfigureDevice {
    dev: String,
}

/// xm 3.0.0 sends neither `force` nor `rm_cfg`.
#[derive(Debug, Deserialize)]
struct DestroyDevice {
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

fn parse_device(request: &OperationRequest<'_>) -> Result<Device, Invalid> {
    let device = request
        .config(|sxp| shape::read_device(unwrap_device(sxp)), |error| bad_value("config", error))?;
    let mut device =
        device.ok_or_else(|| bad_value("config", "xend makes such a device by itself"))?;
    device.clear_id();
    Ok(device)
}

/// The device itself of `(device (vbd ...))`, which is the form that devices have in a domain's
/// configuration.
fn unwrap_device(sxp: &Sxp) -> &Sxp {
    match sxp.tail() {
        [device] if sxp.head() == Some("device") => device,
        _ => sxp,
    }
}

//! Devices: attach, change, detach, list.

use super::device_list;
use super::function::{Function, Plan, Refusal, on_domain};
use crate::core::model::{Device, Generic, Invalid, VirtualDevice};
use crate::core::op::{DeviceRef, DomainOp};
use crate::shape;
use crate::wire::xmlrpc::args::Args;
use crate::wire::xmlrpc::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "xend.domain.device_create",
        params: &["dom", "config"],
        required: 2,
        plan: |args, _| {
            Ok(Plan::record(on_domain(args, DomainOp::AttachDevice(Box::new(device(args)?)))?))
        },
    },
    Function {
        name: "xend.domain.device_configure",
        params: &["dom", "config", "dev"],
        required: 2,
        plan: |args, _| {
            let to = device(args)?;
            let dev = match (args.optional_text(2)?, &to) {
                (Some(dev), _) => dev,
                (None, Device::Block(block)) => block.dev.clone(),
                (None, Device::Generic(generic)) => adapter_number(generic),
                // A domain has one PCI device, with all functions.
                (None, _) => "0".to_owned(),
            };
            let device = DeviceRef::parse(to.class(), &dev)?;
            let op = DomainOp::ConfigureDevice { device, to: Box::new(to) };
            Ok(Plan::change(on_domain(args, op)?, |_| Value::Bool(true)))
        },
    },
    Function {
        name: "xend.domain.destroyDevice",
        params: &["dom", "class", "dev", "force", "rm_cfg"],
        required: 3,
        plan: |args, _| {
            let class = class(args)?;
            let device = DeviceRef::parse(&class, &args.text(2)?)?;
            // xm sends the string `-f`, or leaves it out.
            let force = args.flag(3, false)?;
            let forget = args.flag(4, false)?;
            Ok(Plan::none(on_domain(
                args,
                DomainOp::DetachDevice { class, device, force, forget },
            )?))
        },
    },
    Function {
        name: "xend.domain.getDeviceSxprs",
        params: &["dom", "class"],
        required: 2,
        plan: |args, _| device_list::list(args),
    },
    Function {
        name: "xend.domain.getBlockDeviceClass",
        params: &["dom", "dev"],
        required: 2,
        plan: |args, _| {
            let wanted = VirtualDevice::parse(args.text(1)?.trim());
            Plan::with_domain(args, move |domain| {
                let Ok(wanted) = wanted else { return Value::Nil };
                let mut blocks = domain.config.devices.iter().filter_map(Device::as_block);
                let found = blocks.find(|block| block.number == wanted);
                found.map_or(Value::Nil, |block| Value::text(block.class.name()))
            })
        },
    },
];

/// The number of a SCSI adapter. xm sends it with each unit only.
fn adapter_number(device: &Generic) -> String {
    let unit = device.rest.iter().find(|property| property.key == "dev");
    let number = unit.and_then(|unit| unit.child("devid"));
    number.map_or_else(|| "0".to_owned(), ToString::to_string)
}

fn class(args: &Args<'_>) -> Result<String, Refusal> {
    let class = args.text(1)?;
    Device::check_class(&class)?;
    Ok(class)
}

fn device(args: &Args<'_>) -> Result<Device, Refusal> {
    let tree = args.sxp(1)?;
    // The wrapper `(device ...)` belongs into a domain's configuration; here it is optional.
    let inner = match tree.tail() {
        [one] if tree.head() == Some("device") => one,
        _ => &tree,
    };
    let device =
        shape::read_device(inner).map_err(|error| Invalid::new(format!("config: {error}")))?;
    let mut device =
        device.ok_or_else(|| Invalid::new("config: xend creates such a device by itself"))?;
    device.clear_id();
    Ok(device)
}

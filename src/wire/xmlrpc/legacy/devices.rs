//! Devices.

use super::{Function, Refused, Work, device_list, looked_up, on};
use crate::core::model::{Device, Generic, Invalid, VirtualDevice};
use crate::core::op::{DeviceRef, DomainOp, Outcome};
use crate::shape;
use crate::wire::xmlrpc::args::Args;
use crate::wire::xmlrpc::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "xend.domain.device_create",
        takes: &["dom", "config"],
        needs: 2,
        make: |args, _| Ok(Work::shown(on(args, DomainOp::AttachDevice(Box::new(device(args)?)))?)),
    },
    Function {
        name: "xend.domain.device_configure",
        takes: &["dom", "config", "dev"],
        needs: 2,
        make: |args, _| {
            let to = device(args)?;
            let dev = match (args.optional_text(2)?, &to) {
                (Some(dev), _) => dev,
                (None, Device::Block(block)) => block.dev.clone(),
                (None, Device::Generic(generic)) => adapter(generic),
                // There is one PCI device with all functions.
                (None, _) => "0".to_owned(),
            };
            let device = DeviceRef::parse(to.class(), &dev)?;
            let op = DomainOp::ConfigureDevice { device, to: Box::new(to) };
            Ok(Work::of(on(args, op)?, |_| Value::Bool(true)))
        },
    },
    Function {
        name: "xend.domain.destroyDevice",
        takes: &["dom", "class", "dev", "force", "rm_cfg"],
        needs: 3,
        make: |args, _| {
            let class = class(args)?;
            let device = DeviceRef::parse(&class, &args.text(2)?)?;
            // xm sends `-f`, or nothing.
            let (force, forget) = (args.flag(3, false)?, args.flag(4, false)?);
            Ok(Work::silent(on(args, DomainOp::DetachDevice { class, device, force, forget })?))
        },
    },
    Function {
        name: "xend.domain.getDeviceSxprs",
        takes: &["dom", "class"],
        needs: 2,
        make: |args, _| device_list::list(args),
    },
    Function {
        name: "xend.domain.getBlockDeviceClass",
        takes: &["dom", "dev"],
        needs: 2,
        make: |args, _| {
            let wanted = VirtualDevice::parse(args.text(1)?.trim());
            looked_up(args, move |outcome| {
                let (Outcome::Domain(view), Ok(wanted)) = (outcome, wanted) else {
                    return Value::Nil;
                };
                let mut blocks = view.config.devices.iter().filter_map(Device::as_block);
                let found = blocks.find(|block| block.number == wanted);
                found.map_or(Value::Nil, |block| Value::text(block.class.name()))
            })
        },
    },
];

/// The number of a SCSI adapter, which xm sends with each of its units and nowhere else.
fn adapter(device: &Generic) -> String {
    let unit = device.rest.iter().find(|property| property.key == "dev");
    let number = unit.and_then(|unit| unit.child("devid"));
    number.map_or_else(|| "0".to_owned(), ToString::to_string)
}

fn class(args: &Args<'_>) -> Result<String, Refused> {
    let class = args.text(1)?;
    Device::check_class(&class)?;
    Ok(class)
}

fn device(args: &Args<'_>) -> Result<Device, Refused> {
    let tree = args.sxp(1)?;
    // In a domain's configuration a device has a wrapper, here it has none: whoever sends one means
    // the same.
    let inner = match tree.tail() {
        [one] if tree.head() == Some("device") => one,
        _ => &tree,
    };
    let device =
        shape::read_device(inner).map_err(|error| Invalid::new(format!("config: {error}")))?;
    let mut device =
        device.ok_or_else(|| Invalid::new("config: xend makes such a device by itself"))?;
    device.forget_id();
    Ok(device)
}

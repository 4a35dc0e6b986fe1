//! `xm usb-attach`, `usb-detach`, `usb-list`, `usb-hc-create`, `usb-hc-destroy`, `usb-add`,
//! `usb-del`, `usb-list-assignable-devices`.

use super::block::detach_device;
use super::device_list::{column, text_column};
use super::scsi::{listed, property};
use crate::cli::command::Command;
use crate::cli::option::JSON;
use crate::cli::words::{Words, invalid, number};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{print, print_json};
use crate::wire::xmlrpc::Value;
use serde::Serialize;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use xend_sxp::Sxp;

pub(super) static COMMANDS: [Command; 8] = [
    Command::new(
        "usb-attach",
        "<Domain> <DevId> <PortNumber> <BusId>",
        "Connect a USB device to a port of a domain.",
        (4, 4),
        |context, words| set_port(context, words, words.argument(3)),
    ),
    Command::new(
        "usb-detach",
        "<Domain> <DevId> <PortNumber>",
        "Disconnect a port of a domain.",
        (3, 3),
        |context, words| set_port(context, words, ""),
    ),
    Command::new("usb-list", "<Domain>", "List the USB ports of a domain.", (1, 1), list)
        .with(&[JSON]),
    Command::new(
        "usb-list-assignable-devices",
        "",
        "List the USB devices of this machine.",
        (0, 0),
        list_assignable,
    )
    .with(&[JSON]),
    Command::new(
        "usb-hc-create",
        "<Domain> <USBSpecVer> <NumberOfPorts>",
        "Give a domain a USB controller.",
        (3, 3),
        create_controller,
    ),
    Command::new(
        "usb-hc-destroy",
        "<Domain> <DevId>",
        "Take a USB controller from a domain.",
        (2, 2),
        |context, words| {
            detach_device(context, words.argument(0), "vusb", words.argument(1), false)
        },
    ),
    Command::new(
        "usb-add",
        "<Domain> <host:bus.addr|host:vendor_id:product_id>",
        "Connect a USB device to an HVM guest.",
        (2, 2),
        qemu_device,
    )
    .common(),
    Command::new(
        "usb-del",
        "<Domain> <host:bus.addr|host:vendor_id:product_id>",
        "Disconnect a USB device from an HVM guest.",
        (2, 2),
        qemu_device,
    )
    .common(),
];

/// The most ports of a controller.
const MAX_PORTS: u32 = 31;

fn text_array<const N: usize>(words: [&str; N]) -> Value {
    Value::Array(words.map(Value::text).into())
}

fn set_port(context: &Context, words: &Words, bus: &str) -> Result<(), Failure> {
    let port =
        number::<u32>("<PortNumber>", "the number of a port", words.argument(2))?.to_string();
    let port = Value::Array(vec![Value::text("port"), text_array([&port, bus])]);
    let config = Value::Array(vec![Value::text("vusb"), port]);
    let arguments = [Value::text(words.argument(0)), config, Value::text(words.argument(1))];
    context.gateway.call("xend.domain.device_configure", &arguments).map(drop)
}

fn create_controller(context: &Context, words: &Words) -> Result<(), Failure> {
    let meaning = format!("a number of ports from 1 to {MAX_PORTS}");
    let ports = number::<u32>("<NumberOfPorts>", &meaning, words.argument(2))?;
    if !(1..=MAX_PORTS).contains(&ports) {
        return Err(invalid("<NumberOfPorts>", &meaning, words.argument(2)));
    }
    let port = (1..=ports).map(|port| text_array([&port.to_string(), ""]));
    let port = Value::Array(std::iter::once(Value::text("port")).chain(port).collect());
    let config = Value::Array(vec![
        Value::text("vusb"),
        text_array(["usb-ver", words.argument(1)]),
        text_array(["num-ports", &ports.to_string()]),
        port,
    ]);
    let arguments = [Value::text(words.argument(0)), config];
    context.gateway.call("xend.domain.device_create", &arguments).map(drop)
}

/// Neither does xend: the device model of a running domain is libxl's.
fn qemu_device(context: &Context, words: &Words) -> Result<(), Failure> {
    context.gateway.domain(words.argument(0))?;
    Err(Failure::not_offered(
        "USB devices cannot be passed through to the device model of a running domain: use xm \
         usb-attach, or usbdevice in the domain's configuration",
    ))
}

/// A controller of a domain.
#[derive(Debug, Serialize)]
struct Controller {
    id: Option<i64>,
    backend_id: Option<i64>,
    state: Option<i64>,
    /// The version of USB, 1 or 2.
    version: Option<i64>,
    backend: Option<String>,
    ports: Vec<Port>,
}

#[derive(Debug, Serialize)]
struct Port {
    port: i64,
    /// What is connected; `None` if nothing is.
    bus: Option<String>,
}

impl Controller {
    fn read(listed: &Sxp) -> Self {
        let properties = listed.tail().first();
        let text = |key: &str| {
            let found = properties.and_then(|all| property(all, key)).and_then(Sxp::as_str);
            found.filter(|text| !text.is_empty())
        };
        let number = |key: &str| text(key).and_then(|text| text.parse().ok());
        let ports = properties.and_then(Sxp::as_list).unwrap_or_default();
        let ports = ports.iter().find(|property| property.head() == Some("port"));
        let ports = ports.map(Sxp::tail).unwrap_or_default().iter();
        let ports = ports.filter_map(|port| {
            let bus = port.tail().first().and_then(Sxp::as_str).filter(|bus| !bus.is_empty());
            Some(Port { port: port.head()?.parse().ok()?, bus: bus.map(str::to_owned) })
        });
        Self {
            id: listed.head().and_then(|id| id.parse().ok()),
            backend_id: number("backend-id"),
            state: number("state"),
            version: text("usb-ver").and_then(|version| version.get(..1)?.parse().ok()),
            backend: text("backend").map(str::to_owned),
            ports: ports.collect(),
        }
    }

    fn rows(&self) -> String {
        let version = match self.version {
            Some(1) => "USB1.1",
            Some(2) => "USB2.0",
            _ => "Unknown",
        };
        let mut out = format!(
            "{:<3} {:<3} {:<5} {:<7}  {:<30}\n",
            "Idx", "BE", "state", "usb-ver", "BE-path"
        );
        let _ = writeln!(
            out,
            "{:<3} {:<3} {:<5} {version:<7} {:<30}  ",
            column(self.id),
            column(self.backend_id),
            column(self.state),
            text_column(self.backend.as_ref())
        );
        for Port { port, bus } in &self.ports {
            let _ = writeln!(out, "port {port}: {}", bus.as_deref().unwrap_or_default());
        }
        out
    }
}

fn list(context: &Context, words: &Words) -> Result<(), Failure> {
    let listed = listed(context, words.argument(0), "vusb")?;
    let controllers: Vec<Controller> = listed.iter().map(Controller::read).collect();
    if words.has("json") {
        return print_json(&controllers);
    }
    print(controllers.iter().map(Controller::rows).collect::<String>())
}

fn list_assignable(context: &Context, words: &Words) -> Result<(), Failure> {
    if !context.gateway.is_local() {
        return Err(Failure::not_offered(
            "The USB devices of another host cannot be listed: use xm there",
        ));
    }
    let devices = assignable(Path::new("/sys/bus/usb/devices"));
    if words.has("json") {
        return print_json(&devices);
    }
    print(devices.iter().map(Device::row).collect::<String>())
}

/// A USB device of this machine.
#[derive(Serialize)]
struct Device {
    /// Where it is plugged in: `1-1.2`.
    bus: String,
    vendor_id: String,
    product_id: String,
    /// What the maker calls it.
    product: String,
}

impl Device {
    fn row(&self) -> String {
        let Self { bus, vendor_id, product_id, product } = self;
        format!("{bus:<13}: ID {vendor_id:<4}:{product_id:<4} {product}\n")
    }
}

/// The devices below a folder of sysfs, but for hubs.
fn assignable(folder: &Path) -> Vec<Device> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let mut devices: Vec<Device> = entries
        .filter_map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_device = name.starts_with(|c: char| c.is_ascii_digit()) && !name.contains(':');
            let read = |file: &str| {
                let text = fs::read_to_string(entry.path().join(file)).unwrap_or_default();
                text.trim().to_owned()
            };
            if !is_device || read("bDeviceClass") == "09" {
                return None;
            }
            let product = format!("{} {}", read("manufacturer"), read("product"));
            Some(Device {
                bus: name,
                vendor_id: read("idVendor"),
                product_id: read("idProduct"),
                product: product.trim().to_owned(),
            })
        })
        .collect();
    devices.sort_by_key(Device::row);
    devices
}

#[cfg(test)]
mod tests {
    use super::*;
    use xend_sxp::{Limits, read_one};

    #[test]
    fn rows_are_those_of_xm() {
        let text = b"(0 ((backend-id 0) (state 4) (usb-ver 2) \
            (backend /local/domain/0/backend/vusb/1/0) (port (1 '1-1') (2 ''))))";
        let controller = Controller::read(&read_one(text, &Limits::DEFAULT).unwrap());
        let xm = "Idx BE  state usb-ver  BE-path                       \n\
            0   0   4     USB2.0  /local/domain/0/backend/vusb/1/0  \n\
            port 1: 1-1\nport 2: \n";
        assert_eq!(controller.rows(), xm);
    }
}

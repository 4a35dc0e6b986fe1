//! Text consoles and screens of VMs.

use crate::core::model::{Console, Device, Property, Uuid, Vfb};
use crate::wire::xmlrpc::args::Args;
use crate::wire::xmlrpc::xenapi::client_data;
use crate::wire::xmlrpc::xenapi::failure::Failure;
use crate::wire::xmlrpc::xenapi::host_view::HostView;
use crate::wire::xmlrpc::xenapi::inputs::{Inputs, VmInputs};
use crate::wire::xmlrpc::xenapi::new_record::NewRecord;
use crate::wire::xmlrpc::xenapi::objects::devices::{self, attach, vm_of_record};
use crate::wire::xmlrpc::xenapi::schema::{Action, Class, ClassCall, DataStore, Field};
use crate::wire::xmlrpc::xenapi::values::{shown_properties, text};

/// Keys of a screen's `other_config` that are no settings.
const NO_SETTINGS: [&str; 3] = ["type", "vnc", "location"];

/// The settings of a screen are in `other_config`, under xend's own keys.
fn create(host: &HostView, _: Uuid, args: &Args<'_>) -> Result<Action, Failure> {
    let record = NewRecord::from_args("console", args)?;
    let vm = vm_of_record(host, &record)?;
    let device = match record.text("protocol")?.as_str() {
        "vt100" => {
            let console = Console { protocol: "vt100".into(), id: None, uuid: None, rest: vec![] };
            let mut device = Device::Console(console);
            client_data::add_map_of_record(&mut device, &record, "other_config")?;
            device
        }
        "rfb" => {
            let settings = record.map("other_config")?.into_iter();
            let settings = settings.filter(|(key, _)| !NO_SETTINGS.contains(&key.as_str()));
            let mut rest = vec![Property::new("vnc", "1")];
            rest.extend(settings.map(|(key, value)| Property::new(key, value)));
            Device::Vfb(Vfb { id: None, uuid: None, rest })
        }
        other => {
            let reason = format!("{} is not one of vt100, rfb", other.escape_debug());
            return Err(Failure::new("CONSOLE_PROTOCOL_INVALID", [reason.as_str()]));
        }
    };
    Ok(attach(host, vm, device))
}

/// Where to connect to a console; empty if that is not known. The display that a domain asks for is
/// known before it runs.
fn location(host: &HostView, uuid: Uuid) -> Result<String, Failure> {
    let found = devices::CONSOLE.find(host, uuid)?;
    let facts = found.vm.facts.as_ref();
    let wanted = || match found.device {
        Device::Vfb(vfb) => Some(format!("{}:{}", vfb.vnc_listen(), vfb.requested_port()?)),
        _ => None,
    };
    let location = facts.and_then(|facts| facts.location(&found.vm.config, found.device));
    Ok(location.or_else(wanted).unwrap_or_default())
}

pub(super) static CONSOLE: Class = Class {
    name: "console",
    all: |host| Ok(devices::CONSOLE.all(host)),
    check: |host, uuid| devices::CONSOLE.check(host, uuid),
    data_store: DataStore::Device,
    inputs: Some(|host, uuid| {
        let vm = devices::CONSOLE.find(host, uuid)?.vm.clone();
        Ok(Inputs::Vm(vm, VmInputs::default()))
    }),
    fields: &[
        Field::read("uuid", |_, uuid| Ok(text(&uuid))),
        Field::read("VM", |host, uuid| Ok(text(&devices::CONSOLE.find(host, uuid)?.vm.uuid))),
        Field::read("protocol", |host, uuid| {
            let is_screen = matches!(devices::CONSOLE.find(host, uuid)?.device, Device::Vfb(_));
            Ok(text(if is_screen { "rfb" } else { "vt100" }))
        }),
        Field::read("location", |host, uuid| Ok(text(&location(host, uuid)?))),
        Field::facts_and_client_data("other_config", |host, uuid| {
            Ok(shown_properties(devices::CONSOLE.find(host, uuid)?.device.rest()))
        }),
    ],
    calls: &[
        ClassCall::on_class("create", &["session", "record"], create),
        ClassCall::on_object("destroy", &["session", "self"], |host, uuid, _| {
            devices::CONSOLE.destroy(host, uuid)
        }),
    ],
    ..Class::EMPTY
};

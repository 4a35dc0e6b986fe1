//! PCI devices of the host.

use crate::wire::xmlrpc::xenapi::fetched::Need;
use crate::wire::xmlrpc::xenapi::objects::hardware::{all_ppcis, ppci};
use crate::wire::xmlrpc::xenapi::schema::{Class, Field};
use crate::wire::xmlrpc::xenapi::values::{hex, text};

/// The name of a PCI device's base class.
const fn class_name(class: u32) -> &'static str {
    match class >> 16 {
        0x01 => "Mass storage controller",
        0x02 => "Network controller",
        0x03 => "Display controller",
        0x04 => "Multimedia controller",
        0x05 => "Memory controller",
        0x06 => "Bridge",
        0x07 => "Communication controller",
        0x08 => "Generic system peripheral",
        0x09 => "Input device controller",
        0x0c => "Serial bus controller",
        0x0d => "Wireless controller",
        _ => "Unclassified device",
    }
}

pub(super) static PPCI: Class = Class {
    name: "PPCI",
    all: all_ppcis,
    check: |host, uuid| ppci(host, uuid).map(drop),
    needs: &[Need::Hardware],
    fields: &[
        Field::read("uuid", |_, uuid| Ok(text(&uuid))),
        Field::read("host", |host, _| Ok(host.host_ref())),
        Field::read("domain", |host, uuid| Ok(text(&ppci(host, uuid)?.address.domain))),
        Field::read("bus", |host, uuid| Ok(text(&ppci(host, uuid)?.address.bus))),
        Field::read("slot", |host, uuid| Ok(text(&ppci(host, uuid)?.address.slot))),
        Field::read("func", |host, uuid| Ok(text(&ppci(host, uuid)?.address.func))),
        Field::read("name", |host, uuid| Ok(text(&ppci(host, uuid)?.address))),
        Field::read("vendor_id", |host, uuid| Ok(hex(ppci(host, uuid)?.vendor.into()))),
        // Names of vendors and devices are in lspci's database.
        Field::read("vendor_name", |_, _| Ok(text(""))),
        Field::read("device_id", |host, uuid| Ok(hex(ppci(host, uuid)?.device.into()))),
        Field::read("device_name", |_, _| Ok(text(""))),
        Field::read("revision_id", |host, uuid| {
            Ok(text(&format!("{:#04x}", ppci(host, uuid)?.revision)))
        }),
        Field::read("class_code", |host, uuid| Ok(hex(ppci(host, uuid)?.class >> 8))),
        Field::read("class_name", |host, uuid| Ok(text(class_name(ppci(host, uuid)?.class)))),
        Field::read("subsystem_vendor_id", |host, uuid| {
            Ok(hex(ppci(host, uuid)?.subsystem_vendor.into()))
        }),
        Field::read("subsystem_vendor_name", |_, _| Ok(text(""))),
        Field::read("subsystem_id", |host, uuid| Ok(hex(ppci(host, uuid)?.subsystem.into()))),
        Field::read("subsystem_name", |_, _| Ok(text(""))),
        Field::read("driver", |host, uuid| Ok(text(&ppci(host, uuid)?.driver))),
    ],
    ..Class::EMPTY
};

//! SCSI devices of the host.

use crate::wire::xmlrpc::value::Value;
use crate::wire::xmlrpc::xenapi::fetched::Need;
use crate::wire::xmlrpc::xenapi::objects::hardware::{all_pscsis, pscsi, pscsi_hba_uuid};
use crate::wire::xmlrpc::xenapi::schema::{Class, Field};
use crate::wire::xmlrpc::xenapi::values::text;

/// The name of a SCSI device type.
const fn type_name(kind: u32) -> &'static str {
    match kind {
        0 => "disk",
        1 => "tape",
        5 => "cd/dvd",
        8 => "mediumx",
        _ => "unknown",
    }
}

/// A path in `/dev`; empty without a name.
fn node(name: &str) -> Value {
    text(&if name.is_empty() { String::new() } else { format!("/dev/{name}") })
}

pub(super) static PSCSI: Class = Class {
    name: "PSCSI",
    all: all_pscsis,
    check: |host, uuid| pscsi(host, uuid).map(drop),
    needs: &[Need::Hardware],
    fields: &[
        Field::read("uuid", |_, uuid| Ok(text(&uuid))),
        Field::read("host", |host, _| Ok(host.host_ref())),
        Field::read("HBA", |host, uuid| {
            Ok(text(&pscsi_hba_uuid(host, pscsi(host, uuid)?.at.0[0])))
        }),
        Field::read("physical_host", |host, uuid| Ok(text(&pscsi(host, uuid)?.at.0[0]))),
        Field::read("physical_channel", |host, uuid| Ok(text(&pscsi(host, uuid)?.at.0[1]))),
        Field::read("physical_target", |host, uuid| Ok(text(&pscsi(host, uuid)?.at.0[2]))),
        Field::read("physical_lun", |host, uuid| Ok(text(&pscsi(host, uuid)?.at.0[3]))),
        Field::read("physical_HCTL", |host, uuid| Ok(text(&pscsi(host, uuid)?.at))),
        Field::read("vendor_name", |host, uuid| Ok(text(&pscsi(host, uuid)?.vendor))),
        Field::read("model", |host, uuid| Ok(text(&pscsi(host, uuid)?.model))),
        Field::read("type_id", |host, uuid| Ok(text(&pscsi(host, uuid)?.kind))),
        Field::read("type", |host, uuid| Ok(text(type_name(pscsi(host, uuid)?.kind)))),
        Field::read("dev_name", |host, uuid| Ok(node(&pscsi(host, uuid)?.node))),
        Field::read("sg_name", |host, uuid| Ok(node(&pscsi(host, uuid)?.generic))),
        Field::read("revision", |host, uuid| Ok(text(&pscsi(host, uuid)?.revision))),
        // The identifier that a device has wherever it is plugged in: the program scsi_id reads it.
        Field::read("scsi_id", |_, _| Ok(text(""))),
        Field::read("scsi_level", |host, uuid| Ok(text(&pscsi(host, uuid)?.level))),
    ],
    ..Class::EMPTY
};

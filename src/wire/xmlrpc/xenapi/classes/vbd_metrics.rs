//! Metrics of disks, which have the disk's own reference.

use super::rates::device_rate;
use crate::wire::xmlrpc::value::Value;
use crate::wire::xmlrpc::xenapi::fetched::Need;
use crate::wire::xmlrpc::xenapi::objects::devices::VBD;
use crate::wire::xmlrpc::xenapi::schema::{Class, Field};
use crate::wire::xmlrpc::xenapi::values::{text, time};

const DEVICES: &[Need] = &[Need::Devices];

pub(super) static VBD_METRICS: Class = Class {
    name: "VBD_metrics",
    all: |host| Ok(VBD.all(host)),
    check: |host, uuid| VBD.check(host, uuid),
    inputs: Some(|host, uuid| VBD.metrics_inputs(host, uuid)),
    fields: &[
        Field::read("uuid", |_, uuid| Ok(text(&uuid))),
        Field::read("io_read_kbs", |host, uuid| {
            Ok(Value::Double(device_rate(host, VBD, uuid)?.read))
        })
        .needing(DEVICES),
        Field::read("io_write_kbs", |host, uuid| {
            Ok(Value::Double(device_rate(host, VBD, uuid)?.written))
        })
        .needing(DEVICES),
        Field::read("last_updated", |host, _| Ok(time(host.now))),
    ],
    ..Class::EMPTY
};

//! Metrics of network interfaces, which have the interface's own reference.

use super::rates::{device_rate, device_total};
use crate::wire::xmlrpc::value::Value;
use crate::wire::xmlrpc::xenapi::fetched::Need;
use crate::wire::xmlrpc::xenapi::objects::devices::VIF;
use crate::wire::xmlrpc::xenapi::schema::{Class, Field};
use crate::wire::xmlrpc::xenapi::values::{text, time};

const DEVICES: &[Need] = &[Need::Devices];

pub(super) static VIF_METRICS: Class = Class {
    name: "VIF_metrics",
    all: |host| Ok(VIF.all(host)),
    check: |host, uuid| VIF.check(host, uuid),
    inputs: Some(|host, uuid| VIF.metrics_inputs(host, uuid)),
    fields: &[
        Field::read("uuid", |_, uuid| Ok(text(&uuid))),
        Field::read("io_read_kbs", |host, uuid| {
            Ok(Value::Double(device_rate(host, VIF, uuid)?.read))
        })
        .needing(DEVICES),
        Field::read("io_write_kbs", |host, uuid| {
            Ok(Value::Double(device_rate(host, VIF, uuid)?.written))
        })
        .needing(DEVICES),
        Field::read("io_total_read_kbs", |host, uuid| {
            Ok(Value::Double(device_total(host, VIF, uuid)?.read))
        })
        .needing(DEVICES),
        Field::read("io_total_write_kbs", |host, uuid| {
            Ok(Value::Double(device_total(host, VIF, uuid)?.written))
        })
        .needing(DEVICES),
        Field::read("last_updated", |host, _| Ok(time(host.now))),
    ],
    ..Class::EMPTY
};

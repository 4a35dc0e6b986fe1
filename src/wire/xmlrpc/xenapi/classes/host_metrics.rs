//! Metrics of the host.

use crate::wire::xmlrpc::xenapi::objects::host::{check_only, host_metrics};
use crate::wire::xmlrpc::xenapi::schema::{Class, Field};
use crate::wire::xmlrpc::xenapi::values::{bytes_of_mib, text, time};

pub(super) static HOST_METRICS: Class = Class {
    name: "host_metrics",
    all: |host| Ok(vec![host_metrics(host)]),
    check: |host, uuid| check_only("host_metrics", host_metrics(host), uuid),
    fields: &[
        Field::read("uuid", |_, uuid| Ok(text(&uuid))).in_fleet(),
        Field::read("memory_total", |host, _| Ok(bytes_of_mib(host.info.total_memory))).in_fleet(),
        Field::read("memory_free", |host, _| Ok(bytes_of_mib(host.figures.free_memory))).in_fleet(),
        Field::read("last_updated", |host, _| Ok(time(host.now))).in_fleet(),
    ],
    ..Class::EMPTY
};

//! Metrics of the host's network cards.

use super::rates::Traffic;
use crate::core::model::Uuid;
use crate::wire::xmlrpc::value::Value;
use crate::wire::xmlrpc::xenapi::failure::Failure;
use crate::wire::xmlrpc::xenapi::fetched::Need;
use crate::wire::xmlrpc::xenapi::host_view::HostView;
use crate::wire::xmlrpc::xenapi::objects::networks::{all_pifs, card_of_metrics, pif_uuid};
use crate::wire::xmlrpc::xenapi::objects::vms::metrics_uuid;
use crate::wire::xmlrpc::xenapi::schema::{Class, Field};
use crate::wire::xmlrpc::xenapi::values::{text, time};
use std::time::{Duration, SystemTime};

/// When the host was started: Linux counts its cards' traffic from then on.
fn host_started(now: SystemTime) -> Option<SystemTime> {
    let uptime = std::fs::read_to_string("/proc/uptime").ok()?;
    let seconds = uptime.split_whitespace().next()?.parse::<f64>().ok()?;
    now.checked_sub(Duration::try_from_secs_f64(seconds).ok()?)
}

fn rate(host: &HostView, metrics: Uuid) -> Result<Traffic, Failure> {
    let card = card_of_metrics(host, metrics)?;
    Ok(Traffic::rate(card.io, host_started(host.now), host.now))
}

pub(super) static PIF_METRICS: Class = Class {
    name: "PIF_metrics",
    all: |host| Ok(all_pifs(host)?.into_iter().map(metrics_uuid).collect()),
    check: |host, uuid| card_of_metrics(host, uuid).map(drop),
    needs: &[Need::Interfaces],
    fields: &[
        Field::read("uuid", |_, uuid| Ok(text(&uuid))),
        Field::read("io_read_kbs", |host, uuid| Ok(Value::Double(rate(host, uuid)?.read))),
        Field::read("io_write_kbs", |host, uuid| Ok(Value::Double(rate(host, uuid)?.written))),
        Field::read("last_updated", |host, _| Ok(time(host.now))),
        Field::read("pif", |host, uuid| {
            Ok(text(&pif_uuid(host, &card_of_metrics(host, uuid)?.name)))
        }),
    ],
    ..Class::EMPTY
};

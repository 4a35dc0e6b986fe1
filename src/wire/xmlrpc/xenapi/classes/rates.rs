//! Traffic of devices, as the Xen-API shows it.

use crate::core::model::Uuid;
use crate::wire::xmlrpc::xenapi::failure::Failure;
use crate::wire::xmlrpc::xenapi::host_view::HostView;
use crate::wire::xmlrpc::xenapi::objects::devices::{DeviceClass, facts};
use std::time::SystemTime;

/// Traffic in KiB, or KiB a second.
pub(super) struct Traffic {
    pub(super) read: f64,
    pub(super) written: f64,
}

#[allow(clippy::cast_precision_loss, reason = "exact up to 8 PiB")]
fn kib(bytes: u64) -> f64 {
    bytes as f64 / 1024.0
}

impl Traffic {
    /// In KiB, of bytes read and written.
    pub(super) fn total((read, written): (u64, u64)) -> Self {
        Self { read: kib(read), written: kib(written) }
    }

    /// The average in KiB a second since a time; 0 if that is not known.
    pub(super) fn rate(bytes: (u64, u64), since: Option<SystemTime>, now: SystemTime) -> Self {
        let Self { read, written } = Self::total(bytes);
        let up = since.and_then(|since| now.duration_since(since).ok());
        let seconds = up.map_or(0.0, |up| up.as_secs_f64());
        let rate = |kib: f64| if seconds > 0.0 { kib / seconds } else { 0.0 };
        Self { read: rate(read), written: rate(written) }
    }
}

/// The traffic of a VM's device in all.
pub(super) fn device_total(
    host: &HostView,
    class: DeviceClass,
    uuid: Uuid,
) -> Result<Traffic, Failure> {
    let facts = facts(host, &class.find(host, uuid)?)?;
    Ok(Traffic::total(facts.and_then(|facts| facts.io).unwrap_or_default()))
}

/// The average traffic of a VM's device since the VM was started.
pub(super) fn device_rate(
    host: &HostView,
    class: DeviceClass,
    uuid: Uuid,
) -> Result<Traffic, Failure> {
    let found = class.find(host, uuid)?;
    let bytes = facts(host, &found)?.and_then(|facts| facts.io).unwrap_or_default();
    let started = found.vm.facts.as_ref().and_then(|facts| facts.start_time);
    Ok(Traffic::rate(bytes, started, host.now))
}

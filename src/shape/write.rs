//! Writes domains and their configurations, with xend's keys in xend's order.

use super::boot_disk::BootDisk;
use super::device;
use super::host::sedf_fields;
use super::image::{begin_image, end_image};
use super::record::{RecordKind, properties};
use super::sink::Sink;
use super::state::state_letters;
use super::tree_sink::TreeSink;
use crate::core::model::{
    Device, DomainConfig, DomainFacts, GuestKind, Property, RunFlags, ShutdownReason, Value,
    XenstoreData,
};
use crate::core::snapshot::DomainView;
use crate::sxp::Sxp;
use std::time::{Duration, SystemTime};

/// Writes `(domain ...)`: a domain as it runs, or as configured when it is not on the host.
pub fn domain(sink: &mut impl Sink, view: &DomainView) {
    match &view.facts {
        Some(facts) => running(sink, &view.config, facts),
        None => halted(sink, &view.config, view.suspended),
    }
}

/// Writes `((2049 (vbd ...)) ...)`: devices as defined.
pub fn defined_devices(sink: &mut impl Sink, devices: &[Device]) {
    let mut boot_disk = BootDisk::of(devices);
    sink.begin_list();
    for device in devices {
        let bootable = boot_disk.is_bootable(device);
        sink.begin_list();
        sink.uint(device.id().unwrap_or_default().into());
        device::device(sink, device, RecordKind::Configured, bootable, None);
        sink.end_list();
    }
    sink.end_list();
}

/// Writes `(vm ...)`: a configuration with xend's defaults and without passwords.
pub fn config(sink: &mut impl Sink, config: &DomainConfig) {
    sink.begin_record("vm");
    configured(sink, config, RecordKind::Configured);
    sink.end_record();
}

/// A configuration as [`config`] writes it, as a tree.
pub fn config_tree(config: &DomainConfig) -> Sxp {
    tree(|sink| self::config(sink, config))
}

/// A complete configuration with passwords, for a file that only its owner reads. `read_stored`
/// reads it back to the same value.
pub fn stored_config(config: &DomainConfig) -> Sxp {
    tree(|sink| {
        sink.begin_record("domain");
        configured(sink, config, RecordKind::Stored);
        sink.end_record();
    })
}

/// The value that `write` writes, as a tree.
fn tree(write: impl FnOnce(&mut TreeSink)) -> Sxp {
    let mut sink = TreeSink::default();
    write(&mut sink);
    sink.into_values().pop().unwrap_or_else(|| Sxp::list([]))
}

/// xend's status of a suspended domain, whose memory is in a file.
const SUSPENDED: u32 = 3;

/// xend's status number, which is the Xen-API's power state.
fn status(flags: RunFlags) -> u32 {
    match flags {
        RunFlags { shutdown: Some(ShutdownReason::Crash), .. } => 5,
        RunFlags { shutdown: Some(ShutdownReason::Suspend), .. } => SUSPENDED,
        RunFlags { shutdown: Some(_), .. } | RunFlags { dying: true, .. } => 4,
        RunFlags { paused: true, .. } => 1,
        _ => 2,
    }
}

fn running(sink: &mut impl Sink, config: &DomainConfig, facts: &DomainFacts) {
    before_use(sink, config, facts);
    use_figures(sink, facts);
    before_state(sink, config, facts);
    state(sink, facts);
    after_state(sink, config, facts);
}

fn kind_of_running(config: &DomainConfig) -> RecordKind {
    let pv = config.image.as_ref().is_none_or(|image| image.kind == GuestKind::Pv);
    RecordKind::Running { pv }
}

/// Begins the record of a domain on the host: all that stands before its use of the host.
pub(super) fn before_use(sink: &mut impl Sink, config: &DomainConfig, facts: &DomainFacts) {
    sink.begin_record("domain");
    sink.uint_field("domid", facts.domid.0);
    keys(sink, config, facts.domid.0 != 0);
    if let Some(start) = facts.start_time {
        sink.float_field("start_time", seconds_since_1970(start));
    }
}

/// The domain's use of the host, which changes all the time.
pub(super) fn use_figures(sink: &mut impl Sink, facts: &DomainFacts) {
    sink.float_field("cpu_time", seconds(facts.cpu_time));
    sink.uint_field("online_vcpus", facts.online_vcpus);
}

/// What stands between a domain's use of the host and its state.
pub(super) fn before_state(sink: &mut impl Sink, config: &DomainConfig, facts: &DomainFacts) {
    if let Some(image) = &config.image {
        let privileged = facts.domid.0 == 0;
        begin_image(sink, image, config, kind_of_running(config), privileged);
        if !facts.notes.is_empty() {
            sink.begin_section("notes");
            sink.properties(facts.notes.iter());
            sink.end_section();
        }
        end_image(sink);
    }
}

/// The domain's state, of which some flags change all the time.
pub(super) fn state(sink: &mut impl Sink, facts: &DomainFacts) {
    sink.uint_field("status", status(facts.flags));
    sink.text_field("state", &state_letters(&facts.flags));
}

/// All that stands after a domain's state.
pub(super) fn after_state(sink: &mut impl Sink, config: &DomainConfig, facts: &DomainFacts) {
    let kind = kind_of_running(config);
    for (key, mfn) in [("store_mfn", facts.store_mfn), ("console_mfn", facts.console_mfn)] {
        if let Some(mfn) = mfn {
            sink.uint_field(key, mfn);
        }
    }
    xenstore_data(sink, config, kind);
    properties(sink, &config.rest, kind);
    devices(sink, config, kind, Some(facts));
    sink.end_record();
}

fn halted(sink: &mut impl Sink, config: &DomainConfig, suspended: bool) {
    sink.begin_record("domain");
    keys(sink, config, true);
    if let Some(image) = &config.image {
        begin_image(sink, image, config, RecordKind::Configured, false);
        end_image(sink);
    }
    sink.uint_field("status", if suspended { SUSPENDED } else { 0 });
    xenstore_data(sink, config, RecordKind::Configured);
    properties(sink, &config.rest, RecordKind::Configured);
    devices(sink, config, RecordKind::Configured, None);
    sink.end_record();
}

fn configured(sink: &mut impl Sink, config: &DomainConfig, kind: RecordKind) {
    let stored = kind == RecordKind::Stored;
    keys(sink, config, true);
    if let Some(image) = &config.image {
        begin_image(sink, image, config, kind, false);
        end_image(sink);
    }
    if let (Some(sedf), true) = (&config.sedf, stored) {
        sink.begin_section("sedf");
        sedf_fields(sink, sedf);
        sink.end_section();
    }
    if stored && config.restarts > 0 {
        sink.uint_field("restart_count", config.restarts);
    }
    if stored && !config.client_data.is_empty() {
        sink.begin_section("xenapi");
        sink.properties(config.client_data.to_properties().iter());
        sink.end_section();
    }
    xenstore_data(sink, config, kind);
    properties(sink, &config.rest, kind);
    devices(sink, config, kind, None);
}

/// Writes what is written into XenStore before the guest starts; passwords into stored records
/// alone. Records without any have no such key, as in xend.
fn xenstore_data(sink: &mut impl Sink, config: &DomainConfig, kind: RecordKind) {
    let data = &config.xenstore_data;
    let value = if kind == RecordKind::Stored {
        XenstoreData::to_value(data.iter())
    } else {
        XenstoreData::to_value(data.shown())
    };
    if value != Value::List(vec![]) {
        sink.properties([Property { key: "xenstore_data".into(), values: vec![value] }].iter());
    }
}

/// Writes the keys that all records have, in xend's order. Domain-0 has no description.
fn keys(sink: &mut impl Sink, config: &DomainConfig, description: bool) {
    sink.uint_field("cpu_weight", config.cpu_weight);
    sink.uint_field("cpu_cap", config.cpu_cap);
    sink.text_field("pool_name", &config.pool_name);
    sink.text_field("bootloader", &config.bootloader);
    sink.uint_field("vcpus", config.vcpus);
    sink.begin_field("cpus");
    sink.begin_list();
    for cpus in &config.cpus {
        sink.begin_list();
        cpus.iter().for_each(|cpu| sink.int(i64::from(cpu)));
        sink.end_list();
    }
    sink.end_list();
    sink.end_field();
    sink.text_field("on_poweroff", config.on_poweroff.name().as_bytes());
    if description {
        sink.text_field("description", &config.description);
    }
    sink.text_field("on_crash", config.on_crash.name().as_bytes());
    if let Some(uuid) = config.uuid {
        sink.uuid_field("uuid", &uuid);
    }
    sink.text_field("bootloader_args", &config.bootloader_args);
    sink.text_field("name", config.name.as_str().as_bytes());
    sink.text_field("on_reboot", config.on_reboot.name().as_bytes());
    sink.uint_field("maxmem", config.maxmem);
    sink.uint_field("memory", config.memory);
    sink.uint_field("shadow_memory", config.shadow_memory);
    sink.uint_field("vcpu_avail", config.vcpu_avail);
    sink.text_field("features", &config.features);
    sink.text_field("on_xend_start", config.on_xend_start.name().as_bytes());
    sink.text_field("on_xend_stop", config.on_xend_stop.name().as_bytes());
}

/// Writes the devices in xend's order: network interfaces first, then consoles and the rest, then
/// disks, then frame buffers. A stored record keeps the configured order.
fn devices(
    sink: &mut impl Sink,
    config: &DomainConfig,
    kind: RecordKind,
    facts: Option<&DomainFacts>,
) {
    let rank = |device: &Device| match device {
        Device::Vif(_) => 0,
        Device::Block(_) => 2,
        Device::Vfb(_) => 3,
        _ => 1,
    };
    let stored = kind == RecordKind::Stored;
    let mut ordered: Vec<&Device> = config.devices.iter().collect();
    if !stored {
        ordered.sort_by_key(|device| rank(device));
    }
    let mut boot_disk = BootDisk::of(&config.devices);
    sink.begin_many("device");
    for device in ordered {
        let bootable = if stored {
            device.as_block().and_then(|block| block.bootable)
        } else {
            boot_disk.is_bootable(device)
        };
        sink.begin_item("device");
        let has_location = !matches!(device, Device::Vfb(_)) || sink.shows_vnc_location();
        let location =
            facts.filter(|_| has_location).and_then(|facts| facts.location(config, device));
        device::device(sink, device, kind, bootable, location.as_deref());
        sink.end_item();
    }
    sink.end_many();
}

fn seconds_since_1970(time: SystemTime) -> f64 {
    // xend printed hundredths at this magnitude.
    (seconds(time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()) * 100.0).round()
        / 100.0
}

fn seconds(time: Duration) -> f64 {
    time.as_secs_f64()
}

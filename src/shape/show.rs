//! [`DomainView`] and [`DomainConfig`] to S-expression, with xend's keys in xend's order.

use super::device::{self, Form};
use super::image::{self, end_image};
use super::sink::{Sink, TreeSink};
use crate::core::lifecycle::State;
use crate::core::model::{Device, DomainConfig, DomainFacts, GuestKind, RunFlags, ShutdownReason};
use crate::core::snapshot::DomainView;
use crate::sxp::Sxp;
use std::time::{Duration, SystemTime};

/// Writes `(domain ...)`: a domain as it is, or, if it is not on the host, as it is configured.
pub fn domain(sink: &mut impl Sink, view: &DomainView) {
    match &view.facts {
        Some(facts) => running(sink, &view.config, facts),
        None => halted(sink, &view.config, view.suspended),
    }
}

/// Writes `((2049 (vbd ...)) ...)`: devices as they are defined.
pub fn defined_devices(sink: &mut impl Sink, devices: &[Device]) {
    let chosen =
        devices.iter().any(|d| d.as_block().is_some_and(|block| block.bootable == Some(true)));
    let mut first = !chosen;
    sink.begin_list();
    for one in devices {
        let bootable =
            one.as_block().and_then(|block| block.bootable.or(Some(std::mem::take(&mut first))));
        sink.begin_list();
        sink.uint(one.id().unwrap_or_default().into());
        device::device(sink, one, Form::Configured, bootable, None);
        sink.end_list();
    }
    sink.end_list();
}

/// Writes `(vm ...)`: what a configuration means, with xend's defaults, and without passwords.
pub fn config(sink: &mut impl Sink, config: &DomainConfig) {
    sink.begin_record("vm");
    configured(sink, config, Form::Configured);
    sink.end_record();
}

/// The same as a tree, to be printed over several lines.
pub fn config_tree(config: &DomainConfig) -> Sxp {
    tree(|sink| self::config(sink, config))
}

/// A configuration with nothing left out, passwords included: for a file that only its owner reads.
/// [`super::read_stored`] reads it back to the same value.
pub fn stored_config(config: &DomainConfig) -> Sxp {
    tree(|sink| {
        sink.begin_record("domain");
        configured(sink, config, Form::Stored);
        sink.end_record();
    })
}

/// The one value that `tell` writes.
fn tree(tell: impl FnOnce(&mut TreeSink)) -> Sxp {
    let mut sink = TreeSink::default();
    tell(&mut sink);
    sink.into_values().pop().unwrap_or_else(|| Sxp::list([]))
}

/// `rbpscd`: what a domain is doing, a letter a flag, `-` for those that are off. A crashed domain
/// has its `c` and no `s`, as xend printed it.
pub fn state_letters(flags: &RunFlags) -> [u8; 6] {
    let flag = |letter, on| if on { letter } else { b'-' };
    let crashed = flags.crashed();
    let stopped = flags.shutdown.is_some();
    [
        flag(b'r', flags.running && !stopped),
        flag(b'b', flags.blocked && !stopped),
        flag(b'p', flags.paused && !stopped),
        flag(b's', stopped && !crashed),
        flag(b'c', crashed),
        flag(b'd', flags.dying),
    ]
}

/// The state in a word, as `?state=` has it.
pub fn state_word(view: &DomainView) -> &'static str {
    state_name(view.state())
}

/// The same of a state.
pub fn state_name(state: State) -> &'static str {
    match state {
        State::Halted => "halted",
        State::Building => "building",
        State::Paused => "paused",
        State::Running => "running",
        State::Suspended | State::Stopped(ShutdownReason::Suspend) => "suspended",
        State::Stopped(ShutdownReason::Crash) => "crashed",
        State::Stopped(_) => "shutdown",
        State::Dying => "dying",
        State::Gone => "gone",
    }
}

/// What `?state=` can be.
pub const STATES: [&str; 6] = ["all", "running", "paused", "halted", "suspended", "crashed"];

/// Whether a domain is meant where one asks for those in a state. Without one: every domain that
/// has a domid, as in xend 3.0; 3.0.4 to 4.4 hid paused and crashed ones, so that one just created
/// was not to be seen.
pub fn is_in_state(view: &DomainView, state: Option<&str>) -> bool {
    match state {
        None => view.facts.is_some(),
        Some("all") => true,
        Some(state) => STATES.contains(&state) && state_word(view) == state,
    }
}

/// xend's number for a domain whose memory is in a file.
const SUSPENDED: u32 = 3;

/// xend's number for it: its Xen-API power states.
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
    let privileged = facts.domid.0 == 0;
    let form =
        Form::Running { pv: config.image.as_ref().is_none_or(|image| image.kind == GuestKind::Pv) };
    sink.begin_record("domain");
    sink.uint_field("domid", facts.domid.0);
    keys(sink, config, !privileged);
    if let Some(start) = facts.start_time {
        sink.float_field("start_time", seconds_since_1970(start));
    }
    sink.float_field("cpu_time", seconds(facts.cpu_time));
    sink.uint_field("online_vcpus", facts.online_vcpus);
    if let Some(boot) = &config.image {
        image::image(sink, boot, config, form, privileged);
        if !facts.notes.is_empty() {
            sink.begin_section("notes");
            sink.properties(facts.notes.iter());
            sink.end_section();
        }
        end_image(sink);
    }
    sink.uint_field("status", status(facts.flags));
    sink.text_field("state", &state_letters(&facts.flags));
    for (key, mfn) in [("store_mfn", facts.store_mfn), ("console_mfn", facts.console_mfn)] {
        if let Some(mfn) = mfn {
            sink.uint_field(key, mfn);
        }
    }
    device::properties(sink, &config.rest, form);
    devices(sink, config, form, Some(facts));
    sink.end_record();
}

fn halted(sink: &mut impl Sink, config: &DomainConfig, suspended: bool) {
    sink.begin_record("domain");
    keys(sink, config, true);
    if let Some(boot) = &config.image {
        image::image(sink, boot, config, Form::Configured, false);
        end_image(sink);
    }
    sink.uint_field("status", if suspended { SUSPENDED } else { 0 });
    device::properties(sink, &config.rest, Form::Configured);
    devices(sink, config, Form::Configured, None);
    sink.end_record();
}

fn configured(sink: &mut impl Sink, config: &DomainConfig, form: Form) {
    let secrets = form == Form::Stored;
    keys(sink, config, true);
    if let Some(boot) = &config.image {
        image::image(sink, boot, config, form, false);
        end_image(sink);
    }
    if let (Some(sedf), true) = (&config.sedf, secrets) {
        sink.begin_section("sedf");
        super::host::sedf_fields(sink, sedf);
        sink.end_section();
    }
    if secrets && config.restarts > 0 {
        sink.uint_field("restart_count", config.restarts);
    }
    if secrets && !config.notes.is_empty() {
        sink.begin_section("xenapi");
        sink.properties(config.notes.to_properties().iter());
        sink.end_section();
    }
    device::properties(sink, &config.rest, form);
    devices(sink, config, form, None);
}

/// The keys that every form has, in xend's order. Domain-0 has no description.
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
        sink.text_field(
            "uuid",
            uuid.hyphenated().encode_lower(&mut uuid::Uuid::encode_buffer()).as_bytes(),
        );
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

/// In xend's order of classes: network, consoles and the rest, disks last, frame buffers behind
/// them.
fn devices(sink: &mut impl Sink, config: &DomainConfig, form: Form, facts: Option<&DomainFacts>) {
    let rank = |device: &Device| match device {
        Device::Vif(_) => 0,
        Device::Block(_) => 2,
        Device::Vfb(_) => 3,
        _ => 1,
    };
    let stored = form == Form::Stored;
    let mut ordered: Vec<&Device> = config.devices.iter().collect();
    if !stored {
        ordered.sort_by_key(|device| rank(device));
    }
    let chosen = config
        .devices
        .iter()
        .any(|d| d.as_block().is_some_and(|block| block.bootable == Some(true)));
    let mut first = !chosen;
    sink.begin_many("device");
    for one in ordered {
        let bootable = one.as_block().and_then(|block| {
            let implied = if stored { None } else { Some(std::mem::take(&mut first)) };
            block.bootable.or(implied)
        });
        sink.begin_item("device");
        let told = !matches!(one, Device::Vfb(_)) || sink.tells_screens();
        let location = facts.filter(|_| told).and_then(|facts| facts.location(config, one));
        device::device(sink, one, form, bootable, location.as_deref());
        sink.end_item();
    }
    sink.end_many();
}

fn seconds_since_1970(time: SystemTime) -> f64 {
    // xend printed hundredths at this magnitude; more would be noise of the clock.
    (seconds(time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()) * 100.0).round()
        / 100.0
}

fn seconds(time: Duration) -> f64 {
    time.as_secs_f64()
}

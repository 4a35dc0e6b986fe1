//! A domain's record as facts of the port.

use super::devices::{self, Link};
use super::record::{Record, allowed_cpus};
use super::settings::SimSettings;
use crate::core::backend::frontend_nodes;
use crate::core::model::{
    CpuSet, Device, DeviceFacts, DomId, DomainFacts, GuestKind, Password, Property, RunFlags,
    VcpuFacts,
};
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime};

/// The ELF notes of a current Linux kernel.
static PV_NOTES: LazyLock<Arc<[Property]>> = LazyLock::new(|| {
    let note = |key: &str, value: &str| Property::new(key, value);
    Arc::new([
        note("FEATURES", "!writable_page_tables|pae_pgdir_above_4gb"),
        note("VIRT_BASE", "18446744071562067968"),
        note("GUEST_VERSION", "2.6"),
        note("PADDR_OFFSET", "0"),
        note("HYPERCALL_PAGE", "18446744071564189696"),
        note("LOADER", "generic"),
        note("PAE_MODE", "yes"),
        note("ENTRY", "18446744071564165120"),
        note("HV_START_LOW", "18446603336221196288"),
        note("GUEST_OS", "linux"),
        note("SUSPEND_CANCEL", "1"),
        note("XEN_VERSION", "xen-3.0"),
    ])
});

/// The ELF notes of an HVM guest's firmware.
static HVM_NOTES: LazyLock<Arc<[Property]>> =
    LazyLock::new(|| Arc::new([Property::new("SUSPEND_CANCEL", "1")]));

fn elf_notes(record: &Record) -> Arc<[Property]> {
    match record.kind() {
        _ if record.domid == DomId::ZERO => Arc::default(),
        GuestKind::Pv => Arc::clone(&PV_NOTES),
        GuestKind::Hvm | GuestKind::Pvh => Arc::clone(&HVM_NOTES),
    }
}

/// The event channel of a guest's console: the toolstack makes it after XenStore's.
const CONSOLE_PORT: u32 = 2;

/// The frame numbers of the pages for XenStore and the console: made up, and different for each
/// domain.
fn shared_pages(record: &Record) -> (Option<u64>, Option<u64>) {
    let base = 1_000_000 + 10 * u64::from(record.domid.0);
    match record.kind() {
        _ if record.domid == DomId::ZERO => (None, None),
        GuestKind::Pv => (Some(base), Some(base + 1)),
        GuestKind::Hvm | GuestKind::Pvh => (Some(base), None),
    }
}

fn flags(record: &Record, now: SystemTime) -> RunFlags {
    let shutdown = record.guest.stopped(now);
    let paused = record.guest.paused;
    let dying = record.dying.is_some();
    let can_run = !paused && !dying && shutdown.is_none();
    let running = can_run && record.is_busy();
    RunFlags { running, blocked: can_run && !running, paused, shutdown, dying }
}

pub(super) fn domain(record: &Record, now: SystemTime, settings: &SimSettings) -> DomainFacts {
    let now = record.guest_time(now);
    let (store_mfn, console_mfn) = shared_pages(record);
    DomainFacts {
        domid: record.domid,
        uuid: record.uuid,
        name: record.name.clone(),
        flags: flags(record, now),
        cpu_time: record.cpu_time(now, settings),
        memory_kib: record.memory_at(now),
        online_vcpus: record.online_vcpus().count_ones(),
        start_time: (record.domid != DomId::ZERO).then_some(record.created),
        store_mfn,
        console_mfn,
        console_port: (record.domid != DomId::ZERO).then_some(CONSOLE_PORT),
        vnc_port: record.vnc_port,
        notes: elf_notes(record),
    }
}

/// The VCPUs of a domain; `pool` has the CPUs of its pool.
pub(super) fn vcpus(
    record: &Record,
    now: SystemTime,
    settings: &SimSettings,
    pool: &CpuSet,
) -> Vec<VcpuFacts> {
    let now = record.guest_time(now);
    let flags = flags(record, now);
    let online = record.online_vcpus();
    let used = record.cpu_time(now, settings);
    let count = online.count_ones().max(1);
    let last_online = u128::BITS - 1 - online.leading_zeros().min(u128::BITS - 1);
    let idles = !record.is_busy() && record.guest.has_run();
    let facts = |(number, affinity): (u32, &CpuSet)| {
        let is_online = online >> number & 1 == 1;
        let can_run = record.domid != DomId::ZERO || number == 0;
        let affinity = allowed_cpus(affinity, settings.cpus);
        // If the pool has none of the VCPU's CPUs, the VCPU runs on any CPU of the pool.
        let in_pool = affinity.intersection(pool);
        let cpus = if in_pool.is_empty() { pool } else { &in_pool };
        VcpuFacts {
            number,
            online: is_online,
            blocked: is_online && idles,
            running: is_online && flags.running && can_run,
            cpu_time: match number {
                _ if !is_online => Duration::ZERO,
                // The rest of the division.
                _ if number == last_online => used.saturating_sub(used / count * (count - 1)),
                _ => used / count,
            },
            cpu: is_online.then(|| nth_cpu(cpus, record.domid.0.wrapping_add(number))).flatten(),
            affinity,
        }
    };
    (0..).zip(&record.affinity).map(facts).collect()
}

/// The nth CPU of a set, counted round and round: VCPUs are spread over their CPUs.
fn nth_cpu(cpus: &CpuSet, n: u32) -> Option<u32> {
    let n = usize::try_from(n).ok()?.checked_rem(cpus.len())?;
    cpus.iter().nth(n)
}

/// The devices of a domain with the nodes of their frontends in XenStore.
pub(super) fn devices(
    record: &Record,
    now: SystemTime,
    settings: &SimSettings,
) -> Vec<DeviceFacts> {
    let mut facts = Vec::new();
    let cpu_time = record.cpu_time(record.guest_time(now), settings);
    let mut links: HashMap<(&str, u32), &Link> = HashMap::new();
    for link in &record.links {
        links.entry((link.class.as_str(), link.number)).or_insert(link);
    }
    for device in &record.config.devices {
        let link = device.id().and_then(|number| links.get(&(device.class(), number)));
        let Some(link) = link else { continue };
        facts.push(DeviceFacts {
            class: link.class.clone(),
            number: link.number,
            nodes: nodes(record, device, link, now),
            io: Some(io_bytes(cpu_time, link.number)),
        });
    }
    facts
}

fn nodes(record: &Record, device: &Device, link: &Link, now: SystemTime) -> Vec<Property> {
    let mut nodes = frontend_nodes(device, link.number);
    let mut node = |key: &str, value: String| nodes.push(Property::new(key, value));
    if record.kind() == GuestKind::Pv {
        node("protocol", "x86_64-abi".to_owned());
    }
    let state = link.state(now, record.guest.has_run()).to_string();
    // The order is that of xend's device controllers.
    if matches!(device, Device::Console(_)) {
        node("state", state);
        node("backend-id", "0".to_owned());
    } else {
        node("backend-id", "0".to_owned());
        node("state", state);
    }
    let class = match device {
        Device::Block(_) if link.class == "tap2" => "vbd",
        _ => &link.class,
    };
    let domid = record.domid;
    node("backend", format!("/local/domain/0/backend/{class}/{domid}/{}", link.number));
    for (key, value) in channels(device, link.number) {
        node(key, value.to_string());
    }
    nodes
}

/// The event channel and shared pages of a device, made up.
fn channels(device: &Device, number: u32) -> Vec<(&'static str, u32)> {
    match device {
        Device::Block(_) => vec![("event-channel", 13 + number / 16 % 16), ("ring-ref", 8)],
        Device::Vif(_) => {
            vec![("event-channel", 8 + number), ("tx-ring-ref", 768), ("rx-ring-ref", 769)]
        }
        Device::Console(_) => vec![("event-channel", 8), ("ring-ref", 8)],
        _ => Vec::new(),
    }
}

/// The password of the guest's VNC screen. `None` if there is no password, or no screen.
pub(super) fn vnc_password(record: &Record, settings: &SimSettings) -> Option<Password> {
    devices::screen(&record.config)?.vnc_password(settings.vnc_password.as_ref())
}

/// The bytes that a guest has read and written through a device: in proportion to its CPU time, and
/// with a factor of the device's own.
fn io_bytes(cpu_time: Duration, number: u32) -> (u64, u64) {
    let blocks = u64::try_from(cpu_time.as_millis()).unwrap_or(u64::MAX) / 10;
    (blocks.saturating_mul(4096 + 512 * u64::from(number % 8)), blocks.saturating_mul(1024))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{at, running};
    use super::*;

    #[test]
    fn an_idle_guest_is_blocked() {
        let record = running("web1", |c| c.set_vcpus(4));
        for moment in [0, 399, 400, 100_400] {
            let facts = domain(&record, at(moment), &SimSettings::default());
            assert!(facts.flags.blocked && !facts.flags.running && !facts.flags.paused);
            assert_eq!(facts.online_vcpus, 4, "at {moment}");
        }
    }

    #[test]
    fn a_busy_guest_is_running() {
        let record = running("busy", |_| ());
        let flags = domain(&record, at(5), &SimSettings::default()).flags;
        assert!(flags.running && !flags.blocked);
    }

    #[test]
    fn vcpus_share_the_time_and_keep_to_their_cpus() {
        let settings = SimSettings::default();
        let record = running("a", |c| {
            c.set_vcpus(3);
            c.vcpu_avail = 0b101;
            c.cpus[2] = [3].into_iter().collect();
        });
        let vcpus = vcpus(&record, at(1_000), &settings, &CpuSet::first(settings.cpus));
        assert_eq!(vcpus.iter().map(|v| v.online).collect::<Vec<_>>(), [true, false, true]);
        assert_eq!(
            vcpus.iter().map(|v| v.cpu_time).sum::<Duration>(),
            record.cpu_time(at(1_000), &settings)
        );
        assert_eq!((vcpus[1].cpu, vcpus[2].cpu), (None, Some(3)));
        assert_eq!(
            (vcpus[0].affinity.to_string(), vcpus[2].affinity.to_string()),
            ("0,1,2,3".into(), "3".into())
        );
        assert!(vcpus[0].blocked && !vcpus[0].running && !vcpus[1].blocked);
    }

    #[test]
    fn domain_0_runs_on_its_first_vcpu() {
        let settings = SimSettings::default();
        let record = Record::domain0(at(0), &settings);
        let facts = domain(&record, at(10), &settings);
        assert!(
            facts.flags.running
                && !facts.flags.blocked
                && facts.start_time.is_none()
                && facts.notes.is_empty()
        );
        let vcpus = vcpus(&record, at(10), &settings, &CpuSet::first(settings.cpus));
        let states: Vec<_> =
            vcpus.iter().map(|v| (v.online, v.running, v.blocked, v.cpu)).collect();
        assert_eq!(states, [(true, true, false, Some(0)), (true, false, false, Some(1))]);
        let cpu_time = |millis| domain(&record, at(millis), &settings).cpu_time;
        assert!(cpu_time(20_000) > cpu_time(10_000));
    }

    #[test]
    fn a_domain_that_is_being_destroyed_does_not_change() {
        let mut record = running("busy", |_| ());
        record.dying = Some((at(1_000), at(1_020)));
        let facts = domain(&record, at(1_019), &SimSettings::default());
        assert!(
            facts.flags.dying
                && !facts.flags.running
                && !record.is_gone(at(1_019))
                && record.is_gone(at(1_020))
        );
        assert_eq!(facts.cpu_time, Duration::from_secs(1));
    }
}

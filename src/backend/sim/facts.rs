//! What the host and its domains look like from outside.

use super::devices::Link;
use super::record::Record;
use super::settings::SimSettings;
use crate::core::model::{
    CpuSet, Device, DeviceFacts, DomId, DomainFacts, GuestKind, HostInfo, Password, Property,
    RunFlags, ShutdownReason, Topology, VcpuFacts,
};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime};

/// Xen's version: major, minor and the rest.
pub(super) const VERSION: (u32, u32, &str) = (4, 17, ".0");

/// The revision Xen was built from.
pub(super) const CHANGESET: &str = "unavailable";

/// Compiler, who, where, when.
pub(super) const fn compiled() -> [&'static str; 4] {
    ["gcc (Debian 12.2.0-14) 12.2.0", "root", "localdomain", "Wed Dec 14 08:20:31 UTC 2022"]
}

/// Xen's command line.
pub(super) fn commandline(settings: &SimSettings) -> String {
    format!(
        "dom0_mem={}M dom0_max_vcpus={} sched={}",
        settings.dom0_memory_mib, settings.dom0_vcpus, settings.scheduler
    )
}

/// What does not change while the host is up.
pub(super) fn host_info(settings: &SimSettings) -> HostInfo {
    let uname = rustix::system::uname();
    let (xen_major, xen_minor, xen_extra) = VERSION;
    HostInfo {
        uname: [
            uname.sysname(),
            uname.nodename(),
            uname.release(),
            uname.version(),
            uname.machine(),
        ]
        .map(|part| part.to_string_lossy().into_owned()),
        topology: Topology {
            cpus: settings.cpus,
            nodes: 1,
            cores_per_socket: settings.cpus,
            threads_per_core: 1,
            khz: 2_400_000,
        },
        hw_caps: "bfebfbff:77faf3ff:2c100800:00000121:0000000f:009c6fbf:00000000:00000100"
            .to_owned(),
        virt_caps: "hvm".to_owned(),
        total_memory: settings.memory_mib,
        xen_major,
        xen_minor,
        xen_extra: xen_extra.to_owned(),
        // Real Xen ends the list with a space, and old clients were written against that.
        xen_caps: "xen-3.0-x86_64 hvm-3.0-x86_32 hvm-3.0-x86_32p hvm-3.0-x86_64 ".to_owned(),
        scheduler: settings.scheduler,
        pagesize: 4096,
        platform_params: "virt_start=0xffff800000000000".to_owned(),
        changeset: CHANGESET.to_owned(),
        commandline: commandline(settings),
        compiled: compiled().map(str::to_owned),
    }
}

/// What the ELF notes of a current Linux kernel say.
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

/// What those of an HVM guest's firmware say.
static HVM_NOTES: LazyLock<Arc<[Property]>> =
    LazyLock::new(|| Arc::new([Property::new("SUSPEND_CANCEL", "1")]));

fn notes(record: &Record) -> Arc<[Property]> {
    match record.kind() {
        _ if record.domid == DomId::ZERO => Arc::default(),
        GuestKind::Pv => Arc::clone(&PV_NOTES),
        GuestKind::Hvm | GuestKind::Pvh => Arc::clone(&HVM_NOTES),
    }
}

/// The event channel of a guest's console: the second that the toolstack makes, after XenStore's.
const CONSOLE_PORT: u32 = 2;

/// Frame numbers are made up, but they are a domain's own.
fn shared_pages(record: &Record) -> (Option<u64>, Option<u64>) {
    let base = 1_000_000 + 10 * u64::from(record.domid.0);
    match record.kind() {
        _ if record.domid == DomId::ZERO => (None, None),
        GuestKind::Pv => (Some(base), Some(base + 1)),
        GuestKind::Hvm | GuestKind::Pvh => (Some(base), None),
    }
}

fn flags(record: &Record, now: SystemTime) -> RunFlags {
    let shutdown = record.life.stopped(now);
    let (paused, dying) = (record.life.paused, record.dying.is_some());
    let runs = !paused && !dying && shutdown.is_none();
    let running = runs && record.is_busy();
    RunFlags { running, blocked: runs && !running, paused, shutdown, dying }
}

/// What the hypervisor says of a domain.
pub(super) fn domain(record: &Record, now: SystemTime, settings: &SimSettings) -> DomainFacts {
    let now = record.alive_until(now);
    let (store_mfn, console_mfn) = shared_pages(record);
    DomainFacts {
        domid: record.domid,
        uuid: record.uuid,
        name: record.name.clone(),
        flags: flags(record, now),
        cpu_time: record.cpu_time(now, settings),
        memory_kib: record.memory_now(now),
        online_vcpus: record.online().count_ones(),
        start_time: (record.domid != DomId::ZERO).then_some(record.created),
        store_mfn,
        console_mfn,
        console_port: (record.domid != DomId::ZERO).then_some(CONSOLE_PORT),
        vnc_port: record.vnc_port,
        notes: notes(record),
    }
}

/// What a guest has printed on its console so far.
pub(super) fn console(record: &Record, now: SystemTime) -> String {
    let now = record.alive_until(now);
    let mut text = String::new();
    if record.life.begun() {
        let args =
            record.config.image.as_ref().map(|image| image.args.to_string()).unwrap_or_default();
        let version = "[    0.000000] Linux version 6.1.0-sim (simulated)\r\n";
        text.extend([version, "[    0.000000] Command line: ", &args, "\r\n"]);
    }
    if record.life.booted(now) {
        text.extend(["\r\n", record.config.name.as_str(), " login: "]);
    }
    match record.life.stopped(now) {
        Some(ShutdownReason::Crash) => {
            text.push_str("\r\nKernel panic - not syncing: simulated\r\n")
        }
        Some(reason) => text.extend(["\r\nreboot: System ", reason.name(), "\r\n"]),
        None => {}
    }
    text
}

/// What the hypervisor says of a domain's VCPUs.
pub(super) fn vcpus(
    record: &Record,
    now: SystemTime,
    settings: &SimSettings,
    pool: &CpuSet,
) -> Vec<VcpuFacts> {
    let now = record.alive_until(now);
    let (flags, online) = (flags(record, now), record.online());
    let used = record.cpu_time(now, settings);
    let count = online.count_ones().max(1);
    let started = record.life.begun();
    let last_online = u128::BITS - 1 - online.leading_zeros().min(u128::BITS - 1);
    (0..)
        .zip(&record.affinity)
        .map(|(number, affinity)| {
            let is_online = online >> number & 1 == 1;
            let running =
                is_online && flags.running && (record.domid != DomId::ZERO || number == 0);
            let idle = is_online && !record.is_busy() && started;
            let affinity = allowed(affinity, settings.cpus);
            // A VCPU whose CPUs are all in other pools is on any of its own pool's.
            let here: CpuSet = affinity.iter().filter(|cpu| pool.contains(*cpu)).collect();
            let here = if here.is_empty() { pool } else { &here };
            VcpuFacts {
                number,
                online: is_online,
                blocked: idle,
                running,
                cpu_time: match number {
                    _ if !is_online => Duration::ZERO,
                    _ if number == last_online => used.saturating_sub(used / count * (count - 1)),
                    _ => used / count,
                },
                cpu: is_online.then(|| place(here, record.domid.0.wrapping_add(number))).flatten(),
                affinity,
            }
        })
        .collect()
}

/// What the guest's XenStore says of its devices.
pub(super) fn devices(
    record: &Record,
    now: SystemTime,
    settings: &SimSettings,
) -> Vec<DeviceFacts> {
    let mut facts = Vec::new();
    let worked = record.cpu_time(record.alive_until(now), settings);
    for device in &record.config.devices {
        let mine = |link: &&Link| link.class == device.class() && Some(link.number) == device.id();
        let Some(link) = record.links.iter().find(mine) else { continue };
        let mut nodes = Vec::new();
        let mut node = |key: &str, value: String| nodes.push(Property::new(key, value));
        let backend_class = if matches!(device, Device::Block(_)) && link.class == "tap2" {
            "vbd"
        } else {
            &link.class
        };
        let backend =
            format!("/local/domain/0/backend/{backend_class}/{}/{}", record.domid, link.number);
        match device {
            Device::Block(block) => {
                node("virtual-device", link.number.to_string());
                node("device-type", block.kind.name().to_owned());
            }
            Device::Vif(vif) => {
                node("mac", vif.mac.map(|mac| mac.to_string()).unwrap_or_default());
                node("handle", link.number.to_string());
            }
            _ => {}
        }
        if record.kind() == GuestKind::Pv {
            node("protocol", "x86_64-abi".to_owned());
        }
        let state = link.state(now, record.life.begun()).to_string();
        // In the order in which xend's device controllers wrote them.
        let (first, second) = (("backend-id", "0".to_owned()), ("state", state));
        let in_order =
            if matches!(device, Device::Console(_)) { [second, first] } else { [first, second] };
        for (key, value) in in_order {
            node(key, value);
        }
        node("backend", backend);
        for (key, value) in channels(device, link.number) {
            node(key, value.to_string());
        }
        let io = Some(moved(worked, link.number));
        facts.push(DeviceFacts { class: link.class.clone(), number: link.number, nodes, io });
    }
    facts
}

/// What somebody must know to see the guest's VNC screen: the screen's own password, even if that
/// is none, or else the host's.
pub(super) fn vnc_password(record: &Record, settings: &SimSettings) -> Option<Password> {
    let screen = record.config.devices.iter().find_map(|device| match device {
        Device::Vfb(screen) if screen.is_vnc() => Some(screen),
        _ => None,
    })?;
    match screen.setting("vncpasswd") {
        Some(own) => Password::new(own.clone()),
        None => settings.vnc_password.clone(),
    }
}

/// Bytes that a guest moves while it works: the more, the longer, and a device's own share.
fn moved(worked: Duration, number: u32) -> (u64, u64) {
    let blocks = u64::try_from(worked.as_millis()).unwrap_or(u64::MAX) / 10;
    (blocks.saturating_mul(4096 + 512 * u64::from(number % 8)), blocks.saturating_mul(1024))
}

/// Event channels and shared pages: what a guest of this simulation happens to choose.
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

/// The CPUs of the host that an affinity allows. All of them if the host has none of those that it
/// names, which happens when the host has got smaller since.
pub(super) fn allowed(affinity: &CpuSet, cpus: u32) -> CpuSet {
    let allowed: CpuSet = affinity.iter().filter(|cpu| *cpu < cpus).collect();
    if allowed.is_empty() { CpuSet::first(cpus) } else { allowed }
}

/// The CPU that a VCPU is on: each on another one, as far as possible.
fn place(allowed: &CpuSet, turn: u32) -> Option<u32> {
    let count = allowed.iter().count();
    let turn = usize::try_from(turn).ok()?.checked_rem(count)?;
    allowed.iter().nth(turn)
}

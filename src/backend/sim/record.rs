//! The record of a domain, from which the domain's state at any later moment follows.

use super::devices::{self, Link};
use super::guest::{AgentKind, Behaviour, CpuRates, Guest, ONE_CPU, Ppm};
use super::nodes::Nodes;
use super::sched;
use super::settings::SimSettings;
use crate::core::model::{
    CpuSet, DomId, DomName, DomainConfig, GuestKind, Image, SchedParams, ShutdownReason, Uuid,
};
use crate::core::op::Content;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// The speed of a guest's balloon driver: 512 MiB a second.
const BALLOON_KIB_PER_MS: u64 = 512;

/// The CPU use of Domain-0.
const DOM0_RATE: Ppm = 35_000;

/// The CPU time that Domain-0 used until the host was up.
const DOM0_BOOT_CPU: Duration = Duration::from_millis(8_730);

/// The memory that Domain-0 may grow to, in MiB: Xen's number for "no limit".
const DOM0_MAXMEM_MIB: u64 = 16_777_215;

/// The CPU use of a guest that boots.
const BOOT_RATE: Ppm = 600_000;

/// The time that an agent takes to see what is new in XenStore.
const AGENT_WAKE: Duration = Duration::from_millis(5);

/// What the agent in a guest has to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct AgentWork {
    /// The run time at which it does the next thing; `None` if there is nothing to do.
    pub(super) due: Option<Duration>,
    /// The request that it works on until then: the name of the node, and its value.
    pub(super) request: Option<(String, Content)>,
}

/// The record of a domain.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Record {
    pub(super) domid: DomId,
    pub(super) uuid: Uuid,
    pub(super) name: DomName,
    pub(super) created: SystemTime,
    /// The memory target in KiB. All of it counts as used at once.
    pub(super) memory_kib: u64,
    /// The memory in KiB when the target was last set, and when that was: the balloon moves from
    /// there to the target.
    pub(super) balloon: Option<(u64, SystemTime)>,
    /// The affinity of each VCPU; an empty set is any CPU.
    pub(super) affinity: Vec<CpuSet>,
    /// The VCPUs that the guest brings online when it has run, as a bit mask.
    pub(super) vcpu_avail: u128,
    pub(super) sched: SchedParams,
    pub(super) guest: Guest,
    pub(super) links: Vec<Link>,
    /// The TCP port of the screen.
    pub(super) vnc_port: Option<u16>,
    /// When the domain's destruction began, and when it ends.
    pub(super) dying: Option<(SystemTime, SystemTime)>,
    /// Whether Xen's message buffer has the guest's crash.
    pub(super) crash_logged: bool,
    /// The domain's directory in XenStore.
    pub(super) nodes: Arc<Nodes>,
    pub(super) agent: AgentWork,
    /// The configuration that the toolstack has stored with the domain.
    pub(super) config: Arc<DomainConfig>,
}

impl Record {
    /// A domain that is built now.
    pub(super) fn new(
        domid: DomId,
        uuid: Uuid,
        config: DomainConfig,
        now: SystemTime,
        settings: &SimSettings,
    ) -> Self {
        let mut record = Self {
            domid,
            uuid,
            name: config.name.clone(),
            created: now,
            memory_kib: needed_kib(&config),
            balloon: None,
            affinity: config.cpus.clone(),
            vcpu_avail: config.vcpu_avail,
            sched: sched::initial(settings.scheduler, domid, &config),
            guest: Guest::new(&config, settings, now),
            links: devices::links(&config, now, settings),
            vnc_port: None,
            dying: None,
            crash_logged: false,
            nodes: Arc::new(Nodes::new(domid, &config)),
            agent: AgentWork::default(),
            config: Arc::new(config),
        };
        record.wake_agent(now);
        record
    }

    /// Domain-0 of a host that is started now.
    pub(super) fn domain0(now: SystemTime, settings: &SimSettings) -> Self {
        let mut config =
            DomainConfig::new(DomName::adopted(DomName::DOMAIN_0), settings.dom0_memory_mib);
        config.uuid = Some(Uuid::nil());
        config.maxmem = DOM0_MAXMEM_MIB.max(config.memory);
        config.set_vcpus(settings.dom0_vcpus);
        config.cpus.fill(CpuSet::first(settings.cpus));
        config.image = Some(Image {
            kind: GuestKind::Pv,
            builder: "linux".into(),
            kernel: "".into(),
            ramdisk: None,
            args: "".into(),
            loader: None,
            device_model: None,
            rest: vec![],
        });
        let mut record = Self::new(DomId::ZERO, Uuid::nil(), config, now, settings);
        record.guest.behaviour = Behaviour {
            boot: Duration::ZERO,
            react: Duration::ZERO,
            deaf: true,
            busy: false,
            own_stop: None,
            agent: AgentKind::Absent,
            answer: Duration::ZERO,
        };
        record.agent = AgentWork::default();
        record.guest.paused = false;
        record.guest.cpu_used = DOM0_BOOT_CPU;
        record
    }

    pub(super) fn kind(&self) -> GuestKind {
        self.config.image.as_ref().map_or(GuestKind::Pv, |image| image.kind)
    }

    /// The memory that the domain has at a moment, in KiB: the balloon moves at
    /// [`BALLOON_KIB_PER_MS`].
    pub(super) fn memory_at(&self, now: SystemTime) -> u64 {
        let Some((from, since)) = self.balloon else { return self.memory_kib };
        let elapsed = now.duration_since(since).unwrap_or_default().as_millis();
        let moved = u64::try_from(elapsed).unwrap_or(u64::MAX).saturating_mul(BALLOON_KIB_PER_MS);
        if from > self.memory_kib {
            from.saturating_sub(moved).max(self.memory_kib)
        } else {
            from.saturating_add(moved).min(self.memory_kib)
        }
    }

    /// The memory that the domain has beyond its target, in KiB: it is not free yet.
    pub(super) fn excess_kib(&self, now: SystemTime) -> u64 {
        self.memory_at(now).saturating_sub(self.memory_kib)
    }

    /// Whether the domain always has a VCPU that runs.
    pub(super) fn is_busy(&self) -> bool {
        self.guest.behaviour.busy || self.domid == DomId::ZERO
    }

    /// The given moment, or the begin of the domain's destruction if that is earlier: the state of
    /// the guest does not change afterwards.
    pub(super) fn guest_time(&self, now: SystemTime) -> SystemTime {
        self.dying.map_or(now, |(since, _)| since.min(now))
    }

    /// Whether the domain's destruction has ended.
    pub(super) fn is_gone(&self, now: SystemTime) -> bool {
        self.dying.is_some_and(|(_, gone)| gone <= now)
    }

    /// The VCPUs that are online, as a bit mask: one at least. A PV guest starts on one VCPU and
    /// brings up the others.
    pub(super) fn online_vcpus(&self) -> u128 {
        let wanted = match self.vcpu_avail & self.vcpu_mask() {
            0 => 1,
            some => some,
        };
        let lowest = wanted & wanted.wrapping_neg();
        let has_one = self.kind() == GuestKind::Pv && !self.guest.has_run();
        if has_one { lowest } else { wanted }
    }

    /// All VCPUs, as a bit mask: one at least, whatever a record says.
    fn vcpu_mask(&self) -> u128 {
        let count = u32::try_from(self.affinity.len()).unwrap_or(u128::BITS);
        u128::MAX >> (u128::BITS - count.clamp(1, u128::BITS))
    }

    /// The CPU time of all VCPUs.
    pub(super) fn cpu_time(&self, now: SystemTime, settings: &SimSettings) -> Duration {
        self.guest.cpu_time(now, self.cpu_rates(settings))
    }

    /// Advances the guest to now: before each change of the guest or of its share of the CPUs.
    pub(super) fn advance(&mut self, now: SystemTime, settings: &SimSettings) {
        let rates = self.cpu_rates(settings);
        self.guest.advance(now, rates);
    }

    /// Stops the guest. After a crash the caller logs it to Xen's message buffer.
    pub(super) fn stop(&mut self, reason: ShutdownReason) {
        self.guest.stop(reason);
        self.crash_logged = reason == ShutdownReason::Crash;
    }

    /// When the domain next changes by itself: the guest stops, or the destruction ends.
    pub(super) fn changes_at(&self) -> Option<SystemTime> {
        self.dying.map_or_else(|| self.guest.stops_at(), |(_, gone)| Some(gone))
    }

    /// Lets the agent see that there is something new: a request, or other things to report.
    pub(super) fn wake_agent(&mut self, now: SystemTime) {
        // Once it has answered the request that it works on, it looks for itself.
        if self.agent.request.is_none() {
            let Behaviour { boot, answer, .. } = self.guest.behaviour;
            let awake = self.guest.run_time_at(now).max(boot.saturating_add(answer));
            let soon = awake.saturating_add(AGENT_WAKE);
            self.agent.due = Some(self.agent.due.map_or(soon, |due| due.min(soon)));
        }
    }

    /// When the agent does the next thing, if nothing is done to the guest before.
    pub(super) fn agent_acts_at(&self) -> Option<SystemTime> {
        self.agent.due.filter(|_| self.dying.is_none()).and_then(|due| self.guest.reaches_at(due))
    }

    /// Whether the guest has crashed by itself, and Xen's message buffer does not have it yet.
    pub(super) fn has_unlogged_crash(&self, now: SystemTime) -> bool {
        let stopped = self.guest.stopped(self.guest_time(now));
        !self.crash_logged && stopped == Some(ShutdownReason::Crash)
    }

    fn cpu_rates(&self, settings: &SimSettings) -> CpuRates {
        let online = (self.vcpu_avail & self.vcpu_mask()).count_ones().max(1);
        let cpus = u64::from(online.min(self.allowed_cpus(settings.cpus)));
        let most = (cpus * ONE_CPU).min(sched::limit(self.sched, online));
        if self.guest.behaviour.busy {
            return CpuRates { booting: most, booted: most };
        }
        let idle = match self.domid {
            DomId::ZERO => DOM0_RATE,
            // 1 % to 3 % of a CPU.
            DomId(n) => ONE_CPU / 100 + u64::from(n).wrapping_mul(7919) % (ONE_CPU / 50),
        };
        CpuRates { booting: BOOT_RATE.min(most), booted: idle.min(most) }
    }

    /// The number of CPUs that the VCPUs may run on, taken together.
    fn allowed_cpus(&self, host_cpus: u32) -> u32 {
        if self.affinity.iter().any(CpuSet::is_empty) {
            return host_cpus;
        }
        let allowed = self.affinity.iter().map(|set| allowed_cpus(set, host_cpus));
        let allowed = allowed.fold(CpuSet::default(), |all, set| all.union(&set));
        u32::try_from(allowed.len()).unwrap_or(host_cpus)
    }
}

/// The CPUs of the host that an affinity allows. All of them if the host has none that it names:
/// the host can have fewer CPUs than when the affinity was set.
pub(super) fn allowed_cpus(affinity: &CpuSet, host_cpus: u32) -> CpuSet {
    let host = CpuSet::first(host_cpus);
    let allowed = affinity.intersection(&host);
    if allowed.is_empty() { host } else { allowed }
}

/// The memory that a domain is built with, in KiB.
pub(super) fn needed_kib(config: &DomainConfig) -> u64 {
    config.memory.saturating_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{at, running};
    use super::*;

    fn seconds(record: &Record, millis: u64) -> f64 {
        record.cpu_time(at(millis), &SimSettings::default()).as_secs_f64()
    }

    #[test]
    fn an_idle_guest_uses_little_cpu() {
        let record = running("web1", |c| c.set_vcpus(4));
        assert!((seconds(&record, 400) - 0.24).abs() < 1e-9);
        let idle = (seconds(&record, 100_400) - 0.24) / 100.0;
        assert!((0.01..0.03).contains(&idle), "{idle}");
    }

    #[test]
    fn a_busy_guest_uses_what_it_is_allowed() {
        let used = |change: fn(&mut DomainConfig)| {
            let record = running("busy", change);
            seconds(&record, 10_400) - seconds(&record, 400)
        };
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-6, "{a} is not {b}");
        near(used(|_| ()), 10.0);
        near(used(|c| c.set_vcpus(3)), 30.0);
        near(used(|c| c.set_vcpus(64)), 40.0);
        near(used(|c| c.cpu_cap = 25), 2.5);
        near(
            used(|c| {
                c.set_vcpus(3);
                c.cpus.fill([0, 2].into_iter().collect());
            }),
            20.0,
        );
    }

    #[test]
    fn a_balloon_takes_its_time() {
        let mut record = running("a", |_| ());
        assert_eq!((record.memory_at(at(0)), record.excess_kib(at(0))), (65_536, 0));
        record.balloon = Some((65_536, at(0)));
        record.memory_kib = 32_768;
        for (moment, kib) in [(0, 65_536), (32, 49_152), (64, 32_768), (9_000, 32_768)] {
            assert_eq!(
                (record.memory_at(at(moment)), record.excess_kib(at(moment))),
                (kib, kib - 32_768)
            );
        }
        record.balloon = Some((32_768, at(100)));
        record.memory_kib = 65_536;
        assert_eq!(
            [at(0), at(132), at(164)].map(|now| record.memory_at(now)),
            [32_768, 49_152, 65_536]
        );
        assert_eq!(record.excess_kib(at(132)), 0);
    }
}

//! What is kept of a domain: enough to tell what it does at any later moment.

use super::devices::{self, Link};
use super::guest::{Life, Nature, ONE_CPU, Ppm, Rates};
use super::settings::SimSettings;
use super::{facts, sched};
use crate::core::model::{
    CpuSet, DomId, DomName, DomainConfig, GuestKind, Image, SchedParams, ShutdownReason, Uuid,
};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// How fast a guest's balloon driver gives memory back or takes it: 512 MiB a second.
const BALLOON_KIB_PER_MS: u64 = 512;

/// A domain. What it is at a moment is worked out from this and the time; see [`facts`].
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Record {
    /// The number.
    pub domid: DomId,
    /// The UUID.
    pub uuid: Uuid,
    /// The name in XenStore.
    pub name: DomName,
    /// When it was built.
    pub created: SystemTime,
    /// The memory that it is to have, in KiB. It is counted as used from the moment that it is
    /// promised.
    pub memory_kib: u64,
    /// What it had when its target was set last, in KiB, and when that was: its balloon moves from
    /// there.
    pub balloon: Option<(u64, SystemTime)>,
    /// Each VCPU's affinity; the empty set is any CPU.
    pub affinity: Vec<CpuSet>,
    /// The VCPUs that a guest that has booted brings online, as a bit mask.
    pub vcpu_avail: u128,
    /// Its parameters in the host's scheduler.
    pub sched: SchedParams,
    /// Its guest's life.
    pub life: Life,
    /// Its devices.
    pub links: Vec<Link>,
    /// The TCP port on which its device model serves its screen.
    pub vnc_port: Option<u16>,
    /// Since when it is being taken apart, and when it will be gone.
    pub dying: Option<(SystemTime, SystemTime)>,
    /// Whether Xen's message buffer has heard of its crash.
    pub crash_told: bool,
    /// The configuration that the toolstack keeps with it.
    pub config: Arc<DomainConfig>,
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
        Self {
            domid,
            uuid,
            name: config.name.clone(),
            created: now,
            memory_kib: needed_kib(&config),
            balloon: None,
            affinity: config.cpus.clone(),
            vcpu_avail: config.vcpu_avail,
            sched: sched::initial(settings.scheduler, domid, &config),
            life: Life::new(Nature::of(&config, settings.boot, settings.react), now),
            links: devices::links(&config, now, settings),
            vnc_port: None,
            dying: None,
            crash_told: false,
            config: Arc::new(config),
        }
    }

    /// Domain-0, which has just been started.
    pub(super) fn domain0(now: SystemTime, settings: &SimSettings) -> Self {
        let mut config = DomainConfig::new(DomName::adopted("Domain-0"), settings.dom0_memory_mib);
        config.uuid = Some(Uuid::nil());
        // Domain-0 may be given all that there is.
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
        record.life.nature = Nature {
            boot: Duration::ZERO,
            react: Duration::ZERO,
            deaf: true,
            busy: false,
            stops: None,
        };
        record.life.paused = false;
        record.life.cpu = DOM0_BOOT_CPU;
        record
    }

    /// The kind of guest.
    pub(super) fn kind(&self) -> GuestKind {
        self.config.image.as_ref().map_or(GuestKind::Pv, |image| image.kind)
    }

    /// The memory that it has at the moment, in KiB: a balloon moves at [`BALLOON_KIB_PER_MS`].
    pub(super) fn memory_now(&self, now: SystemTime) -> u64 {
        let Some((from, since)) = self.balloon else { return self.memory_kib };
        let elapsed = now.duration_since(since).unwrap_or_default().as_millis();
        let moved = u64::try_from(elapsed).unwrap_or(u64::MAX).saturating_mul(BALLOON_KIB_PER_MS);
        if from > self.memory_kib {
            from.saturating_sub(moved).max(self.memory_kib)
        } else {
            from.saturating_add(moved).min(self.memory_kib)
        }
    }

    /// What it has beyond its target, in KiB: nobody else can have that yet.
    pub(super) fn excess_kib(&self, now: SystemTime) -> u64 {
        self.memory_now(now).saturating_sub(self.memory_kib)
    }

    /// Whether some VCPU is on a CPU whenever somebody looks.
    pub(super) fn is_busy(&self) -> bool {
        self.life.nature.busy || self.domid == DomId::ZERO
    }

    /// The moment, or the one at which the domain began to be taken apart: nothing happens in it
    /// any more after that.
    pub(super) fn alive_until(&self, now: SystemTime) -> SystemTime {
        self.dying.map_or(now, |(since, _)| since.min(now))
    }

    /// Whether it has been taken apart.
    pub(super) fn is_gone(&self, now: SystemTime) -> bool {
        self.dying.is_some_and(|(_, gone)| gone <= now)
    }

    /// The VCPUs that are online, as a bit mask: never none. A PV guest starts on one and brings up
    /// the others.
    pub(super) fn online(&self) -> u128 {
        let all = u128::MAX >> (u128::BITS - vcpu_count(&self.affinity));
        let wanted = match self.vcpu_avail & all {
            0 => 1,
            some => some,
        };
        let alone = self.kind() == GuestKind::Pv && !self.life.begun();
        if alone { wanted & wanted.wrapping_neg() } else { wanted }
    }

    /// The CPU time of its VCPUs.
    pub(super) fn cpu_time(&self, now: SystemTime, settings: &SimSettings) -> Duration {
        self.life.cpu_time(now, self.rates(settings))
    }

    /// Moves the life's mark to now. Whatever changes a guest's life or its share of the CPUs does
    /// this first.
    pub(super) fn bring_up(&mut self, now: SystemTime, settings: &SimSettings) {
        let rates = self.rates(settings);
        self.life.bring_up(now, rates);
    }

    /// Stops its guest. Whoever does so tells Xen's message buffer of a crash.
    pub(super) fn stop(&mut self, reason: ShutdownReason) {
        self.life.stop(reason);
        self.crash_told = reason == ShutdownReason::Crash;
    }

    /// When it next changes by itself: stops, or is gone.
    pub(super) fn due(&self) -> Option<SystemTime> {
        self.dying.map_or_else(|| self.life.stops_at(), |(_, gone)| Some(gone))
    }

    /// Its crash, if Xen's message buffer has not heard of it.
    pub(super) fn untold_crash(&self, now: SystemTime) -> bool {
        !self.crash_told && self.life.stopped(self.alive_until(now)) == Some(ShutdownReason::Crash)
    }

    /// How much CPU its guest uses.
    fn rates(&self, settings: &SimSettings) -> Rates {
        let all = u128::MAX >> (u128::BITS - vcpu_count(&self.affinity));
        let online = (self.vcpu_avail & all).count_ones().max(1);
        let pinned = self.reachable(settings.cpus);
        let bounded = |wanted: Ppm, online: u32| {
            let cpus = u64::from(online.min(pinned)) * ONE_CPU;
            wanted.min(cpus).min(sched::limit(self.sched, online))
        };
        if self.life.nature.busy {
            return Rates { booting: bounded(u64::MAX, online), booted: bounded(u64::MAX, online) };
        }
        let idle = match self.domid {
            DomId::ZERO => DOM0_RATE,
            // 1 % to 3 %, different from domain to domain and the same for each at all times.
            DomId(n) => ONE_CPU / 100 + u64::from(n).wrapping_mul(7919) % (ONE_CPU / 50),
        };
        Rates { booting: bounded(BOOT_RATE, online), booted: bounded(idle, online) }
    }

    /// How many CPUs its VCPUs may be on, taken together.
    fn reachable(&self, cpus: u32) -> u32 {
        if self.affinity.iter().any(CpuSet::is_empty) {
            return cpus;
        }
        let reachable: BTreeSet<u32> = self
            .affinity
            .iter()
            .flat_map(|set| facts::allowed(set, cpus).iter().collect::<Vec<_>>())
            .collect();
        u32::try_from(reachable.len()).unwrap_or(cpus)
    }
}

/// What Domain-0 uses, all in all.
const DOM0_RATE: Ppm = 35_000;

/// What Domain-0 used until the host was up.
const DOM0_BOOT_CPU: Duration = Duration::from_millis(8_730);

/// The memory that Domain-0 may grow to, in MiB: no limit, as Xen puts it.
const DOM0_MAXMEM_MIB: u64 = 16_777_215;

/// What a booting guest uses.
const BOOT_RATE: Ppm = 600_000;

/// How many VCPUs there are; never none, whatever a record says.
fn vcpu_count(affinity: &[CpuSet]) -> u32 {
    u32::try_from(affinity.len()).unwrap_or(u128::BITS).clamp(1, u128::BITS)
}

/// The memory that a domain of this configuration is built with, in KiB.
pub(super) fn needed_kib(config: &DomainConfig) -> u64 {
    config.memory.saturating_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::super::testing::config;
    use super::*;
    use std::time::UNIX_EPOCH;

    fn at(millis: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_795_170_000) + Duration::from_millis(millis)
    }

    fn running(name: &str, change: impl FnOnce(&mut DomainConfig)) -> Record {
        let mut config = config(name, 64);
        change(&mut config);
        let mut record = Record::new(DomId(3), Uuid::nil(), config, at(0), &SimSettings::default());
        record.life.paused = false;
        record
    }

    fn seconds(record: &Record, millis: u64) -> f64 {
        record.cpu_time(at(millis), &SimSettings::default()).as_secs_f64()
    }

    #[test]
    fn an_idle_guest_is_blocked_and_uses_little() {
        let record = running("web1", |c| c.set_vcpus(4));
        let settings = SimSettings::default();
        for moment in [0, 399, 400, 100_400] {
            let facts = facts::domain(&record, at(moment), &settings);
            assert!(facts.flags.blocked && !facts.flags.running && !facts.flags.paused);
            assert_eq!(facts.online_vcpus, 4, "at {moment}");
        }
        assert!((seconds(&record, 400) - 0.24).abs() < 1e-9);
        let idle = (seconds(&record, 100_400) - 0.24) / 100.0;
        assert!((0.01..0.03).contains(&idle), "{idle}");
    }

    #[test]
    fn a_busy_guest_uses_what_it_is_allowed() {
        let used = |change: fn(&mut DomainConfig)| {
            let record = running("busy", change);
            assert!(facts::domain(&record, at(5), &SimSettings::default()).flags.running);
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
    fn vcpus_share_the_time_and_keep_to_their_cpus() {
        let settings = SimSettings::default();
        let record = running("a", |c| {
            c.set_vcpus(3);
            c.vcpu_avail = 0b101;
            c.cpus[2] = [3].into_iter().collect();
        });
        let vcpus = facts::vcpus(&record, at(1_000), &settings, &CpuSet::first(settings.cpus));
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
    fn a_balloon_takes_its_time() {
        let mut record = running("a", |_| ());
        assert_eq!((record.memory_now(at(0)), record.excess_kib(at(0))), (65_536, 0));
        (record.balloon, record.memory_kib) = (Some((65_536, at(0))), 32_768);
        for (moment, kib) in [(0, 65_536), (32, 49_152), (64, 32_768), (9_000, 32_768)] {
            assert_eq!(
                (record.memory_now(at(moment)), record.excess_kib(at(moment))),
                (kib, kib - 32_768)
            );
        }
        (record.balloon, record.memory_kib) = (Some((32_768, at(100))), 65_536);
        assert_eq!(
            [at(0), at(132), at(164)].map(|now| record.memory_now(now)),
            [32_768, 49_152, 65_536]
        );
        assert_eq!(record.excess_kib(at(132)), 0);
    }

    #[test]
    fn domain_0_runs_on_its_first_vcpu() {
        let settings = SimSettings::default();
        let record = Record::domain0(at(0), &settings);
        let facts = facts::domain(&record, at(10), &settings);
        assert!(
            facts.flags.running
                && !facts.flags.blocked
                && facts.start_time.is_none()
                && facts.notes.is_empty()
        );
        let vcpus = facts::vcpus(&record, at(10), &settings, &CpuSet::first(settings.cpus));
        let seen: Vec<_> = vcpus.iter().map(|v| (v.online, v.running, v.blocked, v.cpu)).collect();
        assert_eq!(seen, [(true, true, false, Some(0)), (true, false, false, Some(1))]);
        assert!(seconds(&record, 20_000) > seconds(&record, 10_000));
    }

    #[test]
    fn nothing_happens_in_a_domain_that_is_being_taken_apart() {
        let mut record = running("busy", |_| ());
        record.dying = Some((at(1_000), at(1_020)));
        let facts = facts::domain(&record, at(1_019), &SimSettings::default());
        assert!(
            facts.flags.dying
                && !facts.flags.running
                && !record.is_gone(at(1_019))
                && record.is_gone(at(1_020))
        );
        assert_eq!(facts.cpu_time, Duration::from_secs(1));
    }
}

//! A guest, as a pure function of time.
//!
//! A guest has a clock of its own, its *run time*, which advances while the guest is neither paused
//! nor stopped. Each event in a guest has a run time: the end of its boot, the end of a shutdown
//! that was requested, a stop by itself. The state of the guest at any moment follows from a few
//! numbers, which change only when an operation is done on the guest.

use super::settings::SimSettings;
use super::system::System;
use crate::core::model::{DomainConfig, Image, ShutdownReason};
use std::time::{Duration, SystemTime};

/// CPU use in millionths of one CPU.
pub(super) type Ppm = u64;

/// One CPU.
pub(super) const ONE_CPU: Ppm = 1_000_000;

/// The agent inside a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AgentKind {
    /// As `xend-guest-agent`.
    Current,
    /// As the first agents, in Python: it reports nothing, lists no features, and sends the codes
    /// of failures as numbers.
    Old,
    /// Its responses and reports make no sense.
    Broken,
    /// The guest reboots instead of an answer, unless the domain was built again after a reboot.
    Reboots,
    Absent,
}

impl AgentKind {
    const ALL: [Self; 5] = [Self::Current, Self::Old, Self::Broken, Self::Reboots, Self::Absent];

    /// The word in a domain's record.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Old => "old",
            Self::Broken => "broken",
            Self::Reboots => "reboots",
            Self::Absent => "absent",
        }
    }

    /// The kind that has this word.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The kind that a domain's name asks for.
    fn of(name: &str) -> Self {
        let asked =
            Self::ALL.into_iter().find(|kind| name.contains(&format!("agent{}", kind.name())));
        asked.unwrap_or(Self::Current)
    }
}

/// The behaviour of a guest. It is fixed when the domain is built: a new name does not change it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Behaviour {
    /// Run time until the guest has booted.
    pub(super) boot: Duration,
    /// Run time between a shutdown request and the stop.
    pub(super) react: Duration,
    /// The guest ignores shutdown requests.
    pub(super) deaf: bool,
    /// The guest keeps all its VCPUs busy.
    pub(super) busy: bool,
    /// The guest stops by itself, this long after it has booted.
    pub(super) own_stop: Option<(ShutdownReason, Duration)>,
    pub(super) agent: AgentKind,
    /// Run time that the agent takes to start, and for each answer.
    pub(super) answer: Duration,
}

impl Behaviour {
    /// The behaviour that the name and the kernel arguments of a configuration ask for.
    pub(super) fn of(config: &DomainConfig, settings: &SimSettings) -> Self {
        let name = config.name.as_str();
        let is_slow = name.contains("agentslow");
        Self {
            boot: settings.boot,
            react: settings.react,
            deaf: name.contains("deaf"),
            busy: name.contains("busy"),
            own_stop: config.image.as_ref().and_then(own_stop),
            agent: AgentKind::of(name),
            answer: if is_slow { settings.slow_answer } else { settings.answer },
        }
    }
}

/// Reads the first of the kernel arguments `sim-poweroff`, `sim-halt`, `sim-reboot` and
/// `sim-crash`. A number of seconds can follow after `=`.
fn own_stop(image: &Image) -> Option<(ShutdownReason, Duration)> {
    let args = String::from_utf8_lossy(&image.args);
    args.split_whitespace().find_map(|argument| {
        let (word, seconds) = argument.split_once('=').unwrap_or((argument, "0"));
        let reason = match word {
            "sim-poweroff" => ShutdownReason::Poweroff,
            "sim-halt" => ShutdownReason::Halt,
            "sim-reboot" => ShutdownReason::Reboot,
            "sim-crash" => ShutdownReason::Crash,
            _ => return None,
        };
        let after = seconds.parse().ok().and_then(|s| Duration::try_from_secs_f64(s).ok())?;
        Some((reason, after))
    })
}

/// The CPU use of a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CpuRates {
    /// Until the guest has booted.
    pub(super) booting: Ppm,
    /// Afterwards.
    pub(super) booted: Ppm,
}

/// A guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Guest {
    pub(super) behaviour: Behaviour,
    /// The time of the last [`advance`](Self::advance), for which the next two are given.
    pub(super) updated: SystemTime,
    pub(super) run_time: Duration,
    pub(super) cpu_used: Duration,
    /// Whether the guest has been paused since `updated`.
    pub(super) paused: bool,
    /// A shutdown request, and its run time.
    pub(super) shutdown_request: Option<(ShutdownReason, Duration)>,
    /// A stop that the guest was not asked for, and its run time.
    pub(super) forced_stop: Option<(ShutdownReason, Duration)>,
    /// What the agent can change.
    pub(super) system: System,
}

impl Guest {
    /// A guest that is built now: it is paused and has not run.
    pub(super) fn new(config: &DomainConfig, settings: &SimSettings, now: SystemTime) -> Self {
        Self {
            behaviour: Behaviour::of(config, settings),
            updated: now,
            run_time: Duration::ZERO,
            cpu_used: Duration::ZERO,
            paused: true,
            shutdown_request: None,
            forced_stop: None,
            system: System::new(config),
        }
    }

    /// The run time at which the guest stops, and the reason; `None` if it runs on.
    fn stop_run_time(&self) -> Option<(Duration, ShutdownReason)> {
        let Behaviour { boot, react, deaf, own_stop, .. } = self.behaviour;
        let requested = self
            .shutdown_request
            .filter(|_| !deaf)
            .map(|(reason, at)| (at.max(boot).saturating_add(react), reason));
        let own = own_stop.map(|(reason, after)| (boot.saturating_add(after), reason));
        let forced = self.forced_stop.map(|(reason, at)| (at, reason));
        [forced, own, requested].into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    /// The run time at a moment. If the clock is set back, guests stand still until it has caught
    /// up.
    pub(super) fn run_time_at(&self, now: SystemTime) -> Duration {
        let run_time = if self.paused {
            self.run_time
        } else {
            self.run_time.saturating_add(now.duration_since(self.updated).unwrap_or_default())
        };
        self.stop_run_time().map_or(run_time, |(stop, _)| run_time.min(stop))
    }

    /// Why the guest has stopped; `None` if it has not.
    pub(super) fn stopped(&self, now: SystemTime) -> Option<ShutdownReason> {
        let (stop, reason) = self.stop_run_time()?;
        (self.run_time_at(now) >= stop).then_some(reason)
    }

    /// Whether the guest has ever been unpaused. The first thing that a kernel does is to bring up
    /// its other VCPUs.
    pub(super) fn has_run(&self) -> bool {
        !self.run_time.is_zero() || !self.paused
    }

    /// Whether the guest's kernel reacts to keys.
    pub(super) fn handles_sysrq(&self, now: SystemTime) -> bool {
        self.has_booted(now) && !self.paused && !self.behaviour.deaf && self.stopped(now).is_none()
    }

    pub(super) fn has_booted(&self, now: SystemTime) -> bool {
        self.run_time_at(now) >= self.behaviour.boot
    }

    /// The moment at which the guest stops if nothing is done to it: in the past if it has stopped,
    /// `None` if it runs on.
    pub(super) fn stops_at(&self) -> Option<SystemTime> {
        self.reaches_at(self.stop_run_time()?.0)
    }

    /// The moment at which the guest reaches a run time if nothing is done to it: in the past if it
    /// has, `None` if it does not run, or stops before.
    pub(super) fn reaches_at(&self, run_time: Duration) -> Option<SystemTime> {
        if self.stop_run_time().is_some_and(|(stop, _)| stop < run_time) {
            return None;
        }
        match run_time.checked_sub(self.run_time) {
            None | Some(Duration::ZERO) => Some(self.updated),
            Some(_) if self.paused => None,
            Some(left) => self.updated.checked_add(left),
        }
    }

    pub(super) fn cpu_time(&self, now: SystemTime, rates: CpuRates) -> Duration {
        let run_time = self.run_time_at(now);
        let boot = self.behaviour.boot;
        let booting = run_time.min(boot).saturating_sub(self.run_time);
        let booted = run_time.saturating_sub(self.run_time.max(boot));
        self.cpu_used
            .saturating_add(used_in(booting, rates.booting))
            .saturating_add(used_in(booted, rates.booted))
    }

    /// Sets `updated` to now, so that a change that follows has its effect from now on. `rates` are
    /// those until now.
    pub(super) fn advance(&mut self, now: SystemTime, rates: CpuRates) {
        self.cpu_used = self.cpu_time(now, rates);
        self.run_time = self.run_time_at(now);
        self.updated = now;
    }

    /// Asks the guest to shut down. A second request replaces the reason of the first one and keeps
    /// its time, so that a guest which is asked again and again does stop. The guest must have been
    /// [advanced](Self::advance).
    pub(super) fn request_shutdown(&mut self, reason: ShutdownReason) {
        let at = self.shutdown_request.map_or(self.run_time, |(_, at)| at);
        self.shutdown_request = Some((reason, at));
    }

    /// Stops the guest, which must have been [advanced](Self::advance).
    pub(super) fn stop(&mut self, reason: ShutdownReason) {
        self.forced_stop = Some((reason, self.run_time));
    }
}

/// The CPU time that is used in a while.
fn used_in(time: Duration, rate: Ppm) -> Duration {
    let nanos = time.as_nanos().saturating_mul(u128::from(rate)) / u128::from(ONE_CPU);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::{DomName, GuestKind};
    use proptest::prelude::*;
    use std::time::UNIX_EPOCH;

    const RATES: CpuRates = CpuRates { booting: 600_000, booted: 20_000 };

    fn at(millis: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_000_000) + Duration::from_millis(millis)
    }

    fn guest(name: &str, args: &str) -> Guest {
        let mut config = DomainConfig::new(DomName::new(name).unwrap(), 64);
        config.image = Some(Image {
            kind: GuestKind::Pv,
            builder: "linux".into(),
            kernel: "/k".into(),
            ramdisk: None,
            args: args.into(),
            loader: None,
            device_model: None,
            rest: vec![],
        });
        Guest::new(&config, &SimSettings::default(), at(0))
    }

    fn pause(guest: &mut Guest, now: SystemTime, paused: bool) {
        guest.advance(now, RATES);
        guest.paused = paused;
    }

    #[test]
    fn a_request_waits_for_the_boot_and_while_the_guest_is_paused() {
        let mut guest = guest("a", "");
        guest.request_shutdown(ShutdownReason::Poweroff);
        assert_eq!(guest.stops_at(), None);
        pause(&mut guest, at(1000), false);
        assert_eq!(guest.stops_at(), Some(at(1600)));
        pause(&mut guest, at(1500), true);
        assert_eq!((guest.stops_at(), guest.stopped(at(9000))), (None, None));
        pause(&mut guest, at(2000), false);
        assert_eq!(guest.stopped(at(2099)), None);
        assert_eq!(guest.stopped(at(2100)), Some(ShutdownReason::Poweroff));
        assert_eq!(guest.cpu_time(at(2100), RATES), guest.cpu_time(at(99_000), RATES));
    }

    #[test]
    fn a_second_request_replaces_the_reason_and_keeps_the_time() {
        let mut guest = guest("a", "");
        pause(&mut guest, at(0), false);
        let requests = [
            (500, ShutdownReason::Halt),
            (600, ShutdownReason::Halt),
            (650, ShutdownReason::Reboot),
        ];
        for (moment, reason) in requests {
            guest.advance(at(moment), RATES);
            guest.request_shutdown(reason);
        }
        assert_eq!(guest.stops_at(), Some(at(700)));
        assert_eq!(guest.stopped(at(700)), Some(ShutdownReason::Reboot));
    }

    #[test]
    fn a_deaf_guest_ignores_requests_and_kernel_arguments_stop_a_guest() {
        let mut deaf = guest("so-deaf", "");
        deaf.request_shutdown(ShutdownReason::Poweroff);
        pause(&mut deaf, at(0), false);
        assert_eq!((deaf.stopped(at(99_000)), deaf.stops_at()), (None, None));
        deaf.advance(at(99_000), RATES);
        deaf.stop(ShutdownReason::Crash);
        assert_eq!(deaf.stopped(at(99_000)), Some(ShutdownReason::Crash));

        let mut crasher = guest("a", "ro crashkernel=64M sim-crash=1.5");
        pause(&mut crasher, at(0), false);
        assert_eq!(crasher.stops_at(), Some(at(1900)));
        assert_eq!(
            guest("a", "sim-reboot").behaviour.own_stop,
            Some((ShutdownReason::Reboot, Duration::ZERO))
        );
        assert_eq!(guest("a", "sim-reboot=-1 sim-crash=x").behaviour.own_stop, None);
    }

    #[test]
    fn a_name_asks_for_an_agent() {
        let agent = |name| {
            let Behaviour { agent, answer, .. } = guest(name, "").behaviour;
            (agent, answer == SimSettings::default().slow_answer)
        };
        assert_eq!(agent("web"), (AgentKind::Current, false));
        assert_eq!(agent("web-agentold"), (AgentKind::Old, false));
        assert_eq!(agent("agentbroken-agentslow"), (AgentKind::Broken, true));
        assert_eq!(agent("agentreboots"), (AgentKind::Reboots, false));
        assert_eq!(agent("agentabsent2"), (AgentKind::Absent, false));
    }

    #[test]
    fn a_run_time_is_reached_unless_the_guest_stops_before() {
        let mut guest = guest("a", "");
        let run_time = Duration::from_millis;
        assert_eq!(guest.reaches_at(run_time(500)), None);
        pause(&mut guest, at(1000), false);
        assert_eq!(guest.reaches_at(run_time(500)), Some(at(1500)));
        guest.request_shutdown(ShutdownReason::Poweroff);
        assert_eq!(guest.reaches_at(run_time(600)), Some(at(1600)));
        assert_eq!(guest.reaches_at(run_time(601)), None);
        pause(&mut guest, at(1500), true);
        assert_eq!(guest.reaches_at(run_time(500)), Some(at(1500)));
        assert_eq!(guest.reaches_at(run_time(501)), None);
    }

    #[test]
    fn cpu_time_stays_if_the_clock_is_set_back() {
        let mut guest = guest("a", "");
        pause(&mut guest, at(10_000), false);
        guest.advance(at(20_000), RATES);
        let used = guest.cpu_time(at(20_000), RATES);
        assert_eq!(guest.cpu_time(at(15_000), RATES), used);
    }

    proptest! {
        #[test]
        fn advancing_changes_nothing(steps in prop::collection::vec((0_u64..700, 0_u8..5, any::<bool>()), 1..40)) {
            // The same is done to two guests; one of them is also advanced at times in between.
            let mut one = guest("a", "");
            let mut other = guest("a", "");
            let mut now = 0;
            let mut used = Duration::ZERO;
            for (wait, change, advance) in steps {
                now += wait;
                if advance {
                    other.advance(at(now - wait / 2), RATES);
                }
                for guest in [&mut one, &mut other] {
                    if guest.stopped(at(now)).is_none() {
                        guest.advance(at(now), RATES);
                        match change {
                            0 => guest.paused = false,
                            1 => guest.paused = true,
                            2 => guest.request_shutdown(ShutdownReason::Reboot),
                            _ => {}
                        }
                    }
                }
                prop_assert_eq!(one.stopped(at(now)), other.stopped(at(now)));
                prop_assert_eq!(one.has_booted(at(now)), other.has_booted(at(now)));
                prop_assert_eq!(one.stops_at().is_some(), other.stops_at().is_some());
                let cpu = one.cpu_time(at(now), RATES);
                prop_assert!(cpu >= used && cpu <= Duration::from_millis(now));
                used = cpu;
            }
        }
    }
}

//! What a guest does, as a pure function of time.
//!
//! A guest has a clock of its own, its *run time*, which goes on while it is neither paused nor
//! stopped. All it does is laid down in run time: when it has booted, when it obeys a request, when
//! it stops by itself. So its life at any moment follows from a few numbers that change only when
//! somebody does something to it, and it goes on living while nobody looks.

use crate::core::model::{DomainConfig, Image, ShutdownReason};
use std::time::{Duration, SystemTime};

/// CPU use in millionths of one CPU.
pub(super) type Ppm = u64;

/// One CPU.
pub(super) const ONE_CPU: Ppm = 1_000_000;

/// What a guest is like. It is settled when the domain is built, since a guest doesn't change with
/// its domain's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Nature {
    /// Run time until it has booted.
    pub boot: Duration,
    /// Run time between seeing a shutdown request and stopping.
    pub react: Duration,
    /// It ignores shutdown requests.
    pub deaf: bool,
    /// It keeps all its VCPUs busy.
    pub busy: bool,
    /// It stops by itself, this long after it has booted.
    pub stops: Option<(ShutdownReason, Duration)>,
}

impl Nature {
    /// What a guest of this configuration is like.
    pub(super) fn of(config: &DomainConfig, boot: Duration, react: Duration) -> Self {
        let name = config.name.as_str();
        Self {
            boot,
            react,
            deaf: name.contains("deaf"),
            busy: name.contains("busy"),
            stops: config.image.as_ref().and_then(own_end),
        }
    }
}

/// The first of the kernel's arguments `sim-poweroff`, `sim-halt`, `sim-reboot` and `sim-crash`,
/// each with a number of seconds after `=` or at once.
fn own_end(image: &Image) -> Option<(ShutdownReason, Duration)> {
    let args = String::from_utf8_lossy(&image.args);
    args.split_whitespace().find_map(|word| {
        let (word, after) = word.split_once('=').unwrap_or((word, "0"));
        let reason = match word {
            "sim-poweroff" => ShutdownReason::Poweroff,
            "sim-halt" => ShutdownReason::Halt,
            "sim-reboot" => ShutdownReason::Reboot,
            "sim-crash" => ShutdownReason::Crash,
            _ => return None,
        };
        let after = after.parse().ok().and_then(|s| Duration::try_from_secs_f64(s).ok())?;
        Some((reason, after))
    })
}

/// How much CPU a guest uses in the two parts of its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rates {
    /// Until it has booted.
    pub booting: Ppm,
    /// From then on.
    pub booted: Ppm,
}

/// A guest's life so far, and what is going to happen in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Life {
    /// What the guest is like.
    pub nature: Nature,
    /// The moment for which `ran` and `cpu` are given.
    pub mark: SystemTime,
    /// Run time at `mark`.
    pub ran: Duration,
    /// CPU time at `mark`.
    pub cpu: Duration,
    /// Whether it is kept from running since `mark`.
    pub paused: bool,
    /// A shutdown request, and the run time at which it was made.
    pub asked: Option<(ShutdownReason, Duration)>,
    /// An end that was put to it from outside, and at what run time.
    pub ended: Option<(ShutdownReason, Duration)>,
}

impl Life {
    /// The life of a guest that was built now and has not run yet.
    pub(super) fn new(nature: Nature, now: SystemTime) -> Self {
        Self {
            nature,
            mark: now,
            ran: Duration::ZERO,
            cpu: Duration::ZERO,
            paused: true,
            asked: None,
            ended: None,
        }
    }

    /// The run time at which it stops, as far as that is decided, and why.
    fn end(&self) -> Option<(Duration, ShutdownReason)> {
        let nature = &self.nature;
        let obeys = self.asked.filter(|_| !nature.deaf);
        let obeys =
            obeys.map(|(reason, at)| (at.max(nature.boot).saturating_add(nature.react), reason));
        let stops = nature.stops.map(|(reason, after)| (nature.boot.saturating_add(after), reason));
        let ended = self.ended.map(|(reason, at)| (at, reason));
        [ended, stops, obeys].into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    /// The run time at a moment. A clock that is set back makes guests stand still until it has
    /// caught up.
    fn ran_at(&self, now: SystemTime) -> Duration {
        let ran = if self.paused {
            self.ran
        } else {
            self.ran.saturating_add(now.duration_since(self.mark).unwrap_or_default())
        };
        self.end().map_or(ran, |(end, _)| ran.min(end))
    }

    /// Why it has stopped, if it has.
    pub(super) fn stopped(&self, now: SystemTime) -> Option<ShutdownReason> {
        self.end().filter(|(end, _)| self.ran_at(now) >= *end).map(|(_, reason)| reason)
    }

    /// Whether it was ever let run: the first thing that a kernel does is to bring up its other
    /// VCPUs.
    pub(super) fn begun(&self) -> bool {
        !self.ran.is_zero() || !self.paused
    }

    /// Whether it does what its keyboard says.
    pub(super) fn hears_keys(&self, now: SystemTime) -> bool {
        self.booted(now) && !self.paused && !self.nature.deaf && self.stopped(now).is_none()
    }

    /// Whether it has booted.
    pub(super) fn booted(&self, now: SystemTime) -> bool {
        self.ran_at(now) >= self.nature.boot
    }

    /// The moment at which it stops unless somebody interferes: past if it has stopped, none if it
    /// is not going to.
    pub(super) fn stops_at(&self) -> Option<SystemTime> {
        let (end, _) = self.end()?;
        match end.checked_sub(self.ran) {
            None | Some(Duration::ZERO) => Some(self.mark),
            Some(_) if self.paused => None,
            Some(left) => self.mark.checked_add(left),
        }
    }

    /// The CPU time that it has used.
    pub(super) fn cpu_time(&self, now: SystemTime, rates: Rates) -> Duration {
        let ran = self.ran_at(now);
        let booting = ran.min(self.nature.boot).saturating_sub(self.ran);
        let booted = ran.saturating_sub(self.ran.max(self.nature.boot));
        self.cpu
            .saturating_add(share(booting, rates.booting))
            .saturating_add(share(booted, rates.booted))
    }

    /// Moves `mark` to now, so that what changes next changes from now on. `rates` are those that
    /// held until now.
    pub(super) fn bring_up(&mut self, now: SystemTime, rates: Rates) {
        (self.cpu, self.ran) = (self.cpu_time(now, rates), self.ran_at(now));
        self.mark = now;
    }

    /// Asks it to stop. A second request before it has obeyed the first replaces the reason and
    /// gains no time, so that asking again and again doesn't keep it alive. `mark` must be up to
    /// date.
    pub(super) fn ask(&mut self, reason: ShutdownReason) {
        let at = self.asked.map_or(self.ran, |(_, at)| at);
        self.asked = Some((reason, at));
    }

    /// Stops it. `mark` must be up to date.
    pub(super) fn stop(&mut self, reason: ShutdownReason) {
        self.ended = Some((reason, self.ran));
    }
}

/// The CPU time that comes of using `rate` for a while.
fn share(time: Duration, rate: Ppm) -> Duration {
    let nanos = time.as_nanos().saturating_mul(u128::from(rate)) / u128::from(ONE_CPU);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::{DomName, GuestKind};
    use proptest::prelude::*;
    use std::time::UNIX_EPOCH;

    const BOOT: Duration = Duration::from_millis(400);
    const REACT: Duration = Duration::from_millis(200);
    const RATES: Rates = Rates { booting: 600_000, booted: 20_000 };

    fn at(millis: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_000_000) + Duration::from_millis(millis)
    }

    fn life(name: &str, args: &str) -> Life {
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
        Life::new(Nature::of(&config, BOOT, REACT), at(0))
    }

    fn pause(life: &mut Life, now: SystemTime, paused: bool) {
        life.bring_up(now, RATES);
        life.paused = paused;
    }

    #[test]
    fn a_request_waits_until_the_guest_has_booted_and_is_held_while_it_is_paused() {
        let mut life = life("a", "");
        life.ask(ShutdownReason::Poweroff);
        assert_eq!(life.stops_at(), None);
        pause(&mut life, at(1000), false);
        assert_eq!(life.stops_at(), Some(at(1600)));
        pause(&mut life, at(1500), true);
        assert_eq!((life.stops_at(), life.stopped(at(9000))), (None, None));
        pause(&mut life, at(2000), false);
        assert_eq!(life.stopped(at(2099)), None);
        assert_eq!(life.stopped(at(2100)), Some(ShutdownReason::Poweroff));
        assert_eq!(life.cpu_time(at(2100), RATES), life.cpu_time(at(99_000), RATES));
    }

    #[test]
    fn asking_again_replaces_the_reason_and_gains_no_time() {
        let mut life = life("a", "");
        pause(&mut life, at(0), false);
        for moment in [500, 600, 650] {
            life.bring_up(at(moment), RATES);
            life.ask(if moment == 650 { ShutdownReason::Reboot } else { ShutdownReason::Halt });
        }
        assert_eq!(life.stops_at(), Some(at(700)));
        assert_eq!(life.stopped(at(700)), Some(ShutdownReason::Reboot));
    }

    #[test]
    fn some_ignore_it_and_some_stop_unasked() {
        let mut deaf = life("so-deaf", "");
        deaf.ask(ShutdownReason::Poweroff);
        pause(&mut deaf, at(0), false);
        assert_eq!((deaf.stopped(at(99_000)), deaf.stops_at()), (None, None));
        deaf.bring_up(at(99_000), RATES);
        deaf.stop(ShutdownReason::Crash);
        assert_eq!(deaf.stopped(at(99_000)), Some(ShutdownReason::Crash));

        let mut crasher = life("a", "ro crashkernel=64M sim-crash=1.5");
        pause(&mut crasher, at(0), false);
        assert_eq!(crasher.stops_at(), Some(at(1900)));
        assert_eq!(
            life("a", "sim-reboot").nature.stops,
            Some((ShutdownReason::Reboot, Duration::ZERO))
        );
        assert_eq!(life("a", "sim-reboot=-1 sim-crash=x").nature.stops, None);
    }

    #[test]
    fn a_clock_that_is_set_back_takes_nothing_away() {
        let mut life = life("a", "");
        pause(&mut life, at(10_000), false);
        life.bring_up(at(20_000), RATES);
        let used = life.cpu_time(at(20_000), RATES);
        assert_eq!(life.cpu_time(at(15_000), RATES), used);
    }

    proptest! {
        #[test]
        fn looking_changes_nothing(steps in prop::collection::vec((0_u64..700, 0_u8..5, any::<bool>()), 1..40)) {
            // Two guests that the same happens to; one of them is brought up to date now and then
            // in between.
            let (mut one, mut other) = (life("a", ""), life("a", ""));
            let (mut now, mut used) = (0, Duration::ZERO);
            for (wait, what, look) in steps {
                now += wait;
                if look {
                    other.bring_up(at(now - wait / 2), RATES);
                }
                for life in [&mut one, &mut other] {
                    if life.stopped(at(now)).is_none() {
                        life.bring_up(at(now), RATES);
                        match what {
                            0 => life.paused = false,
                            1 => life.paused = true,
                            2 => life.ask(ShutdownReason::Reboot),
                            _ => {}
                        }
                    }
                }
                prop_assert_eq!(one.stopped(at(now)), other.stopped(at(now)));
                prop_assert_eq!(one.booted(at(now)), other.booted(at(now)));
                prop_assert_eq!(one.stops_at().is_some(), other.stops_at().is_some());
                let cpu = one.cpu_time(at(now), RATES);
                prop_assert!(cpu >= used && cpu <= Duration::from_millis(now));
                used = cpu;
            }
        }
    }
}

//! The life of a domain, as a pure state machine.
//!
//! ```text
//!          Start              Built              Unpause
//!   Halted ──────▶ Building ─────────▶ Paused ◀──────────▶ Running
//!   ▲  │ ▲             │                  │      Pause        │ Stopped(reason)
//!   │  │ │ Halted      │                  │ Destroy           ▼
//!   │  │ └─(managed)───┤                  ▼    Destroy    Stopped(reason) ──▶ Running
//!   │  │ Delete        │                Dying ◀──────────────┘  Unsuspended (the save failed)
//!   │  ▼               │ BuildFailed      │ Halted (managed) ──▶ Halted
//!   │ Gone ◀───────────┴──────────────────┤ Suspended ──▶ Suspended ── Resume ──▶ Building
//!   │                      Destroyed      ┘                   │
//!   └─────────────────────────────────────────────────────────┘ Destroy
//! ```
//!
//! Destroy is possible from Running too, and a paused guest can be made to crash. A domain with a
//! stored definition is *managed*: it becomes Halted where another domain becomes Gone.
//! [`action_on_stop`] decides about a guest that stopped; a restart is Destroy followed by a new
//! Building under the same name and UUID, with a new domid.

use super::model::{ActionOnShutdown, DomainConfig, RunFlags, ShutdownReason};
use std::time::Duration;

/// The state of a domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Defined and not on the host.
    Halted,
    /// Defined and not on the host, with its memory in a file.
    Suspended,
    /// The hypervisor is building the domain, which has a name and no domid yet.
    Building,
    /// Built, with its VCPUs kept off the CPUs.
    Paused,
    /// The guest runs, or waits for something.
    Running,
    /// The guest has stopped; the domain is still there.
    Stopped(ShutdownReason),
    /// The hypervisor is destroying the domain.
    Dying,
    /// No longer on the host, and not defined.
    Gone,
}

/// A request about a domain, or something that happened to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transition {
    /// A defined domain is to be built.
    Start,
    /// A suspended domain is to be built from its file.
    Resume,
    /// The definition is to be deleted.
    Delete,
    /// The hypervisor has built the domain.
    Built,
    /// The hypervisor could not build the domain.
    BuildFailed,
    /// The domain is to be paused.
    Pause,
    /// The domain is to be unpaused.
    Unpause,
    /// The guest is asked to stop. It may stop later, or never.
    RequestShutdown,
    /// The guest has stopped.
    Stopped(ShutdownReason),
    /// The domain is to be destroyed.
    Destroy,
    /// The hypervisor has destroyed the domain.
    Destroyed,
    /// A managed domain is not on the host any more, or did not get there.
    Halted,
    /// The same, and its memory is in a file.
    Suspended,
    /// A failed save lets the guest go on.
    Unsuspended,
}

impl State {
    /// The next state; `None` if the transition is impossible in this state.
    #[must_use]
    pub fn after(self, transition: Transition) -> Option<State> {
        use State::{Building, Dying, Gone, Halted, Paused, Running, Stopped, Suspended};
        match (self, transition) {
            (Halted, Transition::Start) | (Suspended, Transition::Resume) => Some(Building),
            (Building, Transition::Built) | (Paused | Running, Transition::Pause) => Some(Paused),
            // Another toolstack can destroy a domain at any time.
            (Halted, Transition::Delete)
            | (Building, Transition::BuildFailed)
            | (Paused | Running | Stopped(_) | Dying, Transition::Destroyed) => Some(Gone),
            // Destroying a suspended domain discards its memory.
            (Building | Paused | Running | Stopped(_) | Dying, Transition::Halted)
            | (Suspended, Transition::Destroy) => Some(Halted),
            // A domain that could not be resumed keeps its file.
            (Building | Stopped(ShutdownReason::Suspend) | Dying, Transition::Suspended) => {
                Some(Suspended)
            }
            (Stopped(ShutdownReason::Suspend), Transition::Unsuspended)
            | (Paused | Running, Transition::Unpause) => Some(Running),
            (Paused | Running | Stopped(_), Transition::RequestShutdown) => Some(self),
            (Paused | Running, Transition::Stopped(reason)) => Some(Stopped(reason)),
            (Paused | Running | Stopped(_) | Dying, Transition::Destroy) => Some(Dying),
            _ => None,
        }
    }

    /// The state of a domain on the host.
    #[must_use]
    pub fn from_flags(flags: &RunFlags) -> State {
        match flags {
            RunFlags { dying: true, .. } => State::Dying,
            RunFlags { shutdown: Some(reason), .. } => State::Stopped(*reason),
            RunFlags { paused: true, .. } => State::Paused,
            _ => State::Running,
        }
    }

    /// The state in words that follow "it is".
    pub const fn name(self) -> &'static str {
        match self {
            State::Halted => "halted",
            State::Building => "being built",
            State::Paused => "paused",
            State::Running => "running",
            State::Stopped(ShutdownReason::Crash) => "crashed",
            State::Suspended | State::Stopped(ShutdownReason::Suspend) => "suspended",
            State::Stopped(_) => "shut down",
            State::Dying => "being destroyed",
            State::Gone => "gone",
        }
    }
}

/// A guest that stops sooner than this after its start, and should be restarted, would do so
/// forever: it is destroyed instead. xend's `MINIMUM_RESTART_TIME`.
pub const MINIMUM_RESTART_TIME: Duration = Duration::from_secs(60);

/// The action on a domain whose guest has stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StopAction {
    /// Whether its memory is written to a file first.
    pub dump: bool,
    pub then: AfterStop,
}

/// The last step of a [`StopAction`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterStop {
    /// Keep the stopped domain.
    Preserve,
    Destroy,
    /// Destroy instead of a restart, within [`MINIMUM_RESTART_TIME`].
    DestroyLooping,
    /// Destroy and build anew.
    Restart,
    /// Keep the stopped domain under another name, and build a new one.
    RenameRestart,
}

/// The action that `on_poweroff`, `on_reboot` and `on_crash` ask for when a guest has stopped after
/// running for `uptime`.
#[must_use]
pub fn action_on_stop(
    config: &DomainConfig,
    reason: ShutdownReason,
    uptime: Duration,
) -> StopAction {
    let on_event = match reason {
        ShutdownReason::Poweroff | ShutdownReason::Halt => config.on_poweroff,
        ShutdownReason::Reboot => config.on_reboot,
        ShutdownReason::Crash => config.on_crash,
        ShutdownReason::Suspend => ActionOnShutdown::Preserve,
    };
    let restart =
        |then| if uptime < MINIMUM_RESTART_TIME { AfterStop::DestroyLooping } else { then };
    let (dump, then) = match on_event {
        ActionOnShutdown::Destroy => (false, AfterStop::Destroy),
        ActionOnShutdown::Restart => (false, restart(AfterStop::Restart)),
        ActionOnShutdown::Preserve => (false, AfterStop::Preserve),
        ActionOnShutdown::RenameRestart => (false, restart(AfterStop::RenameRestart)),
        ActionOnShutdown::CoredumpDestroy => (true, AfterStop::Destroy),
        ActionOnShutdown::CoredumpRestart => (true, restart(AfterStop::Restart)),
    };
    StopAction { dump, then }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::DomName;
    use proptest::prelude::*;

    fn transitions() -> impl Strategy<Value = Transition> {
        use ShutdownReason::{Crash, Halt, Poweroff, Reboot, Suspend};
        prop_oneof![
            prop::sample::select(vec![
                Transition::Start,
                Transition::Resume,
                Transition::Delete,
                Transition::Built,
                Transition::BuildFailed,
                Transition::Pause,
                Transition::Unpause,
                Transition::RequestShutdown,
                Transition::Destroy,
                Transition::Destroyed,
                Transition::Halted,
                Transition::Suspended,
                Transition::Unsuspended,
            ]),
            prop::sample::select(vec![Poweroff, Reboot, Halt, Suspend, Crash])
                .prop_map(Transition::Stopped),
        ]
    }

    /// The place of a domain, whatever its guest does.
    #[derive(Clone, Copy, PartialEq)]
    enum Location {
        Absent,
        Defined,
        Suspended,
        Building,
        OnHost,
    }

    /// A model of independent facts in place of one state.
    #[derive(Clone, Copy)]
    struct Model {
        place: Location,
        paused: bool,
        stopped: Option<ShutdownReason>,
        dying: bool,
    }

    impl Model {
        fn apply(&mut self, transition: Transition) -> bool {
            use Location::{Absent, Building, Defined, OnHost, Suspended};
            let place = self.place;
            let alive = place == OnHost && !self.dying;
            let suspended = alive && self.stopped == Some(ShutdownReason::Suspend);
            let allowed = match transition {
                Transition::Start | Transition::Delete => place == Defined,
                Transition::Resume => place == Suspended,
                Transition::Built | Transition::BuildFailed => place == Building,
                Transition::Pause | Transition::Unpause | Transition::Stopped(_) => {
                    alive && self.stopped.is_none()
                }
                Transition::RequestShutdown => alive,
                Transition::Destroy => matches!(place, OnHost | Suspended),
                Transition::Destroyed => place == OnHost,
                Transition::Halted => matches!(place, OnHost | Building),
                Transition::Suspended => {
                    place == Building || place == OnHost && (self.dying || suspended)
                }
                Transition::Unsuspended => suspended,
            };
            if allowed {
                match transition {
                    Transition::Start | Transition::Resume => {
                        *self = Self { place: Building, paused: true, stopped: None, dying: false };
                    }
                    Transition::Built => self.place = OnHost,
                    Transition::Delete | Transition::BuildFailed | Transition::Destroyed => {
                        self.place = Absent;
                    }
                    Transition::Pause => self.paused = true,
                    Transition::Unpause => self.paused = false,
                    Transition::RequestShutdown => {}
                    Transition::Stopped(reason) => self.stopped = Some(reason),
                    Transition::Destroy if place == OnHost => self.dying = true,
                    Transition::Destroy | Transition::Halted => self.place = Defined,
                    Transition::Suspended => self.place = Suspended,
                    Transition::Unsuspended => {
                        self.stopped = None;
                        self.paused = false;
                    }
                }
            }
            allowed
        }

        fn state(self) -> State {
            match self.place {
                Location::Absent => State::Gone,
                Location::Defined => State::Halted,
                Location::Suspended => State::Suspended,
                Location::Building => State::Building,
                Location::OnHost => State::from_flags(&RunFlags {
                    paused: self.paused,
                    shutdown: self.stopped,
                    dying: self.dying,
                    ..RunFlags::default()
                }),
            }
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_model(
            defined: bool,
            history in prop::collection::vec(transitions(), 0..60),
        ) {
            let place = if defined { Location::Defined } else { Location::Building };
            let mut model = Model { place, paused: true, stopped: None, dying: false };
            let mut state = model.state();
            for transition in history {
                let next = state.after(transition);
                let allowed = model.apply(transition);
                prop_assert_eq!(next.is_some(), allowed, "{:?} in {:?}", transition, state);
                state = next.unwrap_or(state);
                prop_assert_eq!(state, model.state());
            }
        }
    }

    #[test]
    fn the_action_on_stop_follows_the_configuration() {
        let mut config = DomainConfig::new(DomName::new("a").unwrap(), 64);
        let soon = Duration::from_secs(59);
        let late = Duration::from_secs(60);
        for (reason, uptime, expected) in [
            (ShutdownReason::Poweroff, soon, AfterStop::Destroy),
            (ShutdownReason::Halt, late, AfterStop::Destroy),
            (ShutdownReason::Reboot, soon, AfterStop::DestroyLooping),
            (ShutdownReason::Reboot, late, AfterStop::Restart),
            (ShutdownReason::Suspend, late, AfterStop::Preserve),
        ] {
            assert_eq!(action_on_stop(&config, reason, uptime).then, expected, "{reason}");
        }
        for (on_crash, dump, then) in [
            (ActionOnShutdown::Destroy, false, AfterStop::Destroy),
            (ActionOnShutdown::Restart, false, AfterStop::Restart),
            (ActionOnShutdown::Preserve, false, AfterStop::Preserve),
            (ActionOnShutdown::RenameRestart, false, AfterStop::RenameRestart),
            (ActionOnShutdown::CoredumpDestroy, true, AfterStop::Destroy),
            (ActionOnShutdown::CoredumpRestart, true, AfterStop::Restart),
        ] {
            config.on_crash = on_crash;
            let action = action_on_stop(&config, ShutdownReason::Crash, late);
            assert_eq!(action, StopAction { dump, then }, "{on_crash}");
        }
    }
}

//! The life of a domain, as a pure state machine.
//!
//! ```text
//!          Start             Built               Unpause
//!   Halted ─────▶ Building ─────────▶ Paused ◀──────────▶ Running
//!   ▲  │ ▲            │                 │       Pause        │ Stop(reason): poweroff, reboot, halt, suspend, crash
//!   │  │ │            │ Failed          │ Destroy            ▼
//!   │  │ │ Fallen     ▼                 ▼   Destroy       Stopped(reason) ──▶ Paused, Running
//!   │  │ └─────── (managed)          Dying ◀─────────────────┘   TakenBack (its suspension was of no use)
//!   │  │ Delete       │                 │ Fallen (managed) ──▶ Halted
//!   │  ▼              │ Failed          │ Stored ──▶ Suspended ── Resume ──▶ Building
//!   │ Gone ◀──────────┴─────────────────┘ Destroyed    │
//!   └──────────────────────────────────────────────────┘ Destroy
//! ```
//!
//! Destroy is possible from Running too, and a paused guest can be made to crash. A domain whose
//! definition is stored is *managed*: it falls back to Halted where another one is Gone. What is
//! done about a guest that stopped is [`verdict`]'s to say; a restart is Destroy followed by a new
//! Building under the same name and UUID, with a new domid.

use super::model::{DomainConfig, OnEvent, RunFlags, ShutdownReason};
use std::time::Duration;

/// Where a domain is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It is defined and not on the host.
    Halted,
    /// It is defined and not on the host, and its memory is in a file.
    Suspended,
    /// The hypervisor is building it; it has a name and no domid.
    Building,
    /// It is built and its VCPUs are kept off the CPUs.
    Paused,
    /// Its guest runs, or waits for something.
    Running,
    /// Its guest has stopped; the domain is still there.
    Stopped(ShutdownReason),
    /// It is being taken apart.
    Dying,
    /// It is not there any more.
    Gone,
}

/// What can happen to a domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// Somebody wants a defined domain on the host.
    Start,
    /// Somebody wants a suspended domain to go on.
    Resume,
    /// Somebody wants its definition to be forgotten.
    Delete,
    /// The hypervisor has built it.
    Built,
    /// The hypervisor could not build it.
    Failed,
    /// Somebody pauses it.
    Pause,
    /// Somebody unpauses it.
    Unpause,
    /// Somebody asks the guest to stop. It may do so later, or never.
    AskToStop,
    /// The guest has stopped.
    Stop(ShutdownReason),
    /// Somebody takes it apart.
    Destroy,
    /// The hypervisor has taken it apart.
    Destroyed,
    /// It is not on the host any more, or did not get there, and its definition stays.
    Fallen,
    /// The same, and its memory is in a file.
    Stored,
    /// A suspension was of no use, the guest goes on.
    TakenBack,
}

impl State {
    /// The state after `event`, or `None` if it cannot happen in this one.
    #[must_use]
    pub fn after(self, event: Event) -> Option<State> {
        use State::{Building, Dying, Gone, Halted, Paused, Running, Stopped, Suspended};
        match (self, event) {
            (Halted, Event::Start) | (Suspended, Event::Resume) => Some(Building),
            (Halted, Event::Delete) => Some(Gone),
            (Building, Event::Built) | (Paused | Running, Event::Pause) => Some(Paused),
            // Another toolstack can take a domain apart at any time.
            (Building, Event::Failed)
            | (Paused | Running | Stopped(_) | Dying, Event::Destroyed) => Some(Gone),
            // Whoever destroys a suspended domain doesn't want its memory any more.
            (Building | Paused | Running | Stopped(_) | Dying, Event::Fallen)
            | (Suspended, Event::Destroy) => Some(Halted),
            // A domain that could not be resumed keeps its file.
            (Building | Stopped(ShutdownReason::Suspend) | Dying, Event::Stored) => Some(Suspended),
            (Stopped(ShutdownReason::Suspend), Event::TakenBack)
            | (Paused | Running, Event::Unpause) => Some(Running),
            (Paused | Running | Stopped(_), Event::AskToStop) => Some(self),
            (Paused | Running, Event::Stop(reason)) => Some(Stopped(reason)),
            (Paused | Running | Stopped(_) | Dying, Event::Destroy) => Some(Dying),
            _ => None,
        }
    }

    /// The state that a domain's flags say it is in.
    #[must_use]
    pub fn observed(flags: &RunFlags) -> State {
        match flags {
            RunFlags { dying: true, .. } => State::Dying,
            RunFlags { shutdown: Some(reason), .. } => State::Stopped(*reason),
            RunFlags { paused: true, .. } => State::Paused,
            _ => State::Running,
        }
    }

    /// A word for messages.
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

/// A domain that stops this soon after it was built and should be restarted is taken for one that
/// stops always, and destroyed: xend's `MINIMUM_RESTART_TIME`.
pub const MINIMUM_RESTART_TIME: Duration = Duration::from_secs(60);

/// What is to be done with a domain whose guest has stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Write its memory to a file first.
    pub dump: bool,
    /// Then do this.
    pub then: Then,
}

/// The last part of a [`Verdict`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// Leave it as it is.
    Keep,
    /// Take it apart.
    Destroy,
    /// Take it apart, although it should be restarted: it has not lived for
    /// [`MINIMUM_RESTART_TIME`].
    DestroyLoop,
    /// Take it apart and build it anew.
    Restart,
    /// Keep it under another name, and build a new one.
    RenameRestart,
}

/// What `on_poweroff`, `on_reboot` and `on_crash` say of a guest that has stopped after running for
/// `uptime`.
#[must_use]
pub fn verdict(config: &DomainConfig, reason: ShutdownReason, uptime: Duration) -> Verdict {
    let mode = match reason {
        ShutdownReason::Poweroff | ShutdownReason::Halt => config.on_poweroff,
        ShutdownReason::Reboot => config.on_reboot,
        ShutdownReason::Crash => config.on_crash,
        ShutdownReason::Suspend => OnEvent::Preserve,
    };
    let again = |then| if uptime < MINIMUM_RESTART_TIME { Then::DestroyLoop } else { then };
    let (dump, then) = match mode {
        OnEvent::Destroy => (false, Then::Destroy),
        OnEvent::Restart => (false, again(Then::Restart)),
        OnEvent::Preserve => (false, Then::Keep),
        OnEvent::RenameRestart => (false, again(Then::RenameRestart)),
        OnEvent::CoredumpDestroy => (true, Then::Destroy),
        OnEvent::CoredumpRestart => (true, again(Then::Restart)),
    };
    Verdict { dump, then }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::DomName;
    use proptest::prelude::*;

    fn events() -> impl Strategy<Value = Event> {
        use ShutdownReason::{Crash, Halt, Poweroff, Reboot, Suspend};
        prop_oneof![
            prop::sample::select(vec![
                Event::Start,
                Event::Resume,
                Event::Delete,
                Event::Built,
                Event::Failed,
                Event::Pause,
                Event::Unpause,
                Event::AskToStop,
                Event::Destroy,
                Event::Destroyed,
                Event::Fallen,
                Event::Stored,
                Event::TakenBack,
            ]),
            prop::sample::select(vec![Poweroff, Reboot, Halt, Suspend, Crash])
                .prop_map(Event::Stop),
        ]
    }

    /// Where a domain is, apart from what its guest does.
    #[derive(Clone, Copy, PartialEq)]
    enum Where {
        Nowhere,
        OnDisk,
        OnDiskWithMemory,
        OnItsWay,
        OnHost,
    }

    /// A model that keeps independent facts in place of one state.
    #[derive(Clone, Copy)]
    struct Model {
        place: Where,
        paused: bool,
        stopped: Option<ShutdownReason>,
        dying: bool,
    }

    impl Model {
        fn apply(&mut self, event: Event) -> bool {
            use Where::{Nowhere, OnDisk, OnDiskWithMemory, OnHost, OnItsWay};
            let place = self.place;
            let alive = place == OnHost && !self.dying;
            let suspended = alive && self.stopped == Some(ShutdownReason::Suspend);
            let allowed = match event {
                Event::Start | Event::Delete => place == OnDisk,
                Event::Resume => place == OnDiskWithMemory,
                Event::Built | Event::Failed => place == OnItsWay,
                Event::Pause | Event::Unpause | Event::Stop(_) => alive && self.stopped.is_none(),
                Event::AskToStop => alive,
                Event::Destroy => matches!(place, OnHost | OnDiskWithMemory),
                Event::Destroyed => place == OnHost,
                Event::Fallen => matches!(place, OnHost | OnItsWay),
                Event::Stored => place == OnItsWay || place == OnHost && (self.dying || suspended),
                Event::TakenBack => suspended,
            };
            if allowed {
                match event {
                    Event::Start | Event::Resume => {
                        *self = Self { place: OnItsWay, paused: true, stopped: None, dying: false }
                    }
                    Event::Built => self.place = OnHost,
                    Event::Delete | Event::Failed | Event::Destroyed => self.place = Nowhere,
                    Event::Pause => self.paused = true,
                    Event::Unpause => self.paused = false,
                    Event::AskToStop => {}
                    Event::Stop(reason) => self.stopped = Some(reason),
                    Event::Destroy if place == OnHost => self.dying = true,
                    Event::Destroy | Event::Fallen => self.place = OnDisk,
                    Event::Stored => self.place = OnDiskWithMemory,
                    Event::TakenBack => (self.stopped, self.paused) = (None, false),
                }
            }
            allowed
        }

        fn state(self) -> State {
            match self.place {
                Where::Nowhere => State::Gone,
                Where::OnDisk => State::Halted,
                Where::OnDiskWithMemory => State::Suspended,
                Where::OnItsWay => State::Building,
                Where::OnHost => State::observed(&RunFlags {
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
        fn agrees_with_the_model(defined: bool, history in prop::collection::vec(events(), 0..60)) {
            let place = if defined { Where::OnDisk } else { Where::OnItsWay };
            let mut model = Model { place, paused: true, stopped: None, dying: false };
            let mut state = model.state();
            for event in history {
                let next = state.after(event);
                prop_assert_eq!(next.is_some(), model.apply(event), "{:?} in {:?}", event, state);
                state = next.unwrap_or(state);
                prop_assert_eq!(state, model.state());
            }
        }
    }

    #[test]
    fn what_is_done_about_a_stopped_guest() {
        let mut config = DomainConfig::new(DomName::new("a").unwrap(), 64);
        let (soon, late) = (Duration::from_secs(59), Duration::from_secs(60));
        let then = |config: &DomainConfig, reason, uptime| verdict(config, reason, uptime).then;
        assert_eq!(then(&config, ShutdownReason::Poweroff, soon), Then::Destroy);
        assert_eq!(then(&config, ShutdownReason::Halt, late), Then::Destroy);
        assert_eq!(then(&config, ShutdownReason::Reboot, soon), Then::DestroyLoop);
        assert_eq!(then(&config, ShutdownReason::Reboot, late), Then::Restart);
        assert_eq!(then(&config, ShutdownReason::Suspend, late), Then::Keep);
        for (mode, dump, expected) in [
            (OnEvent::Destroy, false, Then::Destroy),
            (OnEvent::Restart, false, Then::Restart),
            (OnEvent::Preserve, false, Then::Keep),
            (OnEvent::RenameRestart, false, Then::RenameRestart),
            (OnEvent::CoredumpDestroy, true, Then::Destroy),
            (OnEvent::CoredumpRestart, true, Then::Restart),
        ] {
            config.on_crash = mode;
            assert_eq!(
                verdict(&config, ShutdownReason::Crash, late),
                Verdict { dump, then: expected },
                "{mode}"
            );
        }
    }
}

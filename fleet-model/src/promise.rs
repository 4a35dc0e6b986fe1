//! The takers' promise: a host that does not reach etcd lives on as long as each of its takers says
//! that it does not wait to take over.
//!
//! Three hosts may be takers of a fourth one, which guards a domain. Who is one is in etcd twice:
//! `listed` is what an administrator wants, `accepted` what the guarded host has agreed to. It asks
//! all that it knows, and it knows all that are accepted.
//!
//! A round of questions begins here with its first answer, which is later than in truth. While
//! there is no fence, timers and rounds count as just begun, since they can begin at any time.

use crate::checker::{Hope, Model};
use crate::flaws::flaws;
use crate::ticks::{TICK, WAIT, WATCHDOG};
use std::fmt::{self, Display, Formatter};

const TAKERS: u8 = 3;

flaws! {
    /// One broken rule of the promise.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub enum Flaw {
        /// A taker promises while it waits.
        PromisesWhileWaiting,
        /// One promise is enough.
        OneSuffices,
        /// The host counts from the last promise, not from its first question.
        FromPromise,
        /// A promise counts for a later round of questions, too.
        LatePromise,
        /// A new taker acts when it has waited `T_wait`, whether the host knows it or not.
        NewTakerWaits,
        /// The host asks a taker no longer before etcd has it off the list.
        ForgetsFirst,
        /// A taker that was off the list goes on with the wait that it began before.
        WaitOutlivesList,
        /// A taker that restarts goes on with its wait, and has promised meanwhile.
        WaitOutlivesRestart,
        /// A host that is no taker takes over.
        AnyoneClaims,
    }
}

/// The takers' promise, with one rule broken or none.
#[derive(Clone, Copy, Debug)]
pub struct Promise {
    /// The rule that is broken.
    pub flaw: Option<Flaw>,
}

/// A set of takers, a bit each.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Set(u8);

impl Set {
    fn has(self, taker: u8) -> bool {
        self.0 & (1 << taker) != 0
    }

    fn with(self, taker: u8) -> Self {
        Self(self.0 | (1 << taker))
    }

    fn toggled(self, taker: u8) -> Self {
        Self(self.0 ^ (1 << taker))
    }

    fn covers(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// All that the takers, the guarded host and etcd know.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct State {
    /// The guarded host runs the domain.
    runs: bool,
    /// A taker runs it.
    claimed: bool,
    fence: bool,
    /// Ticks until the watchdog reboots the host.
    deadline: u8,
    round: Option<Round>,
    listed: Set,
    accepted: Set,
    known: Set,
    /// For each taker, the ticks that it has waited; it promises nothing then.
    waits: [Option<u8>; TAKERS as usize],
    /// Takers whose wait goes on though they promise: a flaw.
    forgetful: Set,
    /// Ticks since the list was changed.
    since_change: u8,
    changes_left: u8,
    restarts_left: u8,
}

impl State {
    /// Whether a taker runs the domain.
    pub fn is_claimed(&self) -> bool {
        self.claimed
    }
}

/// Questions to all known takers, and who has promised.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Round {
    age: u8,
    promised: Set,
}

/// What happens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// Time passes.
    Tick,
    /// The watchdog reboots the host.
    Reboot,
    /// The guard reads in etcd that there is no fence.
    Reads,
    /// A taker promises.
    Promises(u8),
    /// The guard has all promises.
    Renews,
    /// The guard drops a round and keeps what it has heard: a flaw.
    AsksAgain,
    /// A taker's fence is committed.
    Declares(u8),
    /// A taker sees the fence and begins to wait.
    Waits(u8),
    /// A taker starts the domain.
    Claims(u8),
    /// A taker restarts.
    Restarts(u8),
    /// An administrator adds or removes a taker.
    Lists(u8),
    /// The host learns the list, and asks new takers, too.
    Learns,
    /// The host writes that it agrees to the list.
    Accepts,
    /// The host no longer asks those that are not on the list.
    Forgets,
}

impl Display for Step {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tick => f.write_str(TICK),
            Self::Reboot => f.write_str("the host is rebooted by the watchdog"),
            Self::Reads => {
                f.write_str("the guard reads that there is no fence, and sets the timer")
            }
            Self::Promises(taker) => write!(f, "taker {taker} promises"),
            Self::Renews => f.write_str("the guard has its promises, and sets the timer"),
            Self::AsksAgain => f.write_str("the guard asks again, and heeds what it heard before"),
            Self::Declares(taker) => write!(f, "taker {taker} has fenced the host"),
            Self::Waits(taker) => write!(f, "taker {taker} sees the fence and begins to wait"),
            Self::Claims(taker) => write!(f, "taker {taker} claims the domain and starts it"),
            Self::Restarts(taker) => write!(f, "taker {taker} restarts"),
            Self::Lists(taker) => write!(f, "an administrator adds or removes taker {taker}"),
            Self::Learns => f.write_str("the host learns who is listed, and will ask them, too"),
            Self::Accepts => f.write_str("the host writes that it accepts the list"),
            Self::Forgets => f.write_str("the host asks only those on the list from now on"),
        }
    }
}

impl Promise {
    fn has(self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    /// Whether a taker may act on a fence.
    fn may_act(self, state: &State, taker: u8) -> bool {
        let new = self.has(Flaw::NewTakerWaits) && state.since_change >= WAIT;
        state.accepted.has(taker)
            || self.has(Flaw::AnyoneClaims)
            || (new && state.listed.has(taker))
    }

    /// What the guarded host does, and what happens to it.
    fn host(self, state: &State, next: &mut Vec<(Step, State)>) {
        if state.deadline == 0 {
            return next.push((Step::Reboot, State { runs: false, round: None, ..*state }));
        }
        if !state.fence {
            next.push((Step::Reads, State { deadline: WATCHDOG, ..*state }));
        }
        if let Some(Round { age, promised }) = state.round {
            let enough = promised.covers(state.known) || self.has(Flaw::OneSuffices);
            let age = if self.has(Flaw::FromPromise) { 0 } else { age };
            if enough && age < WATCHDOG {
                let deadline = state.deadline.max(WATCHDOG - age);
                next.push((Step::Renews, State { deadline, round: None, ..*state }));
            }
            if self.has(Flaw::LatePromise) {
                let round = Some(Round { age: 0, promised });
                next.push((Step::AsksAgain, State { round, ..*state }));
            }
        }
        let known = Set(state.known.0 | state.listed.0);
        next.push((Step::Learns, State { known, ..*state }));
        if state.known.covers(state.listed) && state.accepted != state.listed {
            // A claim compares the revision of the list under which its wait began.
            let kept = self.has(Flaw::WaitOutlivesList);
            let waits = if kept { state.waits } else { [None; TAKERS as usize] };
            next.push((Step::Accepts, State { accepted: state.listed, waits, ..*state }));
        }
        let kept = if self.has(Flaw::ForgetsFirst) { state.listed } else { state.accepted };
        next.push((Step::Forgets, State { known: kept, ..*state }));
    }

    fn taker(self, state: &State, taker: u8, next: &mut Vec<(Step, State)>) {
        let at = usize::from(taker);
        let wait = state.waits[at];
        let refuses = wait.is_some() && !state.forgetful.has(taker);
        if !refuses || self.has(Flaw::PromisesWhileWaiting) {
            let round = state.round.unwrap_or(Round { age: 0, promised: Set(0) });
            let round = Round { promised: round.promised.with(taker), ..round };
            next.push((Step::Promises(taker), State { round: Some(round), ..*state }));
        }
        if self.may_act(state, taker) {
            if !state.fence {
                next.push((Step::Declares(taker), State { fence: true, ..*state }));
            }
            if state.fence && wait.is_none() {
                let mut waits = state.waits;
                waits[at] = Some(0);
                next.push((Step::Waits(taker), State { waits, ..*state }));
            }
            if wait == Some(WAIT) && !state.claimed {
                next.push((Step::Claims(taker), State { claimed: true, ..*state }));
            }
        }
        if state.restarts_left > 0 && wait.is_some() {
            let mut after = State { restarts_left: state.restarts_left - 1, ..*state };
            if self.has(Flaw::WaitOutlivesRestart) {
                after.forgetful = after.forgetful.with(taker);
            } else {
                after.waits[at] = None;
            }
            next.push((Step::Restarts(taker), after));
        }
        if state.changes_left > 0 {
            let listed = state.listed.toggled(taker);
            let changes_left = state.changes_left - 1;
            let after = State { listed, since_change: 0, changes_left, ..*state };
            next.push((Step::Lists(taker), after));
        }
    }
}

impl Model for Promise {
    type State = State;
    type Step = Step;

    fn initial(&self) -> State {
        let two = Set(0b011);
        State {
            runs: true,
            claimed: false,
            fence: false,
            deadline: WATCHDOG,
            round: None,
            listed: two,
            accepted: two,
            known: two,
            waits: [None; TAKERS as usize],
            forgetful: Set(0),
            since_change: WAIT,
            changes_left: 2,
            restarts_left: 1,
        }
    }

    fn steps(&self, state: &State, next: &mut Vec<(Step, State)>) {
        if state.runs {
            self.host(state, next);
        }
        for taker in 0..TAKERS {
            self.taker(state, taker, next);
        }
        if !state.runs || state.deadline > 0 {
            let mut after = *state;
            after.since_change = WAIT.min(state.since_change + 1);
            for wait in after.waits.iter_mut().flatten() {
                *wait = WAIT.min(*wait + 1);
            }
            if state.fence {
                after.deadline = state.deadline.saturating_sub(1);
                after.round = state
                    .round
                    .map(|round| Round { age: round.age + 1, ..round })
                    .filter(|round| round.age <= WATCHDOG);
            }
            next.push((Step::Tick, after));
        }
    }

    fn broken(&self, state: &State) -> Option<&'static str> {
        (state.runs && state.claimed).then_some("P1, the domain runs twice")
    }

    fn hope(&self, state: &State) -> Option<Hope> {
        if state.claimed {
            return Some(Hope::Fulfilled);
        }
        let owed = !state.runs && state.accepted != Set(0);
        owed.then_some(Hope::Owed("P5, the domain of a dead host cannot be taken over"))
    }

    fn helps(&self, step: &Step) -> bool {
        matches!(step, Step::Tick | Step::Declares(_) | Step::Waits(_) | Step::Claims(_))
    }
}

//! The protocol as a model for the checker.

use super::flaw::Flaw;
use super::state::State;
use super::step::{Act, Step};
use super::world::{Next, Scenario, World};
use super::{absence, daemon, etcd, guard, machine, migration, taker};
use crate::checker::{Hope, Model};

/// The protocol in a scenario, with one rule broken or none.
#[derive(Clone, Copy, Debug)]
pub struct Protocol(World);

impl Protocol {
    /// The protocol as it is meant.
    pub fn new(scenario: Scenario) -> Self {
        Self(World { scenario, flaw: None })
    }

    /// The protocol with one rule broken.
    pub fn broken(scenario: Scenario, flaw: Flaw) -> Self {
        Self(World { scenario, flaw: Some(flaw) })
    }
}

impl Model for Protocol {
    type State = State;
    type Step = Step;

    fn initial(&self) -> State {
        State::new(&self.0)
    }

    fn steps(&self, state: &State, found: &mut Vec<(Step, State)>) {
        let mut next = Next { world: &self.0, state, found };
        machine::steps(&mut next);
        etcd::steps(&mut next);
        guard::steps(&mut next);
        daemon::steps(&mut next);
        migration::steps(&mut next);
        taker::steps(&mut next);
        absence::steps(&mut next);
    }

    fn broken(&self, state: &State) -> Option<&'static str> {
        if state.running() > 1 {
            return Some("P1, the domain runs twice");
        }
        state.fenced_got.then_some("a fenced epoch was given the domain")
    }

    /// A protected domain can be brought back, as long as a host is up that is not fenced, and its
    /// owner is not away.
    fn hope(&self, state: &State) -> Option<Hope> {
        if state.running() > 0 {
            return Some(Hope::Fulfilled);
        }
        let world = &self.0;
        let able = world.hosts().any(|host| {
            let node = state.node(host);
            node.up && !state.fence(host, node.epoch).is_there()
        });
        // The bound on fences is the model's, not the protocol's.
        let owner = state.fence(state.own.host, state.own.epoch);
        let able = able && (owner.is_there() || state.fences_left > 0);
        let away = state.is_away(state.own.host, state.own.epoch);
        let owed = world.scenario.recovers && state.promised && able && !away;
        owed.then_some(Hope::Owed("P5, the protected domain cannot be started again"))
    }

    fn helps(&self, step: &Step) -> bool {
        let luck = [Act::PowerLoss, Act::Boot, Act::DaemonRestart, Act::NewEpoch, Act::Destroys];
        let helps = match step {
            Step::On(_, act) => !luck.contains(act),
            Step::About(..) | Step::Tick => true,
            Step::Restore => false,
        };
        self.0.scenario.recovers && helps
    }
}

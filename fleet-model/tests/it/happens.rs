//! What is meant to happen does: a model in which nothing happens keeps every promise.

use crate::LIMIT;
use crate::worlds::{GUARDED, MIGRATION, STARTS, THREE, UNPROTECTED};
use xend_fleet_model::checker::{Model, Verdict, check};
use xend_fleet_model::promise::{self, Promise};
use xend_fleet_model::protocol::{Protocol, Scenario, State};

/// A model, up to the first state that is wanted.
struct Until<M: Model> {
    model: M,
    wanted: fn(&M::State) -> bool,
}

impl<M: Model> Model for Until<M> {
    type State = M::State;
    type Step = M::Step;

    fn initial(&self) -> M::State {
        self.model.initial()
    }

    fn steps(&self, state: &M::State, next: &mut Vec<(M::Step, M::State)>) {
        self.model.steps(state, next);
    }

    fn broken(&self, state: &M::State) -> Option<&'static str> {
        (self.wanted)(state).then_some("this was wanted")
    }

    fn helps(&self, _step: &M::Step) -> bool {
        false
    }
}

fn happens<M: Model>(model: M, wanted: fn(&M::State) -> bool) {
    match check(&Until { model, wanted }, LIMIT) {
        Verdict::Broken(way) => println!("{:#?}", way.steps),
        verdict => panic!("This never happens: {verdict:?}"),
    }
}

fn happens_in(world: Scenario, wanted: fn(&State) -> bool) {
    happens(Protocol::new(world), wanted);
}

#[test]
fn a_taker_starts_the_domain() {
    happens_in(GUARDED, |state| state.runs_on(1));
}

#[test]
fn either_of_two_takers_starts_the_domain() {
    happens_in(THREE, |state| state.runs_on(1));
    happens_in(THREE, |state| state.runs_on(2));
}

#[test]
fn a_domain_arrives() {
    happens_in(Scenario { fences: 0, ..MIGRATION }, |state| state.runs_on(1));
    happens_in(Scenario { blackouts: 0, ..UNPROTECTED }, |state| state.runs_on(1));
}

#[test]
fn either_host_starts_a_halted_domain() {
    happens_in(STARTS, |state| state.runs_on(0));
    happens_in(STARTS, |state| state.runs_on(1));
}

#[test]
fn a_taker_that_promises_nothing_takes_over() {
    happens(Promise { flaw: None }, promise::State::is_claimed);
}

//! The protocol keeps its promises in every world. The numbers of states are in
//! `docs/fleet-model.md`; `--nocapture` prints them.

use crate::worlds;
use std::fmt::Debug;
use xend_fleet_model::checker::{Model, Verdict, check};
use xend_fleet_model::definition::Definitions;
use xend_fleet_model::promise::Promise;
use xend_fleet_model::protocol::{Protocol, Scenario};

fn holds<M: Model + Debug>(model: &M) {
    match check(model, 3_000_000) {
        Verdict::Holds { states, depth, owing } => {
            println!(
                "{states} states, {depth} steps deep, {owing} can still be made good: {model:?}"
            );
        }
        Verdict::Broken(counterexample) => panic!("{model:?}\n{counterexample}"),
        Verdict::Unfinished => panic!("Too many states: {model:?}"),
    }
}

fn protocol_holds(world: Scenario) {
    holds(&Protocol::new(world));
}

#[test]
fn of_a_guarded_domain() {
    protocol_holds(worlds::GUARDED);
}

#[test]
fn with_lost_answers_and_restarts() {
    protocol_holds(worlds::UNCERTAIN);
}

#[test]
fn when_both_hosts_are_fenced() {
    protocol_holds(worlds::CHAIN);
}

#[test]
fn when_the_taker_dies() {
    protocol_holds(worlds::THREE);
}

#[test]
fn when_users_start_and_stop() {
    protocol_holds(worlds::STOPS);
    protocol_holds(worlds::STARTS);
}

#[test]
fn when_policies_change() {
    protocol_holds(worlds::POLICIES);
    protocol_holds(worlds::EPOCHS);
}

#[test]
fn of_a_migration() {
    protocol_holds(worlds::MIGRATION);
    protocol_holds(worlds::MIGRATION_OF_THREE);
}

#[test]
fn of_an_unprotected_migration() {
    protocol_holds(worlds::UNPROTECTED);
}

#[test]
fn of_a_host_that_is_away() {
    protocol_holds(worlds::ABSENCE);
    protocol_holds(worlds::ABSENCE_TWICE);
}

#[test]
fn of_a_host_that_lives_by_promises() {
    holds(&Promise { flaw: None });
}

#[test]
fn about_definitions() {
    holds(&Definitions { flaw: None });
}

#[test]
fn of_absence_and_migration_at_once() {
    protocol_holds(worlds::ABSENCE_AND_MIGRATION);
}

#[test]
fn of_new_epochs_and_migration_at_once() {
    protocol_holds(worlds::EPOCHS_AND_MIGRATION);
}

#[test]
fn of_absence_and_policies_at_once() {
    protocol_holds(worlds::ABSENCE_AND_POLICIES);
}

//! The protocol keeps its promises in every world. The numbers of states are in
//! `docs/fleet-model.md`; `--nocapture` prints them.

use crate::{LIMIT, worlds};
use std::fmt::Debug;
use xend_fleet_model::checker::{Model, Verdict, check};
use xend_fleet_model::definition::Definitions;
use xend_fleet_model::promise::Promise;
use xend_fleet_model::protocol::Protocol;

fn holds<M: Model + Debug>(model: &M) {
    match check(model, LIMIT) {
        Verdict::Holds { states, depth, owing } => {
            println!(
                "{states} states, {depth} steps deep, {owing} can still be made good: {model:?}"
            );
        }
        Verdict::Broken(counterexample) => panic!("{model:?}\n{counterexample}"),
        Verdict::Unfinished => panic!("Too many states: {model:?}"),
    }
}

/// A test for each row, so that a failure says where the protocol does not hold.
macro_rules! protocol_holds {
    ($($name:ident: $($world:ident),+;)*) => {
        $(
            #[test]
            fn $name() {
                $(holds(&Protocol::new(worlds::$world));)+
            }
        )*
    };
}

protocol_holds! {
    of_a_guarded_domain: GUARDED;
    with_lost_answers_and_restarts: UNCERTAIN;
    when_both_hosts_are_fenced: CHAIN;
    when_the_taker_dies: THREE;
    when_users_start_and_stop: STOPS, STARTS;
    when_policies_change: POLICIES, EPOCHS;
    of_a_migration: MIGRATION, MIGRATION_OF_THREE;
    of_an_unprotected_migration: UNPROTECTED;
    of_a_host_that_is_away: ABSENCE, ABSENCE_TWICE;
    of_absence_and_migration_at_once: ABSENCE_AND_MIGRATION;
    of_new_epochs_and_migration_at_once: EPOCHS_AND_MIGRATION;
    of_absence_and_policies_at_once: ABSENCE_AND_POLICIES;
}

#[test]
fn of_a_host_that_lives_by_promises() {
    holds(&Promise { flaw: None });
}

#[test]
fn about_definitions() {
    holds(&Definitions { flaw: None });
}

//! Whatever is lost or late: when a taker has waited, no guarded domain runs any more.

use super::TAKER_WAIT;
use super::flaw::Flaw;
use super::testing::{Event, Rate, Rates, World};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};

const DOMAINS: u8 = 2;

/// What happens, and how long nothing happens then.
fn event() -> impl Strategy<Value = (Event, u64)> {
    let domain = || 0..DOMAINS;
    let which = || 0..8_usize;
    let event = prop_oneof![
        12 => Just(Event::Ask),
        12 => Just(Event::Hear),
        2 => Just(Event::Tick),
        6 => (which(), any::<bool>())
            .prop_map(|(which, is_stuck)| Event::CarryOut { which, is_stuck }),
        2 => which().prop_map(Event::Decide),
        6 => (which(), any::<bool>()).prop_map(|(which, again)| Event::Tell { which, again }),
        1 => which().prop_map(Event::Fail),
        2 => Just(Event::Settle),
        1 => domain().prop_map(Event::Register),
        1 => domain().prop_map(Event::Build),
        1 => domain().prop_map(Event::SayBuilt),
        1 => domain().prop_map(Event::Claim),
        1 => domain().prop_map(Event::Unpause),
        1 => domain().prop_map(Event::Stop),
        1 => domain().prop_map(Event::Restart),
        1 => Just(Event::GoAway),
        1 => Just(Event::ComeBack),
        3 => Just(Event::Fence),
    ];
    (event, prop_oneof![0..300_u64, 0..12_000_u64])
}

/// Clocks whose rates are wrong by 1 % at most.
fn rates() -> impl Strategy<Value = Rates> {
    let rate = || (990..=1010_u64).prop_map(Rate);
    (rate(), rate(), rate()).prop_map(|(guard, watchdog, taker)| Rates { guard, watchdog, taker })
}

/// A domain runs, these events happen, and then nothing but time passes. Tells whether the domain
/// ran when it could run elsewhere.
fn runs_twice(rates: Rates, flaw: Option<Flaw>, starts: bool, events: &[(Event, u64)]) -> bool {
    let mut world = World::new(rates, flaw);
    if starts {
        world.start(0);
    }
    for (event, pause) in events {
        world.all([*event, Event::Pass(*pause)]);
    }
    world.happens(Event::Pass(2 * u64::try_from(TAKER_WAIT.as_millis()).unwrap()));
    world.has_run_twice
}

fn runner(cases: u32, flaw: Option<Flaw>) -> TestRunner {
    // Of a rule that was broken on purpose, any example will do.
    let max_shrink_iters = if flaw.is_some() { 0 } else { u32::MAX };
    let config = Config { cases, max_shrink_iters, failure_persistence: None, ..Config::default() };
    let seed = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    TestRunner::new_with_rng(config, seed)
}

fn check(cases: u32, flaw: Option<Flaw>) -> Result<(), String> {
    let worlds = (rates(), any::<bool>(), prop::collection::vec(event(), 0..60));
    let found = runner(cases, flaw).run(&worlds, |(rates, starts, events)| {
        let runs_twice = runs_twice(rates, flaw, starts, &events);
        if runs_twice { Err(TestCaseError::fail("it runs twice")) } else { Ok(()) }
    });
    match found {
        Ok(()) => Ok(()),
        Err(TestError::Fail(_, worlds)) => Err(format!("{worlds:?}")),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn no_guarded_domain_runs_when_a_taker_has_waited() {
    assert_eq!(check(4_000, None), Ok(()));
}

#[test]
fn that_answers_count_from_when_they_come_is_found() {
    let found = check(40_000, Some(Flaw::FromAnswer)).expect_err("the broken rule was not found");
    println!("{found}");
}

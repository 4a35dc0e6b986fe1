//! Whatever is seen when: no wait ends before 40 s have passed since its fence was committed.
//!
//! Takers see what etcd says late, are killed and begin anew, and do nothing for long times; fences
//! come and go, as they do when a fleet is made anew.

use super::tests::boot;
use super::*;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};

#[derive(Debug, Clone, Copy)]
enum Event {
    /// A taker commits its fence, or a person confirms, or all fences go.
    Declare(u64),
    Confirm(u64),
    Forget,
    /// A taker hears what etcd says now.
    Hear(usize),
    /// It looks at what it has heard.
    Look(usize),
    /// It is killed, and begins anew.
    Die(usize),
}

fn event() -> impl Strategy<Value = (Event, u64)> {
    let epoch = || 1..3_u64;
    let taker = || 0..2_usize;
    let event = prop_oneof![
        2 => epoch().prop_map(Event::Declare),
        1 => epoch().prop_map(Event::Confirm),
        1 => Just(Event::Forget),
        6 => taker().prop_map(Event::Hear),
        8 => taker().prop_map(Event::Look),
        1 => taker().prop_map(Event::Die),
    ];
    (event, prop_oneof![0..2_000_u64, 0..45_000_u64])
}

struct World {
    now: Duration,
    /// The fences, each with when it was committed.
    fences: BTreeMap<Boot, (Fence, Duration)>,
    takers: [(Taker, Seen); 2],
    next: u128,
    flaw: Option<Flaw>,
}

impl World {
    fn taker(flaw: Option<Flaw>) -> Taker {
        Taker { flaw, ..Taker::default() }
    }

    fn new(flaw: Option<Flaw>) -> Self {
        let taker = |name| (Self::taker(flaw), Seen::nothing(boot(name, 1)));
        let takers = [taker("xen2"), taker("xen3")];
        Self { now: Duration::ZERO, fences: BTreeMap::new(), takers, next: 0, flaw }
    }

    /// Whether a wait ends too early.
    fn happens(&mut self, event: Event) -> bool {
        match event {
            Event::Declare(epoch) => {
                self.next += 1;
                let fence = Fence::Declared { op: Uuid::from_u128(self.next) };
                self.fences.entry(boot("xen1", epoch)).or_insert((fence, self.now));
            }
            Event::Confirm(epoch) => {
                self.fences.insert(boot("xen1", epoch), (Fence::Ended, self.now));
            }
            Event::Forget => self.fences.clear(),
            Event::Hear(which) => {
                let fences = self.fences.iter().map(|(boot, (fence, _))| (boot.clone(), *fence));
                self.takers[which].1.fences = fences.collect();
            }
            Event::Look(which) => {
                let (taker, seen) = &mut self.takers[which];
                let verdict = taker.look(self.now, seen);
                return verdict.acts.iter().any(|act| self.ends_early(act));
            }
            Event::Die(which) => self.takers[which].0 = Self::taker(self.flaw),
        }
        false
    }

    /// Ends a wait, as a transaction does that finds the fence as it was seen.
    fn ends_early(&self, act: &Act) -> bool {
        let Act::EndWait(boot, op) = act else { return false };
        match self.fences.get(boot) {
            Some((Fence::Declared { op: found }, committed)) if found == op => {
                self.now < *committed + TAKER_WAIT
            }
            _ => false,
        }
    }
}

fn check(cases: u32, flaw: Option<Flaw>) -> Result<(), String> {
    // Of a rule that was broken on purpose, any example will do.
    let max_shrink_iters = if flaw.is_some() { 0 } else { u32::MAX };
    let config = Config { cases, max_shrink_iters, failure_persistence: None, ..Config::default() };
    let seed = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let events = prop::collection::vec(event(), 0..80);
    let found = TestRunner::new_with_rng(config, seed).run(&events, |events| {
        let mut world = World::new(flaw);
        for (event, pause) in events {
            let ends_early = world.happens(event);
            if ends_early {
                return Err(TestCaseError::fail("a wait has ended too early"));
            }
            world.now += Duration::from_millis(pause);
        }
        Ok(())
    });
    match found {
        Ok(()) => Ok(()),
        Err(TestError::Fail(_, events)) => Err(format!("{events:?}")),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn no_wait_ends_before_40_s_have_passed_since_the_fence() {
    assert_eq!(check(4_000, None), Ok(()));
}

#[test]
fn a_wait_that_is_too_short_is_found() {
    for flaw in [Flaw::ShortWait, Flaw::AnyFence] {
        check(40_000, Some(flaw)).expect_err("the broken rule was not found");
    }
}

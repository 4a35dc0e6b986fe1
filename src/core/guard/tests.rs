//! Each rule of the guard.

use super::flaw::Flaw;
use super::testing::{Event, Rates, World, uuid};
use super::{
    Done, Found, Guard, GuardedDomain, Input, MAX_DOMAINS, Output, ReadId, Refusal, Ticket, Timer,
};
use crate::core::model::Uuid;
use std::time::Duration;

const EPOCH: u64 = World::EPOCH;

fn world() -> World {
    World::new(Rates::TRUE, None)
}

/// A world in which a domain runs that is guarded.
fn guarding() -> World {
    let mut world = world();
    world.start(0);
    assert!(world.runs(0));
    world
}

fn at(seconds: u64) -> Duration {
    Duration::from_secs(1_000 + seconds)
}

/// A guard alone, to which reads and times are told one by one.
struct Alone {
    guard: Guard,
    reads: Vec<ReadId>,
}

impl Alone {
    /// A guard that has a domain, which is built, since a read sent at `at(0)`.
    fn guarding() -> Self {
        let mut alone = Self { guard: Guard::default(), reads: Vec::new() };
        alone.step(0, Input::Register { ticket: Ticket(0), domain: uuid(0) });
        assert_eq!(alone.absent(0, 0), [set(Timer::First, 30)]);
        let granted =
            Output::Answer { ticket: Ticket(0), answer: Ok(Done::Guarded { epoch: EPOCH }) };
        assert_eq!(alone.step(0, Input::Set { done: true }), [granted]);
        alone.step(0, Input::Built { ticket: Ticket(1), domain: uuid(0) });
        alone
    }

    /// The outputs of a step, without reads, which are kept.
    fn step(&mut self, seconds: u64, input: Input) -> Vec<Output> {
        let mut out = self.guard.step(at(seconds), input);
        out.retain(|output| match output {
            Output::Read { read, .. } => {
                self.reads.push(*read);
                false
            }
            _ => true,
        });
        out
    }

    fn absent(&mut self, seconds: u64, read: usize) -> Vec<Output> {
        let read = self.reads[read];
        self.step(seconds, Input::Read { read, found: Found::Absent { epoch: EPOCH } })
    }

    fn age(&self, seconds: u64) -> Duration {
        self.guard.status(at(seconds)).age.unwrap()
    }
}

fn set(timer: Timer, seconds: u32) -> Output {
    Output::Set { timer, seconds }
}

fn is_destroy(output: &Output) -> bool {
    matches!(output, Output::Destroy { .. })
}

#[test]
fn without_a_guarded_domain_nothing_is_read_or_armed() {
    let mut world = world();
    world.live(100);
    assert!(world.outputs().is_empty() && world.seconds.is_empty());
    assert_eq!((world.status().state, world.status().epoch), ("idle", None));
}

#[test]
fn a_domain_is_guarded_when_a_timer_is_set() {
    let mut world = world();
    world.happens(Event::Register(0));
    let ticket = world.last_ticket();
    assert!(matches!(world.outputs()[..], [Output::Read { epoch: None, .. }]));
    let carry_out = Event::CarryOut { which: 0, is_stuck: false };
    let tell = Event::Tell { which: 0, again: false };
    world.all([carry_out, Event::Decide(0), tell, carry_out]);
    assert_eq!(world.answers.get(&ticket), None, "a timer is set, and the guard was not told");
    world.happens(tell);
    assert_eq!(world.answers[&ticket], Ok(Done::Guarded { epoch: EPOCH }));
    assert_eq!(world.seconds, [30]);
    let domains = [GuardedDomain { domain: uuid(0), state: "building" }];
    assert_eq!(world.status().domains, domains);
}

#[test]
fn the_fence_is_read_every_two_seconds_and_the_timers_are_set_in_turn() {
    let mut alone = Alone::guarding();
    assert_eq!(alone.reads.len(), 1);
    alone.step(1, Input::Tick);
    assert_eq!(alone.reads.len(), 1);
    for turn in 1..=4 {
        let second = u64::try_from(2 * turn).unwrap();
        assert_eq!(alone.step(second, Input::Tick), []);
        assert_eq!(alone.reads.len(), turn + 1);
        let timer = if turn % 2 == 0 { Timer::First } else { Timer::Second };
        // Counted from the sending, and rounded down.
        let answered = alone.guard.step(
            at(second) + Duration::from_millis(100),
            Input::Read { read: alone.reads[turn], found: Found::Absent { epoch: EPOCH } },
        );
        assert_eq!(answered, [set(timer, 29)]);
        alone.step(second, Input::Set { done: true });
    }
}

#[test]
fn a_timer_that_was_set_late_is_set_again_before_the_other_one() {
    let mut alone = Alone::guarding();
    alone.step(2, Input::Tick);
    assert_eq!(alone.absent(2, 1), [set(Timer::Second, 30)]);
    // The guard was stopped before it set the timer, or after: it cannot tell.
    assert_eq!(alone.step(4, Input::Set { done: true }), [set(Timer::Second, 28)]);
    assert_eq!(alone.step(5, Input::Set { done: true }), []);
    assert_eq!(alone.absent(5, 2), [set(Timer::First, 29)]);
}

#[test]
fn answers_that_come_late_or_out_of_order_do_not_move_s() {
    let mut alone = Alone::guarding();
    for second in [2, 4, 6] {
        alone.step(second, Input::Tick);
    }
    alone.absent(7, 2);
    assert_eq!(alone.age(7), Duration::from_secs(3), "counted from the sending at 4 s");
    assert_eq!(alone.absent(8, 1), [], "sent before");
    assert_eq!(alone.age(8), Duration::from_secs(4));
    assert_eq!(alone.absent(9, 2), [], "told twice");
    assert_eq!(alone.age(9), Duration::from_secs(5));
    let read = alone.reads[3];
    alone.step(9, Input::Read { read, found: Found::Failed });
    alone.absent(9, 3);
    assert_eq!(alone.age(9), Duration::from_secs(5), "it has failed");
    let read = alone.reads[4];
    alone.step(9, Input::Read { read, found: Found::Absent { epoch: EPOCH + 1 } });
    assert_eq!(alone.age(9), Duration::from_secs(5), "of another epoch");
}

#[test]
fn reads_of_an_earlier_guarding_do_not_count() {
    let mut alone = Alone::guarding();
    alone.step(2, Input::Tick);
    alone.step(3, Input::Release { ticket: Ticket(2), domain: uuid(0) });
    alone.step(3, Input::Disarmed { done: true });
    alone.step(4, Input::Register { ticket: Ticket(3), domain: uuid(0) });
    assert_eq!(alone.absent(4, 1), []);
    assert_eq!(alone.guard.status(at(4)).epoch, None);
    assert_eq!(alone.absent(5, 2), [set(Timer::Second, 29)]);
}

#[test]
fn without_etcd_its_domains_are_destroyed_and_then_the_timers_unset() {
    let mut alone = Alone::guarding();
    assert_eq!(alone.step(19, Input::Tick), []);
    let destroy = alone.step(20, Input::Tick);
    let [Output::Destroy { attempt, domains }] = &destroy[..] else { panic!("{destroy:?}") };
    assert_eq!(*domains, [uuid(0)]);
    let refused = alone.step(20, Input::Register { ticket: Ticket(7), domain: uuid(1) });
    let answer = Err(Refusal::Ending);
    assert_eq!(refused, [Output::Answer { ticket: Ticket(7), answer }]);
    // It does not go, and is destroyed again.
    assert_eq!(alone.step(21, Input::Gone { attempt: *attempt, domains: vec![] }), []);
    let again = alone.step(22, Input::Tick);
    let [Output::Destroy { attempt, .. }] = &again[..] else { panic!("{again:?}") };
    let gone = Input::Gone { attempt: *attempt, domains: vec![uuid(0)] };
    assert_eq!(alone.step(23, gone), [Output::Disarm]);
    assert_eq!(alone.guard.status(at(23)).state, "idle");
}

#[test]
fn only_what_is_guarded_is_destroyed() {
    let mut world = guarding();
    world.start(1);
    world.happens(Event::Stop(1));
    world.all([Event::Fence, Event::Pass(2_000), Event::Tick, Event::Settle]);
    assert_eq!(world.destroyed.iter().copied().collect::<Vec<_>>(), [uuid(0)]);
    assert_eq!(world.timers, [None, None]);
    world.live(60);
    assert!(world.is_up);
}

#[test]
fn a_fence_that_is_seen_destroys_at_once_and_ends_the_setting_of_timers() {
    let mut alone = Alone::guarding();
    alone.step(2, Input::Tick);
    alone.step(4, Input::Tick);
    let read = alone.reads[1];
    let found = Found::Present { epoch: EPOCH };
    assert!(is_destroy(&alone.step(4, Input::Read { read, found })[0]));
    assert_eq!(alone.absent(5, 2), [], "sent later, but answered by an old state");
    assert_eq!(alone.guard.status(at(5)).state, "destroying");
    let refused = alone.step(5, Input::Register { ticket: Ticket(7), domain: uuid(1) });
    let answer = Err(Refusal::Fenced);
    assert_eq!(refused, [Output::Answer { ticket: Ticket(7), answer }]);
}

#[test]
fn a_fenced_host_guards_nothing_anew() {
    let mut world = world();
    world.all([Event::Fence, Event::Register(0)]);
    let ticket = world.last_ticket();
    world.happens(Event::Settle);
    assert_eq!(world.answers[&ticket], Err(Refusal::Fenced));
    assert!(world.seconds.is_empty());
    assert_eq!(world.status().state, "idle");
}

#[test]
fn what_is_being_built_is_not_gone() {
    let mut world = world();
    world.all([Event::Register(0), Event::Settle, Event::Claim(0), Event::Fence]);
    world.all([Event::Pass(2_000), Event::Tick, Event::Settle]);
    assert!(world.destroyed.contains(&uuid(0)) && world.status().state == "destroying");
    assert_ne!(world.timers, [None, None]);
    // It is built after all: the next attempt finds it.
    world.all([Event::Build(0), Event::SayBuilt(0), Event::Settle]);
    assert_ne!(world.timers, [None, None]);
    world.live(2);
    assert_eq!((world.timers, world.status().state), ([None, None], "idle"));
}

#[test]
fn a_build_that_never_ends_is_ended_by_the_watchdog() {
    let mut world = world();
    world.all([Event::Register(0), Event::Settle, Event::Claim(0), Event::Fence]);
    world.live(29);
    assert!(world.is_up);
    world.live(2);
    assert!(!world.is_up);
}

#[test]
fn what_was_built_during_an_attempt_is_not_gone_by_it() {
    let mut world = world();
    world.all([Event::Register(0), Event::Settle, Event::Fence, Event::Pass(2_000), Event::Tick]);
    let carry_out = Event::CarryOut { which: 0, is_stuck: false };
    let tell = Event::Tell { which: 0, again: false };
    world.all([carry_out, Event::Decide(0), tell, carry_out, Event::Build(0)]);
    world.all([Event::SayBuilt(0), tell]);
    assert_eq!(world.status().state, "destroying");
}

#[test]
fn a_domain_that_is_let_go_is_not_guarded_and_the_last_one_unsets_the_timers() {
    let mut world = guarding();
    world.start(1);
    world.all([Event::Stop(0), Event::Settle]);
    assert_ne!(world.timers, [None, None]);
    world.all([Event::Stop(1), Event::Settle]);
    assert_eq!((world.timers, world.status().state), ([None, None], "idle"));
    let ticket = Ticket(99);
    world.tell(Input::Release { ticket, domain: uuid(1) });
    assert_eq!(world.answers[&ticket], Ok(Done::Yes));
    world.tell(Input::Built { ticket, domain: uuid(1) });
    assert_eq!(world.answers[&ticket], Err(Refusal::Unknown));
}

#[test]
fn a_restart_is_a_registration_anew() {
    let mut world = guarding();
    world.all([Event::Restart(0), Event::Settle]);
    let domains = [GuardedDomain { domain: uuid(0), state: "building" }];
    assert_eq!(world.status().domains, domains);
    world.all([Event::Fence, Event::Pass(2_000), Event::Tick, Event::Settle]);
    assert_eq!(world.status().state, "destroying", "it may come yet");
}

#[test]
fn a_registration_that_is_refused_leaves_what_was_guarded() {
    let mut alone = Alone::guarding();
    assert_eq!(alone.step(1, Input::Register { ticket: Ticket(8), domain: uuid(0) }), []);
    assert_eq!(alone.step(1, Input::Register { ticket: Ticket(9), domain: uuid(1) }), []);
    let busy = alone.step(2, Input::Register { ticket: Ticket(10), domain: uuid(1) });
    assert_eq!(busy, [Output::Answer { ticket: Ticket(10), answer: Err(Refusal::Busy) }]);
    let refused = alone.step(11, Input::Tick);
    let silent = |ticket| Output::Answer { ticket, answer: Err(Refusal::Silent) };
    assert_eq!(refused, [silent(Ticket(8)), silent(Ticket(9))]);
    let built = [GuardedDomain { domain: uuid(0), state: "built" }];
    assert_eq!(alone.guard.status(at(11)).domains, built);
}

#[test]
fn a_host_that_is_away_has_no_timer_until_it_is_back() {
    let mut world = guarding();
    world.all([Event::GoAway, Event::Settle]);
    assert_eq!((world.timers, world.status().state), ([None, None], "away"));
    world.live(100);
    assert!(world.runs(0) && world.outputs().is_empty());
    world.happens(Event::Register(1));
    assert_eq!(world.answers[&world.last_ticket()], Err(Refusal::IsAway));
    world.happens(Event::ComeBack);
    let ticket = world.last_ticket();
    assert_eq!(world.answers.get(&ticket), None, "no timer is set yet");
    world.happens(Event::Settle);
    assert_eq!(world.answers[&ticket], Ok(Done::Yes));
    assert_ne!(world.timers, [None, None]);
    world.happens(Event::Fence);
    world.live(5);
    assert!(!world.runs(0) && world.is_up);
}

#[test]
fn a_host_does_not_come_back_without_etcd() {
    let mut world = guarding();
    world.all([Event::GoAway, Event::Settle, Event::ComeBack]);
    let ticket = world.last_ticket();
    world.all([Event::Pass(10_000), Event::Tick]);
    assert_eq!(world.answers[&ticket], Err(Refusal::Silent));
    assert_eq!(world.status().state, "away");
}

#[test]
fn a_watchdog_that_cannot_be_set_guards_nothing() {
    let mut alone = Alone { guard: Guard::default(), reads: Vec::new() };
    alone.step(0, Input::Register { ticket: Ticket(0), domain: uuid(0) });
    alone.absent(0, 0);
    let refused = alone.step(0, Input::Set { done: false });
    let answer = Err(Refusal::NoWatchdog);
    assert_eq!(refused[0], Output::Answer { ticket: Ticket(0), answer });
    assert_eq!(alone.guard.status(at(0)).domains, []);
    // It may be set all the same.
    assert_eq!(alone.step(1, Input::Tick), [Output::Disarm]);
}

#[test]
fn a_host_without_an_epoch_guards_nothing() {
    let mut alone = Alone { guard: Guard::default(), reads: Vec::new() };
    alone.step(0, Input::Register { ticket: Ticket(0), domain: uuid(0) });
    let read = alone.reads[0];
    let refused = alone.step(0, Input::Read { read, found: Found::NoEpoch });
    assert_eq!(refused, [Output::Answer { ticket: Ticket(0), answer: Err(Refusal::NoEpoch) }]);
}

#[test]
fn a_guard_has_so_many_domains_at_most() {
    let mut guard = Guard::default();
    for number in 0..=MAX_DOMAINS {
        let domain = Uuid::from_u128(u128::try_from(number).unwrap());
        let ticket = Ticket(u64::try_from(number).unwrap());
        let out = guard.step(at(0), Input::Register { ticket, domain });
        let full = Output::Answer { ticket, answer: Err(Refusal::Full) };
        assert_eq!(out.contains(&full), number == MAX_DOMAINS);
    }
}

#[test]
fn a_guard_that_hears_from_etcd_goes_on() {
    let mut world = guarding();
    world.live(300);
    assert!(world.runs(0) && world.is_up);
    assert!(world.seconds.iter().all(|seconds| (29..=30).contains(seconds)));
}

#[test]
fn a_guard_that_is_stopped_is_ended_by_the_watchdog() {
    let mut world = guarding();
    world.happens(Event::Pass(29_999));
    assert!(world.runs(0));
    world.happens(Event::Pass(1));
    assert!(!world.is_up);
}

/// The fence is written while two answers are on their way for long.
#[test]
fn an_answer_counts_from_its_question() {
    for (flaw, runs_twice) in [(None, false), (Some(Flaw::FromAnswer), true)] {
        let mut world = World::new(Rates::TRUE, flaw);
        world.start(0);
        let carry_out = Event::CarryOut { which: 0, is_stuck: false };
        let tell = |which| Event::Tell { which, again: false };
        let read = [Event::Pass(2_000), Event::Tick, carry_out];
        world.all([read, read].concat());
        world.all([Event::Decide(0), Event::Decide(0), Event::Fence]);
        // Each answer leads to another read, which is lost, and to the setting of a timer.
        world.all([Event::Pass(13_000), tell(0), carry_out, carry_out, tell(1)]);
        world.all([Event::Pass(2_000), tell(0), carry_out, carry_out, tell(0)]);
        let seen = (0..60).any(|_| {
            world.happens(Event::Pass(1_000));
            world.has_run_twice
        });
        assert_eq!(seen, runs_twice, "{flaw:?}");
    }
}

/// The guard is stopped between reading its clock and setting a timer, twice.
#[test]
fn a_timer_counts_if_it_was_set_in_time() {
    for (flaw, runs_twice) in [(None, false), (Some(Flaw::LateTimer), true)] {
        let mut world = World::new(Rates::TRUE, flaw);
        world.start(0);
        let carry_out = |which| Event::CarryOut { which, is_stuck: false };
        let tell = |which| Event::Tell { which, again: false };
        world.all([Event::Pass(2_000), Event::Tick, carry_out(0), Event::Decide(0), tell(0)]);
        // The next read is sent while the timer is being set.
        world.all([Event::Pass(2_000), Event::Tick, carry_out(1), Event::Decide(0), Event::Fence]);
        world.all([Event::Pass(11_000), carry_out(0), tell(1), tell(0)]);
        world.all([Event::Pass(11_000), carry_out(1), tell(0)]);
        let seen = (0..60).any(|_| {
            world.happens(Event::Pass(1_000));
            world.has_run_twice
        });
        assert_eq!(seen, runs_twice, "{flaw:?}");
    }
}

/// The guard looks for a domain that is being built, does not find it, and then it is there.
#[test]
fn what_is_not_built_does_not_count_as_gone() {
    for (flaw, runs_twice) in [(None, false), (Some(Flaw::LetGoInBuild), true)] {
        let mut world = World::new(Rates::TRUE, flaw);
        world.all([Event::Register(0), Event::Settle, Event::Claim(0), Event::Fence]);
        world.all([Event::Pass(2_000), Event::Tick, Event::Settle]);
        world.all([Event::Build(0), Event::Unpause(0), Event::Pass(60_000)]);
        assert_eq!(world.has_run_twice, runs_twice, "{flaw:?}");
    }
}

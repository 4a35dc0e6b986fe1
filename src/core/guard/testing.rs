//! A guard with the world around it: etcd, a hypervisor with its watchdog, a daemon, and a taker
//! that waits, each with a clock of its own.

mod event;
mod rates;

pub(super) use event::Event;
pub(super) use rates::{Rate, Rates};

use super::flaw::Flaw;
use super::{
    Attempt, Done, Found, Guard, Input, Output, ReadId, Refusal, TAKER_WAIT, Ticket, Timer,
};
use crate::core::model::Uuid;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// A domain, as the daemon knows it.
#[derive(Debug, Default)]
struct Domain {
    asked: Option<Ticket>,
    /// The guard has said that it guards the domain.
    is_granted: bool,
    /// It was built since, so that it may run.
    is_built: bool,
    /// etcd says that it is guarded.
    is_claimed: bool,
}

/// The host, etcd and a taker.
pub(super) struct World {
    guard: Guard,
    rates: Rates,
    /// In milliseconds.
    time: u64,
    outputs: VecDeque<Output>,
    reads: Vec<ReadId>,
    ends: Vec<Input>,
    /// When the hypervisor reboots the machine, on its clock.
    pub(super) timers: [Option<Duration>; 2],
    /// The domains of the hypervisor, and whether each runs.
    hypervisor: BTreeMap<Uuid, bool>,
    domains: BTreeMap<Uuid, Domain>,
    away: bool,
    absence: Option<Ticket>,
    tickets: u64,
    /// When the fence was committed.
    fence: Option<u64>,
    pub(super) is_up: bool,
    /// Whether a domain has run that a taker could have started elsewhere by then.
    pub(super) has_run_twice: bool,
    /// What the guard has answered.
    pub(super) answers: BTreeMap<Ticket, Result<Done, Refusal>>,
    pub(super) destroyed: BTreeSet<Uuid>,
    pub(super) seconds: Vec<u32>,
}

/// The domain of this number.
pub(super) fn uuid(number: u8) -> Uuid {
    Uuid::from_u128(number.into())
}

impl World {
    pub(super) const EPOCH: u64 = 3;

    pub(super) fn new(rates: Rates, flaw: Option<Flaw>) -> Self {
        Self {
            guard: Guard { flaw, ..Guard::default() },
            rates,
            time: 1_000_000,
            outputs: VecDeque::new(),
            reads: Vec::new(),
            ends: Vec::new(),
            timers: [None; 2],
            hypervisor: BTreeMap::new(),
            domains: BTreeMap::new(),
            away: false,
            absence: None,
            tickets: 0,
            fence: None,
            is_up: true,
            has_run_twice: false,
            answers: BTreeMap::new(),
            destroyed: BTreeSet::new(),
            seconds: Vec::new(),
        }
    }

    /// Whether a domain runs that a taker may have started elsewhere by now.
    fn runs_twice(&self) -> bool {
        let Some(fence) = self.fence else { return false };
        let waited = self.rates.taker.of(self.time - fence);
        let is_claimed = |domain: &Uuid| self.domains.get(domain).is_some_and(|d| d.is_claimed);
        let mut running = self.hypervisor.iter().filter(|(_, runs)| **runs);
        waited >= TAKER_WAIT && running.any(|(domain, _)| is_claimed(domain))
    }

    pub(super) fn runs(&self, number: u8) -> bool {
        self.hypervisor.get(&uuid(number)) == Some(&true)
    }

    pub(super) fn status(&self) -> super::GuardStatus {
        self.guard.status(self.rates.guard.of(self.time))
    }

    /// The reads and the calls that are under way.
    pub(super) fn outputs(&self) -> Vec<&Output> {
        self.outputs.iter().collect()
    }

    pub(super) fn now(&self) -> Duration {
        self.rates.guard.of(self.time)
    }

    pub(super) fn all(&mut self, events: impl IntoIterator<Item = Event>) {
        events.into_iter().for_each(|event| self.happens(event));
    }

    /// Time passes, a second at a time, while all that is asked for happens at once.
    pub(super) fn live(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.all([Event::Pass(1000), Event::Tick, Event::Settle]);
        }
    }

    /// A domain that is guarded runs.
    pub(super) fn start(&mut self, number: u8) {
        use Event::{Build, Claim, Register, SayBuilt, Settle, Unpause};
        self.all([Register(number), Settle, Build(number), SayBuilt(number), Settle]);
        self.all([Claim(number), Unpause(number)]);
    }

    pub(super) fn happens(&mut self, event: Event) {
        self.has_happened(event);
        self.has_run_twice |= self.runs_twice();
    }

    fn has_happened(&mut self, event: Event) {
        if !self.is_up {
            // Time goes on for the taker.
            if let Event::Pass(milliseconds) = event {
                self.time += milliseconds;
            }
            return;
        }
        match event {
            Event::Pass(milliseconds) => self.pass(milliseconds),
            Event::Tick => self.tell(Input::Tick),
            Event::CarryOut { which, is_stuck } => {
                if let Some(which) = which.checked_rem(self.outputs.len()) {
                    if let Some(output) = self.outputs.remove(which) {
                        self.carry_out(output, is_stuck);
                    }
                }
            }
            Event::Decide(which) => {
                if let Some(which) = which.checked_rem(self.reads.len()) {
                    let read = self.reads.remove(which);
                    self.ends.push(Input::Read { read, found: self.found() });
                }
            }
            Event::Fail(which) => {
                if let Some(which) = which.checked_rem(self.reads.len()) {
                    let read = self.reads.remove(which);
                    self.tell(Input::Read { read, found: Found::Failed });
                }
            }
            Event::Tell { which, again } => {
                if let Some(which) = which.checked_rem(self.ends.len()) {
                    let end = self.ends.remove(which);
                    if again && is_read(&end) {
                        self.ends.push(end.clone());
                    }
                    self.tell(end);
                }
            }
            Event::Ask => {
                self.tell(Input::Tick);
                let (asked, others) =
                    std::mem::take(&mut self.outputs).into_iter().partition(is_sent);
                self.outputs = others;
                VecDeque::into_iter(asked).for_each(|read| self.carry_out(read, false));
                self.decide_all();
            }
            Event::Hear => {
                if let Some(which) = self.ends.iter().position(is_read) {
                    let end = self.ends.remove(which);
                    self.tell(end);
                }
                while let Some(which) = self.outputs.iter().position(|output| !is_sent(output)) {
                    if let Some(output) = self.outputs.remove(which) {
                        self.carry_out(output, false);
                    }
                    while let Some(which) = self.ends.iter().position(|end| !is_read(end)) {
                        let end = self.ends.remove(which);
                        self.tell(end);
                    }
                }
            }
            Event::Settle => self.settle(),
            Event::Fence => {
                if !self.away {
                    self.fence.get_or_insert(self.time);
                }
            }
            Event::GoAway if self.absence.is_none() && !self.away && self.fence.is_none() => {
                self.away = true;
                let ticket = self.ticket();
                self.absence = Some(ticket);
                self.tell(Input::Away { ticket });
            }
            Event::ComeBack if self.absence.is_none() && self.away => {
                let ticket = self.ticket();
                self.absence = Some(ticket);
                self.tell(Input::Back { ticket });
            }
            Event::GoAway | Event::ComeBack => {}
            Event::Register(number)
            | Event::Build(number)
            | Event::SayBuilt(number)
            | Event::Claim(number)
            | Event::Unpause(number)
            | Event::Stop(number)
            | Event::Restart(number) => self.daemon_does(event, uuid(number)),
        }
    }

    fn daemon_does(&mut self, event: Event, domain: Uuid) {
        let known = self.domains.entry(domain).or_default();
        match event {
            Event::Register(_) if known.asked.is_none() && !known.is_granted => {
                self.ask_for(domain);
            }
            Event::Build(_) if known.is_granted && !known.is_built => {
                known.is_built = true;
                self.hypervisor.insert(domain, false);
            }
            Event::SayBuilt(_) if known.is_built => {
                let ticket = self.ticket();
                self.tell(Input::Built { ticket, domain });
            }
            Event::Claim(_) if known.is_granted && self.fence.is_none() => known.is_claimed = true,
            Event::Unpause(_) if known.is_granted && known.is_claimed => {
                if let Some(runs) = self.hypervisor.get_mut(&domain) {
                    *runs = true;
                }
            }
            // etcd lets a fenced host change nothing.
            Event::Stop(_) if known.is_granted && self.fence.is_none() => {
                *known = Domain::default();
                self.hypervisor.remove(&domain);
                let ticket = self.ticket();
                self.tell(Input::Release { ticket, domain });
            }
            Event::Restart(_) if known.is_built && known.asked.is_none() => {
                (known.is_granted, known.is_built) = (false, false);
                self.hypervisor.remove(&domain);
                self.ask_for(domain);
            }
            _ => {}
        }
    }

    fn ask_for(&mut self, domain: Uuid) {
        let ticket = self.ticket();
        self.domains.entry(domain).or_default().asked = Some(ticket);
        self.tell(Input::Register { ticket, domain });
    }

    fn ticket(&mut self) -> Ticket {
        self.tickets += 1;
        Ticket(self.tickets)
    }

    pub(super) fn last_ticket(&self) -> Ticket {
        Ticket(self.tickets)
    }

    fn pass(&mut self, milliseconds: u64) {
        let reboot =
            self.timers.iter().flatten().map(|end| self.rates.watchdog.reaches(*end)).min();
        self.time += milliseconds;
        if let Some(reboot) = reboot.filter(|reboot| *reboot <= self.time) {
            // Until then, all has run.
            let after = std::mem::replace(&mut self.time, reboot);
            self.has_run_twice |= self.runs_twice();
            self.time = after;
            self.is_up = false;
            self.hypervisor.clear();
        }
    }

    pub(super) fn tell(&mut self, input: Input) {
        let outputs = self.guard.step(self.now(), input);
        for output in outputs {
            if let Output::Answer { ticket, answer } = output {
                self.answers.insert(ticket, answer);
                self.hear(ticket, answer);
            } else {
                self.outputs.push_back(output);
            }
        }
    }

    fn hear(&mut self, ticket: Ticket, answer: Result<Done, Refusal>) {
        if self.absence == Some(ticket) {
            let is_back = answer == Ok(Done::Yes) && self.status().state != "away";
            self.absence = None;
            self.away = self.away && !is_back;
        }
        for domain in self.domains.values_mut().filter(|domain| domain.asked == Some(ticket)) {
            domain.asked = None;
            domain.is_granted = answer.is_ok();
        }
    }

    fn found(&self) -> Found {
        match self.fence {
            None => Found::Absent { epoch: Self::EPOCH },
            Some(_) => Found::Present { epoch: Self::EPOCH },
        }
    }

    fn decide_all(&mut self) {
        for read in std::mem::take(&mut self.reads) {
            self.ends.push(Input::Read { read, found: self.found() });
        }
    }

    fn carry_out(&mut self, output: Output, is_stuck: bool) {
        match output {
            Output::Read { read, .. } => self.reads.push(read),
            Output::Set { timer, seconds } => {
                let now = self.rates.watchdog.of(self.time);
                let end = now + Duration::from_secs(seconds.into());
                self.timers[usize::from(timer == Timer::Second)] = Some(end);
                self.seconds.push(seconds);
                self.ends.push(Input::Set { done: true });
            }
            Output::Disarm => {
                self.timers = [None; 2];
                self.ends.push(Input::Disarmed { done: true });
            }
            Output::Destroy { attempt, domains } => self.destroy(attempt, domains, is_stuck),
            Output::Answer { .. } => {}
        }
    }

    fn destroy(&mut self, attempt: Attempt, mut domains: Vec<Uuid>, is_stuck: bool) {
        for domain in domains.iter().filter(|_| !is_stuck) {
            self.destroyed.insert(*domain);
            self.hypervisor.remove(domain);
        }
        domains.retain(|domain| !self.hypervisor.contains_key(domain));
        self.ends.push(Input::Gone { attempt, domains });
    }

    /// All that is under way ends, and what follows from it.
    fn settle(&mut self) {
        for _ in 0..20 {
            while let Some(output) = self.outputs.pop_front() {
                self.carry_out(output, false);
            }
            self.decide_all();
            for end in std::mem::take(&mut self.ends) {
                self.tell(end);
            }
        }
    }
}

fn is_read(end: &Input) -> bool {
    matches!(end, Input::Read { .. })
}

fn is_sent(output: &Output) -> bool {
    matches!(output, Output::Read { .. })
}

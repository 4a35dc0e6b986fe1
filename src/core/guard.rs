//! The guard of protected domains, as a pure state machine without I/O.
//!
//! A host of a fleet may be taken for dead, and its protected domains are then started elsewhere.
//! The guard sees to it that they have ended here before. It reads `fence/H/EPOCH` in etcd all the
//! time: as long as that is absent, nobody has begun to wait for this host's end.
//! `docs/fleet-model.md` has the protocol, and the proof by a model that visits all states.
//!
//! ```text
//!   commit of the fence                              commit + 40 s
//!          │                                               │
//! ──┬──────┼────────────┬───────────────────┬──────────────┼──▶ time
//!   s      │        s + 20 s            s + 30 s           │
//!   │                   │                   │              └ a taker starts the domains
//!   │                   │                   └ the hypervisor's watchdog reboots the machine
//!   │                   └ the guard destroys its domains, and disarms when all are gone
//!   └ the last read that found no fence was about to be sent
//! ```
//!
//! ```text
//! messages    what a guard is told, and what it wants done
//! state       what it knows
//! questions   registrations and absences: what it is asked, and answers
//! reads       which reads are under way, and s
//! timers      the two timers of the hypervisor's watchdog, set in turn
//! status      what it tells of itself
//! ```
//!
//! All times are those of `CLOCK_BOOTTIME`, which neither goes back nor stands still. Whoever
//! drives the guard reads it for each input, after what the input tells of has happened; the
//! outputs are carried out afterwards, in any order, however late.

#[cfg(test)]
mod flaw;
mod messages;
mod questions;
mod reads;
mod state;
mod status;
mod timers;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use super::model::Uuid;
use state::{Absence, Ending, Guarded};
use std::time::Duration;

pub use messages::{Attempt, Done, Found, Input, MAX_DOMAINS, Output, Refusal, Ticket};
pub use questions::REGISTER_LIMIT;
pub use reads::{READ_PERIOD, ReadId};
pub use state::Guard;
pub use status::{GuardStatus, GuardedDomain};
pub use timers::{Timer, WATCHDOG_LIMIT};

/// How long after s the guard destroys what it guards.
pub const SELF_LIMIT: Duration = Duration::from_secs(20);
/// How long a taker waits after its fence was committed, on its own clock.
pub const TAKER_WAIT: Duration = Duration::from_secs(40);
/// How often it is tried to destroy what does not go.
const DESTROY_PERIOD: Duration = Duration::from_secs(1);

impl Guard {
    /// Takes an input, at this time, and tells what is to be done.
    pub fn step(&mut self, now: Duration, input: Input) -> Vec<Output> {
        self.now = self.now.max(now);
        let mut out = Vec::new();
        match input {
            Input::Tick => {}
            Input::Read { read, found } => self.read(read, found, &mut out),
            Input::Set { done } => {
                self.timers.set(self.now, done, self.set_limit());
                if !done && self.timers.set_from().is_none() {
                    self.refuse_all(Refusal::NoWatchdog, &mut out);
                }
            }
            Input::Disarmed { done } => self.disarmed(done, &mut out),
            Input::Gone { attempt, domains } => self.gone(attempt, &domains),
            Input::Register { ticket, domain } => self.register(ticket, domain, &mut out),
            Input::Built { ticket, domain } => out.push(self.built(ticket, domain)),
            Input::Release { ticket, domain } => self.release(ticket, domain, &mut out),
            Input::Away { ticket } => self.away(ticket, &mut out),
            Input::Back { ticket } => self.back(ticket, &mut out),
        }
        self.drive(&mut out);
        out
    }

    fn read(&mut self, read: ReadId, found: Found, out: &mut Vec<Output>) {
        let sent = self.reads.ended(read);
        match found {
            // A fence stays: it counts whenever its answer comes.
            Found::Present { epoch } if self.epoch == Some(epoch) => self.fenced(out),
            Found::Present { .. } if self.epoch.is_none() && sent.is_some() => {
                self.refuse_all(Refusal::Fenced, out);
            }
            Found::NoEpoch if self.epoch.is_none() && sent.is_some() => {
                self.refuse_all(Refusal::NoEpoch, out);
            }
            Found::Absent { epoch } => {
                let Some(sent) = sent else { return };
                if *self.epoch.get_or_insert(epoch) == epoch && !self.is_fenced() {
                    self.reads.found_absent(self.counted_from(sent));
                }
            }
            Found::Present { .. } | Found::NoEpoch | Found::Failed => {}
        }
    }

    fn fenced(&mut self, out: &mut Vec<Output>) {
        self.ending = Some(Ending::Fenced);
        self.refuse_all(Refusal::Fenced, out);
        if let Absence::Begins(ticket) = std::mem::take(&mut self.absence) {
            out.push(Output::Answer { ticket, answer: Err(Refusal::Fenced) });
        }
    }

    fn disarmed(&mut self, done: bool, out: &mut Vec<Output>) {
        self.timers.disarmed(self.now, done);
        if let Absence::Begins(ticket) = self.absence {
            // What etcd says counts, whether the timers are set or not: it is tried again.
            self.absence = Absence::Away;
            let answer = if done { Ok(Done::Yes) } else { Err(Refusal::NoWatchdog) };
            out.push(Output::Answer { ticket, answer });
        }
    }

    fn gone(&mut self, attempt: Attempt, gone: &[Uuid]) {
        if self.attempt != Some(attempt) {
            return;
        }
        self.attempt = None;
        self.next_attempt.1 = self.now + DESTROY_PERIOD;
        // What was built after the attempt began may be there.
        let is_gone = |guarded: &Guarded| guarded.attempt == Some(attempt);
        self.domains.retain(|domain, guarded| !(is_gone(guarded) && gone.contains(domain)));
    }

    /// Does what is due.
    fn drive(&mut self, out: &mut Vec<Output>) {
        self.refuse_late(out);
        let is_silent = self.reads.age(self.now).is_some_and(|age| age >= SELF_LIMIT);
        if self.is_needed() && is_silent && self.ending.is_none() {
            self.ending = Some(Ending::Silent);
            self.refuse_all(Refusal::Silent, out);
        }
        if self.domains.is_empty() {
            self.ending = None;
            self.epoch = None;
        }
        if self.is_needed() {
            self.keep_armed(out);
        } else {
            self.reads.forget();
            out.extend(self.timers.disarm(self.now).then_some(Output::Disarm));
        }
        self.destroy(out);
    }

    fn keep_armed(&mut self, out: &mut Vec<Output>) {
        if self.is_fenced() {
            return;
        }
        if let Some(read) = self.reads.next(self.now, self.youngest_demand()) {
            out.push(Output::Read { read, epoch: self.epoch });
        }
        if let Some(absent) = self.reads.absent() {
            let set = self.timers.begin(absent, self.now);
            out.extend(set.map(|(timer, seconds)| Output::Set { timer, seconds }));
        }
        self.grant(out);
    }

    fn destroy(&mut self, out: &mut Vec<Output>) {
        let (number, from) = self.next_attempt;
        if self.ending.is_none() || self.attempt.is_some() || self.now < from {
            return;
        }
        let attempt = Attempt(number);
        self.next_attempt.0 += 1;
        self.attempt = Some(attempt);
        let domains: Vec<Uuid> = self.domains.keys().copied().collect();
        for domain in &domains {
            let can_be_gone = self.domains.get(domain).is_some_and(|known| self.can_be_gone(known));
            if let Some(guarded) = self.domains.get_mut(domain).filter(|_| can_be_gone) {
                guarded.attempt = Some(attempt);
            }
        }
        out.push(Output::Destroy { attempt, domains });
    }
}

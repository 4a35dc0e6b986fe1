//! What a guard is asked, and answers: registrations and absences.

use super::messages::{Done, MAX_DOMAINS, Output, Refusal, Ticket};
use super::state::{Absence, Guard, Guarded, Waiting};
use crate::core::model::Uuid;
use std::time::Duration;

/// How long a registration waits for etcd.
pub const REGISTER_LIMIT: Duration = Duration::from_secs(10);

impl Guard {
    /// A domain is to be guarded: the answer comes when a timer is set.
    pub(super) fn register(&mut self, ticket: Ticket, domain: Uuid, out: &mut Vec<Output>) {
        let known = self.domains.get(&domain);
        let is_waiting = known.is_some_and(|guarded| guarded.waiting.is_some());
        let refusal = if self.is_fenced() {
            Some(Refusal::Fenced)
        } else if self.ending.is_some() {
            Some(Refusal::Ending)
        } else if self.absence != Absence::None {
            Some(Refusal::IsAway)
        } else if is_waiting {
            Some(Refusal::Busy)
        } else {
            (known.is_none() && self.domains.len() >= MAX_DOMAINS).then_some(Refusal::Full)
        };
        if let Some(refusal) = refusal {
            out.push(Output::Answer { ticket, answer: Err(refusal) });
            return;
        }
        let before = known.map(|guarded| guarded.is_built);
        let waiting = Some(Waiting { ticket, since: self.now, before });
        self.domains.insert(domain, Guarded { is_built: false, waiting, attempt: None });
    }

    /// The build of a domain is over.
    pub(super) fn built(&mut self, ticket: Ticket, domain: Uuid) -> Output {
        let guarded = self.domains.get_mut(&domain).filter(|guarded| guarded.waiting.is_none());
        let answer = match guarded {
            Some(guarded) => {
                guarded.is_built = true;
                Ok(Done::Yes)
            }
            None => Err(Refusal::Unknown),
        };
        Output::Answer { ticket, answer }
    }

    /// A domain need not be guarded any more.
    pub(super) fn release(&mut self, ticket: Ticket, domain: Uuid, out: &mut Vec<Output>) {
        // One that is not known is no error: whoever lost an answer asks again.
        if let Some(Waiting { ticket, .. }) =
            self.domains.remove(&domain).and_then(|guarded| guarded.waiting)
        {
            out.push(Output::Answer { ticket, answer: Err(Refusal::Released) });
        }
        out.push(Output::Answer { ticket, answer: Ok(Done::Yes) });
    }

    /// The host is away: the answer comes when the timers are unset.
    pub(super) fn away(&mut self, ticket: Ticket, out: &mut Vec<Output>) {
        let is_waiting = self.domains.values().any(|guarded| guarded.waiting.is_some());
        let answer = match self.absence {
            _ if self.is_fenced() => Err(Refusal::Fenced),
            _ if self.ending.is_some() => Err(Refusal::Ending),
            Absence::Away => Ok(Done::Yes),
            Absence::None if !is_waiting && !self.timers.may_be_set() => {
                self.absence = Absence::Away;
                Ok(Done::Yes)
            }
            Absence::None if !is_waiting => {
                self.absence = Absence::Begins(ticket);
                return;
            }
            Absence::None | Absence::Begins(_) | Absence::Ends { .. } => Err(Refusal::Busy),
        };
        out.push(Output::Answer { ticket, answer });
    }

    /// The host is about to be back: the answer comes when a timer is set.
    pub(super) fn back(&mut self, ticket: Ticket, out: &mut Vec<Output>) {
        let answer = match self.absence {
            Absence::Away if !self.domains.is_empty() => {
                self.absence = Absence::Ends { ticket, since: self.now };
                return;
            }
            Absence::Away | Absence::None => {
                self.absence = Absence::None;
                Ok(Done::Yes)
            }
            Absence::Begins(_) | Absence::Ends { .. } => Err(Refusal::Busy),
        };
        out.push(Output::Answer { ticket, answer });
    }

    /// Since when the last of those waits that want a timer set by a read sent later.
    pub(super) fn youngest_demand(&self) -> Option<Duration> {
        let waiting = self.domains.values().filter_map(|guarded| guarded.waiting.as_ref());
        let ends = match self.absence {
            Absence::Ends { since, .. } => Some(since),
            _ => None,
        };
        waiting.map(|waiting| waiting.since).chain(ends).max()
    }

    /// Answers whoever has waited for a timer that is set now, by a read sent since.
    pub(super) fn grant(&mut self, out: &mut Vec<Output>) {
        let (Some(set), Some(epoch)) = (self.timers.set_from(), self.epoch) else { return };
        for guarded in self.domains.values_mut() {
            if let Some(Waiting { ticket, .. }) = guarded.waiting.take_if(|w| w.since <= set) {
                out.push(Output::Answer { ticket, answer: Ok(Done::Guarded { epoch }) });
            }
        }
        if let Absence::Ends { ticket, since } = self.absence {
            if since <= set {
                self.absence = Absence::None;
                out.push(Output::Answer { ticket, answer: Ok(Done::Yes) });
            }
        }
    }

    /// Refuses who has waited for too long.
    pub(super) fn refuse_late(&mut self, out: &mut Vec<Output>) {
        let is_late = |since: Duration, now: Duration| now.saturating_sub(since) >= REGISTER_LIMIT;
        let now = self.now;
        self.refuse(Refusal::Silent, |since| is_late(since, now), out);
    }

    /// Refuses all registrations, and the end of an absence.
    pub(super) fn refuse_all(&mut self, refusal: Refusal, out: &mut Vec<Output>) {
        self.refuse(refusal, |_| true, out);
    }

    /// Refuses registrations, and the end of an absence.
    fn refuse(
        &mut self,
        refusal: Refusal,
        which: impl Fn(Duration) -> bool,
        out: &mut Vec<Output>,
    ) {
        self.domains.retain(|_, guarded| {
            let Some(waiting) = guarded.waiting.take_if(|waiting| which(waiting.since)) else {
                return true;
            };
            out.push(Output::Answer { ticket: waiting.ticket, answer: Err(refusal) });
            guarded.is_built = waiting.before.unwrap_or_default();
            waiting.before.is_some()
        });
        match self.absence {
            Absence::Ends { ticket, since } if which(since) => {
                self.absence = Absence::Away;
                out.push(Output::Answer { ticket, answer: Err(refusal) });
            }
            _ => {}
        }
    }
}

//! How far each migration to this host is, as a pure state machine.
//!
//! ```text
//!            begin              hand over                 taken
//!  unknown ────────▶ Arriving ───────────▶ Undecided ────────────▶ Taken
//!                       │ failed, asked        │ refused
//!                       └──────────┬───────────┘
//!                                  ▼
//!                               Refused
//! ```
//!
//! Nothing leads out of Taken or Refused: what the sender was told stays true. While a migration is
//! undecided the sender is told nothing.

use crate::core::model::Uuid;
use crate::core::ports::Verdict;
use std::collections::{HashMap, VecDeque};

/// The most refusals that are remembered. A forgotten migration is an unknown one.
const MAX_REFUSED: usize = 1024;

/// How far a migration is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// The domain is being sent.
    Arriving,
    /// The domain was handed over, and it is not known yet whether this host may have it.
    Undecided,
    Taken,
    Refused,
}

#[derive(Debug, Clone, Copy)]
struct Arrival {
    domain: Uuid,
    stage: Stage,
}

/// Migrations to this host, by their ids.
#[derive(Debug, Default)]
pub(super) struct Table {
    arrivals: HashMap<Uuid, Arrival>,
    /// Those that were refused, the oldest first.
    refused: VecDeque<Uuid>,
}

impl Table {
    /// Notes a migration of an earlier run of the daemon.
    pub(super) fn load(&mut self, id: Uuid, domain: Uuid, stage: Stage) {
        self.arrivals.insert(id, Arrival { domain, stage });
        if stage == Stage::Refused {
            self.forget_old_refusals(id);
        }
    }

    /// Begins a migration, unless its id is known.
    pub(super) fn begin(&mut self, id: Uuid, domain: Uuid) -> bool {
        let is_new = !self.arrivals.contains_key(&id);
        if is_new {
            self.load(id, domain, Stage::Arriving);
        }
        is_new
    }

    /// The sender hands the domain over, unless the migration was refused meanwhile.
    pub(super) fn hand_over(&mut self, id: Uuid) -> bool {
        self.advance(id, Stage::Arriving, Stage::Undecided)
    }

    /// The domain is this host's.
    pub(super) fn take(&mut self, id: Uuid) {
        self.advance(id, Stage::Undecided, Stage::Taken);
    }

    /// This host does not have the domain and never will.
    pub(super) fn refuse(&mut self, id: Uuid) {
        if self.advance(id, Stage::Undecided, Stage::Refused) {
            self.forget_old_refusals(id);
        }
    }

    /// Ends a migration that is not handed over yet.
    pub(super) fn end(&mut self, id: Uuid) {
        if self.advance(id, Stage::Arriving, Stage::Refused) {
            self.forget_old_refusals(id);
        }
    }

    /// What the sender is told, which ends a migration that is not handed over; `None` while it is
    /// undecided.
    pub(super) fn ask(&mut self, id: Uuid) -> Option<Verdict> {
        self.end(id);
        match self.arrivals.get(&id).map(|arrival| arrival.stage) {
            Some(Stage::Taken) => Some(Verdict::Taken),
            Some(Stage::Refused) => Some(Verdict::Refused),
            Some(Stage::Arriving | Stage::Undecided) => None,
            None => Some(Verdict::Unknown),
        }
    }

    /// Whether it is undecided to which host a domain belongs.
    pub(super) fn is_undecided(&self, domain: Uuid) -> bool {
        let mut arrivals = self.arrivals.values();
        arrivals.any(|arrival| arrival.domain == domain && arrival.stage == Stage::Undecided)
    }

    fn advance(&mut self, id: Uuid, from: Stage, to: Stage) -> bool {
        match self.arrivals.get_mut(&id) {
            Some(arrival) if arrival.stage == from => {
                arrival.stage = to;
                true
            }
            _ => false,
        }
    }

    fn forget_old_refusals(&mut self, newest: Uuid) {
        self.refused.push_back(newest);
        if self.refused.len() > MAX_REFUSED {
            if let Some(oldest) = self.refused.pop_front() {
                self.arrivals.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ID: Uuid = Uuid::from_u128(7);
    const DOMAIN: Uuid = Uuid::from_u128(0xd0);

    #[test]
    fn a_migration_is_taken_or_refused_and_stays_so() {
        let mut table = Table::default();
        assert_eq!(table.ask(ID), Some(Verdict::Unknown));
        assert!(table.begin(ID, DOMAIN) && !table.begin(ID, DOMAIN));
        assert!(!table.is_undecided(DOMAIN));
        assert!(table.hand_over(ID));
        assert!(table.is_undecided(DOMAIN));
        assert_eq!(table.ask(ID), None, "the fleet has not answered");
        table.end(ID);
        assert_eq!(table.ask(ID), None, "a lost connection decides nothing");
        table.take(ID);
        table.refuse(ID);
        assert_eq!(table.ask(ID), Some(Verdict::Taken));
        assert!(!table.is_undecided(DOMAIN) && !table.begin(ID, DOMAIN));
    }

    #[test]
    fn a_question_ends_what_is_not_handed_over() {
        let mut table = Table::default();
        table.begin(ID, DOMAIN);
        assert_eq!(table.ask(ID), Some(Verdict::Refused));
        assert!(!table.hand_over(ID));
        table.take(ID);
        assert_eq!(table.ask(ID), Some(Verdict::Refused));
    }

    #[test]
    fn the_oldest_refusals_are_forgotten() {
        let mut table = Table::default();
        table.load(ID, DOMAIN, Stage::Refused);
        for number in 0..MAX_REFUSED {
            let id = Uuid::from_u128(100 + number as u128);
            table.begin(id, DOMAIN);
            table.end(id);
        }
        assert_eq!(table.ask(ID), Some(Verdict::Unknown));
        assert_eq!(table.ask(Uuid::from_u128(100)), Some(Verdict::Refused));
        assert_eq!(table.arrivals.len(), MAX_REFUSED);
    }

    proptest! {
        /// Whatever happens in whatever order, an answer is the last one.
        #[test]
        fn an_answer_stays_true(acts in prop::collection::vec(0..6u8, 0..40)) {
            let mut table = Table::default();
            let mut told = None;
            for act in acts {
                match act {
                    0 => drop(table.begin(ID, DOMAIN)),
                    1 => drop(table.hand_over(ID)),
                    2 => table.take(ID),
                    3 => table.refuse(ID),
                    4 => table.end(ID),
                    _ => {
                        let verdict = table.ask(ID).filter(|verdict| *verdict != Verdict::Unknown);
                        prop_assert!(told.is_none() || told == verdict);
                        told = verdict.or(told);
                    }
                }
            }
        }
    }
}

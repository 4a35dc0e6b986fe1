//! The reads of the fence that are under way, and what they have found.

use std::collections::VecDeque;
use std::time::Duration;

/// How often the fence is read.
pub const READ_PERIOD: Duration = Duration::from_secs(2);
/// The most reads under way. Older ones would be too old to count.
const MAX_READS: usize = 16;

/// One read of the fence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReadId(u64);

/// The reads of a guard.
#[derive(Debug, Default)]
pub(super) struct Reads {
    /// Those that have not ended, with the time before each was sent.
    under_way: VecDeque<(ReadId, Duration)>,
    next: u64,
    last_sent: Option<Duration>,
    /// s: the time before the last of those was sent that found no fence.
    absent: Option<Duration>,
}

impl Reads {
    /// The read to send now, if one is due: each period, or at once if somebody waits
    /// since `demand` for one that is sent later.
    pub(super) fn next(&mut self, now: Duration, demand: Option<Duration>) -> Option<ReadId> {
        let is_due = self.last_sent.is_none_or(|last| {
            let is_demanded = self.under_way.is_empty() && demand.is_some_and(|since| since > last);
            is_demanded || now.saturating_sub(last) >= READ_PERIOD
        });
        if !is_due {
            return None;
        }
        let read = ReadId(self.next);
        self.next += 1;
        if self.under_way.len() == MAX_READS {
            self.under_way.pop_front();
        }
        self.under_way.push_back((read, now));
        self.last_sent = Some(now);
        Some(read)
    }

    /// A read has ended. Tells the time before it was sent, unless it has ended before or does not
    /// count any more.
    pub(super) fn ended(&mut self, read: ReadId) -> Option<Duration> {
        let at = self.under_way.iter().position(|(known, _)| *known == read)?;
        self.under_way.remove(at).map(|(_, sent)| sent)
    }

    /// A read that counts from this time has found no fence. Answers come in any order.
    pub(super) fn found_absent(&mut self, from: Duration) {
        self.absent = self.absent.max(Some(from));
    }

    /// s
    pub(super) fn absent(&self) -> Option<Duration> {
        self.absent
    }

    /// How long ago s was.
    pub(super) fn age(&self, now: Duration) -> Option<Duration> {
        self.absent.map(|absent| now.saturating_sub(absent))
    }

    /// What was read, and what is being read, does not count any more.
    pub(super) fn forget(&mut self) {
        *self = Self { next: self.next, ..Self::default() };
    }
}

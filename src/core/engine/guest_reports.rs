//! Keeping what guests report up to date.

use crate::core::context::Core;
use crate::core::error::Error;
use crate::core::guest::read_report;
use crate::core::model::DomId;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

/// The least time between two readings of one guest's report.
const PAUSE: Duration = Duration::from_secs(1);

/// The time between two readings of a guest that has changed its report all the time.
const LONG_PAUSE: Duration = Duration::from_secs(30);

/// How often a guest is read with short pauses, before the long ones begin.
const SHORT_PAUSES: u32 = 10;

/// The pause before a report is read again that could not be read or published.
const RETRY_PAUSE: Duration = Duration::from_secs(5);

/// How long a change may wait for those that follow it: an agent writes its nodes one by one.
const SETTLE: Duration = Duration::from_millis(100);

/// When the report of one guest may be read again. A guest that changes it now and then is read
/// within a second, one that changes it all the time each [`LONG_PAUSE`].
#[derive(Debug, Clone, Copy)]
struct Pace {
    last: Instant,
    /// The readings of late: each counts as a [`LONG_PAUSE`], and the time that passes is taken
    /// off.
    counted: Duration,
}

impl Pace {
    /// The pace after a reading; `before` is that after the one before it.
    fn after_reading(before: Option<Self>, now: Instant) -> Self {
        let counted = before.map_or(Duration::ZERO, |before| before.left(now));
        Self { last: now, counted: counted + LONG_PAUSE }
    }

    fn next(&self) -> Instant {
        self.last + PAUSE.max(self.counted.saturating_sub(LONG_PAUSE * SHORT_PAUSES))
    }

    /// What still counts of the readings.
    fn left(&self, now: Instant) -> Duration {
        self.counted.saturating_sub(now.saturating_duration_since(self.last))
    }
}

impl Core {
    /// Reads reports for ever, as guests change them.
    pub(super) async fn follow_reports(
        self: Arc<Self>,
        mut changed: mpsc::UnboundedReceiver<DomId>,
    ) {
        // When guests are to be read, and which ones that are.
        let mut due = BTreeSet::new();
        let mut waiting = HashSet::new();
        let mut paces: HashMap<DomId, Pace> = HashMap::new();
        loop {
            let next: Option<(Instant, DomId)> = due.first().copied();
            tokio::select! {
                domid = changed.recv() => {
                    let Some(domid) = domid else { return };
                    let soonest = Instant::now() + SETTLE;
                    let at = paces.get(&domid).map_or(soonest, |pace| soonest.max(pace.next()));
                    if waiting.insert(domid) {
                        due.insert((at, domid));
                    }
                }
                () = sleep_until(next.map_or_else(Instant::now, |(at, _)| at)), if next.is_some() => {
                    let Some((_, domid)) = due.pop_first() else { continue };
                    waiting.remove(&domid);
                    let is_done = self.read_report_of(domid).await;
                    let now = Instant::now();
                    let pace = Pace::after_reading(paces.get(&domid).copied(), now);
                    if !is_done {
                        waiting.insert(domid);
                        due.insert((pace.next().max(now + RETRY_PAUSE), domid));
                    }
                    // A pace that delays nothing is forgotten: guests that have gone leave the map.
                    paces.retain(|_, pace| !pace.left(now).is_zero());
                    paces.insert(domid, pace);
                }
            }
        }
    }

    /// Reads and publishes the report of a guest. `false`: it is to be read again.
    async fn read_report_of(&self, domid: DomId) -> bool {
        match read_report(self, domid).await {
            // A guest that is being restored can report before its domain is published.
            Ok(report) => self.publisher.publish_report(domid, report),
            Err(Error::Gone(_) | Error::NoSuchDomain(_)) => true,
            Err(error) => {
                tracing::debug!(%domid, %error, "The report of a guest was not read");
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads whenever it is allowed for this long, and returns how often that was.
    fn readings(pace: &mut Option<Pace>, now: &mut Instant, during: Duration) -> u32 {
        let end = *now + during;
        let mut count = 0;
        loop {
            let next = pace.map_or(*now, |pace| pace.next().max(*now));
            if next >= end {
                *now = end;
                return count;
            }
            *now = next;
            *pace = Some(Pace::after_reading(*pace, next));
            count += 1;
        }
    }

    #[test]
    fn a_guest_that_changes_all_the_time_is_read_rarely() {
        let mut pace = None;
        let mut now = Instant::now();
        let mut count = |during| readings(&mut pace, &mut now, Duration::from_secs(during));
        assert_eq!(count(10), 10);
        assert_eq!(count(3600), 121);
        assert_eq!(count(3600), 120);
    }

    #[test]
    fn a_guest_that_was_quiet_is_read_within_a_second() {
        let mut pace = None;
        let mut now = Instant::now();
        readings(&mut pace, &mut now, Duration::from_secs(3600));
        now += LONG_PAUSE * (SHORT_PAUSES + 1);
        assert_eq!(pace.map(|pace| pace.left(now)), Some(Duration::ZERO));
        assert_eq!(readings(&mut pace, &mut now, Duration::from_secs(10)), 10);
    }
}

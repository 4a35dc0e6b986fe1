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

/// The least time between two readings of one guest's report: a guest that writes all the time
/// costs no more.
const PAUSE: Duration = Duration::from_secs(1);

/// The pause before a report is read again that could not be read or published.
const RETRY_PAUSE: Duration = Duration::from_secs(5);

/// How long a change may wait for those that follow it: an agent writes its nodes one by one.
const SETTLE: Duration = Duration::from_millis(100);

impl Core {
    /// Reads reports for ever, as guests change them.
    pub(super) async fn follow_reports(
        self: Arc<Self>,
        mut changed: mpsc::UnboundedReceiver<DomId>,
    ) {
        // When guests are to be read, which ones that are, and when guests were read.
        let mut due = BTreeSet::new();
        let mut waiting = HashSet::new();
        let mut read: HashMap<DomId, Instant> = HashMap::new();
        loop {
            let next: Option<(Instant, DomId)> = due.first().copied();
            tokio::select! {
                domid = changed.recv() => {
                    let Some(domid) = domid else { return };
                    let soonest = Instant::now() + SETTLE;
                    let at = read.get(&domid).map_or(soonest, |last| soonest.max(*last + PAUSE));
                    if waiting.insert(domid) {
                        due.insert((at, domid));
                    }
                }
                () = sleep_until(next.map_or_else(Instant::now, |(at, _)| at)), if next.is_some() => {
                    let Some((_, domid)) = due.pop_first() else { continue };
                    waiting.remove(&domid);
                    let is_done = self.read_report_of(domid).await;
                    let now = Instant::now();
                    if !is_done {
                        waiting.insert(domid);
                        due.insert((now + RETRY_PAUSE, domid));
                    }
                    // An earlier reading delays nothing: guests that have gone leave the map.
                    read.retain(|_, last| now < *last + PAUSE);
                    read.insert(domid, now);
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

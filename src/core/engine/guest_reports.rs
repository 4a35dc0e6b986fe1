//! Keeping what guests report up to date.

use crate::core::context::Core;
use crate::core::error::Error;
use crate::core::guest::read_report;
use crate::core::model::DomId;
use std::collections::HashMap;
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
        // When each guest is to be read, and when it was.
        let mut due: HashMap<DomId, Instant> = HashMap::new();
        let mut read: HashMap<DomId, Instant> = HashMap::new();
        loop {
            let next = due.iter().min_by_key(|(_, at)| **at).map(|(domid, at)| (*domid, *at));
            tokio::select! {
                domid = changed.recv() => {
                    let Some(domid) = domid else { return };
                    let soonest = Instant::now() + SETTLE;
                    let at = read.get(&domid).map_or(soonest, |last| soonest.max(*last + PAUSE));
                    due.entry(domid).or_insert(at);
                }
                () = sleep_until(next.map_or_else(Instant::now, |(_, at)| at)), if next.is_some() => {
                    let Some((domid, _)) = next else { continue };
                    due.remove(&domid);
                    let is_done = self.read_report_of(domid).await;
                    let now = Instant::now();
                    if !is_done {
                        due.insert(domid, now + RETRY_PAUSE);
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

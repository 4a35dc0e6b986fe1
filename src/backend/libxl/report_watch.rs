//! The thread that sees what guests report about themselves in XenStore.

use super::outage::Outage;
use crate::core::backend::ReportSender;
use crate::core::model::DomId;
use std::collections::HashSet;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use xend_xenstore::{Client, Error, Nodes};

/// How long changes are collected: a guest that writes all the time is reported no more often.
const COLLECT: Duration = Duration::from_millis(200);

/// The pause after a failure.
const RETRY_PAUSE: Duration = Duration::from_secs(5);

/// The nodes that agents write: the addresses, and a mark after each round of all others.
const WATCHED: [&str; 2] = ["attr", "data/updated"];

/// The directory of all domains.
const DOMAINS: &str = "/local/domain";

/// The token of the watches for domains that come and go.
const ANY_DOMAIN: &str = "domains";

/// The guests that have reported something, for receivers that come later.
#[derive(Debug, Default)]
pub(super) struct Reports {
    sender: ReportSender,
    known: Mutex<HashSet<DomId>>,
}

impl Reports {
    /// Makes a receiver, which replaces the one before it.
    pub(super) fn subscribe(&self) -> mpsc::UnboundedReceiver<DomId> {
        let known = self.known();
        let receiver = self.sender.subscribe();
        known.iter().for_each(|domid| self.sender.send(*domid));
        receiver
    }

    fn send(&self, domids: impl IntoIterator<Item = DomId>) {
        let mut known = self.known();
        for domid in domids {
            known.insert(domid);
            self.sender.send(domid);
        }
    }

    fn retain(&self, is_there: impl Fn(&DomId) -> bool) {
        self.known().retain(is_there);
    }

    fn known(&self) -> MutexGuard<'_, HashSet<DomId>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts the thread, which ends with the process.
pub(super) fn start(reports: &Arc<Reports>) -> io::Result<()> {
    let reports = Arc::clone(reports);
    let mut outage = Outage::of("Waiting for reports of guests in XenStore");
    let follow = move || {
        loop {
            if let Err(error) = follow(&reports, &mut outage) {
                outage.failed(&error);
            }
            thread::sleep(RETRY_PAUSE);
        }
    };
    thread::Builder::new().name("guest-reports".into()).spawn(follow).map(drop)
}

/// Follows the reports of all guests until the connection is lost.
fn follow(reports: &Reports, outage: &mut Outage) -> Result<(), Error> {
    let mut client = Client::open()?;
    client.watch("@introduceDomain", ANY_DOMAIN)?;
    client.watch("@releaseDomain", ANY_DOMAIN)?;
    outage.works();
    let mut watched = HashSet::new();
    let mut changed: HashSet<DomId> = HashSet::new();
    let mut send_at = None;
    loop {
        let left = send_at.map(|at: Instant| at.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            reports.send(changed.drain());
            send_at = None;
            continue;
        }
        match client.next_event(left)? {
            Some(event) if event.token == ANY_DOMAIN => {
                watch_domains(&mut client, &mut watched, reports)?;
            }
            Some(event) => {
                if let Ok(domid) = event.token.parse() {
                    changed.insert(DomId(domid));
                    send_at.get_or_insert_with(|| Instant::now() + COLLECT);
                }
            }
            None => {}
        }
    }
}

/// Watches the guests that are new, and forgets those that have gone.
fn watch_domains(
    client: &mut Client,
    watched: &mut HashSet<u32>,
    reports: &Reports,
) -> Result<(), Error> {
    let names = client.directory_if_exists(DOMAINS)?.unwrap_or_default();
    let listed: HashSet<u32> = names.iter().filter_map(|name| name.parse().ok()).collect();
    for domid in listed.iter().filter(|domid| **domid != DomId::ZERO.0) {
        if watched.insert(*domid) {
            for node in WATCHED {
                client.watch(&format!("{DOMAINS}/{domid}/{node}"), &domid.to_string())?;
            }
        }
    }
    let gone: Vec<u32> = watched.difference(&listed).copied().collect();
    for domid in gone {
        watched.remove(&domid);
        for node in WATCHED {
            match client.unwatch(&format!("{DOMAINS}/{domid}/{node}"), &domid.to_string()) {
                // XenStore ends the watch itself in some versions, as the domain goes.
                Err(error) if !error.is_not_found() => return Err(error),
                _ => {}
            }
        }
    }
    reports.retain(|domid| listed.contains(&domid.0));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_receiver_learns_what_is_known() {
        let reports = Reports::default();
        reports.send([DomId(1), DomId(2)]);
        reports.retain(|domid| domid.0 == 2);
        let mut receiver = reports.subscribe();
        assert_eq!(receiver.try_recv(), Ok(DomId(2)));
        reports.send([DomId(3)]);
        assert_eq!(receiver.try_recv(), Ok(DomId(3)));
        assert!(receiver.try_recv().is_err());
    }
}

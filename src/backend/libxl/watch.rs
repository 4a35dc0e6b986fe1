//! The threads that wait for events.
//!
//! libxl reports the shutdown and the end of domains that it watches, to the thread that completes
//! its operations. XenStore reports domains that another toolstack builds or renames.

use super::host::XenHost;
use super::outage::Outage;
use crate::core::model::DomId;
use std::collections::HashSet;
use std::io;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};
use xend_xenstore::{Client, Error};

/// The interval at which domains are listed if XenStore reports nothing.
const LIST_INTERVAL: Duration = Duration::from_secs(5);

/// The pause after a failure of libxl.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// The token of the watches for domains that come and go. That for a name is the domid.
const ANY_DOMAIN: &str = "domains";

/// Starts the two threads. They end with the process: libxl cannot interrupt a thread that waits.
pub(super) fn start(host: &Arc<XenHost>) -> io::Result<()> {
    let events = Arc::clone(host);
    thread::Builder::new().name("libxl-events".into()).spawn(move || follow_libxl(&events))?;
    let xenstore = Arc::downgrade(host);
    thread::Builder::new().name("libxl-poll".into()).spawn(move || follow_xenstore(&xenstore))?;
    Ok(())
}

fn follow_libxl(host: &XenHost) {
    loop {
        match host.libxl.wait_event() {
            Ok(domid) => host.changes.send(DomId(domid)),
            Err(failure) => {
                tracing::warn!(%failure, "Waiting for events of libxl failed");
                thread::sleep(RETRY_PAUSE);
            }
        }
    }
}

fn follow_xenstore(host: &Weak<XenHost>) {
    let mut known = HashSet::new();
    let mut names = Names::default();
    let mut outage = Outage::of("Waiting for changes of domains in XenStore");
    loop {
        let Some(host) = host.upgrade() else { return };
        match host.dominfos() {
            Ok(infos) => {
                let listed = infos.iter().map(|info| info.domid).collect();
                report_differences(&host, &known, &listed);
                known = listed;
            }
            Err(error) => tracing::warn!(%error, "The domains could not be listed"),
        }
        let changed = |domid| {
            host.forget(domid);
            host.changes.send(DomId(domid));
        };
        match names.wait_for_changes(&known, changed) {
            Ok(()) => outage.works(),
            Err(error) => {
                outage.failed(&error);
                names = Names::default();
                thread::sleep(LIST_INTERVAL);
            }
        }
    }
}

/// Watches the domains that are new, and reports them and those that have gone.
fn report_differences(host: &XenHost, known: &HashSet<u32>, listed: &HashSet<u32>) {
    for domid in listed.difference(known).copied().filter(|domid| *domid != DomId::ZERO.0) {
        if let Err(failure) = host.libxl.watch_domain(domid) {
            tracing::debug!(domid, %failure, "A domain cannot be watched");
        }
        host.changes.send(DomId(domid));
    }
    for domid in known.difference(listed).copied() {
        host.forget(domid);
        host.changes.send(DomId(domid));
    }
}

/// The connection to XenStore that hears of domains which come, go or are named.
#[derive(Default)]
struct Names {
    client: Option<Client>,
    /// The domains whose names are watched.
    watched: HashSet<u32>,
}

impl Names {
    /// Waits until a domain may have come or gone, for [`LIST_INTERVAL`] at most. Tells of those of
    /// the `known` domains that are named meanwhile. After an error the connection is of no use.
    fn wait_for_changes(
        &mut self,
        known: &HashSet<u32>,
        mut named: impl FnMut(u32),
    ) -> Result<(), Error> {
        let client = if let Some(client) = self.client.take() {
            client
        } else {
            let mut client = Client::open()?;
            client.watch("@introduceDomain", ANY_DOMAIN)?;
            client.watch("@releaseDomain", ANY_DOMAIN)?;
            client
        };
        let client = self.client.insert(client);
        let guests = || known.iter().copied().filter(|domid| *domid != DomId::ZERO.0);
        for domid in guests().filter(|domid| !self.watched.contains(domid)) {
            client.watch(&name(domid), &domid.to_string())?;
        }
        for domid in self.watched.difference(known) {
            match client.unwatch(&name(*domid), &domid.to_string()) {
                // XenStore ends the watch itself in some versions, as the domain goes.
                Err(error) if !error.is_not_found() => return Err(error),
                _ => {}
            }
        }
        self.watched = guests().collect();
        let end = Instant::now() + LIST_INTERVAL;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match client.next_event(Some(left))? {
                Some(event) if event.token != ANY_DOMAIN => {
                    if let Ok(domid) = event.token.parse() {
                        named(domid);
                    }
                }
                _ => return Ok(()),
            }
        }
    }
}

fn name(domid: u32) -> String {
    format!("/local/domain/{domid}/name")
}

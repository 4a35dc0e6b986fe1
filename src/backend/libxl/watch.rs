//! The threads that wait for events.
//!
//! libxl reports the shutdown and the end of domains that it watches, to the thread that completes
//! its operations. XenStore reports domains that another toolstack builds or renames.

use super::host::XenHost;
use crate::core::model::DomId;
use std::collections::HashSet;
use std::io;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

/// The interval at which domains are listed if XenStore reports nothing.
const LIST_INTERVAL: Duration = Duration::from_secs(5);

/// The pause after a failure of libxl.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

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
        wait_for_changes(&host);
    }
}

/// Watches the domains that are new, and reports them and those that have gone.
fn report_differences(host: &XenHost, known: &HashSet<u32>, listed: &HashSet<u32>) {
    for domid in listed.difference(known).copied().filter(|domid| *domid != DomId::ZERO.0) {
        let watched =
            host.libxl.watch_domain(domid).and_then(|()| host.libxl.watch_name(domid, true));
        if let Err(failure) = watched {
            tracing::debug!(domid, %failure, "A domain cannot be watched");
        }
        host.changes.send(DomId(domid));
    }
    for domid in known.difference(listed).copied() {
        // This fails if the domain could not be watched.
        let _ = host.libxl.watch_name(domid, false);
        host.forget(domid);
        host.changes.send(DomId(domid));
    }
}

/// Reports domains that are renamed, until the domains must be listed again.
fn wait_for_changes(host: &XenHost) {
    loop {
        match host.libxl.wait_xenstore(LIST_INTERVAL) {
            Ok(None) => return,
            Ok(Some(domid)) => {
                host.forget(domid);
                host.changes.send(DomId(domid));
            }
            Err(failure) => {
                tracing::warn!(%failure, "Waiting for XenStore failed");
                thread::sleep(LIST_INTERVAL);
                return;
            }
        }
    }
}

//! What happens without our having asked.
//!
//! libxl tells of the end of domains that it was asked to watch; the thread that waits for that
//! completes its operations, too. That another toolstack starts a domain, or renames one, XenStore
//! tells.

use super::Inner;
use super::facts::DomInfo;
use std::collections::HashSet;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// How often domains are looked for even if nothing tells of one.
const POLL: Duration = Duration::from_secs(5);

/// How long after a failure it is tried again.
const TROUBLE: Duration = Duration::from_secs(1);

/// Starts the two threads. They end with the process: libxl has no way to call one of them back.
pub(super) fn start(inner: &Arc<Inner>) -> std::io::Result<()> {
    let events = Arc::clone(inner);
    std::thread::Builder::new().name("libxl-events".into()).spawn(move || follow(&events))?;
    let poll = Arc::downgrade(inner);
    std::thread::Builder::new().name("libxl-poll".into()).spawn(move || look_around(&poll))?;
    Ok(())
}

fn follow(inner: &Inner) {
    loop {
        match inner.libxl.event() {
            Ok(domid) => inner.announce(domid),
            Err(failure) => {
                tracing::warn!(%failure, "Waiting for events failed");
                std::thread::sleep(TROUBLE);
            }
        }
    }
}

fn look_around(inner: &Weak<Inner>) {
    let mut seen = HashSet::new();
    loop {
        let Some(inner) = inner.upgrade() else { return };
        let all = inner
            .libxl
            .domains()
            .ok()
            .and_then(|text| serde_json::from_str::<Vec<DomInfo>>(&text).ok());
        if let Some(all) = all {
            let now: HashSet<u32> = all.iter().map(|info| info.domid).collect();
            for domid in now.difference(&seen).filter(|domid| **domid != 0) {
                let told =
                    inner.libxl.watch(*domid).and_then(|()| inner.libxl.follow(*domid, true));
                if let Err(failure) = told {
                    tracing::debug!(domid, %failure, "A domain cannot be watched");
                }
                inner.announce(*domid);
            }
            for domid in seen.difference(&now) {
                // What is not watched needs no end of it.
                let _ = inner.libxl.follow(*domid, false);
                inner.forget(*domid);
                inner.announce(*domid);
            }
            seen = now;
        } else {
            tracing::warn!("The domains could not be listed");
        }
        loop {
            match inner.libxl.change(POLL) {
                Ok(None) => break,
                Ok(Some(domid)) => {
                    inner.forget(domid);
                    inner.announce(domid);
                }
                Err(failure) => {
                    tracing::warn!(%failure, "Waiting for XenStore failed");
                    std::thread::sleep(POLL);
                    break;
                }
            }
        }
    }
}

//! Real Xen, through libxl.
//!
//! ```text
//! hypervisor   the port: each call on a thread that may block
//! domains      what several calls have in common
//! streams      domains in files and on their way; consoles
//! progress     what can be seen of a call while it is being made
//! host         the host
//! machine      its network and CPU pools
//! sysfs        what Linux says of it
//! convert      our configuration -> libxl's JSON
//! hvm          the same, of what only HVM guests have
//! facts        libxl's JSON -> our facts
//! watch        events of libxl's and of XenStore's
//! ffi          the C side: the only unsafe code
//! shim.c       libxl behind plain C types
//! events.c     its file descriptors, timers, operations and forks
//! ```
//!
//! A domain's configuration is kept with it as libxl's user data, and goes with it. A domain that
//! another toolstack built has none: it is shown and can be controlled, and what happens when its
//! guest stops is left to that toolstack.

mod convert;
mod domains;
mod facts;
mod failure;
mod ffi;
mod host;
mod hvm;
mod hypervisor;
mod machine;
mod progress;
mod streams;
mod sysfs;
mod watch;

use crate::core::error::Error;
use crate::core::model::{DomId, DomainConfig, Password, Uuid};
use crate::core::ports::DomainChanged;
use crate::shape;
use crate::sxp::{Limits, Sxp, read_one};
use failure::Failure;
use ffi::Libxl;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc;

/// How long sweeps believe a domain's name: another toolstack can rename it, and gives it one after
/// it has built it.
const NAME_AGE: Duration = Duration::from_secs(5);

/// A handle on the Xen of this host. Clones share it.
#[derive(Clone)]
pub struct Xen(Arc<Inner>);

struct Inner {
    libxl: Libxl,
    cpus: u32,
    /// Password of VNC screens that name none.
    password: Option<Password>,
    /// What is known of domains beside what a sweep says.
    known: Mutex<HashMap<u32, Known>>,
    listener: Mutex<Option<mpsc::UnboundedSender<DomainChanged>>>,
}

#[derive(Debug, Clone)]
struct Known {
    uuid: Uuid,
    name: String,
    started: Option<SystemTime>,
    ports: Ports,
    asked: Instant,
}

/// Where a domain's consoles can be reached.
#[derive(Debug, Clone, Copy, Default)]
struct Ports {
    /// The event channel of its text console.
    console: Option<u32>,
    /// The TCP port of its screen.
    vnc: Option<u16>,
}

impl std::fmt::Debug for Xen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Xen").finish_non_exhaustive()
    }
}

impl Xen {
    /// Opens libxl, which fails on a host without Xen. `limit` is how long the caller waits for one
    /// call, and `password` is that of VNC screens that name none. Blocks.
    pub fn open(limit: Duration, password: Option<Password>) -> Result<Self, Error> {
        let libxl = Libxl::open(limit).map_err(|failure| {
            Error::backend(
                "Xen cannot be reached: is this Domain-0, and does xenstored run?",
                failure,
            )
        })?;
        let physinfo =
            json(&libxl.physinfo().map_err(|failure| failed("Reading the host", failure))?)?;
        let cpus =
            physinfo["nr_cpus"].as_u64().and_then(|count| u32::try_from(count).ok()).unwrap_or(1);
        let inner =
            Inner { libxl, cpus, password, known: Mutex::default(), listener: Mutex::default() };
        let xen = Self(Arc::new(inner));
        watch::start(&xen.0)
            .map_err(|error| Error::backend("No thread for libxl's events", error))?;
        Ok(xen)
    }

    /// Does something that blocks. It is done to the end even if nobody waits for it any more.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let inner = Arc::clone(&self.0);
        let done = tokio::task::spawn_blocking(move || work(&inner)).await;
        done.unwrap_or_else(|error| Err(Error::backend("A call of libxl's was given up", error)))
    }
}

impl Inner {
    fn known(&self) -> MutexGuard<'_, HashMap<u32, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What XenStore says of a domain's consoles. A guest that writes nonsense there has none.
    fn ports(&self, domid: u32) -> Ports {
        if domid == 0 {
            return Ports::default();
        }
        let nodes = self.libxl.nodes(&format!("/local/domain/{domid}/console")).unwrap_or_default();
        let get =
            |key: &str| nodes.iter().find(|(name, _)| name == key).map(|(_, text)| text.as_str());
        Ports {
            console: get("port").and_then(|text| text.parse().ok()),
            vnc: get("vnc-port").and_then(|text| text.parse().ok()),
        }
    }

    /// A domain's name and when it was built, as they were a moment ago: for sweeps over all
    /// domains.
    fn lately(&self, domid: u32, uuid: Uuid) -> Known {
        let young = |known: &&Known| known.uuid == uuid && known.asked.elapsed() < NAME_AGE;
        let known = self.known().get(&domid).filter(young).cloned();
        known.unwrap_or_else(|| self.about(domid, uuid))
    }

    /// A domain's name and when it was built.
    fn about(&self, domid: u32, uuid: Uuid) -> Known {
        let name = self.libxl.name(domid).unwrap_or_else(|_| format!("domain-{domid}"));
        let started = self.note(domid).ok().flatten().and_then(|note| note.started);
        let ports = self.ports(domid);
        let known = Known { uuid, name, started, ports, asked: Instant::now() };
        self.known().insert(domid, known.clone());
        known
    }

    fn forget(&self, domid: u32) {
        self.known().remove(&domid);
    }

    /// Tells whoever listens to look at a domain.
    fn announce(&self, domid: u32) {
        let listener = self.listener.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(listener) = listener.as_ref() {
            let _ = listener.send(DomainChanged(DomId(domid)));
        }
    }

    /// What we keep with a domain; none if another toolstack built it.
    fn note(&self, domid: u32) -> Result<Option<Note>, Error> {
        let text = self
            .libxl
            .noted(domid)
            .map_err(|failure| of_domain(domid, "Reading a configuration", failure))?;
        if text.is_empty() {
            return Ok(None);
        }
        let limits = Limits { bytes: 64 << 20, depth: 2_000, count: 4_000_000 };
        let tree = read_one(text.as_bytes(), &limits).map_err(|error| {
            Error::backend("The configuration that is kept with the domain is damaged", error)
        })?;
        Ok(Note::read(&tree))
    }

    fn keep(
        &self,
        domid: u32,
        config: &DomainConfig,
        started: Option<SystemTime>,
    ) -> Result<(), Error> {
        let note = Note { started, config: config.clone() };
        let text = note.print().to_string();
        self.libxl
            .note(domid, &text)
            .map_err(|failure| of_domain(domid, "Keeping a configuration", failure))
    }
}

/// What is kept with a domain.
struct Note {
    started: Option<SystemTime>,
    config: DomainConfig,
}

impl Note {
    /// `(xend (started SECONDS) (config (domain ...)))`
    fn print(&self) -> Sxp {
        let since =
            |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let started = self
            .started
            .map(|time| Sxp::list([Sxp::atom("started"), Sxp::atom(since(time).to_string())]));
        let config = Sxp::list([Sxp::atom("config"), shape::stored_config(&self.config)]);
        Sxp::list([Sxp::atom("xend")].into_iter().chain(started).chain([config]))
    }

    fn read(tree: &Sxp) -> Option<Self> {
        let config = shape::read_stored(tree.value("config")?).ok()?;
        let started =
            tree.value("started").and_then(Sxp::as_str).and_then(|text| text.parse::<f64>().ok());
        let started = started.and_then(|s| Duration::try_from_secs_f64(s).ok());
        Some(Self { started: started.and_then(|since| UNIX_EPOCH.checked_add(since)), config })
    }
}

fn json(text: &str) -> Result<serde_json::Value, Error> {
    serde_json::from_str(text)
        .map_err(|error| Error::backend("libxl's answer makes no sense", error))
}

/// A failure that is about no domain, or about one that has just come to be.
fn failed(what: &str, failure: Failure) -> Error {
    Error::backend(format!("{what} failed: {failure}"), failure)
}

fn of_domain(domid: u32, what: &str, failure: Failure) -> Error {
    if failure.code == Failure::NOT_FOUND {
        Error::NoSuchDomain(domid.to_string())
    } else {
        failed(what, failure)
    }
}

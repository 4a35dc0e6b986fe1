//! The host: the open libxl, and what is remembered about its domains.

use super::answers::{call_failed, domain_call_failed, parse};
use super::facts::{ConsolePorts, DomInfo};
use super::ffi::Libxl;
use super::report_watch::Reports;
use super::stored_config::StoredConfig;
use super::xenstore::XenStore;
use crate::core::backend::ChangeSender;
use crate::core::error::Error;
use crate::core::model::{CompleteConfig, DomId, DomainConfig, DomainFacts, Password, Uuid};
use crate::core::ports::Clock;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// How long a sweep uses a remembered name: another toolstack can rename a domain, and names one
/// only after it has built it.
const MAX_NAME_AGE: Duration = Duration::from_secs(5);

/// The Xen of this host.
pub(super) struct XenHost {
    pub(super) libxl: Libxl,
    /// The number of physical CPUs.
    pub(super) cpus: u32,
    /// The password of VNC screens that have none of their own.
    pub(super) vnc_password: Option<Password>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) changes: ChangeSender,
    pub(super) xenstore: XenStore,
    pub(super) reports: Arc<Reports>,
    /// By domid.
    cache: Mutex<HashMap<u32, CachedDomain>>,
}

/// The part of a domain's facts that `libxl_dominfo` lacks.
#[derive(Debug, Clone)]
struct CachedDomain {
    uuid: Uuid,
    name: String,
    started: Option<SystemTime>,
    ports: ConsolePorts,
    read_at: Instant,
}

impl XenHost {
    /// `limit` is how long callers wait for one call.
    pub(super) fn new(
        libxl: Libxl,
        limit: Duration,
        vnc_password: Option<Password>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Error> {
        let physinfo =
            libxl.physinfo().map_err(|failure| call_failed("Reading the host", failure))?;
        let physinfo: Value = parse(&physinfo)?;
        let cpus = physinfo["nr_cpus"].as_u64().and_then(|count| u32::try_from(count).ok());
        Ok(Self {
            libxl,
            cpus: cpus.unwrap_or(1),
            vnc_password,
            clock,
            changes: ChangeSender::default(),
            xenstore: XenStore::new(limit),
            reports: Arc::default(),
            cache: Mutex::default(),
        })
    }

    pub(super) fn dominfos(&self) -> Result<Vec<DomInfo>, Error> {
        let domains = self.libxl.domains();
        parse(&domains.map_err(|failure| call_failed("Listing the domains", failure))?)
    }

    pub(super) fn dominfo(&self, domid: u32) -> Result<Option<DomInfo>, Error> {
        match self.libxl.domain(domid) {
            Ok(json) => parse(&json).map(Some),
            Err(failure) if failure.is_domain_not_found() => Ok(None),
            Err(failure) => Err(call_failed("Reading a domain", failure)),
        }
    }

    pub(super) fn required_dominfo(&self, domid: u32) -> Result<DomInfo, Error> {
        self.dominfo(domid)?.ok_or_else(|| Error::NoSuchDomain(domid.to_string()))
    }

    pub(super) fn facts(&self, info: &DomInfo) -> DomainFacts {
        facts(info, &self.refresh(info.domid, info.uuid))
    }

    /// The facts for a sweep over all domains, with a name that may be [`MAX_NAME_AGE`] old.
    pub(super) fn facts_for_sweep(&self, info: &DomInfo) -> DomainFacts {
        let recent = |cached: &&CachedDomain| {
            cached.uuid == info.uuid && cached.read_at.elapsed() < MAX_NAME_AGE
        };
        let cached = self.cache().get(&info.domid).filter(recent).cloned();
        facts(info, &cached.unwrap_or_else(|| self.refresh(info.domid, info.uuid)))
    }

    /// The name that XenStore has for a domain.
    pub(super) fn name(&self, info: &DomInfo) -> String {
        self.refresh(info.domid, info.uuid).name
    }

    /// Discards what is remembered about a domain.
    pub(super) fn forget(&self, domid: u32) {
        self.cache().remove(&domid);
    }

    fn refresh(&self, domid: u32, uuid: Uuid) -> CachedDomain {
        let name = self.libxl.name(domid).unwrap_or_else(|_| format!("domain-{domid}"));
        let started = self.stored_config(domid).ok().flatten().and_then(|stored| stored.started);
        let ports = self.console_ports(domid);
        let read = CachedDomain { uuid, name, started, ports, read_at: Instant::now() };
        self.cache().insert(domid, read.clone());
        read
    }

    fn cache(&self) -> MutexGuard<'_, HashMap<u32, CachedDomain>> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The ports in XenStore. Values that are no ports, which a guest can write, are left out.
    pub(super) fn console_ports(&self, domid: u32) -> ConsolePorts {
        if domid == 0 {
            return ConsolePorts::default();
        }
        let nodes = self.xenstore.children(DomId(domid), "console").unwrap_or_default();
        let get =
            |key: &str| nodes.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
        ConsolePorts {
            console: get("port").and_then(|port| port.parse().ok()),
            vnc: get("vnc-port").and_then(|port| port.parse().ok()),
        }
    }

    /// The configuration that is stored with a domain; `None` if another toolstack built it.
    pub(super) fn stored_config(&self, domid: u32) -> Result<Option<StoredConfig>, Error> {
        let text = self
            .libxl
            .userdata(domid)
            .map_err(|failure| domain_call_failed(domid, "Reading a configuration", failure))?;
        if text.is_empty() { Ok(None) } else { StoredConfig::read(&text) }
    }

    pub(super) fn store_config(
        &self,
        domid: u32,
        config: &CompleteConfig,
        started: Option<SystemTime>,
    ) -> Result<(), Error> {
        let stored = StoredConfig { started, config: DomainConfig::clone(config) };
        self.libxl
            .store_userdata(domid, &stored.print())
            .map_err(|failure| domain_call_failed(domid, "Storing a configuration", failure))
    }
}

fn facts(info: &DomInfo, cached: &CachedDomain) -> DomainFacts {
    info.facts(&cached.name, cached.started, cached.ports)
}

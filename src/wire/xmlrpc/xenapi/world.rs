//! What a call sees.

use super::failure::{About, Failure};
use crate::core::caller::Caller;
use crate::core::error::Error;
use crate::core::model::{Device, DomainRef, HostFigures, HostInfo, Uuid, VcpuFacts};
use crate::core::op::{Outcome, Query};
use crate::core::snapshot::{DomainView, Snapshot};
use crate::wire::xmlrpc::XmlRpc;
use crate::wire::xmlrpc::value::Value;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

/// The host at one moment, for one call.
pub(super) struct World {
    /// The host's UUID.
    pub(super) host: Uuid,
    pub(super) info: Arc<HostInfo>,
    pub(super) figures: HostFigures,
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) wire: XmlRpc,
    /// The session that the call belongs to.
    pub(super) session: String,
    /// VCPUs of domains, where the call is about those.
    pub(super) vcpus: HashMap<Uuid, Vec<VcpuFacts>>,
    pub(super) now: SystemTime,
    /// Whose metrics some are.
    measured: OnceLock<HashMap<Uuid, Uuid>>,
    /// Whose device one is, and which of its devices.
    plugged: OnceLock<HashMap<Uuid, (Uuid, usize)>>,
}

impl World {
    pub(super) async fn look(wire: &XmlRpc, caller: &Caller, session: &str) -> Result<Self, Failure> {
        let failed = |error| Failure::of(error, &About::default());
        let host = wire.engine().execute(caller, Query::Host).await.map_err(failed)?;
        let domains = wire.engine().execute(caller, Query::Domains).await.map_err(failed)?;
        let (Outcome::Host(info, figures), Outcome::Domains(snapshot)) = (host, domains) else {
            return Err(Failure::new("INTERNAL_ERROR", ["The host cannot be seen"]));
        };
        Ok(Self {
            host: wire.xenapi().host,
            info,
            figures,
            snapshot,
            wire: wire.clone(),
            session: session.to_owned(),
            vcpus: HashMap::new(),
            now: SystemTime::now(),
            measured: OnceLock::new(),
            plugged: OnceLock::new(),
        })
    }

    /// Reads the VCPUs of the domain whose metrics are asked for, or of all.
    pub(super) async fn look_at_vcpus(
        &mut self,
        wire: &XmlRpc,
        caller: &Caller,
        metrics: Option<Uuid>,
    ) -> Result<(), Failure> {
        let wanted: Vec<&Arc<DomainView>> = match metrics {
            Some(metrics) => self.measured_by(metrics).into_iter().collect(),
            None => self.snapshot.domains().collect(),
        };
        let here = wanted.into_iter().filter(|view| view.facts.is_some());
        let domains: Vec<Uuid> = here.map(|view| view.uuid).collect();
        for uuid in domains {
            match wire.engine().execute(caller, Query::Vcpus(DomainRef::new(uuid.to_string()))).await {
                Ok(Outcome::Vcpus(_, vcpus)) => drop(self.vcpus.insert(uuid, vcpus)),
                // It went away meanwhile, or is being built: it has none.
                Ok(_) | Err(Error::NoSuchDomain(_) | Error::Gone(_) | Error::NotStarted(_)) => {}
                Err(error) => return Err(Failure::of(error, &About::default())),
            }
        }
        Ok(())
    }

    pub(super) fn vm(&self, uuid: Uuid) -> Option<&Arc<DomainView>> {
        self.snapshot.by_uuid(&uuid)
    }

    pub(super) fn host_ref(&self) -> Value {
        Value::text(self.host.to_string())
    }

    /// The VM that these are the metrics of.
    pub(super) fn measured_by(&self, metrics: Uuid) -> Option<&Arc<DomainView>> {
        let all = || self.snapshot.domains().map(|view| (metrics_of(view.uuid), view.uuid)).collect();
        self.vm(*self.measured.get_or_init(all).get(&metrics)?)
    }

    /// A device, with whose it is.
    pub(super) fn device(&self, uuid: Uuid) -> Option<(&Arc<DomainView>, &Device)> {
        let all = || {
            let mut all = HashMap::new();
            for view in self.snapshot.domains() {
                for (at, uuid) in view.config.devices.iter().map(Device::uuid).enumerate() {
                    if let Some(uuid) = uuid {
                        // Of two with one UUID, the first counts.
                        all.entry(uuid).or_insert((view.uuid, at));
                    }
                }
            }
            all
        };
        let (vm, at) = *self.plugged.get_or_init(all).get(&uuid)?;
        let view = self.vm(vm)?;
        Some((view, view.config.devices.get(at)?))
    }

    /// All devices of one kind, with whose they are.
    pub(super) fn devices(
        &self,
        of: fn(&Device) -> bool,
    ) -> impl Iterator<Item = (&Arc<DomainView>, &Device)> {
        let views = self.snapshot.domains();
        views.flat_map(move |view| {
            view.config.devices.iter().filter(move |one| of(one)).map(move |one| (view, one))
        })
    }

    /// `20090710T09:01:27`, UTC.
    pub(super) fn time(time: SystemTime) -> Value {
        let time = jiff::Timestamp::try_from(time).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        Value::Time(time.strftime("%Y%m%dT%H:%M:%S").to_string())
    }
}

/// The metrics of a VM have a UUID of their own, which is as permanent as the VM's.
pub(super) fn metrics_of(uuid: Uuid) -> Uuid {
    derived(uuid, "metrics")
}

/// A UUID that follows from another one.
pub(super) fn derived(uuid: Uuid, what: &str) -> Uuid {
    Uuid::new_v5(&uuid, what.as_bytes())
}

/// A number, which the Xen-API sends as text.
#[allow(clippy::needless_pass_by_value, reason = "numbers are copied")]
pub(super) fn number(n: impl ToString) -> Value {
    Value::text(n.to_string())
}

pub(super) fn texts(texts: impl IntoIterator<Item = String>) -> Value {
    Value::Array(texts.into_iter().map(Value::Text).collect())
}

/// A map from texts to texts.
pub(super) fn map<'a>(pairs: impl IntoIterator<Item = (&'a str, String)>) -> Value {
    Value::Struct(pairs.into_iter().map(|(key, value)| (key.to_owned(), Value::Text(value))).collect())
}

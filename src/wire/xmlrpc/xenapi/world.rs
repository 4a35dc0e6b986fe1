//! What a call sees.

use super::XenApi;
use super::disks::Disks;
use super::failure::{About, Failure};
use super::session::Who;
use crate::core::caller::Caller;
use crate::core::error::Error;
use crate::core::inventory::Inventory;
use crate::core::model::{
    Device, DeviceFacts, DomainRef, Hardware, HostFigures, HostInfo, Interface, Note, Notes,
    PoolFacts, Property, Text, Uuid, VcpuFacts,
};
use crate::core::op::{Outcome, Query};
use crate::core::ports::{Extent, StorageFacts};
use crate::core::snapshot::{DomainView, Snapshot};
use crate::wire::xmlrpc::object_ids::derived_uuid as derived;
use crate::wire::xmlrpc::value::Value;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

/// What is looked at for those calls alone that are about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// VCPUs of domains.
    Vcpus,
    /// What XenStore says of devices.
    Devices,
    /// Domain-0's network.
    Interfaces,
    /// CPU pools.
    Pools,
    /// CPUs, PCI and SCSI devices.
    Hardware,
    /// Disk images.
    Storage,
}

/// What was looked at.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) vcpus: HashMap<Uuid, Vec<VcpuFacts>>,
    pub(super) devices: HashMap<Uuid, Vec<DeviceFacts>>,
    pub(super) interfaces: Vec<Interface>,
    pub(super) pools: Vec<PoolFacts>,
    pub(super) hardware: Hardware,
    pub(super) storage: Option<StorageFacts>,
    /// How large images are, by their locations.
    pub(super) extents: HashMap<Text, Extent>,
}

/// The host at one moment, for one call.
pub(super) struct World {
    /// The host's UUID.
    pub(super) host: Uuid,
    pub(super) info: Arc<HostInfo>,
    pub(super) figures: HostFigures,
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) inventory: Arc<Inventory>,
    pub(super) wire: Arc<XenApi>,
    /// The session that the call belongs to.
    pub(super) session: String,
    pub(super) who: Who,
    pub(super) seen: Seen,
    pub(super) now: SystemTime,
    /// Whose metrics some are, and of which sort.
    measured: OnceLock<HashMap<Uuid, Uuid>>,
    /// Whose device one is, and which of its devices.
    plugged: OnceLock<HashMap<Uuid, Place>>,
    /// Disk images, and which disks are which.
    pub(super) disks: OnceLock<Disks>,
    /// The names of all bridges, in order.
    pub(super) bridges: OnceLock<Vec<String>>,
}

/// Where a device is: of which VM, in which of its configurations, and there.
#[derive(Debug, Clone, Copy)]
struct Place {
    vm: Uuid,
    config: usize,
    at: usize,
}

/// A device with whose it is.
#[derive(Clone, Copy)]
pub(super) struct Plugged<'a> {
    pub(super) view: &'a Arc<DomainView>,
    pub(super) device: &'a Device,
    /// Whether what runs of the VM has it.
    pub(super) here: bool,
}

impl World {
    pub(super) async fn look(
        wire: &Arc<XenApi>,
        caller: &Caller,
        session: &str,
        who: Who,
    ) -> Result<Self, Failure> {
        let failed = |error| Failure::of(error, &About::default());
        let host = wire.engine().execute(caller, Query::Host).await.map_err(failed)?;
        let domains = wire.engine().execute(caller, Query::Domains).await.map_err(failed)?;
        let (Outcome::Host(info, figures), Outcome::Domains(snapshot)) = (host, domains) else {
            return Err(Failure::new("INTERNAL_ERROR", ["The host cannot be seen"]));
        };
        Ok(Self {
            host: wire.host(),
            info,
            figures,
            snapshot,
            inventory: wire.engine().inventory(),
            wire: wire.clone(),
            session: session.to_owned(),
            who,
            seen: Seen::default(),
            now: SystemTime::now(),
            measured: OnceLock::new(),
            plugged: OnceLock::new(),
            disks: OnceLock::new(),
            bridges: OnceLock::new(),
        })
    }

    /// Looks at something: of one VM, or of all.
    pub(super) async fn look_at(
        &mut self,
        caller: &Caller,
        need: Need,
        vm: Option<Uuid>,
    ) -> Result<(), Failure> {
        let wire = self.wire.clone();
        let ask = async |query: Query| {
            wire.engine()
                .execute(caller, query)
                .await
                .map_err(|error| Failure::of(error, &About::default()))
        };
        match need {
            Need::Vcpus | Need::Devices => {
                let here = self.snapshot.domains().filter(|view| view.facts.is_some());
                let wanted = here.filter(|view| vm.is_none_or(|vm| vm == view.uuid));
                let domains: Vec<Uuid> = wanted.map(|view| view.uuid).collect();
                for uuid in domains {
                    self.look_at_domain(caller, need, uuid).await?;
                }
            }
            Need::Interfaces => {
                if let Outcome::Interfaces(interfaces) = ask(Query::Interfaces).await? {
                    self.seen.interfaces = interfaces;
                }
            }
            Need::Pools => {
                if let Outcome::Pools(pools) = ask(Query::Pools).await? {
                    self.seen.pools = pools;
                }
            }
            Need::Hardware => {
                if let Outcome::Hardware(hardware) = ask(Query::Hardware).await? {
                    self.seen.hardware = hardware;
                }
            }
            Need::Storage => {
                if let Outcome::Storage(storage) = ask(Query::Storage).await? {
                    self.seen.storage = Some(storage);
                }
                let locations: Vec<Text> =
                    super::disks::locations(self).into_iter().cloned().collect();
                let paths = locations.iter().map(path_of).collect();
                if let Outcome::Extents(extents) = ask(Query::Extents(paths)).await? {
                    let known = locations.into_iter().zip(extents);
                    self.seen.extents =
                        known.filter_map(|(at, extent)| Some((at, extent?))).collect();
                }
            }
        }
        Ok(())
    }

    async fn look_at_domain(
        &mut self,
        caller: &Caller,
        need: Need,
        uuid: Uuid,
    ) -> Result<(), Failure> {
        let domain = DomainRef::new(uuid.to_string());
        let queries = match need {
            // A VM that is not on the host has no figures of VCPUs.
            Need::Vcpus if self.vm(uuid).is_none_or(|view| view.facts.is_none()) => vec![],
            Need::Vcpus => vec![Query::Vcpus(domain)],
            // Each class of those that are shown; one of the three of block devices is enough.
            _ => ["vbd", "vif", "vtpm", "vscsi"]
                .map(|class| Query::Devices(domain.clone(), class.to_owned()))
                .into(),
        };
        for query in queries {
            match self.wire.engine().execute(caller, query).await {
                Ok(Outcome::Vcpus(_, vcpus)) => drop(self.seen.vcpus.insert(uuid, vcpus)),
                Ok(Outcome::Devices(devices)) => {
                    self.seen.devices.entry(uuid).or_default().extend(devices)
                }
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

    /// The UUID of something that the host has by itself.
    pub(super) fn own(&self, what: &str) -> Uuid {
        derived(self.host, what)
    }

    /// The VM that an object belongs to, if it belongs to one.
    pub(super) fn vm_behind(&self, object: Uuid) -> Option<Uuid> {
        let of = |uuid| self.device(uuid).map(|plugged| plugged.view.uuid);
        (self.vm(object).map(|view| view.uuid))
            .or_else(|| self.measured_by(object).map(|view| view.uuid))
            .or_else(|| of(object))
    }

    /// The VM that these are the metrics of, or the guest's metrics.
    pub(super) fn measured_by(&self, metrics: Uuid) -> Option<&Arc<DomainView>> {
        let all = || {
            let both = |view: &Arc<DomainView>| {
                [
                    (metrics_of(view.uuid), view.uuid),
                    (derived(view.uuid, "guest_metrics"), view.uuid),
                ]
            };
            self.snapshot.domains().flat_map(both).collect()
        };
        self.vm(*self.measured.get_or_init(all).get(&metrics)?)
    }

    /// A device, with whose it is.
    pub(super) fn device(&self, uuid: Uuid) -> Option<Plugged<'_>> {
        let all = || {
            let mut all = HashMap::new();
            for view in self.snapshot.domains() {
                for (config, of) in view.configs().enumerate() {
                    for (at, uuid) in of.devices.iter().map(Device::uuid).enumerate() {
                        if let Some(uuid) = uuid {
                            // Of two with one UUID, the first counts: what runs comes before what
                            // is stored.
                            all.entry(uuid).or_insert(Place { vm: view.uuid, config, at });
                        }
                    }
                }
            }
            all
        };
        let Place { vm, config, at } = *self.plugged.get_or_init(all).get(&uuid)?;
        let view = self.vm(vm)?;
        let device = view.configs().nth(config)?.devices.get(at)?;
        Some(Plugged { view, device, here: config == 0 && view.facts.is_some() })
    }

    /// All devices of one kind, with whose they are.
    pub(super) fn devices(&self, of: fn(&Device) -> bool) -> impl Iterator<Item = Plugged<'_>> {
        self.snapshot.domains().flat_map(move |view| devices_of(view, of))
    }

    /// What is noted on an object that is no VM and no device.
    pub(super) fn notes(&self, object: Uuid) -> Notes {
        self.inventory.notes(&object).cloned().unwrap_or_default()
    }

    /// `20090710T09:01:27`, UTC.
    pub(super) fn time(time: SystemTime) -> Value {
        let time = jiff::Timestamp::try_from(time).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        Value::Time(time.strftime("%Y%m%dT%H:%M:%S").to_string())
    }
}

/// A VM's devices of one kind: those that run of it, and those that it is to have besides.
pub(super) fn devices_of(
    view: &Arc<DomainView>,
    of: fn(&Device) -> bool,
) -> impl Iterator<Item = Plugged<'_>> {
    let runs = &view.config.devices;
    let here = view.facts.is_some();
    let stored = view.configs().nth(1).into_iter().flat_map(|config| &config.devices);
    let more = stored.filter(|device| {
        device.uuid().is_some() && !runs.iter().any(|one| one.uuid() == device.uuid())
    });
    let all = runs.iter().map(move |device| Plugged { view, device, here });
    let all = all.chain(more.map(move |device| Plugged { view, device, here: false }));
    all.filter(move |plugged| of(plugged.device))
}

/// What Linux calls what is behind a block device: `phy:sda1` is `/dev/sda1`.
fn path_of(location: &Text) -> PathBuf {
    use std::os::unix::ffi::OsStrExt as _;
    let path = location.rsplit(|byte| *byte == b':').next().unwrap_or_default();
    Path::new("/dev").join(std::ffi::OsStr::from_bytes(path))
}

/// The metrics of a VM, or of one of the host's cards, have a UUID of their own, which is as
/// permanent. Those of a VM's disks and interfaces have the device's.
pub(super) fn metrics_of(uuid: Uuid) -> Uuid {
    derived(uuid, "metrics")
}

/// A number, which the Xen-API sends as text.
#[allow(clippy::needless_pass_by_value, reason = "numbers are copied")]
pub(super) fn number(n: impl ToString) -> Value {
    Value::text(n.to_string())
}

/// A text, as a getter ends with it.
#[allow(
    clippy::unnecessary_wraps,
    clippy::needless_pass_by_value,
    reason = "what a getter ends with"
)]
pub(super) fn text(text: impl ToString) -> Option<Value> {
    Some(Value::text(text.to_string()))
}

/// The same of a list without anything in it.
#[allow(clippy::unnecessary_wraps, reason = "what a getter ends with")]
pub(super) fn none(_: &World, _: Uuid) -> Option<Value> {
    Some(Value::Array(vec![]))
}

pub(super) fn texts(texts: impl IntoIterator<Item = String>) -> Value {
    Value::Array(texts.into_iter().map(Value::Text).collect())
}

/// References.
pub(super) fn refs(uuids: impl IntoIterator<Item = Uuid>) -> Value {
    texts(uuids.into_iter().map(|uuid| uuid.to_string()))
}

/// A map from texts to texts.
pub(super) fn map<'a>(pairs: impl IntoIterator<Item = (&'a str, String)>) -> Value {
    Value::Struct(
        pairs.into_iter().map(|(key, value)| (key.to_owned(), Value::Text(value))).collect(),
    )
}

/// Something noted, as a value. Passwords are never shown.
pub(super) fn noted(note: &Note) -> Value {
    match note {
        Note::Text(text) => Value::text(text),
        Note::Map(texts) => {
            let shown = texts.iter().filter(|(key, _)| !Property::is_secret_key(key));
            map(shown.map(|(key, value)| (key.as_str(), value.clone())))
        }
    }
}

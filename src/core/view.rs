//! The reads of all wires: the host and its domains, as one caller may see them.

mod consoles;
mod disks;
mod fleet;
mod guest;
mod histories;
mod host;
mod metrics;
mod peers;
mod placement;
mod saved;

use super::caller::Caller;
use super::context::Core;
use super::context::scheduler::wrong_scheduler;
use super::error::Error;
use super::journal::{Event, EventBatch};
use super::model::{
    BlockClass, CpuSet, Device, DeviceFacts, DomId, DomainConfig, DomainRef, Invalid, SchedParams,
    Scheduler, SedfParams, Uuid, VcpuFacts,
};
use super::rights::{Access, OpKind, Rights};
use super::samples::{Sample, SampleRound};
use super::sedf;
use super::snapshot::{DomainView, Snapshot};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

pub use metrics::HostMetrics;
pub use peers::{FleetHost, NotAsked};
pub use placement::{Evacuation, NotPlaced};

/// The engine as one caller may read it. Nothing here changes anything.
///
/// Every read of a wire is a method of this type, so that the rights of the caller can be checked
/// here and nowhere else. A call has one view, and so has a stream of events for its whole life.
#[derive(Clone)]
pub struct View {
    core: Arc<Core>,
    caller: Caller,
}

/// The devices of one class of a domain.
#[derive(Debug, Clone)]
pub enum DomainDevices {
    /// Devices of a domain on the host, as its XenStore shows them.
    Connected(Vec<DeviceFacts>),
    /// Devices of another domain, as its definition has them.
    Defined(Vec<Device>),
}

impl DomainDevices {
    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        match self {
            Self::Connected(devices) => devices.len(),
            Self::Defined(devices) => devices.len(),
        }
    }
}

impl View {
    pub(super) fn new(core: Arc<Core>, caller: Caller) -> Self {
        Self { core, caller }
    }

    /// The caller who reads.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }
}

/// Rights.
impl View {
    /// Whether the caller may do this to some domain, or to the host. What a page offers depends on
    /// it; the engine checks each change itself.
    pub fn may(&self, kind: OpKind) -> bool {
        self.caller.access().may(kind)
    }

    /// Whether the caller may do this to the domain.
    pub fn may_on(&self, kind: OpKind, domain: &DomainView) -> bool {
        self.caller.access().may_on(kind, domain.uuid, domain.name().as_str())
    }

    /// Fails unless the caller may do this to some domain, or to the host. `op` is the name for the
    /// message.
    pub fn require(&self, kind: OpKind, op: &'static str) -> Result<(), Error> {
        if self.may(kind) {
            return Ok(());
        }
        Err(Error::not_permitted(op, kind.need(), ""))
    }

    /// The same for a domain that the caller sees.
    pub fn require_on(
        &self,
        kind: OpKind,
        op: &'static str,
        domain: &DomainView,
    ) -> Result<(), Error> {
        if self.may_on(kind, domain) {
            return Ok(());
        }
        Err(Error::not_permitted(op, kind.need(), domain.name().as_str()))
    }

    /// A counter of changes of what the caller may do; `None` for a caller without an account,
    /// whose rights never change.
    pub fn access_changes(&self) -> Option<watch::Receiver<u64>> {
        self.caller.user().map(|user| user.access_changes())
    }

    /// The caller's rights on a domain.
    pub fn rights_on(&self, domain: &DomainView) -> Rights {
        self.caller.access().rights_on(Some(domain.uuid), domain.name().as_str())
    }
}

/// Domains.
impl View {
    /// All domains. Their figures are at most [`FIGURES_AGE`](super::engine::FIGURES_AGE) old,
    /// unless the hypervisor does not answer.
    pub async fn domains(&self) -> Result<Arc<Snapshot>, Error> {
        let full = self.core.fresh_snapshot().await;
        Ok(self.caller.visible(&full))
    }

    /// One domain, with figures as fresh as those of [`domains`](Self::domains).
    pub async fn domain(&self, domain: &DomainRef) -> Result<Arc<DomainView>, Error> {
        self.domains().await?.lookup(domain)
    }

    /// All domains, with figures of this one that are as fresh as those of
    /// [`domains`](Self::domains). It costs the same with any number of domains.
    pub async fn domains_with(&self, uuid: Uuid) -> Arc<Snapshot> {
        // What the caller does not see is not read.
        if self.snapshot().by_uuid(&uuid).is_some() {
            self.core.refresh(uuid).await;
        }
        self.snapshot()
    }

    /// All domains, however old their figures are.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.core.visible(&self.caller)
    }

    /// The generation of the current snapshot. Slow readers see only the latest.
    pub fn generations(&self) -> watch::Receiver<u64> {
        self.core.publisher.generations()
    }

    /// The number of the last change of a domain in [`Snapshot::changes`]. Slow readers see only
    /// the latest.
    pub fn domain_changes(&self) -> watch::Receiver<u64> {
        self.core.publisher.changes()
    }

    /// The VCPUs of a domain.
    pub async fn vcpus(
        &self,
        domain: &DomainRef,
    ) -> Result<(Arc<DomainView>, Vec<VcpuFacts>), Error> {
        let view = self.lookup(domain)?;
        let vcpus = match view.domid() {
            Some(domid) => self.core.hypervisor.vcpus(domid).await?,
            None => vcpus_off_host(&view.config, self.core.info.topology.cpus),
        };
        Ok((view, vcpus))
    }

    /// The devices of one class of a domain.
    pub async fn devices(&self, domain: &DomainRef, class: &str) -> Result<DomainDevices, Error> {
        if !Device::is_class(class) {
            return Err(Invalid::new(format!("Unknown device type: {class}")).into());
        }
        let view = self.lookup(domain)?;
        let Some(domid) = view.domid() else {
            let mut devices = view.config.devices.clone();
            devices.retain(|device| device.has_class(class));
            return Ok(DomainDevices::Defined(devices));
        };
        let mut devices = self.core.hypervisor.devices(domid).await?;
        // xend listed a block device under each of its three classes: to a guest they are alike.
        let is_block = BlockClass::includes;
        devices
            .retain(|device| device.class == class || (is_block(class) && is_block(&device.class)));
        Ok(DomainDevices::Connected(devices))
    }

    /// All devices of a domain on the host, as its XenStore shows them.
    pub async fn all_devices(&self, domain: &DomainRef) -> Result<Vec<DeviceFacts>, Error> {
        let (_, domid) = self.on_host(domain)?;
        self.core.hypervisor.devices(domid).await
    }

    /// Waits until the devices of a domain are connected. A domain off the host has none.
    pub async fn wait_for_devices(&self, domain: &DomainRef) -> Result<(), Error> {
        let view = self.lookup(domain)?;
        match view.domid() {
            Some(domid) if !view.is_privileged() => {
                let waited = self.core.hypervisor.wait_for_devices(domid).await;
                if let Err(error @ Error::Device { .. }) = &waited {
                    // A question, but clients ask it as a part of a change.
                    tracing::warn!(caller = %self.caller, domain = %view.name(), %error, "Failed");
                }
                waited
            }
            _ => Ok(()),
        }
    }

    /// A domain's SEDF parameters: the ones that were set, else those that correspond to its
    /// parameters in the host's scheduler.
    pub async fn sedf(&self, domain: &DomainRef) -> Result<(Arc<DomainView>, SedfParams), Error> {
        let view = self.lookup(domain)?;
        let params = match view.config.sedf {
            Some(remembered) => remembered,
            None => {
                sedf::from_sched_params(&self.core.sched_params(view.domid(), &view.config).await?)
            }
        };
        Ok((view, params))
    }

    /// A domain's parameters in `scheduler`; an error if the host has another scheduler.
    pub async fn sched(
        &self,
        domain: &DomainRef,
        scheduler: Scheduler,
    ) -> Result<(Arc<DomainView>, SchedParams), Error> {
        let view = self.lookup(domain)?;
        let params = self.core.sched_params(view.domid(), &view.config).await?;
        if params.scheduler() != scheduler {
            return Err(wrong_scheduler(&params, scheduler));
        }
        Ok((view, params))
    }

    /// The scheduler of a domain.
    pub async fn scheduler(&self, domain: &DomainRef) -> Result<Scheduler, Error> {
        let view = self.lookup(domain)?;
        Ok(self.core.sched_params(view.domid(), &view.config).await?.scheduler())
    }

    /// The configuration of a domain that was saved to a file.
    pub async fn saved_config(&self, file: &Path) -> Result<DomainConfig, Error> {
        self.require(OpKind::ReadSavedConfig, "reading a saved domain")?;
        self.core.check_file(&self.caller, Some(file)).await?;
        let open = self.core.store.open(file);
        let (config, _) = self.core.limited("Opening the file", open).await?;
        let rights = self.caller.access().rights_on(Some(config.uuid()), config.name.as_str());
        if rights.is_empty() {
            return Err(Error::BeyondLimits("file: it has no domain of the account".to_owned()));
        }
        Ok(config.into())
    }

    fn lookup(&self, domain: &DomainRef) -> Result<Arc<DomainView>, Error> {
        self.snapshot().lookup(domain)
    }

    /// A domain that has a domid.
    fn on_host(&self, domain: &DomainRef) -> Result<(Arc<DomainView>, DomId), Error> {
        let view = self.lookup(domain)?;
        match view.domid() {
            Some(domid) => Ok((view, domid)),
            None => Err(Error::NotStarted(view.name().to_string())),
        }
    }
}

/// Events, and samples of CPU and memory use.
impl View {
    /// The number of the latest event, as it grows.
    pub fn event_numbers(&self) -> watch::Receiver<u64> {
        self.core.publisher.journal.numbers()
    }

    /// The events after event `number` that the caller may see, among the next `most` of all.
    pub fn events_after(&self, number: u64, most: usize) -> EventBatch {
        let batch = self.core.publisher.journal.after(number, most);
        EventBatch { events: self.all_shown(batch.events), ..batch }
    }

    /// A random number of this run of the daemon: event numbers of another run mean nothing here.
    pub fn journal_volume(&self) -> u32 {
        self.core.publisher.journal.volume
    }

    /// The domain of the latest event under this name or UUID, even if it is gone since.
    pub fn domain_of_events(&self, domain: &DomainRef) -> Option<Uuid> {
        let access = self.caller.access();
        self.core.publisher.journal.find(domain, |event| self.shown(event, &access))
    }

    /// The history of a domain, the latest event first.
    pub fn history(&self, uuid: &Uuid) -> Vec<Arc<Event>> {
        self.all_shown(self.core.publisher.journal.of(uuid))
    }

    /// The events that the caller may see, as they are shown to the caller.
    fn all_shown(&self, events: Vec<Arc<Event>>) -> Vec<Arc<Event>> {
        let access = self.caller.access();
        if access.operator {
            return events;
        }
        events.iter().filter_map(|event| self.shown(event, &access)).collect()
    }

    /// An event as the caller, who has this access, sees it.
    fn shown(&self, event: &Arc<Event>, access: &Access) -> Option<Arc<Event>> {
        if access.operator {
            return Some(event.clone());
        }
        event.shown_to(self.caller.user()?, access)
    }

    /// The number of the latest round of samples, as it grows.
    pub fn sample_rounds(&self) -> watch::Receiver<u64> {
        self.core.samples.rounds()
    }

    /// The latest round of samples.
    pub fn last_samples(&self) -> Arc<SampleRound> {
        let round = self.core.samples.last();
        if self.caller.is_operator() {
            return round;
        }
        let visible = self.snapshot();
        let sample = |view: &Arc<DomainView>| Some((view.uuid, *round.domains.get(&view.uuid)?));
        let domains = visible.domains().filter_map(sample).collect();
        Arc::new(SampleRound { number: round.number, domains })
    }

    /// The samples of a domain, the oldest first.
    pub fn samples(&self, uuid: &Uuid) -> Vec<Sample> {
        match self.snapshot().by_uuid(uuid) {
            Some(_) => self.core.samples.of(uuid),
            None => Vec::new(),
        }
    }
}

/// The VCPUs of a domain off the host: offline, with the configured affinity. As in xend, a VCPU
/// without an affinity may run on at least 64 CPUs, however few the host has.
fn vcpus_off_host(config: &DomainConfig, host_cpus: u32) -> Vec<VcpuFacts> {
    const MIN_CPUS: u32 = 64;
    let facts = |(number, affinity): (u32, &CpuSet)| VcpuFacts {
        number,
        online: false,
        blocked: false,
        running: false,
        cpu_time: Duration::ZERO,
        cpu: None,
        affinity: if affinity.is_empty() {
            CpuSet::first(host_cpus.max(MIN_CPUS))
        } else {
            affinity.clone()
        },
    };
    (0..).zip(&config.cpus).map(facts).collect()
}

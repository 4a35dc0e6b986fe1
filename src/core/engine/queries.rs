//! Queries: questions that change nothing.

use crate::core::context::Core;
use crate::core::context::scheduler::wrong_scheduler;
use crate::core::error::Error;
use crate::core::model::{
    BlockClass, CpuSet, Device, DeviceFacts, DomId, DomainConfig, DomainRef, Invalid, SchedParams,
    Scheduler, SedfParams, VcpuFacts,
};
use crate::core::op::{Outcome, Query};
use crate::core::ports::{DiskUsage, StorageFacts};
use crate::core::sedf;
use crate::core::snapshot::DomainView;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The devices of a domain.
enum Devices {
    /// Devices of a domain on the host, as its XenStore shows them.
    Connected(Vec<DeviceFacts>),
    /// Devices of another domain, as its definition has them.
    Defined(Vec<Device>),
}

impl Core {
    pub(super) async fn query(self: &Arc<Self>, query: Query) -> Result<Outcome, Error> {
        match query {
            Query::Domains => Ok(Outcome::Domains(self.fresh_snapshot().await)),
            Query::Domain(domain) => {
                self.fresh_snapshot().await.lookup(&domain).map(Outcome::Domain)
            }
            Query::Host => {
                let figures = self.fresh_snapshot().await.figures;
                Ok(Outcome::Host(self.info.clone(), figures))
            }
            Query::Dmesg => self.hypervisor.dmesg().await.map(Outcome::Text),
            Query::Console(domain) => self.console(&domain).await.map(Outcome::Text),
            Query::Saved(file) => {
                let config = self.saved_config(&file).await?;
                Ok(Outcome::Saved(Box::new(config)))
            }
            Query::Hardware => self.hypervisor.hardware().await.map(Outcome::Hardware),
            Query::Interfaces => self.hypervisor.interfaces().await.map(Outcome::Interfaces),
            Query::Pools => self.hypervisor.pools().await.map(Outcome::Pools),
            Query::Storage => self.storage().await.map(Outcome::Storage),
            Query::Extents(paths) => Ok(Outcome::Extents(self.extents(&paths).await)),
            Query::Vnets => Ok(Outcome::Vnets(self.vnets.all().await)),
            Query::Vnet(id) => self.vnets.get(&id).await.map(Outcome::Vnet),
            Query::Vcpus(domain) => {
                let (view, vcpus) = self.vcpus(&domain).await?;
                Ok(Outcome::Vcpus(view, vcpus))
            }
            Query::Devices(domain, class) => match self.devices(&domain, &class).await? {
                Devices::Connected(devices) => Ok(Outcome::Devices(devices)),
                Devices::Defined(devices) => Ok(Outcome::DefinedDevices(devices)),
            },
            Query::AllDevices(domain) => self.all_devices(&domain).await.map(Outcome::Devices),
            Query::Sedf(domain) => {
                let (view, params) = self.sedf(&domain).await?;
                Ok(Outcome::Sedf(view, params))
            }
            Query::Sched(domain, scheduler) => {
                let (view, params) = self.sched(&domain, scheduler).await?;
                Ok(Outcome::Sched(view, params))
            }
            Query::DevicesConnected(domain) => {
                self.wait_for_devices(&domain).await.map(|()| Outcome::Done)
            }
        }
    }

    /// The end of a guest's console output.
    async fn console(&self, domain: &DomainRef) -> Result<Vec<u8>, Error> {
        let (view, domid) = self.on_host(domain)?;
        if view.is_privileged() {
            return Err(Error::Unsupported("Domain-0's console is the machine's own".to_owned()));
        }
        self.hypervisor.console(domid).await
    }

    /// The configuration of a domain that was saved to a file.
    async fn saved_config(&self, file: &Path) -> Result<DomainConfig, Error> {
        let (config, _) = self.limited("Opening the file", self.store.open(file)).await?;
        Ok(config.into())
    }

    /// The directory of disk images, and its free space.
    async fn storage(&self) -> Result<StorageFacts, Error> {
        self.limited("Looking at the storage", self.store.storage()).await
    }

    /// The sizes of files and disks; `None` for each that does not exist.
    async fn extents(&self, paths: &[PathBuf]) -> Vec<Option<DiskUsage>> {
        let mut extents = Vec::with_capacity(paths.len());
        for path in paths {
            extents.push(self.store.extent(path).await);
        }
        extents
    }

    async fn vcpus(&self, domain: &DomainRef) -> Result<(Arc<DomainView>, Vec<VcpuFacts>), Error> {
        let view = self.snapshot().lookup(domain)?;
        let vcpus = match view.domid() {
            Some(domid) => self.hypervisor.vcpus(domid).await?,
            None => vcpus_off_host(&view.config, self.info.topology.cpus),
        };
        Ok((view, vcpus))
    }

    /// The devices of one class.
    async fn devices(&self, domain: &DomainRef, class: &str) -> Result<Devices, Error> {
        if !Device::is_class(class) {
            return Err(Invalid::new(format!("Unknown device type: {class}")).into());
        }
        let view = self.snapshot().lookup(domain)?;
        let Some(domid) = view.domid() else {
            let mut devices = view.config.devices.clone();
            devices.retain(|device| device.has_class(class));
            return Ok(Devices::Defined(devices));
        };
        let mut devices = self.hypervisor.devices(domid).await?;
        // xend listed a block device under each of its three classes: to a guest they are alike.
        let is_block = BlockClass::includes;
        devices
            .retain(|device| device.class == class || (is_block(class) && is_block(&device.class)));
        Ok(Devices::Connected(devices))
    }

    async fn all_devices(&self, domain: &DomainRef) -> Result<Vec<DeviceFacts>, Error> {
        let (_, domid) = self.on_host(domain)?;
        self.hypervisor.devices(domid).await
    }

    /// SEDF parameters: those that were set, else those that the host's scheduler amounts to.
    async fn sedf(&self, domain: &DomainRef) -> Result<(Arc<DomainView>, SedfParams), Error> {
        let view = self.snapshot().lookup(domain)?;
        let params = match view.config.sedf {
            Some(remembered) => remembered,
            None => sedf::from_sched_params(&self.sched_params(view.domid(), &view.config).await?),
        };
        Ok((view, params))
    }

    /// Parameters of the scheduler that the caller expects the host to have.
    async fn sched(
        &self,
        domain: &DomainRef,
        scheduler: Scheduler,
    ) -> Result<(Arc<DomainView>, SchedParams), Error> {
        let view = self.snapshot().lookup(domain)?;
        let params = self.sched_params(view.domid(), &view.config).await?;
        if params.scheduler() != scheduler {
            return Err(wrong_scheduler(&params, scheduler));
        }
        Ok((view, params))
    }

    /// Waits until the devices of a domain are connected. A domain off the host has none.
    async fn wait_for_devices(&self, domain: &DomainRef) -> Result<(), Error> {
        let view = self.snapshot().lookup(domain)?;
        match view.domid() {
            Some(domid) if !view.is_privileged() => self.hypervisor.wait_for_devices(domid).await,
            _ => Ok(()),
        }
    }

    /// A domain that has a domid.
    fn on_host(&self, domain: &DomainRef) -> Result<(Arc<DomainView>, DomId), Error> {
        let view = self.snapshot().lookup(domain)?;
        match view.domid() {
            Some(domid) => Ok((view, domid)),
            None => Err(Error::NotStarted(view.name().to_string())),
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

//! What only looks.

use super::{Core, find, other_scheduler};
use crate::core::error::Error;
use crate::core::model::{
    BlockClass, CpuSet, Device, DomId, DomainConfig, DomainRef, Invalid, SchedParams, Scheduler,
    VcpuFacts,
};
use crate::core::op::{Outcome, Query};
use crate::core::sedf;
use crate::core::snapshot::DomainView;
use std::sync::Arc;
use std::time::Duration;

impl Core {
    pub(super) async fn look(self: &Arc<Self>, query: Query) -> Result<Outcome, Error> {
        match query {
            Query::Domains => Ok(Outcome::Domains(self.fresh().await)),
            Query::Domain(domain) => Ok(Outcome::Domain(find(&*self.fresh().await, &domain)?)),
            Query::Host => Ok(Outcome::Host(self.info.clone(), self.fresh().await.figures)),
            Query::Dmesg => {
                Ok(Outcome::Text(self.limited("Reading dmesg", self.hypervisor.dmesg()).await?))
            }
            Query::Console(domain) => {
                let (view, domid) = self.running(&domain)?;
                if view.is_privileged() {
                    return Err(Error::Unsupported(
                        "Domain-0's console is the machine's own".to_owned(),
                    ));
                }
                Ok(Outcome::Text(
                    self.limited("Reading the console", self.hypervisor.console(domid)).await?,
                ))
            }
            Query::Saved(file) => {
                let (config, _) = self.limited("Opening the file", self.store.open(&file)).await?;
                Ok(Outcome::Saved(Box::new(config)))
            }
            Query::Hardware => Ok(Outcome::Hardware(
                self.limited("Looking at the machine", self.hypervisor.hardware()).await?,
            )),
            Query::Interfaces => Ok(Outcome::Interfaces(self.interfaces().await?)),
            Query::Pools => Ok(Outcome::Pools(self.pools().await?)),
            Query::Storage => Ok(Outcome::Storage(
                self.limited("Looking at the storage", self.store.storage()).await?,
            )),
            Query::Extents(paths) => {
                let mut extents = Vec::with_capacity(paths.len());
                for path in paths {
                    extents.push(self.store.extent(&path).await);
                }
                Ok(Outcome::Extents(extents))
            }
            Query::Vnets => Ok(Outcome::Vnets(self.vnets.all().await)),
            Query::Vnet(id) => self.vnets.one(&id).await.map(Outcome::Vnet),
            Query::Vcpus(domain) => {
                let view = find(&self.board.current(), &domain)?;
                let vcpus = match view.domid() {
                    Some(domid) => {
                        self.limited("Reading VCPUs", self.hypervisor.vcpus(domid)).await?
                    }
                    None => vcpus_off_host(&view.config, self.info.topology.cpus),
                };
                Ok(Outcome::Vcpus(view, vcpus))
            }
            Query::Devices(domain, class) => {
                if !Device::is_class(&class) {
                    return Err(Invalid::new(format!("Unknown device type: {class}")).into());
                }
                let view = find(&self.board.current(), &domain)?;
                let Some(domid) = view.domid() else {
                    let mut devices = view.config.devices.clone();
                    devices.retain(|device| device.is_of(&class));
                    return Ok(Outcome::DefinedDevices(devices));
                };
                let mut devices =
                    self.limited("Reading devices", self.hypervisor.devices(domid)).await?;
                // To a guest all block devices are alike, whoever serves them: xend gave them under
                // each of the three.
                let block = BlockClass::includes;
                devices.retain(|device| {
                    device.class == class || (block(&class) && block(&device.class))
                });
                Ok(Outcome::Devices(devices))
            }
            Query::AllDevices(domain) => {
                let (_, domid) = self.running(&domain)?;
                Ok(Outcome::Devices(
                    self.limited("Reading devices", self.hypervisor.devices(domid)).await?,
                ))
            }
            Query::Sedf(domain) => {
                let view = find(&self.board.current(), &domain)?;
                let params = match view.config.sedf {
                    Some(remembered) => remembered,
                    None => sedf::meaning(&self.sched_params(&view).await?),
                };
                Ok(Outcome::Sedf(view, params))
            }
            Query::Sched(domain, scheduler) => {
                let view = find(&self.board.current(), &domain)?;
                let params = self.sched_params(&view).await?;
                if params.scheduler() != scheduler {
                    return Err(other_scheduler(&params, scheduler));
                }
                Ok(Outcome::Sched(view, params))
            }
            Query::DevicesConnected(domain) => {
                let view = find(&self.board.current(), &domain)?;
                // A domain that is not on the host waits for none.
                if let Some(domid) = view.domid().filter(|_| !view.is_privileged()) {
                    self.limited("Waiting for devices", self.hypervisor.wait_for_devices(domid))
                        .await?;
                }
                Ok(Outcome::Done)
            }
        }
    }

    /// A domain that has a domid.
    fn running(&self, domain: &DomainRef) -> Result<(Arc<DomainView>, DomId), Error> {
        let view = find(&self.board.current(), domain)?;
        match view.domid() {
            Some(domid) => Ok((view, domid)),
            None => Err(Error::NotStarted(view.name().to_string())),
        }
    }

    /// A domain's parameters in the host's scheduler; those that it will have if it is not on the
    /// host.
    async fn sched_params(&self, view: &DomainView) -> Result<SchedParams, Error> {
        if let Some(domid) = view.domid() {
            return self
                .limited("Reading scheduler parameters", self.hypervisor.sched_params(domid))
                .await;
        }
        let (weight, cap) = (view.config.cpu_weight, view.config.cpu_cap);
        match self.info.scheduler {
            Scheduler::Credit => Ok(SchedParams::Credit { weight, cap }),
            Scheduler::Credit2 => Ok(SchedParams::Credit2 { weight, cap }),
            Scheduler::Sedf | Scheduler::Rtds => Err(Error::NotStarted(view.name().to_string())),
        }
    }
}

/// The VCPUs of a domain that is not on the host: none is online, and where they may run is what is
/// configured. As in xend, a VCPU without an affinity may run on 64 CPUs at least, however few the
/// host has.
fn vcpus_off_host(config: &DomainConfig, host_cpus: u32) -> Vec<VcpuFacts> {
    const AT_LEAST: u32 = 64;
    let facts = |(number, affinity): (u32, &CpuSet)| VcpuFacts {
        number,
        online: false,
        blocked: false,
        running: false,
        cpu_time: Duration::ZERO,
        cpu: None,
        affinity: if affinity.is_empty() {
            CpuSet::first(host_cpus.max(AT_LEAST))
        } else {
            affinity.clone()
        },
    };
    (0..).zip(&config.cpus).map(facts).collect()
}

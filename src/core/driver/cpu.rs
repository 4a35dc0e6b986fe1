//! Schedulers, VCPUs and the CPUs that they may be on.

use super::Driver;
use crate::core::engine::other_scheduler;
use crate::core::error::Error;
use crate::core::model::{
    CpuSet, DomainConfig, Invalid, MAX_VCPUS, PoolChange, SchedParams, Scheduler, SedfParams,
};
use crate::core::op::Outcome;
use crate::core::sedf;

impl Driver {
    pub(super) async fn move_to_pool(&mut self, name: String) -> Result<Outcome, Error> {
        if let Some(domid) = self.domid {
            let change = PoolChange::Move { domid, name: name.clone() };
            limited!(self, "Moving to a CPU pool", self.core.hypervisor.change_pools(change))?;
        }
        self.reconfigure(|config| config.pool_name = name.as_str().into()).await?;
        self.refresh().await
    }

    pub(super) async fn set_sedf(&mut self, params: SedfParams) -> Result<Outcome, Error> {
        let translated = sedf::translate(&params, &self.sched_params().await?)?;
        self.set_sched_params(translated).await?;
        self.reconfigure(|config| {
            config.sedf = Some(params);
            if let SchedParams::Credit { weight, cap } | SchedParams::Credit2 { weight, cap } =
                translated
            {
                (config.cpu_weight, config.cpu_cap) = (weight, cap);
            }
        })
        .await?;
        self.refresh().await
    }

    /// Its parameters in the host's scheduler; those that it is to have, if it is not on the host.
    async fn sched_params(&self) -> Result<SchedParams, Error> {
        let Some(domid) = self.domid else {
            let (weight, cap) = (self.config.cpu_weight, self.config.cpu_cap);
            return match self.core.info.scheduler {
                Scheduler::Credit => Ok(SchedParams::Credit { weight, cap }),
                Scheduler::Credit2 => Ok(SchedParams::Credit2 { weight, cap }),
                Scheduler::Sedf | Scheduler::Rtds => {
                    Err(Error::NotStarted(self.config.name.to_string()))
                }
            };
        };
        limited!(self, "Reading scheduler parameters", self.core.hypervisor.sched_params(domid))
    }

    async fn set_sched_params(&self, params: SchedParams) -> Result<(), Error> {
        let Some(domid) = self.domid else { return Ok(()) };
        limited!(
            self,
            "Setting scheduler parameters",
            self.core.hypervisor.set_sched_params(domid, params)
        )
    }

    /// What cannot be expressed in SEDF's terms any more is forgotten.
    pub(super) async fn set_share(
        &mut self,
        scheduler: Scheduler,
        weight: Option<u16>,
        cap: Option<u16>,
    ) -> Result<Outcome, Error> {
        let now = self.sched_params().await?;
        let (weight, cap, params) = match (now, scheduler) {
            (SchedParams::Credit { weight: w, cap: c }, Scheduler::Credit) => {
                let (weight, cap) = (weight.unwrap_or(w), cap.unwrap_or(c));
                (weight, cap, SchedParams::Credit { weight, cap })
            }
            (SchedParams::Credit2 { weight: w, cap: c }, Scheduler::Credit2) => {
                let (weight, cap) = (weight.unwrap_or(w), cap.unwrap_or(c));
                (weight, cap, SchedParams::Credit2 { weight, cap })
            }
            (other, asked) => return Err(other_scheduler(&other, asked)),
        };
        self.set_sched_params(params).await?;
        self.reconfigure(|config| {
            (config.cpu_weight, config.cpu_cap, config.sedf) = (weight, cap, None)
        })
        .await?;
        self.refresh().await
    }

    /// On the host: how many of its VCPUs it uses. Not on the host: how many it has.
    pub(super) async fn set_vcpus(&mut self, count: u32) -> Result<Outcome, Error> {
        let out_of_range = |most: u32, why: &str| {
            Invalid::new(format!("vcpus: {count} is out of range, 1 to {most}, {why}")).into()
        };
        let Some(domid) = self.domid else {
            if count == 0 || count > MAX_VCPUS {
                return Err(out_of_range(MAX_VCPUS, "the most that a domain can have"));
            }
            self.reconfigure(|config| config.set_vcpus(count)).await?;
            return self.refresh().await;
        };
        let most = self.config.vcpus;
        if count == 0 || count > most {
            return Err(out_of_range(most, "the VCPUs that the domain was built with"));
        }
        let mask = DomainConfig::vcpu_mask(count);
        limited!(self, "Setting VCPUs", self.core.hypervisor.set_online_vcpus(domid, mask))?;
        // The definition can have fewer.
        self.reconfigure(|config| config.vcpu_avail = mask & DomainConfig::vcpu_mask(config.vcpus))
            .await?;
        self.refresh().await
    }

    pub(super) async fn pin(&mut self, vcpu: Option<u32>, cpus: &CpuSet) -> Result<Outcome, Error> {
        let slot = vcpu.map(|number| self.vcpu_slot(number)).transpose()?;
        let pin = |affinity: &mut [CpuSet]| match slot {
            None => affinity.fill(cpus.clone()),
            Some(slot) => {
                affinity.iter_mut().skip(slot).take(1).for_each(|one| one.clone_from(cpus))
            }
        };
        if let Some(domid) = self.domid {
            let mut affinity = self.config.cpus.clone();
            pin(&mut affinity);
            limited!(self, "Pinning", self.core.hypervisor.set_affinity(domid, &affinity))?;
        }
        self.reconfigure(|config| pin(&mut config.cpus)).await?;
        self.refresh().await
    }

    /// Where a VCPU stands in lists of VCPUs.
    pub(super) fn vcpu_slot(&self, number: u32) -> Result<usize, Error> {
        let most = self.config.vcpus - 1;
        let slot = usize::try_from(number).ok().filter(|_| number <= most);
        slot.ok_or_else(|| {
            Invalid::new(format!("vcpu: {number} is out of range, 0 to {most}")).into()
        })
    }
}

//! Schedulers, VCPUs and their CPUs.

use super::state::Driver;
use crate::core::context::scheduler::wrong_scheduler;
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
            self.core.hypervisor.change_pools(change).await?;
        }
        self.reconfigure(|config| config.pool_name = name.as_str().into()).await?;
        self.refresh().await
    }

    pub(super) async fn set_sedf(&mut self, params: SedfParams) -> Result<Outcome, Error> {
        params.check()?;
        let translated = sedf::translate(&params, &self.sched_params().await?)?;
        self.set_sched_params(translated).await?;
        self.reconfigure(|config| {
            config.sedf = Some(params);
            if let SchedParams::Credit { weight, cap } | SchedParams::Credit2 { weight, cap } =
                translated
            {
                config.cpu_weight = weight;
                config.cpu_cap = cap;
            }
        })
        .await?;
        self.refresh().await
    }

    async fn sched_params(&self) -> Result<SchedParams, Error> {
        self.core.sched_params(self.domid, &self.config).await
    }

    async fn set_sched_params(&self, params: SchedParams) -> Result<(), Error> {
        match self.domid {
            Some(domid) => self.core.hypervisor.set_sched_params(domid, params).await,
            None => Ok(()),
        }
    }

    /// Sets weight and cap; `None` leaves the current value. Remembered SEDF parameters are
    /// forgotten, since these have no counterpart there.
    pub(super) async fn set_share(
        &mut self,
        scheduler: Scheduler,
        weight: Option<u16>,
        cap: Option<u16>,
    ) -> Result<Outcome, Error> {
        let current = self.sched_params().await?;
        let (weight, cap, params) = match (current, scheduler) {
            (SchedParams::Credit { weight: w, cap: c }, Scheduler::Credit) => {
                let weight = weight.unwrap_or(w);
                let cap = cap.unwrap_or(c);
                (weight, cap, SchedParams::Credit { weight, cap })
            }
            (SchedParams::Credit2 { weight: w, cap: c }, Scheduler::Credit2) => {
                let weight = weight.unwrap_or(w);
                let cap = cap.unwrap_or(c);
                (weight, cap, SchedParams::Credit2 { weight, cap })
            }
            (current, requested) => return Err(wrong_scheduler(&current, requested)),
        };
        self.set_sched_params(params).await?;
        self.reconfigure(|config| {
            config.cpu_weight = weight;
            config.cpu_cap = cap;
            config.sedf = None;
        })
        .await?;
        self.refresh().await
    }

    /// Sets how many of its VCPUs a domain on the host uses, or how many VCPUs another one will
    /// have.
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
        self.core.hypervisor.set_online_vcpus(domid, mask).await?;
        // The definition can have fewer VCPUs.
        self.reconfigure(|config| config.vcpu_avail = mask & DomainConfig::vcpu_mask(config.vcpus))
            .await?;
        self.refresh().await
    }

    /// Sets the CPUs of one VCPU, or of all.
    pub(super) async fn pin(&mut self, vcpu: Option<u32>, cpus: &CpuSet) -> Result<Outcome, Error> {
        let index = vcpu.map(|vcpu| self.vcpu_index(vcpu)).transpose()?;
        let pin = |affinity: &mut [CpuSet]| match index {
            None => affinity.fill(cpus.clone()),
            Some(index) => {
                if let Some(vcpu) = affinity.get_mut(index) {
                    vcpu.clone_from(cpus);
                }
            }
        };
        if let Some(domid) = self.domid {
            let pinned = self.config.with(|config| pin(&mut config.cpus))?;
            self.core.hypervisor.set_affinity(domid, &pinned.cpus).await?;
        }
        self.reconfigure(|config| pin(&mut config.cpus)).await?;
        self.refresh().await
    }

    /// The index of a VCPU in lists of VCPUs.
    pub(super) fn vcpu_index(&self, vcpu: u32) -> Result<usize, Error> {
        let most = self.config.vcpus - 1;
        let index = usize::try_from(vcpu).ok().filter(|_| vcpu <= most);
        index.ok_or_else(|| {
            Invalid::new(format!("vcpu: {vcpu} is out of range, 0 to {most}")).into()
        })
    }
}

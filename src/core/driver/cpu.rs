//! Schedulers, VCPUs and the CPUs that they may be on.

use super::Driver;
use crate::core::engine::other_scheduler;
use crate::core::error::Error;
use crate::core::model::{CpuSet, DomainConfig, Invalid, SchedParams, Scheduler, SedfParams};
use crate::core::op::Outcome;
use crate::core::sedf;

impl Driver {
    pub(super) async fn set_sedf(&mut self, params: SedfParams) -> Result<Outcome, Error> {
        let hypervisor = self.core.hypervisor.clone();
        let now = limited!(self, "Reading scheduler parameters", hypervisor.sched_params(self.domid))?;
        let translated = sedf::translate(&params, &now)?;
        limited!(self, "Setting scheduler parameters", hypervisor.set_sched_params(self.domid, translated))?;
        self.reconfigure(|config| {
            config.sedf = Some(params);
            if let SchedParams::Credit { weight, cap } | SchedParams::Credit2 { weight, cap } = translated {
                (config.cpu_weight, config.cpu_cap) = (weight, cap);
            }
        })
        .await?;
        self.refresh().await
    }

    /// What cannot be expressed in SEDF's terms any more is forgotten.
    pub(super) async fn set_share(
        &mut self,
        scheduler: Scheduler,
        weight: Option<u16>,
        cap: Option<u16>,
    ) -> Result<Outcome, Error> {
        let hypervisor = self.core.hypervisor.clone();
        let now = limited!(self, "Reading scheduler parameters", hypervisor.sched_params(self.domid))?;
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
        limited!(self, "Setting scheduler parameters", hypervisor.set_sched_params(self.domid, params))?;
        self.reconfigure(|config| (config.cpu_weight, config.cpu_cap, config.sedf) = (weight, cap, None))
            .await?;
        self.refresh().await
    }

    pub(super) async fn set_vcpus(&mut self, count: u32) -> Result<Outcome, Error> {
        let most = self.config.vcpus;
        if count == 0 || count > most {
            let reason = format!(
                "vcpus: {count} is out of range, 1 to {most}, the VCPUs that the domain was built with"
            );
            return Err(Invalid::new(reason).into());
        }
        let mask = DomainConfig::vcpu_mask(count);
        limited!(self, "Setting VCPUs", self.core.hypervisor.set_online_vcpus(self.domid, mask))?;
        self.reconfigure(|config| config.vcpu_avail = mask).await?;
        self.refresh().await
    }

    pub(super) async fn pin(&mut self, vcpu: Option<u32>, cpus: &CpuSet) -> Result<Outcome, Error> {
        let mut affinity = self.config.cpus.clone();
        match vcpu {
            None => affinity.fill(cpus.clone()),
            Some(number) => {
                let slot = usize::try_from(number).ok().and_then(|n| affinity.get_mut(n));
                let most = self.config.vcpus - 1;
                *slot
                    .ok_or_else(|| Invalid::new(format!("vcpu: {number} is out of range, 0 to {most}")))? =
                    cpus.clone();
            }
        }
        limited!(self, "Pinning", self.core.hypervisor.set_affinity(self.domid, &affinity))?;
        self.reconfigure(|config| config.cpus = affinity).await?;
        self.refresh().await
    }
}

//! Memory, in MiB.

use super::state::Driver;
use crate::core::error::Error;
use crate::core::model::{DomId, DomainConfig, Invalid};
use crate::core::op::Outcome;

impl Driver {
    pub(super) async fn set_memory(&mut self, mib: u64) -> Result<Outcome, Error> {
        let most = self.config.maxmem;
        // The operator decides about Domain-0's memory.
        let least =
            if self.domid == Some(DomId::ZERO) { self.core.policy().dom0_min_mem_mib } else { 1 };
        if mib < least || mib > most {
            return Err(Invalid::new(format!(
                "target: {mib} MiB is out of range, {least} to {most} MiB"
            ))
            .into());
        }
        if let Some(domid) = self.domid {
            self.core.hypervisor.set_memory_target(domid, mib).await?;
        }
        self.reconfigure(|config| {
            config.memory = mib;
            // The definition can have another limit than the running domain.
            config.maxmem = config.maxmem.max(mib);
        })
        .await?;
        self.refresh().await
    }

    pub(super) async fn set_max_memory(&mut self, mib: u64) -> Result<Outcome, Error> {
        DomainConfig::check_memory("memory", mib)?;
        let least = self.config.memory;
        if mib < least {
            let reason = format!(
                "memory: {mib} MiB is less than the domain has, {least} MiB; set that first"
            );
            return Err(Invalid::new(reason).into());
        }
        if let Some(domid) = self.domid {
            self.core.hypervisor.set_max_memory(domid, mib).await?;
        }
        self.reconfigure(|config| {
            config.maxmem = mib;
            config.memory = config.memory.min(mib);
        })
        .await?;
        self.refresh().await
    }
}

//! Scheduler parameters of a domain.

use crate::core::context::Core;
use crate::core::error::Error;
use crate::core::model::{DomId, DomainConfig, SchedParams, Scheduler};

impl Core {
    /// The parameters of a domain in the host's scheduler. Off the host they are the configured
    /// ones.
    pub(in crate::core) async fn sched_params(
        &self,
        domid: Option<DomId>,
        config: &DomainConfig,
    ) -> Result<SchedParams, Error> {
        if let Some(domid) = domid {
            return self.hypervisor.sched_params(domid).await;
        }
        let weight = config.cpu_weight;
        let cap = config.cpu_cap;
        match self.info.scheduler {
            Scheduler::Credit => Ok(SchedParams::Credit { weight, cap }),
            Scheduler::Credit2 => Ok(SchedParams::Credit2 { weight, cap }),
            Scheduler::Sedf | Scheduler::Rtds => Err(Error::NotStarted(config.name.to_string())),
        }
    }
}

/// The error of a request for parameters of another scheduler than that of `current`.
pub(in crate::core) fn wrong_scheduler(current: &SchedParams, requested: Scheduler) -> Error {
    let scheduler = current.scheduler();
    Error::Unsupported(format!("The scheduler of this host is {scheduler}, not {requested}"))
}

//! The agents in the guests of the host.

use super::{Host, no_such_domain};
use crate::backend::sim::agent::{self, AgentMemory};
use crate::backend::sim::lock::lock;
use crate::core::error::Error;
use crate::core::model::DomId;
use std::sync::{Arc, Mutex};

impl Host {
    /// Takes the domains whose agents have something to do now, for
    /// [`run_agents`](Self::run_agents).
    pub(in crate::backend::sim) fn take_due_agents(&self) -> Vec<DomId> {
        lock(&self.domains).take_due_agents(self.now())
    }

    /// Lets agents do what is due. Blocks.
    pub(in crate::backend::sim) fn run_agents(&self, domids: &[DomId]) {
        if self.state_dir.is_closed() {
            return;
        }
        for domid in domids {
            match self.run_agent(*domid) {
                Ok(true) => self.reports.send(*domid),
                Ok(false) | Err(Error::NoSuchDomain(_)) => {}
                Err(error) => tracing::warn!(%domid, %error, "An agent could not do anything"),
            }
        }
    }

    /// Returns whether the agent has reported anything new.
    fn run_agent(&self, domid: DomId) -> Result<bool, Error> {
        let memory = self.agent_memory(domid)?;
        self.change(domid, |record, now| {
            let mut memory = lock(&memory);
            Ok(agent::act(record, &mut memory, now, &self.settings, &*self.entropy))
        })
    }

    /// What the agent in a domain knows.
    pub(in crate::backend::sim) fn agent_memory(
        &self,
        domid: DomId,
    ) -> Result<Arc<Mutex<AgentMemory>>, Error> {
        let domains = lock(&self.domains);
        let entry = domains.by_domid.get(&domid).ok_or_else(|| no_such_domain(domid))?;
        Ok(Arc::clone(&entry.agent))
    }
}

//! The definition as a copy of what a fleet has.

use super::state::Driver;
use crate::core::error::Error;
use crate::core::lifecycle::State;
use crate::core::mailbox::CopyChange;
use crate::core::model::CompleteConfig;
use crate::core::op::Outcome;
use std::sync::Arc;
use tracing::{info, warn};

impl Driver {
    /// Defines a new domain as the fleet has it.
    pub(in crate::core) async fn define_copy(
        &mut self,
        definition: Arc<CompleteConfig>,
    ) -> Result<Outcome, Error> {
        let stored = match self.core.arrivals.check_decided(self.uuid) {
            Ok(()) => self.store_definition(definition).await,
            // The definition that came with it is still to be removed.
            Err(undecided) => Err(undecided),
        };
        if let Err(error) = stored {
            self.left_host();
            return Err(error);
        }
        self.state = State::Halted;
        self.refresh().await
    }

    /// Makes of the definition what a fleet says, and tells whether that was done.
    pub(super) async fn change_copy(&mut self, change: CopyChange) -> Result<bool, Error> {
        if self.incoming.is_some() {
            return Err(Error::Undecided { what: format!("domain {}", self.config.name) });
        }
        match change {
            CopyChange::Replace { definition, instead_of } => {
                self.replace_copy(definition, instead_of.as_ref()).await
            }
            CopyChange::SetAside { definition } => self.set_copy_aside(&definition).await,
        }
    }

    /// Whether this is the definition that is here.
    fn has(&self, definition: Option<&Arc<CompleteConfig>>) -> bool {
        match (&self.definition, definition) {
            (Some(here), Some(other)) => Arc::ptr_eq(here, other),
            (here, other) => here.is_none() && other.is_none(),
        }
    }

    async fn replace_copy(
        &mut self,
        definition: Arc<CompleteConfig>,
        instead_of: Option<&Arc<CompleteConfig>>,
    ) -> Result<bool, Error> {
        if !self.has(instead_of) {
            return Ok(false);
        }
        let name = definition.name.clone();
        let old = self.config.name.clone();
        if name != old {
            // The name of a domain on the host is another matter.
            let renamed =
                self.domid.is_none() && self.core.registry.rename(self.uuid, &old, &name).is_ok();
            if !renamed {
                warn!(
                    domain = %old, %name,
                    "The fleet has another name for a domain, which cannot be given now"
                );
                return Ok(false);
            }
        }
        self.store_definition(definition).await?;
        self.refresh().await?;
        info!(domain = %name, "The definition of a domain was taken from the fleet");
        Ok(true)
    }

    async fn set_copy_aside(&mut self, definition: &Arc<CompleteConfig>) -> Result<bool, Error> {
        if !self.has(Some(definition)) || self.domid.is_some() || self.in_doubt.is_some() {
            return Ok(false);
        }
        let set_aside = self.core.store.set_aside(self.uuid);
        let file = self.core.limited("Setting a definition aside", set_aside).await?;
        warn!(
            domain = %self.config.name, uuid = %self.uuid, file = %file.display(),
            "Another host of the fleet has this domain: the definition here is set aside"
        );
        self.definition = None;
        self.left_host();
        Ok(true)
    }
}

//! Names, from clients and from other toolstacks.

use super::state::Driver;
use crate::core::error::Error;
use crate::core::model::{CompleteConfig, DomId, DomName, DomainFacts};
use crate::core::op::Outcome;
use crate::core::ports::PendingCopy;
use std::sync::Arc;
use tracing::{info, warn};

impl Driver {
    pub(super) async fn rename(&mut self, name: DomName) -> Result<Outcome, Error> {
        let old = self.config.name.clone();
        if name == old {
            return Ok(Outcome::Done);
        }
        self.core.check_new_name(self.uuid, &name)?;
        let definition = self.definition.as_ref();
        let renamed = definition.map(|old| old.with(|config| config.name = name.clone()));
        let definition = renamed.transpose()?.map(Arc::new);
        self.reserve_name(&old, &name)?;
        let renamed = self.rename_outside(&name, definition.as_ref()).await;
        let pending = renamed.inspect_err(|_| {
            // Only a new domain can have taken the old name meanwhile; then the new name stays
            // reserved, too.
            let _ = self.core.registry.rename(self.uuid, &name, &old);
        })?;
        self.reconfigure_running(|config| config.name = name).await?;
        if let Some(definition) = definition {
            self.store_definition(definition).await?;
        }
        let refreshed = self.refresh().await;
        pending.done();
        refreshed
    }

    /// Renames the domain in the fleet and on the hypervisor.
    async fn rename_outside(
        &self,
        name: &DomName,
        definition: Option<&Arc<CompleteConfig>>,
    ) -> Result<Box<dyn PendingCopy>, Error> {
        let pending = self.core.settings.ownership.rename(self.uuid, name, definition).await?;
        if let Some(domid) = self.domid {
            self.core.hypervisor.rename(domid, name, None).await?;
        }
        Ok(pending)
    }

    fn reserve_name(&self, old: &DomName, new: &DomName) -> Result<(), Error> {
        self.core.registry.rename(self.uuid, old, new).map_err(|owner| Error::NameTaken {
            name: new.to_string(),
            at: self.core.place_of(&owner),
        })
    }

    /// Takes over a name that another toolstack gave the domain. If another domain of xend has the
    /// name, the old one stays until the name is free.
    pub(super) async fn follow_name(&mut self, facts: &DomainFacts) {
        let old = self.config.name.clone();
        if facts.name == old
            || facts.domid == DomId::ZERO
            || self.reserve_name(&old, &facts.name).is_err()
        {
            return;
        }
        let name = &facts.name;
        let domid = facts.domid;
        info!(domain = %old, %domid, to = %name, "Domain was renamed by another toolstack");
        self.core.settings.ownership.renamed(self.uuid, name);
        if let Err(error) = self.reconfigure(|config| config.name = name.clone()).await {
            warn!(domain = %name, %domid, %error, "The new name could not be stored");
        }
    }
}

//! Names, from clients and from other toolstacks.

use super::state::Driver;
use crate::core::error::Error;
use crate::core::model::{DomId, DomName, DomainFacts};
use crate::core::op::Outcome;
use tracing::{info, warn};

impl Driver {
    pub(super) async fn rename(&mut self, name: DomName) -> Result<Outcome, Error> {
        let old = self.config.name.clone();
        if name == old {
            return Ok(Outcome::Done);
        }
        self.core.check_new_name(self.uuid, &name)?;
        self.core.settings.ownership.check().await?;
        self.reserve_name(&old, &name)?;
        let renamed = match self.domid {
            Some(domid) => self.core.hypervisor.rename(domid, &name, None).await,
            None => Ok(()),
        };
        if let Err(error) = renamed {
            // Only a new domain can have taken the old name meanwhile; then the new name stays
            // reserved, too.
            let _ = self.core.registry.rename(self.uuid, &name, &old);
            return Err(error);
        }
        self.reconfigure(|config| config.name = name.clone()).await?;
        self.refresh().await
    }

    fn reserve_name(&self, old: &DomName, new: &DomName) -> Result<(), Error> {
        self.core.registry.rename(self.uuid, old, new).map_err(|owner| Error::NameTaken {
            name: new.to_string(),
            domid: self.core.domid_of(&owner),
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
        if let Err(error) = self.reconfigure(|config| config.name = name.clone()).await {
            warn!(domain = %name, %domid, %error, "The new name could not be stored");
        }
    }
}

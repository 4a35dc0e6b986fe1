//! Names: those that clients give, and those that other toolstacks give.

use super::Driver;
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
        self.take_name(&old, &name)?;
        let renamed = match self.domid {
            Some(domid) => {
                limited!(self, "Rename", self.core.hypervisor.rename(domid, &name, None))
            }
            None => Ok(()),
        };
        if let Err(error) = renamed {
            // Nobody else could take the old name meanwhile but a new domain; then the new name
            // stays reserved too.
            let _ = self.core.registry.rename(self.uuid, &name, &old);
            return Err(error);
        }
        self.reconfigure(|config| config.name = name.clone()).await?;
        self.refresh().await
    }

    pub(super) fn take_name(&self, old: &DomName, new: &DomName) -> Result<(), Error> {
        self.core.registry.rename(self.uuid, old, new).map_err(|owner| Error::NameTaken {
            name: new.to_string(),
            domid: self.core.domid_of(&owner),
        })
    }

    /// Takes over the name that another toolstack gave the domain. If another domain of ours has
    /// it, the old one stays until it is free.
    pub(super) async fn follow_name(&mut self, facts: &DomainFacts) {
        let old = self.config.name.clone();
        if facts.name == old
            || facts.domid == DomId::ZERO
            || self.take_name(&old, &facts.name).is_err()
        {
            return;
        }
        info!(domain = %old, domid = %facts.domid, to = %facts.name, "Domain was renamed by somebody else");
        if let Err(error) = self.reconfigure(|config| config.name = facts.name.clone()).await {
            warn!(domain = %facts.name, domid = %facts.domid, %error, "The new name is not stored");
        }
    }
}

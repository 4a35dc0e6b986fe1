//! Domains that a user does not see.

use crate::core::caller::Caller;
use crate::core::context::Core;
use crate::core::error::{Error, Place};
use crate::core::model::{DomName, Invalid, Uuid};
use crate::core::rights::Right;
use tracing::{info, warn};

impl Core {
    /// Logs the users who got a domain by a rename, or lost it.
    pub(super) fn report_rename(&self, uuid: Uuid, old: &DomName, new: &DomName) {
        for user in self.settings.accounts.all() {
            let access = user.access();
            let sees = |name: &DomName| !access.rights_on(Some(uuid), name.as_str()).is_empty();
            let user = user.name();
            match (sees(old), sees(new)) {
                (true, false) => warn!(user, %old, %new, "A rename took a domain from a user"),
                (false, true) => warn!(user, %old, %new, "A rename gave a domain to a user"),
                _ => {}
            }
        }
    }

    /// The error as the caller may read it: without domains that the caller does not see.
    pub(super) fn without_hidden_domains(&self, caller: &Caller, error: Error) -> Error {
        if caller.is_operator() {
            return error;
        }
        let visible = self.visible(caller);
        let is_hidden = |name: &str| visible.by_name(&DomName::adopted(name)).is_none();
        match error {
            Error::NameIsIdentifier { name, owner, .. } if is_hidden(&owner) => {
                Invalid::new(format!("Invalid VM Name: {name:?} cannot be used, use another name"))
                    .into()
            }
            Error::Exists { name, .. } if is_hidden(&name) => {
                Error::Exists { name, at: Place::Here(None) }
            }
            Error::NameTaken { name, .. } if is_hidden(&name) => {
                Error::NameTaken { name, at: Place::Here(None) }
            }
            Error::UuidTaken { owner, .. } if is_hidden(&owner) => {
                Error::BeyondLimits("uuid: xend chooses the UUIDs of new domains".to_owned())
            }
            Error::PciTaken { device, address, owner } if is_hidden(&owner) => {
                Error::PciTaken { device, address, owner: "another domain".to_owned() }
            }
            Error::NoMemory { needed_kib, .. } if !caller.access().has(Right::HostFacts) => {
                Error::NoMemory { needed_kib, free_kib: None }
            }
            Error::OwnedElsewhere { domain, .. } if !caller.access().has(Right::HostFacts) => {
                Error::OwnedElsewhere { domain, host: "another host".to_owned() }
            }
            // Where etcd is concerns operators.
            Error::FleetUnavailable { reason } => {
                info!(%caller, reason, "The fleet did not permit the operation of a user");
                Error::FleetUnavailable { reason: "The fleet cannot be asked".to_owned() }
            }
            Error::OwnerUnknown { domain, reason } => {
                info!(%caller, reason, "The fleet did not permit the operation of a user");
                let reason = "The fleet cannot say to whom it belongs".to_owned();
                Error::OwnerUnknown { domain, reason }
            }
            // The other host speaks to an operator.
            Error::Remote { reason } => {
                info!(%caller, reason, "The other host did not take the domain of a user");
                Error::Remote { reason: "it does not take the domain".to_owned() }
            }
            error => error,
        }
    }
}

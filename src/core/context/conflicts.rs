//! Conflicts between domains: names, UUIDs and PCI functions that another domain has.

use crate::core::context::Core;
use crate::core::error::Error;
use crate::core::mailbox::Handle;
use crate::core::model::{Device, DomId, DomName, DomainRef, PciAddress, PciDevice, Uuid};
use crate::core::registry::Conflict;
use std::collections::HashSet;

impl Core {
    /// Registers a new domain, or fails with the domain that has its name or UUID.
    pub(in crate::core) fn reserve(
        &self,
        uuid: Uuid,
        name: &DomName,
        handle: Handle,
    ) -> Result<(), Error> {
        self.registry.reserve(uuid, name, handle).map_err(|conflict| match conflict {
            Conflict::Uuid(owner) if owner != *name => {
                Error::UuidTaken { uuid, owner: owner.to_string(), at: self.place_of(&uuid) }
            }
            Conflict::Uuid(_) => Error::Exists { name: name.to_string(), at: self.place_of(&uuid) },
            Conflict::Name(owner) => {
                Error::Exists { name: name.to_string(), at: self.place_of(&owner) }
            }
        })
    }

    /// Refuses names that no domain may have, and those by which clients already reach a domain:
    /// the domid of a domain on the host, or the UUID of another domain. Domain-0 can be renamed,
    /// as in xend; no other domain gets its name, by which scripts mean it.
    pub(in crate::core) fn check_new_name(&self, uuid: Uuid, name: &DomName) -> Result<(), Error> {
        name.check()?;
        let snapshot = self.snapshot();
        let as_ref = DomainRef::new(name.as_str());
        let by_domid =
            as_ref.domid().and_then(|domid| snapshot.by_domid(domid)).map(|view| ("domid", view));
        let other = as_ref.uuid().filter(|other| *other != uuid);
        let by_uuid =
            || other.and_then(|other| snapshot.by_uuid(&other)).map(|view| ("UUID", view));
        // A name that is taken has an error of its own.
        let is_domain0s = || name.as_str() == DomName::DOMAIN_0 && !self.registry.has_name(name);
        let domain0 = || {
            let domain0 = snapshot.by_domid(DomId::ZERO).filter(|view| view.uuid != uuid)?;
            is_domain0s().then_some(("first name", domain0))
        };
        match by_domid.or_else(by_uuid).or_else(domain0) {
            None => Ok(()),
            Some((what, view)) => Err(Error::NameIsIdentifier {
                name: name.to_string(),
                what,
                owner: view.name().to_string(),
            }),
        }
    }

    /// Refuses PCI functions that another domain on the host has.
    pub(in crate::core) fn check_pci_functions<'a>(
        &self,
        uuid: Uuid,
        devices: impl IntoIterator<Item = &'a Device>,
    ) -> Result<(), Error> {
        let snapshot = self.snapshot();
        for pci in devices.into_iter().filter_map(Device::as_pci) {
            let own: HashSet<PciAddress> = pci.addresses().collect();
            for view in snapshot.domains().filter(|view| view.uuid != uuid && view.facts.is_some())
            {
                let others = view.config.devices.iter().filter_map(Device::as_pci);
                let mut others = others.flat_map(PciDevice::addresses);
                if let Some(address) = others.find(|address| own.contains(address)) {
                    return Err(Error::PciTaken {
                        device: pci.id.unwrap_or_default(),
                        address,
                        owner: view.name().to_string(),
                    });
                }
            }
        }
        Ok(())
    }
}

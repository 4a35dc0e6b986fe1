//! Which driver minds which domain, and which names are taken, those of domains that are being
//! built included.

use super::driver::Handle;
use super::model::{DomName, Uuid};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

#[derive(Default)]
pub(super) struct Registry(Mutex<Tables>);

#[derive(Default)]
struct Tables {
    /// Each driver, and the name that its domain has.
    drivers: HashMap<Uuid, (Handle, DomName)>,
    names: HashMap<DomName, Uuid>,
}

/// What is in the way of a new domain.
pub(super) enum Taken {
    /// The domain with this UUID has the name.
    Name(Uuid),
    /// The domain with this name has the UUID.
    Uuid(DomName),
}

impl Registry {
    /// Takes a name and a UUID for a new domain, or says which domain has one of them.
    pub(super) fn reserve(&self, uuid: Uuid, name: &DomName, handle: Handle) -> Result<(), Taken> {
        let mut tables = self.lock();
        if let Some((_, owner)) = tables.drivers.get(&uuid) {
            return Err(Taken::Uuid(owner.clone()));
        }
        if let Some(owner) = tables.names.get(name) {
            return Err(Taken::Name(*owner));
        }
        tables.names.insert(name.clone(), uuid);
        tables.drivers.insert(uuid, (handle, name.clone()));
        Ok(())
    }

    /// Gives a domain another name. The error is the UUID of the domain that has it.
    pub(super) fn rename(&self, uuid: Uuid, from: &DomName, to: &DomName) -> Result<(), Uuid> {
        let mut tables = self.lock();
        match tables.names.get(to) {
            Some(owner) if *owner != uuid => return Err(*owner),
            Some(_) => return Ok(()),
            None => {}
        }
        tables.names.remove(from);
        tables.names.insert(to.clone(), uuid);
        if let Some((_, name)) = tables.drivers.get_mut(&uuid) {
            *name = to.clone();
        }
        Ok(())
    }

    /// Forgets a domain; its name and UUID are free again.
    pub(super) fn release(&self, uuid: &Uuid) {
        let mut tables = self.lock();
        if let Some((_, name)) = tables.drivers.remove(uuid) {
            tables.names.remove(&name);
        }
    }

    pub(super) fn driver(&self, uuid: &Uuid) -> Option<Handle> {
        self.lock().drivers.get(uuid).map(|(handle, _)| handle.clone())
    }

    pub(super) fn minds(&self, uuid: &Uuid) -> bool {
        self.lock().drivers.contains_key(uuid)
    }

    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! Drivers by UUID, and the names that are taken, those of domains being built included.

use super::mailbox::Handle;
use super::model::{DomName, Uuid};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

#[derive(Default)]
pub(super) struct Registry(Mutex<Tables>);

#[derive(Default)]
struct Tables {
    drivers: HashMap<Uuid, (Handle, DomName)>,
    names: HashMap<DomName, Uuid>,
}

/// Why a new domain cannot be registered.
pub(super) enum Conflict {
    /// The domain with this UUID has the name.
    Name(Uuid),
    /// The domain with this name has the UUID.
    Uuid(DomName),
}

impl Registry {
    /// Registers a new domain.
    pub(super) fn reserve(
        &self,
        uuid: Uuid,
        name: &DomName,
        handle: Handle,
    ) -> Result<(), Conflict> {
        let mut tables = self.lock();
        if let Some((_, owner)) = tables.drivers.get(&uuid) {
            return Err(Conflict::Uuid(owner.clone()));
        }
        if let Some(owner) = tables.names.get(name) {
            return Err(Conflict::Name(*owner));
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

    /// Removes a domain; its name and UUID are free again.
    pub(super) fn release(&self, uuid: &Uuid) {
        let mut tables = self.lock();
        if let Some((_, name)) = tables.drivers.remove(uuid) {
            tables.names.remove(&name);
        }
    }

    pub(super) fn get(&self, uuid: &Uuid) -> Option<Handle> {
        self.lock().drivers.get(uuid).map(|(handle, _)| handle.clone())
    }

    /// Whether a domain has the name.
    pub(super) fn has_name(&self, name: &DomName) -> bool {
        self.lock().names.contains_key(name)
    }

    pub(super) fn contains(&self, uuid: &Uuid) -> bool {
        self.lock().drivers.contains_key(uuid)
    }

    /// Domains with an operation that is going on, and the operation's name.
    pub(super) fn operations(&self) -> Vec<(DomName, &'static str)> {
        let tables = self.lock();
        let busy = |(handle, name): &(Handle, DomName)| Some((name.clone(), handle.operation()?));
        tables.drivers.values().filter_map(busy).collect()
    }

    /// The number of operations that are going on, and of requests that wait for one.
    pub(super) fn queued(&self) -> (usize, usize) {
        let tables = self.lock();
        let handles = tables.drivers.values().map(|(handle, _)| handle);
        handles.fold((0, 0), |(running, waiting), handle| {
            let is_running = usize::from(handle.operation().is_some());
            (running + is_running, waiting + handle.waiting())
        })
    }

    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

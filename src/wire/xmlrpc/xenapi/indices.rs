//! The indices of what callers see, which are kept between calls.
//!
//! Callers who see the same share them: all operators, and all sessions of a user. Snapshots are
//! filtered for a user, and so is what is indexed.

use super::index::VmIndex;
use super::item_changes::ItemChanges;
use super::kept_facts::KeptFacts;
use super::moment::VmStates;
use crate::core::inventory::Inventory;
use crate::core::model::{Text, Uuid};
use crate::core::snapshot::{ByScope, Snapshot};
use crate::core::view::View;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// How many users have indices. Those that were used least recently go.
const MAX_USERS: usize = 64;

/// The VDIs of an inventory, by the `uname` of disks that use them.
pub(crate) struct VdiIndex {
    inventory: Arc<Inventory>,
    by_uname: HashMap<Text, Uuid>,
}

impl VdiIndex {
    pub(crate) fn new(inventory: Arc<Inventory>) -> Self {
        let mut by_uname = HashMap::new();
        for (item, vdi) in inventory.vdis().filter(|(_, vdi)| !vdi.location.is_empty()) {
            by_uname.entry(vdi.uname()).or_insert(item.uuid);
        }
        Self { inventory, by_uname }
    }

    /// The inventory that is indexed.
    pub(crate) fn inventory(&self) -> &Arc<Inventory> {
        &self.inventory
    }

    pub(crate) fn vdi(&self, uname: &Text) -> Option<Uuid> {
        self.by_uname.get(uname).copied()
    }

    pub(crate) fn unames(&self) -> impl Iterator<Item = &Text> {
        self.by_uname.keys()
    }
}

/// What a visible inventory depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct InventoryVersion {
    /// A counter of changes of the whole inventory.
    inventory: u64,
    /// The last change of configurations: a user sees the images of visible VMs. 0 for operators,
    /// who see all.
    configs: u64,
}

/// The indices of one scope, and what else its calls share.
pub(crate) struct ScopeIndices {
    scope: u64,
    vms: Mutex<Arc<VmIndex>>,
    vdis: Mutex<Option<(InventoryVersion, Arc<VdiIndex>)>>,
    vm_states: Mutex<VmStates>,
    pub(crate) item_changes: ItemChanges,
    pub(crate) kept_facts: Arc<KeptFacts>,
}

impl ScopeIndices {
    fn new(scope: u64, host: Uuid) -> Self {
        Self {
            scope,
            vms: Mutex::new(Arc::new(VmIndex::new(host))),
            vdis: Mutex::default(),
            vm_states: Mutex::new(VmStates::new(scope)),
            item_changes: ItemChanges::default(),
            kept_facts: Arc::default(),
        }
    }

    /// The VMs for the comparison that makes events: at least as new as the snapshot, which must be
    /// one of this scope.
    pub(crate) fn vm_states(&self, snapshot: &Snapshot) -> VmStates {
        let mut current = self.vm_states.lock().unwrap_or_else(PoisonError::into_inner);
        current.follow(snapshot);
        current.clone()
    }

    /// An index that is at least as new as the snapshot, which must be one of this scope.
    pub(crate) fn vms(&self, snapshot: &Snapshot) -> Arc<VmIndex> {
        let mut current = self.vms.lock().unwrap_or_else(PoisonError::into_inner);
        if current.is_older_than(snapshot) {
            Arc::make_mut(&mut current).update(snapshot);
        }
        current.clone()
    }

    /// The index of the inventory that the caller of the view sees. `snapshot` is a snapshot of the
    /// caller's, which must be one of this scope.
    pub(crate) fn vdis(&self, view: &View, snapshot: &Snapshot) -> Arc<VdiIndex> {
        // Read before the inventory: a change in between is one too many, and not one too few.
        let version = InventoryVersion {
            inventory: *view.inventory_generations().borrow(),
            configs: if self.scope == Snapshot::ALL_DOMAINS {
                0
            } else {
                snapshot.config_changes.number()
            },
        };
        let mut current = self.vdis.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, index)) = current.as_ref().filter(|(known, _)| *known == version) {
            return index.clone();
        }
        let inventory = view.inventory();
        // Most changes of VMs change nothing of what a user sees of the inventory.
        let known = current.take().map(|(_, index)| index);
        let same = known.filter(|known| known.inventory.is_same(&inventory));
        let index = same.unwrap_or_else(|| Arc::new(VdiIndex::new(inventory)));
        *current = Some((version, index.clone()));
        index
    }
}

/// The indices of all scopes in use.
pub(crate) struct Indices {
    host: Uuid,
    scopes: ByScope<ScopeIndices>,
}

impl Indices {
    /// Indices of the host with this UUID.
    pub(crate) fn new(host: Uuid) -> Self {
        let of_all = ScopeIndices::new(Snapshot::ALL_DOMAINS, host);
        Self { host, scopes: ByScope::new(of_all, MAX_USERS) }
    }

    /// The indices of the snapshot's scope.
    pub(crate) fn of(&self, snapshot: &Snapshot) -> Arc<ScopeIndices> {
        self.scopes.get(snapshot, || ScopeIndices::new(snapshot.scope, self.host))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::{Device, DomName, DomainConfig, Vif};
    use crate::core::snapshot::fixtures::{running, snapshot, with_domains};

    const ALL: u64 = Snapshot::ALL_DOMAINS;
    const HOST: Uuid = Uuid::from_u128(0xb05);

    /// A snapshot of a scope, with a VM that is on a bridge with the scope's name.
    fn of_scope(scope: u64) -> Snapshot {
        let mut config = DomainConfig::new(DomName::adopted("a"), 64);
        let bridge = Some(format!("br{scope}").as_str().into());
        config.devices.push(Device::Vif(Vif { bridge, ..Vif::default() }));
        in_scope(scope, with_domains(snapshot(&[]), [running(1, config)]))
    }

    fn in_scope(scope: u64, mut snapshot: Snapshot) -> Snapshot {
        snapshot.scope = scope;
        snapshot
    }

    fn bridges(indices: &Indices, snapshot: &Snapshot) -> Vec<String> {
        let index = indices.of(snapshot).vms(snapshot);
        index.bridges().map(ToString::to_string).collect()
    }

    #[test]
    fn each_scope_has_indices_of_its_own() {
        let indices = Indices::new(HOST);
        for scope in [ALL, 1, 2, 1, ALL, u64::MAX] {
            assert_eq!(bridges(&indices, &of_scope(scope)), [format!("br{scope}")]);
        }
        assert!(bridges(&indices, &in_scope(3, snapshot(&[]))).is_empty());
    }

    #[test]
    fn the_scopes_that_were_not_used_for_longest_go() {
        let indices = Indices::new(HOST);
        let first = of_scope(1);
        let index = Arc::downgrade(&indices.of(&first));
        let second = Arc::downgrade(&indices.of(&of_scope(2)));
        let operators = Arc::downgrade(&indices.of(&of_scope(ALL)));
        for scope in 3..=MAX_USERS as u64 + 1 {
            indices.of(&first);
            indices.of(&of_scope(scope));
        }
        assert!(index.upgrade().is_some() && operators.upgrade().is_some());
        assert!(second.upgrade().is_none());
        assert_eq!(indices.scopes.scopes().len(), MAX_USERS);
    }
}

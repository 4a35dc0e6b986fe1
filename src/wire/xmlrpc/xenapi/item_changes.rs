//! Changes of the inventory that one scope sees. They are found once for all who wait for them.

use super::object_change::{ObjectChange, operation};
use crate::core::inventory::Inventory;
use crate::core::model::{Item, ObjectKind};
use std::sync::{Arc, Mutex, PoisonError};

/// The class of an item; `None` for client data without an object of its own.
fn class_of_item(item: &Item) -> Option<&'static str> {
    match item.kind {
        ObjectKind::Vdi(_) => Some("VDI"),
        ObjectKind::Network(_) => Some("network"),
        ObjectKind::Vlan(_) => Some("PIF"),
        ObjectKind::Pool(_) => Some("cpu_pool"),
        ObjectKind::Pbd => Some("PBD"),
        ObjectKind::DataOnly => None,
    }
}

/// The difference between two inventories.
#[derive(Debug)]
struct Difference {
    before: Arc<Inventory>,
    now: Arc<Inventory>,
    changes: Arc<[ObjectChange]>,
}

impl Difference {
    fn new(before: &Arc<Inventory>, now: &Arc<Inventory>) -> Self {
        let gone = before.items().filter(|item| now.get(&item.uuid).is_none());
        let changes = now.items().chain(gone).filter_map(|item| {
            let was = before.get(&item.uuid);
            let is = now.get(&item.uuid);
            let operation = operation(was, is, |a, b| !Arc::ptr_eq(a, b) && a != b)?;
            Some((class_of_item(item)?, operation, item.uuid))
        });
        Self { before: before.clone(), now: now.clone(), changes: changes.collect() }
    }
}

/// The difference that was asked for last: those who wait for events all ask for the same one.
#[derive(Debug, Default)]
pub(crate) struct ItemChanges(Mutex<Option<Difference>>);

impl ItemChanges {
    /// The changes between two inventories, in no particular order.
    pub(crate) fn between(
        &self,
        before: &Arc<Inventory>,
        now: &Arc<Inventory>,
    ) -> Arc<[ObjectChange]> {
        if Arc::ptr_eq(before, now) {
            return Arc::default();
        }
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_same =
            |last: &&Difference| Arc::ptr_eq(&last.before, before) && Arc::ptr_eq(&last.now, now);
        if let Some(last) = last.as_ref().filter(is_same) {
            return last.changes.clone();
        }
        last.insert(Difference::new(before, now)).changes.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::{ClientData, Network, Uuid};

    fn network(uuid: u128, name: &str) -> Arc<Item> {
        let kind = ObjectKind::Network(Network::new(name).unwrap());
        let uuid = Uuid::from_u128(uuid);
        Arc::new(Item { uuid, kind, client_data: ClientData::default() })
    }

    #[test]
    fn a_difference_is_found_once() {
        let kept = network(1, "a");
        let before = Arc::new(Inventory::of([kept.clone(), network(2, "b"), network(3, "c")]));
        let now =
            Arc::new(Inventory::of([kept, network(2, "b"), network(3, "d"), network(4, "e")]));
        let changes = ItemChanges::default();
        let found = changes.between(&before, &now);
        let uuid = Uuid::from_u128;
        assert_eq!(*found, [("network", "mod", uuid(3)), ("network", "add", uuid(4))]);
        assert!(Arc::ptr_eq(&found, &changes.between(&before, &now)));
        assert_eq!(
            *changes.between(&now, &before),
            [("network", "mod", uuid(3)), ("network", "del", uuid(4))]
        );
        assert!(changes.between(&now, &now).is_empty());
    }
}

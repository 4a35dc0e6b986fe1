//! The objects of the host beside its domains: disk images, networks, CPU pools and client data.
//!
//! Reads come from one immutable [`Inventory`]. A change is published when it is stored.

use super::content_size::{content_size, with_replaced};
use super::error::Error;
use super::model::{
    ClientData, CompleteConfig, Device, Item, Network, ObjectKind, Pool, Text, Uuid, Vdi, Vlan,
};
use super::ports::Store;
use super::rights::{Access, Right};
use arc_swap::ArcSwap;
use rpds::RedBlackTreeMapSync;
use std::collections::HashSet;
use std::error::Error as _;
use std::sync::Arc;
use tokio::sync::{Mutex, MutexGuard, watch};
use tracing::error;

const MAX_ITEMS: usize = 100_000;

/// All objects at one moment. An inventory shares its structure with the one before it.
#[derive(Debug, Clone)]
pub struct Inventory {
    items: RedBlackTreeMapSync<Uuid, Arc<Item>>,
    /// The bytes of all items that there were before and are not any more: whoever keeps an earlier
    /// inventory keeps the difference in memory.
    replaced: u64,
}

impl Default for Inventory {
    fn default() -> Self {
        Self { items: RedBlackTreeMapSync::new_sync(), replaced: 0 }
    }
}

impl Inventory {
    /// These items alone.
    #[cfg(test)]
    pub(crate) fn of(items: impl IntoIterator<Item = Arc<Item>>) -> Self {
        Self { items: items.into_iter().map(|item| (item.uuid, item)).collect(), replaced: 0 }
    }

    /// Records that an item is about to be another one, or to go.
    fn add_change(&mut self, uuid: &Uuid) {
        let old = self.get(uuid).map_or(0, |item| content_size(&**item));
        self.replaced = with_replaced(self.replaced, old);
    }

    /// The item with this UUID.
    pub fn get(&self, uuid: &Uuid) -> Option<&Arc<Item>> {
        self.items.get(uuid)
    }

    /// All items.
    pub fn items(&self) -> impl Iterator<Item = &Arc<Item>> {
        self.items.values()
    }

    /// Whether both have the very same items.
    pub fn is_same(&self, other: &Self) -> bool {
        let same = |(own, other): (&Arc<Item>, &Arc<Item>)| Arc::ptr_eq(own, other);
        self.items.size() == other.items.size()
            && self.items.values().zip(other.items.values()).all(same)
    }

    /// All disk images.
    pub fn vdis(&self) -> impl Iterator<Item = (&Arc<Item>, &Vdi)> {
        self.items().filter_map(|item| match &item.kind {
            ObjectKind::Vdi(vdi) => Some((item, vdi)),
            _ => None,
        })
    }

    /// The disk image with this UUID.
    pub fn vdi(&self, uuid: &Uuid) -> Option<(&Arc<Item>, &Vdi)> {
        self.get(uuid).and_then(|item| match &item.kind {
            ObjectKind::Vdi(vdi) => Some((item, vdi)),
            _ => None,
        })
    }

    /// All networks that clients created.
    pub fn networks(&self) -> impl Iterator<Item = (&Arc<Item>, &Network)> {
        self.items().filter_map(|item| match &item.kind {
            ObjectKind::Network(network) => Some((item, network)),
            _ => None,
        })
    }

    /// All virtual LANs that clients created.
    pub fn vlans(&self) -> impl Iterator<Item = (&Arc<Item>, &Vlan)> {
        self.items().filter_map(|item| match &item.kind {
            ObjectKind::Vlan(vlan) => Some((item, vlan)),
            _ => None,
        })
    }

    /// All stored CPU pools.
    pub fn pools(&self) -> impl Iterator<Item = (&Arc<Item>, &Pool)> {
        self.items().filter_map(|item| match &item.kind {
            ObjectKind::Pool(pool) => Some((item, pool)),
            _ => None,
        })
    }

    /// The part that a user sees. `configs` are the configurations of the domains that the user
    /// sees.
    pub(super) fn visible_to(&self, access: &Access, configs: &[Arc<CompleteConfig>]) -> Self {
        let has_host = access.has(Right::HostFacts);
        let devices = configs.iter().flat_map(|config| &config.devices);
        let blocks = devices.filter_map(Device::as_block);
        let unames: HashSet<&Text> = blocks.map(|block| &block.uname).collect();
        let sees = |item: &Item| match &item.kind {
            // By the path of a disk, which the limits of the account bound: a user may name the
            // UUID of any image in a disk.
            ObjectKind::Vdi(vdi) => {
                let uname = vdi.uname();
                !uname.is_empty() && unames.contains(&uname)
            }
            ObjectKind::Network(network) => {
                has_host || configs.iter().any(|config| config.is_on_bridge(&network.bridge))
            }
            ObjectKind::Vlan(_) | ObjectKind::Pool(_) | ObjectKind::Pbd | ObjectKind::DataOnly => {
                has_host
            }
        };
        let visible = self.items.iter().filter(|(_, item)| sees(item));
        let items = visible.map(|(uuid, item)| (*uuid, item.clone())).collect();
        Self { items, replaced: self.replaced }
    }

    /// The client data of an object; `None` if there are none.
    pub fn client_data(&self, object: &Uuid) -> Option<&ClientData> {
        self.get(object).map(|item| &item.client_data)
    }
}

/// The current inventory, and its changes.
pub(super) struct LiveInventory {
    store: Arc<dyn Store>,
    current: ArcSwap<Inventory>,
    generation: watch::Sender<u64>,
    writer: Mutex<()>,
}

/// The exclusive right to change the inventory.
pub(super) struct InventoryWriter<'a> {
    inventory: &'a LiveInventory,
    _lock: MutexGuard<'a, ()>,
}

impl LiveInventory {
    /// Reads the stored items, and recovers the images that belong to them. If the local storage
    /// cannot be used, only what needs it fails.
    pub(super) async fn load(store: Arc<dyn Store>) -> Result<Self, Error> {
        let items = store.items().await?;
        let own = |item: &Item| matches!(&item.kind, ObjectKind::Vdi(vdi) if vdi.own);
        let images: Vec<Uuid> =
            items.iter().filter(|item| own(item)).map(|item| item.uuid).collect();
        if let Err(error) = store.recover_images(&images).await {
            let source = error.source().map(ToString::to_string);
            error!(%error, source, "The disk images could not be looked through");
        }
        let items = items.into_iter().map(|item| (item.uuid, Arc::new(item))).collect();
        Ok(Self {
            store,
            current: ArcSwap::from_pointee(Inventory { items, replaced: 0 }),
            generation: watch::Sender::new(0),
            writer: Mutex::default(),
        })
    }

    pub(super) fn current(&self) -> Arc<Inventory> {
        self.current.load_full()
    }

    /// A number that grows with each change, by what it replaces: [`Inventory::replaced`]. Slow
    /// readers see only the latest.
    pub(super) fn generations(&self) -> watch::Receiver<u64> {
        self.generation.subscribe()
    }

    /// Waits for the right to change the inventory.
    pub(super) async fn write(&self) -> InventoryWriter<'_> {
        InventoryWriter { inventory: self, _lock: self.writer.lock().await }
    }

    fn publish(&self, next: Inventory) {
        let replaced = next.replaced;
        self.current.store(Arc::new(next));
        self.generation.send_replace(replaced);
    }
}

impl InventoryWriter<'_> {
    /// The inventory, which nobody else can change at the moment.
    pub(super) fn current(&self) -> Arc<Inventory> {
        self.inventory.current()
    }

    /// Stores an item, in the place of an earlier one with its UUID.
    pub(super) async fn put(&self, item: Item) -> Result<(), Error> {
        let mut next = Inventory::clone(&self.current());
        if next.items.size() >= MAX_ITEMS && !next.items.contains_key(&item.uuid) {
            return Err(Error::LimitReached(format!("There are {MAX_ITEMS} objects already")));
        }
        self.inventory.store.save_object(&item).await?;
        next.add_change(&item.uuid);
        next.items.insert_mut(item.uuid, Arc::new(item));
        self.inventory.publish(next);
        Ok(())
    }

    /// Removes an item.
    pub(super) async fn remove(&self, uuid: Uuid) -> Result<(), Error> {
        let mut next = Inventory::clone(&self.current());
        self.inventory.store.remove_object(uuid).await?;
        next.add_change(&uuid);
        next.items.remove_mut(&uuid);
        self.inventory.publish(next);
        Ok(())
    }
}

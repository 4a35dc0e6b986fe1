//! What the host has beside its domains: disk images, networks that somebody made, and notes.
//!
//! Reads come from one immutable [`Inventory`], which is published when what changed is on the
//! disk.

use super::error::Error;
use super::model::{
    Invalid, Item, Network, NoteChange, Notes, Pool, Thing, Uuid, Vdi, VdiSetting, Vlan,
};
use super::ports::Store;
use super::snapshot::{DomainView, Snapshot};
use arc_swap::ArcSwap;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::{Mutex, MutexGuard, watch};

/// More than anybody has.
const MOST: usize = 100_000;

/// The largest image, in bytes: 16 TiB, what ext4 takes in a file.
const LARGEST: u64 = 16 << 40;

/// What the host has, at one moment.
#[derive(Debug, Clone, Default)]
pub struct Inventory {
    items: BTreeMap<Uuid, Arc<Item>>,
}

impl Inventory {
    /// One item.
    pub fn get(&self, uuid: &Uuid) -> Option<&Arc<Item>> {
        self.items.get(uuid)
    }

    /// All of them.
    pub fn items(&self) -> impl Iterator<Item = &Arc<Item>> {
        self.items.values()
    }

    /// The disk images.
    pub fn vdis(&self) -> impl Iterator<Item = (&Arc<Item>, &Vdi)> {
        self.items().filter_map(|item| match &item.thing {
            Thing::Vdi(vdi) => Some((item, vdi)),
            _ => None,
        })
    }

    /// One disk image.
    pub fn vdi(&self, uuid: &Uuid) -> Option<(&Arc<Item>, &Vdi)> {
        self.get(uuid).and_then(|item| match &item.thing {
            Thing::Vdi(vdi) => Some((item, vdi)),
            _ => None,
        })
    }

    /// The networks that somebody made.
    pub fn networks(&self) -> impl Iterator<Item = (&Arc<Item>, &Network)> {
        self.items().filter_map(|item| match &item.thing {
            Thing::Network(network) => Some((item, network)),
            _ => None,
        })
    }

    /// The virtual LANs that somebody made.
    pub fn vlans(&self) -> impl Iterator<Item = (&Arc<Item>, &Vlan)> {
        self.items().filter_map(|item| match &item.thing {
            Thing::Vlan(vlan) => Some((item, vlan)),
            _ => None,
        })
    }

    /// The stored CPU pools.
    pub fn pools(&self) -> impl Iterator<Item = (&Arc<Item>, &Pool)> {
        self.items().filter_map(|item| match &item.thing {
            Thing::Pool(pool) => Some((item, pool)),
            _ => None,
        })
    }

    /// What is noted on an object; none if nothing is.
    pub fn notes(&self, object: &Uuid) -> Option<&Notes> {
        self.get(object).map(|item| &item.notes)
    }
}

pub(super) struct Stock {
    current: ArcSwap<Inventory>,
    /// One change at a time.
    writing: Mutex<()>,
    generation: watch::Sender<u64>,
}

fn no_such(class: &'static str, uuid: Uuid) -> Error {
    Error::NoSuchObject { class, name: uuid.to_string() }
}

impl Stock {
    /// Takes over what is stored.
    pub(super) async fn load(store: &dyn Store) -> Result<Self, Error> {
        let items = store.items().await?;
        let own = |item: &Item| matches!(&item.thing, Thing::Vdi(vdi) if vdi.own);
        let images: Vec<Uuid> =
            items.iter().filter(|item| own(item)).map(|item| item.uuid).collect();
        store.recover_images(&images).await?;
        let items = items.into_iter().map(|item| (item.uuid, Arc::new(item))).collect();
        let (current, generation) =
            (ArcSwap::from_pointee(Inventory { items }), watch::Sender::new(0));
        Ok(Self { current, writing: Mutex::default(), generation })
    }

    pub(super) fn current(&self) -> Arc<Inventory> {
        self.current.load_full()
    }

    /// Tells of each change, or of the last of several.
    pub(super) fn generations(&self) -> watch::Receiver<u64> {
        self.generation.subscribe()
    }

    /// Makes an image of a size without a location, and makes it known. A copy has the bytes of
    /// another image of ours.
    pub(super) async fn create_vdi(
        &self,
        store: &dyn Store,
        uuid: Uuid,
        mut vdi: Vdi,
        notes: Notes,
        copy: Option<Uuid>,
    ) -> Result<(), Error> {
        let _turn = self.turn().await;
        let known = self.current();
        if known.items.contains_key(&uuid) {
            return Err(Invalid::new(format!("uuid: {uuid} is known already")).into());
        }
        if vdi.size > LARGEST {
            return Err(Invalid::new(format!(
                "virtual_size: {} is above {LARGEST} bytes",
                vdi.size
            ))
            .into());
        }
        vdi.own = vdi.location.is_empty() && vdi.size > 0;
        if vdi.own {
            let from = copy.map(|from| original(store, &known, from)).transpose()?;
            store.begin_image(uuid, vdi.size, from.as_deref()).await?;
            vdi.location =
                [b"file:", store.image(uuid).as_os_str().as_encoded_bytes()].concat().into();
        }
        let own = vdi.own;
        let item = Item { uuid, thing: Thing::Vdi(vdi), notes };
        if let Err(error) = self.keep(store, item).await {
            if own {
                let _ = store.drop_image(uuid).await;
            }
            return Err(error);
        }
        if own { store.finish_image(uuid).await } else { Ok(()) }
    }

    pub(super) async fn set_vdi(
        &self,
        store: &dyn Store,
        uuid: Uuid,
        setting: VdiSetting,
    ) -> Result<(), Error> {
        let _turn = self.turn().await;
        let known = self.current();
        let (item, vdi) = known.vdi(&uuid).ok_or_else(|| no_such("VDI", uuid))?;
        let mut vdi = vdi.clone();
        match setting {
            VdiSetting::Size(size) if size < vdi.size => {
                let reason = format!(
                    "virtual_size: {size} is less than {}: an image does not shrink",
                    vdi.size
                );
                return Err(Invalid::new(reason).into());
            }
            VdiSetting::Size(size) if size > LARGEST => {
                return Err(
                    Invalid::new(format!("virtual_size: {size} is above {LARGEST} bytes")).into()
                );
            }
            VdiSetting::Size(size) => {
                if vdi.own {
                    store.grow_image(uuid, size).await?;
                }
                vdi.size = size;
            }
            VdiSetting::Sharable(on) => vdi.sharable = on,
            VdiSetting::ReadOnly(on) => vdi.read_only = on,
        }
        self.keep(store, Item { thing: Thing::Vdi(vdi), ..Item::clone(item) }).await
    }

    /// Forgets an image that no domain uses. One of ours is removed.
    pub(super) async fn destroy_vdi(
        &self,
        store: &dyn Store,
        domains: &Snapshot,
        uuid: Uuid,
    ) -> Result<(), Error> {
        let _turn = self.turn().await;
        let known = self.current();
        let (_, vdi) = known.vdi(&uuid).ok_or_else(|| no_such("VDI", uuid))?;
        let uname = vdi.uname();
        let uses =
            |view: &&Arc<DomainView>| view.configs().any(|config| config.uses_vdi(uuid, &uname));
        if let Some(user) = domains.domains().find(uses) {
            return Err(Error::InUse { what: "VDI", by: user.name().to_string() });
        }
        if vdi.own {
            store.withdraw_image(uuid).await?;
        }
        self.forget(store, uuid).await?;
        if vdi.own { store.drop_image(uuid).await } else { Ok(()) }
    }

    /// Notes another way to attach the local storage.
    pub(super) async fn create_pbd(
        &self,
        store: &dyn Store,
        uuid: Uuid,
        notes: Notes,
    ) -> Result<(), Error> {
        let _turn = self.turn().await;
        self.keep(store, Item { uuid, thing: Thing::Pbd, notes }).await
    }

    /// Forgets it.
    pub(super) async fn destroy_pbd(&self, store: &dyn Store, uuid: Uuid) -> Result<(), Error> {
        let _turn = self.turn().await;
        let known = self.current();
        known
            .get(&uuid)
            .filter(|item| item.thing == Thing::Pbd)
            .ok_or_else(|| no_such("PBD", uuid))?;
        self.forget(store, uuid).await
    }

    /// Notes something on an object that is no domain and no device.
    pub(super) async fn note(
        &self,
        store: &dyn Store,
        object: Uuid,
        change: &NoteChange,
    ) -> Result<(), Error> {
        let _turn = self.turn().await;
        let known = self.current();
        let mut item = known.get(&object).map_or_else(
            || Item { uuid: object, thing: Thing::Noted, notes: Notes::default() },
            |item| Item::clone(item),
        );
        change.apply(&mut item.notes)?;
        self.keep(store, item).await
    }

    /// Whoever changes something has it all to himself.
    pub(super) async fn turn(&self) -> MutexGuard<'_, ()> {
        self.writing.lock().await
    }

    /// Stores an item. Only in a [`turn`](Self::turn).
    pub(super) async fn keep(&self, store: &dyn Store, item: Item) -> Result<(), Error> {
        let mut next = Inventory::clone(&self.current.load());
        if next.items.len() >= MOST && !next.items.contains_key(&item.uuid) {
            return Err(Error::Unsupported(format!("There are {MOST} objects already")));
        }
        store.save_item(&item).await?;
        next.items.insert(item.uuid, Arc::new(item));
        self.publish(next);
        Ok(())
    }

    /// Forgets one. Only in a [`turn`](Self::turn).
    pub(super) async fn forget(&self, store: &dyn Store, uuid: Uuid) -> Result<(), Error> {
        let mut next = Inventory::clone(&self.current.load());
        store.remove_item(uuid).await?;
        next.items.remove(&uuid);
        self.publish(next);
        Ok(())
    }

    fn publish(&self, next: Inventory) {
        self.current.store(Arc::new(next));
        self.generation.send_modify(|generation| *generation += 1);
    }
}

/// The file of an image of ours.
fn original(store: &dyn Store, known: &Inventory, from: Uuid) -> Result<PathBuf, Error> {
    let (_, vdi) = known.vdi(&from).ok_or_else(|| no_such("VDI", from))?;
    if vdi.own {
        Ok(store.image(from))
    } else {
        Err(Error::Unsupported(format!(
            "VDI {from} is no image of this host's and cannot be copied"
        )))
    }
}

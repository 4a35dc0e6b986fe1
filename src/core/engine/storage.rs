//! Disk images, attachments of the storage (PBDs), and client data on objects.

use crate::core::context::Core;
use crate::core::error::Error;
use crate::core::inventory::Inventory;
use crate::core::model::{
    ClientData, ClientDataChange, Invalid, Item, ObjectKind, Uuid, Vdi, VdiSetting,
};
use crate::core::op::ImageContent;
use crate::core::snapshot::DomainView;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The largest image, in bytes: 16 TiB, the largest file on ext4.
const MAX_IMAGE_BYTES: u64 = 16 << 40;

fn no_such(class: &'static str, uuid: Uuid) -> Error {
    Error::NoSuchObject { class, name: uuid.to_string() }
}

fn known_already(uuid: Uuid) -> Error {
    Invalid::new(format!("uuid: {uuid} is known already")).taken().into()
}

impl Core {
    /// Adds an image to the inventory. If it has a size and no location, the image is made. It goes
    /// on to its end if the client hangs up.
    pub(super) async fn create_vdi(
        self: &Arc<Self>,
        uuid: Uuid,
        vdi: Vdi,
        client_data: ClientData,
        content: ImageContent,
    ) -> Result<(), Error> {
        let core = self.clone();
        let create = async move { core.make_vdi(uuid, vdi, client_data, content).await };
        self.tasks.spawn(create).await.unwrap_or(Err(Error::Stopping))
    }

    /// The image is made before the inventory is locked: nobody waits for a large one.
    async fn make_vdi(
        &self,
        uuid: Uuid,
        mut vdi: Vdi,
        client_data: ClientData,
        content: ImageContent,
    ) -> Result<(), Error> {
        let _claim = match content {
            // The upload has it.
            ImageContent::Uploaded => None,
            ImageContent::Empty | ImageContent::CopyOf(_) => Some(self.image_claims.claim(uuid)?),
        };
        let current = self.inventory.current();
        if current.get(&uuid).is_some() {
            return Err(known_already(uuid));
        }
        let source = match content {
            ImageContent::CopyOf(from) => Some(self.image_to_copy(&current, from)?),
            ImageContent::Empty | ImageContent::Uploaded => None,
        };
        if let Some((_, size)) = source {
            // A copy is as large as its source, or larger.
            vdi.size = vdi.size.max(size);
        }
        check_size(vdi.size)?;
        vdi.own = vdi.location.is_empty() && vdi.size > 0;
        let own = vdi.own;
        if own {
            let made = async {
                match (content, source) {
                    (ImageContent::Uploaded, _) => self.store.seal_image(uuid, vdi.size).await,
                    (_, Some((file, _))) => self.copy_image(uuid, vdi.size, &file).await,
                    (_, None) => self.store.begin_image(uuid, vdi.size).await,
                }
            };
            let made = self.storage_call("Making a disk image", made).await;
            made.map_err(|error| self.without_source(content, error))?;
            let path = self.store.image(uuid);
            vdi.location = [b"file:", path.as_os_str().as_encoded_bytes()].concat().into();
        }
        let inventory = self.inventory.write().await;
        let added = if inventory.current().get(&uuid).is_some() {
            Err(known_already(uuid))
        } else {
            inventory.put(Item { uuid, kind: ObjectKind::Vdi(vdi), client_data }).await
        };
        if let Err(error) = added {
            if own {
                let _ = self.drop_image(uuid).await;
            }
            return Err(error);
        }
        if !own {
            return Ok(());
        }
        self.storage_call("Making a disk image", self.store.finish_image(uuid)).await
    }

    /// Copies an image, if there is room for its data.
    async fn copy_image(&self, uuid: Uuid, size: u64, from: &Path) -> Result<(), Error> {
        let used = self.store.extents(vec![from.to_owned()]).await;
        let used = used.into_iter().flatten().next().map_or(0, |usage| usage.used);
        let mut room = self.reserve_room(used).await?;
        let copied = Box::new(move |bytes| room.take(bytes));
        self.store.copy_image(uuid, size, from, copied).await
    }

    /// The error of an image that could not be made. The image that it was to be a copy of can have
    /// been removed meanwhile.
    fn without_source(&self, content: ImageContent, error: Error) -> Error {
        match content {
            ImageContent::CopyOf(from) if self.inventory.current().vdi(&from).is_none() => {
                no_such("VDI", from)
            }
            _ => error,
        }
    }

    async fn drop_image(&self, uuid: Uuid) -> Result<(), Error> {
        self.storage_call("Removing a disk image", self.store.drop_image(uuid)).await
    }

    /// The file of an image that xend made, and its size.
    fn image_to_copy(&self, inventory: &Inventory, uuid: Uuid) -> Result<(PathBuf, u64), Error> {
        let (_, vdi) = inventory.vdi(&uuid).ok_or_else(|| no_such("VDI", uuid))?;
        if vdi.own {
            Ok((self.store.image(uuid), vdi.size))
        } else {
            Err(Error::Unsupported(format!(
                "VDI {uuid} is no image of this host's and cannot be copied"
            )))
        }
    }

    pub(super) async fn set_vdi(&self, uuid: Uuid, setting: VdiSetting) -> Result<(), Error> {
        let _claim = match setting {
            VdiSetting::Size(size) => {
                let claim = self.image_claims.claim(uuid)?;
                self.grow_vdi(uuid, size).await?;
                Some(claim)
            }
            VdiSetting::Sharable(_) | VdiSetting::ReadOnly(_) => None,
        };
        let inventory = self.inventory.write().await;
        let current = inventory.current();
        let (item, vdi) = current.vdi(&uuid).ok_or_else(|| no_such("VDI", uuid))?;
        let mut vdi = vdi.clone();
        match setting {
            VdiSetting::Size(size) => vdi.size = size,
            VdiSetting::Sharable(on) => vdi.sharable = on,
            VdiSetting::ReadOnly(on) => vdi.read_only = on,
        }
        inventory.put(Item { kind: ObjectKind::Vdi(vdi), ..Item::clone(item) }).await
    }

    /// Grows an image that is claimed. What a guest has written is made durable with it, which can
    /// take long.
    async fn grow_vdi(&self, uuid: Uuid, size: u64) -> Result<(), Error> {
        let current = self.inventory.current();
        let (_, vdi) = current.vdi(&uuid).ok_or_else(|| no_such("VDI", uuid))?;
        if size < vdi.size {
            let reason =
                format!("virtual_size: {size} is less than {}: an image does not shrink", vdi.size);
            return Err(Invalid::new(reason).into());
        }
        check_size(size)?;
        if !vdi.own {
            return Ok(());
        }
        self.storage_call("Growing a disk image", self.store.grow_image(uuid, size)).await
    }

    /// Removes an image that no domain uses from the inventory, and its file if xend made it.
    pub(super) async fn destroy_vdi(&self, uuid: Uuid) -> Result<(), Error> {
        let _claim = self.image_claims.claim(uuid)?;
        let inventory = self.inventory.write().await;
        let current = inventory.current();
        let (_, vdi) = current.vdi(&uuid).ok_or_else(|| no_such("VDI", uuid))?;
        let uname = vdi.uname();
        let uses =
            |view: &&Arc<DomainView>| view.configs().any(|config| config.uses_vdi(uuid, &uname));
        if let Some(user) = self.snapshot().domains().find(uses) {
            return Err(Error::InUse { what: "VDI", by: user.name().to_string() });
        }
        if vdi.own {
            let withdrawn = self.store.withdraw_image(uuid);
            self.storage_call("Removing a disk image", withdrawn).await?;
        }
        inventory.remove(uuid).await?;
        // To delete a large file takes long.
        drop(inventory);
        if vdi.own { self.drop_image(uuid).await } else { Ok(()) }
    }

    /// Adds an attachment of the local storage.
    pub(super) async fn create_pbd(
        &self,
        uuid: Uuid,
        client_data: ClientData,
    ) -> Result<(), Error> {
        self.inventory.write().await.put(Item { uuid, kind: ObjectKind::Pbd, client_data }).await
    }

    pub(super) async fn destroy_pbd(&self, uuid: Uuid) -> Result<(), Error> {
        let inventory = self.inventory.write().await;
        let current = inventory.current();
        let pbd = current.get(&uuid).filter(|item| item.kind == ObjectKind::Pbd);
        pbd.ok_or_else(|| no_such("PBD", uuid))?;
        inventory.remove(uuid).await
    }

    /// Changes the client data of an object that is neither a domain nor a device.
    pub(super) async fn change_client_data(
        &self,
        object: Uuid,
        change: &ClientDataChange,
    ) -> Result<(), Error> {
        let inventory = self.inventory.write().await;
        let mut item = inventory.current().get(&object).map_or_else(
            || Item {
                uuid: object,
                kind: ObjectKind::DataOnly,
                client_data: ClientData::default(),
            },
            |item| Item::clone(item),
        );
        change.apply(&mut item.client_data)?;
        inventory.put(item).await
    }
}

pub(super) fn check_size(bytes: u64) -> Result<(), Invalid> {
    if bytes > MAX_IMAGE_BYTES {
        return Err(Invalid::new(format!(
            "virtual_size: {bytes} is above {MAX_IMAGE_BYTES} bytes"
        )));
    }
    Ok(())
}

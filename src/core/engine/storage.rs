//! Disk images, attachments of the storage (PBDs), and client data on objects.

use crate::core::context::Core;
use crate::core::error::Error;
use crate::core::inventory::Inventory;
use crate::core::model::{
    ClientData, ClientDataChange, Invalid, Item, ObjectKind, Uuid, Vdi, VdiSetting,
};
use crate::core::op::ImageContent;
use crate::core::snapshot::DomainView;
use std::path::PathBuf;
use std::sync::Arc;

/// The largest image, in bytes: 16 TiB, the largest file on ext4.
const MAX_IMAGE_BYTES: u64 = 16 << 40;

fn no_such(class: &'static str, uuid: Uuid) -> Error {
    Error::NoSuchObject { class, name: uuid.to_string() }
}

impl Core {
    /// Adds an image to the inventory. If it has a size and no location, the image is made.
    pub(super) async fn create_vdi(
        &self,
        uuid: Uuid,
        mut vdi: Vdi,
        client_data: ClientData,
        content: ImageContent,
    ) -> Result<(), Error> {
        let inventory = self.inventory.write().await;
        let current = inventory.current();
        if current.get(&uuid).is_some() {
            return Err(Invalid::new(format!("uuid: {uuid} is known already")).into());
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
                if content == ImageContent::Uploaded {
                    return self.store.seal_image(uuid, vdi.size).await;
                }
                let source = source.as_ref().map(|(file, _)| file.as_path());
                self.store.begin_image(uuid, vdi.size, source).await
            };
            self.storage_call("Making a disk image", made).await?;
            let path = self.store.image(uuid);
            vdi.location = [b"file:", path.as_os_str().as_encoded_bytes()].concat().into();
        }
        if let Err(error) =
            inventory.put(Item { uuid, kind: ObjectKind::Vdi(vdi), client_data }).await
        {
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
        let inventory = self.inventory.write().await;
        let current = inventory.current();
        let (item, vdi) = current.vdi(&uuid).ok_or_else(|| no_such("VDI", uuid))?;
        let mut vdi = vdi.clone();
        match setting {
            VdiSetting::Size(size) if size < vdi.size => {
                let reason = format!(
                    "virtual_size: {size} is less than {}: an image does not shrink",
                    vdi.size
                );
                return Err(Invalid::new(reason).into());
            }
            VdiSetting::Size(size) => {
                check_size(size)?;
                if vdi.own {
                    let grown = self.store.grow_image(uuid, size);
                    self.storage_call("Growing a disk image", grown).await?;
                }
                vdi.size = size;
            }
            VdiSetting::Sharable(on) => vdi.sharable = on,
            VdiSetting::ReadOnly(on) => vdi.read_only = on,
        }
        inventory.put(Item { kind: ObjectKind::Vdi(vdi), ..Item::clone(item) }).await
    }

    /// Removes an image that no domain uses from the inventory, and its file if xend made it.
    pub(super) async fn destroy_vdi(&self, uuid: Uuid) -> Result<(), Error> {
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

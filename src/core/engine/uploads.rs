//! Disk images that clients send.

use super::storage::check_size;
use crate::core::caller::Caller;
use crate::core::context::Core;
use crate::core::error::Error;
use crate::core::image_claims::ImageClaim;
use crate::core::model::{ClientData, Invalid, Text, Uuid, Vdi, VdiKind};
use crate::core::op::{Change, ImageContent};
use crate::core::reservations::Reservation;
use crate::core::rights::OpKind;
use bytes::Bytes;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// A disk image that a client sends. Dropped before its end, it leaves nothing behind.
pub struct ImageUpload {
    core: Arc<Core>,
    caller: Caller,
    uuid: Uuid,
    /// In bytes, as the client announced it.
    size: u64,
    written: u64,
    /// What is not written yet.
    room: Reservation,
    _claim: ImageClaim,
    /// Whether the image is the engine's, which finishes or removes it.
    is_handed_over: bool,
}

impl Core {
    /// Begins an image of `size` bytes, if the caller may make one and there is room.
    pub(super) async fn begin_upload(
        self: &Arc<Self>,
        caller: &Caller,
        uuid: Uuid,
        size: u64,
    ) -> Result<ImageUpload, Error> {
        let kind = OpKind::CreateVdi;
        if !caller.access().may(kind) {
            return Err(Error::not_permitted("upload", kind.need(), ""));
        }
        if self.stopping.is_cancelled() {
            return Err(Error::Stopping);
        }
        if size == 0 {
            return Err(Invalid::new("file: it is empty").into());
        }
        check_size(size)?;
        let claim = self.image_claims.claim(uuid)?;
        let room = self.reserve_room(size).await?;
        let upload = ImageUpload {
            core: self.clone(),
            caller: caller.clone(),
            uuid,
            size,
            written: 0,
            room,
            _claim: claim,
            is_handed_over: false,
        };
        let core = self.clone();
        // A client that hangs up meanwhile gets its image removed once it is there.
        let begin = async move {
            let begun = core.store.begin_image(uuid, 0);
            core.storage_call("Making a disk image", begun).await.map(|()| upload)
        };
        self.tasks.spawn(begin).await.unwrap_or(Err(Error::Stopping))
    }
}

impl ImageUpload {
    /// Writes the next part of the image.
    pub async fn write(&mut self, data: Bytes) -> Result<(), Error> {
        let length = data.len() as u64;
        if self.size - self.written < length {
            return Err(Invalid::new("file: it is longer than it was announced").into());
        }
        let write = self.core.store.write_image(self.uuid, self.written, data);
        self.core.storage_call("Writing a disk image", write).await?;
        self.written += length;
        self.room.take(length);
        Ok(())
    }

    /// The bytes that have been written.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Adds the image to the inventory, with what was written. It goes on to its end if the client
    /// hangs up.
    pub async fn finish(self, client_data: ClientData) -> Result<Uuid, Error> {
        if self.written == 0 {
            return Err(Invalid::new("file: it is empty").into());
        }
        let vdi = Box::new(Vdi {
            location: Text::default(),
            size: self.written,
            kind: VdiKind::User,
            own: false,
            sharable: false,
            read_only: false,
        });
        let uuid = self.uuid;
        let change = Change::CreateVdi { uuid, vdi, client_data, content: ImageContent::Uploaded };
        let core = self.core.clone();
        let tasks = core.tasks.clone();
        let finish = async move {
            let mut upload = self;
            let made = core.carry_out(&upload.caller, change, CancellationToken::new()).await;
            // Without an object the image goes. With one it stays, also after a failure: the next
            // start finishes it.
            upload.is_handed_over = core.inventory.current().get(&uuid).is_some();
            made.map(|_| uuid)
        };
        tasks.spawn(finish).await.unwrap_or(Err(Error::Stopping))
    }
}

impl Drop for ImageUpload {
    fn drop(&mut self) {
        if self.is_handed_over {
            return;
        }
        let core = self.core.clone();
        let uuid = self.uuid;
        self.core.tasks.spawn(async move {
            // A failure is in the store's log, and the next start removes what is left.
            let removed = core.store.drop_image(uuid);
            core.storage_call("Removing a disk image", removed).await.ok();
        });
    }
}

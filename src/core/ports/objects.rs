//! What a host has beside its domains, and the disk images among it.

use crate::core::error::Error;
use crate::core::model::{Item, Uuid};
use async_trait::async_trait;
use std::path::{Path, PathBuf};

/// How much there is room for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageFacts {
    /// Where the images are.
    pub dir: PathBuf,
    /// Bytes in all.
    pub size: u64,
    /// Bytes that the images have.
    pub used: u64,
}

/// How large a file is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Extent {
    /// Bytes that a guest sees.
    pub size: u64,
    /// Bytes that it takes on the disk.
    pub used: u64,
}

/// Items on disk, and images.
///
/// What a method has written survives a crash of the machine from the moment that it returns. An
/// image is there if its item is: it is [begun](Self::begin_image) before the item is stored, and
/// [finished](Self::finish_image) afterwards; it is [withdrawn](Self::withdraw_image) before the
/// item is removed, and [dropped](Self::drop_image) afterwards.
#[async_trait]
pub trait Objects: Send + Sync + 'static {
    /// All items. One that makes no sense is set aside and reported in the log, and is no error.
    async fn items(&self) -> Result<Vec<Item>, Error>;

    /// Stores an item in the place of an earlier one.
    async fn save_item(&self, item: &Item) -> Result<(), Error>;

    /// Forgets one. It is no error if there is none.
    async fn remove_item(&self, uuid: Uuid) -> Result<(), Error>;

    /// Where images are, and how much room there is.
    async fn storage(&self) -> Result<StorageFacts, Error>;

    /// Finishes or clears away what a daemon that was killed had begun; `known` are the images
    /// whose items are there.
    async fn recover_images(&self, known: &[Uuid]) -> Result<(), Error>;

    /// Where an image is.
    fn image(&self, uuid: Uuid) -> PathBuf;

    /// Makes an image of so many bytes, of which none is on the disk yet, or those of another
    /// image.
    async fn begin_image(&self, uuid: Uuid, size: u64, copy: Option<&Path>) -> Result<(), Error>;

    /// Puts an image in its place. It is no error if it is there already.
    async fn finish_image(&self, uuid: Uuid) -> Result<(), Error>;

    /// Takes an image out of its place.
    async fn withdraw_image(&self, uuid: Uuid) -> Result<(), Error>;

    /// Removes an image that was withdrawn.
    async fn drop_image(&self, uuid: Uuid) -> Result<(), Error>;

    /// Lets an image grow to so many bytes.
    async fn grow_image(&self, uuid: Uuid, size: u64) -> Result<(), Error>;

    /// How large a file or disk is; none if there is no such thing here.
    async fn extent(&self, path: &Path) -> Option<Extent>;
}

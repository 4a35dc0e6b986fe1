//! Storage of the host's objects and disk images.

use crate::core::error::Error;
use crate::core::model::{Item, Uuid};
use async_trait::async_trait;
use bytes::Bytes;
use std::path::{Path, PathBuf};

/// The local storage of disk images.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StorageFacts {
    /// The directory of the images.
    pub dir: PathBuf,
    /// The size of the file system in bytes.
    pub size: u64,
    /// The bytes that the images occupy.
    pub used: u64,
    /// The bytes that can still be written.
    pub free: u64,
}

/// The size of a file or disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DiskUsage {
    /// The bytes that a guest sees.
    pub size: u64,
    /// The bytes that are occupied on the disk.
    pub used: u64,
}

/// How a disk is stored on the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskKind {
    /// A file.
    File,
    /// A block device that shows a file.
    Loop,
    /// A logical volume.
    Lvm,
    /// Another block device.
    Block,
}

/// A disk, as the host sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskFacts {
    pub kind: DiskKind,
    pub usage: DiskUsage,
    /// What its first sectors hold: `ext4`, `swap`, `partitions`, ...; `None` if that is unknown.
    pub content: Option<&'static str>,
}

/// A store of objects and disk images.
///
/// A change survives a crash of the machine from the moment that the method returns. An image
/// exists if its object exists: the image is [begun](Self::begin_image) or
/// [copied](Self::copy_image) before its object is stored, and [finished](Self::finish_image)
/// afterwards; it is [withdrawn](Self::withdraw_image) before its object is removed, and
/// [dropped](Self::drop_image) afterwards.
#[async_trait]
pub trait Objects: Send + Sync + 'static {
    /// All objects. A damaged one is set aside and logged, and is no error.
    async fn items(&self) -> Result<Vec<Item>, Error>;

    /// Stores an object, replacing an earlier version.
    async fn save_object(&self, item: &Item) -> Result<(), Error>;

    /// Removes an object. A missing object is no error.
    async fn remove_object(&self, uuid: Uuid) -> Result<(), Error>;

    /// The local storage of disk images.
    async fn storage(&self) -> Result<StorageFacts, Error>;

    /// Finishes or removes images that a killed daemon left unfinished; `known` are the images
    /// whose objects exist.
    async fn recover_images(&self, known: &[Uuid]) -> Result<(), Error>;

    /// The path of an image.
    fn image(&self, uuid: Uuid) -> PathBuf;

    /// Creates a sparse image of `size` bytes.
    async fn begin_image(&self, uuid: Uuid, size: u64) -> Result<(), Error>;

    /// Creates an image of `size` bytes as a copy of another one. `copied` is told how many bytes
    /// have been written since it was told last, and is dropped when no more are written.
    async fn copy_image(
        &self,
        uuid: Uuid,
        size: u64,
        from: &Path,
        copied: Box<dyn FnMut(u64) + Send>,
    ) -> Result<(), Error>;

    /// Writes a part of an image that was begun, `offset` bytes after its beginning.
    async fn write_image(&self, uuid: Uuid, offset: u64, data: Bytes) -> Result<(), Error>;

    /// Makes an image that was written part by part durable, with `size` bytes.
    async fn seal_image(&self, uuid: Uuid, size: u64) -> Result<(), Error>;

    /// Moves a new image to its path. An image that is there already is no error.
    async fn finish_image(&self, uuid: Uuid) -> Result<(), Error>;

    /// Moves an image away from its path.
    async fn withdraw_image(&self, uuid: Uuid) -> Result<(), Error>;

    /// Deletes an image that was withdrawn.
    async fn drop_image(&self, uuid: Uuid) -> Result<(), Error>;

    /// Grows an image to `size` bytes.
    async fn grow_image(&self, uuid: Uuid, size: u64) -> Result<(), Error>;

    /// The sizes of files and disks; `None` for each that does not exist.
    async fn extents(&self, paths: Vec<PathBuf>) -> Vec<Option<DiskUsage>>;

    /// A disk and what it holds; `None` if it does not exist, or is no file or block device. Fails
    /// with [`Error::DisksBusy`] at once if too many disks are being read, or this one is.
    async fn inspect_disk(&self, path: &Path) -> Result<Option<DiskFacts>, Error>;

    /// Whether a file, which need not exist, is below one of the directories once all symbolic
    /// links are followed. A directory that others than root can write does not count.
    async fn is_within(&self, file: &Path, dirs: &[PathBuf]) -> Result<bool, Error>;
}

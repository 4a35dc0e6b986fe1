//! Objects of the host beside its domains, and their disk images.

use super::blocking::{blocking, blocking_io, blocking_write};
use super::dir_store::DirStore;
use super::{disk_facts, files, images, real_path};
use crate::core::error::Error;
use crate::core::model::{Item, Uuid};
use crate::core::ports::{DiskFacts, DiskUsage, Objects, StorageFacts};
use crate::durable;
use crate::shape;
use async_trait::async_trait;
use bytes::Bytes;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use tokio::task::spawn_blocking;

/// The extension of an object's file.
const OBJECT: &str = "sxp";

/// A failure of the local storage in `dir`, with a message that says what to do.
fn storage_failure(error: io::Error, dir: &Path) -> Error {
    if error.kind() == io::ErrorKind::StaleNetworkFileHandle {
        return Error::not_written("The local storage cannot be used", dir, error);
    }
    if let Some(reason) = unusable(dir, &error) {
        return Error::Unsupported(format!(
            "The local storage {} cannot be used: {reason}; mount or make the directory, or change \
             xend-storage-path",
            dir.display()
        ));
    }
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Error::not_written("The local storage is full", dir, error)
        }
        io::ErrorKind::FileTooLarge => {
            Error::Unsupported("The local storage does not support files of this size".to_owned())
        }
        _ => Error::backend("The local storage failed, see the log", error),
    }
}

/// Why nothing in the directory can be used; `None` if an error of a call in it is about something
/// else.
fn unusable(dir: &Path, error: &io::Error) -> Option<String> {
    match (error.kind(), fs::metadata(dir)) {
        (io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem, _) => {
            Some(error.to_string())
        }
        (_, Ok(data)) => (!data.is_dir()).then(|| "it is not a directory".to_owned()),
        (_, Err(missing)) => Some(missing.to_string()),
    }
}

impl DirStore {
    /// Runs blocking work in the directory of disk images.
    async fn in_storage<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let paths = self.paths.clone();
        blocking(move || {
            let done = paths.check_above(&paths.storage).and_then(|()| work(&paths.storage));
            done.map_err(|error| storage_failure(error, &paths.storage))
        })
        .await
    }

    fn object(&self, uuid: Uuid) -> PathBuf {
        self.paths.objects.join(format!("{uuid}.{OBJECT}"))
    }
}

#[async_trait]
impl Objects for DirStore {
    async fn items(&self) -> Result<Vec<Item>, Error> {
        let paths = self.paths.clone();
        let read = move || {
            let items = files::read_all(&paths.objects, OBJECT, |tree, uuid| {
                shape::read_object(tree, uuid).map_err(|reason| reason.to_string())
            })?;
            Ok(items.into_iter().map(|(_, item)| item).collect())
        };
        blocking_io("The objects cannot be read", read).await
    }

    async fn save_object(&self, item: &Item) -> Result<(), Error> {
        let path = self.object(item.uuid);
        let tree = shape::stored_object(item);
        let paths = self.paths.clone();
        let write = move || paths.check().and_then(|()| files::write(&path, &tree));
        blocking_write("The object could not be stored", &self.paths.objects, write).await
    }

    async fn remove_object(&self, uuid: Uuid) -> Result<(), Error> {
        let path = self.object(uuid);
        let paths = self.paths.clone();
        let remove = move || paths.check().and_then(|()| durable::remove(&path));
        blocking_write("The object could not be deleted", &self.paths.objects, remove).await
    }

    async fn storage(&self) -> Result<StorageFacts, Error> {
        self.in_storage(|dir| {
            let file_system = rustix::fs::statvfs(dir)?;
            Ok(StorageFacts {
                dir: dir.to_owned(),
                size: file_system.f_blocks * file_system.f_frsize,
                used: images::used(dir)?,
                free: file_system.f_bavail * file_system.f_frsize,
            })
        })
        .await
    }

    async fn recover_images(&self, known: &[Uuid]) -> Result<(), Error> {
        let known = known.to_vec();
        self.in_storage(move |dir| images::recover(dir, &known)).await
    }

    fn image(&self, uuid: Uuid) -> PathBuf {
        images::path(&self.paths.storage, uuid)
    }

    async fn begin_image(&self, uuid: Uuid, size: u64) -> Result<(), Error> {
        self.in_storage(move |dir| images::begin(dir, uuid, size)).await
    }

    async fn copy_image(
        &self,
        uuid: Uuid,
        size: u64,
        from: &Path,
        mut copied: Box<dyn FnMut(u64) + Send>,
    ) -> Result<(), Error> {
        let from = from.to_owned();
        self.in_storage(move |dir| images::copy(dir, uuid, size, &from, &mut *copied)).await
    }

    async fn write_image(&self, uuid: Uuid, offset: u64, data: Bytes) -> Result<(), Error> {
        self.in_storage(move |dir| images::write(dir, uuid, offset, &data)).await
    }

    async fn seal_image(&self, uuid: Uuid, size: u64) -> Result<(), Error> {
        self.in_storage(move |dir| images::seal(dir, uuid, size)).await
    }

    async fn finish_image(&self, uuid: Uuid) -> Result<(), Error> {
        self.in_storage(move |dir| images::finish(dir, uuid)).await
    }

    async fn withdraw_image(&self, uuid: Uuid) -> Result<(), Error> {
        self.in_storage(move |dir| images::withdraw(dir, uuid)).await
    }

    async fn drop_image(&self, uuid: Uuid) -> Result<(), Error> {
        self.in_storage(move |dir| images::delete(dir, uuid)).await
    }

    async fn grow_image(&self, uuid: Uuid, size: u64) -> Result<(), Error> {
        self.in_storage(move |dir| images::grow(dir, uuid, size)).await
    }

    async fn extents(&self, paths: Vec<PathBuf>) -> Vec<Option<DiskUsage>> {
        let count = paths.len();
        let read = move || paths.iter().map(|path| images::extent(path)).collect();
        spawn_blocking(read).await.unwrap_or_else(|_| vec![None; count])
    }

    async fn inspect_disk(&self, path: &Path) -> Result<Option<DiskFacts>, Error> {
        disk_facts::read(path.to_owned()).await
    }

    async fn is_within(&self, file: &Path, dirs: &[PathBuf]) -> Result<bool, Error> {
        let file = file.to_owned();
        let dirs = dirs.to_vec();
        blocking(move || Ok(real_path::is_within(&file, &dirs))).await
    }
}

//! Items, and the images of the local storage.
//!
//! ```text
//! objects/UUID.sxp      an item
//! storage/UUID.img      an image whose item is there
//! storage/.part-UUID    one that is being made or removed
//! ```

use super::{DirStore, LIMITS, WIDTH, blocking, file, uuid_of};
use crate::core::error::Error;
use crate::core::model::{Item, Uuid};
use crate::core::ports::{Extent, Objects, StorageFacts};
use crate::shape;
use crate::sxp::{pretty, read_one};
use async_trait::async_trait;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The ending of an item's file.
const ITEM: &str = "sxp";

/// What the name of an image begins with that is being made or removed.
const PART: &str = ".part-";

/// What a file takes on the disk is counted in these, whatever the file system's blocks are.
const BLOCK: u64 = 512;

fn part(dir: &Path, uuid: Uuid) -> PathBuf {
    dir.join(format!("{PART}{uuid}"))
}

fn place(dir: &Path, uuid: Uuid) -> PathBuf {
    dir.join(format!("{uuid}.img"))
}

fn load(dir: &Path) -> io::Result<Vec<Item>> {
    file::forget_unfinished(dir)?;
    let mut items = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let Some(uuid) = uuid_of(&path).filter(|_| path.extension().is_some_and(|e| e == ITEM))
        else {
            continue;
        };
        let text = fs::read(&path)?;
        let read = read_one(&text, &LIMITS).map_err(|reason| format!("{reason:#}"));
        match read
            .and_then(|tree| shape::read_item(&tree, uuid).map_err(|reason| reason.to_string()))
        {
            Ok(item) => items.push(item),
            Err(reason) => file::set_aside(&path, &reason)?,
        }
    }
    Ok(items)
}

fn recover(dir: &Path, known: &[Uuid]) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some(uuid) = name.strip_prefix(PART).and_then(|uuid| Uuid::try_parse(uuid).ok()) else {
            continue;
        };
        let whole = place(dir, uuid);
        if known.contains(&uuid) && !whole.exists() {
            file::rename(&path, &whole)?;
        } else {
            file::remove(&path)?;
        }
    }
    for uuid in known.iter().filter(|uuid| !place(dir, **uuid).exists()) {
        tracing::error!(%uuid, "The file of a disk image is not there");
    }
    Ok(())
}

fn begin(dir: &Path, uuid: Uuid, size: u64, copy: Option<&Path>) -> io::Result<()> {
    let path = part(dir, uuid);
    let made = || {
        let mut options = OpenOptions::new();
        let file = options.write(true).create_new(true).mode(0o600).open(&path)?;
        if let Some(from) = copy {
            copy_sparse(&File::open(from)?, &file)?;
        }
        file.set_len(size)?;
        file.sync_all()
    };
    let made = made();
    if made.is_err() {
        let _ = fs::remove_file(&path);
    }
    made
}

/// Copies what has been written to a file, and leaves out what never was.
fn copy_sparse(mut from: &File, mut to: &File) -> io::Result<()> {
    let mut at = 0;
    loop {
        let data = match rustix::fs::seek(from, rustix::fs::SeekFrom::Data(at)) {
            Ok(data) => data,
            // Nothing comes any more.
            Err(rustix::io::Errno::NXIO) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let end = rustix::fs::seek(from, rustix::fs::SeekFrom::Hole(data))?;
        from.seek(SeekFrom::Start(data))?;
        to.seek(SeekFrom::Start(data))?;
        io::copy(&mut io::Read::take(from, end - data), &mut to)?;
        at = end;
    }
}

fn used(dir: &Path) -> io::Result<u64> {
    let mut used = 0;
    for entry in fs::read_dir(dir)? {
        // One that goes away meanwhile takes nothing.
        used += entry?.metadata().map_or(0, |data| data.blocks() * BLOCK);
    }
    Ok(used)
}

fn extent(path: &Path) -> Option<Extent> {
    let data = fs::metadata(path).ok()?;
    if data.file_type().is_block_device() {
        let size = File::open(path).and_then(|mut disk| disk.seek(SeekFrom::End(0))).ok()?;
        return Some(Extent { size, used: size });
    }
    data.is_file().then(|| Extent { size: data.len(), used: data.blocks() * BLOCK })
}

/// What went wrong with an image, in words that say what to do about it.
fn failed(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::StorageFull => Error::Unsupported("The local storage is full".to_owned()),
        io::ErrorKind::FileTooLarge => {
            Error::Unsupported("The local storage takes no file as large as that".to_owned())
        }
        _ => Error::backend("The local storage failed, see the log", error),
    }
}

impl DirStore {
    /// Does something with the directory of images.
    async fn stored<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let dir = self.storage.clone();
        blocking(move || work(&dir).map_err(failed)).await
    }
}

#[async_trait]
impl Objects for DirStore {
    async fn items(&self) -> Result<Vec<Item>, Error> {
        let dir = self.objects.clone();
        blocking(move || {
            load(&dir).map_err(|error| Error::backend("The objects cannot be read", error))
        })
        .await
    }

    async fn save_item(&self, item: &Item) -> Result<(), Error> {
        let path = self.objects.join(format!("{}.{ITEM}", item.uuid));
        let tree = shape::stored_item(item);
        blocking(move || {
            file::replace(&path, format!("{}\n", pretty(&tree, WIDTH)).as_bytes())
                .map_err(|error| Error::backend("The object could not be stored", error))
        })
        .await
    }

    async fn remove_item(&self, uuid: Uuid) -> Result<(), Error> {
        let path = self.objects.join(format!("{uuid}.{ITEM}"));
        blocking(move || {
            file::remove(&path)
                .map_err(|error| Error::backend("The object could not be deleted", error))
        })
        .await
    }

    async fn storage(&self) -> Result<StorageFacts, Error> {
        self.stored(|dir| {
            let all = rustix::fs::statvfs(dir)?;
            Ok(StorageFacts {
                dir: dir.to_owned(),
                size: all.f_blocks * all.f_frsize,
                used: used(dir)?,
            })
        })
        .await
    }

    async fn recover_images(&self, known: &[Uuid]) -> Result<(), Error> {
        let known = known.to_vec();
        self.stored(move |dir| recover(dir, &known)).await
    }

    fn image(&self, uuid: Uuid) -> PathBuf {
        place(&self.storage, uuid)
    }

    async fn begin_image(&self, uuid: Uuid, size: u64, copy: Option<&Path>) -> Result<(), Error> {
        let copy = copy.map(Path::to_owned);
        self.stored(move |dir| begin(dir, uuid, size, copy.as_deref())).await
    }

    async fn finish_image(&self, uuid: Uuid) -> Result<(), Error> {
        self.stored(move |dir| match file::rename(&part(dir, uuid), &place(dir, uuid)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && place(dir, uuid).exists() => {
                Ok(())
            }
            other => other,
        })
        .await
    }

    async fn withdraw_image(&self, uuid: Uuid) -> Result<(), Error> {
        self.stored(move |dir| match file::rename(&place(dir, uuid), &part(dir, uuid)) {
            // Somebody else removed it, and what is left of it is its item.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        })
        .await
    }

    async fn drop_image(&self, uuid: Uuid) -> Result<(), Error> {
        self.stored(move |dir| file::remove(&part(dir, uuid))).await
    }

    async fn grow_image(&self, uuid: Uuid, size: u64) -> Result<(), Error> {
        self.stored(move |dir| {
            let file = OpenOptions::new().write(true).open(place(dir, uuid))?;
            if file.metadata()?.len() < size {
                file.set_len(size)?;
            }
            file.sync_all()
        })
        .await
    }

    async fn extent(&self, path: &Path) -> Option<Extent> {
        let path = path.to_owned();
        tokio::task::spawn_blocking(move || extent(&path)).await.ok().flatten()
    }
}

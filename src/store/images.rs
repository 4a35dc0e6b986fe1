//! Disk images of the local storage.

use crate::core::model::Uuid;
use crate::core::ports::DiskUsage;
use crate::durable;
use crate::host_file;
use rustix::fs::{Mode, OFlags};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use tracing::error;

/// The prefix for an image that is being created or removed.
const PART: &str = ".part-";

/// How much of an image is copied at a time, in bytes.
const COPY_STEP: u64 = 64 << 20;

/// The unit of `st_blocks` in bytes, whatever the file system's blocks are.
const BLOCK: u64 = 512;

fn part_path(dir: &Path, uuid: Uuid) -> PathBuf {
    dir.join(format!("{PART}{uuid}"))
}

/// The path of a complete image.
pub(super) fn path(dir: &Path, uuid: Uuid) -> PathBuf {
    dir.join(format!("{uuid}.img"))
}

/// Finishes or removes the images that a killed daemon left unfinished; `known` are the images
/// whose objects exist. One with which this fails stays as it is, which the log says.
pub(super) fn recover(dir: &Path, known: &[Uuid]) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let part = entry?.path();
        let name = part.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some(uuid) = name.strip_prefix(PART).and_then(|uuid| Uuid::try_parse(uuid).ok()) else {
            continue;
        };
        let complete = path(dir, uuid);
        let recovered = if known.contains(&uuid) && !complete.exists() {
            durable::rename(&part, &complete)
        } else {
            durable::remove(&part)
        };
        if let Err(error) = recovered {
            error!(file = %part.display(), %error, "An unfinished disk image could not be recovered");
        }
    }
    for uuid in known.iter().filter(|uuid| !path(dir, **uuid).exists()) {
        error!(%uuid, "The file of a disk image is missing");
    }
    Ok(())
}

/// Creates an unfinished image: a sparse file.
pub(super) fn begin(dir: &Path, uuid: Uuid, size: u64) -> io::Result<()> {
    create(dir, uuid, size, |_| Ok(()))
}

/// Creates an unfinished image as a copy of another one. `copied` is told the bytes as they are
/// written.
pub(super) fn copy(
    dir: &Path,
    uuid: Uuid,
    size: u64,
    from: &Path,
    copied: &mut dyn FnMut(u64),
) -> io::Result<()> {
    create(dir, uuid, size, |file| {
        let from = host_file::open(from, OFlags::empty())?;
        if !from.metadata()?.is_file() {
            return Err(io::Error::other("the other image is not a file"));
        }
        copy_sparse(&from, file, copied)
    })
}

/// Creates an unfinished image of `size` bytes, which is removed if it cannot be filled.
fn create(
    dir: &Path,
    uuid: Uuid,
    size: u64,
    fill: impl FnOnce(&File) -> io::Result<()>,
) -> io::Result<()> {
    let part = part_path(dir, uuid);
    let mut options = OpenOptions::new();
    let image = options.write(true).create_new(true).mode(0o600).open(&part)?;
    let outcome = fill(&image).and_then(|()| image.set_len(size)).and_then(|()| image.sync_all());
    if outcome.is_err() {
        let _ = fs::remove_file(&part);
    }
    outcome
}

/// Writes a part of an unfinished image, unless it is all zeros: these are a hole in the file.
pub(super) fn write(dir: &Path, uuid: Uuid, offset: u64, data: &[u8]) -> io::Result<()> {
    if data.iter().all(|byte| *byte == 0) {
        return Ok(());
    }
    OpenOptions::new().write(true).open(part_path(dir, uuid))?.write_all_at(data, offset)
}

/// Gives an unfinished image its size, and makes it durable.
pub(super) fn seal(dir: &Path, uuid: Uuid, size: u64) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(part_path(dir, uuid))?;
    file.set_len(size)?;
    file.sync_all()
}

/// Copies the data of a file and skips its holes.
fn copy_sparse(mut from: &File, mut to: &File, copied: &mut dyn FnMut(u64)) -> io::Result<()> {
    let mut position = 0;
    loop {
        let data = match rustix::fs::seek(from, rustix::fs::SeekFrom::Data(position)) {
            Ok(data) => data,
            // There is no more data.
            Err(rustix::io::Errno::NXIO) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let hole = rustix::fs::seek(from, rustix::fs::SeekFrom::Hole(data))?;
        let end = hole.min(data.saturating_add(COPY_STEP));
        from.seek(SeekFrom::Start(data))?;
        to.seek(SeekFrom::Start(data))?;
        copied(io::copy(&mut io::Read::take(from, end - data), &mut to)?);
        position = end;
    }
}

/// Moves an unfinished image to its path. An image that is there already is no error.
pub(super) fn finish(dir: &Path, uuid: Uuid) -> io::Result<()> {
    let complete = path(dir, uuid);
    match durable::rename(&part_path(dir, uuid), &complete) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && complete.exists() => Ok(()),
        renamed => renamed,
    }
}

/// Moves an image away from its path.
pub(super) fn withdraw(dir: &Path, uuid: Uuid) -> io::Result<()> {
    match durable::rename(&path(dir, uuid), &part_path(dir, uuid)) {
        // The file was removed by hand: its object can be removed as well.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        renamed => renamed,
    }
}

/// Deletes an image that was withdrawn.
pub(super) fn delete(dir: &Path, uuid: Uuid) -> io::Result<()> {
    durable::remove(&part_path(dir, uuid))
}

/// Grows an image to `size` bytes.
pub(super) fn grow(dir: &Path, uuid: Uuid, size: u64) -> io::Result<()> {
    // A pipe in its place would wait for a reader.
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path(dir, uuid), flags, Mode::empty())?);
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("the image is not a file"));
    }
    if file.metadata()?.len() < size {
        file.set_len(size)?;
    }
    file.sync_all()
}

/// The bytes that all images occupy.
pub(super) fn used(dir: &Path) -> io::Result<u64> {
    let mut used = 0;
    for entry in fs::read_dir(dir)? {
        // A file that is removed meanwhile occupies nothing.
        used += entry?.metadata().map_or(0, |data| data.blocks() * BLOCK);
    }
    Ok(used)
}

/// The size of a file or disk; `None` if it does not exist.
pub(super) fn extent(path: &Path) -> Option<DiskUsage> {
    let data = fs::metadata(path).ok()?;
    if data.file_type().is_block_device() {
        let size = File::open(path).and_then(|mut disk| disk.seek(SeekFrom::End(0))).ok()?;
        return Some(DiskUsage { size, used: size });
    }
    data.is_file().then(|| DiskUsage { size: data.len(), used: data.blocks() * BLOCK })
}

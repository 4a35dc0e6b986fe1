//! Disks, as the host sees them.

use super::disk_content::{HEAD, content_of};
use super::images;
use crate::core::error::Error;
use crate::core::ports::{DiskFacts, DiskKind};
use crate::host_file;
use rustix::fs::{OFlags, major, minor};
use std::fs::{self, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::task::spawn_blocking;

/// Disks that are read at a time: one that does not answer holds a thread.
const MAX_READING: usize = 4;

static READERS: Readers = Readers { reading: Mutex::new(Vec::new()) };

/// A disk and what it holds; `None` if it does not exist, or is no file or block device. Fails at
/// once if the disk is being read already, or too many others are.
pub(super) async fn read(path: PathBuf) -> Result<Option<DiskFacts>, Error> {
    let disk = READERS.begin(path)?;
    let read = spawn_blocking(move || inspect(&disk.path));
    Ok(read.await.ok().flatten())
}

/// The disks that are being read. Each is there once: a disk that does not answer holds one thread,
/// however often it is asked for.
struct Readers {
    reading: Mutex<Vec<PathBuf>>,
}

/// A disk that is being read until this is dropped.
struct Disk<'a> {
    path: PathBuf,
    readers: &'a Readers,
}

impl Readers {
    fn begin(&self, path: PathBuf) -> Result<Disk<'_>, Error> {
        let mut reading = self.reading();
        if reading.len() >= MAX_READING || reading.contains(&path) {
            return Err(Error::DisksBusy);
        }
        reading.push(path.clone());
        Ok(Disk { path, readers: self })
    }

    fn reading(&self) -> MutexGuard<'_, Vec<PathBuf>> {
        self.reading.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        self.readers.reading().retain(|path| *path != self.path);
    }
}

fn inspect(path: &Path) -> Option<DiskFacts> {
    let kind = kind_of(&fs::metadata(path).ok()?)?;
    let usage = images::extent(path)?;
    let content = head_of(path).map_or(None, |head| content_of(&head));
    Some(DiskFacts { kind, usage, content })
}

fn kind_of(data: &Metadata) -> Option<DiskKind> {
    if data.is_file() {
        return Some(DiskKind::File);
    }
    if !data.file_type().is_block_device() {
        return None;
    }
    let number = format!("{}:{}", major(data.rdev()), minor(data.rdev()));
    let device = Path::new("/sys/dev/block").join(number);
    let is_lvm = |uuid: String| uuid.starts_with("LVM-");
    Some(if device.join("loop").exists() {
        DiskKind::Loop
    } else if fs::read_to_string(device.join("dm/uuid")).is_ok_and(is_lvm) {
        DiskKind::Lvm
    } else {
        DiskKind::Block
    })
}

/// The first bytes of a disk.
fn head_of(path: &Path) -> io::Result<Vec<u8>> {
    // What is at the path may have changed since it was looked at: a pipe would block.
    let file = host_file::open(path, OFlags::empty())?;
    let mut head = Vec::with_capacity(HEAD);
    if kind_of(&file.metadata()?).is_some() {
        file.take(HEAD as u64).read_to_end(&mut head)?;
    }
    Ok(head)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::process::Command;

    #[test]
    fn a_file_is_a_disk_and_a_directory_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let image = dir.path().join("a.img");
        File::create(&image).unwrap().set_len(1 << 20).unwrap();
        let facts = inspect(&image).unwrap();
        assert_eq!((facts.kind, facts.content), (DiskKind::File, Some("empty")));
        assert_eq!((facts.usage.size, facts.usage.used), (1 << 20, 0));
        assert_eq!(inspect(dir.path()), None);
        assert_eq!(inspect(&dir.path().join("none")), None);
        assert_eq!(inspect(Path::new("/dev/null")), None);
    }

    #[test]
    fn a_disk_that_does_not_answer_holds_one_reader() {
        let readers = Readers { reading: Mutex::default() };
        let begin = |path: &str| readers.begin(path.into());
        let hanging = begin("/a").unwrap();
        for _ in 0..MAX_READING {
            assert!(matches!(begin("/a"), Err(Error::DisksBusy)));
        }
        let others = ["/b", "/c", "/d"].map(|path| begin(path).unwrap());
        assert!(matches!(begin("/e"), Err(Error::DisksBusy)));
        drop(others);
        begin("/e").unwrap();
        drop(hanging);
        begin("/a").unwrap();
        assert!(readers.reading().is_empty());
    }

    #[test]
    fn a_pipe_is_no_disk_and_blocks_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert_eq!(inspect(&pipe), None);
        assert!(head_of(&pipe).unwrap().is_empty());
    }

    /// Real tools and their idea of an image.
    #[test]
    fn images_of_real_tools_are_known() {
        let tools: [(&str, &[&str], &str); 6] = [
            ("mkfs.ext2", &["-q", "-F"], "ext2"),
            ("mkfs.ext3", &["-q", "-F"], "ext3"),
            ("mkfs.ext4", &["-q", "-F"], "ext4"),
            ("mkfs.vfat", &[], "vfat"),
            ("mkfs.xfs", &["-q", "-f"], "xfs"),
            ("mkswap", &["-q"], "swap"),
        ];
        let dir = tempfile::tempdir().unwrap();
        for (tool, args, content) in tools {
            let image = dir.path().join(tool);
            // xfs needs 300 MiB; the file has holes.
            File::create(&image).unwrap().set_len(320 << 20).unwrap();
            let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
            match Command::new(tool).args(args).arg(&image).env("PATH", path).output() {
                Ok(made) if made.status.success() => {
                    assert_eq!(inspect(&image).unwrap().content, Some(content), "{tool}");
                }
                Ok(failed) => {
                    // Older tools do not know every option.
                    println!("Skipped: {tool}: {}", String::from_utf8_lossy(&failed.stderr));
                }
                Err(_) => println!("Skipped: there is no {tool}"),
            }
        }
    }
}

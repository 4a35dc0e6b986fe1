//! The file that is replaced.

use super::attributes;
use super::owner;
use super::walk::{Place, file_type};
use rustix::fs::{FileType, Mode, OFlags, Stat, fchmod, fstat, openat};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;

/// The permissions to read and write a file, without those to run it, as its owner or group for
/// example.
const READ_WRITE: u32 = 0o666;

/// The most bytes that are copied.
const MAX_COPY: u64 = 64 << 20;

/// A regular file that is replaced.
pub(super) struct OldFile {
    file: OwnedFd,
    stat: Stat,
}

impl OldFile {
    pub(super) fn open(place: &Place) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = openat(&place.directory, &place.name, flags, Mode::empty())?;
        let stat = fstat(&file)?;
        // Where users may write, it can be another file than the one that was looked at.
        if file_type(&stat) != FileType::RegularFile {
            return Err(io::Error::other("It is not a regular file"));
        }
        Ok(Self { file, stat })
    }

    pub(super) fn mode(&self) -> u32 {
        self.stat.st_mode & 0o7777
    }

    /// Whether somebody can run it, or could if they had the permission, with its rights.
    pub(super) fn can_be_run(&self) -> bool {
        self.mode() & !READ_WRITE != 0 || attributes::has_capabilities(&self.file)
    }

    /// Gives another file this one's owner and attributes.
    pub(super) fn pass_on(&self, new: &OwnedFd) -> io::Result<()> {
        owner::give(new, &self.stat)?;
        attributes::copy(&self.file, new)
    }

    pub(super) fn has_content(&self, content: &[u8]) -> io::Result<bool> {
        let length = u64::try_from(self.stat.st_size).ok();
        if length != u64::try_from(content.len()).ok() {
            return Ok(false);
        }
        let mut present = Vec::with_capacity(content.len());
        self.reader()?.take(content.len() as u64 + 1).read_to_end(&mut present)?;
        Ok(present == content)
    }

    /// Makes an empty file a copy of this one that nobody can run. It is on the disk when this
    /// returns. `EFBIG`: this one is too long to be copied within a request's time.
    pub(super) fn copy_to(&self, copy: OwnedFd) -> io::Result<()> {
        let copied =
            io::copy(&mut self.reader()?.take(MAX_COPY + 1), &mut File::from(copy.try_clone()?))?;
        if copied > MAX_COPY {
            return Err(Errno::FBIG.into());
        }
        self.pass_on(&copy)?;
        fchmod(&copy, Mode::from_raw_mode(self.mode() & READ_WRITE))?;
        File::from(copy).sync_all()
    }

    fn reader(&self) -> io::Result<File> {
        Ok(File::from(self.file.try_clone()?))
    }
}

//! Whose a new file or directory is.

use rustix::fs::{AtFlags, Gid, Stat, Uid, chownat, fstat};
use std::io;
use std::os::fd::AsFd;

/// Whose a new file, and each directory that is made for it, is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// The agent's own user's: root's.
    Agent,
    /// That of the directory in which it is made: users can use what is put below their home
    /// directory.
    Directory,
}

impl Owner {
    /// Makes what is new in `directory` this owner's.
    pub(super) fn give(self, directory: impl AsFd, new: impl AsFd) -> io::Result<()> {
        match self {
            Self::Agent => Ok(()),
            Self::Directory => give(new, &fstat(directory)?),
        }
    }
}

/// Gives a file or directory to the user and the group that `like` belongs to.
pub(super) fn give(file: impl AsFd, like: &Stat) -> io::Result<()> {
    let stat = fstat(&file)?;
    if (stat.st_uid, stat.st_gid) != (like.st_uid, like.st_gid) {
        let user = Uid::from_raw(like.st_uid);
        let group = Gid::from_raw(like.st_gid);
        // Of directories there is a descriptor that only names them, which fchown(2) does not take.
        chownat(file, "", Some(user), Some(group), AtFlags::EMPTY_PATH)?;
    }
    Ok(())
}

//! Files of the host that people edit: who can write them, and whether they have changed.

use rustix::fs::{Mode, OFlags};
use rustix::process::geteuid;
use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Opens a file for reading, without waiting for the other end of a pipe. `more` are further flags.
pub(crate) fn open(path: &Path, more: OFlags) -> rustix::io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC | more;
    rustix::fs::open(path, flags, Mode::empty()).map(File::from)
}

/// Whether a file or directory is root's or the daemon's own.
pub(crate) fn is_own(data: &Metadata) -> bool {
    data.uid() == 0 || data.uid() == geteuid().as_raw()
}

/// Whether the group or others can write a file or directory.
pub(crate) fn others_can_write(data: &Metadata) -> bool {
    const WRITABLE_BY_OTHERS: u32 = 0o022;
    data.mode() & WRITABLE_BY_OTHERS != 0
}

/// The state of a file: as long as it is the same, so is the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    inode: (u64, u64),
    size: u64,
    modified: (i64, i64),
    /// Also the time of the last change of the owner or the mode.
    changed: (i64, i64),
}

impl Stamp {
    /// The state by what the file system says.
    pub(crate) fn of(data: &Metadata) -> Self {
        Self {
            inode: (data.dev(), data.ino()),
            size: data.size(),
            modified: (data.mtime(), data.mtime_nsec()),
            changed: (data.ctime(), data.ctime_nsec()),
        }
    }
}

/// Fails with the reason if others than root and the daemon's own user can write a file or
/// directory.
pub(crate) fn check_owner(data: &Metadata) -> Result<(), &'static str> {
    if !is_own(data) {
        return Err("it belongs to another user than root: chown it");
    }
    if others_can_write(data) {
        return Err("its group or others can write it: chmod go-w it");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, chown};

    #[test]
    fn a_file_of_others_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a");
        fs::write(&file, "x").unwrap();
        let check = |mode| {
            fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
            check_owner(&fs::metadata(&file).unwrap())
        };
        assert_eq!(check(0o755), Ok(()));
        for mode in [0o775, 0o757] {
            assert!(check(mode).unwrap_err().contains("chmod"));
        }
        if !geteuid().is_root() {
            println!("Skipped: only root gives files away");
            return;
        }
        chown(&file, Some(65_534), None).unwrap();
        assert!(check(0o755).unwrap_err().contains("chown"));
    }

    #[test]
    fn any_change_of_a_file_shows() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a");
        fs::write(&file, "x").unwrap();
        let stamp = || Stamp::of(&fs::metadata(&file).unwrap());
        let first = stamp();
        assert_eq!(first, stamp());
        fs::write(&file, "xy").unwrap();
        let second = stamp();
        assert_ne!(first, second);
        fs::rename(&file, dir.path().join("b")).unwrap();
        fs::write(&file, "xy").unwrap();
        assert_ne!(second, stamp());
    }
}

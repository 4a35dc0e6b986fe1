//! The lock by which one daemon has a directory for itself.

use crate::durable;
use crate::state_file;
use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// The name of the file that is locked. It holds the process ID of the daemon that has the lock.
const LOCK: &str = "lock";

/// The longest process ID, as text.
const MAX_PID: u64 = 20;

/// Why a directory cannot be locked.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another daemon has locked it.
    #[error(
        "{} is in use by another running xend{}: stop that one, or give another directory with \
         --state-dir",
        dir.display(), describe(*pid)
    )]
    Held {
        dir: PathBuf,
        /// `None` if the daemon has not said it yet.
        pid: Option<i32>,
    },
    /// It cannot be made, or its lock cannot be opened.
    #[error("{} cannot be used", dir.display())]
    Unusable { dir: PathBuf, source: io::Error },
}

/// A locked directory. The lock ends with this value, and with the process.
#[derive(Debug)]
pub struct DirLock {
    _file: File,
}

impl DirLock {
    /// Locks a directory, which is made if it does not exist. Blocks for the disk alone.
    pub fn acquire(dir: &Path) -> Result<Self, LockError> {
        let unusable = |source| LockError::Unusable { dir: dir.to_owned(), source };
        durable::create_dir(dir).map_err(unusable)?;
        let mut file = open(&dir.join(LOCK)).map_err(unusable)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Err(LockError::Held { dir: dir.to_owned(), pid: read_pid(&file) });
            }
            Err(error) => return Err(unusable(error.into())),
        }
        // For people alone: on a full disk, the lock counts without it.
        let pid = format!("{}\n", std::process::id());
        let _ = file.set_len(0).and_then(|()| file.write_all(pid.as_bytes()));
        Ok(Self { _file: file })
    }
}

/// Opens the lock file. What is there in its place is set aside.
fn open(path: &Path) -> io::Result<File> {
    let open = || -> io::Result<Option<File>> {
        let flags = OFlags::RDWR
            | OFlags::CREATE
            | OFlags::NOFOLLOW
            | OFlags::NONBLOCK
            | OFlags::NOCTTY
            | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR)?);
        Ok(file.metadata()?.is_file().then_some(file))
    };
    match open() {
        Ok(Some(file)) => return Ok(file),
        Ok(None) => state_file::set_aside(path, &"it is not a file"),
        Err(error) if fs::symlink_metadata(path).is_err() => return Err(error),
        Err(error) => state_file::set_aside_unreadable(path, error)?,
    }
    open()?.ok_or_else(|| io::Error::other("the lock is not a file"))
}

fn read_pid(file: &File) -> Option<i32> {
    let mut text = String::new();
    file.take(MAX_PID).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

fn describe(pid: Option<i32>) -> String {
    pid.map_or_else(String::new, |pid| format!(" (process {pid})"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn a_directory_has_one_daemon() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("state");
        let lock = DirLock::acquire(&dir).unwrap();
        let mode = fs::metadata(dir.join(LOCK)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let said = DirLock::acquire(&dir).unwrap_err().to_string();
        assert!(said.contains(&format!("(process {})", std::process::id())), "{said}");
        drop(lock);
        DirLock::acquire(&dir).unwrap();
    }

    #[test]
    fn what_is_no_lock_file_is_set_aside() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join(LOCK);
        fs::create_dir(&path).unwrap();
        DirLock::acquire(root.path()).unwrap();
        fs::remove_file(&path).unwrap();
        symlink("nowhere", &path).unwrap();
        DirLock::acquire(root.path()).unwrap();
        fs::write(&path, "no process").unwrap();
        let _lock = DirLock::acquire(root.path()).unwrap();
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 3);
    }
}

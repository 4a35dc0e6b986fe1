//! The lock by which one daemon has a directory for itself.

use crate::durable;
use crate::held_dir::HeldDir;
use crate::host_file;
use crate::state_file;
use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use rustix::io::Errno;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// The name of the file that holds the process ID of the daemon that has the directory. It is
/// locked as well.
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
///
/// The directory itself is locked: a file in it can be removed or replaced, and then another daemon
/// would lock the new one. The file is locked, too, for daemons on other hosts: a network file
/// system tells them of the locks of files alone.
#[derive(Debug)]
pub struct DirLock {
    dir: HeldDir,
    _file: File,
    /// Whether the directory was made for it.
    is_new: bool,
}

impl DirLock {
    /// Locks a directory, which is made if it does not exist. Blocks for the disk alone.
    pub fn acquire(path: &Path) -> Result<Self, LockError> {
        let unusable = |source| LockError::Unusable { dir: path.to_owned(), source };
        let lock = |file: &File| match flock(file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(()),
            Err(Errno::WOULDBLOCK) => {
                Err(LockError::Held { dir: path.to_owned(), pid: read_pid(&path.join(LOCK)) })
            }
            Err(error) => Err(unusable(error.into())),
        };
        let is_new = fs::symlink_metadata(path).is_err();
        durable::create_dir(path).map_err(unusable)?;
        let dir = HeldDir::open(path).map_err(unusable)?;
        lock(dir.file())?;
        let mut file = open(&path.join(LOCK)).map_err(unusable)?;
        lock(&file)?;
        // For people alone: on a full disk, the lock counts without it.
        let pid = format!("{}\n", std::process::id());
        let _ = file.set_len(0).and_then(|()| file.write_all(pid.as_bytes()));
        Ok(Self { dir, _file: file, is_new })
    }

    /// Removes a directory that was made for the lock and has nothing else in it: a start that
    /// fails at once leaves none behind. Blocks for the disk alone.
    pub fn undo(self) {
        let path = self.dir.path();
        if self.is_new && self.check().is_ok() && has_lock_alone(path).unwrap_or(false) {
            // Nobody needs it gone.
            let _ = fs::remove_file(path.join(LOCK)).and_then(|()| fs::remove_dir(path));
        }
    }

    /// Fails if the path leads to the locked directory no longer: another daemon may have locked
    /// what is there in its place.
    pub fn check(&self) -> io::Result<()> {
        self.dir.check()
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

fn has_lock_alone(dir: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(dir)? {
        if entry?.file_name() != LOCK {
            return Ok(false);
        }
    }
    Ok(true)
}

fn read_pid(path: &Path) -> Option<i32> {
    let mut text = String::new();
    let file = host_file::open(path, OFlags::empty()).ok()?;
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
    fn a_directory_that_was_made_in_vain_is_removed() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("state");
        DirLock::acquire(&dir).unwrap().undo();
        assert!(!dir.exists());
        // One that is used stays, and one that was there before.
        let lock = DirLock::acquire(&dir).unwrap();
        fs::write(dir.join("passwords"), "").unwrap();
        lock.undo();
        assert!(dir.join(LOCK).exists());
        fs::remove_file(dir.join("passwords")).unwrap();
        DirLock::acquire(&dir).unwrap().undo();
        assert!(dir.join(LOCK).exists());
    }

    #[test]
    fn a_directory_stays_locked_without_its_file() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join(LOCK);
        let lock = DirLock::acquire(root.path()).unwrap();
        fs::remove_file(&path).unwrap();
        let said = DirLock::acquire(root.path()).unwrap_err();
        assert!(matches!(said, LockError::Held { pid: None, .. }), "{said}");
        fs::write(&path, "17\n").unwrap();
        let said = DirLock::acquire(root.path()).unwrap_err();
        assert!(matches!(said, LockError::Held { pid: Some(17), .. }), "{said}");
        drop(lock);
        DirLock::acquire(root.path()).unwrap();
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

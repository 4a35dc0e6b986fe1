//! The file that says that the domains were started. Meanwhile it has a text, and is locked: a
//! start that was killed leaves the text without the lock.

use crate::bounded_file::open_regular;
use crate::failure::Failure;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

/// The text while domains start. Before and after, and in the files of the script, it is empty.
const STARTING: &[u8] = b"starting\n";

/// What the file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Stopped,
    /// Somebody starts the domains right now.
    Starting,
    /// Whoever started the domains was killed meanwhile.
    Interrupted,
    Started,
}

/// The file.
pub(super) struct Lock {
    pub(super) path: PathBuf,
}

/// A start that goes on.
pub(super) struct Start<'a> {
    file: File,
    path: &'a Path,
}

impl Lock {
    pub(super) fn state(&self) -> Result<State, Failure> {
        let failed = |error: io::Error| Failure::of_file("read", &self.path, &error);
        let file = match open_regular(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(State::Stopped),
            opened => opened.map_err(failed)?,
        };
        let mut text = Vec::new();
        (&file).take(STARTING.len() as u64).read_to_end(&mut text).map_err(failed)?;
        if text != STARTING {
            return Ok(State::Started);
        }
        Ok(if is_held(&file, FlockOperation::NonBlockingLockShared) {
            State::Starting
        } else {
            State::Interrupted
        })
    }

    /// Says that domains start from now on.
    pub(super) fn begin(&self) -> Result<Start<'_>, Failure> {
        let failed = |error: io::Error| Failure::of_file("write", &self.path, &error);
        fs::create_dir_all(self.path.parent().unwrap_or(Path::new("/"))).map_err(failed)?;
        let mut file = File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&self.path)
            .map_err(failed)?;
        if is_held(&file, FlockOperation::NonBlockingLockExclusive) {
            return Err(Failure::new("Another xendomains starts the domains right now"));
        }
        file.set_len(0).and_then(|()| file.write_all(STARTING)).map_err(failed)?;
        Ok(Start { file, path: &self.path })
    }

    pub(super) fn remove(&self) -> Result<(), Failure> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Failure::of_file("remove", &self.path, &error))
            }
            _ => Ok(()),
        }
    }
}

impl Start<'_> {
    /// Says that the domains were started.
    pub(super) fn end(self) -> Result<(), Failure> {
        self.file.set_len(0).map_err(|error| Failure::of_file("write", self.path, &error))
    }
}

/// Tries to lock a file. Whether somebody else has; a file system without locks has none.
fn is_held(file: &File, operation: FlockOperation) -> bool {
    flock(file, operation) == Err(Errno::WOULDBLOCK)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bounded_file::tests::fifo_with_writer;

    #[test]
    fn a_start_that_was_killed_is_told_from_others() {
        let dir = tempfile::tempdir().unwrap();
        let lock = Lock { path: dir.path().join("run/lock") };
        assert_eq!(lock.state(), Ok(State::Stopped));
        let start = lock.begin().unwrap();
        assert_eq!(lock.state(), Ok(State::Starting));
        assert!(lock.begin().is_err());
        drop(start);
        assert_eq!(lock.state(), Ok(State::Interrupted));
        lock.begin().unwrap().end().unwrap();
        assert_eq!(lock.state(), Ok(State::Started));
        lock.remove().unwrap();
        assert_eq!(lock.state(), Ok(State::Stopped));
        lock.remove().unwrap();
    }

    #[test]
    fn the_file_of_the_script_says_that_domains_were_started() {
        let dir = tempfile::tempdir().unwrap();
        let lock = Lock { path: dir.path().join("lock") };
        fs::write(&lock.path, "").unwrap();
        assert_eq!(lock.state(), Ok(State::Started));
        let fifo = Lock { path: fifo_with_writer(dir.path()) };
        assert!(
            fifo.state().unwrap_err().to_string().ends_with("it is a FIFO, and no regular file")
        );
    }
}

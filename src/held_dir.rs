//! A directory that is held open, to tell whether its path still leads to it. One that was removed
//! or replaced is not written into: what is there in its place belongs to somebody else.

use crate::host_file;
use rustix::fs::OFlags;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A directory. No other one gets its inode as long as it is held.
#[derive(Debug)]
pub struct HeldDir {
    path: PathBuf,
    dir: File,
}

impl HeldDir {
    /// Opens a directory. Blocks for the disk alone.
    pub fn open(path: &Path) -> io::Result<Self> {
        let dir = host_file::open(path, OFlags::DIRECTORY)?;
        Ok(Self { path: path.to_owned(), dir })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The open directory.
    pub fn file(&self) -> &File {
        &self.dir
    }

    /// Fails if the path leads to this directory no longer, and says what to do. The kind of the
    /// error is [`StaleNetworkFileHandle`](io::ErrorKind::StaleNetworkFileHandle).
    pub fn check(&self) -> io::Result<()> {
        let held = self.dir.metadata()?;
        let what = match fs::metadata(&self.path) {
            Ok(found) if (found.dev(), found.ino()) == (held.dev(), held.ino()) => return Ok(()),
            Ok(_) => "replaced",
            Err(error) if is_missing(&error) => "removed",
            Err(error) => return Err(error),
        };
        let dir = self.path.display();
        let text =
            format!("{dir} was {what} while xend runs, put the old directory back or restart xend");
        Err(io::Error::new(io::ErrorKind::StaleNetworkFileHandle, text))
    }
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_directory_is_known_again() {
        let root = tempfile::tempdir().unwrap();
        let [path, aside] = ["dir", "aside"].map(|name| root.path().join(name));
        fs::create_dir(&path).unwrap();
        let held = HeldDir::open(&path).unwrap();
        let said = || held.check().unwrap_err().to_string();
        held.check().unwrap();
        fs::rename(&path, &aside).unwrap();
        let text = format!("{} was removed while xend runs, put the old", path.display());
        assert!(said().starts_with(&text), "{}", said());
        fs::write(&path, "").unwrap();
        assert!(said().contains(" was replaced "), "{}", said());
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(said().contains(" was replaced "), "{}", said());
        fs::remove_dir(&path).unwrap();
        // Where it was moved, it is still the same.
        symlink(&aside, &path).unwrap();
        held.check().unwrap();
        fs::remove_dir(&aside).unwrap();
        fs::create_dir(&aside).unwrap();
        assert!(said().contains(" was replaced "), "{}", said());
    }
}

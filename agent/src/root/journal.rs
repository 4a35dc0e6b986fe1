//! The journal of replacements: the paths of the temporary file and the backup of the replacement
//! that is going on, so that the next start removes what a killed agent has left.
//!
//! It is a help, not a condition: where it cannot be written, files are replaced without it.

use super::names;
use super::walk::{Last, Missing, Place, sync_directory, walk};
use rustix::fs::{AtFlags, Mode, OFlags, openat, unlinkat};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// The most bytes of the journal that are read: two paths.
const MAX_LENGTH: u64 = 64 << 10;

/// The journal's file.
#[derive(Debug, Clone)]
pub(super) struct Journal {
    root: PathBuf,
    path: String,
}

/// What a killed agent may have left.
#[derive(Serialize, Deserialize)]
struct Entry {
    temporary: String,
    backup: Option<String>,
}

impl Journal {
    pub(super) fn new(root: &Path, path: &str) -> Self {
        Self { root: root.to_owned(), path: path.to_owned() }
    }

    /// Notes the files of a replacement before they are made.
    pub(super) fn begin(&self, temporary: &str, backup: Option<&str>) {
        let entry =
            Entry { temporary: temporary.to_owned(), backup: backup.map(ToOwned::to_owned) };
        // See above: replacements do without the journal if they have to.
        drop(self.write(&entry));
    }

    /// The replacement is complete, or has failed and left nothing.
    pub(super) fn end(&self) {
        drop(self.remove());
    }

    /// Removes what an agent that was killed within a replacement has left. Tells what it was.
    pub(super) fn recover(&self) -> io::Result<Option<String>> {
        let mut removed = None;
        let entry = self.read()?.filter(|entry| names::is_temporary(&entry.temporary));
        if let Some(entry) = entry {
            let temporary = self.place(&entry.temporary)?;
            // Without the temporary file the replacement is complete, and the backup belongs to it.
            if temporary.stat()?.is_some() {
                let backup = entry.backup.as_deref().filter(|path| names::is_backup(path));
                if let Some(backup) = backup {
                    unlink(&self.place(backup)?)?;
                }
                unlink(&temporary)?;
                removed = Some(entry.temporary);
            }
        }
        self.remove()?;
        Ok(removed)
    }

    fn write(&self, entry: &Entry) -> io::Result<()> {
        let place = walk(&self.root, &self.path, Last::Keep, Missing::Make)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | SAFE;
        let file = openat(&place.directory, &place.name, flags, Mode::RUSR | Mode::WUSR)?;
        let mut file = File::from(file);
        file.write_all(&serde_json::to_vec(entry)?)?;
        file.sync_all()?;
        sync_directory(&place.directory)
    }

    /// `None` if there is no journal, or none that is complete.
    fn read(&self) -> io::Result<Option<Entry>> {
        let place = match self.place(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            place => place?,
        };
        if place.stat()?.is_none() {
            return Ok(None);
        }
        let file = openat(&place.directory, &place.name, OFlags::RDONLY | SAFE, Mode::empty())?;
        let mut text = Vec::new();
        File::from(file).take(MAX_LENGTH).read_to_end(&mut text)?;
        // Cut short, it was written before the temporary file was made.
        Ok(serde_json::from_slice(&text).ok())
    }

    fn remove(&self) -> io::Result<()> {
        match self.place(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            place => unlink(&place?),
        }
    }

    fn place(&self, path: &str) -> io::Result<Place> {
        walk(&self.root, path, Last::Keep, Missing::Fail)
    }
}

/// No link is followed, nothing is waited for, and no program inherits the file.
const SAFE: OFlags = OFlags::NOFOLLOW.union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);

fn unlink(place: &Place) -> io::Result<()> {
    match unlinkat(&place.directory, &place.name, AtFlags::empty()) {
        Ok(()) | Err(rustix::io::Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

//! The journal of replacements: the paths of the temporary file and the backup of the replacement
//! that is going on, so that the next start removes what a killed agent has left.
//!
//! It is a help, not a condition: where it cannot be written, files are replaced without it.

use super::names;
use super::owner::Owner;
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
            // Without the temporary file the replacement is complete, and the backup belongs to it.
            if let Some(temporary) = self.find(&entry.temporary)? {
                let backup = entry.backup.as_deref().filter(|path| names::is_backup(path));
                if let Some(backup) = backup {
                    self.unlink(backup)?;
                }
                unlink(&temporary)?;
                removed = Some(entry.temporary);
            }
        }
        self.remove()?;
        Ok(removed)
    }

    fn write(&self, entry: &Entry) -> io::Result<()> {
        let place = walk(&self.root, &self.path, Last::Keep, Missing::Make(Owner::Agent))?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | SAFE;
        let file = openat(&place.directory, &place.name, flags, Mode::RUSR | Mode::WUSR)?;
        let mut file = File::from(file);
        file.write_all(&serde_json::to_vec(entry)?)?;
        file.sync_all()?;
        sync_directory(&place.directory)
    }

    /// `None` if there is no journal, or none that is complete.
    fn read(&self) -> io::Result<Option<Entry>> {
        let Some(place) = self.find(&self.path)? else { return Ok(None) };
        let file = openat(&place.directory, &place.name, OFlags::RDONLY | SAFE, Mode::empty())?;
        let mut text = Vec::new();
        File::from(file).take(MAX_LENGTH).read_to_end(&mut text)?;
        // Cut short, it was written before the temporary file was made.
        Ok(serde_json::from_slice(&text).ok())
    }

    fn remove(&self) -> io::Result<()> {
        self.unlink(&self.path)
    }

    fn unlink(&self, path: &str) -> io::Result<()> {
        self.find(path)?.map_or(Ok(()), |place| unlink(&place))
    }

    /// Where a file is; `None` if it or its directory is missing.
    fn find(&self, path: &str) -> io::Result<Option<Place>> {
        let place = match walk(&self.root, path, Last::Keep, Missing::Fail) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            place => place?,
        };
        Ok(place.stat()?.map(|_| place))
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// What a replacement leaves that is killed after it was noted: whether its temporary file and
    /// its backup are there after the next start.
    fn left(has_temporary: bool, backup: &str) -> (bool, bool) {
        let directory = tempfile::tempdir().unwrap();
        let path = |path: &str| directory.path().join(path.trim_start_matches('/'));
        let temporary = names::temporary().unwrap();
        let temporary = format!("/etc/{temporary}");
        for file in [&temporary, backup] {
            fs::create_dir_all(path(file).parent().unwrap()).unwrap();
            fs::write(path(file), "").unwrap();
        }
        let journal = Journal::new(directory.path(), "/var/journal");
        journal.begin(&temporary, Some(backup));
        if !has_temporary {
            fs::remove_file(path(&temporary)).unwrap();
        }
        let removed = journal.recover().unwrap();
        assert_eq!(removed, Some(temporary.clone()).filter(|_| has_temporary));
        assert!(!path("/var/journal").exists());
        (path(&temporary).exists(), path(backup).exists())
    }

    #[test]
    fn what_was_not_finished_is_removed() {
        let backup = "/etc/motd.bak.1700000000".to_owned();
        assert_eq!(left(true, &backup), (false, false));
        // The file has taken its place: the backup belongs to it.
        assert_eq!(left(false, &backup), (false, true));
        // Whatever somebody has written into the journal.
        assert_eq!(left(true, "/etc/passwd"), (false, true));
    }

    #[test]
    fn nothing_is_left_in_a_directory_that_is_gone() {
        let directory = tempfile::tempdir().unwrap();
        let journal = Journal::new(directory.path(), "/journal");
        journal.begin(&format!("/gone/{}", names::temporary().unwrap()), None);
        assert_eq!(journal.recover().unwrap(), None);
        assert!(!directory.path().join("journal").exists());
    }

    #[test]
    fn a_backup_that_was_not_made_yet_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let journal = Journal::new(directory.path(), "/journal");
        let temporary = names::temporary().unwrap();
        let file = directory.path().join(&temporary);
        fs::write(&file, "").unwrap();
        let backup = "/etc/motd.bak.1700000000".to_owned();
        journal.begin(&format!("/{temporary}"), Some(&backup));
        assert!(journal.recover().unwrap().is_some() && !file.exists());
    }
}

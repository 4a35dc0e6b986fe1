//! Which version of a definition the copy here is of: a file beside the host's state for each.
//!
//! A copy that is not what its note says was changed here since, and the fleet has not been told.

use crate::core::model::Uuid;
use crate::durable;
use crate::fleet::kv::Revision;
use crate::state_file;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::task::spawn_blocking;
use tracing::warn;

/// The extension of the files.
const EXTENSION: &str = "copy";

/// The version of a definition in the fleet that a copy was made of, or became.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Note {
    /// The change that wrote it.
    pub(super) op: Uuid,
    revision: i64,
    /// The digest of the copy's text.
    pub(super) digest: String,
}

impl Note {
    pub(super) fn new(op: Uuid, revision: Revision, digest: String) -> Self {
        Self { op, revision: revision.0, digest }
    }

    /// When the fleet got it.
    pub(super) fn revision(&self) -> Revision {
        Revision(self.revision)
    }
}

/// The notes of all copies.
#[derive(Debug)]
pub struct Notes {
    dir: PathBuf,
    notes: Mutex<BTreeMap<Uuid, Note>>,
}

impl Notes {
    /// The notes in a directory, which is made with the first of them. What cannot be read is
    /// logged. Blocks.
    pub fn open(dir: &Path) -> Self {
        let notes = read_all(dir).unwrap_or_else(|error| {
            warn!(dir = %dir.display(), %error, "The notes about the fleet's definitions are lost");
            BTreeMap::new()
        });
        Self { dir: dir.to_owned(), notes: Mutex::new(notes) }
    }

    /// Removes the notes in a directory, when a host has left its fleet: its definitions are not
    /// the fleet's any more. Blocks.
    pub fn forget(dir: &Path) -> io::Result<()> {
        let mut files = read_all(dir)?.into_keys().map(|domain| file(dir, domain));
        files.try_for_each(|file| durable::remove(&file))
    }

    pub(super) fn get(&self, domain: Uuid) -> Option<Note> {
        self.lock().get(&domain).cloned()
    }

    /// The domains whose definitions were the fleet's.
    pub fn domains(&self) -> Vec<Uuid> {
        self.lock().keys().copied().collect()
    }

    /// Notes what a copy is of; `None` forgets it. A note that cannot be written is made anew when
    /// all is compared again.
    pub(super) async fn set(&self, domain: Uuid, note: Option<Note>) {
        let path = file(&self.dir, domain);
        let before = match note.clone() {
            Some(note) => self.lock().insert(domain, note),
            None => self.lock().remove(&domain),
        };
        if before == note {
            return;
        }
        let dir = self.dir.clone();
        let write = move || write(&dir, &path, note.as_ref());
        let written = spawn_blocking(write).await.map_err(io::Error::other);
        if let Err(error) = written.and_then(|written| written) {
            warn!(%domain, %error, "Which version of a definition is here could not be noted");
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Uuid, Note>> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn file(dir: &Path, domain: Uuid) -> PathBuf {
    dir.join(format!("{domain}.{EXTENSION}"))
}

fn write(dir: &Path, path: &Path, note: Option<&Note>) -> io::Result<()> {
    let Some(note) = note else { return durable::remove(path) };
    durable::create_dir(dir)?;
    durable::replace(path, &serde_json::to_vec(note)?)
}

fn read_all(dir: &Path) -> io::Result<BTreeMap<Uuid, Note>> {
    if !dir.is_dir() {
        return Ok(BTreeMap::new());
    }
    durable::remove_unfinished(dir)?;
    let mut notes = BTreeMap::new();
    for path in state_file::entries(dir)? {
        let is_note = path.extension().is_some_and(|extension| extension == EXTENSION);
        let name = path.file_stem().filter(|_| is_note).and_then(|stem| stem.to_str());
        let Some(domain) = name.and_then(|name| Uuid::try_parse(name).ok()) else { continue };
        let stored = state_file::load(&path, |text| serde_json::from_slice::<Note>(text))?;
        notes.extend(stored.sound().map(|note| (domain, note)));
    }
    Ok(notes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn notes_outlive_the_daemon() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("fleet");
        let notes = Notes::open(&dir);
        let domains = [1, 2, 3].map(Uuid::from_u128);
        for domain in domains {
            let note = Note::new(domain, Revision(7), "ab".to_owned());
            notes.set(domain, Some(note)).await;
        }
        notes.set(domains[0], None).await;
        notes.set(domains[0], None).await;
        std::fs::write(dir.join(format!("{}.copy", domains[1])), "x").unwrap();
        let notes = Notes::open(&dir);
        assert_eq!(notes.domains(), domains[2..]);
        assert_eq!(notes.get(domains[2]).unwrap().revision(), Revision(7));
        Notes::forget(&dir).unwrap();
        assert!(Notes::open(&dir).domains().is_empty());
        Notes::forget(&dir.join("nosuch")).unwrap();
    }
}

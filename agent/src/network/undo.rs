//! The old files, kept in a file of their own until the new ones have proven themselves: an agent
//! that is killed in the middle leaves it behind, and the next one puts the old files back when it
//! starts.

use super::files::{self, NewFile, read_text};
use crate::root::Root;
use serde::{Deserialize, Serialize};
use std::io;

/// Where the old files are kept.
pub(super) const PATH: &str = "/var/lib/xend-guest-agent/network.json";

/// The old files of a change that goes on.
#[derive(Debug)]
pub(super) struct Undo<'a> {
    root: &'a Root,
    kept: Kept,
}

#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    files: Vec<OldFile>,
    /// What the running system was called.
    hostname: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct OldFile {
    path: String,
    /// As [`read_text`] reads it. `None`: there was no such file.
    text: Option<String>,
    mode: u32,
}

impl<'a> Undo<'a> {
    /// Keeps the files that `changes` are about, and the running system's name.
    pub(super) fn save(
        root: &'a Root,
        changes: &[NewFile],
        hostname: Option<String>,
    ) -> io::Result<Self> {
        let keep = |file: &NewFile| {
            let text = read_text(root, &file.path)?;
            let mode = root.mode(&file.path)?.unwrap_or_default();
            Ok(OldFile { path: file.path.clone(), text, mode })
        };
        let files = changes.iter().map(keep).collect::<io::Result<_>>()?;
        let kept = Kept { files, hostname };
        // It may hold what private files do.
        files::write(root, PATH, &serde_json::to_string(&kept)?, 0o600, true)?;
        Ok(Self { root, kept })
    }

    /// What an agent has left that was killed before it had checked its changes.
    pub(super) fn load(root: &'a Root) -> io::Result<Option<Self>> {
        let Some(text) = read_text(root, PATH)? else { return Ok(None) };
        let Ok(kept) = serde_json::from_str(&text) else {
            // Files are replaced as a whole: somebody else has written this one.
            root.remove(PATH)?;
            return Ok(None);
        };
        Ok(Some(Self { root, kept }))
    }

    /// What the running system was called; `None` if its name was not to change.
    pub(super) fn hostname(&self) -> Option<&str> {
        self.kept.hostname.as_deref()
    }

    /// Puts all old files back, and takes new ones away. What fails does not keep it from the rest;
    /// the old files stay kept then.
    pub(super) fn put_back(self) -> io::Result<()> {
        let results: Vec<_> = self.kept.files.iter().map(|file| file.put_back(self.root)).collect();
        results.into_iter().collect::<io::Result<()>>()?;
        self.forget()
    }

    /// The new files are right: the old ones are not kept any longer.
    pub(super) fn forget(self) -> io::Result<()> {
        self.root.remove(PATH).map(drop)
    }
}

impl OldFile {
    fn put_back(&self, root: &Root) -> io::Result<()> {
        match &self.text {
            Some(text) => files::write(root, &self.path, text, self.mode, true),
            None => root.remove(&self.path).map(drop),
        }
    }
}

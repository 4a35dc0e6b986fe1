//! Files as they are to be, and how they are read and written.

use crate::root::{Owner, Replace, Root, words};
use rustix::fs::FileType;
use std::io;

/// The permissions of private files.
const PRIVATE: u32 = 0o600;

/// A file as it is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFile {
    /// Absolute, below the root.
    pub path: String,
    /// As [`read_text`] reads it. `None`: there is to be no such file.
    pub text: Option<String>,
    pub mode: Mode,
}

/// Who may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// A file that exists keeps its mode; a new one may be read by all.
    Kept,
    /// Root alone: the tools that read the file ask for it.
    Private,
}

impl NewFile {
    /// A file with this text.
    pub fn new(path: impl Into<String>, text: String) -> Self {
        Self { path: path.into(), text: Some(text), mode: Mode::Kept }
    }

    /// A file with this text that nobody but root may read.
    pub fn private(path: impl Into<String>, text: String) -> Self {
        Self { path: path.into(), text: Some(text), mode: Mode::Private }
    }

    /// A file that is not to be there any more.
    pub fn removed(path: impl Into<String>) -> Self {
        Self { path: path.into(), text: None, mode: Mode::Kept }
    }

    /// Whether the file is so already. An error names it.
    pub(super) fn is_there(&self, root: &Root) -> io::Result<bool> {
        if file_type(root, &self.path)? == Some(FileType::Symlink) {
            return Ok(false);
        }
        let has_text = read_text(root, &self.path)? == self.text;
        let mode = || root.mode(&self.path).map_err(about(&self.path));
        Ok(has_text && (self.mode == Mode::Kept || mode()? == Some(PRIVATE)))
    }

    /// Whether it can be made so, as far as that can be told without doing it.
    pub(super) fn check(&self, root: &Root) -> io::Result<()> {
        let content = bytes(self.text.as_deref().unwrap_or_default())?;
        root.check_replace(&self.path, &content)
    }

    /// Makes it so. The old file is kept: the writers do not take over all that people may have
    /// written there.
    pub(super) fn write(&self, root: &Root) -> io::Result<()> {
        let is_private = self.mode == Mode::Private;
        let how = Replace {
            new_mode: if is_private { PRIVATE } else { 0o644 },
            new_owner: Owner::Agent,
            force_mode: is_private,
            keep_old: true,
            make_directories: true,
        };
        match &self.text {
            Some(text) => root.replace(&self.path, &bytes(text)?, how).map(drop),
            None if root.exists(&self.path) => {
                // Emptied first, which keeps it. A kill in between is made good by the record of
                // the change.
                root.replace(&self.path, b"", how)?;
                root.remove(&self.path).map(drop)
            }
            None => Ok(()),
        }
    }
}

/// Reads a text, of which every byte becomes the character of the same number: other people's lines
/// survive whatever their encoding. `None` if there is no such file. An error names the file.
pub fn read_text(root: &Root, path: &str) -> io::Result<Option<String>> {
    let content = root.read(path).map_err(about(path))?;
    Ok(content.map(|bytes| bytes.into_iter().map(char::from).collect()))
}

/// The names in a directory. An error names the directory.
pub(super) fn list(root: &Root, directory: &str) -> io::Result<Vec<String>> {
    root.list(directory).map_err(about(directory))
}

/// What is there, without following a symbolic link. An error names it.
pub(super) fn file_type(root: &Root, path: &str) -> io::Result<Option<FileType>> {
    root.file_type(path).map_err(about(path))
}

/// Puts the file of an error before its words.
pub(super) fn about(path: &str) -> impl Fn(io::Error) -> io::Error {
    move |error| io::Error::new(error.kind(), format!("{path}: {}", words(&error)))
}

/// Writes what [`read_text`] reads, with the permissions `mode`, without keeping the old file.
/// `text` has no other characters.
pub(super) fn write(root: &Root, path: &str, text: &str, mode: u32) -> io::Result<()> {
    let how = Replace {
        new_mode: mode,
        new_owner: Owner::Agent,
        force_mode: true,
        keep_old: false,
        make_directories: true,
    };
    root.replace(path, &bytes(text)?, how).map(drop)
}

/// The content of a file with a text as [`read_text`] reads it. `text` has no other characters.
pub(super) fn bytes(text: &str) -> io::Result<Vec<u8>> {
    let byte = |character: char| u8::try_from(character).ok();
    let bytes: Option<Vec<u8>> = text.chars().map(byte).collect();
    bytes.ok_or_else(|| io::ErrorKind::InvalidData.into())
}

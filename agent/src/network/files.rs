//! Files as they are to be, and how they are read and written.

use crate::root::{Replace, Root};
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

    /// Whether the file is so already.
    pub(super) fn is_there(&self, root: &Root) -> io::Result<bool> {
        if root.file_type(&self.path)? == Some(FileType::Symlink) {
            return Ok(false);
        }
        let has_text = read_text(root, &self.path)? == self.text;
        Ok(has_text && (self.mode == Mode::Kept || root.mode(&self.path)? == Some(PRIVATE)))
    }

    /// Makes it so.
    pub(super) fn write(&self, root: &Root) -> io::Result<()> {
        match &self.text {
            None => root.remove(&self.path).map(drop),
            Some(text) => match self.mode {
                Mode::Kept => write(root, &self.path, text, 0o644, false),
                Mode::Private => write(root, &self.path, text, PRIVATE, true),
            },
        }
    }
}

/// Reads a text, of which every byte becomes the character of the same number: other people's lines
/// survive whatever their encoding. `None` if there is no such file.
pub fn read_text(root: &Root, path: &str) -> io::Result<Option<String>> {
    let content = root.read(path)?;
    Ok(content.map(|bytes| bytes.into_iter().map(char::from).collect()))
}

/// Writes what [`read_text`] reads, with the permissions `mode`; those of a file that exists stay
/// as they are unless `force_mode`. `text` has no other characters.
pub(super) fn write(
    root: &Root,
    path: &str,
    text: &str,
    mode: u32,
    force_mode: bool,
) -> io::Result<()> {
    let how = Replace { new_mode: mode, force_mode, keep_old: false, make_directories: true };
    root.replace(path, &bytes(text)?, how).map(drop)
}

fn bytes(text: &str) -> io::Result<Vec<u8>> {
    let byte = |character: char| u8::try_from(character).ok();
    let bytes: Option<Vec<u8>> = text.chars().map(byte).collect();
    bytes.ok_or_else(|| io::ErrorKind::InvalidData.into())
}

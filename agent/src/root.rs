//! The guest's files, below a root directory, and how they are replaced.

mod attributes;
mod backups;
mod check;
mod journal;
mod names;
mod old_file;
mod owner;
mod replacement;
mod walk;

pub use backups::MAX_BACKUPS;
pub use owner::Owner;
pub use replacement::{Replace, Replaced};

use journal::Journal;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, openat, unlinkat};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use walk::{Last, Missing, Place, entries, file_type, is_ours, real_path, sync_directory, walk};

/// The most bytes that are read of a file.
pub const MAX_READ: u64 = 4 << 20;

/// The most names that are listed of a directory.
pub const MAX_ENTRIES: usize = 4096;

/// Whether a file is a program to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    Yes,
    /// It is no file, or not executable.
    No,
    /// It is a symbolic link.
    Link,
    /// Other users can change it or a directory on its way.
    Unsafe,
}

/// The directory below which all files of the guest are: `/`, or another one for tests and images.
///
/// Paths are absolute, without `..`. Symbolic links lead to places below the root; those that
/// another user than root or the agent's own may have made are not followed (`ELOOP`).
#[derive(Debug, Clone)]
pub struct Root {
    directory: PathBuf,
    journal: Option<Journal>,
    own: Vec<String>,
}

impl Root {
    /// All files are below `directory`.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into(), journal: None, own: Vec::new() }
    }

    /// Notes replacements in the file `path` while they go on, so that [`recover`](Self::recover)
    /// can remove what a killed agent has left.
    #[must_use]
    pub fn with_journal(self, path: &str) -> Self {
        Self { journal: Some(Journal::new(&self.directory, path)), ..self }
    }

    /// Tells which files are the agent's own: those at these paths and below them.
    #[must_use]
    pub fn with_own(self, own: Vec<String>) -> Self {
        Self { own, ..self }
    }

    /// Whether the file is the agent's own, by whatever links the path leads to it.
    pub fn is_own(&self, path: &str) -> io::Result<bool> {
        let path = real_path(&self.directory, path, Last::Keep)?;
        let is_at = |own: &String, last| {
            let own = real_path(&self.directory, own, last);
            let rest = own.ok().and_then(|own| path.strip_prefix(own.as_str()));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        Ok(self.own.iter().any(|own| is_at(own, Last::Keep) || is_at(own, Last::Follow)))
    }

    /// Removes the temporary file of an agent that was killed while it replaced a file. Tells which
    /// one it was.
    pub fn recover(&self) -> io::Result<Option<String>> {
        self.journal.as_ref().map_or(Ok(None), Journal::recover)
    }

    /// Whether it is the running system itself.
    pub fn is_running_system(&self) -> bool {
        self.directory == Path::new("/")
    }

    /// Where a file of the guest is. `path` is absolute.
    pub fn path(&self, path: &str) -> PathBuf {
        self.directory.join(path.trim_start_matches('/'))
    }

    /// Whether there is such a file, directory or symbolic link.
    pub fn exists(&self, path: &str) -> bool {
        self.file_type(path).is_ok_and(|kind| kind.is_some())
    }

    /// What is there, without following a symbolic link at the end; `None` for nothing.
    pub fn file_type(&self, path: &str) -> io::Result<Option<FileType>> {
        let Some(place) = self.find(path, Last::Keep)? else { return Ok(None) };
        Ok(place.stat()?.map(|stat| file_type(&stat)))
    }

    /// The permissions of what is there, without following a symbolic link at the end; `None` for
    /// nothing.
    pub fn mode(&self, path: &str) -> io::Result<Option<u32>> {
        let Some(place) = self.find(path, Last::Keep)? else { return Ok(None) };
        Ok(place.stat()?.map(|stat| stat.st_mode & 0o7777))
    }

    /// Whether a file is a program to run. One that other users than root and the agent's own can
    /// change or replace is none.
    pub fn program(&self, path: &str) -> io::Result<Program> {
        let Some(place) = self.find(path, Last::Keep)? else { return Ok(Program::No) };
        let Some(stat) = place.stat()? else { return Ok(Program::No) };
        let mode = Mode::from_raw_mode(stat.st_mode);
        Ok(match file_type(&stat) {
            FileType::Symlink => Program::Link,
            FileType::RegularFile if mode.intersects(Mode::XUSR | Mode::XGRP | Mode::XOTH) => {
                if place.is_ours && is_ours(&stat) {
                    Program::Yes
                } else {
                    Program::Unsafe
                }
            }
            _ => Program::No,
        })
    }

    /// The content of a file; `None` if there is none. A file of more than [`MAX_READ`] bytes, and
    /// what is no regular file, is an error.
    pub fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        let Some(place) = self.find(path, Last::Follow)? else { return Ok(None) };
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match openat(&place.directory, &place.name, flags, Mode::empty()) {
            Err(Errno::NOENT) => return Ok(None),
            file => File::from(file?),
        };
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("It is not a regular file"));
        }
        let mut content = Vec::new();
        file.take(MAX_READ + 1).read_to_end(&mut content)?;
        if content.len() as u64 > MAX_READ {
            return Err(Errno::FBIG.into());
        }
        Ok(Some(content))
    }

    /// The names in a directory that are UTF-8, sorted, at most [`MAX_ENTRIES`]; none if there is
    /// no such directory.
    pub fn list(&self, directory: &str) -> io::Result<Vec<String>> {
        // Some name below it makes the directory one on the way, so that a link to it is followed.
        match walk(&self.directory, &format!("{directory}/-"), Last::Keep, Missing::Fail) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            place => entries(&place?.directory, MAX_ENTRIES),
        }
    }

    /// Replaces a file, or makes it: it is complete or as before at any time, on the disk when this
    /// returns, and keeps its owner, access list, labels, and the attributes that people have given
    /// it, but no capabilities. A symbolic link is replaced itself. A file that has the content
    /// already is not touched. Whatever prevents it is an error with its errno: `EROFS`, `EPERM` of
    /// an immutable file, `EISDIR` ...
    pub fn replace(&self, path: &str, content: &[u8], how: Replace) -> io::Result<Replaced> {
        let missing =
            if how.make_directories { Missing::Make(how.new_owner) } else { Missing::Fail };
        let place = walk(&self.directory, path, Last::Keep, missing)?;
        replacement::replace(&self.directory, &place, content, how, self.journal.as_ref())
    }

    /// Fails as [`replace`](Self::replace) with missing directories, or [`remove`](Self::remove),
    /// would fail, as far as that can be told without changing anything.
    pub fn check_replace(&self, path: &str, content: &[u8]) -> io::Result<()> {
        check::check_replace(&self.directory, path, content)
    }

    /// Removes the temporary files of agents that were killed while they replaced files in
    /// `directory`. Tells how many there were.
    pub fn remove_temporary_files(&self, directory: &str) -> io::Result<usize> {
        let mut names = self.list(directory)?;
        names.retain(|name| names::is_temporary(name));
        for name in &names {
            self.remove(&format!("{directory}/{name}"))?;
        }
        Ok(names.len())
    }

    /// Opens a file to lock it, for reading and writing. It is made, 0600, if there is none, and so
    /// are directories if `make_directories`.
    pub fn open_lock(&self, path: &str, make_directories: bool) -> io::Result<File> {
        let missing = if make_directories { Missing::Make(Owner::Agent) } else { Missing::Fail };
        let place = walk(&self.directory, path, Last::Keep, missing)?;
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW;
        // A pipe in its place is not waited for.
        let flags = flags | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = openat(&place.directory, &place.name, flags, Mode::RUSR | Mode::WUSR)?;
        Ok(File::from(file))
    }

    /// Removes a file or a symbolic link. Tells whether there was one.
    pub fn remove(&self, path: &str) -> io::Result<bool> {
        let Some(place) = self.find(path, Last::Keep)? else { return Ok(false) };
        match unlinkat(&place.directory, &place.name, AtFlags::empty()) {
            Err(Errno::NOENT) => return Ok(false),
            removed => removed?,
        }
        sync_directory(&place.directory)?;
        Ok(true)
    }

    /// `None` if a directory on the way is missing.
    fn find(&self, path: &str, last: Last) -> io::Result<Option<Place>> {
        match walk(&self.directory, path, last, Missing::Fail) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            place => place.map(Some),
        }
    }
}

/// The refusal to replace a symbolic link: somebody has decided where its content comes from.
pub fn replaces_no_link(path: &str) -> String {
    format!("{path} is a symbolic link, which is not replaced: put a file there")
}

/// The words of an error without the number that the standard library adds.
pub fn words(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error ").next().unwrap_or_default().to_owned()
}

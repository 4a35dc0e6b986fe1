//! The directory of saved domains: a file each, which has the domain's name.

use crate::bounded_file::{open_regular, unusual_kind};
use crate::failure::Failure;
use crate::output::note;
use std::fs::{self, DirBuilder};
use std::io::{self, Read as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// The first bytes of a file that `save` wrote.
const SIGNATURE: &[u8] = b"LinuxGuestRecord";
/// The first bytes of a file that `xl save` wrote.
const SIGNATURE_OF_XL: &[u8] = b"Xen saved domain";

/// The most older files of a name that are kept.
const MOST_OLDER: u32 = 99;

/// A file of the directory.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SavedFile {
    /// The domain's name.
    pub(super) name: String,
    pub(super) path: PathBuf,
    pub(super) kind: Kind,
}

/// Who wrote a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Ours,
    OfXl,
    Unknown,
}

/// The regular files of a directory in the order of their names. Hidden ones do not count, others
/// are named, and a directory that is missing has none.
pub(super) fn files(directory: &Path) -> Result<Vec<PathBuf>, Failure> {
    let unreadable = |error: io::Error| Failure::of_file("read", directory, &error);
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(unreadable)?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(unreadable)?.path();
        let is_hidden = path.file_name().is_none_or(|n| n.to_string_lossy().starts_with('.'));
        if is_hidden || path.is_dir() {
            continue;
        }
        // Whoever reads a link to nothing says so.
        let kind = fs::metadata(&path).ok().and_then(|data| unusual_kind(data.file_type()));
        match kind {
            Some(kind) => note(format!("Warning: {} is left out: it is {kind}", path.display())),
            None => files.push(path),
        }
    }
    files.sort();
    Ok(files)
}

/// The saved domains of a directory.
pub(super) fn saved(directory: &Path) -> Result<Vec<SavedFile>, Failure> {
    let of = |path: PathBuf| {
        let mut start = Vec::new();
        let read = open_regular(&path).and_then(|file| file.take(16).read_to_end(&mut start));
        read.map_err(|error| Failure::of_file("read", &path, &error))?;
        let kind = match start.as_slice() {
            SIGNATURE => Kind::Ours,
            SIGNATURE_OF_XL => Kind::OfXl,
            _ => Kind::Unknown,
        };
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        Ok(SavedFile { name: name.unwrap_or_default(), path, kind })
    };
    files(directory)?.into_iter().map(of).collect()
}

/// Where a domain is to be saved, and what became of a file that was there: the domain has run
/// since that was written, so restoring it would damage the disks. It gets a hidden name.
pub(super) fn place(directory: &Path, name: &str) -> Result<(PathBuf, Option<PathBuf>), Failure> {
    if name.starts_with('.') || name.contains('/') {
        return Err(Failure::new(format!("'{name}' cannot be the name of a file")));
    }
    let shown = directory.display();
    let above = directory.parent().unwrap_or(Path::new("/"));
    // The memory of guests is private. The directories above have other files.
    let made = fs::create_dir_all(above)
        .and_then(|()| DirBuilder::new().recursive(true).mode(0o700).create(directory));
    made.map_err(|error| Failure::of_file("create", directory, &error))?;
    let file = directory.join(name);
    if !file.exists() {
        return Ok((file, None));
    }
    let older = (1..=MOST_OLDER).map(|number| directory.join(format!(".{name}.{number}")));
    let Some(older) = older.into_iter().find(|older| !older.exists()) else {
        return Err(Failure::new(format!(
            "{shown} has too many older files of {name}: remove some"
        )));
    };
    let moved = fs::rename(&file, &older);
    moved.map_err(|error| Failure::of_file("rename", &file, &error))?;
    Ok((file, Some(older)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bounded_file::tests::fifo_with_writer;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn saved_domains_are_known_by_their_first_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
        write("web", "LinuxGuestRecord....");
        write("db", "Xen saved domain....");
        write("README", "a");
        write(".web.1", "LinuxGuestRecord");
        fs::create_dir(dir.path().join("lost+found")).unwrap();
        let found = saved(dir.path()).unwrap();
        let found: Vec<(&str, Kind)> = found.iter().map(|f| (f.name.as_str(), f.kind)).collect();
        assert_eq!(found, [("README", Kind::Unknown), ("db", Kind::OfXl), ("web", Kind::Ours)]);
        assert_eq!(saved(&dir.path().join("none")).unwrap(), []);
        fifo_with_writer(dir.path());
        assert_eq!(saved(dir.path()).unwrap().len(), 3);
        std::os::unix::fs::symlink("nowhere", dir.path().join("gone")).unwrap();
        assert!(saved(dir.path()).is_err());
    }

    #[test]
    fn an_older_file_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let dir_path = |name: &str| dir.path().join(name);
        let directory = dir_path("a/b");
        assert_eq!(place(&directory, "web").unwrap(), (directory.join("web"), None));
        let mode = |dir: &str| fs::metadata(dir_path(dir)).unwrap().permissions().mode();
        assert_eq!(mode("a/b") & 0o777, 0o700);
        assert_ne!(mode("a") & 0o055, 0, "others cannot reach their files in it");
        for older in [".web.1", ".web.2"] {
            fs::write(directory.join("web"), older).unwrap();
            let (file, kept) = place(&directory, "web").unwrap();
            assert_eq!((file, kept), (directory.join("web"), Some(directory.join(older))));
            assert_eq!(fs::read_to_string(directory.join(older)).unwrap(), older);
        }
        assert!(place(&directory, "../web").is_err() && place(&directory, ".web").is_err());
    }
}

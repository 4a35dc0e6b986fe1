//! Files that are complete or absent, whatever happens to the daemon or the machine.
//!
//! A file is written under a temporary name in its directory, forced to the disk and renamed, and
//! then its directory is forced to the disk. Files and directories are accessible to their owner
//! only. All functions block.

use rustix::io::Errno;
use rustix::process::geteuid;
use std::fs::{self, DirBuilder, File, Metadata};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;
use tracing::{info, warn};

/// The prefix of temporary names. A killed daemon leaves such files behind.
const UNFINISHED: &str = ".new-";

/// The beginning of the extension that is added to the name of a damaged file.
pub(crate) const DAMAGED: &str = "damaged";

/// Creates a directory, and its missing parents, which others may have files in, too. An existing
/// directory is no error.
pub fn create_dir(dir: &Path) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    create_parents(parent(dir))?;
    create_last_dir(dir)
}

fn create_parents(dir: &Path) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    create_parents(parent(dir))?;
    create(dir, 0o755)
}

/// Creates a directory in one that exists. An existing directory is no error.
pub fn create_last_dir(dir: &Path) -> io::Result<()> {
    create(dir, 0o700)
}

fn create(dir: &Path, mode: u32) -> io::Result<()> {
    match DirBuilder::new().mode(mode).create(dir) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => Ok(()),
        created => created.and_then(|()| sync_dir(parent(dir))),
    }
}

/// The most links that lead from one to the next.
pub(crate) const MAX_LINKS: usize = 40;

/// The file that a path stands for: a symbolic link stands for its file, also if that is missing.
/// Whoever replaces it keeps the link.
pub fn target(path: &Path) -> io::Result<PathBuf> {
    let mut target = path.to_owned();
    for _ in 0..MAX_LINKS {
        match fs::read_link(&target) {
            Ok(next) => target = parent(&target).join(next),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::InvalidInput | io::ErrorKind::NotFound
                ) =>
            {
                return Ok(target);
            }
            Err(error) => return Err(error),
        }
    }
    Err(Errno::LOOP.into())
}

/// Begins a file that will be at `path`. Dropped without a [`commit`], it leaves nothing behind.
pub fn begin(path: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(parent(path))
}

/// Moves a file that was begun to its path, replacing an earlier one.
pub fn commit(file: NamedTempFile, path: &Path) -> io::Result<()> {
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    sync_dir(parent(path))
}

/// Writes a file, replacing an earlier one.
pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = begin(path)?;
    file.write_all(content)?;
    commit(file, path)
}

/// Writes a file like [`replace`], but does not force it to the disk: the file survives the daemon
/// and may be lost in a crash of the machine.
pub fn replace_unsynced(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = begin(path)?;
    file.write_all(content)?;
    file.persist(path).map(drop).map_err(|error| error.error)
}

/// Renames a file within its directory.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    sync_dir(parent(to))
}

/// Removes a file. A missing file is no error.
pub fn remove(path: &Path) -> io::Result<()> {
    if remove_unsynced(path)? { sync_dir(parent(path)) } else { Ok(()) }
}

/// Removes a file like [`remove`], but does not force the removal to the disk. Tells whether there
/// was a file.
pub fn remove_unsynced(path: &Path) -> io::Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Removes a directory and its files. Damaged files and directories within it stay, and so does the
/// directory if it has any. A missing directory is no error. Of a link, the link alone is removed:
/// the files behind it need not be the daemon's.
pub fn remove_dir(dir: &Path) -> io::Result<()> {
    if fs::symlink_metadata(dir).is_ok_and(|data| data.is_symlink()) {
        return remove(dir);
    }
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    let mut is_empty = true;
    for entry in entries {
        let path = entry?.path();
        let damaged = path.file_name().is_some_and(|name| name.to_string_lossy().contains(DAMAGED));
        if damaged || path.is_dir() {
            is_empty = false;
        } else {
            fs::remove_file(path)?;
        }
    }
    if is_empty {
        fs::remove_dir(dir)?;
        sync_dir(parent(dir))?;
    }
    Ok(())
}

/// Removes the unfinished files that a killed daemon left in a directory of the daemon's own. One
/// that cannot be removed is no error.
pub fn remove_unfinished(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        remove_unfinished_file(&entry?.path());
    }
    Ok(())
}

/// Removes an unfinished file that a killed daemon left, and says so. Anything else under such a
/// name stays: what is no file, or has another owner.
pub fn remove_unfinished_file(path: &Path) {
    let has_name = path
        .file_name()
        .is_some_and(|name| name.as_encoded_bytes().starts_with(UNFINISHED.as_bytes()));
    let is_own = |data: Metadata| data.is_file() && data.uid() == geteuid().as_raw();
    if !has_name || !fs::symlink_metadata(path).is_ok_and(is_own) {
        return;
    }
    let file = path.display();
    match fs::remove_file(path) {
        Ok(()) => info!(%file, "Removed a file that a killed xend left unfinished"),
        Err(error) => warn!(%file, %error, "A file that a killed xend left cannot be removed"),
    }
}

/// The directory of a file.
pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Forces the names in a directory to the disk.
fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn names(dir: &Path) -> Vec<String> {
        let entries = fs::read_dir(dir).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn directories_and_files_are_private() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("a/b");
        create_dir(&dir).unwrap();
        create_dir(&dir).unwrap();
        replace(&dir.join("f"), b"1").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_ne!(
            mode(&root.path().join("a")) & 0o055,
            0,
            "others cannot reach their files in it"
        );
        assert_eq!(mode(&dir), 0o700);
        assert_eq!(mode(&dir.join("f")), 0o600);
        assert!(create_dir(&dir.join("f")).is_err());
    }

    #[test]
    fn an_uncommitted_file_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        let mut file = begin(&path).unwrap();
        file.write_all(b"1").unwrap();
        assert!(!path.exists());
        drop(file);
        assert_eq!(names(dir.path()), [""; 0]);
        replace(&path, b"1").unwrap();
        replace_unsynced(&path, b"2").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"2");
        fs::write(dir.path().join(".new-x"), "half").unwrap();
        fs::create_dir(dir.path().join(".new-dir")).unwrap();
        std::os::unix::fs::symlink(&path, dir.path().join(".new-link")).unwrap();
        remove_unfinished(dir.path()).unwrap();
        remove_unfinished_file(&path);
        assert_eq!(names(dir.path()), [".new-dir", ".new-link", "f"]);
    }

    #[test]
    fn a_link_stands_for_its_file() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        fs::create_dir(at("d")).unwrap();
        for (link, file) in [("a", "d/b"), ("d/b", "../c"), ("x", "y"), ("y", "x")] {
            symlink(file, at(link)).unwrap();
        }
        // c is missing.
        assert_eq!(target(&at("a")).unwrap(), at("d/../c"));
        replace(&at("c"), b"1").unwrap();
        assert_eq!(target(&at("c")).unwrap(), at("c"));
        assert_eq!(target(&at("nosuch/f")).unwrap(), at("nosuch/f"));
        assert!(target(&at("x")).is_err());
        assert!(target(&at("c/f")).is_err());
    }

    #[test]
    fn damaged_files_are_kept() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("d");
        create_dir(&dir).unwrap();
        let damaged = ["f.damaged", "f.damaged-20261129T012753Z"];
        for name in damaged.into_iter().chain(["g"]) {
            replace(&dir.join(name), b"x").unwrap();
        }
        remove_dir(&dir).unwrap();
        assert_eq!(names(&dir), damaged);
        for name in names(&dir) {
            remove(&dir.join(name)).unwrap();
        }
        remove(&dir.join("f.damaged")).unwrap();
        remove_dir(&dir).unwrap();
        remove_dir(&dir).unwrap();
        assert!(!dir.exists());
    }

    #[test]
    fn what_a_link_leads_to_is_kept() {
        let root = tempfile::tempdir().unwrap();
        let [link, dir] = ["link", "d"].map(|name| root.path().join(name));
        create_dir(&dir).unwrap();
        replace(&dir.join("f"), b"x").unwrap();
        symlink(&dir, &link).unwrap();
        remove_dir(&link).unwrap();
        assert_eq!((names(root.path()), names(&dir)), (vec!["d".to_owned()], vec!["f".to_owned()]));
    }
}

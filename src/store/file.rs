//! Files that are there as a whole or not at all, whatever happens to the machine.

use std::ffi::OsString;
use std::fmt::Display;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// Files that were being written when a daemon was killed begin with this.
const UNFINISHED: &str = ".new-";

/// The ending that is added to a file that makes no sense.
const DAMAGED: &str = "damaged";

/// Makes a directory that is its owner's alone. It is no error if it is there.
pub(super) fn make_dir(dir: &Path) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    sync_dir(parent(dir))
}

/// Begins a file, readable by its owner alone, in the directory that it will have its place in.
pub(super) fn begin(path: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(parent(path))
}

/// Puts a file that was begun in its place.
pub(super) fn finish(file: NamedTempFile, path: &Path) -> io::Result<()> {
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    sync_dir(parent(path))
}

/// Puts a whole new file in the place of an old one.
pub(super) fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut file = begin(path)?;
    file.write_all(text)?;
    finish(file, path)
}

/// Gives a file another name.
pub(super) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    sync_dir(parent(to))
}

/// Removes a file. It is no error if there is none.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Ok(()) => sync_dir(parent(path)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Removes a directory with what is in it, apart from damaged files. It is no error if there is
/// none.
pub(super) fn remove_tree(dir: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    let mut left = false;
    for entry in entries {
        let path = entry?.path();
        let damaged = path.file_name().is_some_and(|name| name.to_string_lossy().contains(DAMAGED));
        if damaged || path.is_dir() {
            left = true;
        } else {
            fs::remove_file(path)?;
        }
    }
    if !left {
        fs::remove_dir(dir)?;
        sync_dir(parent(dir))?;
    }
    Ok(())
}

/// Removes what a daemon that was killed had begun.
pub(super) fn forget_unfinished(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Gets a damaged file out of the way without losing it.
pub(super) fn set_aside(path: &Path, reason: &dyn Display) -> io::Result<()> {
    let with = |n: u32| {
        let mut name = OsString::from(path);
        name.push(format!(".{DAMAGED}"));
        if n > 0 {
            name.push(format!("-{n}"));
        }
        PathBuf::from(name)
    };
    let Some(aside) = (0..1000).map(with).find(|name| !name.exists()) else {
        return Err(io::Error::other("there are 1000 damaged files already"));
    };
    tracing::error!(file = %path.display(), set_aside = %aside.display(), "A damaged definition is set aside: {reason}");
    fs::rename(path, aside)?;
    sync_dir(parent(path))
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// What happened to names is durable only when their directory is.
fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

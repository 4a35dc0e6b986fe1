//! The directory of a socket or a log file: made if it alone is missing. Its own parents are the
//! operator's to make, since a mistyped path would spread directories over the system.
//!
//! [`check`] and [`check_writable`] tell without making anything whether it would be.

use rustix::fs::{Access, AtFlags, CWD, accessat};
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

/// The directory of a file; `.` for a plain name.
pub fn of(file: &Path) -> &Path {
    file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes the directory of a file, with this mode. An existing one stays as it is. Fails if its own
/// parent is missing, and names the first directory that is.
pub fn make(file: &Path, mode: u32) -> io::Result<()> {
    let dir = of(file);
    if dir.is_dir() {
        return Ok(());
    }
    check(file)?;
    match DirBuilder::new().mode(mode).create(dir) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => Ok(()),
        result => result,
    }
}

/// Makes the directory of a file and all above it that are missing, with this mode.
pub fn make_all(file: &Path, mode: u32) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(mode).create(of(file))
}

/// Fails if the parent of a file's directory is missing, and names the first directory that is.
pub fn check(file: &Path) -> io::Result<()> {
    let above = of(file).ancestors().skip(1);
    match above.filter(|dir| !dir.as_os_str().is_empty() && !dir.exists()).last() {
        Some(missing) => {
            let reason = format!("the directory {} is missing, make it first", missing.display());
            Err(io::Error::new(io::ErrorKind::NotFound, reason))
        }
        None => Ok(()),
    }
}

/// Fails if this process could not make files in a directory: in it, or in the first one above it
/// that exists, for a directory that is to be made.
pub fn check_writable(dir: &Path) -> io::Result<()> {
    let exists = |dir: &&Path| dir.symlink_metadata().is_ok();
    let Some(first) = dir.ancestors().find(exists) else { return Ok(()) };
    let failed = |error: io::Error| {
        if first == dir { error } else { named(first, &error) }
    };
    if !first.is_dir() {
        return Err(failed(io::ErrorKind::NotADirectory.into()));
    }
    let access = accessat(CWD, first, Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS);
    access.map_err(|error| failed(error.into()))
}

/// An error with the path that it is about.
fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_directory_that_cannot_be_had_is_told_before() {
        let root = tempfile::tempdir().unwrap();
        check_writable(root.path()).unwrap();
        check_writable(&root.path().join("a/b")).unwrap();
        let file = root.path().join("file");
        std::fs::write(&file, "").unwrap();
        let error = check_writable(&file).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotADirectory);
        let error = check_writable(&file.join("a")).unwrap_err();
        assert!(error.to_string().starts_with(&format!("{}: ", file.display())), "{error}");
        if rustix::process::geteuid().is_root() {
            println!("Skipped: root writes everywhere");
            return;
        }
        std::fs::set_permissions(root.path(), std::fs::Permissions::from_mode(0o500)).unwrap();
        let error = check_writable(&root.path().join("a")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
    }

    #[test]
    fn one_directory_is_made_and_no_more() {
        let root = tempfile::tempdir().unwrap();
        let near = root.path().join("xend/sock");
        make(&near, 0o700).unwrap();
        make(&near, 0o755).unwrap();
        let mode = root.path().join("xend").metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        let far = root.path().join("srv/run/deep/xend/sock");
        let error = make(&far, 0o700).unwrap_err();
        let missing = root.path().join("srv");
        let said = format!("the directory {} is missing, make it first", missing.display());
        assert_eq!((error.kind(), error.to_string()), (io::ErrorKind::NotFound, said));
        assert!(!missing.exists());
        assert_eq!(check(&far).unwrap_err().to_string(), error.to_string());
        make_all(&far, 0o700).unwrap();
        assert!(far.parent().unwrap().is_dir());
        check(&near).unwrap();
        check(Path::new("sock")).unwrap();
        assert_eq!(of(Path::new("sock")), Path::new("."));
    }
}

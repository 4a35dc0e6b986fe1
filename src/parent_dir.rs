//! The directory of a socket or a log file: made if it alone is missing. Its own parents are the
//! operator's to make, since a mistyped path would spread directories over the system.

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

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

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

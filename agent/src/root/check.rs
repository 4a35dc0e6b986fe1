//! Whether a file can be replaced, found out without changing anything.

use super::walk::{Last, Missing, Place, walk};
use rustix::fs::{
    Access, AtFlags, FileType, Mode, OFlags, StatxAttributes, StatxFlags, accessat, openat, statx,
};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

/// Attributes of a file that cannot be replaced.
const FIXED: StatxAttributes = StatxAttributes::IMMUTABLE.union(StatxAttributes::APPEND);

/// A file without a name, which is gone when it is closed.
const NAMELESS: OFlags = OFlags::TMPFILE.union(OFlags::WRONLY).union(OFlags::CLOEXEC);

/// Fails as the replacement of the file `path` by this content would fail, or its removal, as far
/// as that can be told: file systems that are read-only or full, files that are immutable or
/// mounted, and directories. If directories on the way are missing, it is about the one in which
/// they would be made.
pub(super) fn check_replace(root: &Path, path: &str, content: &[u8]) -> io::Result<()> {
    let place = nearest(root, path)?;
    check_file(&place)?;
    match openat(&place.directory, ".", NAMELESS, Mode::RUSR | Mode::WUSR) {
        Ok(file) => File::from(file).write_all(content),
        // Not all file systems have files without names.
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => {
            let access = Access::WRITE_OK | Access::EXEC_OK;
            Ok(accessat(&place.directory, ".", access, AtFlags::empty())?)
        }
        Err(error) => Err(error.into()),
    }
}

/// Where the file is or would be, or the first directory on its way that is missing.
fn nearest(root: &Path, path: &str) -> io::Result<Place> {
    let mut path = path;
    loop {
        let place = walk(root, path, Last::Keep, Missing::Fail);
        let is_missing = place.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
        match path.rsplit_once('/') {
            Some((parent, _)) if is_missing && !parent.is_empty() => path = parent,
            _ => return place,
        }
    }
}

/// Whether another file can take the place of this one, if it is there.
fn check_file(place: &Place) -> io::Result<()> {
    let flags = AtFlags::SYMLINK_NOFOLLOW;
    match statx(&place.directory, &place.name, flags, StatxFlags::TYPE) {
        Ok(stat) if stat.stx_attributes.intersects(FIXED) => Err(Errno::PERM.into()),
        Ok(stat) if stat.stx_attributes.contains(StatxAttributes::MOUNT_ROOT) => {
            Err(Errno::BUSY.into())
        }
        Ok(stat) if FileType::from_raw_mode(stat.stx_mode.into()) == FileType::Directory => {
            Err(Errno::ISDIR.into())
        }
        // Kernels before 4.11 do not tell.
        Ok(_) | Err(Errno::NOENT | Errno::NOSYS) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::process::Command;

    fn check(directory: &Path, path: &str) -> Option<Errno> {
        let error = check_replace(directory, path, b"new").err()?;
        Some(Errno::from_io_error(&error).unwrap())
    }

    #[test]
    fn what_can_be_replaced_is_not_touched() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("file"), "old").unwrap();
        for path in ["/file", "/none", "/no/such/directory/file"] {
            assert_eq!(check(directory.path(), path), None, "{path}");
        }
        assert_eq!(fs::read(directory.path().join("file")).unwrap(), b"old");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        assert_eq!(check(directory.path(), "/file/below"), Some(Errno::NOTDIR));
        fs::create_dir(directory.path().join("directory")).unwrap();
        assert_eq!(check(directory.path(), "/directory"), Some(Errno::ISDIR));
        assert_eq!(check(Path::new("/no/such/root"), "/file"), Some(Errno::NOENT));
    }

    /// A mount that is undone at the end.
    struct Mount<'a>(&'a Path);

    impl<'a> Mount<'a> {
        /// `None`, visibly, if nothing can be mounted here.
        fn new(options: &[&str], at: &'a Path) -> Option<Self> {
            let output = Command::new("mount").args(options).arg(at).output();
            if output.is_ok_and(|output| output.status.success()) {
                return Some(Self(at));
            }
            eprintln!("SKIPPED: nothing can be mounted here");
            None
        }
    }

    impl Drop for Mount<'_> {
        fn drop(&mut self) {
            drop(Command::new("umount").arg(self.0).status());
        }
    }

    #[test]
    fn file_systems_that_are_read_only_or_full_are_seen() {
        let directory = tempfile::tempdir().unwrap();
        let etc = directory.path().join("etc");
        fs::create_dir(&etc).unwrap();
        if let Some(_mount) = Mount::new(&["-t", "tmpfs", "-o", "ro", "none"], &etc) {
            for path in ["/etc/file", "/etc/new/file"] {
                assert_eq!(check(directory.path(), path), Some(Errno::ROFS), "{path}");
            }
        }
        let full = ["-t", "tmpfs", "-o", "size=4k,huge=never", "none"];
        if let Some(_mount) = Mount::new(&full, &etc) {
            assert_eq!(check(directory.path(), "/etc/file"), None);
            fs::write(etc.join("large"), [0; 4096]).unwrap();
            assert_eq!(check(directory.path(), "/etc/file"), Some(Errno::NOSPC));
        }
    }

    #[test]
    fn a_file_that_is_mounted_is_seen() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("resolv.conf");
        fs::write(&target, "").unwrap();
        fs::write(directory.path().join("other"), "").unwrap();
        let source = directory.path().join("other").display().to_string();
        if let Some(_mount) = Mount::new(&["--bind", &source], &target) {
            assert_eq!(check(directory.path(), "/resolv.conf"), Some(Errno::BUSY));
            assert_eq!(check(directory.path(), "/other"), None);
        }
    }
}

//! Failures of the hypervisor, of the store and of files, as errors of operations.

use super::error::Error;
use super::model::Invalid;
use std::any::Any;
use std::io::{self, ErrorKind};
use std::path::Path;

/// Linux's `ENAMETOOLONG` and `ELOOP`, for which Rust has no stable [`ErrorKind`].
const PATH_TOO_LONG: [i32; 2] = [36, 40];

impl Error {
    /// A failure of the hypervisor or the store, with `message` for the caller. A full disk becomes
    /// [`Error::NoRoom`], since the caller can do something about it.
    pub fn backend(
        message: impl Into<String>,
        source: impl std::error::Error + Send + Sync + 'static,
    ) -> Self {
        let what = message.into();
        let io = (&source as &dyn Any).downcast_ref::<io::Error>();
        match io.and_then(full_disk) {
            Some(reason) => Self::NoRoom { what, reason, place: None },
            None => Self::Backend { message: what, source: Some(Box::new(source)) },
        }
    }

    /// The same for a failure to write in the directory `place`. That a directory is another one by
    /// now, the caller is told, too.
    pub fn not_written(message: impl Into<String>, place: &Path, source: io::Error) -> Self {
        if source.kind() == ErrorKind::StaleNetworkFileHandle {
            let message = format!("{}: {source}", message.into());
            return Self::Backend { message, source: None };
        }
        Self::backend(message, source).on_disk_of(place)
    }

    /// The same for a file that the caller has named: what the caller can mend, a path that leads
    /// nowhere or where xend may not write, is [`Error::Invalid`].
    pub fn file_not_written(message: impl Into<String>, file: &Path, source: io::Error) -> Self {
        let message = message.into();
        match refused_path(&source) {
            Some(reason) => refused_file(&format!("{message}: {reason}")),
            None => Self::not_written(message, file.parent().unwrap_or(file), source),
        }
    }

    /// The same for a file that the caller has named, and that cannot be read.
    pub fn file_not_read(message: impl Into<String>, source: io::Error) -> Self {
        let message = message.into();
        match refused_path(&source) {
            Some(reason) => refused_file(&format!("{message}: {reason}")),
            None => Self::backend(message, source),
        }
    }

    /// Says of a full disk which one it is, unless that is known already.
    #[must_use]
    pub fn on_disk_of(self, place: &Path) -> Self {
        match self {
            Self::NoRoom { what, reason, place: None } => {
                Self::NoRoom { what, reason, place: Some(place.to_owned()) }
            }
            other => other,
        }
    }
}

/// The refusal of a file that the caller has named. The parameter with its path is `file` on all
/// wires.
fn refused_file(reason: &str) -> Error {
    Invalid::new(reason).about("file").into()
}

/// What a full disk lacks.
fn full_disk(error: &io::Error) -> Option<&'static str> {
    match error.kind() {
        ErrorKind::StorageFull => Some("no space left on the disk"),
        ErrorKind::QuotaExceeded => Some("no quota left on the disk"),
        _ => None,
    }
}

/// What is wrong with a path; `None` if the path is not at fault.
fn refused_path(error: &io::Error) -> Option<&'static str> {
    Some(match error.kind() {
        ErrorKind::NotFound => "no such file or directory",
        ErrorKind::PermissionDenied => "permission denied",
        ErrorKind::NotADirectory => "a part of the path is not a directory",
        ErrorKind::IsADirectory => "it is a directory",
        ErrorKind::ReadOnlyFilesystem => "the file system cannot be written",
        ErrorKind::FileTooLarge => "the file system does not support files of this size",
        ErrorKind::InvalidInput => "the file system does not accept it",
        _ if error.raw_os_error().is_some_and(|code| PATH_TOO_LONG.contains(&code)) => {
            "the path is too long, or has too many links"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_said_and_named() {
        let full = || io::Error::from_raw_os_error(28);
        let quota = io::Error::from_raw_os_error(122);
        let dir = Path::new("/var/lib/xend/domains");
        let said = Error::not_written("The definition could not be stored", dir, full());
        assert_eq!(
            said.to_string(),
            "The definition could not be stored: no space left on the disk of /var/lib/xend/domains"
        );
        let said = Error::file_not_written("Cannot save", &dir.join("a.save"), quota);
        assert_eq!(
            said.to_string(),
            "Cannot save: no quota left on the disk of /var/lib/xend/domains"
        );
        let said = Error::backend("Cannot save", full());
        assert_eq!(said.to_string(), "Cannot save: no space left on the disk");
        let named = said.on_disk_of(dir).on_disk_of(Path::new("/other"));
        assert!(named.to_string().ends_with("on the disk of /var/lib/xend/domains"), "{named}");
        let other = Error::not_written("Cannot save", dir, io::Error::from_raw_os_error(5));
        assert!(matches!(other, Error::Backend { message, .. } if message == "Cannot save"));
    }

    #[test]
    fn a_path_at_fault_is_the_callers_to_mend() {
        for code in [1, 2, 13, 20, 21, 22, 27, 30, 36, 40] {
            let error = || io::Error::from_raw_os_error(code);
            for said in [
                Error::file_not_read("file: /x", error()),
                Error::file_not_written("file: /x", Path::new("/x"), error()),
            ] {
                assert!(matches!(said, Error::Invalid(_)), "{code}: {said:?}");
                assert!(!said.to_string().contains("os error"), "{said}");
            }
        }
        for code in [5, 12, 23, 24, 110] {
            let said = Error::file_not_read("file: /x", io::Error::from_raw_os_error(code));
            assert!(matches!(said, Error::Backend { .. }), "{code}: {said:?}");
        }
    }
}

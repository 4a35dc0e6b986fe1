//! What can go wrong.

use crate::path::PathError;
use crate::wire::PayloadTooLong;
use rustix::io::Errno;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why XenStore refused a request: the names of errors that it sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// `EACCES`: the domain may not do this.
    Access,
    /// `EAGAIN`: the transaction conflicts with another change and must be repeated.
    Again,
    /// `EBUSY`: the daemon cannot do this now.
    Busy,
    /// `EEXIST`: there is such a watch or domain already.
    Exists,
    /// `EINVAL`: the request is malformed, such as its path.
    Invalid,
    /// `EIO`: the daemon's own failure.
    Io,
    /// `EISCONN`: the domain was introduced already.
    Connected,
    /// `EISDIR`: old daemons only.
    IsDirectory,
    /// `ENOENT`: there is no such node, watch, transaction or domain.
    NotFound,
    /// `ENOMEM`: the daemon is out of memory.
    NoMemory,
    /// `ENOSPC`: a quota of the domain is used up.
    NoSpace,
    /// `ENOSYS`: the daemon does not know this request.
    Unsupported,
    /// `ENOTEMPTY`: old daemons only.
    NotEmpty,
    /// `EPERM`: the domain may not do this.
    NotPermitted,
    /// `EROFS`: the connection is for reading only.
    ReadOnly,
    /// `E2BIG`: the answer is longer than a payload, or the domain has too many watches.
    TooBig,
    /// A name that this client does not know.
    Other,
}

/// Each refusal, its name on the wire, and the errno of the same name.
const REFUSALS: [(Refusal, &str, Errno); 16] = [
    (Refusal::Access, "EACCES", Errno::ACCESS),
    (Refusal::Again, "EAGAIN", Errno::AGAIN),
    (Refusal::Busy, "EBUSY", Errno::BUSY),
    (Refusal::Exists, "EEXIST", Errno::EXIST),
    (Refusal::Invalid, "EINVAL", Errno::INVAL),
    (Refusal::Io, "EIO", Errno::IO),
    (Refusal::Connected, "EISCONN", Errno::ISCONN),
    (Refusal::IsDirectory, "EISDIR", Errno::ISDIR),
    (Refusal::NotFound, "ENOENT", Errno::NOENT),
    (Refusal::NoMemory, "ENOMEM", Errno::NOMEM),
    (Refusal::NoSpace, "ENOSPC", Errno::NOSPC),
    (Refusal::Unsupported, "ENOSYS", Errno::NOSYS),
    (Refusal::NotEmpty, "ENOTEMPTY", Errno::NOTEMPTY),
    (Refusal::NotPermitted, "EPERM", Errno::PERM),
    (Refusal::ReadOnly, "EROFS", Errno::ROFS),
    (Refusal::TooBig, "E2BIG", Errno::TOOBIG),
];

impl Refusal {
    /// The name that stands in an error's payload.
    pub fn name(self) -> &'static str {
        let row = REFUSALS.iter().find(|(refusal, ..)| *refusal == self);
        row.map_or("EINVAL", |(_, name, _)| *name)
    }

    /// The refusal of this name.
    pub fn from_name(name: &str) -> Self {
        let row = REFUSALS.iter().find(|(_, known, _)| *known == name);
        row.map_or(Self::Other, |(refusal, ..)| *refusal)
    }

    /// The refusal that an old kernel's driver gives as the errno of `write`, for requests that it
    /// answers itself. `EAGAIN` and `EIO` are the file's own.
    pub(crate) fn from_write_error(error: &io::Error) -> Option<Self> {
        let errno = Errno::from_io_error(error)?;
        let row = REFUSALS.iter().find(|(.., known)| *known == errno)?;
        (!matches!(row.0, Self::Again | Self::Io)).then_some(row.0)
    }
}

impl std::error::Error for Refusal {}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Access | Self::NotPermitted => "XenStore does not permit this domain to do this",
            Self::Again => "Another change of XenStore got in the way: try again",
            Self::Busy => "XenStore is busy",
            Self::Exists => "XenStore has this already",
            Self::Invalid => "XenStore finds the request invalid",
            Self::Io => "XenStore failed to do this",
            Self::Connected => "XenStore knows this domain already",
            Self::IsDirectory => "The node is a directory",
            Self::NotFound => "XenStore has no such node",
            Self::NoMemory => "XenStore is out of memory",
            Self::NoSpace => "XenStore's quota for this domain is used up",
            Self::Unsupported => "XenStore does not know this request",
            Self::NotEmpty => "The node has children",
            Self::ReadOnly => "The connection to XenStore is for reading only",
            Self::TooBig => "XenStore's answer is too long, or there are too many watches",
            Self::Other => "XenStore refuses the request for a reason that is unknown here",
        })
    }
}

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// XenStore refused it.
    #[error("{0}")]
    Refused(Refusal),
    /// A path is not valid.
    #[error("{0}")]
    Path(#[from] PathError),
    /// A token or another argument holds a NUL.
    #[error("An argument holds a NUL byte")]
    Nul,
    /// The request is longer than the connection can send.
    #[error("The request has {length} bytes: at most {limit} are possible")]
    TooLong {
        /// Its length, in bytes.
        length: usize,
        /// The longest, in bytes.
        limit: usize,
    },
    /// XenStore could not be opened.
    #[error("{0}")]
    Open(#[from] OpenError),
    /// Events came faster than they were taken, and some were dropped: read what is watched again.
    #[error("Events of XenStore were lost: read the watched nodes again")]
    EventsLost,
    /// XenStore did not answer in time. The connection is lost.
    #[error("XenStore did not answer in time")]
    TimedOut,
    /// XenStore closed the connection.
    #[error("XenStore closed the connection")]
    Closed,
    /// What came is no answer to the request.
    #[error("XenStore's answer is malformed: {0}")]
    Malformed(&'static str),
    /// The connection failed.
    #[error("The connection to XenStore failed: {0}")]
    Io(#[source] io::Error),
    /// An earlier request failed in a way that ended the connection.
    #[error("The connection to XenStore was lost: open a new one")]
    Lost,
}

impl Error {
    /// Why XenStore refused the request, if it did.
    pub fn refusal(&self) -> Option<Refusal> {
        match self {
            Self::Refused(refusal) => Some(*refusal),
            _ => None,
        }
    }

    /// Whether there is no such node, watch, transaction or domain.
    pub fn is_not_found(&self) -> bool {
        self.refusal() == Some(Refusal::NotFound)
    }

    /// Whether the domain may not do this.
    pub fn is_access(&self) -> bool {
        matches!(self.refusal(), Some(Refusal::Access | Refusal::NotPermitted))
    }

    /// Whether the transaction must be repeated.
    pub fn is_again(&self) -> bool {
        self.refusal() == Some(Refusal::Again)
    }

    /// Whether a quota of the domain is used up.
    pub fn is_no_space(&self) -> bool {
        self.refusal() == Some(Refusal::NoSpace)
    }

    /// Whether XenStore did not answer in time.
    pub fn is_timeout(&self) -> bool {
        match self {
            Self::TimedOut => true,
            Self::Open(OpenError::Io { source, .. } | OpenError::Variable { source, .. }) => {
                source.kind() == io::ErrorKind::TimedOut
            }
            _ => false,
        }
    }

    /// Whether the connection should be given up: only a new one can help.
    pub fn is_lost(&self) -> bool {
        match self {
            Self::Refused(_)
            | Self::Path(_)
            | Self::Nul
            | Self::TooLong { .. }
            | Self::EventsLost => false,
            Self::Open(_)
            | Self::TimedOut
            | Self::Closed
            | Self::Malformed(_)
            | Self::Io(_)
            | Self::Lost => true,
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<PayloadTooLong> for Error {
    fn from(_: PayloadTooLong) -> Self {
        Self::Malformed("a message is too long")
    }
}

/// Why XenStore could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// No device and no socket of XenStore is there: this is no domain of Xen.
    #[error("This machine has no XenStore: neither a device nor a socket of it is there")]
    NoXenStore,
    /// The device or socket is there, but cannot be opened.
    #[error("Cannot open XenStore at {}: {source}", path.display())]
    Io {
        /// The device or socket.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The same of the device or socket that the environment names.
    #[error("Cannot open XenStore at {}, as XENSTORED_PATH says: {source}", path.display())]
    Variable {
        /// The device or socket.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_that_takes_too_long_is_a_timeout_wherever_its_path_is_from() {
        let path = PathBuf::from("/run/xenstored/socket");
        for (kind, is_timeout) in
            [(io::ErrorKind::TimedOut, true), (io::ErrorKind::ConnectionRefused, false)]
        {
            let found = OpenError::Io { path: path.clone(), source: kind.into() };
            let named = OpenError::Variable { path: path.clone(), source: kind.into() };
            for error in [found, named] {
                assert_eq!(Error::Open(error).is_timeout(), is_timeout);
            }
        }
    }
}

//! What a client is connected by: the kernel's device in a guest, a unix socket beside the daemon.

use crate::error::OpenError;
use crate::wire::{HEADER_LEN, MAX_PAYLOAD};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use std::env;
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What a client can read from, write to and wait for. It should be non-blocking: then requests are
/// bounded in time when the other end does not read, either.
pub trait Transport: Read + Write + AsFd + Send {}

impl<T: Read + Write + AsFd + Send> Transport for T {}

/// Names the device or socket instead of the usual ones. [`OpenError::Variable`] names it as well.
const PATH_VARIABLE: &str = "XENSTORED_PATH";

/// Where XenStore may be, best first. Sockets are only where the daemon runs; the first two devices
/// are Linux's, the third is FreeBSD's.
const PATHS: [&str; 5] = [
    "/run/xenstored/socket",
    "/var/run/xenstored/socket",
    "/dev/xen/xenbus",
    "/proc/xen/xenbus",
    "/dev/xen/xenstore",
];

/// The longest payload that a device takes: Linux's driver has room for 4096 bytes with the header.
const MAX_DEVICE_PAYLOAD: usize = MAX_PAYLOAD - HEADER_LEN;

/// How long a daemon may take to accept a connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// An open device or socket.
pub(crate) struct Opened {
    pub(crate) transport: Box<dyn Transport>,
    /// The longest payload, in bytes.
    pub(crate) max_payload: usize,
    /// Whether a failed `write` may be the daemon's refusal, see [`Refusal::from_write_error`].
    ///
    /// [`Refusal::from_write_error`]: crate::error::Refusal::from_write_error
    pub(crate) is_device: bool,
}

impl Opened {
    pub(crate) fn stream(transport: impl Transport + 'static) -> Self {
        Self { transport: Box::new(transport), max_payload: MAX_PAYLOAD, is_device: false }
    }

    pub(crate) fn device(transport: impl Transport + 'static) -> Self {
        Self { transport: Box::new(transport), max_payload: MAX_DEVICE_PAYLOAD, is_device: true }
    }
}

/// Opens this machine's XenStore. `deadline` bounds the time for connections, if there is one.
pub(crate) fn open(deadline: Option<Instant>) -> Result<Opened, OpenError> {
    if let Some(path) = env::var_os(PATH_VARIABLE).filter(|path| !path.is_empty()) {
        let path = PathBuf::from(path);
        return try_open(&path, deadline).map_err(|source| OpenError::Variable { path, source });
    }
    let mut failure = OpenError::NoXenStore;
    for path in PATHS {
        match open_path(Path::new(path), deadline) {
            Ok(opened) => return Ok(opened),
            Err(OpenError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
            // The first one that is there is the one to tell of.
            Err(error) if matches!(failure, OpenError::NoXenStore) => failure = error,
            Err(_) => {}
        }
    }
    Err(failure)
}

/// Opens a device or a socket. `deadline` bounds the time for the connection, if there is one.
pub(crate) fn open_path(path: &Path, deadline: Option<Instant>) -> Result<Opened, OpenError> {
    try_open(path, deadline).map_err(|source| OpenError::Io { path: path.to_owned(), source })
}

fn try_open(path: &Path, deadline: Option<Instant>) -> io::Result<Opened> {
    let kind = fs::metadata(path)?.file_type();
    if kind.is_socket() {
        return connect_to(path, deadline).map(Opened::stream);
    }
    // The device of old kernels looks like a regular file. Others would be written to.
    if !kind.is_char_device() && !path.starts_with("/proc/xen") {
        return Err(io::Error::other("It is neither a socket nor a device"));
    }
    let flags = i32::try_from((OFlags::NONBLOCK | OFlags::NOCTTY).bits()).unwrap_or(0);
    let file = OpenOptions::new().read(true).write(true).custom_flags(flags).open(path)?;
    Ok(Opened::device(file))
}

fn connect_to(path: &Path, deadline: Option<Instant>) -> io::Result<UnixStream> {
    let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
    let limit = left.map_or(CONNECT_LIMIT, |left| left.min(CONNECT_LIMIT));
    if limit.is_zero() {
        return Err(io::ErrorKind::TimedOut.into());
    }
    let flags = SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    // It bounds `connect` as well.
    set_socket_timeout(&socket, Timeout::Send, Some(limit))?;
    match connect(&socket, &SocketAddrUnix::new(path)?) {
        Err(Errno::AGAIN) => return Err(io::ErrorKind::TimedOut.into()),
        other => other?,
    }
    let stream = UnixStream::from(socket);
    stream.set_nonblocking(true)?;
    Ok(stream)
}

/// Waits for one of `events`, until `deadline` if there is one. Returns whether one came.
pub(crate) fn wait(
    fd: BorrowedFd<'_>,
    events: PollFlags,
    deadline: Option<Instant>,
) -> io::Result<bool> {
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let timeout = left.map(|left| Timespec {
            tv_sec: left.as_secs().try_into().unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        });
        match poll(&mut [PollFd::from_borrowed_fd(fd, events)], timeout.as_ref()) {
            Ok(0) if left.is_some_and(|left| left.is_zero()) => return Ok(false),
            Ok(0) | Err(Errno::INTR) => {}
            Ok(_) => return Ok(true),
            Err(errno) => return Err(errno.into()),
        }
    }
}

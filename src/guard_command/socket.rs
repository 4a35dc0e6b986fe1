//! Where the daemon finds the guard: a unix socket of which there is one, for one user.

use rustix::fs::{FlockOperation, Mode, flock};
use rustix::process::umask;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use tokio::net::UnixListener;

/// A socket, as long as this process is the only guard.
#[derive(Debug)]
pub(super) struct Socket {
    pub(super) listener: UnixListener,
    _lock: File,
}

/// Opens the socket. What an earlier guard has left is replaced.
pub(super) fn open(path: &Path) -> io::Result<Socket> {
    make_dir(path.parent().unwrap_or(Path::new(".")))?;
    let lock = path.with_extension("lock");
    let lock = OpenOptions::new().create(true).append(true).mode(0o600).open(lock)?;
    flock(&lock, FlockOperation::NonBlockingLockExclusive)
        .map_err(|_| io::Error::other("another guard of this host runs"))?;
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // No other thread makes files yet.
    let before = umask(Mode::from_raw_mode(0o177));
    let listener = UnixListener::bind(path);
    umask(before);
    Ok(Socket { listener: listener?, _lock: lock })
}

/// Makes a directory that only its user may enter, and those above it.
pub(super) fn make_dir(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[tokio::test]
    async fn there_is_one_guard_and_its_socket_is_its_users() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("fleet/guard.socket");
        let socket = open(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let error = open(&path).unwrap_err().to_string();
        assert!(error.contains("another guard"), "{error}");
        drop(socket);
        open(&path).unwrap();
    }
}

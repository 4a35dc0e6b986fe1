//! Unix sockets that exist with their final permissions or not at all.
//!
//! A socket is bound in a directory that only the daemon can enter, gets its mode and group there,
//! and is renamed to its path. So nobody can connect before the permissions are set, and the path
//! is never missing while one daemon replaces another.

use super::error::ListenError;
use crate::config::UnixSocket;
use crate::parent_dir;
use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{
    DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _, chown,
};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;

/// Time limit for connecting to the socket of another server, which counts as running after that.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// The longest path of a socket in bytes, as the kernel has it.
const MAX_PATH: usize = 107;

/// The bytes that a socket's temporary path has after its directory at most: `/.x4194304.0/s`.
const LONGEST_TEMPORARY: usize = 14;

/// The file of a bound socket. Dropping it removes the file, unless another one replaced it.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    /// Device and inode.
    identity: (u64, u64),
}

impl SocketFile {
    fn identity_of(path: &Path) -> io::Result<(u64, u64)> {
        fs::symlink_metadata(path).map(|meta| (meta.dev(), meta.ino()))
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if Self::identity_of(&self.path).is_ok_and(|found| found == self.identity) {
            if let Err(error) = fs::remove_file(&self.path) {
                tracing::warn!("Cannot remove the socket {}: {error}", self.path.display());
            }
        }
    }
}

/// Binds a socket. The socket of a server that no longer runs is replaced.
pub(super) async fn bind(
    configured: &UnixSocket,
) -> Result<(UnixListener, SocketFile), ListenError> {
    let path = &configured.path;
    let failed = |action, path: &Path| {
        let path = path.to_owned();
        move |source| ListenError::Unix { action, path, source }
    };
    let gid = group_of(configured)?;
    let parent = parent_dir::of(path);
    let make = if configured.is_default { parent_dir::make_all } else { parent_dir::make };
    make(path, 0o700).map_err(failed("create the directory", parent))?;
    check_replaceable(path).await?;

    let private = PrivateDir::create(parent).map_err(failed("create a directory in", parent))?;
    let temporary = private.0.join("s");
    let socket = UnixListener::bind(&temporary).map_err(failed("bind the socket", path))?;
    if let (Some(gid), Some(group)) = (gid, &configured.group) {
        let refused =
            |source| ListenError::Chown { path: path.clone(), group: group.clone(), source };
        chown(&temporary, None, Some(gid)).map_err(refused)?;
    }
    fs::set_permissions(&temporary, Permissions::from_mode(configured.mode))
        .map_err(failed("change the mode of", path))?;
    let identity = SocketFile::identity_of(&temporary).map_err(failed("look at", &temporary))?;
    fs::rename(&temporary, path).map_err(failed("move the socket to", path))?;
    if let Some(gid) = gid {
        warn_if_inaccessible(parent, gid);
    }
    Ok((socket, SocketFile { path: path.clone(), identity }))
}

/// Checks that a socket can be bound, as far as it shows without binding one: another server may
/// have it.
pub(super) fn check(configured: &UnixSocket) -> Result<(), ListenError> {
    let path = &configured.path;
    let parent = parent_dir::of(path);
    let failed = |action, path: &Path| {
        let path = path.to_owned();
        move |source| ListenError::Unix { action, path, source }
    };
    if !configured.is_default {
        parent_dir::check(path).map_err(failed("create the directory", parent))?;
    }
    parent_dir::check_writable(parent).map_err(failed("use the directory", parent))?;
    let needed = path.as_os_str().len().max(parent.as_os_str().len() + LONGEST_TEMPORARY);
    if needed > MAX_PATH {
        let reason = format!("the path is {} bytes too long", needed - MAX_PATH);
        return Err(failed("bind the socket", path)(io::Error::other(reason)));
    }
    has_socket(path).map(drop)
}

/// Whether there is a socket at `path`. Fails if there is something else.
fn has_socket(path: &Path) -> Result<bool, ListenError> {
    let failed = |source| ListenError::Unix { action: "look at", path: path.to_owned(), source };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(failed(error)),
        Ok(meta) if meta.file_type().is_socket() => Ok(true),
        Ok(_) => Err(ListenError::NotASocket(path.to_owned())),
    }
}

/// Checks that `path` is free, or has the socket of a server that no longer runs.
async fn check_replaceable(path: &Path) -> Result<(), ListenError> {
    let failed = |source| ListenError::Unix { action: "look at", path: path.to_owned(), source };
    if !has_socket(path)? {
        return Ok(());
    }
    match timeout(CONNECT_TIMEOUT, UnixStream::connect(path)).await {
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
        Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Ok(Err(error)) if error.kind() != io::ErrorKind::WouldBlock => Err(failed(error)),
        // It accepted, or is too busy to accept.
        _ => Err(ListenError::InUse(path.to_owned())),
    }
}

/// The id of a socket's group; `None` for the daemon's own.
pub(super) fn group_of(configured: &UnixSocket) -> Result<Option<u32>, ListenError> {
    configured.group.as_deref().map(group_id).transpose()
}

fn group_id(group: &str) -> Result<u32, ListenError> {
    if let Ok(gid) = group.parse() {
        return Ok(gid);
    }
    match uzers::get_group_by_name(group) {
        Some(group) => Ok(group.gid()),
        None => Err(ListenError::Group(group.to_owned())),
    }
}

/// Warns if the group of a socket cannot enter the directory of the socket.
fn warn_if_inaccessible(parent: &Path, gid: u32) {
    let Ok(meta) = fs::metadata(parent) else { return };
    let by_group = meta.gid() == gid && meta.mode() & 0o010 != 0;
    let by_all = meta.mode() & 0o001 != 0;
    if !by_group && !by_all {
        tracing::warn!("Group {gid} cannot enter {}: chgrp and chmod it", parent.display());
    }
}

/// A directory that only the daemon can enter. Dropping it removes it with its contents.
struct PrivateDir(PathBuf);

impl PrivateDir {
    fn create(parent: &Path) -> io::Result<Self> {
        let mut number = 0;
        loop {
            // Short, since the path of a socket is limited to `MAX_PATH`.
            let path = parent.join(format!(".x{}.{number}", std::process::id()));
            match DirBuilder::new().mode(0o700).create(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < 1000 => {
                    number += 1;
                }
                result => return result.map(|()| Self(path)),
            }
        }
    }
}

impl Drop for PrivateDir {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

//! A unix socket that is there with its final rights, or not at all.
//!
//! It is bound in a directory that only we can enter, gets its mode and group there, and is moved
//! to its place: at no moment can anybody connect who may not, and whoever watches the path never
//! finds it missing while one daemon follows another.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{
    DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _, chown,
};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::unistd::Group;
use tokio::net::{UnixListener, UnixStream};

use super::ListenError;
use crate::config::UnixSocket;

/// How long a server may take to accept our knock before it is taken to be alive all the same.
const KNOCK: Duration = Duration::from_secs(1);

/// The file of a socket that we bound; removed when dropped, if it is still ours.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
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

/// Binds `wanted`, in place of what a dead server may have left there.
pub(super) async fn bind(wanted: &UnixSocket) -> Result<(UnixListener, SocketFile), ListenError> {
    let path = &wanted.path;
    let failed = |action, path: &Path| {
        let path = path.to_owned();
        move |source| ListenError::Unix { action, path, source }
    };
    let gid = group_of(wanted)?;
    let parent = parent_of(path);
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(parent)
        .map_err(failed("create the directory", parent))?;
    make_way(path).await?;

    let private = PrivateDir::create(parent).map_err(failed("create a directory in", parent))?;
    let draft = private.0.join("s");
    let socket = UnixListener::bind(&draft).map_err(failed("bind the socket", path))?;
    if let (Some(gid), Some(group)) = (gid, &wanted.group) {
        let refused =
            |source| ListenError::Chown { path: path.clone(), group: group.clone(), source };
        chown(&draft, None, Some(gid)).map_err(refused)?;
    }
    fs::set_permissions(&draft, Permissions::from_mode(wanted.mode))
        .map_err(failed("change the mode of", path))?;
    let identity = SocketFile::identity_of(&draft).map_err(failed("look at", &draft))?;
    fs::rename(&draft, path).map_err(failed("move the socket to", path))?;
    if let Some(gid) = gid {
        warn_if_out_of_reach(parent, gid);
    }
    Ok((socket, SocketFile { path: path.clone(), identity }))
}

fn parent_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes sure that whatever is at `path` may be replaced.
async fn make_way(path: &Path) -> Result<(), ListenError> {
    let failed = |source| ListenError::Unix { action: "look at", path: path.to_owned(), source };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
        Ok(meta) if !meta.file_type().is_socket() => {
            return Err(ListenError::NotASocket(path.to_owned()));
        }
        Ok(_) => {}
    }
    match tokio::time::timeout(KNOCK, UnixStream::connect(path)).await {
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
        Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Ok(Err(error)) if error.kind() != io::ErrorKind::WouldBlock => Err(failed(error)),
        // Connected, or too busy to accept.
        _ => Err(ListenError::Live(path.to_owned())),
    }
}

/// The group that the socket is to have.
pub(super) fn group_of(wanted: &UnixSocket) -> Result<Option<u32>, ListenError> {
    wanted.group.as_deref().map(group_id).transpose()
}

fn group_id(group: &str) -> Result<u32, ListenError> {
    if let Ok(gid) = group.parse() {
        return Ok(gid);
    }
    match Group::from_name(group) {
        Ok(Some(group)) => Ok(group.gid.as_raw()),
        Ok(None) | Err(_) => Err(ListenError::Group(group.to_owned())),
    }
}

/// A socket for a group is of no use below a directory that the group cannot enter.
fn warn_if_out_of_reach(parent: &Path, gid: u32) {
    let Ok(meta) = fs::metadata(parent) else { return };
    let by_group = meta.gid() == gid && meta.mode() & 0o010 != 0;
    let by_all = meta.mode() & 0o001 != 0;
    if !by_group && !by_all {
        tracing::warn!("Group {gid} cannot enter {}: chgrp and chmod it", parent.display());
    }
}

/// A directory that only we can enter; removed with what is in it.
struct PrivateDir(PathBuf);

impl PrivateDir {
    fn create(parent: &Path) -> io::Result<Self> {
        let mut number = 0;
        loop {
            // Short, since the path of a socket may have 107 bytes only.
            let path = parent.join(format!(".x{}.{number}", std::process::id()));
            match DirBuilder::new().mode(0o700).create(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < 1000 => {
                    number += 1
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

//! The way from the root to a file, directory by directory.
//!
//! A symbolic link on the way is followed if the system has made it: it belongs to root or to the
//! agent's own user, and nobody else can put links into its directory. So `/var/run/x` works, and
//! no user of the guest can lead the agent elsewhere. Links lead to places below the root, absolute
//! ones too.

use rustix::fs::{
    AtFlags, Dir, FileType, Mode, OFlags, Stat, fstat, fsync, mkdirat, openat, readlinkat, statat,
};
use rustix::io::Errno;
use rustix::process::geteuid;
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

/// The most symbolic links on a way, as in the kernel.
const MAX_LINKS: usize = 40;

/// The most names on a way, each of which takes a descriptor.
const MAX_DEPTH: usize = 256;

/// Where a file is or would be.
pub(super) struct Place {
    pub(super) directory: OwnedFd,
    pub(super) name: String,
    /// The number of directories at the end of the path that were made.
    pub(super) made: usize,
    /// Whether nobody but root and the agent's own user can change the directories on the way.
    pub(super) is_ours: bool,
}

impl Place {
    /// What is there, without following a link.
    pub(super) fn stat(&self) -> io::Result<Option<Stat>> {
        match statat(&self.directory, &self.name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// What happens to a symbolic link at the end of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Last {
    Follow,
    Keep,
}

/// What happens when a directory is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// It is an error, `ENOENT`.
    Fail,
    /// It is made: 0755, and 0700 for `.ssh`.
    Make,
}

/// Walks to an absolute `path` below `root`.
pub(super) fn walk(root: &Path, path: &str, last: Last, missing: Missing) -> io::Result<Place> {
    let mut todo = components(path);
    if !path.starts_with('/') || path.contains('\0') || todo.iter().any(|name| name == "..") {
        return Err(Errno::INVAL.into());
    }
    // Before any directory is made.
    if todo.len() > MAX_DEPTH {
        return Err(Errno::NAMETOOLONG.into());
    }
    let mut passed = vec![rustix::fs::open(root, DIRECTORY, Mode::empty())?];
    let mut all_ours = true;
    let mut links = 0;
    let mut made = 0;
    while let Some(name) = todo.pop_front() {
        let Some(directory) = passed.last() else { return Err(Errno::NOENT.into()) };
        all_ours = all_ours && is_ours(&fstat(directory)?);
        if name == ".." {
            // The root is its own parent.
            if passed.len() > 1 {
                passed.pop();
            }
            continue;
        }
        if todo.is_empty() {
            let link = match last {
                Last::Follow => system_link(directory, &name)?,
                Last::Keep => None,
            };
            let Some(target) = link else {
                let directory = directory.try_clone()?;
                return Ok(Place { directory, name, made, is_ours: all_ours });
            };
            follow(&target, &mut todo, &mut passed, &mut links)?;
            continue;
        }
        if passed.len() > MAX_DEPTH {
            return Err(Errno::NAMETOOLONG.into());
        }
        match openat(directory, &name, DIRECTORY | OFlags::NOFOLLOW, Mode::empty()) {
            Ok(next) => passed.push(next),
            Err(Errno::NOENT) if missing == Missing::Make => {
                let next = make_directory(directory, &name)?;
                made += 1;
                passed.push(next);
            }
            Err(Errno::NOTDIR | Errno::LOOP) => {
                let target = system_link(directory, &name)?.ok_or(Errno::NOTDIR)?;
                follow(&target, &mut todo, &mut passed, &mut links)?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    // The path was `/`, or a link ended in `..` or `/`.
    let directory = passed.pop().ok_or(Errno::NOENT)?;
    Ok(Place { directory, name: ".".into(), made, is_ours: all_ours })
}

/// Opens a directory so that names in it can be looked up.
const DIRECTORY: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

fn components(path: &str) -> VecDeque<String> {
    let names = path.split('/').filter(|name| !name.is_empty() && *name != ".");
    names.map(ToOwned::to_owned).collect()
}

/// Puts the way to a link's target before what remains of the path.
fn follow(
    target: &str,
    todo: &mut VecDeque<String>,
    passed: &mut Vec<OwnedFd>,
    links: &mut usize,
) -> io::Result<()> {
    *links += 1;
    if *links > MAX_LINKS {
        return Err(Errno::LOOP.into());
    }
    if target.starts_with('/') {
        passed.truncate(1);
    }
    for name in components(target).into_iter().rev() {
        todo.push_front(name);
    }
    Ok(())
}

/// The target of a link; `None` if the name is of no link, or of nothing. A link that another user
/// may have made is an error, `ELOOP`.
fn system_link(directory: &OwnedFd, name: &str) -> io::Result<Option<String>> {
    let link = match statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) if file_type(&stat) == FileType::Symlink => stat,
        Ok(_) | Err(Errno::NOENT) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let around = fstat(directory)?;
    let mode = Mode::from_raw_mode(around.st_mode);
    // In a sticky directory nobody can replace another user's link.
    let shared = mode.intersects(Mode::WGRP | Mode::WOTH) && !mode.contains(Mode::SVTX);
    if !belongs_to_us(&link) || !belongs_to_us(&around) || shared {
        return Err(Errno::LOOP.into());
    }
    let target = readlinkat(directory, name, Vec::new())?;
    Ok(Some(target.into_string().map_err(|_| Errno::ILSEQ)?))
}

fn make_directory(parent: &OwnedFd, name: &str) -> io::Result<OwnedFd> {
    let mode = if name == ".ssh" { 0o700 } else { 0o755 };
    match mkdirat(parent, name, Mode::from_raw_mode(mode)) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(error) => return Err(error.into()),
    }
    sync_directory(parent)?;
    Ok(openat(parent, name, DIRECTORY | OFlags::NOFOLLOW, Mode::empty())?)
}

/// Forces the names in a directory to the disk.
pub(super) fn sync_directory(directory: impl AsFd) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(fsync(openat(directory, ".", flags, Mode::empty())?)?)
}

/// Whether nobody but root and the agent's own user can change a file or directory.
pub(super) fn is_ours(stat: &Stat) -> bool {
    let is_shared = Mode::from_raw_mode(stat.st_mode).intersects(Mode::WGRP | Mode::WOTH);
    belongs_to_us(stat) && !is_shared
}

fn belongs_to_us(stat: &Stat) -> bool {
    stat.st_uid == 0 || stat.st_uid == geteuid().as_raw()
}

pub(super) fn file_type(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

/// The first names in a directory that are UTF-8, sorted.
pub(super) fn entries(directory: impl AsFd, limit: usize) -> io::Result<Vec<String>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut names = Vec::new();
    for entry in Dir::new(openat(directory, ".", flags, Mode::empty())?)?.take(limit) {
        let entry = entry?;
        let name = entry.file_name().to_str().ok();
        names.extend(name.filter(|name| !matches!(*name, "." | "..")).map(ToOwned::to_owned));
    }
    names.sort();
    Ok(names)
}

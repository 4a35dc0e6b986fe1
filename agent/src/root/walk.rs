//! The way from the root to a file, directory by directory.
//!
//! A symbolic link on the way is followed if the system has made it: it belongs to root or to the
//! agent's own user, and nobody else can put links into its directory. So `/var/run/x` works, and
//! no user of the guest can lead the agent elsewhere. Links lead to places below the root, absolute
//! ones too.

use super::owner::Owner;
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
    /// The way from the root without symbolic links: `/run/x` for `/var/run/x`.
    pub(super) path: String,
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

    /// The highest directory at the end of the path that was made; the file if there is none.
    pub(super) fn highest_made(&self) -> String {
        let names: Vec<&str> = self.path.split('/').collect();
        let kept = names.len().saturating_sub(self.made);
        names.get(..kept).unwrap_or_default().join("/")
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
    Make(Owner),
    /// It is made for the agent alone, 0700.
    MakePrivate,
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
    let mut passed = vec![Step::root(root)?];
    let mut all_ours = true;
    let mut links = 0;
    while let Some(name) = todo.pop_front() {
        let Some(Step { directory, .. }) = passed.last() else { return Err(Errno::NOENT.into()) };
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
                let path = format!("{}/{name}", path_of(&passed));
                let made = made_at_end(&passed);
                return Ok(Place { directory, name, path, made, is_ours: all_ours });
            };
            follow(&target, &mut todo, &mut passed, &mut links)?;
            continue;
        }
        if passed.len() > MAX_DEPTH {
            return Err(Errno::NAMETOOLONG.into());
        }
        match openat(directory, &name, DIRECTORY | OFlags::NOFOLLOW, Mode::empty()) {
            Ok(next) => passed.push(Step { directory: next, name, is_new: false }),
            Err(Errno::NOENT) if missing != Missing::Fail => {
                let next = make_directory(directory, name, missing)?;
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
    let path = path_of(&passed);
    let made = made_at_end(&passed);
    let Step { directory, .. } = passed.pop().ok_or(Errno::NOENT)?;
    Ok(Place { directory, name: ".".into(), path, made, is_ours: all_ours })
}

/// The way to an absolute `path` without symbolic links, whether there is such a file or not.
pub(super) fn real_path(root: &Path, path: &str, last: Last) -> io::Result<String> {
    let mut names: Vec<String> = components(path).into_iter().collect();
    let mut missing = Vec::new();
    loop {
        let last = if missing.is_empty() { last } else { Last::Follow };
        match walk(root, &format!("/{}", names.join("/")), last, Missing::Fail) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => match names.pop() {
                Some(name) => missing.push(name),
                None => return Err(error),
            },
            place => {
                let names = missing.iter().rev().map(|name| format!("/{name}"));
                return Ok(place?.path + &names.collect::<String>());
            }
        }
    }
}

/// A directory on the way.
struct Step {
    directory: OwnedFd,
    name: String,
    /// Whether it was made.
    is_new: bool,
}

impl Step {
    fn root(path: &Path) -> io::Result<Self> {
        let directory = rustix::fs::open(path, DIRECTORY, Mode::empty())?;
        Ok(Self { directory, name: String::new(), is_new: false })
    }
}

/// The path of the last directory; empty for the root.
fn path_of(passed: &[Step]) -> String {
    let names: Vec<&str> = passed.iter().map(|step| step.name.as_str()).collect();
    names.join("/")
}

/// The number of directories at the end that were made. Others are elsewhere: a link led away.
fn made_at_end(passed: &[Step]) -> usize {
    passed.iter().rev().take_while(|step| step.is_new).count()
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
    passed: &mut Vec<Step>,
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

fn make_directory(parent: &OwnedFd, name: String, missing: Missing) -> io::Result<Step> {
    let is_private = missing == Missing::MakePrivate || name == ".ssh";
    let mode = if is_private { 0o700 } else { 0o755 };
    let is_new = match mkdirat(parent, &name, Mode::from_raw_mode(mode)) {
        Ok(()) => true,
        Err(Errno::EXIST) => false,
        Err(error) => return Err(error.into()),
    };
    sync_directory(parent)?;
    let directory = openat(parent, &name, DIRECTORY | OFlags::NOFOLLOW, Mode::empty())?;
    if let Missing::Make(owner) = missing {
        // The parent's owner can have put another directory of root's in its place by now. An empty
        // one is nothing that they could not have.
        if is_new && is_empty(&directory)? {
            owner.give(parent, &directory)?;
        }
    }
    Ok(Step { directory, name, is_new })
}

fn is_empty(directory: impl AsFd) -> io::Result<bool> {
    for entry in open_to_list(directory)? {
        if !matches!(entry?.file_name().to_bytes(), b"." | b"..") {
            return Ok(false);
        }
    }
    Ok(true)
}

fn open_to_list(directory: impl AsFd) -> io::Result<Dir> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(Dir::new(openat(directory, ".", flags, Mode::empty())?)?)
}

/// Makes a file that does not exist, 0600.
pub(super) fn create(directory: impl AsFd, name: &str) -> io::Result<OwnedFd> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(openat(directory, name, flags, Mode::RUSR | Mode::WUSR)?)
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
    let mut names = select(directory, limit, |name| Some(name.to_owned()))?;
    names.sort();
    Ok(names)
}

/// What is made of the names in a directory that are UTF-8. At most `limit` entries are looked at.
pub(super) fn select<T>(
    directory: impl AsFd,
    limit: usize,
    pick: impl Fn(&str) -> Option<T>,
) -> io::Result<Vec<T>> {
    let mut picked = Vec::new();
    for entry in open_to_list(directory)?.take(limit) {
        let entry = entry?;
        let name = entry.file_name().to_str().ok();
        picked.extend(name.filter(|name| !matches!(*name, "." | "..")).and_then(&pick));
    }
    Ok(picked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn directories_that_were_made_are_at_the_end_of_the_real_path() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        fs::create_dir_all(root.join("etc")).unwrap();
        symlink("/srv/data", root.join("etc/dangling")).unwrap();
        symlink("new/../..", root.join("etc/back")).unwrap();
        let highest = |path: &str| {
            let place = walk(root, path, Last::Keep, Missing::Make(Owner::Agent)).unwrap();
            place.highest_made()
        };
        assert_eq!(highest("/etc/dangling/a/file"), "/srv");
        assert_eq!(highest("/etc/dangling/a/file"), "/srv/data/a/file");
        assert_eq!(highest("/etc/dangling/b/c/file"), "/srv/data/b");
        // It was made on the way, and is not where the file is.
        assert_eq!(highest("/etc/back/file"), "/file");
        assert!(root.join("etc/new").is_dir());
    }

    #[test]
    fn real_paths_have_no_links() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        fs::create_dir_all(root.join("run/deep")).unwrap();
        fs::create_dir_all(root.join("var")).unwrap();
        symlink("/run", root.join("var/run")).unwrap();
        symlink("../run/deep", root.join("var/link")).unwrap();
        for (path, expected) in [
            ("/run/x", "/run/x"),
            ("//run/./x", "/run/x"),
            ("/var/run/x", "/run/x"),
            ("/var/run/none/x", "/run/none/x"),
            ("/var/link", "/var/link"),
            ("/var/link/x", "/run/deep/x"),
            ("/none/a/b", "/none/a/b"),
            ("/", ""),
        ] {
            assert_eq!(real_path(root, path, Last::Keep).unwrap(), expected, "{path}");
        }
        assert_eq!(real_path(root, "/var/link", Last::Follow).unwrap(), "/run/deep");
        assert!(real_path(root, "/var/../etc", Last::Keep).is_err());
        assert!(real_path(&root.join("none"), "/etc", Last::Keep).is_err());
    }
}

//! The replacement of a file: complete or not at all, at whatever point the agent is killed or the
//! machine stops.
//!
//! The new content is written to a temporary file beside the old one, which gets the old one's
//! owner, mode, SELinux label and access list, is forced to the disk, and renamed. A new file has
//! the label that the kernel gives to files in its directory. A file that cannot be replaced is an
//! error with the errno of what failed.

use super::journal::Journal;
use super::names;
use super::walk::{Place, entries, file_type, sync_directory};
use crate::os;
use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, Stat, Uid, XattrFlags, fchmod, fchown, fgetxattr,
    fremovexattr, fsetxattr, fstat, linkat, openat, renameat, statat, unlinkat,
};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;

/// How a file is replaced.
#[derive(Debug, Clone, Copy)]
pub struct Replace {
    /// The mode of a file that did not exist. One that did keeps its mode and owner.
    pub new_mode: u32,
    /// Whether the mode is set even if the file existed.
    pub force_mode: bool,
    /// Whether the old file is kept as `NAME.bak.TIME`, TIME in seconds since 1970. The
    /// [`MAX_BACKUPS`] newest ones stay.
    pub keep_old: bool,
    /// Whether missing directories above it are made: 0755, and 0700 for `.ssh`.
    pub make_directories: bool,
}

/// What a replacement did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replaced {
    /// The file was already so, and was not touched.
    Unchanged,
    /// There was such a file, and it has been replaced.
    Changed,
    /// There was no such file, or a symbolic link in its place.
    Made {
        /// The number of directories above it that were made.
        directories: usize,
    },
}

/// The largest number of old files that are kept of one file.
pub const MAX_BACKUPS: usize = 8;

const ACCESS_LIST: &str = "system.posix_acl_access";

/// The attributes that the new file takes over from the old one.
const KEPT_ATTRIBUTES: [&str; 2] = ["security.selinux", ACCESS_LIST];

/// The most bytes of an attribute.
const MAX_ATTRIBUTE: usize = 4096;

/// The most entries that are looked at for old backups.
const MAX_ENTRIES: usize = 4096;

/// Replaces the file at `place` by one with this content. `path` is where it is for the journal.
pub(super) fn replace(
    place: &Place,
    path: &str,
    content: &[u8],
    how: Replace,
    journal: Option<&Journal>,
) -> io::Result<Replaced> {
    let stat = place.stat()?;
    let old = match &stat {
        None => None,
        Some(stat) => match file_type(stat) {
            FileType::RegularFile => Some(Old::open(place)?),
            // A link is replaced, never followed.
            FileType::Symlink => None,
            FileType::Directory => return Err(Errno::ISDIR.into()),
            _ => return Err(io::Error::other("It is not a regular file")),
        },
    };
    if let Some(old) = &old {
        if (!how.force_mode || old.mode() == how.new_mode) && old.has_content(content)? {
            return Ok(Replaced::Unchanged);
        }
    }
    let temporary = Temporary::create(place, path, how.keep_old && stat.is_some(), journal)?;
    let mode =
        if how.force_mode { how.new_mode } else { old.as_ref().map_or(how.new_mode, Old::mode) };
    temporary.fill(content, old.as_ref(), mode)?;
    temporary.take_place()?;
    if how.keep_old {
        remove_old_backups(place);
    }
    Ok(match old {
        Some(_) => Replaced::Changed,
        None => Replaced::Made { directories: place.made },
    })
}

/// The file that is replaced.
struct Old {
    file: OwnedFd,
    stat: Stat,
}

impl Old {
    fn open(place: &Place) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = openat(&place.directory, &place.name, flags, Mode::empty())?;
        let stat = fstat(&file)?;
        // Where users may write, it can be another file than the one that was looked at.
        if file_type(&stat) != FileType::RegularFile {
            return Err(io::Error::other("It is not a regular file"));
        }
        Ok(Self { file, stat })
    }

    fn mode(&self) -> u32 {
        self.stat.st_mode & 0o7777
    }

    /// Gives another file this one's owner, SELinux label and access list.
    fn pass_on(&self, new: &OwnedFd) -> io::Result<()> {
        let stat = fstat(new)?;
        if (stat.st_uid, stat.st_gid) != (self.stat.st_uid, self.stat.st_gid) {
            let owner = Uid::from_raw(self.stat.st_uid);
            fchown(new, Some(owner), Some(Gid::from_raw(self.stat.st_gid)))?;
        }
        copy_attributes(&self.file, new)
    }

    fn has_content(&self, content: &[u8]) -> io::Result<bool> {
        let length = u64::try_from(self.stat.st_size).ok();
        if length != u64::try_from(content.len()).ok() {
            return Ok(false);
        }
        let mut present = Vec::with_capacity(content.len());
        File::from(self.file.try_clone()?)
            .take(content.len() as u64 + 1)
            .read_to_end(&mut present)?;
        Ok(present == content)
    }
}

/// The new file before it has its name. It is removed when it is dropped without having taken its
/// place.
struct Temporary<'a> {
    place: &'a Place,
    file: OwnedFd,
    /// `None` once the file has taken its place.
    name: Option<String>,
    backup: Option<String>,
    journal: Option<&'a Journal>,
}

impl<'a> Temporary<'a> {
    fn create(
        place: &'a Place,
        path: &str,
        keep_old: bool,
        journal: Option<&'a Journal>,
    ) -> io::Result<Self> {
        let name = names::temporary()?;
        let backup = if keep_old { Some(new_backup(place)?) } else { None };
        if let Some(journal) = journal {
            let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
            let in_directory = |name: &String| format!("{directory}/{name}");
            journal.begin(&in_directory(&name), backup.as_ref().map(in_directory).as_deref());
        }
        match openat(&place.directory, &name, NEW, Mode::RUSR | Mode::WUSR) {
            Ok(file) => Ok(Self { place, file, name: Some(name), backup, journal }),
            Err(error) => {
                if let Some(journal) = journal {
                    journal.end();
                }
                Err(error.into())
            }
        }
    }

    fn fill(&self, content: &[u8], old: Option<&Old>, mode: u32) -> io::Result<()> {
        let mut file = File::from(self.file.try_clone()?);
        file.write_all(content)?;
        if let Some(old) = old {
            old.pass_on(&self.file)?;
        }
        // After the owner, whose change takes set-user-ID bits away, and after the access list, of
        // which the group's bits are the mask.
        fchmod(&self.file, Mode::from_raw_mode(mode))?;
        file.sync_all()
    }

    fn take_place(mut self) -> io::Result<()> {
        let directory = &self.place.directory;
        if let Some(backup) = &self.backup {
            keep(self.place, backup)?;
        }
        if let Some(name) = &self.name {
            renameat(directory, name, directory, &self.place.name)?;
        }
        self.name = None;
        sync_directory(directory)
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            for name in [Some(name), self.backup.as_ref()].into_iter().flatten() {
                // Nothing more can be done about a file that cannot be removed.
                let _ = unlinkat(&self.place.directory, name, AtFlags::empty());
            }
        }
        if let Some(journal) = self.journal {
            journal.end();
        }
    }
}

/// Makes a file that does not exist.
const NEW: OFlags = OFlags::WRONLY
    .union(OFlags::CREATE)
    .union(OFlags::EXCL)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// The name of a backup that is newer than all others.
fn new_backup(place: &Place) -> io::Result<String> {
    let last = backups(place).last().copied().unwrap_or_default();
    let first = os::unix_time().max(last.saturating_add(1));
    // In a directory with very many files some backups are not seen.
    for time in first..first.saturating_add(MAX_ENTRIES as u64) {
        let name = names::backup(&place.name, time);
        match statat(&place.directory, &name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => return Ok(name),
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Errno::EXIST.into())
}

/// Gives the old file a second name, or copies it where file systems have no second names.
fn keep(place: &Place, backup: &str) -> io::Result<()> {
    let directory = &place.directory;
    match linkat(directory, &place.name, directory, backup, AtFlags::empty()) {
        Ok(()) => Ok(()),
        Err(Errno::PERM | Errno::OPNOTSUPP | Errno::MLINK) => copy(place, backup),
        Err(error) => Err(error.into()),
    }
}

/// Copies the old file to another name in its directory.
fn copy(place: &Place, backup: &str) -> io::Result<()> {
    let old = Old::open(place)?;
    let copy = openat(&place.directory, backup, NEW, Mode::RUSR | Mode::WUSR)?;
    io::copy(&mut File::from(old.file.try_clone()?), &mut File::from(copy.try_clone()?))?;
    // The owner before the mode: a user's set-user-ID file must never be root's.
    old.pass_on(&copy)?;
    fchmod(&copy, Mode::from_raw_mode(old.mode()))?;
    File::from(copy).sync_all()
}

/// Removes an attribute that the directory has given to a new file.
fn remove_attribute(file: &OwnedFd, name: &str) -> io::Result<()> {
    match fremovexattr(file, name) {
        Ok(()) | Err(Errno::NODATA | Errno::OPNOTSUPP) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn copy_attributes(from: &OwnedFd, to: &OwnedFd) -> io::Result<()> {
    for name in KEPT_ATTRIBUTES {
        let mut value = vec![0; MAX_ATTRIBUTE];
        let length = match fgetxattr(from, name, &mut value[..]) {
            Ok(length) => length,
            Err(Errno::NODATA) if name == ACCESS_LIST => {
                remove_attribute(to, name)?;
                continue;
            }
            Err(Errno::NODATA | Errno::OPNOTSUPP) => continue,
            Err(error) => return Err(error.into()),
        };
        value.truncate(length);
        match fsetxattr(to, name, &value, XattrFlags::empty()) {
            Ok(()) | Err(Errno::OPNOTSUPP) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Removes all but the newest backups. A failure is none of the replacement, which is complete.
fn remove_old_backups(place: &Place) {
    let times = backups(place);
    for &time in times.iter().rev().skip(MAX_BACKUPS) {
        let name = names::backup(&place.name, time);
        let _ = unlinkat(&place.directory, name, AtFlags::empty());
    }
}

/// The times of a file's backups, oldest first.
fn backups(place: &Place) -> Vec<u64> {
    let entries = entries(&place.directory, MAX_ENTRIES).unwrap_or_default();
    let times = entries.iter().filter_map(|entry| names::time_of_backup(&place.name, entry));
    let mut times: Vec<u64> = times.collect();
    times.sort_unstable();
    times
}

#[cfg(test)]
mod tests {
    use super::super::walk::{Last, Missing, walk};
    use super::*;
    use rustix::fs::{getxattr, setxattr};
    use rustix::process::geteuid;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
    use std::path::Path;

    const HOW: Replace =
        Replace { new_mode: 0o600, force_mode: false, keep_old: false, make_directories: false };

    fn place(directory: &Path, path: &str) -> Place {
        walk(directory, path, Last::Keep, Missing::Fail).unwrap()
    }

    #[test]
    fn a_file_in_the_place_of_a_link_is_new() {
        let directory = tempfile::tempdir().unwrap();
        symlink("elsewhere", directory.path().join("link")).unwrap();
        let place = place(directory.path(), "/link");
        let replaced = replace(&place, "/link", b"new", HOW, None).unwrap();
        assert_eq!(replaced, Replaced::Made { directories: 0 });
    }

    #[test]
    fn a_directory_gives_no_access_list_to_a_file_that_had_none() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        // user::rwx, user:1000:rwx, group::r-x, mask::rwx, other::---
        let entries: [(u16, u16, u32); 5] =
            [(1, 7, !0), (2, 7, 1000), (4, 5, !0), (0x10, 7, !0), (0x20, 0, !0)];
        let mut list = 2_u32.to_le_bytes().to_vec();
        for (tag, permissions, id) in entries {
            list.extend(tag.to_le_bytes());
            list.extend(permissions.to_le_bytes());
            list.extend(id.to_le_bytes());
        }
        let default = "system.posix_acl_default";
        if let Err(error) = setxattr(directory.path(), default, &list, XattrFlags::empty()) {
            eprintln!("SKIPPED: there are no access lists here: {error}");
            return;
        }
        let place = place(directory.path(), "/file");
        assert_eq!(replace(&place, "/file", b"new", HOW, None).unwrap(), Replaced::Changed);
        let found = getxattr(&path, "system.posix_acl_access", &mut [0; 256][..]);
        assert_eq!(found, Err(Errno::NODATA));
        assert_eq!(path.metadata().unwrap().mode() & 0o7777, 0o640);
    }

    #[test]
    fn a_copied_backup_has_the_owner_of_its_set_user_id_bit() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tool");
        fs::write(&path, "old").unwrap();
        if geteuid().is_root() {
            chown(&path, Some(1000), Some(1000)).unwrap();
        }
        fs::set_permissions(&path, Permissions::from_mode(0o4755)).unwrap();
        let place = place(directory.path(), "/tool");
        copy(&place, "tool.bak.1").unwrap();
        let backup = directory.path().join("tool.bak.1");
        let (old, new) = (path.metadata().unwrap(), backup.metadata().unwrap());
        assert_eq!((new.uid(), new.gid(), new.mode()), (old.uid(), old.gid(), old.mode()));
        assert_eq!(fs::read(backup).unwrap(), b"old");
    }
}

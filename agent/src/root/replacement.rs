//! The replacement of a file: complete or not at all, at whatever point the agent is killed or the
//! machine stops.
//!
//! The new content is written to a temporary file beside the old one, which gets the old one's
//! owner, mode and extended attributes (see `attributes`), is forced to the disk, and renamed. A
//! new file has the label that the kernel gives to files in its directory. A file that cannot be
//! replaced is an error with the errno of what failed.

use super::backups::Backup;
use super::journal::Journal;
use super::names;
use super::old_file::OldFile;
use super::owner::Owner;
use super::walk::{Place, create, file_type, sync_directory};
use rustix::fs::{AtFlags, FileType, Mode, fchmod, renameat, unlinkat};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::Path;

/// How a file is replaced.
#[derive(Debug, Clone, Copy)]
pub struct Replace {
    /// The mode of a file that did not exist. One that did keeps its mode and owner.
    pub new_mode: u32,
    /// The owner of a file that did not exist, and of directories that are made.
    pub new_owner: Owner,
    /// Whether the mode is set even if the file existed.
    pub force_mode: bool,
    /// Whether the old file is kept: the first that was replaced, and the
    /// [`MAX_BACKUPS`](crate::root::MAX_BACKUPS) newest ones.
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
        /// Its path, or that of the highest directory above it that was made: without links.
        highest: String,
    },
}

/// Replaces the file at `place` by one with this content.
pub(super) fn replace(
    root: &Path,
    place: &Place,
    content: &[u8],
    how: Replace,
    journal: Option<&Journal>,
) -> io::Result<Replaced> {
    let stat = place.stat()?;
    let old = match &stat {
        None => None,
        Some(stat) => match file_type(stat) {
            FileType::RegularFile => Some(OldFile::open(place)?),
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
    let is_kept = how.keep_old && stat.is_some();
    let backup = if is_kept { Some(Backup::next(root, &place.path)?) } else { None };
    let temporary = Temporary::create(place, backup, journal)?;
    temporary.fill(content, old.as_ref(), how)?;
    temporary.take_place()?;
    Ok(match old {
        Some(_) => Replaced::Changed,
        None => Replaced::Made { highest: place.highest_made() },
    })
}

/// The new file before it has its name. It is removed when it is dropped without having taken its
/// place, and so is the backup.
struct Temporary<'a> {
    place: &'a Place,
    file: OwnedFd,
    /// `None` once the file has taken its place.
    name: Option<String>,
    backup: Option<Backup>,
    journal: Option<&'a Journal>,
}

impl<'a> Temporary<'a> {
    fn create(
        place: &'a Place,
        backup: Option<Backup>,
        journal: Option<&'a Journal>,
    ) -> io::Result<Self> {
        let name = names::temporary()?;
        if let Some(journal) = journal {
            let directory = place.path.rsplit_once('/').map_or("", |(directory, _)| directory);
            let path = format!("{directory}/{name}");
            journal.begin(&path, backup.as_ref().map(Backup::path));
        }
        match create(&place.directory, &name) {
            Ok(file) => Ok(Self { place, file, name: Some(name), backup, journal }),
            Err(error) => {
                if let Some(journal) = journal {
                    journal.end();
                }
                Err(error)
            }
        }
    }

    fn fill(&self, content: &[u8], old: Option<&OldFile>, how: Replace) -> io::Result<()> {
        let mut file = File::from(self.file.try_clone()?);
        file.write_all(content)?;
        match old {
            Some(old) => old.pass_on(&self.file)?,
            None => how.new_owner.give(&self.place.directory, &self.file)?,
        }
        let mode = old.map(OldFile::mode).filter(|_| !how.force_mode).unwrap_or(how.new_mode);
        // After the owner, whose change takes set-user-ID bits away, and after the access list, of
        // which the group's bits are the mask.
        fchmod(&self.file, Mode::from_raw_mode(mode))?;
        file.sync_all()
    }

    fn take_place(mut self) -> io::Result<()> {
        let directory = &self.place.directory;
        if let Some(backup) = &self.backup {
            backup.make(self.place)?;
        }
        if let Some(name) = &self.name {
            renameat(directory, name, directory, &self.place.name)?;
        }
        self.name = None;
        sync_directory(directory)?;
        if let Some(backup) = &self.backup {
            backup.remove_surplus();
        }
        Ok(())
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            // Nothing more can be done about a file that cannot be removed.
            let _ = unlinkat(&self.place.directory, name, AtFlags::empty());
            if let Some(backup) = &self.backup {
                backup.remove();
            }
        }
        if let Some(journal) = self.journal {
            journal.end();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::walk::{Last, Missing, walk};
    use super::*;
    use rustix::fs::{XattrFlags, getxattr, setxattr};
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    const HOW: Replace = Replace {
        new_mode: 0o600,
        new_owner: Owner::Agent,
        force_mode: false,
        keep_old: false,
        make_directories: false,
    };

    fn replace_at(directory: &Path, path: &str) -> Replaced {
        let place = walk(directory, path, Last::Keep, Missing::Fail).unwrap();
        replace(directory, &place, b"new", HOW, None).unwrap()
    }

    /// Sets an attribute; tells, visibly, whether that is possible here.
    fn set(path: &Path, name: &str, value: &[u8]) -> bool {
        let set = setxattr(path, name, value, XattrFlags::empty());
        if let Err(error) = set {
            eprintln!("SKIPPED: {name} cannot be set here: {error}");
        }
        set.is_ok()
    }

    fn attribute(path: &Path, name: &str) -> Result<Vec<u8>, Errno> {
        let mut value = vec![0; 8192];
        let length = getxattr(path, name, &mut value[..])?;
        value.truncate(length);
        Ok(value)
    }

    #[test]
    fn a_file_in_the_place_of_a_link_is_new() {
        let directory = tempfile::tempdir().unwrap();
        symlink("elsewhere", directory.path().join("link")).unwrap();
        assert_eq!(
            replace_at(directory.path(), "/link"),
            Replaced::Made { highest: "/link".to_owned() }
        );
    }

    #[test]
    fn attributes_are_kept_and_capabilities_are_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        fs::write(&path, "old").unwrap();
        // CAP_NET_RAW, permitted, in the second version of the format.
        let capability = [0, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let long = [b'x'; 2000];
        let kept: [(&str, &[u8]); 5] = [
            ("user.origin", b"https://192.0.2.1/"),
            ("user.empty", b""),
            ("user.long", &long),
            ("trusted.backup", b"no"),
            ("security.selinux", b"system_u:object_r:etc_t:s0\0"),
        ];
        let kept: Vec<_> =
            kept.into_iter().filter(|(name, value)| set(&path, name, value)).collect();
        let has_capability = set(&path, "security.capability", &capability);
        assert_eq!(replace_at(directory.path(), "/file"), Replaced::Changed);
        for (name, value) in kept {
            assert_eq!(attribute(&path, name).as_deref(), Ok(value), "{name}");
        }
        if has_capability {
            assert_eq!(attribute(&path, "security.capability"), Err(Errno::NODATA));
        }
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
        if !set(directory.path(), "system.posix_acl_default", &list) {
            return;
        }
        assert_eq!(replace_at(directory.path(), "/file"), Replaced::Changed);
        assert_eq!(attribute(&path, "system.posix_acl_access"), Err(Errno::NODATA));
        assert_eq!(path.metadata().unwrap().mode() & 0o7777, 0o640);
    }
}

//! The backups of replaced files: what each was at first, and the newest ones.
//!
//! The backup of a file is beside it, as `NAME.bak.TIME`. Where programs read or show all files of
//! a directory, it is in the agent's own directory instead. Times only grow, so that they tell
//! which backup is older, whatever the clock said.

use super::names;
use super::old_file::OldFile;
use super::owner::Owner;
use super::walk::{Last, Missing, Place, create, file_type, select, sync_directory, walk};
use crate::os;
use crate::paths::{BACKUPS, STATE};
use rustix::fs::{AtFlags, FileType, linkat, readlinkat, symlinkat, unlinkat};
use rustix::io::Errno;
use std::io;
use std::path::Path;

/// The largest number of backups of one file beside the first.
pub const MAX_BACKUPS: usize = 8;

/// The most entries of a directory that are looked at for backups.
const MAX_ENTRIES: usize = 1 << 20;

/// A backup that is to be.
pub(super) struct Backup {
    place: Place,
    /// The name of the file.
    of: String,
}

impl Backup {
    /// The next backup of the file whose real path is `path`. The agent's own directory is made
    /// where it is needed.
    pub(super) fn next(root: &Path, path: &str) -> io::Result<Self> {
        let (beside, name) = path.rsplit_once('/').ok_or(Errno::INVAL)?;
        let is_apart = is_read_as_a_whole(beside);
        let directory = if is_apart { format!("{BACKUPS}{beside}") } else { beside.to_owned() };
        Self::find(root, &directory, is_apart, name).map_err(|error| not_kept(&directory, &error))
    }

    fn find(root: &Path, directory: &str, is_apart: bool, name: &str) -> io::Result<Self> {
        if is_apart {
            walk(root, &format!("{STATE}/-"), Last::Keep, Missing::Make(Owner::Agent))?;
        }
        let any = walk(root, &format!("{directory}/-"), Last::Keep, Missing::MakePrivate)?;
        let last = times(&any, name)?.last().copied();
        let next =
            last.map_or(Some(names::EARLIEST), |last| last.checked_add(1)).ok_or(Errno::EXIST)?;
        let backup = names::backup(name, os::unix_time().max(next));
        let place = Place { path: format!("{directory}/{backup}"), name: backup, ..any };
        Ok(Self { place, of: name.to_owned() })
    }

    /// Where it is, below the root.
    pub(super) fn path(&self) -> &str {
        &self.place.path
    }

    /// Keeps what is at `old`: the file itself under another name, or a copy of it if it can be
    /// run. It is on the disk when this returns.
    pub(super) fn make(&self, old: &Place) -> io::Result<()> {
        let directory = self.path().rsplit_once('/').map_or("", |(directory, _)| directory);
        self.keep(old).map_err(|error| not_kept(directory, &error))
    }

    fn keep(&self, old: &Place) -> io::Result<()> {
        let is_link = old.stat()?.is_some_and(|stat| file_type(&stat) == FileType::Symlink);
        if is_link {
            let target = readlinkat(&old.directory, &old.name, Vec::new())?;
            symlinkat(target, &self.place.directory, &self.place.name)?;
        } else {
            let file = OldFile::open(old)?;
            if file.can_be_run() || !self.link(old)? {
                file.copy_to(create(&self.place.directory, &self.place.name)?)?;
            }
        }
        sync_directory(&self.place.directory)
    }

    /// Gives the old file its second name. Tells whether it has it: that is not possible in another
    /// file system, and not in all of them.
    fn link(&self, old: &Place) -> io::Result<bool> {
        let Place { directory, name, .. } = &self.place;
        match linkat(&old.directory, &old.name, directory, name, AtFlags::empty()) {
            Ok(()) => Ok(true),
            Err(Errno::XDEV | Errno::PERM | Errno::OPNOTSUPP | Errno::MLINK) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes the backup: the file was not replaced.
    pub(super) fn remove(&self) {
        // Nothing more can be done about a file that cannot be removed.
        let _ = unlinkat(&self.place.directory, &self.place.name, AtFlags::empty());
    }

    /// Removes all but the first and the newest backups of the file. A failure is none of the
    /// replacement, which is complete.
    pub(super) fn remove_surplus(&self) {
        let Ok(times) = times(&self.place, &self.of) else { return };
        let surplus = times.len().saturating_sub(MAX_BACKUPS + 1);
        for time in times.into_iter().skip(1).take(surplus) {
            let name = names::backup(&self.of, time);
            let _ = unlinkat(&self.place.directory, name, AtFlags::empty());
        }
    }
}

fn not_kept(directory: &str, error: &io::Error) -> io::Error {
    io::Error::other(format!("The old file cannot be kept in {directory}/: {error}"))
}

/// The times of the backups of a file in a directory, oldest first.
fn times(place: &Place, name: &str) -> io::Result<Vec<u64>> {
    let mut times =
        select(&place.directory, MAX_ENTRIES, |entry| names::time_of_backup(entry, name))?;
    times.sort_unstable();
    Ok(times)
}

/// Directories that programs read as a whole.
const READ_AS_A_WHOLE: [&str; 5] = [
    "/etc/NetworkManager/system-connections",
    "/etc/netplan",
    "/etc/sysconfig/network",
    "/etc/sysconfig/network-scripts",
    "/etc/systemd/network",
];

/// The names of directories below which programs read or run all files, or show them to the world,
/// beside those that end in `.d` or begin with `cron.`.
const NAMES_OF_SUCH: [&str; 13] = [
    "conf-enabled",
    "crontabs",
    "htdocs",
    "html",
    "mods-enabled",
    "public_html",
    "renewal-hooks",
    "sites-enabled",
    "system-generators",
    "system-shutdown",
    "system-sleep",
    "user-generators",
    "www",
];

/// Whether a program may take any file of a directory for one of its own, a backup included.
fn is_read_as_a_whole(directory: &str) -> bool {
    let is_one = |name: &str| {
        name.strip_suffix(".d").is_some()
            || name.starts_with("cron.")
            || NAMES_OF_SUCH.contains(&name)
    };
    READ_AS_A_WHOLE.contains(&directory) || directory.split('/').any(is_one)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{XattrFlags, getxattr, setxattr};
    use rustix::process::geteuid;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
    use std::path::PathBuf;
    use std::process::Command;
    use tempfile::TempDir;

    /// A root with one file.
    struct Guest(TempDir);

    impl Guest {
        fn with(path: &str) -> Self {
            let guest = Self(tempfile::tempdir().unwrap());
            fs::create_dir_all(guest.path(path).parent().unwrap()).unwrap();
            fs::write(guest.path(path), "old").unwrap();
            guest
        }

        fn path(&self, path: &str) -> PathBuf {
            self.0.path().join(path.trim_start_matches('/'))
        }

        /// Makes a backup, and returns where it is.
        fn keep(&self, path: &str) -> PathBuf {
            let old = walk(self.0.path(), path, Last::Keep, Missing::Fail).unwrap();
            let backup = Backup::next(self.0.path(), path).unwrap();
            backup.make(&old).unwrap();
            backup.remove_surplus();
            self.path(backup.path())
        }

        /// The times of a file's backups beside it, oldest first.
        fn times(&self, path: &str) -> Vec<u64> {
            let place = walk(self.0.path(), path, Last::Keep, Missing::Fail).unwrap();
            times(&place, &place.name).unwrap()
        }
    }

    #[test]
    fn the_first_and_the_newest_ones_stay() {
        let guest = Guest::with("/etc/motd");
        for number in 1..=20 {
            fs::write(guest.path("/etc/motd"), format!("{number}")).unwrap();
            let kept = guest.keep("/etc/motd");
            // Another inode next time, as after a replacement.
            fs::remove_file(guest.path("/etc/motd")).unwrap();
            assert_eq!(fs::read_to_string(kept).unwrap(), number.to_string());
        }
        fs::write(guest.path("/etc/motd"), "").unwrap();
        let kept = guest
            .times("/etc/motd")
            .into_iter()
            .map(|time| fs::read_to_string(guest.path(&format!("/etc/motd.bak.{time}"))).unwrap());
        let kept: Vec<String> = kept.collect();
        assert_eq!(kept, ["1", "13", "14", "15", "16", "17", "18", "19", "20"]);
    }

    #[test]
    fn a_wrong_clock_changes_nothing() {
        let guest = Guest::with("/etc/motd");
        let last = 99_999_999_999_u64;
        fs::write(guest.path(&format!("/etc/motd.bak.{last}")), "").unwrap();
        for other in ["note", "20240501"] {
            fs::write(guest.path(&format!("/etc/motd.bak.{other}")), "").unwrap();
        }
        let kept = guest.keep("/etc/motd");
        assert_eq!(kept, guest.path(&format!("/etc/motd.bak.{}", last + 1)));
        fs::write(guest.path(&format!("/etc/motd.bak.{}", u64::MAX)), "").unwrap();
        assert!(Backup::next(guest.0.path(), "/etc/motd").is_err());
    }

    #[test]
    fn nobody_but_the_agent_reads_those_of_directories_that_are_read_as_a_whole() {
        let guest = Guest::with("/etc/network/interfaces.d/eth0");
        let kept = guest.keep("/etc/network/interfaces.d/eth0");
        for path in [guest.path(BACKUPS).as_path(), kept.parent().unwrap()] {
            assert_eq!(path.metadata().unwrap().mode() & 0o7777, 0o700);
        }
        assert_eq!(fs::read_dir(guest.path("/etc/network/interfaces.d")).unwrap().count(), 1);
        // The file itself under another name.
        let original = guest.path("/etc/network/interfaces.d/eth0").metadata().unwrap();
        assert_eq!(kept.metadata().unwrap().ino(), original.ino());
    }

    #[test]
    fn which_directories_are_read_as_a_whole() {
        for directory in [
            "/etc/cron.daily",
            "/etc/init.d",
            "/etc/netplan",
            "/etc/nginx/sites-enabled",
            "/home/ann/public_html/deep",
            "/srv/www",
            "/usr/lib/systemd/system-sleep",
            "/var/spool/cron/crontabs",
            "/var/www/html",
        ] {
            assert!(is_read_as_a_whole(directory), "{directory}");
        }
        for directory in ["", "/etc", "/etc/netplan/none", "/etc/ssh", "/root", "/srv/wwww"] {
            assert!(!is_read_as_a_whole(directory), "{directory}");
        }
    }

    #[test]
    fn an_error_names_the_directory_of_the_backup() {
        let guest = Guest::with("/etc/cron.d/motd");
        fs::create_dir_all(guest.path("/var/lib")).unwrap();
        fs::write(guest.path("/var/lib/xend-guest-agent"), "").unwrap();
        let error = Backup::next(guest.0.path(), "/etc/cron.d/motd").err().unwrap().to_string();
        let start = format!("The old file cannot be kept in {BACKUPS}/etc/cron.d/: ");
        assert!(error.starts_with(&start), "{error}");
    }

    #[test]
    fn a_backup_cannot_be_run() {
        let guest = Guest::with("/bin/tool");
        let path = guest.path("/bin/tool");
        if geteuid().is_root() {
            chown(&path, Some(1000), Some(1001)).unwrap();
        }
        for mode in [0o4755, 0o2750, 0o6711, 0o755, 0o4644, 0o610] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let kept = guest.keep("/bin/tool");
            let old = path.metadata().unwrap();
            let new = kept.metadata().unwrap();
            assert_eq!((new.uid(), new.gid()), (old.uid(), old.gid()));
            assert_eq!((old.mode() & 0o7777, new.mode() & 0o7777), (mode, mode & 0o666));
            assert_eq!(fs::read(kept).unwrap(), b"old");
        }
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        let capability = [0, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let name = "security.capability";
        if let Err(error) = setxattr(&path, name, &capability, XattrFlags::empty()) {
            eprintln!("SKIPPED: capabilities cannot be set here: {error}");
            return;
        }
        let kept = guest.keep("/bin/tool");
        assert_eq!(getxattr(&kept, name, &mut [0; 64][..]), Err(Errno::NODATA));
        assert!(getxattr(&path, name, &mut [0; 64][..]).is_ok());
    }

    #[test]
    fn backups_in_another_file_system_are_copies() {
        let guest = Guest::with("/etc/cron.d/motd");
        let mode = Permissions::from_mode(0o640);
        fs::set_permissions(guest.path("/etc/cron.d/motd"), mode).unwrap();
        symlink("somewhere", guest.path("/etc/cron.d/link")).unwrap();
        let state = guest.path("/var/lib");
        fs::create_dir_all(&state).unwrap();
        let mount = Command::new("mount").args(["-t", "tmpfs", "none"]).arg(&state).output();
        if !mount.is_ok_and(|output| output.status.success()) {
            eprintln!("SKIPPED: nothing can be mounted here");
            return;
        }
        let file = guest.keep("/etc/cron.d/motd");
        let mode = file.metadata().unwrap().mode() & 0o7777;
        let text = fs::read_to_string(file);
        let target = fs::read_link(guest.keep("/etc/cron.d/link"));
        assert!(Command::new("umount").arg(&state).status().unwrap().success());
        assert_eq!((text.unwrap().as_str(), mode), ("old", 0o640));
        assert_eq!(target.unwrap(), Path::new("somewhere"));
    }
}

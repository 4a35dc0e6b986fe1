//! The daemon's own files as they are at its start. What makes no sense, a file that is empty,
//! damaged, no file at all or unreadable, is set aside: renamed, so that it is neither read again
//! nor lost, and named in the log. The rest is served. All functions block.

use crate::core::ports::Clock;
use crate::durable;
use crate::host_file;
use crate::os::SystemClock;
use rustix::fs::OFlags;
use rustix::io::Errno;
use std::ffi::OsString;
use std::fmt::Display;
use std::fs::{self, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tracing::{error, info, warn};

/// The largest file that is read, in bytes.
const MAX_SIZE: u64 = 64 << 20;

/// The mode of a directory that its owner alone may enter.
const PRIVATE: u32 = 0o700;

/// The damaged files of one name that are kept beside it: the first ones, which tell how the damage
/// began, and the newest.
const KEPT_FIRST: usize = 10;
const KEPT_NEWEST: usize = 10;

/// A file of the daemon's own.
#[derive(Debug, PartialEq, Eq)]
pub enum Stored<T> {
    /// There is no file.
    Missing,
    /// There was one that made no sense. The log says why.
    Damaged,
    /// What the file holds.
    Sound(T),
}

impl<T> Stored<T> {
    /// What the file holds; `None` if it is missing or damaged.
    pub fn sound(self) -> Option<T> {
        match self {
            Self::Missing | Self::Damaged => None,
            Self::Sound(value) => Some(value),
        }
    }
}

/// Reads a file, and has `parse` make sense of it. A file that makes none is set aside.
///
/// Fails if the daemon lacks memory or file descriptors, which says nothing about the file.
pub fn load<T, E: Display>(
    path: &Path,
    parse: impl FnOnce(&[u8]) -> Result<T, E>,
) -> io::Result<Stored<T>> {
    match read(path) {
        Ok(None) => return Ok(Stored::Missing),
        Ok(Some(text)) => match parse(&text) {
            Ok(value) => return Ok(Stored::Sound(value)),
            Err(reason) => set_aside(path, &reason),
        },
        Err(error) => set_aside_unreadable(path, error)?,
    }
    Ok(Stored::Damaged)
}

/// Reads a file without waiting for the other end of a pipe; `None` if it does not exist.
pub fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = match host_file::open(path, OFlags::empty()) {
        Ok(file) => file,
        Err(Errno::NOENT) if fs::symlink_metadata(path).is_ok() => {
            return Err(io::Error::other("it is a link that leads nowhere"));
        }
        Err(Errno::NOENT) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let data = file.metadata()?;
    if !data.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    // With room for the whole file, it is read at once, and with a byte more its end is seen.
    let room = usize::try_from(data.len().min(MAX_SIZE)).map_or(0, |size| size + 1);
    let mut text = Vec::with_capacity(room);
    file.take(MAX_SIZE + 1).read_to_end(&mut text)?;
    if text.len() as u64 > MAX_SIZE {
        return Err(io::Error::other(format!("it is larger than {} MiB", MAX_SIZE >> 20)));
    }
    Ok(Some(text))
}

/// Makes a directory of the daemon's own, which nobody else may enter, also if it is there already.
/// What is there in its place is set aside, and so is a link to a directory that others can write.
/// A link to another one is followed; that directory is the operator's, and so is its mode.
pub fn make_dir(dir: &Path) -> io::Result<()> {
    make_dir_of_any_mode(dir)?;
    let is_link = fs::symlink_metadata(dir)?.is_symlink();
    if is_link {
        if let Err(reason) = host_file::check_owner(&fs::metadata(dir)?) {
            set_aside(dir, &format!("it leads to a directory that is not used: {reason}"));
            durable::create_dir(dir)?;
            return Ok(());
        }
    }
    let mode = fs::metadata(dir)?.permissions().mode() & 0o777;
    if mode & !PRIVATE != 0 && is_link {
        warn!(
            dir = %dir.display(),
            "A directory is a link, and others can enter where it leads to: its mode is {mode:o}"
        );
    } else if mode != PRIVATE && !is_link {
        let shown = dir.display();
        match fs::set_permissions(dir, Permissions::from_mode(PRIVATE)) {
            Ok(()) => info!(dir = %shown, "The mode of a directory was {mode:o}, it is 700 now"),
            Err(error) => warn!(dir = %shown, %error, "The mode of a directory is {mode:o}"),
        }
    }
    Ok(())
}

/// The same for a directory whose mode, if it is there already, is the operator's to choose.
pub fn make_dir_of_any_mode(dir: &Path) -> io::Result<()> {
    match durable::create_dir(dir) {
        Err(_) if fs::symlink_metadata(dir).is_ok() => {
            set_aside(dir, &"it is not a directory");
            durable::create_dir(dir)
        }
        made => made,
    }
}

/// The paths in a directory of the daemon's own. A directory that cannot be read is set aside and
/// made anew.
pub fn entries(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let list = || -> io::Result<Vec<PathBuf>> {
        fs::read_dir(dir)?.map(|entry| entry.map(|entry| entry.path())).collect()
    };
    match list() {
        Ok(paths) => Ok(paths),
        Err(error) => {
            if fs::symlink_metadata(dir).is_ok() {
                set_aside_unreadable(dir, error)?;
            }
            durable::create_dir(dir).map(|()| Vec::new())
        }
    }
}

/// Sets aside what cannot be read because of `error`, unless the error says nothing about it.
pub fn set_aside_unreadable(path: &Path, error: io::Error) -> io::Result<()> {
    let errno = Errno::from_io_error(&error);
    let lacks_room = matches!(errno, Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM));
    if lacks_room || error.kind() == io::ErrorKind::OutOfMemory {
        return Err(error);
    }
    set_aside(path, &error);
    Ok(())
}

/// Renames a damaged file or directory to `NAME.damaged-TIME`. If that fails, it stays where it is.
pub fn set_aside(path: &Path, reason: &dyn Display) {
    match rename_damaged(path) {
        Ok(aside) => error!(
            file = %path.display(),
            set_aside = %aside.display(),
            "A damaged file is set aside: {reason}"
        ),
        Err(error) => error!(
            file = %path.display(),
            %error,
            "A damaged file is ignored, and could not be set aside: {reason}"
        ),
    }
}

fn rename_damaged(path: &Path) -> io::Result<PathBuf> {
    let mut prefix = OsString::from(path.file_name().unwrap_or_default());
    prefix.push(format!(".{}-", durable::DAMAGED));
    let dir = durable::parent(path);
    let mut earlier: Vec<OsString> =
        fs::read_dir(dir)?.flatten().map(|entry| entry.file_name()).collect();
    earlier.retain(|name| name.as_encoded_bytes().starts_with(prefix.as_encoded_bytes()));
    // By their times and numbers.
    earlier.sort();
    let now = jiff::Timestamp::try_from(SystemClock.now()).unwrap_or_default();
    prefix.push(now.strftime("%Y%m%dT%H%M%SZ").to_string());
    let aside = dir.join(next_name(prefix, &earlier));
    durable::rename(path, &aside)?;
    remove_some(dir, &earlier);
    Ok(aside)
}

/// A name that is sorted behind all `earlier` ones of its second: `NAME`, `NAME-0001`, ...
fn next_name(mut name: OsString, earlier: &[OsString]) -> OsString {
    let of_this_second = earlier.iter().filter_map(|other| {
        other.as_encoded_bytes().strip_prefix(name.as_encoded_bytes()).map(<[u8]>::to_vec)
    });
    let number = |end: Vec<u8>| {
        let digits = end.strip_prefix(b"-")?;
        std::str::from_utf8(digits).ok()?.parse::<u32>().ok()
    };
    if let Some(highest) = of_this_second.map(|end| number(end).unwrap_or_default()).max() {
        name.push(format!("-{:04}", highest.saturating_add(1)));
    }
    name
}

/// Removes damaged files so that one more is not too many. What is neither the first nor among the
/// newest goes, if it is a file, a link or an empty directory: a directory with files may be worth
/// more than its room.
fn remove_some(dir: &Path, earlier: &[OsString]) {
    let surplus = (earlier.len() + 1).saturating_sub(KEPT_FIRST + KEPT_NEWEST);
    let mut removed = 0;
    for name in earlier.iter().skip(KEPT_FIRST).take(surplus) {
        let path = dir.join(name);
        if fs::remove_file(&path).or_else(|_| fs::remove_dir(&path)).is_ok() {
            warn!(
                file = %path.display(),
                "Removed an older damaged file: the first {KEPT_FIRST} and the newest \
                 {KEPT_NEWEST} are kept"
            );
            removed += 1;
        }
    }
    if removed < surplus {
        let count = earlier.len() + 1 - removed;
        warn!(dir = %dir.display(), "There are {count} damaged files of one name: remove some");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    use std::fs::File;
    use std::os::unix::fs::symlink;

    fn number(text: &[u8]) -> Result<u32, String> {
        let text = std::str::from_utf8(text).map_err(|error| error.to_string())?;
        text.trim().parse().map_err(|error| format!("no number: {error}"))
    }

    fn damaged(dir: &Path) -> Vec<PathBuf> {
        let is_damaged = |path: &PathBuf| path.to_string_lossy().contains("f.damaged-2");
        entries(dir).unwrap().into_iter().filter(is_damaged).collect()
    }

    #[test]
    fn what_makes_no_sense_is_set_aside_whatever_it_is() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("f");
        assert_eq!(load(&path, number).unwrap(), Stored::Missing);
        fs::write(&path, "17\n").unwrap();
        assert_eq!(load(&path, number).unwrap(), Stored::Sound(17));
        symlink(&path, root.path().join("link")).unwrap();
        assert_eq!(load(&root.path().join("link"), number).unwrap().sound(), Some(17));
        fs::remove_file(&path).unwrap();
        let makers: [&dyn Fn(); 7] = [
            &|| fs::write(&path, "").unwrap(),
            &|| fs::write(&path, [0xff; 100]).unwrap(),
            &|| fs::create_dir(&path).unwrap(),
            &|| symlink("nowhere", &path).unwrap(),
            &|| symlink("f", &path).unwrap(),
            &|| mknodat(CWD, &path, FileType::Fifo, Mode::RUSR, 0).unwrap(),
            &|| File::create(&path).unwrap().set_len(1 << 40).unwrap(),
        ];
        for (count, make) in (1..).zip(makers) {
            make();
            assert_eq!(load(&path, number).unwrap(), Stored::Damaged);
            assert!(fs::symlink_metadata(&path).is_err(), "it is gone from its place");
            assert_eq!(damaged(root.path()).len(), count);
            assert_eq!(load(&path, number).unwrap(), Stored::Missing);
        }
    }

    #[test]
    fn the_first_and_the_newest_damaged_files_are_kept() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("f");
        for number in 0..25 {
            fs::write(&path, number.to_string()).unwrap();
            set_aside(&path, &"a test");
            assert!(!path.exists(), "{number}: nothing is overwritten");
        }
        let kept = || -> Vec<usize> {
            let texts = damaged(root.path()).into_iter().filter(|path| path.is_file());
            let mut numbers: Vec<_> =
                texts.map(|path| fs::read_to_string(path).unwrap().parse().unwrap()).collect();
            numbers.sort_unstable();
            numbers
        };
        assert_eq!(kept(), (0..10).chain(15..25).collect::<Vec<_>>());

        // A directory with something in it is never removed.
        for _ in 0..25 {
            fs::create_dir(&path).unwrap();
            fs::write(path.join("domain"), "").unwrap();
            set_aside(&path, &"a test");
            assert!(!path.exists());
        }
        assert_eq!((kept(), damaged(root.path()).len()), ((0..10).collect(), 35));
    }

    #[test]
    fn directories_are_private_and_take_the_place_of_anything_else() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("f");
        let mode = || fs::metadata(&dir).unwrap().permissions().mode() & 0o777;
        fs::create_dir(&dir).unwrap();
        fs::set_permissions(&dir, Permissions::from_mode(0o755)).unwrap();
        fs::write(dir.join("kept"), "").unwrap();
        make_dir(&dir).unwrap();
        assert_eq!((mode(), entries(&dir).unwrap()), (0o700, vec![dir.join("kept")]));
        fs::remove_file(dir.join("kept")).unwrap();
        fs::remove_dir(&dir).unwrap();
        fs::write(&dir, "no directory").unwrap();
        make_dir(&dir).unwrap();
        assert_eq!(mode(), 0o700);
        fs::remove_dir(&dir).unwrap();
        symlink("nowhere", &dir).unwrap();
        assert!(entries(&dir).unwrap().is_empty());
        assert_eq!((mode(), damaged(root.path()).len()), (0o700, 2));
    }

    #[test]
    fn a_directory_behind_a_link_is_the_operators() {
        let root = tempfile::tempdir().unwrap();
        let [dir, target] = ["f", "elsewhere"].map(|name| root.path().join(name));
        let mode = || fs::metadata(&target).unwrap().permissions().mode() & 0o777;
        let set_mode = |mode| {
            fs::set_permissions(&target, Permissions::from_mode(mode)).unwrap();
        };
        fs::create_dir(&target).unwrap();
        fs::write(target.join("kept"), "").unwrap();
        symlink(&target, &dir).unwrap();
        for wanted in [0o755, 0o750, 0o700] {
            set_mode(wanted);
            make_dir(&dir).unwrap();
            assert_eq!((mode(), entries(&dir).unwrap()), (wanted, vec![dir.join("kept")]));
        }
        // Whoever can write there could have the daemon write anywhere.
        set_mode(0o777);
        make_dir(&dir).unwrap();
        assert!(!fs::symlink_metadata(&dir).unwrap().is_symlink());
        assert!(entries(&dir).unwrap().is_empty() && target.join("kept").exists());
        assert_eq!((mode(), damaged(root.path()).len()), (0o777, 1));
    }

    #[test]
    fn a_lack_of_descriptors_is_no_damage() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("f");
        fs::write(&path, "17").unwrap();
        assert!(set_aside_unreadable(&path, Errno::MFILE.into()).is_err());
        assert!(path.exists());
        set_aside_unreadable(&path, Errno::IO.into()).unwrap();
        assert!(!path.exists());
    }
}

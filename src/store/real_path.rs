//! Where paths lead once symbolic links are followed.

use crate::durable::MAX_LINKS;
use crate::host_file::{is_own, others_can_write};
use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
use tracing::warn;

/// The bit of a directory in which everybody replaces only what is their own.
const STICKY: u32 = 0o1000;

/// Whether a file, which need not exist, is below one of the directories.
///
/// Whoever can write a directory on the way could put a link into it after this was asked. The file
/// counts only if nobody but root and the daemon's own user can write the directory and those
/// between it and the file, or can lead a path to them elsewhere.
pub(super) fn is_within(file: &Path, dirs: &[PathBuf]) -> bool {
    let Some(file) = real_path(file) else { return false };
    let below = |dir: &PathBuf| {
        real_path(dir)
            .is_some_and(|dir| file != dir && file.starts_with(&dir) && are_closed(&file, &dir))
    };
    dirs.iter().any(below)
}

/// Whether others can write none of the directories from that of `file` up to `top`.
fn are_closed(file: &Path, top: &Path) -> bool {
    let dirs = file.ancestors().skip(1).take_while(|dir| dir.starts_with(top));
    let is_open = |dir: &&Path| !fs::metadata(dir).is_ok_and(|data| is_closed(&data));
    dirs.into_iter().find(is_open).inspect(|dir| warn_of(dir)).is_none()
}

/// The real path of a file whose directory exists; `None` as well if others can lead the path
/// elsewhere.
fn real_path(path: &Path) -> Option<PathBuf> {
    if !path.is_absolute() {
        return None;
    }
    let mut real = PathBuf::from("/");
    // The next one is the last.
    let mut rest = names(path);
    let mut links = 0;
    while let Some(name) = rest.pop() {
        if name == ".." {
            real.pop();
            continue;
        }
        let dir = fs::metadata(&real).ok()?;
        let next = real.join(name);
        let entry = match fs::symlink_metadata(&next) {
            Ok(entry) => Some(entry),
            Err(error) if error.kind() == ErrorKind::NotFound && rest.is_empty() => None,
            Err(_) => return None,
        };
        if !is_fixed(&dir, entry.as_ref()) {
            warn_of(&real);
            return None;
        }
        if !entry.is_some_and(|entry| entry.is_symlink()) {
            real = next;
            continue;
        }
        links += 1;
        if links > MAX_LINKS {
            return None;
        }
        let target = fs::read_link(&next).ok()?;
        if target.is_absolute() {
            real = PathBuf::from("/");
        }
        rest.extend(names(&target));
    }
    Some(real)
}

/// The names in a path, the last one first.
fn names(path: &Path) -> Vec<OsString> {
    let named = |part: &Component<'_>| matches!(part, Component::Normal(_) | Component::ParentDir);
    path.components().rev().filter(named).map(|part| part.as_os_str().to_owned()).collect()
}

/// Whether only root and the daemon's own user can put something else in the place of an entry of a
/// directory, or of none.
fn is_fixed(dir: &Metadata, entry: Option<&Metadata>) -> bool {
    let is_sticky = dir.mode() & STICKY != 0;
    is_closed(dir) || is_sticky && is_own(dir) && entry.is_some_and(is_own)
}

/// Whether only root and the daemon's own user can write a directory.
fn is_closed(dir: &Metadata) -> bool {
    is_own(dir) && !others_can_write(dir)
}

fn warn_of(dir: &Path) {
    let dir = dir.display();
    warn!("No file below {dir} is used: others than root can write it, chown and chmod go-w it");
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::geteuid;
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt, chown, lchown, symlink};

    #[test]
    fn links_lead_out_of_a_directory() {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| root.path().join(path);
        fs::create_dir_all(at("files/deep")).unwrap();
        fs::create_dir(at("other")).unwrap();
        fs::write(at("other/secret"), "x").unwrap();
        symlink(at("other"), at("files/out")).unwrap();
        symlink(at("other/secret"), at("files/link")).unwrap();
        symlink(at("other/none"), at("files/dangling")).unwrap();
        symlink(at("files"), at("alias")).unwrap();
        let dirs = [at("files"), at("missing")];
        for inside in ["files/new", "files/deep/new", "alias/new"] {
            assert!(is_within(&at(inside), &dirs), "{inside}");
        }
        for outside in
            ["files", "other/new", "files/out/new", "files/link", "files/dangling", "files/no/new"]
        {
            assert!(!is_within(&at(outside), &dirs), "{outside}");
        }
        assert!(is_within(&at("files/new"), &[at("alias")]));
    }

    #[test]
    fn directories_that_others_can_write_do_not_count() {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| root.path().join(path);
        fs::create_dir_all(at("files/deep/deeper")).unwrap();
        fs::write(at("files/deep/old"), "x").unwrap();
        let set = |dir: &str, mode| {
            fs::set_permissions(at(dir), Permissions::from_mode(mode)).unwrap();
        };
        let all = ["files", "files/deep", "files/deep/deeper"];
        let is_within = |file: &str| is_within(&at(file), &[at("files")]);
        for dir in all {
            set(dir, 0o755);
        }
        let files = ["files/new", "files/deep/new", "files/deep/old", "files/deep/deeper/new"];
        assert_eq!(files.map(is_within), [true; 4]);
        for (dir, expected) in all.into_iter().zip([
            [false, false, false, false],
            [true, false, false, false],
            [true, true, true, false],
        ]) {
            for mode in [0o775, 0o757, 0o1777] {
                set(dir, mode);
                assert_eq!(files.map(is_within), expected, "{dir} {mode:o}");
            }
            set(dir, 0o755);
            if !geteuid().is_root() {
                println!("Skipped: only root gives directories away");
                continue;
            }
            chown(at(dir), Some(65_534), None).unwrap();
            assert_eq!(files.map(is_within), expected, "{dir} of another user");
            chown(at(dir), Some(0), None).unwrap();
        }
    }

    /// The directory and the file are root's, the way to them is not.
    #[test]
    fn paths_that_others_can_lead_elsewhere_do_not_count() {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| root.path().join(path);
        let set = |dir: &str, mode| {
            fs::set_permissions(at(dir), Permissions::from_mode(mode)).unwrap();
        };
        fs::create_dir_all(at("home/files")).unwrap();
        fs::create_dir(at("etc")).unwrap();
        fs::create_dir(at("tmp")).unwrap();
        symlink(at("etc"), at("home/link")).unwrap();
        symlink(at("home/link"), at("way")).unwrap();
        symlink("../etc/new", at("etc/loop")).unwrap();
        symlink("../tmp/link", at("etc/by-tmp")).unwrap();
        symlink("../etc/new", at("tmp/link")).unwrap();
        symlink("circle", at("etc/circle")).unwrap();
        for dir in ["etc", "home", "home/files", "tmp"] {
            set(dir, 0o755);
        }
        let is_within = |file: &str, dir: &str| is_within(&at(file), &[at(dir)]);
        let cases =
            [("home/files/new", "home/files"), ("home/link/new", "home/link"), ("way/new", "way")];
        assert_eq!(cases.map(|(file, dir)| is_within(file, dir)), [true; 3]);
        assert!(is_within("etc/loop", "etc") && is_within("etc/by-tmp", "etc"));
        assert!(!is_within("etc/circle", "etc"));
        // As in /tmp, others cannot replace what is root's.
        set("home", 0o1777);
        assert_eq!(cases.map(|(file, dir)| is_within(file, dir)), [true; 3]);
        set("home", 0o777);
        assert_eq!(cases.map(|(file, dir)| is_within(file, dir)), [false; 3]);
        set("tmp", 0o777);
        assert!(is_within("etc/loop", "etc") && !is_within("etc/by-tmp", "etc"));
        if !geteuid().is_root() {
            println!("Skipped: only root gives directories away");
            return;
        }
        set("home", 0o1777);
        lchown(at("home/link"), Some(65_534), None).unwrap();
        assert_eq!(cases.map(|(file, dir)| is_within(file, dir)), [true, false, false]);
    }
}

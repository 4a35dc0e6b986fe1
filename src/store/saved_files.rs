//! The files of saved domains in some directories.

use super::save_file::{SIGNATURE, read_header};
use crate::core::ports::{SavedFile, SavedFiles};
use crate::host_file;
use rustix::fs::OFlags;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The most entries of a directory that are looked at.
const MAX_ENTRIES: usize = 10_000;

/// A file with the signature of saved domains.
struct Candidate {
    path: PathBuf,
    size: u64,
    saved_at: SystemTime,
}

/// The newest `most` of the saved domains in the directories, the newest first. What cannot be read
/// or restored is left out.
pub(super) fn list(dirs: &[PathBuf], most: usize) -> SavedFiles {
    let mut found: Vec<Candidate> = dirs.iter().flat_map(|dir| candidates(dir)).collect();
    found.sort_by(|a, b| b.saved_at.cmp(&a.saved_at).then(a.path.cmp(&b.path)));
    found.dedup_by(|a, b| a.path == b.path);
    let are_left_out = found.len() > most;
    found.truncate(most);
    SavedFiles { files: found.into_iter().filter_map(read).collect(), are_left_out }
}

fn candidates(dir: &Path) -> Vec<Candidate> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let paths = entries.take(MAX_ENTRIES).filter_map(|entry| Some(entry.ok()?.path()));
    paths.filter_map(candidate).collect()
}

fn candidate(path: PathBuf) -> Option<Candidate> {
    let mut signature = [0; SIGNATURE.len()];
    let mut file = open(&path)?;
    file.read_exact(&mut signature).ok()?;
    let data = file.metadata().ok()?;
    let saved_at = data.modified().ok()?;
    let size = data.len();
    (signature == *SIGNATURE).then_some(Candidate { path, size, saved_at })
}

/// A regular file; a link is none: it can lead anywhere.
fn open(path: &Path) -> Option<File> {
    let is_file = fs::symlink_metadata(path).is_ok_and(|data| data.is_file());
    is_file.then(|| host_file::open(path, OFlags::NOFOLLOW).ok()).flatten()
}

fn read(candidate: Candidate) -> Option<SavedFile> {
    let Candidate { path, size, saved_at } = candidate;
    let mut file = open(&path)?;
    let config = read_header(&mut file).ok()?.config;
    Some(SavedFile {
        path,
        size,
        saved_at,
        name: config.name,
        uuid: config.uuid,
        memory_mib: config.memory,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::{DomName, DomainConfig};
    use crate::store::save_file::header;
    use std::os::unix::fs::symlink;
    use std::time::Duration;

    fn save(dir: &Path, name: &str, age: u64) -> PathBuf {
        let path = dir.join(name);
        fs::write(&path, header(&DomainConfig::new(DomName::new(name).unwrap(), 64))).unwrap();
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 - age);
        File::options().write(true).open(&path).unwrap().set_modified(at).unwrap();
        path
    }

    #[test]
    fn the_newest_saved_domains_are_listed_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        save(dir.path(), "old", 20);
        let new = save(dir.path(), "new", 10);
        fs::write(dir.path().join("passwd"), "root:x:0:0:root:/root:/bin/sh\n").unwrap();
        fs::write(dir.path().join("damaged"), "LinuxGuestRecord....").unwrap();
        fs::create_dir(dir.path().join("directory")).unwrap();
        symlink(&new, dir.path().join("link")).unwrap();
        let list = |most| list(&[dir.path().to_owned(), dir.path().join("missing")], most);
        let names = |files: &SavedFiles| -> Vec<String> {
            files.files.iter().map(|file| file.name.to_string()).collect()
        };
        let all = list(10);
        assert_eq!((names(&all), all.are_left_out), (vec!["new".into(), "old".into()], false));
        assert_eq!((all.files[0].path.clone(), all.files[0].memory_mib), (new, 64));
        let some = list(1);
        assert!(some.are_left_out);
    }
}

//! The configuration files of domains that the operator keeps: `/etc/xen/*.cfg`.

use crate::core::model::DomainConfig;
use crate::host_file::{self, Stamp, check_owner};
use rustix::fs::OFlags;
use rustix::io::Errno;
use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tracing::warn;

/// The extension of a file.
const EXTENSION: &str = "cfg";
/// The most files that are read. The rest is left out, in the order of names.
const MAX_FILES: usize = 1000;
/// The largest file, in bytes.
const MAX_SIZE: u64 = 64 << 10;
/// How long a caller waits for the files.
const LIMIT: Duration = Duration::from_secs(10);

/// Reads a configuration file, of which it gets the name and the text. The error is one line.
pub type ReadConfig = Box<dyn Fn(&str, &[u8]) -> Result<DomainConfig, String> + Send + Sync>;

/// The configuration files in a directory. They are read again when they change.
///
/// What is in such a file is built as the operator's will, so a file counts only if nobody but root
/// and the daemon's own user can write it and the directory, and if it is no link.
#[derive(Clone)]
pub struct DomainFiles(Arc<Mutex<Directory>>);

struct Directory {
    path: PathBuf,
    read: ReadConfig,
    known: HashMap<String, Known>,
    /// The state of a directory that is refused, which was logged.
    refused: Option<Stamp>,
    /// Whether it was logged that there are too many files.
    overflowing: bool,
}

/// A file as it was read last.
struct Known {
    stamp: Stamp,
    /// `None` if it cannot be used, which was logged.
    file: Option<DomainFile>,
}

/// A configuration file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct DomainFile {
    /// The file's name without its extension.
    pub(super) stem: String,
    pub(super) config: Arc<DomainConfig>,
}

impl DomainFiles {
    /// The files in the directory `path`, which need not exist.
    pub fn new(path: PathBuf, read: ReadConfig) -> Self {
        let directory =
            Directory { path, read, known: HashMap::new(), refused: None, overflowing: false };
        Self(Arc::new(Mutex::new(directory)))
    }

    /// All files in the order of their names. Of two files with the same domain the first counts.
    /// `None` if they cannot be read in time.
    pub(super) async fn all(&self) -> Option<Vec<DomainFile>> {
        let read = async {
            // One reader at a time: a directory that does not answer holds one thread.
            let mut directory = self.0.clone().lock_owned().await;
            spawn_blocking(move || directory.all()).await.ok()
        };
        timeout(LIMIT, read).await.ok().flatten()
    }
}

impl Directory {
    fn all(&mut self) -> Vec<DomainFile> {
        let stems = self.stems();
        self.known.retain(|stem, _| stems.contains(stem));
        let mut files: Vec<DomainFile> = Vec::new();
        let mut names = HashSet::new();
        for stem in stems {
            let Some(file) = self.file(&stem) else { continue };
            if names.insert(file.config.name.clone()) {
                files.push(file);
            }
        }
        files
    }

    /// Whether nobody but the operator can put files into the directory.
    fn is_trusted(&mut self) -> bool {
        let Ok(data) = fs::metadata(&self.path) else { return false };
        let refused = check_owner(&data).err();
        if let Some(fault) = refused {
            if self.refused != Some(Stamp::of(&data)) {
                warn!("No configuration file of {} is used: {fault}", self.path.display());
            }
        }
        self.refused = refused.map(|_| Stamp::of(&data));
        refused.is_none()
    }

    /// The names of the files without their extension, sorted.
    fn stems(&mut self) -> Vec<String> {
        if !self.is_trusted() {
            return Vec::new();
        }
        let entries = fs::read_dir(&self.path).into_iter().flatten().flatten();
        let paths = entries.map(|entry| PathBuf::from(entry.file_name()));
        let paths = paths.filter(|path| path.extension().is_some_and(|ext| ext == EXTENSION));
        let mut stems: Vec<String> =
            paths.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned())).collect();
        stems.sort();
        let too_many = stems.len() > MAX_FILES;
        if too_many && !self.overflowing {
            let dir = self.path.display();
            warn!("{dir} has more than {MAX_FILES} configuration files: the last are left out");
        }
        self.overflowing = too_many;
        stems.truncate(MAX_FILES);
        stems
    }

    /// A file, which is read if it has changed.
    fn file(&mut self, stem: &str) -> Option<DomainFile> {
        let name = format!("{stem}.{EXTENSION}");
        let path = self.path.join(&name);
        let stamp = Stamp::of(&fs::symlink_metadata(&path).ok()?);
        if let Some(known) = self.known.get(stem).filter(|known| known.stamp == stamp) {
            return known.file.clone();
        }
        // It may have gone meanwhile.
        let (stamp, text) = match read_text(&path) {
            Err(Errno::LOOP) => (stamp, Err("it is a link, put the file here".to_owned())),
            read => read.ok()?,
        };
        let file = match text.and_then(|text| (self.read)(&name, &text)) {
            Ok(config) => Some(DomainFile { stem: stem.to_owned(), config: Arc::new(config) }),
            Err(reason) => {
                warn!("{} is no instance: {reason}", path.display());
                None
            }
        };
        self.known.insert(stem.to_owned(), Known { stamp, file: file.clone() });
        file
    }
}

/// The text of a file, or why it is not used. Fails if it cannot be opened.
fn read_text(path: &Path) -> Result<(Stamp, Result<Vec<u8>, String>), Errno> {
    // Where a link leads, others might write.
    let file = host_file::open(path, OFlags::NOFOLLOW)?;
    let data =
        file.metadata().map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
    let text = || -> Result<Vec<u8>, String> {
        if !data.is_file() {
            return Err("it is no file".to_owned());
        }
        check_owner(&data)?;
        if data.len() > MAX_SIZE {
            return Err(format!("it is larger than {MAX_SIZE} bytes"));
        }
        let mut text = Vec::new();
        match file.take(MAX_SIZE).read_to_end(&mut text) {
            Ok(_) => Ok(text),
            Err(error) => Err(error.to_string()),
        }
    };
    Ok((Stamp::of(&data), text()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::DomName;
    use std::fs::{File, Permissions};
    use std::os::unix::fs::{PermissionsExt, chown, symlink};
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// The files of a directory, and how often one was read. The text of a file is a name.
    fn files(dir: &Path) -> (DomainFiles, Arc<AtomicUsize>) {
        let reads = Arc::new(AtomicUsize::new(0));
        let counter = reads.clone();
        let read: ReadConfig = Box::new(move |_, text| {
            counter.fetch_add(1, Ordering::Relaxed);
            let name = DomName::new(std::str::from_utf8(text).map_err(|e| e.to_string())?);
            Ok(DomainConfig::new(name.map_err(|e| e.to_string())?, 64))
        });
        (DomainFiles::new(dir.to_owned(), read), reads)
    }

    async fn names(files: &DomainFiles) -> Vec<(String, String)> {
        let all = files.all().await.unwrap();
        all.into_iter().map(|file| (file.stem, file.config.name.to_string())).collect()
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected.iter().map(|(stem, name)| ((*stem).to_owned(), (*name).to_owned())).collect()
    }

    #[tokio::test]
    async fn files_are_read_once_and_again_when_they_change() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for (file, name) in [("b.cfg", "one"), ("a.cfg", "two"), ("c.cfg", "one"), ("d.bak", "x")] {
            fs::write(at(file), name).unwrap();
        }
        fs::write(at("e.cfg"), "not a name").unwrap();
        fs::create_dir(at("f.cfg")).unwrap();
        let (files, reads) = files(dir.path());
        assert_eq!(names(&files).await, pairs(&[("a", "two"), ("b", "one")]));
        assert_eq!(reads.load(Ordering::Relaxed), 4);
        names(&files).await;
        assert_eq!(reads.load(Ordering::Relaxed), 4, "nothing has changed");
        fs::write(at("e.cfg"), "three").unwrap();
        fs::remove_file(at("b.cfg")).unwrap();
        let now = pairs(&[("a", "two"), ("c", "one"), ("e", "three")]);
        assert_eq!(names(&files).await, now);
        assert_eq!(reads.load(Ordering::Relaxed), 5);
    }

    #[tokio::test]
    async fn files_that_others_can_write_do_not_count() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.cfg");
        fs::write(&file, "one").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o666)).unwrap();
        let (files, reads) = files(dir.path());
        assert_eq!(names(&files).await, pairs(&[]));
        assert_eq!(reads.load(Ordering::Relaxed), 0);
        fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        assert_eq!(names(&files).await, pairs(&[("a", "one")]));
    }

    #[tokio::test]
    async fn a_directory_that_others_can_write_has_no_files() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a.cfg"), "one").unwrap();
        let (files, _) = files(dir.path());
        for mode in [0o775, 0o1777] {
            fs::set_permissions(dir.path(), Permissions::from_mode(mode)).unwrap();
            assert_eq!(names(&files).await, pairs(&[]), "{mode:o}");
        }
        fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
        assert_eq!(names(&files).await, pairs(&[("a", "one")]));
        if !rustix::process::geteuid().is_root() {
            println!("Skipped: only root gives directories away");
            return;
        }
        chown(dir.path(), Some(65_534), None).unwrap();
        assert_eq!(names(&files).await, pairs(&[]));
    }

    #[tokio::test]
    async fn links_do_not_count() {
        let dir = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::write(elsewhere.path().join("old.cfg"), "one").unwrap();
        symlink(elsewhere.path().join("old.cfg"), at("a.cfg")).unwrap();
        symlink(elsewhere.path().join("missing.cfg"), at("b.cfg")).unwrap();
        let (files, reads) = files(dir.path());
        assert_eq!(names(&files).await, pairs(&[]));
        assert_eq!(reads.load(Ordering::Relaxed), 0);
        fs::remove_file(at("a.cfg")).unwrap();
        fs::write(at("a.cfg"), "two").unwrap();
        assert_eq!(names(&files).await, pairs(&[("a", "two")]));
    }

    #[tokio::test]
    async fn strange_files_are_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let (files, reads) = files(&dir.path().join("missing"));
        assert_eq!(names(&files).await, pairs(&[]));
        drop((files, reads));
        let (files, reads) = self::files(dir.path());
        File::create(dir.path().join("a.cfg")).unwrap().set_len(MAX_SIZE + 1).unwrap();
        let pipe = dir.path().join("b.cfg");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert_eq!(names(&files).await, pairs(&[]));
        assert_eq!(reads.load(Ordering::Relaxed), 0);
        for number in 0..=MAX_FILES {
            fs::write(dir.path().join(format!("n{number:04}.cfg")), format!("n{number}")).unwrap();
        }
        assert_eq!(files.all().await.unwrap().len(), MAX_FILES - 2);
    }
}

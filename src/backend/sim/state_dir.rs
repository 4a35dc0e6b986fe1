//! Where a simulated host's state outlives the daemon.
//!
//! ```text
//! lock             held by the daemon that the host belongs to
//! host.sxp         which run of the machine this is, and the next domid
//! dmesg            Xen's message buffer
//! domains/3.sxp    a domain, Domain-0 included
//! ```
//!
//! Each file is replaced as a whole, by writing another one and renaming it. That is enough for a
//! daemon that is killed at any moment. Nothing is forced to the disk: what would lose it, a crash
//! of the machine, ends the domains as well.

use super::form::HostRecord;
use super::record::Record;
use crate::core::model::DomId;
use rustix::fs::FlockOperation;
use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

/// Files that were being written when a daemon was killed begin with this.
const UNFINISHED: &str = ".new-";

/// The ending of a domain's file.
const RECORD: &str = "sxp";

/// The ending that is added to a file that makes no sense.
const DAMAGED: &str = "damaged";

/// The directory, held for this daemon alone until it is closed or dropped.
#[derive(Debug)]
pub(super) struct Store {
    dir: PathBuf,
    domains: PathBuf,
    /// The lock, which is shared by whoever is writing; none when the directory may be another
    /// daemon's.
    lock: RwLock<Option<File>>,
}

/// While this lives, the directory stays ours.
pub(super) type Held<'a> = RwLockReadGuard<'a, Option<File>>;

impl Store {
    /// Takes the directory, making it if need be. `WouldBlock` says that another daemon has it.
    pub(super) fn open(dir: &Path) -> io::Result<Self> {
        let domains = dir.join("domains");
        DirBuilder::new().recursive(true).mode(0o700).create(&domains)?;
        let lock = private().create(true).append(true).open(dir.join("lock"))?;
        rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
        let store = Self { dir: dir.to_owned(), domains, lock: RwLock::new(Some(lock)) };
        store.forget_unfinished()?;
        Ok(store)
    }

    /// Lets go of the directory, when what is being written has been. From now on nothing can be
    /// written.
    pub(super) fn close(&self) {
        *self.lock.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Keeps the directory for as long as something is being written.
    pub(super) fn hold(&self) -> io::Result<Held<'_>> {
        let held = self.lock.read().unwrap_or_else(PoisonError::into_inner);
        if held.is_some() {
            Ok(held)
        } else {
            Err(io::Error::other("The simulated host has been closed"))
        }
    }

    /// Whether it has been let go of.
    pub(super) fn is_closed(&self) -> bool {
        self.hold().is_err()
    }

    fn forget_unfinished(&self) -> io::Result<()> {
        for dir in [&self.dir, &self.domains] {
            for entry in fs::read_dir(dir)? {
                let entry = entry?;
                if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
                    fs::remove_file(entry.path())?;
                }
            }
        }
        Ok(())
    }

    /// The host's record; `None` if there is none that makes sense.
    pub(super) fn host(&self) -> io::Result<Option<HostRecord>> {
        let path = self.dir.join("host.sxp");
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        match HostRecord::read(&text) {
            Ok(host) => Ok(Some(host)),
            Err(reason) => set_aside(&path, &reason).map(|()| None),
        }
    }

    /// Writes the host's record.
    pub(super) fn write_host(&self, host: &HostRecord) -> io::Result<()> {
        let _held = self.hold()?;
        replace(&self.dir, "host.sxp", &host.print()).map(drop)
    }

    /// All domains, and the highest number that any file has ever been given here, damaged ones
    /// included.
    pub(super) fn domains(&self) -> io::Result<(Vec<Record>, u32)> {
        let (mut records, mut highest) = (Vec::new(), 0);
        for entry in fs::read_dir(&self.domains)? {
            let path = entry?.path();
            let Some(domid) = number(&path) else { continue };
            highest = highest.max(domid);
            if path.extension().is_none_or(|ending| ending != RECORD) {
                continue;
            }
            match Record::read(&fs::read(&path)?) {
                Ok(record) if record.domid == DomId(domid) => records.push(record),
                Ok(record) => {
                    set_aside(&path, &format_args!("it says that it is domain {}", record.domid))?
                }
                Err(reason) => set_aside(&path, &reason)?,
            }
        }
        Ok((records, highest))
    }

    /// Writes a domain's record.
    pub(super) fn write(&self, record: &Record) -> io::Result<()> {
        let _held = self.hold()?;
        replace(&self.domains, &file_name(record.domid), &record.print()).map(drop)
    }

    /// Removes a domain's record. It is no error if there is none.
    pub(super) fn remove(&self, domid: DomId) -> io::Result<()> {
        let _held = self.hold()?;
        absent_is_fine(fs::remove_file(self.domains.join(file_name(domid))))
    }

    /// Removes everything that belonged to an earlier run of the machine.
    pub(super) fn clear(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.domains)? {
            let path = entry?.path();
            if number(&path).is_some() {
                absent_is_fine(fs::remove_file(path))?;
            }
        }
        absent_is_fine(fs::remove_file(self.dir.join("dmesg")))
    }

    /// The message buffer's file, to be appended to, and what is in it.
    pub(super) fn dmesg(&self) -> io::Result<(File, Vec<u8>)> {
        let mut file =
            private().create(true).read(true).append(true).open(self.dir.join("dmesg"))?;
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        Ok((file, text))
    }

    /// Replaces the message buffer's file.
    pub(super) fn replace_dmesg(&self, text: &[u8]) -> io::Result<File> {
        replace(&self.dir, "dmesg", text)?;
        self.dmesg().map(|(file, _)| file)
    }
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

fn file_name(domid: DomId) -> String {
    format!("{domid}.{RECORD}")
}

/// The domid that a file's name begins with.
fn number(path: &Path) -> Option<u32> {
    path.file_name()?.to_str()?.split('.').next()?.parse().ok()
}

fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Puts a whole new file, readable by its owner alone, in the place of an old one.
fn replace(dir: &Path, name: &str, text: &[u8]) -> io::Result<File> {
    let mut file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(dir)?;
    file.write_all(text)?;
    file.persist(dir.join(name)).map_err(|error| error.error)
}

/// Gets a damaged file out of the way without losing it.
fn set_aside(path: &Path, reason: &dyn std::fmt::Display) -> io::Result<()> {
    let with = |n: u32| {
        let mut name = OsString::from(path);
        name.push(format!(".{DAMAGED}"));
        if n > 0 {
            name.push(format!("-{n}"));
        }
        PathBuf::from(name)
    };
    let aside = (0..1000).map(with).find(|name| !name.exists()).unwrap_or_else(|| with(0));
    tracing::error!(file = %path.display(), set_aside = %aside.display(), "A damaged record is set aside: {reason}");
    fs::rename(path, aside)
}

#[cfg(test)]
mod tests {
    use super::super::settings::SimSettings;
    use super::super::testing::{as_stored, config};
    use super::*;
    use crate::core::model::Uuid;
    use std::os::unix::fs::PermissionsExt;
    use std::time::UNIX_EPOCH;

    #[test]
    fn records_are_private_and_complete_or_not_there() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let record = Record::new(
            DomId(3),
            Uuid::nil(),
            as_stored(&config("a", 64)),
            UNIX_EPOCH,
            &SimSettings::default(),
        );
        store.write(&record).unwrap();
        let mode =
            |path: &str| fs::metadata(dir.path().join(path)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("domains"), mode("domains/3.sxp"), mode("lock")), (0o700, 0o600, 0o600));

        fs::write(dir.path().join("domains/.new-x"), "(sim-dom").unwrap();
        fs::write(dir.path().join("domains/9.sxp"), "(sim-dom").unwrap();
        fs::copy(dir.path().join("domains/3.sxp"), dir.path().join("domains/4.sxp")).unwrap();
        drop(store);
        let store = Store::open(dir.path()).unwrap();
        assert_eq!(store.domains().unwrap(), (vec![record], 9));
        let mut left: Vec<_> = fs::read_dir(dir.path().join("domains"))
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect();
        left.sort();
        assert_eq!(left, ["3.sxp", "4.sxp.damaged", "9.sxp.damaged"]);

        fs::write(dir.path().join("domains/9.sxp"), "again").unwrap();
        assert_eq!(store.domains().unwrap().1, 9);
        assert!(dir.path().join("domains/9.sxp.damaged-1").exists());
        store.remove(DomId(3)).unwrap();
        store.remove(DomId(3)).unwrap();
        assert_eq!(store.domains().unwrap().0, []);
    }

    #[test]
    fn a_directory_belongs_to_one_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        assert_eq!(Store::open(dir.path()).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        store.close();
        Store::open(dir.path()).unwrap();
        let host = HostRecord { boot: String::new(), next_domid: 1, pools: vec![] };
        assert!(
            store.is_closed()
                && store.write_host(&host).is_err()
                && store.remove(DomId(1)).is_err()
        );
    }
}

//! The directory in which a simulated host outlives the daemon.
//!
//! ```text
//! lock             locked by the daemon that has opened the host, see `dir_lock`
//! host.sxp         the record of the host
//! dmesg            Xen's message buffer
//! domains/3.sxp    the record of a domain, Domain-0 included
//! boot             which run of the machine this is, after a reset, see `boot`
//! history          when each domain ran, if a test has made it, see `history`
//! ```
//!
//! A file is replaced as a whole: another one is written and renamed. So the daemon may be killed
//! at any moment. Nothing is forced to the disk, because a crash of the machine, which could lose
//! it, ends the domains as well.

use super::boot;
use super::history::History;
use super::host_record::HostRecord;
use super::record::Record;
use crate::core::error::Error;
use crate::core::model::DomId;
use crate::dir_lock::{DirLock, LockError};
use crate::durable;
use crate::state_file;
use std::convert::Infallible;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

/// The extension of records.
const RECORD: &str = "sxp";

/// The directory, which is locked for this daemon until it is closed or dropped.
#[derive(Debug)]
pub(super) struct StateDir {
    dir: PathBuf,
    domains: PathBuf,
    history: History,
    /// Shared by threads that write; `None` after the directory was closed.
    lock: RwLock<Option<DirLock>>,
}

/// Keeps the directory open.
pub(super) type Held<'a> = RwLockReadGuard<'a, Option<DirLock>>;

impl StateDir {
    /// Opens the directory, and makes it if it does not exist.
    pub(super) fn open(dir: &Path) -> Result<Self, LockError> {
        let unusable = |source| LockError::Unusable { dir: dir.to_owned(), source };
        state_file::make_dir(dir).map_err(unusable)?;
        let lock = DirLock::acquire(dir)?;
        let domains = dir.join("domains");
        let history = History::open(dir).map_err(unusable)?;
        state_file::make_dir(&domains)
            .and_then(|()| durable::remove_unfinished(dir))
            .and_then(|()| durable::remove_unfinished(&domains))
            .map_err(unusable)?;
        Ok(Self { dir: dir.to_owned(), domains, history, lock: RwLock::new(Some(lock)) })
    }

    /// Closes the directory, after the writes that are going on. Later writes fail.
    pub(super) fn close(&self) {
        *self.lock.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Keeps the directory open for a write.
    pub(super) fn hold(&self) -> io::Result<Held<'_>> {
        let held = self.lock.read().unwrap_or_else(PoisonError::into_inner);
        match &*held {
            Some(lock) => lock.check()?,
            None => return Err(io::Error::other("The simulated host has been closed")),
        }
        Ok(held)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.lock.read().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    /// A failure to write into the directory.
    pub(super) fn not_written(&self, source: io::Error) -> Error {
        Error::not_written("The simulated host could not record the change", &self.dir, source)
    }

    /// The record of the host; `None` if there is none that can be read.
    pub(super) fn host_record(&self) -> io::Result<Option<HostRecord>> {
        Ok(state_file::load(&self.dir.join("host.sxp"), HostRecord::read)?.sound())
    }

    pub(super) fn write_host_record(&self, host: &HostRecord) -> io::Result<()> {
        let _held = self.hold()?;
        durable::replace_unsynced(&self.dir.join("host.sxp"), &host.print())
    }

    /// The records of all domains. Damaged files are set aside.
    pub(super) fn records(&self) -> io::Result<Vec<Record>> {
        let mut records = Vec::new();
        for path in state_file::entries(&self.domains)? {
            let Some(number) = domid(&path).filter(|_| is_record(&path)) else { continue };
            let parse = |text: &[u8]| match Record::read(text) {
                Ok(record) if record.domid == DomId(number) => Ok(record),
                Ok(record) => Err(format!("it says that it is domain {}", record.domid)),
                Err(reason) => Err(reason.to_string()),
            };
            records.extend(state_file::load(&path, parse)?.sound());
        }
        Ok(records)
    }

    /// The highest domid of all files, damaged ones included.
    pub(super) fn highest_domid(&self) -> io::Result<u32> {
        let mut highest = 0;
        for path in state_file::entries(&self.domains)? {
            highest = highest.max(domid(&path).unwrap_or(0));
        }
        Ok(highest)
    }

    pub(super) fn write_record(&self, record: &Record) -> io::Result<()> {
        let _held = self.hold()?;
        durable::replace_unsynced(&self.record_path(record.domid), &record.print())
    }

    pub(super) fn history(&self) -> &History {
        &self.history
    }

    /// Removes the record of a domain. It is no error if there is none.
    pub(super) fn remove_record(&self, domid: DomId) -> io::Result<()> {
        let _held = self.hold()?;
        durable::remove_unsynced(&self.record_path(domid)).map(drop)
    }

    /// Removes all domains and messages, after the machine was booted.
    pub(super) fn clear(&self) -> io::Result<()> {
        for path in state_file::entries(&self.domains)? {
            if domid(&path).is_some() {
                remove_or_set_aside(&path)?;
            }
        }
        self.history.off()?;
        remove_or_set_aside(&self.dir.join("dmesg"))
    }

    /// Removes them since the machine is reset: another run of it begins.
    pub(super) fn reset(&self) -> io::Result<()> {
        // First, so that whoever opens the directory meanwhile removes them.
        boot::begin_another(&self.dir)?;
        self.clear()
    }

    fn record_path(&self, domid: DomId) -> PathBuf {
        self.domains.join(format!("{domid}.{RECORD}"))
    }

    /// The contents of the file of the message buffer. What is no file is set aside.
    pub(super) fn dmesg(&self) -> io::Result<Vec<u8>> {
        let any = |text: &[u8]| Ok::<_, Infallible>(text.to_vec());
        Ok(state_file::load(&self.dir.join("dmesg"), any)?.sound().unwrap_or_default())
    }

    /// Opens the file of the message buffer for appending, and makes it if it is missing.
    pub(super) fn open_dmesg(&self) -> io::Result<File> {
        let path = self.dir.join("dmesg");
        OpenOptions::new().create(true).append(true).mode(0o600).open(path)
    }

    /// Replaces the file of the message buffer.
    pub(super) fn replace_dmesg(&self, text: &[u8]) -> io::Result<()> {
        durable::replace_unsynced(&self.dir.join("dmesg"), text)
    }
}

/// Whether a file is a record. A damaged one has another extension.
fn is_record(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == RECORD)
}

/// Removes a file. What is no file is set aside, if it is not already.
fn remove_or_set_aside(path: &Path) -> io::Result<()> {
    match durable::remove_unsynced(path) {
        Err(_) if path.is_dir() && !is_record(path) && path.extension().is_some() => Ok(()),
        Err(error) => state_file::set_aside_unreadable(path, error),
        Ok(_) => Ok(()),
    }
}

/// The domid at the beginning of a file's name.
fn domid(path: &Path) -> Option<u32> {
    path.file_name()?.to_str()?.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::settings::SimSettings;
    use super::super::testing::{as_stored, config};
    use super::*;
    use crate::core::model::Uuid;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::time::UNIX_EPOCH;

    #[test]
    fn records_are_private_and_complete_or_missing() {
        let dir = tempfile::tempdir().unwrap();
        let state_dir = StateDir::open(dir.path()).unwrap();
        let record = Record::new(
            DomId(3),
            Uuid::nil(),
            as_stored(&config("a", 64)),
            UNIX_EPOCH,
            &SimSettings::default(),
        );
        state_dir.write_record(&record).unwrap();
        let mode =
            |path: &str| fs::metadata(dir.path().join(path)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("domains"), mode("domains/3.sxp"), mode("lock")), (0o700, 0o600, 0o600));

        fs::write(dir.path().join("domains/.new-x"), "(sim-dom").unwrap();
        fs::write(dir.path().join("domains/9.sxp"), "(sim-dom").unwrap();
        fs::copy(dir.path().join("domains/3.sxp"), dir.path().join("domains/4.sxp")).unwrap();
        drop(state_dir);
        let state_dir = StateDir::open(dir.path()).unwrap();
        assert_eq!(state_dir.highest_domid().unwrap(), 9);
        assert_eq!(state_dir.records().unwrap(), [record]);
        let mut left: Vec<_> = fs::read_dir(dir.path().join("domains"))
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect();
        left.sort();
        let begins = |at: usize, name: &str| left[at].to_string_lossy().starts_with(name);
        assert_eq!((left.len(), left[0].to_str()), (3, Some("3.sxp")));
        assert!(begins(1, "4.sxp.damaged-") && begins(2, "9.sxp.damaged-"), "{left:?}");

        fs::create_dir(dir.path().join("domains/9.sxp")).unwrap();
        assert_eq!(state_dir.records().unwrap().len(), 1);
        assert_eq!(state_dir.highest_domid().unwrap(), 9);
        assert!(!dir.path().join("domains/9.sxp").exists());
        state_dir.remove_record(DomId(3)).unwrap();
        state_dir.remove_record(DomId(3)).unwrap();
        assert_eq!(state_dir.records().unwrap(), []);
        // The next boot of the machine.
        fs::create_dir(dir.path().join("domains/5.sxp")).unwrap();
        fs::create_dir(dir.path().join("dmesg")).unwrap();
        state_dir.clear().unwrap();
        assert_eq!(state_dir.dmesg().unwrap(), b"");
        assert!(!dir.path().join("domains/5.sxp").exists());
    }

    #[test]
    fn a_directory_is_open_once_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let state_dir = StateDir::open(dir.path()).unwrap();
        let refused = StateDir::open(dir.path()).unwrap_err();
        assert!(matches!(refused, LockError::Held { pid: Some(_), .. }), "{refused}");
        state_dir.close();
        StateDir::open(dir.path()).unwrap();
        let host = HostRecord { boot: String::new(), next_domid: 1, pools: vec![] };
        assert!(
            state_dir.is_closed()
                && state_dir.write_host_record(&host).is_err()
                && state_dir.remove_record(DomId(1)).is_err()
        );
    }
}

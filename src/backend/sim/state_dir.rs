//! The directory in which a simulated host outlives the daemon.
//!
//! ```text
//! lock             locked by the daemon that has opened the host
//! host.sxp         the record of the host
//! dmesg            Xen's message buffer
//! domains/3.sxp    the record of a domain, Domain-0 included
//! ```
//!
//! A file is replaced as a whole: another one is written and renamed. So the daemon may be killed
//! at any moment. Nothing is forced to the disk, because a crash of the machine, which could lose
//! it, ends the domains as well.

use super::host_record::HostRecord;
use super::record::Record;
use crate::core::model::DomId;
use crate::durable;
use rustix::fs::FlockOperation;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
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
    /// The lock file, shared by threads that write; `None` after the directory was closed.
    lock: RwLock<Option<File>>,
}

/// Keeps the directory open.
pub(super) type Held<'a> = RwLockReadGuard<'a, Option<File>>;

impl StateDir {
    /// Opens the directory, and makes it if it does not exist. `WouldBlock` if another daemon has
    /// opened it.
    pub(super) fn open(dir: &Path) -> io::Result<Self> {
        let domains = dir.join("domains");
        durable::create_dir(&domains)?;
        let lock = private().create(true).append(true).open(dir.join("lock"))?;
        rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
        durable::remove_unfinished(dir)?;
        durable::remove_unfinished(&domains)?;
        Ok(Self { dir: dir.to_owned(), domains, lock: RwLock::new(Some(lock)) })
    }

    /// Closes the directory, after the writes that are going on. Later writes fail.
    pub(super) fn close(&self) {
        *self.lock.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Keeps the directory open for a write.
    pub(super) fn hold(&self) -> io::Result<Held<'_>> {
        let held = self.lock.read().unwrap_or_else(PoisonError::into_inner);
        if held.is_some() {
            Ok(held)
        } else {
            Err(io::Error::other("The simulated host has been closed"))
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.hold().is_err()
    }

    /// The record of the host; `None` if there is none that can be read.
    pub(super) fn host_record(&self) -> io::Result<Option<HostRecord>> {
        let path = self.dir.join("host.sxp");
        let Some(text) = durable::read(&path)? else { return Ok(None) };
        match HostRecord::read(&text) {
            Ok(host) => Ok(Some(host)),
            Err(reason) => durable::set_aside(&path, &reason).map(|()| None),
        }
    }

    pub(super) fn write_host_record(&self, host: &HostRecord) -> io::Result<()> {
        let _held = self.hold()?;
        durable::replace_unsynced(&self.dir.join("host.sxp"), &host.print())
    }

    /// The records of all domains. Damaged files are set aside.
    pub(super) fn records(&self) -> io::Result<Vec<Record>> {
        let mut records = Vec::new();
        for entry in fs::read_dir(&self.domains)? {
            let path = entry?.path();
            let Some(number) = domid(&path) else { continue };
            if path.extension().is_none_or(|extension| extension != RECORD) {
                continue;
            }
            match Record::read(&fs::read(&path)?) {
                Ok(record) if record.domid == DomId(number) => records.push(record),
                Ok(record) => {
                    let reason = format_args!("it says that it is domain {}", record.domid);
                    durable::set_aside(&path, &reason)?;
                }
                Err(reason) => durable::set_aside(&path, &reason)?,
            }
        }
        Ok(records)
    }

    /// The highest domid of all files, damaged ones included.
    pub(super) fn highest_domid(&self) -> io::Result<u32> {
        let mut highest = 0;
        for entry in fs::read_dir(&self.domains)? {
            highest = highest.max(domid(&entry?.path()).unwrap_or(0));
        }
        Ok(highest)
    }

    pub(super) fn write_record(&self, record: &Record) -> io::Result<()> {
        let _held = self.hold()?;
        durable::replace_unsynced(&self.record_path(record.domid), &record.print())
    }

    /// Removes the record of a domain. It is no error if there is none.
    pub(super) fn remove_record(&self, domid: DomId) -> io::Result<()> {
        let _held = self.hold()?;
        durable::remove_unsynced(&self.record_path(domid)).map(drop)
    }

    /// Removes all domains and messages, after the machine was booted.
    pub(super) fn clear(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.domains)? {
            let path = entry?.path();
            if domid(&path).is_some() {
                durable::remove_unsynced(&path)?;
            }
        }
        durable::remove_unsynced(&self.dir.join("dmesg")).map(drop)
    }

    fn record_path(&self, domid: DomId) -> PathBuf {
        self.domains.join(format!("{domid}.{RECORD}"))
    }

    /// The file of the message buffer, opened for appending, and its contents.
    pub(super) fn dmesg(&self) -> io::Result<(File, Vec<u8>)> {
        let mut file =
            private().create(true).read(true).append(true).open(self.dir.join("dmesg"))?;
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        Ok((file, text))
    }

    /// Replaces the file of the message buffer.
    pub(super) fn replace_dmesg(&self, text: &[u8]) -> io::Result<File> {
        durable::replace_unsynced(&self.dir.join("dmesg"), text)?;
        self.dmesg().map(|(file, _)| file)
    }
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
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
        assert_eq!(left, ["3.sxp", "4.sxp.damaged", "9.sxp.damaged"]);

        fs::write(dir.path().join("domains/9.sxp"), "again").unwrap();
        assert_eq!(state_dir.records().unwrap().len(), 1);
        assert_eq!(state_dir.highest_domid().unwrap(), 9);
        assert!(dir.path().join("domains/9.sxp.damaged-1").exists());
        state_dir.remove_record(DomId(3)).unwrap();
        state_dir.remove_record(DomId(3)).unwrap();
        assert_eq!(state_dir.records().unwrap(), []);
    }

    #[test]
    fn a_directory_is_open_once_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let state_dir = StateDir::open(dir.path()).unwrap();
        assert_eq!(StateDir::open(dir.path()).unwrap_err().kind(), io::ErrorKind::WouldBlock);
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

//! A directory: requests are files `host/ID`, responses `guest/ID`, and `vm-data/` is what the host
//! has written for the guest. For tests, tools, and hypervisors that share directories.
//!
//! The host renames a complete file to its name. Names that begin with a dot are not looked at. One
//! of them is the lock, so that agents of several roots do not share the directory.

use super::data_files::DataFiles;
use super::responses::Responses;
use crate::exchange::{Exchange, GuestData, RawRequest};
use crate::lock::Lock;
use crate::log;
use crate::root::{Owner, Replace, Root};
use rustix::fs::inotify;
use rustix::io::Errno;
use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use xend_guest_protocol::limits::MAX_PAYLOAD;

/// How often to look for requests beside inotify.
const INTERVAL: Duration = Duration::from_secs(5);

/// The lock of the agent that has the directory.
const LOCK: &str = "/.xend-guest-agent.lock";

/// The exchange over a directory.
pub struct Directory {
    files: DataFiles,
    /// Tells that a request may have come.
    changes: OwnedFd,
    waiting: VecDeque<String>,
    /// Requests that cannot be read, or that were carried out and cannot be removed: they must not
    /// be looked at again.
    unremovable: BTreeSet<String>,
    responses: Responses,
    _lock: Option<Lock>,
}

impl Directory {
    /// Over `directory`, in which `host` and `guest` are made. What a killed agent has left there
    /// is removed.
    pub fn open(directory: PathBuf) -> io::Result<Self> {
        for name in ["host", "guest"] {
            std::fs::create_dir_all(directory.join(name))?;
        }
        let files = DataFiles(Root::new(directory));
        let lock = Lock::take(&files.0, LOCK).map_err(io::Error::other)?;
        files.0.remove_temporary_files("/guest")?;
        let changes =
            inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK)?;
        let events = inotify::WatchFlags::MOVED_TO | inotify::WatchFlags::CLOSE_WRITE;
        inotify::add_watch(&changes, files.0.path("/host"), events)?;
        let mut left = files.0.list("/guest")?;
        left.retain(|id| !id.starts_with('.'));
        let responses = Responses::left(left, Instant::now());
        Ok(Self {
            files,
            changes,
            waiting: VecDeque::new(),
            unremovable: BTreeSet::new(),
            responses,
            _lock: lock,
        })
    }

    fn look(&mut self) -> io::Result<()> {
        let ids = self.files.0.list("/host")?;
        self.unremovable.retain(|id| ids.contains(id));
        let is_new = |id: &String| !id.starts_with('.') && !self.unremovable.contains(id);
        self.waiting.extend(ids.into_iter().filter(is_new));
        Ok(())
    }

    /// Takes what inotify says: only that something has changed.
    fn take_changes(&mut self) -> io::Result<()> {
        let mut buffer = [MaybeUninit::uninit(); 1024];
        let mut reader = inotify::Reader::new(&self.changes, &mut buffer);
        loop {
            match reader.next() {
                Ok(_) => {}
                Err(Errno::AGAIN) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn remove_response(&mut self, id: &str) {
        if let Err(error) = self.files.0.remove(&format!("/guest/{id}")) {
            log::line(format_args!("Cannot remove the response {id}: {error}"));
        }
    }
}

impl Exchange for Directory {
    fn next_request(&mut self) -> io::Result<Option<RawRequest>> {
        if self.waiting.is_empty() {
            self.take_changes()?;
            self.look()?;
        }
        while let Some(id) = self.waiting.pop_front() {
            match self.files.0.read(&format!("/host/{id}")) {
                Ok(Some(mut text)) => {
                    // One byte more than a request may have tells that it is too long.
                    text.truncate(MAX_PAYLOAD + 1);
                    return Ok(Some(RawRequest { id, text }));
                }
                // The host may have removed it.
                Ok(None) => {}
                Err(error) => {
                    log::line(format_args!("Cannot read the request {id}: {error}"));
                    self.unremovable.insert(id);
                }
            }
        }
        Ok(None)
    }

    fn put_response(&mut self, id: &str, text: &[u8]) -> io::Result<()> {
        if let Err(error) = self.files.0.remove(&format!("/host/{id}")) {
            log::line(format_args!("Cannot remove the request {id}: {error}"));
            self.unremovable.insert(id.to_owned());
        }
        self.responses.forget(id);
        while let Some(surplus) = self.responses.take_surplus() {
            self.remove_response(&surplus);
        }
        let how = Replace {
            new_mode: 0o600,
            new_owner: Owner::Agent,
            force_mode: true,
            keep_old: false,
            make_directories: true,
        };
        self.files.0.replace(&format!("/guest/{id}"), text, how)?;
        self.responses.add(id, Instant::now());
        Ok(())
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        Some(self.changes.as_fd())
    }

    fn interval(&self) -> Option<Duration> {
        Some(INTERVAL)
    }

    fn clean_up(&mut self, now: Instant) -> io::Result<()> {
        while let Some(old) = self.responses.take_old(now) {
            self.remove_response(&old);
        }
        Ok(())
    }

    fn is_finished(&self) -> bool {
        false
    }

    fn data(&mut self) -> &mut dyn GuestData {
        &mut self.files
    }
}

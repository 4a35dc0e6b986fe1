//! When each domain ran, for tests that compare hosts.
//!
//! If the state directory has a file `history`, these lines are added to it, with the nanoseconds
//! of the machine's `CLOCK_MONOTONIC`:
//!
//! ```text
//! run 123 7 11111111-2222-3333-4444-555555555555   domain 7 runs from now on
//! end 456 7                                        it does not any more, if it did
//! off 789                                          no domain does
//! ```
//!
//! What runs is told before it does, and what has ended after that: no run looks shorter than it
//! was.
//! A domain runs while it is neither paused nor suspended, has not stopped, and is not being
//! destroyed. It goes on when the daemon is killed, which tells nothing.

use super::lock::lock;
use super::record::Record;
use crate::core::model::{DomId, Uuid};
use rustix::time::{ClockId, clock_gettime};
use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

/// The file, if there is one, and what is known to run.
#[derive(Debug)]
pub(super) struct History {
    file: Option<File>,
    running: Mutex<BTreeMap<DomId, Uuid>>,
}

impl History {
    /// The history of a directory.
    pub(super) fn open(dir: &Path) -> io::Result<Self> {
        let file = match OpenOptions::new().append(true).open(dir.join("history")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            file => Some(file?),
        };
        Ok(Self { file, running: Mutex::default() })
    }

    pub(super) const fn is_wanted(&self) -> bool {
        self.file.is_some()
    }

    /// A domain has this record when the host is opened.
    pub(super) fn found(&self, record: &Record, now: SystemTime) -> io::Result<()> {
        self.before(record, now)?;
        // What an earlier daemon has told is not known.
        if runs(record, now).is_none() { self.gone(record.domid) } else { Ok(()) }
    }

    /// A domain is about to have this record.
    pub(super) fn before(&self, record: &Record, now: SystemTime) -> io::Result<()> {
        let Some(uuid) = runs(record, now) else { return Ok(()) };
        let mut running = lock(&self.running);
        if running.get(&record.domid) != Some(&uuid) {
            self.add("run", format_args!(" {} {uuid}", record.domid))?;
            running.insert(record.domid, uuid);
        }
        Ok(())
    }

    /// A domain has this record now.
    pub(super) fn after(&self, record: &Record, now: SystemTime) -> io::Result<()> {
        let has_ended = runs(record, now).is_none();
        if has_ended && lock(&self.running).contains_key(&record.domid) {
            self.gone(record.domid)?;
        }
        Ok(())
    }

    /// A domain has ended.
    pub(super) fn gone(&self, domid: DomId) -> io::Result<()> {
        lock(&self.running).remove(&domid);
        self.add("end", format_args!(" {domid}"))
    }

    /// All have.
    pub(super) fn off(&self) -> io::Result<()> {
        lock(&self.running).clear();
        self.add("off", "")
    }

    fn add(&self, what: &str, more: impl Display) -> io::Result<()> {
        let Some(mut file) = self.file.as_ref() else { return Ok(()) };
        let now = Duration::try_from(clock_gettime(ClockId::Monotonic)).unwrap_or_default();
        // One write: other processes add lines, too.
        file.write_all(format!("{what} {}{more}\n", now.as_nanos()).as_bytes())
    }
}

/// The domain that runs, if it does.
fn runs(record: &Record, now: SystemTime) -> Option<Uuid> {
    let runs = record.domid != DomId::ZERO
        && record.dying.is_none()
        && !record.guest.paused
        && record.guest.stopped(now).is_none();
    runs.then_some(record.uuid)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{at, running};
    use super::*;
    use std::fs;

    /// The lines without their times, which must not go back.
    fn lines(dir: &Path) -> Vec<String> {
        let text = fs::read_to_string(dir.join("history")).unwrap();
        let mut last = 0;
        let mut without = |line: &str| {
            let (what, rest) = line.split_once(' ').unwrap();
            let (time, rest) = rest.split_once(' ').unwrap_or((rest, ""));
            let time: u64 = time.parse().unwrap();
            assert!(time >= last, "{text}");
            last = time;
            format!("{what} {rest}").trim().to_owned()
        };
        text.lines().map(&mut without).collect()
    }

    #[test]
    fn what_runs_is_told_once_and_what_ends_too() {
        let dir = tempfile::tempdir().unwrap();
        let none = History::open(dir.path()).unwrap();
        none.off().unwrap();
        assert!(!none.is_wanted() && !dir.path().join("history").exists());
        fs::write(dir.path().join("history"), "").unwrap();
        let history = History::open(dir.path()).unwrap();
        let mut record = running("a", |_| ());
        let tell = |record: &Record| {
            history.before(record, at(1)).unwrap();
            history.after(record, at(1)).unwrap();
        };
        record.guest.paused = true;
        tell(&record);
        record.guest.paused = false;
        tell(&record);
        tell(&record);
        record.dying = Some((at(1), at(2)));
        tell(&record);
        tell(&record);
        let run = format!("run {} {}", record.domid, record.uuid);
        let end = format!("end {}", record.domid);
        assert_eq!(lines(dir.path()), [run.clone(), end.clone()]);
        // The next daemon cannot know what was told.
        let history = History::open(dir.path()).unwrap();
        history.found(&record, at(1)).unwrap();
        record.dying = None;
        history.found(&record, at(1)).unwrap();
        history.off().unwrap();
        assert_eq!(lines(dir.path())[2..], [end, run, "off".to_owned()]);
    }
}

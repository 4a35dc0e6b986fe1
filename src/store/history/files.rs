//! The files of histories.

use super::rings::{Rings, Write, ends_longer_step};
use crate::core::model::{Span, Usage, UsageHistory, UsageOf, Uuid, parse_uuid};
use crate::durable;
use crate::held_dir::HeldDir;
use crate::state_file;
use std::collections::{HashMap, HashSet};
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use tracing::debug;

/// The files of domains that are not known any more, of which the newest are kept.
const MAX_FORGOTTEN: usize = 1000;

/// When a file has nothing left to show.
const MAX_AGE: Duration = Duration::from_secs(31 * 86_400);

const EXTENSION: &str = "history";

/// The directory of histories.
#[derive(Debug)]
pub(in crate::store) struct HistoryFiles {
    /// The directory as it was when it was opened: another one is left alone.
    held: HeldDir,
    /// The last minute of each history that is being written. A history that is not among them is
    /// read before it is written.
    last: Mutex<HashMap<UsageOf, u32>>,
}

impl HistoryFiles {
    /// Opens the directory, creating it if need be. Blocks.
    pub(in crate::store) fn open(dir: &Path) -> io::Result<Self> {
        state_file::make_dir(dir)?;
        durable::remove_unfinished(dir)?;
        Ok(Self { held: HeldDir::open(dir)?, last: Mutex::default() })
    }

    fn path(&self, of: UsageOf) -> PathBuf {
        let name = match of {
            UsageOf::Host => "host".to_owned(),
            UsageOf::Domain(uuid) => uuid.to_string(),
        };
        self.dir().join(format!("{name}.{EXTENSION}"))
    }

    /// The content of a file; `None` if it is missing, damaged, or has lost it.
    fn read(&self, of: UsageOf) -> io::Result<Option<Rings>> {
        let read = |bytes: &[u8]| Rings::read(uuid_of(of), bytes);
        Ok(state_file::load(&self.path(of), read)?.sound().flatten())
    }

    pub(super) fn dir(&self) -> &Path {
        self.held.path()
    }

    /// The history up to `minute`.
    pub(super) fn history(&self, of: UsageOf, span: Span, minute: u32) -> io::Result<UsageHistory> {
        let rings = self.read(of)?.unwrap_or_else(|| Rings::new(uuid_of(of)));
        Ok(rings.history(span, minute))
    }

    /// Adds a minute to all of these. Returns the first failure.
    pub(super) fn add(&self, minute: u32, usages: &[(UsageOf, Usage)]) -> io::Result<()> {
        self.held.check()?;
        let before = std::mem::take(&mut *self.last.lock().unwrap_or_else(PoisonError::into_inner));
        let mut last = HashMap::with_capacity(usages.len());
        let mut done = Ok(());
        for (of, usage) in usages {
            match self.add_one(*of, before.get(of).copied(), minute, usage) {
                Ok(()) => {
                    last.insert(*of, minute);
                }
                Err(error) => done = done.and(Err(error)),
            }
        }
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = last;
        done
    }

    fn add_one(
        &self,
        of: UsageOf,
        last: Option<u32>,
        minute: u32,
        usage: &Usage,
    ) -> io::Result<()> {
        let path = self.path(of);
        if last.is_some_and(|last| !ends_longer_step(last, minute)) {
            match write(&path, &[Write::row(Span::Hour, minute, usage)]) {
                // Somebody has removed it: another one is begun.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                written => return written,
            }
        }
        if let Some(mut rings) = self.read(of)? {
            return write(&path, &rings.add(last, minute, usage));
        }
        let mut rings = Rings::new(uuid_of(of));
        rings.add(last, minute, usage);
        durable::replace_unsynced(&path, rings.bytes())
    }

    pub(super) fn remove(&self, uuid: Uuid) -> io::Result<()> {
        self.held.check()?;
        durable::remove_unsynced(&self.path(UsageOf::Domain(uuid))).map(drop)
    }

    /// Removes files of domains that are not known: those that are too old, and the oldest of too
    /// many. What was set aside of them goes as well.
    pub(super) fn forget(&self, known: &HashSet<Uuid>, now: SystemTime) -> io::Result<()> {
        self.held.check()?;
        let mut unknown = Vec::new();
        for path in state_file::entries(self.dir())? {
            let Some(uuid) = uuid_in(&path).filter(|uuid| !known.contains(uuid)) else { continue };
            let Ok(written) = fs::symlink_metadata(&path).and_then(|data| data.modified()) else {
                continue;
            };
            unknown.push((written, uuid, path));
        }
        unknown.sort_by_key(|(written, ..)| std::cmp::Reverse(*written));
        for (at, (written, uuid, path)) in unknown.into_iter().enumerate() {
            let age = now.duration_since(written).unwrap_or_default();
            if (at >= MAX_FORGOTTEN || age > MAX_AGE) && durable::remove_unsynced(&path)? {
                debug!(%uuid, file = %path.display(), "Removed the history of an earlier domain");
            }
        }
        Ok(())
    }
}

/// The UUID in a file's head.
fn uuid_of(of: UsageOf) -> Uuid {
    match of {
        UsageOf::Host => Uuid::nil(),
        UsageOf::Domain(uuid) => uuid,
    }
}

/// The UUID that a file's name begins with.
fn uuid_in(path: &Path) -> Option<Uuid> {
    let name = path.file_name()?.to_str()?;
    parse_uuid(name.split_once('.')?.0).ok()
}

/// Writes into a file, one row after the other.
fn write(path: &Path, writes: &[Write]) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(path)?;
    writes.iter().try_for_each(|write| file.write_all_at(&write.bytes, write.at as u64))
}

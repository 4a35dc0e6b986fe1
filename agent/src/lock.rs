//! The lock of the agent that runs: a second one would carry out the same requests, and take the
//! files that the first one is replacing for those of a killed agent.

use crate::log;
use crate::root::{Root, words};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, Read, Write};

/// The most bytes of a process's number that are read.
const MAX_NUMBER: u64 = 20;

/// A lock, which ends with the process at the latest.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Locks the file `path` below `root`, which is made if there is none and stays. The error says
    /// which process holds it. A file that cannot be locked, such as one of a file system for
    /// reading only, does not keep the agent from its work: that is logged, and there is no lock.
    pub fn take(root: &Root, path: &str) -> Result<Option<Self>, String> {
        let shown = root.path(path);
        let shown = shown.display();
        let unlocked = |error: io::Error| {
            let reason = words(&error);
            log::line(format_args!("Cannot lock {shown} against a second agent: {reason}"));
            Ok(None)
        };
        let mut file = match root.open_lock(path, true) {
            Ok(file) => file,
            Err(error) => return unlocked(error),
        };
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                let holder = holder(file).map(|pid| format!(", process {pid}")).unwrap_or_default();
                return Err(format!("Another agent is already running{holder}: it holds {shown}"));
            }
            Err(error) => return unlocked(error.into()),
        }
        // For the words of a second agent alone.
        let pid = std::process::id();
        let _ = file.set_len(0).and_then(|()| writeln!(file, "{pid}"));
        Ok(Some(Self { _file: file }))
    }
}

/// The number that the agent has written which holds the lock; `None` if it has not yet.
fn holder(file: File) -> Option<u32> {
    let mut text = String::new();
    file.take(MAX_NUMBER).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const PATH: &str = "/run/lock";

    #[test]
    fn the_second_one_is_told_who_is_the_first() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::new(directory.path());
        fs::create_dir(directory.path().join("run")).unwrap();
        // What an agent has left that has ended.
        fs::write(directory.path().join("run/lock"), "4194304999\nand more").unwrap();
        let first = Lock::take(&root, PATH).unwrap();
        assert!(first.is_some());
        let shown = root.path(PATH);
        let pid = std::process::id();
        let expected = format!(
            "Another agent is already running, process {pid}: it holds {}",
            shown.display()
        );
        assert_eq!(Lock::take(&root, PATH).unwrap_err(), expected);
        fs::write(&shown, "").unwrap();
        let expected = format!("Another agent is already running: it holds {}", shown.display());
        assert_eq!(Lock::take(&root, PATH).unwrap_err(), expected);
        drop(first);
        assert!(Lock::take(&root, PATH).unwrap().is_some());
    }

    #[test]
    fn an_agent_runs_without_a_lock_where_there_can_be_none() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("run"), "").unwrap();
        assert!(Lock::take(&Root::new(directory.path()), PATH).unwrap().is_none());
    }
}

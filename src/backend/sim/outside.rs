//! What is done to a simulated host from outside of its daemon: by a guard, which destroys domains
//! when the daemon may be dead or stopped, and by the host's watchdog.
//!
//! A simulated domain is a record on the disk, and the daemon that has opened the host has it in
//! its memory, too. So the daemon is ended first, by its process ID: it would write the record
//! again. All other domains outlive it.

use super::record::Record;
use super::state_dir::StateDir;
use crate::core::model::{DomId, Uuid};
use crate::dir_lock::LockError;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::fs;
use std::io;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long a daemon may take to end.
const END_LIMIT: Duration = Duration::from_secs(3);
const PAUSE: Duration = Duration::from_millis(20);
/// The longest record that is looked at, in bytes.
const MAX_RECORD: u64 = 16 << 20;

/// Destroys domains of the simulated host in a directory. The daemon that has opened it is ended,
/// unless none of the domains is there. Blocks.
pub fn destroy_without_daemon(dir: &Path, domains: &[Uuid]) -> io::Result<()> {
    if !may_have_any(dir, domains)? {
        return Ok(());
    }
    let state_dir = take(dir)?;
    for record in state_dir.records()? {
        if record.domid != DomId::ZERO && domains.contains(&record.uuid) {
            destroy(&state_dir, record)?;
        }
    }
    Ok(())
}

fn destroy(state_dir: &StateDir, mut record: Record) -> io::Result<()> {
    if state_dir.history().is_wanted() {
        // A guard that is killed in between leaves no domain that goes on after its end was told.
        let since = record.guest.updated;
        record.dying = Some((since, since));
        state_dir.write_record(&record)?;
        state_dir.history().gone(record.domid)?;
    }
    state_dir.remove_record(record.domid)
}

/// Ends the simulated host in a directory, as if its machine were reset: its daemon, and all
/// domains. What is started there afterwards is in another boot. Blocks.
pub fn reset_without_daemon(dir: &Path) -> io::Result<()> {
    take(dir)?.reset()
}

/// Whether one of the domains has a record. One that cannot be read may be any domain's.
fn may_have_any(dir: &Path, domains: &[Uuid]) -> io::Result<bool> {
    let entries = match fs::read_dir(dir.join("domains")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "sxp") {
            continue;
        }
        let is_short = fs::metadata(&path).is_ok_and(|meta| meta.len() <= MAX_RECORD);
        let text = if is_short { fs::read(&path).ok() } else { None };
        let uuid = text.and_then(|text| Record::read(&text).ok()).map(|record| record.uuid);
        if uuid.is_none_or(|uuid| domains.contains(&uuid)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The directory, locked for this process. Whoever has it is ended.
fn take(dir: &Path) -> io::Result<StateDir> {
    let began = Instant::now();
    loop {
        match StateDir::open(dir) {
            Ok(state_dir) => return Ok(state_dir),
            Err(LockError::Held { pid, .. }) if began.elapsed() < END_LIMIT => {
                if let Some(pid) = pid.and_then(Pid::from_raw) {
                    end(pid, dir);
                }
                sleep(PAUSE);
            }
            Err(error) => return Err(io::Error::other(error)),
        }
    }
}

/// Ends a daemon, if it is the one that has opened the directory: what the lock says may be old,
/// and the number another process's by now.
fn end(pid: Pid, dir: &Path) {
    // What is looked at from here on is the process that gets the signal, if it still runs then.
    let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else { return };
    if has_open(pid, dir) {
        pidfd_send_signal(&process, Signal::KILL).ok();
    }
}

fn has_open(pid: Pid, dir: &Path) -> bool {
    let Ok(dir) = fs::canonicalize(dir) else { return false };
    let files = fs::read_dir(format!("/proc/{}/fd", pid.as_raw_nonzero()));
    files.into_iter().flatten().flatten().any(|file| {
        fs::read_link(file.path()).is_ok_and(|target| target == dir || target == dir.join("lock"))
    })
}

#[cfg(test)]
mod tests {
    use super::super::settings::SimSettings;
    use super::super::testing::{as_stored, config};
    use super::*;
    use std::process::{Command, Stdio};
    use std::time::UNIX_EPOCH;

    fn add(dir: &Path, number: u32) {
        let record = Record::new(
            DomId(number),
            Uuid::from_u128(number.into()),
            as_stored(&config("a", 64)),
            UNIX_EPOCH,
            &SimSettings::default(),
        );
        opened(dir).write_record(&record).unwrap();
    }

    /// The directory, as soon as it is free: a process that another test starts has all open files
    /// of this one for a moment, and so the lock.
    fn opened(dir: &Path) -> StateDir {
        let began = Instant::now();
        loop {
            match StateDir::open(dir) {
                Err(LockError::Held { .. }) if began.elapsed() < Duration::from_secs(60) => {
                    sleep(Duration::from_millis(10));
                }
                opened => return opened.unwrap(),
            }
        }
    }

    fn left(dir: &Path) -> Vec<u32> {
        let records = opened(dir).records().unwrap();
        let mut left: Vec<_> = records.iter().map(|record| record.domid.0).collect();
        left.sort_unstable();
        left
    }

    #[test]
    fn only_the_named_domains_are_destroyed() {
        let dir = tempfile::tempdir().unwrap();
        destroy_without_daemon(&dir.path().join("none"), &[Uuid::from_u128(1)]).unwrap();
        assert!(!dir.path().join("none").exists());
        for number in 1..=3 {
            add(dir.path(), number);
        }
        let domains = [Uuid::from_u128(2), Uuid::from_u128(9)];
        destroy_without_daemon(dir.path(), &domains).unwrap();
        assert_eq!(left(dir.path()), [1, 3]);
        reset_without_daemon(dir.path()).unwrap();
        assert_eq!(left(dir.path()), [] as [u32; 0]);
    }

    #[test]
    fn who_has_the_host_is_ended_and_nobody_else() {
        let dir = tempfile::tempdir().unwrap();
        add(dir.path(), 1);
        // The number in the file is that of a process that has nothing to do with it.
        let mut other = Command::new("sleep").arg("100").spawn().unwrap();
        std::fs::write(dir.path().join("lock"), format!("{}\n", other.id())).unwrap();
        end(Pid::from_child(&other), dir.path());
        assert!(other.try_wait().unwrap().is_none());
        other.kill().unwrap();
        other.wait().unwrap();
        // The lock is that of its standard input.
        let lock = std::fs::File::open(dir.path().join("lock")).unwrap();
        let mut daemon = Command::new("sleep").arg("100").stdin(Stdio::from(lock)).spawn().unwrap();
        assert!(has_open(Pid::from_child(&daemon), dir.path()));
        end(Pid::from_child(&daemon), dir.path());
        assert!(!daemon.wait().unwrap().success());
        // A domain that is not there ends nobody.
        let held = opened(dir.path());
        destroy_without_daemon(dir.path(), &[Uuid::from_u128(9)]).unwrap();
        drop(held);
        assert_eq!(left(dir.path()), [1]);
    }
}

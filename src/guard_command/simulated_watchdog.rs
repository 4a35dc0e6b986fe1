//! The watchdog of a simulated host, a process of its own: when one of its two timers ends, it ends
//! the daemon, all domains, and the guard, as Xen resets a machine.
//!
//! A guard that is killed or stopped leaves it behind, with the timers as they are. As long as they
//! run, another guard cannot have the watchdog: there are two timers, as Xen has for a domain.

use super::socket::make_dir;
use crate::backend::sim::reset_without_daemon;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FlockOperation, flock};
use rustix::process::{PidfdFlags, Signal, getppid, pidfd_open, pidfd_send_signal};
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

/// The longest request in bytes: `set 0 30`
const MAX_REQUEST: usize = 32;

/// The two timers, with what is left of each.
#[derive(Debug, Default)]
struct Timers([Option<Instant>; 2]);

impl Timers {
    fn first_end(&self) -> Option<Instant> {
        self.0.iter().flatten().min().copied()
    }

    /// Carries out a request; `None` if it makes no sense.
    fn carry_out(&mut self, request: &str, now: Instant) -> Option<()> {
        let mut words = request.split(' ');
        match (words.next()?, words.next(), words.next(), words.next()) {
            ("unset", None, None, None) => *self = Self::default(),
            ("set", Some(timer), Some(seconds), None) => {
                let seconds: u32 = seconds.parse().ok().filter(|seconds| *seconds > 0)?;
                let timer = self.0.get_mut(timer.parse::<usize>().ok()?)?;
                *timer = Some(now + Duration::from_secs(seconds.into()));
            }
            _ => return None,
        }
        Some(())
    }
}

/// Is the watchdog of the simulated host in `dir`, by requests from standard input: until that is
/// closed and no timer is set, or a timer has ended.
pub(super) fn run(dir: &Path) -> io::Result<()> {
    let guard = getppid().and_then(|parent| pidfd_open(parent, PidfdFlags::empty()).ok());
    make_dir(dir)?;
    let lock = dir.join("watchdog");
    let lock = OpenOptions::new().create(true).append(true).mode(0o600).open(lock)?;
    flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
    let mut timers = Timers::default();
    let mut input = Vec::new();
    let mut is_open = true;
    loop {
        let now = Instant::now();
        let end = timers.first_end();
        if end.is_some_and(|end| end <= now) {
            return reset(dir, guard.as_ref());
        }
        if !is_open && end.is_none() {
            return Ok(());
        }
        let left = end.map(|end| end.saturating_duration_since(now));
        if !is_open {
            std::thread::sleep(left.unwrap_or_default());
        } else if is_ready(left)? {
            is_open = read(&mut input, &mut timers)?;
        }
    }
}

/// Ends the daemon and all domains, then the guard.
fn reset(dir: &Path, guard: Option<&OwnedFd>) -> io::Result<()> {
    let reset = reset_without_daemon(dir);
    if let Some(guard) = guard {
        // It may have ended long ago.
        pidfd_send_signal(guard, Signal::KILL).ok();
    }
    reset
}

/// Waits for a request, so long at most.
fn is_ready(limit: Option<Duration>) -> io::Result<bool> {
    let stdin = io::stdin();
    let mut fds = [PollFd::new(&stdin, PollFlags::IN)];
    // A moment longer, so that a timer has ended then.
    let limit = limit.map(|limit| limit + Duration::from_millis(1));
    let limit = limit.map(Timespec::try_from).transpose().map_err(io::Error::other)?;
    match poll(&mut fds, limit.as_ref()) {
        Ok(ready) => Ok(ready > 0),
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Reads what there is, and carries out requests that are complete. Tells whether there may be
/// more.
fn read(input: &mut Vec<u8>, timers: &mut Timers) -> io::Result<bool> {
    let mut part = [0; MAX_REQUEST];
    let length = match rustix::io::read(io::stdin(), &mut part) {
        Ok(length) => length,
        Err(rustix::io::Errno::INTR) => return Ok(true),
        Err(error) => return Err(error.into()),
    };
    input.extend_from_slice(&part[..length]);
    while let Some(end) = input.iter().position(|byte| *byte == b'\n') {
        let line: Vec<u8> = input.drain(..=end).collect();
        let request = String::from_utf8_lossy(&line[..end]).into_owned();
        let done = timers.carry_out(&request, Instant::now());
        let answer = if done.is_some() { "ok\n" } else { "what?\n" };
        // A guard that was killed hears no answer.
        let mut out = io::stdout();
        out.write_all(answer.as_bytes()).and_then(|()| out.flush()).ok();
    }
    // A guard that says nothing sensible is none.
    Ok(length > 0 && input.len() < MAX_REQUEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earlier_of_two_timers_counts() {
        let mut timers = Timers::default();
        let now = Instant::now();
        let at = |seconds| Some(now + Duration::from_secs(seconds));
        assert_eq!(timers.first_end(), None);
        assert_eq!(timers.carry_out("set 0 30", now), Some(()));
        assert_eq!(timers.carry_out("set 1 20", now), Some(()));
        assert_eq!(timers.first_end(), at(20));
        assert_eq!(timers.carry_out("set 1 40", now), Some(()));
        assert_eq!(timers.first_end(), at(30));
        for wrong in ["", "set", "set 0", "set 2 30", "set 0 0", "set 0 -1", "set 0 1 2", "unset 0"]
        {
            assert_eq!(timers.carry_out(wrong, now), None, "{wrong}");
        }
        assert_eq!(timers.first_end(), at(30));
        assert_eq!(timers.carry_out("unset", now), Some(()));
        assert_eq!(timers.first_end(), None);
    }
}

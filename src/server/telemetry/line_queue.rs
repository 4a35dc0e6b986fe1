//! Lines on their way to a destination that may not take them: a pipe whose reader has stopped, or
//! a disk that does not respond.
//!
//! A thread of its own writes them, so that nobody else can be blocked. Whoever logs waits for the
//! line to be written, so that a line is out before what follows it, but only for a moment: after
//! that, nobody waits until all lines are out again. The flags of the destination stay as they are,
//! since a standard error that was inherited belongs to other processes as well.

use super::log_format::LineFormat;
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// How long a line may keep the thread that logs it.
const PATIENCE: Duration = Duration::from_millis(100);

/// The lines that wait, in bytes. Later ones are left out and counted.
const MAX_WAITING: usize = 1 << 20;

/// A queue with the thread that empties it, which ends with it.
#[derive(Debug)]
pub(super) struct LineQueue(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    lines: Mutex<Lines>,
    /// Signalled when a line is added, and at the end.
    added: Condvar,
    /// Signalled when a line was written.
    written: Condvar,
}

#[derive(Debug, Default)]
struct Lines {
    waiting: VecDeque<String>,
    bytes: usize,
    /// Lines since the start: those that were added, and those of them that were written.
    added: u64,
    written: u64,
    left_out: u64,
    /// Whether a line took too long, and some still wait.
    is_stalled: bool,
    is_closed: bool,
}

impl LineQueue {
    /// A queue whose lines are given to `write`, which may block. They have the format that
    /// `format` returns.
    pub(super) fn new(
        format: impl Fn() -> LineFormat + Send + 'static,
        write: impl Fn(&str) + Send + 'static,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let queue = Arc::clone(&shared);
        let run = move || queue.write_all(format, write);
        thread::Builder::new().name("log".to_owned()).spawn(run)?;
        Ok(Self(shared))
    }

    /// Adds a line, and waits until it is written unless that takes too long.
    pub(super) fn push(&self, line: String) {
        let mut lines = self.0.lock();
        if lines.bytes + line.len() > MAX_WAITING {
            lines.left_out += 1;
            return;
        }
        lines.bytes += line.len();
        lines.waiting.push_back(line);
        lines.added += 1;
        let number = lines.added;
        self.0.added.notify_one();
        if lines.is_stalled {
            return;
        }
        let is_waiting = |lines: &mut Lines| lines.written < number && !lines.is_stalled;
        let waited = self.0.written.wait_timeout_while(lines, PATIENCE, is_waiting);
        let (mut lines, end) = waited.unwrap_or_else(PoisonError::into_inner);
        if end.timed_out() {
            lines.is_stalled = true;
            self.0.written.notify_all();
        }
    }
}

impl Drop for LineQueue {
    fn drop(&mut self) {
        self.0.lock().is_closed = true;
        self.0.added.notify_one();
    }
}

impl Shared {
    fn write_all(&self, format: impl Fn() -> LineFormat, write: impl Fn(&str)) {
        let mut lines = self.lock();
        loop {
            let Some(line) = lines.waiting.pop_front() else {
                lines.is_stalled = false;
                if lines.left_out > 0 {
                    let left_out = std::mem::take(&mut lines.left_out);
                    drop(lines);
                    write(&format().own_line(&format!(
                        "{left_out} lines were left out: the log did not take them"
                    )));
                    lines = self.lock();
                    continue;
                }
                if lines.is_closed {
                    return;
                }
                lines = self.added.wait(lines).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            drop(lines);
            write(&line);
            lines = self.lock();
            lines.bytes -= line.len();
            lines.written += 1;
            self.written.notify_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn a_destination_that_takes_nothing_keeps_nobody_and_lines_beyond_the_bound_are_counted() {
        let (opener, gate) = mpsc::channel::<()>();
        let (writer, written) = mpsc::channel();
        let queue = LineQueue::new(
            || LineFormat::Xend,
            move |line: &str| {
                gate.recv().ok();
                writer.send(line.to_owned()).ok();
            },
        )
        .unwrap();
        let line = |number: usize| format!("{number:05} {}\n", "x".repeat(1017));
        let taken = MAX_WAITING / line(0).len();
        for number in 0..taken + 7 {
            queue.push(line(number));
        }
        drop(opener);
        for number in 0..taken {
            assert_eq!(written.recv().unwrap(), line(number));
        }
        let last = written.recv().unwrap();
        assert!(last.ends_with(" 7 lines were left out: the log did not take them\n"), "{last}");
        // It waits again for each line, and ends with the queue.
        queue.push("again\n".to_owned());
        assert_eq!(written.try_recv().unwrap(), "again\n");
        drop(queue);
        assert!(written.recv().is_err());
    }
}

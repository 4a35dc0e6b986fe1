//! Running programs: without a shell, for a limited time, with limited output.

use crate::log;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Access, OFlags, access, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, kill_process_group, waitpid};
use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// What a program left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// The exit status; `None` if a signal ended the program.
    pub status: Option<i32>,
    /// The last part of standard output, at most [`MAX_OUTPUT`] bytes.
    pub stdout: Vec<u8>,
    /// The same of standard error.
    pub stderr: Vec<u8>,
}

/// The most bytes that are kept of each output.
pub const MAX_OUTPUT: usize = 16 << 10;

/// A program to run.
#[derive(Debug, Clone)]
pub struct Program<'a> {
    /// A name that is looked up in the standard directories, or an absolute path.
    pub program: &'a str,
    pub args: &'a [&'a str],
    /// What it reads on standard input.
    pub stdin: &'a [u8],
    /// It is killed with its process group after this time.
    pub limit: Duration,
}

/// Runs programs of the guest.
pub trait Runner {
    /// Whether there is such a program.
    fn has(&self, program: &str) -> bool;

    /// Runs a program to its end. A program that does not exist, cannot be started or exceeds its
    /// limit is an error.
    fn run(&self, program: &Program<'_>) -> io::Result<Finished>;
}

/// Where programs are looked up.
const DIRECTORIES: [&str; 6] =
    ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// How often to look whether a program has ended that has closed its outputs, or whose outputs
/// another process keeps open.
const LOOK: Duration = Duration::from_millis(20);

/// How long the end of a killed program is waited for.
const KILL_LIMIT: Duration = Duration::from_secs(3);

/// The most programs that may hang: no more are run then.
const MAX_HANGING: usize = 16;

/// How often to look whether it has ended.
const KILL_LOOK: Duration = Duration::from_millis(2);

/// Runs programs of the running system. They get a process group of their own, a clean environment,
/// `/` as their directory, and no descriptors but the three standard ones.
#[derive(Debug)]
pub struct SystemRunner {
    names: bool,
    /// Killed programs that hang in the kernel, as in a file system that does not answer.
    hanging: RefCell<Vec<Pid>>,
}

impl SystemRunner {
    /// Runs all programs.
    pub fn new() -> Self {
        Self { names: true, hanging: RefCell::default() }
    }

    /// Runs absolute paths alone: with another root than `/`, a program that is found by its name
    /// would change the running system in place of the one below the root.
    pub fn without_names() -> Self {
        Self { names: false, hanging: RefCell::default() }
    }

    /// Collects the killed programs that have ended meanwhile. Returns how many have not.
    fn count_hanging(&self) -> usize {
        let mut hanging = self.hanging.borrow_mut();
        hanging.retain(|pid| matches!(waitpid(Some(*pid), WaitOptions::NOHANG), Ok(None)));
        hanging.len()
    }

    fn find(&self, program: &str) -> Option<PathBuf> {
        let is_program = |path: &PathBuf| path.is_file() && access(path, Access::EXEC_OK).is_ok();
        if Path::new(program).is_absolute() {
            return Some(PathBuf::from(program)).filter(is_program);
        }
        if !self.names || program.contains('/') {
            return None;
        }
        DIRECTORIES.iter().map(|directory| Path::new(directory).join(program)).find(is_program)
    }
}

impl Default for SystemRunner {
    fn default() -> Self {
        Self::new()
    }
}

impl Runner for SystemRunner {
    fn has(&self, program: &str) -> bool {
        self.find(program).is_some()
    }

    fn run(&self, program: &Program<'_>) -> io::Result<Finished> {
        let path = self.find(program.program).ok_or(Errno::NOENT)?;
        // Started, it would be killed at once, perhaps half-way.
        if program.limit.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        if self.count_hanging() >= MAX_HANGING {
            return Err(io::Error::other("Too many killed programs have not ended"));
        }
        let mut command = Command::new(path);
        command
            .arg0(program.program)
            .args(program.args)
            .env_clear()
            .env("PATH", DIRECTORIES.join(":"))
            .env("LC_ALL", "C")
            .env("HOME", "/root")
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut running = Running { child: command.spawn()?, status: None, hanging: &self.hanging };
        let pipes = Pipes::of(&mut running.child, program.stdin)?;
        pipes.serve(&mut running, Instant::now() + program.limit)
    }
}

/// A program that runs; killed with its group when it is dropped before its end.
struct Running<'a> {
    child: Child,
    status: Option<ExitStatus>,
    hanging: &'a RefCell<Vec<Pid>>,
}

impl Running<'_> {
    /// Whether the program has ended.
    fn has_ended(&mut self) -> io::Result<bool> {
        if self.status.is_none() {
            self.status = self.child.try_wait()?;
        }
        Ok(self.status.is_some())
    }

    /// Collects the killed program, or notes that it hangs.
    fn wait_after_kill(&mut self) {
        if ends_within(&mut self.child, KILL_LIMIT) {
            return;
        }
        log::line(format_args!("A killed program, process {}, does not end", self.child.id()));
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        self.hanging.borrow_mut().extend(pid);
    }
}

/// Whether a program ends within `limit`.
fn ends_within(child: &mut Child, limit: Duration) -> bool {
    let end = Instant::now() + limit;
    loop {
        match child.try_wait() {
            Ok(None) if Instant::now() < end => sleep(KILL_LOOK),
            Ok(None) => return false,
            // It was collected, by whomever.
            Ok(Some(_)) | Err(_) => return true,
        }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if self.status.is_none() {
            let group = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
            if let Some(group) = group {
                let _ = kill_process_group(group, Signal::KILL);
            }
            self.wait_after_kill();
        }
    }
}

/// This end of a program's pipes; closed ones are `None`.
struct Pipes<'a> {
    input: &'a [u8],
    stdin: Option<ChildStdin>,
    stdout: Output<ChildStdout>,
    stderr: Output<ChildStderr>,
}

impl<'a> Pipes<'a> {
    fn of(child: &mut Child, input: &'a [u8]) -> io::Result<Self> {
        let stdin = child.stdin.take().filter(|_| !input.is_empty());
        if let Some(stdin) = &stdin {
            do_not_block(stdin)?;
        }
        let stdout = Output::new(child.stdout.take())?;
        let stderr = Output::new(child.stderr.take())?;
        Ok(Self { input, stdin, stdout, stderr })
    }

    /// Writes the input and reads the outputs until the program has ended.
    fn serve(mut self, running: &mut Running<'_>, end: Instant) -> io::Result<Finished> {
        loop {
            let has_ended = running.has_ended()?;
            self.write()?;
            self.stdout.read()?;
            self.stderr.read()?;
            if has_ended {
                // What another process that inherited the outputs writes later is not waited for.
                let status = running.status.and_then(|status| status.code());
                return Ok(Finished { status, stdout: self.stdout.kept, stderr: self.stderr.kept });
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.wait(left.min(LOOK))?;
        }
    }

    fn write(&mut self) -> io::Result<()> {
        while let Some(stdin) = &mut self.stdin {
            match stdin.write(self.input) {
                Ok(written) => self.input = self.input.get(written..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // A program need not read its input.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => self.input = &[],
                Err(error) => return Err(error),
            }
            if self.input.is_empty() {
                self.stdin = None;
            }
        }
        Ok(())
    }

    /// Waits until a pipe is ready.
    fn wait(&self, limit: Duration) -> io::Result<()> {
        let stdin = self.stdin.as_ref().map(|pipe| PollFd::new(pipe, PollFlags::OUT));
        let outputs = [self.stdout.descriptor(), self.stderr.descriptor()];
        let outputs = outputs.into_iter().flatten();
        let outputs = outputs.map(|pipe| PollFd::from_borrowed_fd(pipe, PollFlags::IN));
        let mut all: Vec<PollFd<'_>> = stdin.into_iter().chain(outputs).collect();
        let limit = Timespec::try_from(limit).ok();
        match poll(&mut all, limit.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// An output of a program.
struct Output<P> {
    pipe: Option<P>,
    kept: Vec<u8>,
}

impl<P: Read + AsFd> Output<P> {
    fn new(pipe: Option<P>) -> io::Result<Self> {
        if let Some(pipe) = &pipe {
            do_not_block(pipe)?;
        }
        Ok(Self { pipe, kept: Vec::new() })
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().map(AsFd::as_fd)
    }

    /// Reads what is there, up to a bound, so that a program that writes without end does not keep
    /// this from looking at the time. What exceeds [`MAX_OUTPUT`] is dropped at the beginning.
    fn read(&mut self) -> io::Result<()> {
        let mut buffer = [0; 4096];
        for _ in 0..64 {
            let Some(pipe) = &mut self.pipe else { break };
            match pipe.read(&mut buffer) {
                Ok(0) => self.pipe = None,
                Ok(read) => {
                    self.kept.extend(buffer.iter().take(read));
                    let surplus = self.kept.len().saturating_sub(MAX_OUTPUT);
                    self.kept.drain(..surplus);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn do_not_block(pipe: impl AsFd) -> io::Result<()> {
    Ok(fcntl_setfl(&pipe, fcntl_getfl(&pipe)? | OFlags::NONBLOCK)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_program_is_waited_for_within_a_limit() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let start = Instant::now();
        assert!(!ends_within(&mut child, Duration::from_millis(50)));
        assert!(start.elapsed() < Duration::from_secs(30));
        child.kill().unwrap();
        assert!(ends_within(&mut child, Duration::from_secs(30)));
    }

    #[test]
    fn programs_that_hang_are_collected_when_they_end() {
        let runner = SystemRunner::new();
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        runner.hanging.borrow_mut().push(Pid::from_child(&child));
        assert_eq!(runner.count_hanging(), 1);
        child.kill().unwrap();
        let end = Instant::now() + Duration::from_secs(30);
        while runner.count_hanging() > 0 && Instant::now() < end {
            sleep(KILL_LOOK);
        }
        assert_eq!(runner.count_hanging(), 0);
        // It was collected.
        assert!(child.wait().is_err());
    }
}

//! The trait of writers: one for each way in which distributions keep the network's configuration.

use super::files::NewFile;
use super::kernel::Kernel;
use super::plan::Interface;
use super::schedule::{LEAST, Part};
use crate::log;
use crate::root::{Root, words};
use crate::runner::{Finished, Program, Runner};
use crate::system::System;
use std::fmt::{self, Display, Formatter};
use std::io;
use std::time::{Duration, Instant};

/// Writes the network's configuration in one distribution's way, and makes it take effect.
pub trait Writer {
    /// What it is called in the log, and in the record of a change.
    fn name(&self) -> &'static str;

    /// Whether the guest's network is of this kind. A tool that does not answer in time is an
    /// error.
    fn claim(&self, guest: &Guest<'_>, interfaces: &[Interface]) -> Result<Claim, Failed>;

    /// The programs that it cannot do without.
    fn programs(&self, guest: &Guest<'_>) -> &'static [&'static str];

    /// The files as they are to be; those that are so already may be among them.
    fn files(&self, guest: &Guest<'_>, interfaces: &[Interface]) -> io::Result<Vec<NewFile>>;

    /// Takes the interfaces down while the files are still those by which they came up. What fails
    /// does not matter: they may be down.
    fn take_down(&self, _guest: &Guest<'_>, _interfaces: &[Interface]) {}

    /// Makes the running system be as the new files are.
    fn apply(&self, guest: &Guest<'_>, interfaces: &[Interface]) -> Result<(), Failed>;

    /// The same if the files have not changed, and the running system is not as they say.
    fn apply_again(&self, guest: &Guest<'_>, interfaces: &[Interface]) -> Result<(), Failed> {
        self.apply(guest, interfaces)
    }

    /// Makes the running system be as the old files are, which are back. What fails does not keep
    /// it from the rest; the first failure is the result.
    fn restore(&self, guest: &Guest<'_>, interfaces: &[Interface]) -> Result<(), Failed> {
        self.apply(guest, interfaces)
    }
}

/// Whether the guest's network is of a writer's kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Claim {
    /// No: its tools are missing or do not run.
    No,
    /// It could be: the tools are there, but have nothing to do with the interfaces yet.
    Possible,
    /// Yes: one of the interfaces is configured in this way.
    Yes,
}

impl Claim {
    /// `Yes` if an interface is configured in this way, else `Possible`.
    pub fn yes_if(configures: bool) -> Self {
        if configures { Self::Yes } else { Self::Possible }
    }

    /// `Yes` if one of these interfaces is configured in this way, else `Possible`.
    pub fn yes_if_any(
        interfaces: &[Interface],
        is_configured: impl FnMut(&Interface) -> bool,
    ) -> Self {
        Self::yes_if(interfaces.iter().any(is_configured))
    }
}

/// The guest's files, programs and kernel, for a limited time.
#[derive(Clone, Copy)]
pub struct Guest<'a> {
    pub root: &'a Root,
    pub kernel: &'a dyn Kernel,
    runner: &'a dyn Runner,
    start: Instant,
    end: Instant,
}

/// Why a program did not do what it was to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failed {
    /// Its exit status.
    Status { command: String, status: i32 },
    /// It was killed after this time. `None`: it was not started, because no time was left.
    TimedOut { command: String, limit: Option<Duration> },
    /// There is no such program.
    NotFound { command: String, reason: String },
    /// Another reason: it could not be started, a signal ended it.
    Other(String),
}

impl<'a> Guest<'a> {
    /// A guest whose reset begins now, with the time for [`Part::Questions`].
    pub fn new(system: &'a System, kernel: &'a dyn Kernel) -> Self {
        let start = kernel.now();
        let end = start + Part::Questions.end();
        Self { root: &system.root, kernel, runner: &*system.runner, start, end }
    }

    /// The same guest, with the time for another part.
    #[must_use]
    pub fn within(&self, part: Part) -> Self {
        let end = (self.start + part.end()).max(self.kernel.now() + part.limit());
        Self { end, ..*self }
    }

    /// The same guest with an equal share of the time that is left, for the next of `count`
    /// programs: if it hangs, it leaves the others theirs.
    #[must_use]
    pub fn share(&self, count: usize) -> Self {
        let left = self.time_left();
        let share = left / u32::try_from(count).unwrap_or(u32::MAX).max(1);
        Self { end: self.kernel.now() + share.max(LEAST.min(left)), ..*self }
    }

    /// The time that is left.
    pub fn time_left(&self) -> Duration {
        self.end.saturating_duration_since(self.kernel.now())
    }

    /// Whether there is such a program.
    pub fn has(&self, program: &str) -> bool {
        self.runner.has(program)
    }

    /// Runs a program that is to succeed.
    pub fn run(&self, program: &str, args: &[&str]) -> Result<(), Failed> {
        match self.finish(program, args)?.status {
            Some(0) => Ok(()),
            Some(status) => Err(Failed::Status { command: command(program, args), status }),
            None => Err(by_signal(program, args)),
        }
    }

    /// What a program prints; `None` if it fails, or there is no such program. One that was not
    /// started or did not come to its end is an error: nobody knows what it would have said.
    pub fn ask(&self, program: &str, args: &[&str]) -> Result<Option<String>, Failed> {
        match self.finish(program, args) {
            Ok(Finished { status: Some(0), stdout, .. }) => {
                Ok(Some(String::from_utf8_lossy(&stdout).into_owned()))
            }
            Ok(Finished { status: Some(_), .. }) | Err(Failed::NotFound { .. }) => Ok(None),
            Ok(Finished { status: None, .. }) => Err(by_signal(program, args)),
            Err(failed) => Err(failed),
        }
    }

    /// Does something for each interface, in an equal share of the time. A failure does not keep it
    /// from the rest; the first one is the result.
    pub fn for_each<'b>(
        &self,
        interfaces: impl Iterator<Item = &'b Interface>,
        act: impl Fn(&Self, &Interface) -> Result<(), Failed>,
    ) -> Result<(), Failed> {
        let interfaces: Vec<&Interface> = interfaces.collect();
        let counts = (1..=interfaces.len()).rev();
        let results = interfaces
            .into_iter()
            .zip(counts)
            .map(|(interface, count)| act(&self.share(count), interface));
        results.fold(Ok(()), Result::and)
    }

    /// Runs a program whose failure does not matter. One that hangs is worth a line in the log.
    pub fn try_to_run(&self, program: &str, args: &[&str]) {
        if let Err(failed @ Failed::TimedOut { .. }) = self.finish(program, args) {
            log::line(failed);
        }
    }

    fn finish(&self, program: &str, args: &[&str]) -> Result<Finished, Failed> {
        let limit = self.time_left();
        if limit.is_zero() {
            return Err(Failed::TimedOut { command: command(program, args), limit: None });
        }
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::TimedOut => {
                Failed::TimedOut { command: command(program, args), limit: Some(limit) }
            }
            io::ErrorKind::NotFound => {
                Failed::NotFound { command: command(program, args), reason: words(&error) }
            }
            _ => Failed::Other(format!("{}: {}", command(program, args), words(&error))),
        };
        self.runner.run(&Program { program, args, stdin: &[], limit }).map_err(failed)
    }
}

fn by_signal(program: &str, args: &[&str]) -> Failed {
    Failed::Other(format!("a signal ended {}", command(program, args)))
}

fn command(program: &str, args: &[&str]) -> String {
    [&[program], args].concat().join(" ")
}

/// An exit status comes first, as hosts know it from older agents.
impl Display for Failed {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status { command, status } => write!(f, "{status} ({command})"),
            Self::TimedOut { command, limit: Some(limit) } => {
                write!(f, "{command} did not end within {} seconds", limit.as_secs_f64().ceil())
            }
            Self::TimedOut { command, limit: None } => {
                write!(f, "there was no time left for {command}")
            }
            Self::NotFound { command, reason } => write!(f, "{command}: {reason}"),
            Self::Other(text) => f.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::kernel::Linux;
    use rustix::io::Errno;

    /// Every program leaves this.
    struct Always(Result<Option<i32>, Errno>);

    impl Runner for Always {
        fn has(&self, _program: &str) -> bool {
            true
        }

        fn run(&self, _program: &Program<'_>) -> io::Result<Finished> {
            let stdout = b"says".to_vec();
            Ok(Finished { status: self.0?, stdout, stderr: Vec::new() })
        }
    }

    #[test]
    fn a_program_that_could_not_answer_is_no_answer() {
        let ask = |left| {
            let runner = Box::new(Always(left));
            let system = System { root: Root::new("/"), runner, shadow: None };
            Guest::new(&system, &Linux).ask("tool", &[]).map_err(|failed| failed.to_string())
        };
        assert_eq!(ask(Ok(Some(0))), Ok(Some("says".to_owned())));
        assert_eq!(ask(Ok(Some(1))), Ok(None));
        assert_eq!(ask(Err(Errno::NOENT)), Ok(None));
        assert_eq!(ask(Ok(None)), Err("a signal ended tool".to_owned()));
        let error = ask(Err(Errno::AGAIN)).unwrap_err();
        assert!(error.starts_with("tool: "), "{error}");
    }
}

//! The trait of writers: one for each way in which distributions keep the network's configuration.

use super::files::NewFile;
use super::plan::Interface;
use crate::root::{Root, words};
use crate::runner::{Finished, Program, Runner};
use crate::system::System;
use std::fmt::{self, Display, Formatter};
use std::io;
use std::time::{Duration, Instant};

/// Writes the network's configuration in one distribution's way, and makes it take effect.
pub trait Writer {
    /// Whether the guest's network is of this kind.
    fn claim(&self, guest: &Guest<'_>, interfaces: &[Interface]) -> Claim;

    /// The files as they are to be; those that are so already may be among them.
    fn files(&self, guest: &Guest<'_>, interfaces: &[Interface]) -> io::Result<Vec<NewFile>>;

    /// Takes the interfaces down while the files are still those by which they came up. What fails
    /// does not matter: they may be down.
    fn take_down(&self, _guest: &Guest<'_>, _interfaces: &[Interface]) {}

    /// Makes the running system be as the files are that have changed: to the new ones, or back to
    /// the old ones.
    fn apply(&self, guest: &Guest<'_>, interfaces: &[Interface]) -> Result<(), Failed>;

    /// The same if the files have not changed, and the running system is not as they say.
    fn apply_again(&self, guest: &Guest<'_>, interfaces: &[Interface]) -> Result<(), Failed> {
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
}

/// The guest's files and programs, for a limited time.
#[derive(Clone, Copy)]
pub struct Guest<'a> {
    pub root: &'a Root,
    runner: &'a dyn Runner,
    end: Instant,
}

/// Why a program did not do what it was to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failed {
    /// Its exit status.
    Status(i32),
    /// Another reason: it could not be started, a signal ended it, the time was over.
    Other(String),
}

impl<'a> Guest<'a> {
    /// Programs that run longer than `limit` from now, all in all, are killed.
    pub fn new(system: &'a System, limit: Duration) -> Self {
        Self { root: &system.root, runner: &*system.runner, end: Instant::now() + limit }
    }

    /// The time that is left.
    pub fn time_left(&self) -> Duration {
        self.end.saturating_duration_since(Instant::now())
    }

    /// Whether there is such a program.
    pub fn has(&self, program: &str) -> bool {
        self.runner.has(program)
    }

    /// Runs a program that is to succeed.
    pub fn run(&self, program: &str, args: &[&str]) -> Result<(), Failed> {
        match self.finish(program, args)?.status {
            Some(0) => Ok(()),
            Some(status) => Err(Failed::Status(status)),
            None => Err(Failed::Other(format!("A signal has ended {program}"))),
        }
    }

    /// What a program prints; `None` if it fails.
    pub fn ask(&self, program: &str, args: &[&str]) -> Option<String> {
        let finished = self.finish(program, args).ok()?;
        let is_success = finished.status == Some(0);
        is_success.then(|| String::from_utf8_lossy(&finished.stdout).into_owned())
    }

    /// Runs a program whose failure does not matter.
    pub fn try_to_run(&self, program: &str, args: &[&str]) {
        drop(self.finish(program, args));
    }

    fn finish(&self, program: &str, args: &[&str]) -> Result<Finished, Failed> {
        let call = Program { program, args, stdin: &[], limit: self.time_left() };
        let failed = |error: io::Error| Failed::Other(format!("{program}: {}", words(&error)));
        self.runner.run(&call).map_err(failed)
    }
}

/// The number alone for an exit status, which is what hosts know.
impl Display for Failed {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "{status}"),
            Self::Other(text) => f.write_str(text),
        }
    }
}

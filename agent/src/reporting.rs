//! The guest's report and its connection, which is made again when it is lost.

use crate::connect::connect;
use crate::log::{self, Condition};
use crate::reports::Reporter;
use crate::system::System;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// The pause before a connection is made again.
const PAUSE: Duration = Duration::from_secs(5);

/// Reports to XenStore.
pub struct Reporting {
    path: Option<PathBuf>,
    reporter: Option<Reporter>,
    next_attempt: Option<Instant>,
    failure: Condition,
}

impl Reporting {
    /// To the machine's own XenStore, or a device or socket at `path`.
    pub fn new(path: Option<PathBuf>) -> Self {
        Self { path, reporter: None, next_attempt: None, failure: Condition::default() }
    }

    /// Becomes readable when something has changed.
    pub fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.reporter.as_ref().and_then(Reporter::descriptor)
    }

    /// How long it is until something is to be done even if nothing changes.
    pub fn next_due(&self, now: Instant) -> Duration {
        match &self.reporter {
            Some(reporter) => reporter.next_due(now),
            None => {
                self.next_attempt.map_or(Duration::ZERO, |next| next.saturating_duration_since(now))
            }
        }
    }

    /// Brings the report up to date if it is time.
    pub fn refresh(&mut self, system: &System, now: Instant) {
        if self.reporter.is_none() {
            if !self.next_due(now).is_zero() {
                return;
            }
            self.connect(system, now);
        }
        let Some(reporter) = &mut self.reporter else { return };
        if let Err(error) = reporter.refresh(now) {
            self.fail(now, &error.to_string());
        }
    }

    fn connect(&mut self, system: &System, now: Instant) {
        match connect(self.path.as_deref()) {
            Ok(client) => {
                self.reporter = Some(Reporter::new(system, client));
                if self.failure.ends() {
                    log::line("The guest is reported again");
                }
            }
            Err(error) => self.fail(now, &error.to_string()),
        }
    }

    fn fail(&mut self, now: Instant, reason: &str) {
        self.failure.begins(format_args!("The guest is not reported: {reason}"));
        self.reporter = None;
        self.next_attempt = now.checked_add(PAUSE);
    }
}

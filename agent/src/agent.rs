//! The loop: one thread takes the requests of all pairs in turn, carries them out one at a time,
//! and brings the report up to date in between.

use crate::command::{Answer, Session};
use crate::exchange::Exchange;
use crate::lock::Lock;
use crate::log::{self, Condition};
use crate::notify;
use crate::parser::Parser;
use crate::registry::Registry;
use crate::reporting::Reporting;
use crate::stop::Stop;
use crate::system::System;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};
use xend_guest_protocol::limits::KEY_SECONDS;
use xend_guest_protocol::request::Request;

/// How long systemd waits at most for the requests that wait at the start.
const START_LIMIT: Duration = Duration::from_secs(30);

/// How often old responses are looked for.
const CLEAN_UP_INTERVAL: Duration = Duration::from_secs(60);

/// The most characters of a command's name in the log.
const MAX_NAME: usize = 64;

/// An exchange, the parser of its requests, and what its commands remember.
pub struct Pair {
    name: &'static str,
    exchange: Box<dyn Exchange>,
    parser: Box<dyn Parser>,
    session: Session,
    /// When to look for requests whatever the descriptor says.
    next_look: Option<Instant>,
    /// The exchange fails, so that its descriptor tells nothing.
    has_failed: bool,
    failure: Condition,
    next_clean_up: Instant,
}

impl Pair {
    /// `name` is for the log.
    pub fn new(name: &'static str, exchange: Box<dyn Exchange>, parser: Box<dyn Parser>) -> Self {
        let now = Instant::now();
        Self {
            name,
            exchange,
            parser,
            session: Session::default(),
            next_look: Some(now),
            has_failed: false,
            failure: Condition::default(),
            next_clean_up: now,
        }
    }

    /// Carries out the next request, if one waits; tells whether one did.
    fn serve(&mut self, registry: &Registry, system: &System) -> bool {
        let now = Instant::now();
        if self.next_look.is_none_or(|next| next > now) {
            return false;
        }
        match self.serve_next(registry, system) {
            Ok(true) => true,
            Ok(false) => {
                self.has_failed = false;
                if self.failure.ends() {
                    log::line(format_args!("{} works again", self.name));
                }
                self.look_later(now);
                false
            }
            Err(error) => {
                self.has_failed = true;
                self.failure.begins(format_args!("{}: {error}", self.name));
                self.look_later(now);
                false
            }
        }
    }

    fn serve_next(&mut self, registry: &Registry, system: &System) -> io::Result<bool> {
        let Some(raw) = self.exchange.next_request()? else { return Ok(false) };
        let (name, answer) = match self.parser.parse(&raw.text) {
            Ok(request) => {
                let answer =
                    registry.run(system, self.exchange.data(), &mut self.session, &request);
                (shown(&request), answer)
            }
            Err(refusal) => ("a request that cannot be read".to_owned(), refusal.into()),
        };
        let Answer { response, reason } = answer;
        let line = format!("{}, {}: {name}: {}", self.name, raw.id, response.returncode);
        match reason {
            Some(reason) => log::line(format_args!("{line}: {reason}")),
            None => log::line(line),
        }
        self.exchange.put_response(&raw.id, &self.parser.print(&response))?;
        Ok(true)
    }

    fn look_later(&mut self, now: Instant) {
        self.next_look = self.exchange.interval().and_then(|interval| now.checked_add(interval));
    }

    /// Forgets what is too old.
    fn clean_up(&mut self, now: Instant) {
        if self.key_left(now).is_some_and(|left| left.is_zero()) {
            self.session.key = None;
        }
        if now < self.next_clean_up {
            return;
        }
        self.next_clean_up = now + CLEAN_UP_INTERVAL;
        if let Err(error) = self.exchange.clean_up(now) {
            self.failure.begins(format_args!("{}: {error}", self.name));
        }
    }

    /// How long the loop may wait for this pair.
    fn next_due(&self, now: Instant) -> Option<Duration> {
        let look = self.next_look.map(|next| next.saturating_duration_since(now));
        look.into_iter().chain(self.key_left(now)).min()
    }

    /// How long the key for a password is still valid, if there is one.
    fn key_left(&self, now: Instant) -> Option<Duration> {
        let (_, since) = self.session.key.as_ref()?;
        let age = now.saturating_duration_since(*since);
        Some(Duration::from_secs(KEY_SECONDS).saturating_sub(age))
    }

    /// Whether nothing waits in an agent that runs once.
    fn is_done(&self) -> bool {
        self.exchange.is_finished() || self.exchange.interval().is_some()
    }
}

/// The agent.
pub struct Agent {
    pub pairs: Vec<Pair>,
    pub registry: Registry,
    pub system: System,
    pub reporting: Option<Reporting>,
    pub stop: Stop,
    /// Ends when no request waits.
    pub once: bool,
    /// Keep a second agent from the same requests and files.
    pub locks: Vec<Lock>,
}

impl Agent {
    /// Serves until a signal comes, all exchanges have ended, or, once, nothing waits. Without a
    /// signal it tells whether all exchanges worked.
    pub fn run(&mut self) -> io::Result<bool> {
        let start = Instant::now();
        let mut is_ready = false;
        while !self.stop.is_requested() {
            let mut is_busy = false;
            for pair in &mut self.pairs {
                is_busy |= pair.serve(&self.registry, &self.system);
            }
            let now = Instant::now();
            if let Some(reporting) = &mut self.reporting {
                reporting.refresh(&self.system, now);
            }
            for pair in &mut self.pairs {
                pair.clean_up(now);
            }
            if !is_ready && (!is_busy || now.saturating_duration_since(start) > START_LIMIT) {
                notify::ready();
                is_ready = true;
            }
            if is_busy {
                continue;
            }
            let is_over = if self.once {
                self.pairs.iter().all(Pair::is_done)
            } else {
                !self.pairs.is_empty() && self.pairs.iter().all(|pair| pair.exchange.is_finished())
            };
            if is_over {
                break;
            }
            self.wait(now)?;
        }
        notify::stopping();
        Ok(self.stop.is_requested() || self.pairs.iter().all(|pair| !pair.has_failed))
    }

    /// Waits until something is to be done.
    fn wait(&mut self, now: Instant) -> io::Result<()> {
        let due = self.pairs.iter().filter_map(|pair| pair.next_due(now));
        let due = due.chain(self.reporting.as_ref().map(|reporting| reporting.next_due(now)));
        let limit = due.min().and_then(|due| Timespec::try_from(due).ok());
        let mut descriptors = vec![PollFd::from_borrowed_fd(self.stop.as_fd(), PollFlags::IN)];
        let mut waiting = Vec::new();
        for (number, pair) in self.pairs.iter().enumerate() {
            if let Some(descriptor) = pair.exchange.descriptor().filter(|_| !pair.has_failed) {
                descriptors.push(PollFd::from_borrowed_fd(descriptor, PollFlags::IN));
                waiting.push(number);
            }
        }
        // Last: whether it is readable is its own to find out.
        let report = self.reporting.as_ref().and_then(Reporting::descriptor);
        descriptors.extend(report.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        match poll(&mut descriptors, limit.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let is_ready = |descriptor: &PollFd<'_>| !descriptor.revents().is_empty();
        let ready: Vec<usize> = descriptors
            .iter()
            .skip(1)
            .zip(waiting)
            .filter(|(descriptor, _)| is_ready(descriptor))
            .map(|(_, number)| number)
            .collect();
        let now = Instant::now();
        for number in ready {
            if let Some(pair) = self.pairs.get_mut(number) {
                pair.next_look = Some(now);
            }
        }
        Ok(())
    }
}

/// The name of a request's command for the log.
fn shown(request: &Request) -> String {
    request.name.chars().take(MAX_NAME).collect()
}

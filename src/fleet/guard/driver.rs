//! The loop that carries out what the state machine wants.
//!
//! The clock is read for each input when its turn comes, so after what it tells of has happened.
//! Calls of the watchdog run on a thread that may block; the state machine has one of them at a
//! time.

use super::fence::FenceReader;
use super::lines::{self, Request};
use super::ports::{BootClock, Destroyer, GuardPorts, Watchdog};
use crate::core::guard::{Attempt, Done, Guard, Input, Output, Refusal, Ticket, Timer};
use crate::core::model::Uuid;
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

/// How often the state machine is told that time has passed.
const TICK: Duration = Duration::from_millis(250);
/// The most requests and ends that wait for their turn.
const MAX_WAITING: usize = 64;

/// A way to ask a guard.
#[derive(Debug, Clone)]
pub struct GuardHandle(mpsc::Sender<Message>);

#[derive(Debug)]
enum Message {
    Request(Request, oneshot::Sender<String>),
    End(Input),
    /// Why a call of the watchdog has failed; the end of the call follows.
    Failed(io::Error),
}

impl GuardHandle {
    /// The lines of the answer; `None` if the guard has ended.
    pub(super) async fn ask(&self, request: Request) -> Option<String> {
        let (answer, answered) = oneshot::channel();
        self.0.send(Message::Request(request, answer)).await.ok()?;
        answered.await.ok()
    }
}

/// Guards until `stopping`. Tells how many domains it guarded then: their host is rebooted.
pub fn drive(
    ports: GuardPorts,
    reader: FenceReader,
    stopping: CancellationToken,
) -> (GuardHandle, impl Future<Output = usize>) {
    let (sender, messages) = mpsc::channel(MAX_WAITING);
    let handle = GuardHandle(sender.clone());
    let GuardPorts { watchdog, destroyer, clock } = ports;
    let (watchdog, no_watchdog) = match watchdog {
        Ok(watchdog) => (Some(Arc::new(Mutex::new(watchdog))), None),
        Err(reason) => (None, Some(reason)),
    };
    let driver = Driver {
        guard: Guard::default(),
        watchdog,
        no_watchdog,
        failure: None,
        destroyer,
        clock,
        reader: Arc::new(reader),
        ends: sender,
        answers: BTreeMap::new(),
        tickets: 0,
        state: "idle",
    };
    (handle, driver.run(messages, stopping))
}

struct Driver {
    guard: Guard,
    watchdog: Option<Arc<Mutex<Box<dyn Watchdog>>>>,
    /// Why there is no watchdog.
    no_watchdog: Option<String>,
    /// Why the watchdog's last call has failed.
    failure: Option<io::Error>,
    destroyer: Arc<dyn Destroyer>,
    clock: Arc<dyn BootClock>,
    reader: Arc<FenceReader>,
    ends: mpsc::Sender<Message>,
    /// Who waits for an answer.
    answers: BTreeMap<Ticket, oneshot::Sender<String>>,
    tickets: u64,
    /// What the log has said last.
    state: &'static str,
}

impl Driver {
    async fn run(
        mut self,
        mut messages: mpsc::Receiver<Message>,
        stopping: CancellationToken,
    ) -> usize {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = stopping.cancelled() => break,
                _ = ticks.tick() => self.step(Input::Tick),
                message = messages.recv() => match message {
                    Some(Message::End(input)) => self.step(input),
                    Some(Message::Request(request, answer)) => self.request(request, answer),
                    Some(Message::Failed(error)) => self.failure = Some(error),
                    None => break,
                },
            }
        }
        self.guard.status(self.clock.now()).domains.len()
    }

    fn request(&mut self, request: Request, answer: oneshot::Sender<String>) {
        if request == Request::Status {
            let status = self.guard.status(self.clock.now());
            answer.send(lines::status(&status, self.watchdog.is_some())).ok();
            return;
        }
        if let (Request::Register(_), Some(reason)) = (request, &self.no_watchdog) {
            answer.send(lines::refused("no-watchdog", reason)).ok();
            return;
        }
        let ticket = Ticket(self.tickets);
        self.tickets += 1;
        self.answers.insert(ticket, answer);
        match request {
            Request::Register(domain) => self.step(Input::Register { ticket, domain }),
            Request::Built(domain) => self.step(Input::Built { ticket, domain }),
            Request::Release(domain) => self.step(Input::Release { ticket, domain }),
            Request::Away => self.step(Input::Away { ticket }),
            Request::Back => self.step(Input::Back { ticket }),
            Request::Status => {}
        }
    }

    fn step(&mut self, input: Input) {
        for output in self.guard.step(self.clock.now(), input) {
            match output {
                Output::Read { read, epoch } => {
                    let reader = Arc::clone(&self.reader);
                    self.begin(async move {
                        let found = reader.read(epoch).await;
                        Input::Read { read, found }
                    });
                }
                Output::Set { timer, seconds } => self.set(timer, seconds),
                Output::Disarm => {
                    self.call("unset", Watchdog::disarm, |done| Input::Disarmed { done });
                }
                Output::Destroy { attempt, domains } => self.destroy(attempt, domains),
                Output::Answer { ticket, answer } => self.answer(ticket, answer),
            }
        }
        self.log();
    }

    /// Tells the state machine how something ends. What waits for the turn of its end is as much as
    /// the state machine has begun: reads, one call of the watchdog, one attempt to destroy.
    fn begin(&self, work: impl Future<Output = Input> + Send + 'static) {
        let ends = self.ends.clone();
        tokio::spawn(async move {
            let end = work.await;
            ends.send(Message::End(end)).await.ok();
        });
    }

    fn set(&self, timer: Timer, seconds: u32) {
        self.call("set", move |watchdog| watchdog.set(timer, seconds), |done| Input::Set { done });
    }

    fn call(
        &self,
        what: &'static str,
        call: impl FnOnce(&mut dyn Watchdog) -> io::Result<()> + Send + 'static,
        end: fn(bool) -> Input,
    ) {
        let watchdog = self.watchdog.clone();
        let failures = self.ends.clone();
        self.begin(async move {
            let called = spawn_blocking(move || match watchdog {
                Some(watchdog) => {
                    let mut watchdog = watchdog.lock().unwrap_or_else(PoisonError::into_inner);
                    call(&mut **watchdog)
                }
                None => Err(io::ErrorKind::Unsupported.into()),
            });
            let called = called.await.unwrap_or_else(|error| Err(io::Error::other(error)));
            let done = called.is_ok();
            if let Err(error) = called {
                error!("The hypervisor's watchdog cannot be {what}: {error}");
                failures.send(Message::Failed(error)).await.ok();
            }
            end(done)
        });
    }

    fn destroy(&self, attempt: Attempt, domains: Vec<Uuid>) {
        warn!("Destroying the guarded domains ({})", domains.len());
        let destroyer = Arc::clone(&self.destroyer);
        self.begin(async move {
            let gone = spawn_blocking(move || destroyer.destroy(&domains)).await;
            Input::Gone { attempt, domains: gone.unwrap_or_default() }
        });
    }

    fn answer(&mut self, ticket: Ticket, answer: Result<Done, Refusal>) {
        let Some(waiting) = self.answers.remove(&ticket) else { return };
        let text = match (answer, &self.failure) {
            (Err(refusal @ Refusal::NoWatchdog), Some(failure)) => {
                lines::refused(lines::word(refusal), &format!("{refusal}: {failure}"))
            }
            _ => lines::answer(answer),
        };
        // Whoever has hung up asks again.
        waiting.send(text).ok();
    }

    fn log(&mut self) {
        let status = self.guard.status(self.clock.now());
        if std::mem::replace(&mut self.state, status.state) != status.state {
            info!(domains = status.domains.len(), epoch = status.epoch, "Now {}", status.state);
        }
    }
}

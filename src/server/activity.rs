//! The phase of a connection.
//!
//! ```text
//!          first byte             last byte
//!   Idle ────────────▶ Receiving ───────────▶ Handling
//!    ▲                                           │
//!    └───────────────── response made ───────────┘
//! ```
//!
//! The phases `Idle` and `Receiving` are the client's, and have a time limit. `Handling` is the
//! daemon's and has none. A connection that was upgraded to another protocol stays `Upgraded`: the
//! protocol has its own limits.

use axum::http::{Method, Uri};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The phase of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Between requests. The last response may still be sent.
    Idle,
    /// A request is arriving.
    Receiving,
    /// A request has arrived and its response is not made yet.
    Handling,
    /// The connection speaks another protocol than HTTP.
    Upgraded,
}

/// The activity of a connection, shared by its stream and its service.
#[derive(Debug)]
pub(super) struct Activity(Mutex<ActivityState>);

#[derive(Debug)]
struct ActivityState {
    phase: Phase,
    since: Instant,
    /// When the client last took bytes, or came.
    answered: Instant,
    /// The request since its head arrived.
    request: Option<(Method, Uri)>,
}

impl ActivityState {
    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.since = Instant::now();
    }
}

impl Activity {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        let phase = Phase::Idle;
        Self(Mutex::new(ActivityState { phase, since: now, answered: now, request: None }))
    }

    fn with<T>(&self, access: impl FnOnce(&mut ActivityState) -> T) -> T {
        access(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Bytes were read. Further bytes of a request do not extend its deadline.
    pub(super) fn bytes_read(&self) {
        self.with(|state| {
            if state.phase == Phase::Idle {
                state.enter(Phase::Receiving);
            }
        });
    }

    /// Bytes were written: a client that takes its response is not idle.
    pub(super) fn bytes_written(&self) {
        self.with(|state| {
            state.answered = Instant::now();
            if state.phase == Phase::Idle {
                state.since = state.answered;
            }
        });
    }

    /// The head of a request has arrived. The deadline of its body counts from the first byte,
    /// unless the request arrived in the same read as the one before it.
    pub(super) fn head_received(&self, method: Method, uri: Uri) {
        self.with(|state| {
            state.request = Some((method, uri));
            if state.phase == Phase::Idle {
                state.enter(Phase::Receiving);
            }
        });
    }

    /// A handler has taken a part of a long body: the time for the rest begins anew.
    pub(super) fn part_taken(&self) {
        self.with(|state| {
            if state.phase == Phase::Receiving {
                state.since = Instant::now();
            }
        });
    }

    /// A request has arrived completely.
    pub(super) fn request_received(&self) {
        self.with(|state| state.enter(Phase::Handling));
    }

    /// The response is made.
    pub(super) fn response_made(&self) {
        self.with(|state| {
            state.request = None;
            state.enter(Phase::Idle);
        });
    }

    /// The response was that the connection speaks another protocol from now on.
    pub(super) fn upgraded(&self) {
        self.with(|state| {
            state.request = None;
            state.enter(Phase::Upgraded);
        });
    }

    /// The daemon has nothing to do before the client sends or takes bytes. It has waited since the
    /// last answer: bytes that nothing answers, such as parts of a line, do not count.
    pub(super) fn client_is_waited_for(&self) {
        self.with(|state| {
            if state.phase == Phase::Handling {
                state.phase = Phase::Idle;
                state.since = state.answered;
            }
        });
    }

    /// The deadline of the client; `None` while the daemon handles a request, and for another
    /// protocol.
    pub(super) fn deadline(&self, timeout: Duration) -> Option<Instant> {
        self.with(|state| match state.phase {
            Phase::Idle | Phase::Receiving => Some(state.since + timeout),
            Phase::Handling | Phase::Upgraded => None,
        })
    }

    pub(super) fn phase(&self) -> Phase {
        self.with(|state| state.phase)
    }

    /// The request that is being handled, as `METHOD PATH`.
    pub(super) fn handled_request(&self) -> Option<String> {
        self.with(|state| match &state.request {
            Some((method, uri)) if state.phase == Phase::Handling => {
                Some(format!("{method} {}", uri.path()))
            }
            _ => None,
        })
    }

    /// How long the daemon has waited for the client. `None` while it handles a request, within a
    /// grace time, and for another protocol.
    pub(super) fn waiting(&self, now: Instant) -> Option<Duration> {
        let (phase, since) = self.with(|state| (state.phase, state.since));
        let grace = match phase {
            // For a new connection, whose request is on its way or not read yet.
            Phase::Idle => Duration::from_millis(250),
            // For a request of ordinary size over a slow line.
            Phase::Receiving => Duration::from_secs(1),
            Phase::Handling | Phase::Upgraded => return None,
        };
        let waited = now.saturating_duration_since(since);
        (waited > grace).then_some(waited)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deadline_moves_with_responses_and_not_with_parts_of_a_request() {
        let timeout = Duration::from_secs(30);
        let activity = Activity::new();
        activity.bytes_read();
        let deadline = activity.deadline(timeout);
        activity.bytes_read();
        activity.head_received(Method::POST, Uri::from_static("/xend/domain/a?b"));
        activity.bytes_written();
        assert_eq!(activity.deadline(timeout), deadline);
        assert_eq!(activity.handled_request(), None);
        std::thread::sleep(Duration::from_millis(2));
        activity.part_taken();
        assert!(activity.deadline(timeout) > deadline, "a handler takes a long body");

        activity.request_received();
        activity.bytes_read();
        assert_eq!(activity.phase(), Phase::Handling);
        assert_eq!(activity.deadline(timeout), None, "the daemon's own time has no limit");
        assert_eq!(activity.handled_request().as_deref(), Some("POST /xend/domain/a"));

        activity.response_made();
        assert_eq!(activity.handled_request(), None);
        let deadline = activity.deadline(timeout);
        std::thread::sleep(Duration::from_millis(2));
        activity.bytes_written();
        assert!(activity.deadline(timeout) > deadline);
    }

    #[test]
    fn only_the_client_is_waited_for() {
        let later = Instant::now() + Duration::from_secs(10);
        let activity = Activity::new();
        assert!(activity.waiting(Instant::now()).is_none(), "a new connection");
        assert!(activity.waiting(later).is_some(), "a silent connection");
        activity.bytes_read();
        assert!(activity.waiting(Instant::now()).is_none(), "a request that has just begun");
        assert!(activity.waiting(later).is_some(), "a request that takes too long");
        activity.request_received();
        assert!(activity.waiting(later).is_none());
    }

    #[test]
    fn bytes_without_an_answer_keep_no_client_from_being_idle() {
        let activity = Activity::new();
        std::thread::sleep(Duration::from_millis(2));
        let idle_since = |activity: &Activity| activity.with(|state| state.since);
        let came = idle_since(&activity);
        activity.request_received();
        activity.client_is_waited_for();
        assert_eq!(idle_since(&activity), came);
        activity.request_received();
        activity.bytes_written();
        activity.client_is_waited_for();
        assert!(idle_since(&activity) > came);
    }
}

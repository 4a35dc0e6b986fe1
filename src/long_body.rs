//! Bodies of requests that may take long to arrive, such as disk images.
//!
//! A connection gives a request a time to arrive, and further bytes do not extend it. A handler
//! that takes a long body says so with what it has taken: the time begins anew with each part of
//! [`LEAST`] bytes, so that a slow client has time and a stalled one has not.

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// What a client has to send within the time, in bytes. With the usual 30 s it is 2 KiB/s.
pub const LEAST: usize = 64 << 10;

/// Extends the deadline of the body that is arriving. It is among the extensions of each request
/// with a body.
#[derive(Clone)]
pub struct BodyDeadline {
    extend: Arc<dyn Fn() + Send + Sync>,
    time: Duration,
}

impl BodyDeadline {
    /// A deadline that `extend` extends by `time`.
    pub fn new(time: Duration, extend: impl Fn() + Send + Sync + 'static) -> Self {
        Self { extend: Arc::new(extend), time }
    }

    /// The time within which [`LEAST`] bytes are expected.
    pub const fn time(&self) -> Duration {
        self.time
    }

    /// The progress of the body, which has none yet.
    pub fn progress(&self) -> BodyProgress {
        BodyProgress { deadline: self.clone(), taken: 0 }
    }
}

impl fmt::Debug for BodyDeadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BodyDeadline(..)")
    }
}

/// What a handler has taken of a long body.
#[derive(Debug)]
pub struct BodyProgress {
    deadline: BodyDeadline,
    /// Since the deadline was extended.
    taken: usize,
}

impl BodyProgress {
    /// The client has sent this many bytes.
    pub fn taken(&mut self, bytes: usize) {
        self.taken = self.taken.saturating_add(bytes);
        if self.taken >= LEAST {
            self.restart();
        }
    }

    /// The client could not send while the handler was at work: the time begins anew.
    pub fn restart(&mut self) {
        self.taken = 0;
        (self.deadline.extend)();
    }
}

/// Whether a body ended because its client was too slow.
pub fn is_too_slow(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.downcast_ref::<io::Error>().is_some_and(|io| io.kind() == io::ErrorKind::TimedOut)
        {
            return true;
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[test]
    fn the_deadline_moves_with_parts_and_not_with_single_bytes() {
        let extended = Arc::new(AtomicU32::new(0));
        let count = extended.clone();
        let extend = move || {
            count.fetch_add(1, Ordering::Relaxed);
        };
        let mut progress = BodyDeadline::new(Duration::from_secs(30), extend).progress();
        let mut after = |bytes: usize, times: usize| {
            for _ in 0..times {
                progress.taken(bytes);
            }
            extended.load(Ordering::Relaxed)
        };
        assert_eq!(after(1, LEAST - 1), 0);
        assert_eq!(after(1, 1), 1);
        assert_eq!(after(LEAST / 2, 3), 2);
        assert_eq!(after(1 << 20, 1), 3);
    }

    #[test]
    fn a_slow_body_is_told_from_one_that_broke_off() {
        #[derive(Debug, thiserror::Error)]
        #[error("the body")]
        struct Outer(#[source] io::Error);
        assert!(is_too_slow(&Outer(io::ErrorKind::TimedOut.into())));
        assert!(!is_too_slow(&Outer(io::ErrorKind::ConnectionReset.into())));
    }
}

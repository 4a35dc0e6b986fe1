//! The progress of a long operation, on a terminal: xend reports it among its events.

use crate::caught_signals::CaughtSignals;
use crate::context::Context;
use crate::events::Events;
use crate::output::{note, printable};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;
use xend_sxp::{Limits, Sxp, read_first};

/// The characters of a full bar.
const BAR: usize = 30;
const KIB: f64 = 1024.0;
const MIB: f64 = 1024.0 * KIB;
/// From this size on, MiB are fine enough.
const SMALL: f64 = 8.0 * MIB;

/// Shows progress on standard error until it ends. Elsewhere than on a terminal it shows nothing.
pub(super) struct Progress {
    shown: Option<Shown>,
}

struct Shown {
    is_over: Arc<Mutex<bool>>,
    /// What waits for signals, until this connection is closed.
    waiting: Option<(UnixStream, JoinHandle<()>)>,
}

impl Progress {
    /// The progress of what is done with a domain.
    pub(super) fn of(context: &Context, domain: &str) -> Self {
        Self::follow(context, Some(domain))
    }

    /// The progress of whatever is done on the host.
    pub(super) fn of_any(context: &Context) -> Self {
        Self::follow(context, None)
    }

    fn follow(context: &Context, domain: Option<&str>) -> Self {
        if !io::stderr().is_terminal() {
            return Self { shown: None };
        }
        // The operation itself says what is wrong with the domain or with xend.
        let Ok(events) = context.gateway.events(domain) else { return Self { shown: None } };
        let is_over = Arc::new(Mutex::new(false));
        let seen = Arc::clone(&is_over);
        thread::spawn(move || show(events, &seen));
        // Without it, a signal leaves half a bar.
        let waiting = wait_for_signals(&is_over).ok();
        Self { shown: Some(Shown { is_over, waiting }) }
    }

    /// Takes the bar away.
    pub(super) fn end(self) {
        let Some(Shown { is_over, waiting }) = self.shown else { return };
        if let Some((connection, thread)) = waiting {
            drop(connection);
            let _ = thread.join();
        }
        take_away(&is_over);
    }
}

/// Takes the bar away: none comes after this.
fn take_away(is_over: &Mutex<bool>) {
    // Held while anything is written.
    let mut is_over = is_over.lock().unwrap_or_else(PoisonError::into_inner);
    *is_over = true;
    let _ = io::stderr().write_all(b"\r\x1b[K");
}

/// Waits for a signal that ends xm, which takes the bar away first.
fn wait_for_signals(is_over: &Arc<Mutex<bool>>) -> io::Result<(UnixStream, JoinHandle<()>)> {
    let signals = CaughtSignals::catch()?;
    let (connection, ended) = UnixStream::pair()?;
    let is_over = Arc::clone(is_over);
    let wait = move || {
        let mut fds = [PollFd::new(&signals, PollFlags::IN), PollFd::new(&ended, PollFlags::IN)];
        while poll(&mut fds, None) == Err(Errno::INTR) {}
        if fds[1].revents().is_empty() {
            take_away(&is_over);
            note("xm ends, and xend goes on: xm list shows what becomes of it.");
            let _ = signals.obey();
        }
    };
    Ok((connection, thread::spawn(wait)))
}

fn show(mut events: Events, is_over: &Mutex<bool>) {
    let begun = Instant::now();
    while let Ok(line) = events.next() {
        let Ok(event) = read_first(&line, &Limits::DEFAULT) else { continue };
        let Some(bar) = bar(&event, begun.elapsed().as_secs_f64()) else { continue };
        let is_over = is_over.lock().unwrap_or_else(PoisonError::into_inner);
        if *is_over {
            return;
        }
        let _ = write!(io::stderr(), "\r{}\x1b[K", printable(&bar));
    }
}

/// `Saving web1 [#####-----]  50%  64 of 128 MiB  32 MiB/s  2 s left`, of an event with a progress.
fn bar(event: &Sxp, seconds: f64) -> Option<String> {
    let text = |key: &str| event.value(key).and_then(Sxp::as_str);
    if text("kind") != Some("progress") {
        return None;
    }
    let number = |key: &str| text(key).and_then(|text| text.parse::<f64>().ok());
    let percent = number("percent")?.clamp(0.0, 100.0);
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "it is between 0 and the length of the bar"
    )]
    let full = (percent / 100.0 * BAR as f64) as usize;
    let mut out = format!(
        "{} {} [{}{}]",
        text("what")?,
        text("domain").unwrap_or_default(),
        "#".repeat(full),
        "-".repeat(BAR.saturating_sub(full))
    );
    let total = number("total_bytes");
    // xend does not know it yet, and the percents are of nothing.
    if total == Some(0.0) {
        return Some(out);
    }
    let _ = write!(out, " {percent:3.0}%");
    if let (Some(done), Some(total)) = (number("done_bytes"), total) {
        let (unit, bytes) = if total < SMALL { ("KiB", KIB) } else { ("MiB", MIB) };
        let _ = write!(out, "  {:.0} of {:.0} {unit}", done / bytes, total / bytes);
        let rate = done / seconds.max(0.001);
        if rate > 0.0 && total >= done {
            let left = (total - done) / rate;
            let _ = write!(out, "  {:.0} {unit}/s  {left:.0} s left", rate / bytes);
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_has_bytes_rate_and_time() {
        let text = b"(event (kind progress) (domain web1) (what Saving) (percent 50) \
            (done_bytes 67108864) (total_bytes 134217728))";
        let event = read_first(text, &Limits::DEFAULT).unwrap();
        let expected = "Saving web1 [###############---------------]  50%  64 of 128 MiB  \
            32 MiB/s  2 s left";
        assert_eq!(bar(&event, 2.0).as_deref(), Some(expected));
    }

    #[test]
    fn a_bar_of_a_small_domain_has_kib() {
        let text = b"(event (kind progress) (domain web1) (what Saving) (percent 50) \
            (done_bytes 32768) (total_bytes 65536))";
        let event = read_first(text, &Limits::DEFAULT).unwrap();
        let expected = "Saving web1 [###############---------------]  50%  32 of 64 KiB  \
            16 KiB/s  2 s left";
        assert_eq!(bar(&event, 2.0).as_deref(), Some(expected));
    }

    #[test]
    fn a_bar_has_no_numbers_before_the_total_is_known() {
        let text = b"(event (kind progress) (domain web1) (what Saving) (percent 0) \
            (done_bytes 0) (total_bytes 0))";
        let event = read_first(text, &Limits::DEFAULT).unwrap();
        let expected = "Saving web1 [------------------------------]";
        assert_eq!(bar(&event, 0.5).as_deref(), Some(expected));
    }

    #[test]
    fn other_events_have_no_bar() {
        for text in ["(event (kind progress) (domain a))", "(event (kind state))", "x"] {
            let event = read_first(text.as_bytes(), &Limits::DEFAULT).unwrap();
            assert_eq!(bar(&event, 1.0), None, "{text}");
        }
    }
}

//! The latest log lines, in memory.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Lines that are kept at most.
const MAX_LINES: usize = 2_000;
/// Bytes that are kept at most, line ends included.
const MAX_BYTES: usize = 256 * 1024;
/// Bytes of a line that are kept at most.
const MAX_LINE: usize = 4 * 1024;

/// A bounded memory of log lines. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct LogRing(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    lines: VecDeque<String>,
    bytes: usize,
}

impl LogRing {
    /// Adds a line, without its line end, and forgets the oldest ones that no longer fit.
    pub(super) fn push(&self, line: &str) {
        let mut end = line.len().min(MAX_LINE);
        while !line.is_char_boundary(end) {
            end -= 1;
        }
        let mut kept = self.kept();
        kept.bytes += end + 1;
        kept.lines.push_back(line[..end].to_owned());
        while kept.lines.len() > MAX_LINES || kept.bytes > MAX_BYTES {
            let Some(oldest) = kept.lines.pop_front() else { break };
            kept.bytes -= oldest.len() + 1;
        }
    }

    /// The lines, oldest first, each with its line end.
    pub fn text(&self) -> String {
        let kept = self.kept();
        let mut text = String::with_capacity(kept.bytes);
        for line in &kept.lines {
            text.push_str(line);
            text.push('\n');
        }
        text
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_latest_lines() {
        let ring = LogRing::default();
        assert_eq!(ring.text(), "");
        for number in 0..MAX_LINES + 5 {
            ring.push(&number.to_string());
        }
        let text = ring.text();
        assert_eq!(text.lines().next(), Some("5"));
        assert_eq!(text.lines().count(), MAX_LINES);
    }

    #[test]
    fn is_bounded_in_bytes() {
        let ring = LogRing::default();
        for _ in 0..1000 {
            ring.push(&"ü".repeat(MAX_LINE));
        }
        let text = ring.text();
        assert!(text.len() <= MAX_BYTES && text.len() > MAX_BYTES - 2 * MAX_LINE);
        assert!(text.lines().all(|line| line.len() <= MAX_LINE));
    }
}

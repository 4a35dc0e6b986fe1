//! The latest log lines, in memory.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Number of lines to keep.
const MAX_LINES: usize = 2_000;
/// Number of bytes to keep, including line ends.
const MAX_BYTES: usize = 256 * 1024;
/// Number of bytes of a line to keep.
const MAX_LINE: usize = 4 * 1024;

/// A bounded buffer of the latest log lines. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct LogRing(Arc<Mutex<Lines>>);

#[derive(Debug, Default)]
struct Lines {
    lines: VecDeque<String>,
    bytes: usize,
}

impl LogRing {
    /// Adds a line without its line end, and drops the oldest lines above the limits.
    pub(super) fn push(&self, line: &str) {
        let mut end = line.len().min(MAX_LINE);
        while !line.is_char_boundary(end) {
            end -= 1;
        }
        let mut buffer = self.lock();
        buffer.bytes += end + 1;
        buffer.lines.push_back(line[..end].to_owned());
        while buffer.lines.len() > MAX_LINES || buffer.bytes > MAX_BYTES {
            let Some(oldest) = buffer.lines.pop_front() else { break };
            buffer.bytes -= oldest.len() + 1;
        }
    }

    /// The lines with their line ends, oldest first.
    pub fn text(&self) -> String {
        let buffer = self.lock();
        let mut text = String::with_capacity(buffer.bytes);
        for line in &buffer.lines {
            text.push_str(line);
            text.push('\n');
        }
        text
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_lines_are_kept() {
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
    fn the_size_is_bounded() {
        let ring = LogRing::default();
        for _ in 0..1000 {
            ring.push(&"ü".repeat(MAX_LINE));
        }
        let text = ring.text();
        assert!(text.len() <= MAX_BYTES && text.len() > MAX_BYTES - 2 * MAX_LINE);
        assert!(text.lines().all(|line| line.len() <= MAX_LINE));
    }
}

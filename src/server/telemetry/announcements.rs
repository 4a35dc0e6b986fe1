//! Where the daemon says on which addresses it listens.

use super::log_format::LineFormat;
use std::fmt;
use std::io::{self, Write as _};

/// Where listeners are announced: once to whoever reads standard output, and once in a log that
/// somebody else reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Announcements {
    on_stdout: bool,
    in_log: bool,
}

impl Announcements {
    /// A log in xend's format is for people, who see standard output beside it. Programs that read
    /// the log, systemd's journal among them, get nothing else.
    pub(super) fn new(format: LineFormat, is_in_file: bool) -> Self {
        let on_stdout = matches!(format, LineFormat::Xend);
        Self { on_stdout, in_log: !on_stdout || is_in_file }
    }

    /// Announces each listener with a line: `WHAT on ADDRESS`.
    pub fn announce(self, listeners: impl IntoIterator<Item = impl fmt::Display>, what: &str) {
        let mut out = io::stdout().lock();
        for listener in listeners {
            if self.in_log {
                tracing::info!("{what} on {listener}");
            }
            if self.on_stdout {
                // Standard output may be closed.
                writeln!(out, "{what} on {listener}").ok();
            }
        }
        out.flush().ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_announced_once_in_each_place() {
        for (format, is_in_file, on_stdout, in_log) in [
            (LineFormat::Xend, false, true, false),
            (LineFormat::Xend, true, true, true),
            (LineFormat::Json, false, false, true),
            (LineFormat::Journal, false, false, true),
            (LineFormat::JournalJson, false, false, true),
            (LineFormat::Json, true, false, true),
        ] {
            let expected = Announcements { on_stdout, in_log };
            assert_eq!(Announcements::new(format, is_in_file), expected, "{format:?} {is_in_file}");
        }
    }
}

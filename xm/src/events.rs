//! The events of xend, one a line, which do not end until xend does.

use crate::failure::{Failure, reason};
use crate::wire::http::Lines;
use crate::wire::stream::Stream;
use std::io;

/// A stream of events.
pub(crate) struct Events {
    lines: Lines<Stream>,
}

impl Events {
    /// The events of an answer.
    pub(crate) fn new(lines: Lines<Stream>) -> Self {
        Self { lines }
    }

    /// The next event as an S-expression, or the empty line of a heartbeat.
    pub(crate) fn next(&mut self) -> Result<Vec<u8>, Failure> {
        match self.lines.next() {
            Ok(Some(line)) => Ok(line),
            Ok(None) => Err(Self::ended()),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(Self::ended()),
            Err(error) => {
                Err(Failure::new(format!("The events of xend have ended: {}", reason(&error))))
            }
        }
    }

    /// Whether a further event has arrived already.
    pub(crate) fn has_more(&self) -> bool {
        self.lines.has_more()
    }

    fn ended() -> Failure {
        Failure::new("xend has ended, and with it its events")
    }
}

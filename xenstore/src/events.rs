//! Events of watches that wait to be taken.

use crate::error::Error;
#[cfg(feature = "server")]
use crate::wire::join;
use std::collections::VecDeque;

/// A watched node, or one below it, may have changed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WatchEvent {
    /// The node that changed, relative if the watch was set on a relative path. The first event of
    /// a watch names the watched node itself.
    pub path: String,
    /// The token that the watch was set with.
    pub token: String,
}

impl WatchEvent {
    #[cfg(feature = "server")]
    pub(crate) fn to_payload(&self) -> Vec<u8> {
        join([&*self.path, &*self.token])
    }

    pub(crate) fn from_payload(payload: &[u8]) -> Result<Self, Error> {
        let malformed = || Error::Malformed("an event needs a path and a token");
        let text = std::str::from_utf8(payload).map_err(|_| malformed())?;
        let (path, rest) = text.split_once('\0').ok_or_else(malformed)?;
        let (token, _) = rest.split_once('\0').ok_or_else(malformed)?;
        Ok(Self { path: path.to_owned(), token: token.to_owned() })
    }
}

/// Events of one connection, a bounded number of them: what does not fit is dropped, which is told
/// once after those that did.
#[derive(Default)]
pub(crate) struct EventQueue {
    events: VecDeque<WatchEvent>,
    bytes: usize,
    has_lost: bool,
}

impl EventQueue {
    const MAX_EVENTS: usize = 1024;
    const MAX_BYTES: usize = 256 * 1024;

    /// Adds an event, unless the same one waits already: events tell that a node has changed, not
    /// how often. Those of domains that come and go are all told.
    pub(crate) fn push(&mut self, event: WatchEvent) {
        let is_told_already = !event.path.starts_with('@') && self.events.contains(&event);
        if self.has_lost || is_told_already {
            return;
        }
        let bytes = self.bytes + size(&event);
        if self.events.len() == Self::MAX_EVENTS || bytes > Self::MAX_BYTES {
            self.has_lost = true;
            return;
        }
        self.bytes = bytes;
        self.events.push_back(event);
    }

    /// The oldest event, or that some were lost.
    pub(crate) fn pop(&mut self) -> Option<Result<WatchEvent, Error>> {
        match self.events.pop_front() {
            Some(event) => {
                self.bytes -= size(&event);
                Some(Ok(event))
            }
            None => std::mem::take(&mut self.has_lost).then_some(Err(Error::EventsLost)),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.events.is_empty() && !self.has_lost
    }
}

fn size(event: &WatchEvent) -> usize {
    event.path.len() + event.token.len()
}

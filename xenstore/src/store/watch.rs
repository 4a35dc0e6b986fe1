//! Watches: which changes they hear of, and how the events name them.

use super::node::{Need, Who};
use super::paths;
use super::view::Change;
use crate::events::WatchEvent;
use crate::wire::MAX_PAYLOAD;

/// A watch of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Watch {
    /// The absolute or special path.
    path: String,
    token: String,
    /// How much of an absolute path events leave out, in bytes.
    prefix: usize,
}

impl Watch {
    /// A watch on an absolute or special path. `is_relative`: events name nodes by their paths
    /// below the domain's directory.
    pub(crate) fn new(domid: u32, path: String, token: &str, is_relative: bool) -> Self {
        let prefix = if is_relative { paths::of_domain(domid).len() + 1 } else { 0 };
        Self { path, token: token.to_owned(), prefix }
    }

    pub(crate) fn is(&self, path: &str, token: &str) -> bool {
        self.path == path && self.token == token
    }

    /// The event that each watch begins with.
    pub(crate) fn first_event(&self) -> Option<WatchEvent> {
        self.event(&self.path)
    }

    /// The event for a change, if the watch hears of it.
    pub(crate) fn event_for(&self, change: &Change) -> Option<WatchEvent> {
        let hears = if change.is_exact {
            change.path == self.path
        } else {
            paths::is_at_or_below(&change.path, &self.path)
        };
        if hears { self.event(&change.path) } else { None }
    }

    /// None if it is longer than a message can be.
    fn event(&self, path: &str) -> Option<WatchEvent> {
        let path = path.get(self.prefix..)?;
        let fits = path.len() + self.token.len() + 2 <= MAX_PAYLOAD;
        fits.then(|| WatchEvent { path: path.to_owned(), token: self.token.clone() })
    }
}

/// Whether a domain may hear of a change.
pub(crate) fn may_hear(who: Who, change: &Change) -> bool {
    change.nodes.iter().any(|node| node.allows(who, Need::Read))
}

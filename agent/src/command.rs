//! The trait of commands, and what a command works with.

use crate::exchange::GuestData;
use crate::system::System;
use serde_json::Value;
use std::time::Instant;
use xend_guest_protocol::keys::SharedKey;
use xend_guest_protocol::response::Response;

/// A command that can be asked for by its name.
pub trait Command {
    /// The name in requests.
    fn name(&self) -> &str;

    /// The effect and the value, in a few sentences.
    fn about(&self) -> &str;

    /// Whether it changes the guest. Those that do are refused by an agent that only reports.
    fn changes_guest(&self) -> bool {
        true
    }

    /// More names that `features` lists while the command is on: of what it does beyond the
    /// original's command of the same name.
    fn more_features(&self) -> &[&str] {
        &[]
    }

    /// Carries the command out. `value` is the one of the request; `None` if it has none. A failure
    /// is an answer, too: nothing that a request holds ends the agent.
    fn run(&self, context: &mut Context<'_>, value: Option<&Value>) -> Response;
}

/// What a request gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub response: Response,
    /// What the log says beside the returncode: why it failed, or what a program complains of. It
    /// tells nothing of the request's value but paths and names.
    pub reason: Option<String>,
}

/// The agent's own failures say nothing that the log must not.
impl From<Response> for Answer {
    fn from(response: Response) -> Self {
        let reason = (!response.is_ok()).then(|| response.message.clone());
        Self { response, reason }
    }
}

/// What a command works with.
pub struct Context<'a> {
    /// The guest's files and programs.
    pub system: &'a System,
    /// What the host has written for the guest: `vm-data/...`.
    pub data: &'a mut dyn GuestData,
    /// What one exchange's commands remember between requests.
    pub session: &'a mut Session,
    /// Lists the names of all commands that can be asked for, sorted.
    pub features: &'a dyn Fn() -> Vec<String>,
    /// The time of the request.
    pub now: Instant,
}

/// What the commands of one exchange remember between requests.
#[derive(Default)]
pub struct Session {
    /// The key that was agreed on for a password, and since when.
    pub key: Option<(SharedKey, Instant)>,
}

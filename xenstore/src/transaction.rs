//! Transactions: several requests that are carried out together or not at all.

use crate::error::{Error, Refusal};
use crate::nodes::Nodes;
use crate::wire::{MessageType, join};
use std::thread;
use std::time::Duration;

/// How often a transaction is tried.
const MAX_ATTEMPTS: u32 = 50;

/// The attempts that follow at once; later ones wait before.
const QUICK_ATTEMPTS: u32 = 5;

/// How long a later attempt waits.
const PAUSE: Duration = Duration::from_millis(5);

/// What answers requests.
pub(crate) trait Call {
    /// Sends a request and waits for the payload of its reply. `transaction` 0 is none.
    fn call(
        &mut self,
        kind: MessageType,
        transaction: u32,
        payload: &[u8],
    ) -> Result<Vec<u8>, Error>;
}

/// The nodes as a transaction sees them: with its own changes, which others do not see yet.
pub struct Transaction<'a> {
    connection: &'a mut dyn Call,
    id: u32,
}

impl Nodes for Transaction<'_> {
    fn request(&mut self, kind: MessageType, payload: &[u8]) -> Result<Vec<u8>, Error> {
        self.connection.call(kind, self.id, payload)
    }
}

/// Does `work` in transactions until one is carried out.
pub(crate) fn repeat<T>(
    connection: &mut dyn Call,
    mut work: impl FnMut(&mut Transaction<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    for attempt in 0..MAX_ATTEMPTS {
        if attempt >= QUICK_ATTEMPTS {
            thread::sleep(PAUSE);
        }
        let id = number(&connection.call(MessageType::TransactionStart, 0, &join([""]))?)?;
        let done = work(&mut Transaction { connection: &mut *connection, id });
        let end = if done.is_ok() { "T" } else { "F" };
        let ended = connection.call(MessageType::TransactionEnd, id, &join([end]));
        match done.and_then(|value| ended.map(|_| value)) {
            Err(error) if error.is_again() => {}
            other => return other,
        }
    }
    Err(Error::Refused(Refusal::Again))
}

fn number(payload: &[u8]) -> Result<u32, Error> {
    let text = std::str::from_utf8(payload).unwrap_or_default();
    let number = text.trim_end_matches('\0').parse().ok().filter(|number| *number != 0);
    number.ok_or(Error::Malformed("a transaction needs a number"))
}

//! The state of a connection.

use super::transaction::Transaction;
use super::view::Change;
use super::watch::Watch;
use crate::error::{Error, Refusal};
use crate::events::{EventQueue, WatchEvent};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Called when a connection has something to take.
pub(crate) type Wake = Arc<dyn Fn() + Send + Sync>;

/// What must be done when the state is no longer locked.
#[derive(Default)]
pub(crate) struct News {
    /// Whether a connection has something to take.
    pub(crate) is_some: bool,
    /// Whom to call.
    pub(crate) wakes: Vec<Wake>,
}

impl News {
    fn add(&mut self, session: &Session) {
        self.is_some = true;
        self.wakes.extend(session.wake.clone());
    }
}

/// The state of a connection.
#[derive(Default)]
pub(crate) struct Session {
    pub(crate) domid: u32,
    pub(crate) watches: Vec<Watch>,
    pub(crate) transactions: BTreeMap<u32, Transaction>,
    last_transaction: u32,
    events: EventQueue,
    pub(crate) wake: Option<Wake>,
    /// The domain was released.
    pub(crate) is_closed: bool,
}

impl Session {
    pub(crate) fn of(domid: u32) -> Self {
        Self { domid, ..Self::default() }
    }

    /// Begins a transaction, and returns its number.
    pub(crate) fn start(&mut self) -> u32 {
        // There are fewer transactions than numbers.
        loop {
            self.last_transaction = self.last_transaction.checked_add(1).unwrap_or(1);
            if !self.transactions.contains_key(&self.last_transaction) {
                break;
            }
        }
        self.transactions.insert(self.last_transaction, Transaction::default());
        self.last_transaction
    }

    /// Adds a watch and queues its first event.
    pub(crate) fn watch(&mut self, watch: Watch, news: &mut News) {
        if let Some(event) = watch.first_event() {
            self.queue(event, news);
        }
        self.watches.push(watch);
    }

    /// Ends a watch.
    pub(crate) fn unwatch(&mut self, path: &str, token: &str) -> Result<(), Refusal> {
        let place = self.watches.iter().position(|watch| watch.is(path, token));
        self.watches.remove(place.ok_or(Refusal::NotFound)?);
        Ok(())
    }

    /// Ends watches and transactions.
    pub(crate) fn reset(&mut self) {
        self.watches.clear();
        self.transactions.clear();
    }

    /// Ends the connection. What waits can still be taken.
    pub(crate) fn close(&mut self, news: &mut News) {
        self.reset();
        self.is_closed = true;
        news.add(self);
    }

    /// Queues the events of a change that the domain may hear of.
    pub(crate) fn hear(&mut self, change: &Change, news: &mut News) {
        let events = self.watches.iter().filter_map(|watch| watch.event_for(change));
        let events: Vec<WatchEvent> = events.collect();
        for event in events {
            self.queue(event, news);
        }
    }

    fn queue(&mut self, event: WatchEvent, news: &mut News) {
        if self.events.is_empty() {
            news.add(self);
        }
        self.events.push(event);
    }

    /// The oldest event, if one waits.
    pub(crate) fn pop_event(&mut self) -> Result<Option<WatchEvent>, Error> {
        match self.events.pop() {
            Some(event) => event.map(Some),
            None if self.is_closed => Err(Error::Closed),
            None => Ok(None),
        }
    }

    /// Whether there is an event to take, or the end of the connection to learn of.
    pub(crate) fn has_event(&self) -> bool {
        self.is_closed || !self.events.is_empty()
    }
}

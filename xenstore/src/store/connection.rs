//! The store and its connections, as they are used in the same process.

use super::node::HOST;
use super::state::{Request, State};
use crate::error::{Error, Refusal};
use crate::events::WatchEvent;
use crate::nodes::Nodes;
use crate::path::check_watch_path;
use crate::transaction::{self, Call, Transaction};
use crate::wire::{MAX_PAYLOAD, MessageType, join};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Whose connection it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identity {
    /// Domain 0's, which may do everything.
    Host,
    /// A guest's, by its number. It exists while the domain is introduced.
    Guest(u32),
}

impl Identity {
    fn domid(self) -> u32 {
        match self {
            Self::Host => HOST,
            Self::Guest(domid) => domid,
        }
    }
}

/// An in-memory XenStore. Clones are the same store.
///
/// It behaves as Debian's xenstored 4.17, with the quotas of guests, and holds at most 64 MiB.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    /// There may be an event, or a connection has ended.
    changed: Condvar,
}

impl Default for Store {
    fn default() -> Self {
        Self::new()
    }
}

impl Store {
    /// A store with the nodes that the daemon starts with, and no domain but 0.
    pub fn new() -> Self {
        let shared = Shared { state: Mutex::new(State::new()), changed: Condvar::new() };
        Self { shared: Arc::new(shared) }
    }

    /// Connects, a guest as well as the host. None if the guest was not introduced.
    pub fn connect(&self, identity: Identity) -> Option<Connection> {
        let session = self.lock().open(identity.domid())?;
        Some(Connection { store: self.clone(), session, identity })
    }

    /// Introduces a domain. One that is known already loses its watches and transactions. A domain
    /// that is not introduced can own no node. `EINVAL`: this is no number of a guest.
    pub fn introduce(&self, domid: u32) -> Result<(), Refusal> {
        self.change(|state| state.introduce(domid))
    }

    /// Notes that a domain has shut down, which those who watch `@releaseDomain` hear of. `ENOENT`:
    /// there is no such domain.
    pub fn shut_down(&self, domid: u32) -> Result<(), Refusal> {
        self.change(|state| state.shut_down(domid))
    }

    /// Forgets a domain: its connections end, its nodes are removed, and it loses its rights to
    /// others' nodes. `ENOENT`: there is no such domain.
    pub fn release(&self, domid: u32) -> Result<(), Refusal> {
        self.change(|state| state.release(domid))
    }

    /// Gives a domain, a stub domain, the rights of another one, too. `ENOENT`: one of them was not
    /// introduced.
    pub fn set_target(&self, domid: u32, target: u32) -> Result<(), Refusal> {
        self.change(|state| state.set_target(domid, target))
    }

    /// Whether a domain was introduced.
    pub fn is_introduced(&self, domid: u32) -> bool {
        self.lock().is_introduced(domid)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is locked.
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state, and wakes those who have something to take afterwards.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        let result = change(&mut state);
        let news = state.take_news();
        drop(state);
        if news.is_some {
            self.shared.changed.notify_all();
        }
        for wake in news.wakes {
            wake();
        }
        result
    }
}

/// A connection to a [`Store`] in the same process. Its watches and transactions end with it.
pub struct Connection {
    store: Store,
    session: u64,
    identity: Identity,
}

impl Connection {
    /// Whose connection it is.
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// Asks for an event whenever `path` or anything below it changes, and for one at once.
    /// `EEXIST`: the connection has this watch already. `E2BIG`: a guest has too many.
    pub fn watch(&mut self, path: &str, token: &str) -> Result<(), Error> {
        check_watch_path(path)?;
        self.call(MessageType::Watch, 0, &watch_payload(token, path)?).map(drop)
    }

    /// Ends a watch. Events that wait still come. `ENOENT`: there is no such watch.
    pub fn unwatch(&mut self, path: &str, token: &str) -> Result<(), Error> {
        check_watch_path(path)?;
        self.call(MessageType::Unwatch, 0, &watch_payload(token, path)?).map(drop)
    }

    /// Does `work` in a transaction, as [`Client::transaction`] does.
    ///
    /// [`Client::transaction`]: crate::Client::transaction
    pub fn transaction<T>(
        &mut self,
        work: impl FnMut(&mut Transaction<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        transaction::repeat(self, work)
    }

    /// The next event of a watch; `None` if none came before the timeout. Without a timeout it
    /// waits for ever. At most 1024 events wait: when some were dropped, [`Error::EventsLost`]
    /// tells it.
    /// [`Error::Closed`]: the domain was released.
    pub fn next_event(&mut self, timeout: Option<Duration>) -> Result<Option<WatchEvent>, Error> {
        // A timeout too long to be a time is none.
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let changed = &self.store.shared.changed;
        let mut state = self.store.lock();
        loop {
            if let Some(event) = state.pop_event(self.session)? {
                return Ok(Some(event));
            }
            let Some(deadline) = deadline else {
                state = changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            let waited = changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Whether [`Connection::next_event`] has something to return without waiting.
    pub fn has_event(&self) -> bool {
        self.store.lock().has_event(self.session)
    }

    /// Calls `wake` whenever there is something for [`Connection::next_event`] to return after
    /// there was nothing, from now on. It runs in the thread that made the change, and must be
    /// quick.
    pub fn set_wake(&mut self, wake: impl Fn() + Send + Sync + 'static) {
        let old = self.store.lock().set_wake(self.session, Arc::new(wake));
        drop(old);
    }

    /// Answers a request with any type and payload.
    pub(crate) fn answer(
        &self,
        kind: u32,
        transaction: u32,
        payload: &[u8],
    ) -> Result<Vec<u8>, Error> {
        let request = Request { kind, transaction, payload };
        self.store.change(|state| state.answer(self.session, request))
    }
}

impl Call for Connection {
    fn call(
        &mut self,
        kind: MessageType,
        transaction: u32,
        payload: &[u8],
    ) -> Result<Vec<u8>, Error> {
        if payload.len() > MAX_PAYLOAD {
            return Err(Error::TooLong { length: payload.len(), limit: MAX_PAYLOAD });
        }
        self.answer(kind.number(), transaction, payload)
    }
}

/// Outside of a transaction.
impl Nodes for Connection {
    fn request(&mut self, kind: MessageType, payload: &[u8]) -> Result<Vec<u8>, Error> {
        self.call(kind, 0, payload)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let session = self.store.lock().close(self.session);
        drop(session);
    }
}

fn watch_payload(token: &str, path: &str) -> Result<Vec<u8>, Error> {
    if token.contains('\0') { Err(Error::Nul) } else { Ok(join([path, token])) }
}

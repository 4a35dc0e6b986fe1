//! A connection for several threads.

use crate::client::Client;
use crate::error::{Error, OpenError};
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long calls fail at once after one that was not answered in time. Otherwise threads would
/// queue up behind a daemon that hangs.
const SILENCE: Duration = Duration::from_secs(5);

/// The longest limit of a call.
const MAX_LIMIT: Duration = Duration::from_secs(24 * 60 * 60);

/// A connection to XenStore that several threads use, one at a time. It is opened when it is first
/// used, and again after it was lost.
pub struct SharedClient {
    /// Opens the connection until a deadline.
    open: Box<dyn Fn(Option<Instant>) -> Result<Client, OpenError> + Send + Sync>,
    limit: Duration,
    state: Mutex<State>,
    /// Notified when no thread uses the connection any more.
    released: Condvar,
}

#[derive(Default)]
struct State {
    /// The open connection, while no thread uses it.
    client: Option<Client>,
    is_used: bool,
    /// Calls fail at once until then.
    silent_until: Option<Instant>,
}

impl SharedClient {
    /// A connection to this machine's XenStore, see [`Client::open`]. Nothing is opened yet.
    ///
    /// A call waits at most `limit` for those of other threads. Then the connection must be open
    /// and the requests answered within `limit`, all together, whether it was lost or not.
    pub fn new(limit: Duration) -> Self {
        Self::with(limit, Client::open_until)
    }

    /// The same for a device or a unix socket, see [`Client::open_path`].
    pub fn at(path: impl Into<PathBuf>, limit: Duration) -> Self {
        let path = path.into();
        Self::with(limit, move |deadline| Client::open_path_until(&path, deadline))
    }

    fn with(
        limit: Duration,
        open: impl Fn(Option<Instant>) -> Result<Client, OpenError> + Send + Sync + 'static,
    ) -> Self {
        Self {
            open: Box::new(open),
            limit: limit.min(MAX_LIMIT),
            state: Mutex::default(),
            released: Condvar::new(),
        }
    }

    /// Works with the connection. If it was lost since the last call, as when the daemon was
    /// restarted, the work is done once again: all of it must be possible twice.
    ///
    /// [`Error::TimedOut`]: XenStore does not answer, or other threads use it for too long.
    pub fn call<T>(
        &self,
        mut work: impl FnMut(&mut Client) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut borrowed = self.borrow()?;
        let was_open = borrowed.client.is_some();
        let deadline = Some(Instant::now() + self.limit);
        let mut done = borrowed.work(deadline, &mut work);
        if was_open && done.as_ref().is_err_and(|error| error.is_lost() && !error.is_timeout()) {
            done = borrowed.work(deadline, &mut work);
        }
        let is_silent = done.as_ref().is_err_and(Error::is_timeout);
        self.state().silent_until = is_silent.then(|| Instant::now() + SILENCE);
        done
    }

    /// Waits for the connection.
    fn borrow(&self) -> Result<Borrowed<'_>, Error> {
        let deadline = Instant::now() + self.limit;
        let mut state = self.state();
        loop {
            let now = Instant::now();
            let left = deadline.saturating_duration_since(now);
            if state.silent_until.is_some_and(|until| now < until) {
                return Err(Error::TimedOut);
            }
            if !state.is_used {
                state.is_used = true;
                return Ok(Borrowed { shared: self, client: state.client.take() });
            }
            if left.is_zero() {
                return Err(Error::TimedOut);
            }
            let waited = self.released.wait_timeout(state, left);
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The connection while a thread uses it.
struct Borrowed<'a> {
    shared: &'a SharedClient,
    client: Option<Client>,
}

impl Borrowed<'_> {
    fn work<T>(
        &mut self,
        deadline: Option<Instant>,
        work: &mut impl FnMut(&mut Client) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let client = match self.client.take() {
            Some(client) => client,
            None => (self.shared.open)(deadline)?,
        };
        let client = self.client.insert(client);
        client.set_deadline(deadline);
        let done = work(client);
        if done.as_ref().is_err_and(Error::is_lost) {
            self.client = None;
        }
        done
    }
}

/// Gives the connection back, even after a panic.
impl Drop for Borrowed<'_> {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        state.client = self.client.take();
        state.is_used = false;
        self.shared.released.notify_all();
    }
}

//! XenStore: requests are nodes `data/host/ID`, responses `data/guest/ID`, below the domain's own
//! directory.

use super::responses::Responses;
use crate::connect::connect;
use crate::exchange::{Exchange, GuestData, RawRequest};
use crate::log::{self, Condition};
use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use xend_guest_protocol::nodes::{REQUESTS, RESPONSES};
use xend_xenstore::{Client, Error, Nodes};

/// How often to look for requests beside the watch.
const INTERVAL: Duration = Duration::from_secs(5);

/// The pause before a lost connection is made again.
const PAUSE: Duration = Duration::from_secs(2);

/// The most times that requests are looked for again because something has changed meanwhile.
const MAX_LOOKS: usize = 16;

/// The exchange over XenStore.
pub struct XenStore {
    connection: Connection,
    /// The ids of requests that were found and not read yet.
    waiting: VecDeque<String>,
    /// Requests that were carried out and cannot be removed: they must not be carried out again.
    unremovable: BTreeSet<String>,
    /// Requests that this domain may not read. They are looked at again, but logged once.
    unreadable: BTreeSet<String>,
    /// A response that the end of the connection has kept from being put.
    unsent_response: Option<(String, Vec<u8>)>,
    responses: Responses,
    no_directory: Condition,
}

impl XenStore {
    /// Over the machine's own XenStore, or a device or socket at `path`. It is opened when it is
    /// needed, and again when the connection is lost.
    pub fn new(path: Option<PathBuf>) -> Self {
        Self {
            connection: Connection { path, client: None, failure: None },
            waiting: VecDeque::new(),
            unremovable: BTreeSet::new(),
            unreadable: BTreeSet::new(),
            unsent_response: None,
            responses: Responses::default(),
            no_directory: Condition::default(),
        }
    }

    /// Opens the connection if there is none.
    fn connect(&mut self) -> io::Result<()> {
        if self.connection.client.is_some() {
            return Ok(());
        }
        self.connection.open()?;
        self.waiting.clear();
        self.make_directory();
        if let Err(error) = self.connection.with(|client| client.watch(REQUESTS, "requests")) {
            log::line(format_args!("Cannot watch {REQUESTS}: {error}"));
        }
        let left = match self.connection.with(|client| client.directory_if_exists(RESPONSES)) {
            Ok(left) => left.unwrap_or_default(),
            Err(error) if self.connection.client.is_none() => return Err(error),
            // The response that waits is put all the same.
            Err(error) => {
                log::line(format_args!("Cannot list {RESPONSES}: {error}"));
                Vec::new()
            }
        };
        self.responses = Responses::left(left, Instant::now());
        match self.unsent_response.take() {
            Some((id, text)) => self.put(&id, &text),
            None => Ok(()),
        }
    }

    /// Makes the directory of requests, which some hosts expect the agent to do.
    fn make_directory(&mut self) {
        match self.connection.with(|client| client.mkdir(REQUESTS)) {
            Ok(()) => drop(self.no_directory.ends()),
            // Not ours to make: the host does so with its first request.
            Err(error) => self.no_directory.begins(format_args!("Cannot make {REQUESTS}: {error}")),
        }
    }

    /// Looks which requests wait, but for some. The order is XenStore's, which is that of their
    /// creation.
    fn look(&mut self, skipped: &BTreeSet<String>) -> io::Result<()> {
        let ids = self.connection.with(|client| client.directory_if_exists(REQUESTS))?;
        let Some(ids) = ids else {
            self.make_directory();
            self.unremovable.clear();
            self.unreadable.clear();
            return Ok(());
        };
        self.unremovable.retain(|id| ids.contains(id));
        self.unreadable.retain(|id| ids.contains(id));
        let is_new = |id: &String| !self.unremovable.contains(id) && !skipped.contains(id);
        self.waiting.extend(ids.into_iter().filter(is_new));
        Ok(())
    }

    fn next(&mut self) -> io::Result<Option<RawRequest>> {
        self.connect()?;
        let mut skipped = BTreeSet::new();
        for _ in 0..MAX_LOOKS {
            while let Some(id) = self.waiting.pop_front() {
                let path = format!("{REQUESTS}/{id}");
                match self.connection.with(|client| client.read_if_exists(&path)) {
                    Ok(Some(text)) => {
                        self.unreadable.remove(&id);
                        return Ok(Some(RawRequest { id, text }));
                    }
                    // The host has removed it.
                    Ok(None) => {}
                    Err(error) if self.connection.client.is_some() => {
                        if self.unreadable.insert(id.clone()) {
                            log::line(format_args!("Cannot read the request {id}: {error}"));
                        }
                        skipped.insert(id);
                    }
                    Err(error) => return Err(error),
                }
            }
            // Before the look, so that what changes after it leaves an event.
            self.connection.take_events()?;
            self.look(&skipped)?;
            if self.waiting.is_empty() && !self.connection.has_event() {
                break;
            }
        }
        Ok(None)
    }

    fn put(&mut self, id: &str, text: &[u8]) -> io::Result<()> {
        self.responses.forget(id);
        while let Some(surplus) = self.responses.take_surplus() {
            self.remove_response(&surplus);
        }
        if self.put_in_transaction(id, text).is_err() {
            self.remove_request(id, text)?;
            if let Err(error) = self.write_response(id, text) {
                self.check_connection(id, text)?;
                log::line(format_args!("Cannot put the response {id}: {error}"));
                return Ok(());
            }
        }
        self.responses.add(id, Instant::now());
        Ok(())
    }

    /// Removes the request and writes the response together: an agent that is killed leaves one of
    /// them.
    fn put_in_transaction(&mut self, id: &str, text: &[u8]) -> io::Result<()> {
        let request = format!("{REQUESTS}/{id}");
        let response = format!("{RESPONSES}/{id}");
        self.connection.with(|client| {
            client.transaction(|nodes| {
                match nodes.remove(&request) {
                    // The host has removed the directory.
                    Err(error) if error.is_not_found() => {}
                    removed => removed?,
                }
                nodes.write(&response, text)
            })
        })
    }

    fn remove_request(&mut self, id: &str, text: &[u8]) -> io::Result<()> {
        let path = format!("{REQUESTS}/{id}");
        match self.connection.with(|client| client.remove(&path)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                self.check_connection(id, text)?;
                log::line(format_args!("Cannot remove the request {id}: {error}"));
                self.unremovable.insert(id.to_owned());
            }
            _ => {}
        }
        Ok(())
    }

    fn write_response(&mut self, id: &str, text: &[u8]) -> io::Result<()> {
        let path = format!("{RESPONSES}/{id}");
        match self.connection.with(|client| client.write(&path, text)) {
            Err(error) if error.kind() == io::ErrorKind::StorageFull => {
                self.remove_all_responses();
                self.connection.with(|client| client.write(&path, text))
            }
            written => written,
        }
    }

    /// Fails if there is no connection any more, and keeps the response for the next one.
    fn check_connection(&mut self, id: &str, text: &[u8]) -> io::Result<()> {
        if self.connection.client.is_some() {
            return Ok(());
        }
        self.unsent_response = Some((id.to_owned(), text.to_vec()));
        Err(io::ErrorKind::NotConnected.into())
    }

    fn remove_response(&mut self, id: &str) {
        let path = format!("{RESPONSES}/{id}");
        match self.connection.with(|client| client.remove(&path)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                log::line(format_args!("Cannot remove the response {id}: {error}"));
            }
            _ => {}
        }
    }

    /// Makes room when XenStore has no more: what is there that this agent does not know of was not
    /// put by it, or not fetched by anybody.
    fn remove_all_responses(&mut self) {
        log::line(format_args!("There is no room for a response: all in {RESPONSES} are removed"));
        let ids = self.connection.with(|client| client.directory_if_exists(RESPONSES));
        self.responses = Responses::default();
        for id in ids.ok().flatten().unwrap_or_default() {
            self.remove_response(&id);
        }
    }
}

impl Exchange for XenStore {
    fn next_request(&mut self) -> io::Result<Option<RawRequest>> {
        self.next()
    }

    fn put_response(&mut self, id: &str, text: &[u8]) -> io::Result<()> {
        self.put(id, text)
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.connection.client.as_ref().map(AsFd::as_fd)
    }

    fn interval(&self) -> Option<Duration> {
        Some(if self.connection.client.is_some() { INTERVAL } else { PAUSE })
    }

    fn clean_up(&mut self, now: Instant) -> io::Result<()> {
        while self.connection.client.is_some() {
            let Some(old) = self.responses.take_old(now) else { break };
            self.remove_response(&old);
        }
        Ok(())
    }

    fn is_finished(&self) -> bool {
        false
    }

    fn data(&mut self) -> &mut dyn GuestData {
        &mut self.connection
    }
}

/// The connection, while there is one.
struct Connection {
    path: Option<PathBuf>,
    client: Option<Client>,
    /// When the last attempt to open it failed, and why.
    failure: Option<(Instant, String)>,
}

impl Connection {
    /// Opens the connection, unless the last attempt failed a moment ago.
    fn open(&mut self) -> io::Result<()> {
        let now = Instant::now();
        if let Some((last, reason)) = &self.failure {
            if now.saturating_duration_since(*last) < PAUSE {
                return Err(io::Error::other(reason.clone()));
            }
        }
        match connect(self.path.as_deref()) {
            Ok(client) => {
                self.client = Some(client);
                self.failure = None;
                Ok(())
            }
            Err(error) => {
                self.failure = Some((now, error.to_string()));
                Err(io::Error::other(error))
            }
        }
    }

    /// Does something with the connection, and drops it if it is lost.
    fn with<T>(&mut self, work: impl FnOnce(&mut Client) -> Result<T, Error>) -> io::Result<T> {
        let client = self.client.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        work(client).map_err(|error| {
            if error.is_lost() {
                self.client = None;
            }
            io::Error::new(kind(&error), error)
        })
    }

    fn has_event(&self) -> bool {
        self.client.as_ref().is_some_and(Client::has_event)
    }

    /// Takes all events: they only tell that something has changed.
    fn take_events(&mut self) -> io::Result<()> {
        self.with(|client| {
            loop {
                match client.next_event(Some(Duration::ZERO)) {
                    Ok(Some(_)) | Err(Error::EventsLost) => {}
                    Ok(None) => return Ok(()),
                    Err(error) => return Err(error),
                }
            }
        })
    }
}

fn kind(error: &Error) -> io::ErrorKind {
    if error.is_not_found() {
        io::ErrorKind::NotFound
    } else if error.is_no_space() {
        io::ErrorKind::StorageFull
    } else if error.is_access() {
        io::ErrorKind::PermissionDenied
    } else {
        io::ErrorKind::Other
    }
}

impl GuestData for Connection {
    fn read(&mut self, path: &str) -> io::Result<Option<Vec<u8>>> {
        self.with(|client| client.read_if_exists(path))
    }

    fn list(&mut self, path: &str) -> io::Result<Vec<String>> {
        Ok(self.with(|client| client.directory_if_exists(path))?.unwrap_or_default())
    }
}

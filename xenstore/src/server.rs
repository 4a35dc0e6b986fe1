//! Serves a store over unix sockets, in one thread.

use crate::error::{Error, Refusal};
use crate::store::{Connection, Identity, Store};
use crate::wire::{Decoder, HEADER_LEN, MAX_PAYLOAD, Message, MessageType, join};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::fs::{self, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// The clients at a time. Further ones are turned away.
const MAX_CLIENTS: usize = 1024;

/// The bytes that wait for a client to read them. Above that, its requests are not read.
const MAX_WAITING: usize = 64 * 1024;

/// How long nothing is accepted after the system has refused it, such as for want of descriptors.
const ACCEPT_PAUSE: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// Serves a [`Store`] until it is dropped.
///
/// A guest whose events are not read loses what does not fit, as with the daemon; a client of the
/// host is disconnected then.
pub struct Server {
    orders: Arc<Orders>,
    thread: Option<JoinHandle<()>>,
    sockets: Vec<PathBuf>,
}

impl Server {
    /// Starts a server that nobody can connect to yet.
    pub fn start(store: Store) -> io::Result<Self> {
        let (wake, woken) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        woken.set_nonblocking(true)?;
        let orders = Arc::new(Orders { list: Mutex::default(), wake });
        let serving = Serving {
            store,
            orders: Arc::clone(&orders),
            woken,
            listeners: Vec::new(),
            clients: Vec::new(),
        };
        let thread = thread::Builder::new().name("xenstore".to_owned());
        let thread = thread.spawn(move || serving.run())?;
        Ok(Self { orders, thread: Some(thread), sockets: Vec::new() })
    }

    /// Listens on a unix socket, which only this user may open, until the server is dropped.
    /// Whoever connects is turned away while the guest is not introduced.
    pub fn listen(&mut self, path: &Path, identity: Identity) -> io::Result<()> {
        // It gets its name when its mode is right.
        let mut new = path.as_os_str().to_owned();
        new.push(".new");
        let _ = fs::remove_file(&new);
        let listener = UnixListener::bind(&new)?;
        listener.set_nonblocking(true)?;
        fs::set_permissions(&new, Permissions::from_mode(0o600))?;
        fs::rename(&new, path)?;
        self.sockets.push(path.to_owned());
        self.orders.give(Order::Listen(listener, identity));
        Ok(())
    }

    /// Serves a connected stream.
    pub fn serve(&self, stream: UnixStream, identity: Identity) -> io::Result<()> {
        stream.set_nonblocking(true)?;
        self.orders.give(Order::Serve(stream, identity));
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.orders.give(Order::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        for socket in &self.sockets {
            let _ = fs::remove_file(socket);
        }
    }
}

/// What the server's thread is told to do.
enum Order {
    Listen(UnixListener, Identity),
    Serve(UnixStream, Identity),
    Stop,
}

/// Orders that wait, and how the thread is woken for them and for events.
struct Orders {
    list: Mutex<Vec<Order>>,
    wake: UnixStream,
}

impl Orders {
    fn give(&self, order: Order) {
        self.list.lock().unwrap_or_else(PoisonError::into_inner).push(order);
        self.wake();
    }

    fn take(&self) -> Vec<Order> {
        std::mem::take(&mut *self.list.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn wake(&self) {
        // When the pipe is full, the thread is woken anyway.
        let _ = (&self.wake).write(&[0]);
    }
}

/// The state of the server's thread.
struct Serving {
    store: Store,
    orders: Arc<Orders>,
    woken: UnixStream,
    listeners: Vec<(UnixListener, Identity)>,
    clients: Vec<Client>,
}

impl Serving {
    fn run(mut self) {
        let mut accepts = true;
        loop {
            for order in self.orders.take() {
                match order {
                    Order::Listen(listener, identity) => self.listeners.push((listener, identity)),
                    Order::Serve(stream, identity) => self.admit(stream, identity),
                    Order::Stop => return,
                }
            }
            let Ok(is_ready) = self.wait(accepts) else { return };
            accepts = true;
            let mut is_ready = is_ready.into_iter();
            if is_ready.next() == Some(true) {
                let _ = self.woken.read(&mut [0; 1024]);
            }
            // The new ones come to the end of the list: they have nothing to read yet.
            let ready_listeners: Vec<bool> = is_ready.by_ref().take(self.listeners.len()).collect();
            let ready_clients: Vec<bool> = is_ready.collect();
            for (place, _) in ready_listeners.iter().enumerate().filter(|(_, ready)| **ready) {
                accepts &= self.accept(place);
            }
            let mut ready = ready_clients.into_iter();
            self.clients.retain_mut(|client| client.turn(ready.next() == Some(true)).is_ok());
        }
    }

    /// Waits, and tells for the wake-up, each listener and each client whether it can be read.
    fn wait(&self, accepts: bool) -> rustix::io::Result<Vec<bool>> {
        let mut fds = vec![PollFd::new(&self.woken, PollFlags::IN)];
        for (listener, _) in &self.listeners {
            let events = if accepts { PollFlags::IN } else { PollFlags::empty() };
            fds.push(PollFd::new(listener, events));
        }
        fds.extend(
            self.clients.iter().map(|client| PollFd::new(&client.stream, client.waits_for())),
        );
        let timeout = (!accepts).then_some(&ACCEPT_PAUSE);
        match poll(&mut fds, timeout) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
        // A hang-up is found by reading.
        let readable = PollFlags::IN | PollFlags::HUP | PollFlags::ERR;
        Ok(fds.iter().map(|fd| fd.revents().intersects(readable)).collect())
    }

    /// Accepts one client, and returns whether the system can accept more.
    fn accept(&mut self, place: usize) -> bool {
        let Some((listener, identity)) = self.listeners.get(place) else { return true };
        let identity = *identity;
        match listener.accept() {
            Ok((stream, _)) => {
                if stream.set_nonblocking(true).is_ok() {
                    self.admit(stream, identity);
                }
                true
            }
            Err(error) => {
                matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
            }
        }
    }

    /// Takes a client, unless there are too many or its guest is not there.
    fn admit(&mut self, stream: UnixStream, identity: Identity) {
        if self.clients.len() == MAX_CLIENTS {
            return;
        }
        if let Some(mut connection) = self.store.connect(identity) {
            let orders = Arc::clone(&self.orders);
            connection.set_wake(move || orders.wake());
            let decoder = Decoder::default();
            self.clients.push(Client { stream, connection, decoder, waiting: Vec::new() });
        }
    }
}

/// Why a client is dropped: it has gone, its guest has gone, or it cannot be understood.
struct Gone;

/// A client.
struct Client {
    stream: UnixStream,
    connection: Connection,
    decoder: Decoder,
    /// What could not be written yet.
    waiting: Vec<u8>,
}

impl Client {
    fn waits_for(&self) -> PollFlags {
        if self.waiting.is_empty() { PollFlags::IN } else { PollFlags::OUT }
    }

    /// Reads and answers requests, and writes replies and events, as far as it can without waiting.
    fn turn(&mut self, is_readable: bool) -> Result<(), Gone> {
        // What was written in vain must be read first.
        self.flush()?;
        if is_readable && self.waiting.is_empty() {
            self.read()?;
        }
        while self.waiting.len() < MAX_WAITING {
            let has_answered = self.answer_next()?;
            let has_taken = self.take_events()?;
            self.flush()?;
            if !has_answered && !has_taken {
                break;
            }
        }
        Ok(())
    }

    fn read(&mut self) -> Result<(), Gone> {
        let mut bytes = [0; HEADER_LEN + MAX_PAYLOAD];
        match self.stream.read(&mut bytes) {
            Ok(0) => Err(Gone),
            Ok(read) => {
                self.decoder.push(bytes.get(..read).unwrap_or_default());
                Ok(())
            }
            Err(error) if can_try_again(&error) => Ok(()),
            Err(_) => Err(Gone),
        }
    }

    /// Answers one request, if a whole one has come.
    fn answer_next(&mut self) -> Result<bool, Gone> {
        let Some(request) = self.decoder.next_message().map_err(|_| Gone)? else {
            return Ok(false);
        };
        let kind = request.kind();
        let transaction = request.transaction();
        let (kind, payload) = match self.connection.answer(kind, transaction, request.payload()) {
            Ok(payload) => (kind, payload),
            Err(Error::Refused(refusal)) => (MessageType::Error.number(), error_payload(refusal)),
            Err(_) => return Err(Gone),
        };
        let reply = Message::new(kind, request.request(), transaction, payload);
        let reply = reply.map_err(|_| Gone)?.to_bytes();
        // As the daemon does it: events that a request brings about come before its reply, and the
        // first event of a watch after it.
        if kind != MessageType::Watch.number() {
            self.take_events()?;
        }
        self.waiting.extend(reply);
        Ok(true)
    }

    /// Takes events as long as there is room for them, and returns whether there were any.
    fn take_events(&mut self) -> Result<bool, Gone> {
        let mut has_taken = false;
        while self.waiting.len() < MAX_WAITING {
            let event = match self.connection.next_event(Some(Duration::ZERO)) {
                Ok(Some(event)) => event,
                Ok(None) => break,
                Err(Error::EventsLost) if self.connection.identity() != Identity::Host => continue,
                Err(_) => return Err(Gone),
            };
            let kind = MessageType::WatchEvent.number();
            let message = Message::new(kind, 0, 0, event.to_payload()).map_err(|_| Gone)?;
            self.waiting.extend(message.to_bytes());
            has_taken = true;
        }
        Ok(has_taken)
    }

    fn flush(&mut self) -> Result<(), Gone> {
        while !self.waiting.is_empty() {
            match self.stream.write(&self.waiting) {
                Ok(0) => return Err(Gone),
                Ok(written) => {
                    self.waiting.drain(..written);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => return Err(Gone),
            }
        }
        Ok(())
    }
}

fn can_try_again(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

fn error_payload(refusal: Refusal) -> Vec<u8> {
    join([refusal.name()])
}

//! The client.

use crate::error::{Error, OpenError, Refusal};
use crate::events::{EventQueue, WatchEvent};
use crate::nodes::Nodes;
use crate::path::check_watch_path;
use crate::transaction::{self, Call, Transaction};
use crate::transport::{self, Opened, Transport, wait};
use crate::wire::{Decoder, HEADER_LEN, MAX_PAYLOAD, Message, MessageType, join};
use rustix::event::PollFlags;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a reply may take unless [`Client::set_reply_limit`] says otherwise.
const REPLY_LIMIT: Duration = Duration::from_secs(30);

/// A connection to XenStore with one request outstanding at a time.
pub struct Client {
    opened: Opened,
    decoder: Decoder,
    events: EventQueue,
    reply_limit: Duration,
    deadline: Option<Instant>,
    last_request: u32,
    /// A request failed in a way after which replies would be taken for those of other requests.
    lost: bool,
}

impl Client {
    /// Connects to this machine's XenStore: what the variable `XENSTORED_PATH` names, else the
    /// daemon's socket, else the kernel's device.
    pub fn open() -> Result<Self, OpenError> {
        Self::open_until(None)
    }

    /// The same, connected until `deadline`.
    pub(crate) fn open_until(deadline: Option<Instant>) -> Result<Self, OpenError> {
        transport::open(deadline).map(Self::new)
    }

    /// Connects to a device or a unix socket.
    pub fn open_path(path: &Path) -> Result<Self, OpenError> {
        Self::open_path_until(path, None)
    }

    /// The same, connected until `deadline`.
    pub(crate) fn open_path_until(
        path: &Path,
        deadline: Option<Instant>,
    ) -> Result<Self, OpenError> {
        transport::open_path(path, deadline).map(Self::new)
    }

    /// A client of a stream, such as a connected unix socket. The stream should be non-blocking.
    pub fn over_stream(stream: impl Transport + 'static) -> Self {
        Self::new(Opened::stream(stream))
    }

    /// A client of a device, which takes shorter requests than a stream (payloads of 4080 bytes),
    /// and on old kernels refuses some of them as the errno of `write`.
    pub fn over_device(device: impl Transport + 'static) -> Self {
        Self::new(Opened::device(device))
    }

    fn new(opened: Opened) -> Self {
        Self {
            opened,
            decoder: Decoder::default(),
            events: EventQueue::default(),
            reply_limit: REPLY_LIMIT,
            deadline: None,
            last_request: 0,
            lost: false,
        }
    }

    /// How long a reply may take, from now on. After that the connection is lost. Devices of old
    /// kernels (Linux before 4.11) wait without limit.
    pub fn set_reply_limit(&mut self, limit: Duration) {
        self.reply_limit = limit;
    }

    /// When the requests from now on must have been answered, all together; `None` leaves each of
    /// them the reply limit. After that the connection is lost.
    pub fn set_deadline(&mut self, deadline: Option<Instant>) {
        self.deadline = deadline;
    }

    /// The longest payload of a request, in bytes.
    pub fn max_payload(&self) -> usize {
        self.opened.max_payload
    }

    /// Asks for an event whenever `path` or anything below it changes, and for one at once. The
    /// path may be special: `@introduceDomain` and `@releaseDomain` tell of domains that come and
    /// go.
    ///
    /// `EEXIST`: the connection has this watch already. `E2BIG`: a guest has too many (about 128).
    pub fn watch(&mut self, path: &str, token: &str) -> Result<(), Error> {
        self.watch_request(MessageType::Watch, path, token)
    }

    /// Ends a watch. Events that are on their way still come. `ENOENT`: there is no such watch.
    pub fn unwatch(&mut self, path: &str, token: &str) -> Result<(), Error> {
        self.watch_request(MessageType::Unwatch, path, token)
    }

    fn watch_request(&mut self, kind: MessageType, path: &str, token: &str) -> Result<(), Error> {
        check_watch_path(path)?;
        check_text(token)?;
        self.call(kind, 0, &join([path, token])).map(drop)
    }

    /// Ends all watches of the connection, and its transactions. Not for the device of Linux, whose
    /// own watches would end.
    pub fn reset_watches(&mut self) -> Result<(), Error> {
        self.call(MessageType::ResetWatches, 0, &join([""])).map(drop)
    }

    /// A domain's directory, `/local/domain/DOMID`, whether the domain exists or not.
    pub fn domain_path(&mut self, domid: u32) -> Result<String, Error> {
        let payload = self.call(MessageType::GetDomainPath, 0, &join([&*domid.to_string()]))?;
        text(payload)
    }

    /// Whether a domain is known to XenStore.
    pub fn is_introduced(&mut self, domid: u32) -> Result<bool, Error> {
        let payload =
            self.call(MessageType::IsDomainIntroduced, 0, &join([&*domid.to_string()]))?;
        match payload.as_slice() {
            [b'T', 0] | b"T" => Ok(true),
            [b'F', 0] | b"F" => Ok(false),
            _ => Err(Error::Malformed("it is neither T nor F")),
        }
    }

    /// Tells of a new domain: the frame of its XenStore page and its event channel.
    pub fn introduce(&mut self, domid: u32, frame: u64, event_channel: u32) -> Result<(), Error> {
        let arguments = [domid.to_string(), frame.to_string(), event_channel.to_string()];
        self.numbers_request(MessageType::Introduce, &arguments)
    }

    /// Tells that a domain is gone.
    pub fn release(&mut self, domid: u32) -> Result<(), Error> {
        self.numbers_request(MessageType::Release, &[domid.to_string()])
    }

    /// Tells that a domain which was shut down runs again.
    pub fn resume(&mut self, domid: u32) -> Result<(), Error> {
        self.numbers_request(MessageType::Resume, &[domid.to_string()])
    }

    /// Gives `domid`, a stub domain, the rights of `target`.
    pub fn set_target(&mut self, domid: u32, target: u32) -> Result<(), Error> {
        self.numbers_request(MessageType::SetTarget, &[domid.to_string(), target.to_string()])
    }

    fn numbers_request(&mut self, kind: MessageType, numbers: &[String]) -> Result<(), Error> {
        self.call(kind, 0, &join(numbers.iter().map(String::as_str))).map(drop)
    }

    /// Gives a command to the daemon itself, such as `["check"]`, and returns what it says.
    pub fn control(&mut self, command: &[&str]) -> Result<String, Error> {
        command.iter().try_for_each(|text| check_text(text))?;
        text(self.call(MessageType::Control, 0, &join(command.iter().copied()))?)
    }

    /// Does `work` in a transaction: all of its changes are carried out together, or none. The work
    /// is repeated while other changes get in the way, and given up with `EAGAIN` after 50
    /// attempts. Nothing is changed if the work fails.
    ///
    /// `ENOSPC`: a guest has too many transactions at a time, or too many nodes in one.
    pub fn transaction<T>(
        &mut self,
        work: impl FnMut(&mut Transaction<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        transaction::repeat(self, work)
    }

    /// The next event of a watch; `None` if none came before the timeout. Without a timeout it
    /// waits for ever.
    pub fn next_event(&mut self, timeout: Option<Duration>) -> Result<Option<WatchEvent>, Error> {
        // A timeout too long to be a time is none.
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            if let Some(event) = self.events.pop() {
                return event.map(Some);
            }
            self.check_not_lost()?;
            // A reply to nothing is dropped.
            match self.receive(deadline).and_then(|()| self.take_reply()) {
                Ok(_) => {}
                Err(Error::TimedOut) => return Ok(None),
                Err(error) => return Err(self.lose(error)),
            }
        }
    }

    /// Whether [`Client::next_event`] has something to return without waiting for the descriptor.
    pub fn has_event(&self) -> bool {
        !self.events.is_empty()
    }

    fn exchange(&mut self, request: &[u8], deadline: Option<Instant>) -> Result<Message, Error> {
        self.send(request, deadline)?;
        loop {
            if let Some(reply) = self.take_reply()? {
                return Ok(reply);
            }
            self.receive(deadline)?;
        }
    }

    /// Writes a whole request. Drivers must not be waited for before they are written to: Linux's
    /// never says that it is writable.
    fn send(&mut self, mut request: &[u8], deadline: Option<Instant>) -> Result<(), Error> {
        while !request.is_empty() {
            match self.opened.transport.write(request) {
                Ok(0) => return Err(Error::Closed),
                Ok(written) => request = request.get(written..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let fd = self.opened.transport.as_fd();
                    // The daemon may be waiting for its events to be read.
                    if !wait(fd, PollFlags::IN | PollFlags::OUT, deadline).map_err(Error::Io)? {
                        return Err(Error::TimedOut);
                    }
                    self.receive_if_ready()?;
                }
                Err(error) => {
                    let refusal = Refusal::from_write_error(&error);
                    let refusal = refusal.filter(|_| self.opened.is_device);
                    return Err(refusal.map_or_else(|| lost_write(error), Error::Refused));
                }
            }
        }
        Ok(())
    }

    fn receive_if_ready(&mut self) -> Result<(), Error> {
        match self.receive(Some(Instant::now())) {
            Err(Error::TimedOut) => Ok(()),
            other => other,
        }
    }

    /// Waits for bytes and reads what is there. Kernels exist whose device has no non-blocking
    /// `read`: it is read only when there is something.
    fn receive(&mut self, deadline: Option<Instant>) -> Result<(), Error> {
        let mut buffer = [0; HEADER_LEN + MAX_PAYLOAD];
        loop {
            let fd = self.opened.transport.as_fd();
            if !wait(fd, PollFlags::IN, deadline).map_err(Error::Io)? {
                return Err(Error::TimedOut);
            }
            match self.opened.transport.read(&mut buffer) {
                Ok(0) => return Err(Error::Closed),
                Ok(read) => {
                    self.decoder.push(buffer.get(..read).unwrap_or_default());
                    return Ok(());
                }
                Err(error) => match error.kind() {
                    ErrorKind::Interrupted | ErrorKind::WouldBlock => {}
                    ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => {
                        return Err(Error::Closed);
                    }
                    _ => return Err(Error::Io(error)),
                },
            }
        }
    }

    /// Takes all messages that have come: events are queued, a reply is returned.
    fn take_reply(&mut self) -> Result<Option<Message>, Error> {
        let mut reply = None;
        while let Some(message) = self.decoder.next_message()? {
            if message.message_type() == Some(MessageType::WatchEvent) {
                self.events.push(WatchEvent::from_payload(message.payload())?);
            } else if reply.replace(message).is_some() {
                return Err(Error::Malformed("there are two replies to one request"));
            }
        }
        Ok(reply)
    }

    fn check_not_lost(&self) -> Result<(), Error> {
        if self.lost { Err(Error::Lost) } else { Ok(()) }
    }

    fn lose(&mut self, error: Error) -> Error {
        self.lost = true;
        error
    }
}

impl Call for Client {
    fn call(
        &mut self,
        kind: MessageType,
        transaction: u32,
        payload: &[u8],
    ) -> Result<Vec<u8>, Error> {
        self.check_not_lost()?;
        let limit = self.max_payload();
        if payload.len() > limit {
            return Err(Error::TooLong { length: payload.len(), limit });
        }
        self.last_request = self.last_request.checked_add(1).unwrap_or(1);
        let request =
            Message::new(kind.number(), self.last_request, transaction, payload.to_vec())?;
        let of_reply = Instant::now().checked_add(self.reply_limit);
        let deadline = [of_reply, self.deadline].into_iter().flatten().min();
        let reply = match self.exchange(&request.to_bytes(), deadline) {
            Ok(reply) => reply,
            Err(error @ Error::Refused(_)) => return Err(error),
            Err(error) => return Err(self.lose(error)),
        };
        // The number of the request is not compared: old kernels answer some with 0. There is only
        // one request that this can be the reply to.
        match reply.message_type() {
            Some(MessageType::Error) => {
                let name = text(reply.into_payload()).unwrap_or_default();
                Err(Error::Refused(Refusal::from_name(&name)))
            }
            Some(answered) if answered == kind => Ok(reply.into_payload()),
            _ => Err(self.lose(Error::Malformed("it is of another type than the request"))),
        }
    }
}

/// Outside of a transaction.
impl Nodes for Client {
    fn request(&mut self, kind: MessageType, payload: &[u8]) -> Result<Vec<u8>, Error> {
        self.call(kind, 0, payload)
    }
}

/// Readable when there may be an event: see [`Client::has_event`] for those that were read already.
impl AsFd for Client {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.opened.transport.as_fd()
    }
}

fn lost_write(error: std::io::Error) -> Error {
    match error.kind() {
        ErrorKind::BrokenPipe | ErrorKind::ConnectionReset => Error::Closed,
        _ => Error::Io(error),
    }
}

/// A text, with or without a NUL at its end.
fn text(mut payload: Vec<u8>) -> Result<String, Error> {
    if payload.last() == Some(&0) {
        payload.pop();
    }
    String::from_utf8(payload).map_err(|_| Error::Malformed("it holds no text"))
}

fn check_text(text: &str) -> Result<(), Error> {
    if text.contains('\0') { Err(Error::Nul) } else { Ok(()) }
}

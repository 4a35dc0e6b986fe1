//! A guest: a thread that passes messages between unix sockets and the guest's ring, as a guest's
//! kernel does for its processes.

use super::multiplexer::{ClientNumber, Multiplexer};
use super::ring::Ring;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};
use xend_xenstore::wire::{Decoder, HEADER_LEN, PayloadTooLong};

/// Replies that a client has not read, in bytes, above which it is disconnected.
const MAX_UNREAD: usize = 1024 * 1024;

/// xenstored sends no event when it gives a guest up: that is looked for as often as this.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// Ends with its value.
pub(super) struct Guest {
    thread: Option<JoinHandle<()>>,
    /// The thread ends when this end of the connection is closed.
    stop: Option<UnixStream>,
}

impl Guest {
    /// Makes the guest's files in `directory`, and serves clients at `directory/socket`. Events for
    /// xenstored go to the socket `xenstored_events`, as the number of the event channel.
    pub(super) fn start(
        directory: &Path,
        xenstored_events: PathBuf,
        port: u32,
    ) -> io::Result<Self> {
        let ring = Ring::create(&directory.join("ring"))?;
        let events = UnixDatagram::bind(directory.join("events"))?;
        events.set_nonblocking(true)?;
        let socket = directory.join("socket");
        let listener = UnixListener::bind(&socket)?;
        listener.set_nonblocking(true)?;
        let (stop, stopped) = UnixStream::pair()?;
        let bridge = Bridge {
            ring,
            events,
            xenstored_events,
            port,
            socket,
            listener,
            stopped,
            clients: BTreeMap::new(),
            multiplexer: Multiplexer::default(),
            requests: Vec::new(),
            replies: Decoder::default(),
        };
        let thread = thread::spawn(move || bridge.run());
        Ok(Self { thread: Some(thread), stop: Some(stop) })
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.stop = None;
        let ended = self.thread.take().map_or(Ok(()), JoinHandle::join);
        if !thread::panicking() {
            ended.unwrap();
        }
    }
}

struct Bridge {
    ring: Ring,
    /// xenstored has read or written the ring.
    events: UnixDatagram,
    xenstored_events: PathBuf,
    port: u32,
    socket: PathBuf,
    listener: UnixListener,
    stopped: UnixStream,
    clients: BTreeMap<ClientNumber, Client>,
    multiplexer: Multiplexer,
    /// Bytes that are to go into the ring. While there are some, clients are not read.
    requests: Vec<u8>,
    replies: Decoder,
}

struct Client {
    stream: UnixStream,
    requests: Decoder,
    replies: Vec<u8>,
}

impl Bridge {
    /// Runs until the guest is dropped, or xenstored has given it up.
    fn run(mut self) {
        while !self.ring.is_broken() && self.wait() {
            let mut event = [0];
            while self.events.recv(&mut event).is_ok() {}
            while let Ok((stream, _)) = self.listener.accept() {
                stream.set_nonblocking(true).unwrap();
                let client = Client { stream, requests: Decoder::default(), replies: Vec::new() };
                self.clients.insert(self.multiplexer.add_client(), client);
            }
            self.exchange();
            if self.requests.is_empty() {
                self.read_clients();
                self.exchange();
            }
            self.write_clients();
        }
        // Nobody may connect any more. Gone already if the guest was destroyed.
        let _ = fs::remove_file(self.socket);
    }

    /// Waits for something to do, for a moment. False: the guest is to end.
    fn wait(&self) -> bool {
        let mut waiting = vec![
            PollFd::new(&self.stopped, PollFlags::IN),
            PollFd::new(&self.events, PollFlags::IN),
            PollFd::new(&self.listener, PollFlags::IN),
        ];
        for client in self.clients.values() {
            let mut flags = PollFlags::empty();
            flags.set(PollFlags::IN, self.requests.is_empty());
            flags.set(PollFlags::OUT, !client.replies.is_empty());
            // A client that has hung up would end each wait at once, though it is not read now.
            if !flags.is_empty() {
                waiting.push(PollFd::new(&client.stream, flags));
            }
        }
        match poll(&mut waiting, Some(&LOOK)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => waiting[0].revents().is_empty(),
            Err(error) => panic!("poll: {error}"),
        }
    }

    /// Moves bytes to and from the ring until both sides wait.
    fn exchange(&mut self) {
        loop {
            let written = self.ring.write(&self.requests);
            self.requests.drain(..written);
            let read = self.ring.read();
            if written == 0 && read.is_empty() {
                break;
            }
            // Fails if xenstored has ended: then clients wait in vain.
            let event = UnixDatagram::unbound().unwrap();
            let _ = event.send_to(&self.port.to_ne_bytes(), &self.xenstored_events);
            self.replies.push(&read);
            while let Some(message) = self.replies.next_message().unwrap() {
                let routed = self.multiplexer.route(&message);
                if let Some(request) = routed.request {
                    self.requests.extend(request.to_bytes());
                }
                if let Some((client, reply)) = routed.reply {
                    if let Some(client) = self.clients.get_mut(&client) {
                        client.replies.extend(reply.to_bytes());
                    }
                }
            }
        }
    }

    fn read_clients(&mut self) {
        let mut ended = Vec::new();
        for (&number, client) in &mut self.clients {
            let mut bytes = [0; 4096];
            match client.stream.read(&mut bytes) {
                Ok(0) => ended.push(number),
                Ok(length) => client.requests.push(&bytes[..length]),
                Err(error) if is_temporary(&error) => {}
                Err(_) => ended.push(number),
            }
            loop {
                match client.requests.next_message() {
                    Ok(Some(message)) => {
                        let request = self.multiplexer.request(number, message);
                        self.requests.extend(request.to_bytes());
                    }
                    Ok(None) => break,
                    // xenstored is to judge it.
                    Err(PayloadTooLong(length)) => {
                        self.requests.extend(header_of_length(length));
                        break;
                    }
                }
            }
        }
        for number in ended {
            self.end_client(number);
        }
    }

    fn write_clients(&mut self) {
        let mut ended = Vec::new();
        for (&number, client) in &mut self.clients {
            match client.stream.write(&client.replies) {
                Ok(length) => {
                    client.replies.drain(..length);
                }
                Err(error) if is_temporary(&error) => {}
                Err(_) => ended.push(number),
            }
            if client.replies.len() > MAX_UNREAD {
                ended.push(number);
            }
        }
        for number in ended {
            self.end_client(number);
        }
        self.exchange();
    }

    fn end_client(&mut self, number: ClientNumber) {
        self.clients.remove(&number);
        for request in self.multiplexer.remove_client(number) {
            self.requests.extend(request.to_bytes());
        }
    }
}

fn is_temporary(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

fn header_of_length(length: usize) -> [u8; HEADER_LEN] {
    let mut header = [0; HEADER_LEN];
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    header[HEADER_LEN - 4..].copy_from_slice(&length.to_ne_bytes());
    header
}

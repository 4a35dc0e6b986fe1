//! A connection that sends any message, and checks nothing.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;
use xend_xenstore::Refusal;
use xend_xenstore::wire::{Decoder, HEADER_LEN, Message, MessageType};

/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(10);

const REQUEST: u32 = 77;

pub(crate) struct Raw {
    stream: UnixStream,
    decoder: Decoder,
    events: Vec<String>,
}

impl Raw {
    pub(crate) fn connect(socket: &Path) -> Self {
        let stream = UnixStream::connect(socket).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        Self { stream, decoder: Decoder::default(), events: Vec::new() }
    }

    /// A request outside of a transaction.
    pub(crate) fn ask(
        &mut self,
        kind: MessageType,
        payload: impl AsRef<[u8]>,
    ) -> Result<Vec<u8>, Refusal> {
        self.call(kind.number(), 0, payload)
    }

    pub(crate) fn call(
        &mut self,
        kind: u32,
        transaction: u32,
        payload: impl AsRef<[u8]>,
    ) -> Result<Vec<u8>, Refusal> {
        let payload = payload.as_ref().to_vec();
        let request = Message::new(kind, REQUEST, transaction, payload).unwrap();
        self.stream.write_all(&request.to_bytes()).unwrap();
        loop {
            let reply = self.next();
            if reply.message_type() == Some(MessageType::WatchEvent) {
                self.events.push(event(&reply));
                continue;
            }
            assert_eq!((reply.request(), reply.transaction()), (REQUEST, transaction));
            if reply.message_type() == Some(MessageType::Error) {
                return Err(Refusal::from_name(&text(reply.payload())));
            }
            assert_eq!(reply.kind(), kind);
            return Ok(reply.into_payload());
        }
    }

    /// The number of a new transaction.
    pub(crate) fn start(&mut self) -> Result<u32, Refusal> {
        let reply = self.ask(MessageType::TransactionStart, "\0")?;
        Ok(text(&reply).parse().unwrap())
    }

    pub(crate) fn commit(&mut self, transaction: u32) -> Result<(), Refusal> {
        self.end(transaction, "T\0")
    }

    pub(crate) fn abort(&mut self, transaction: u32) -> Result<(), Refusal> {
        self.end(transaction, "F\0")
    }

    fn end(&mut self, transaction: u32, how: &str) -> Result<(), Refusal> {
        let reply = self.call(MessageType::TransactionEnd.number(), transaction, how)?;
        assert_eq!(reply, b"OK\0");
        Ok(())
    }

    pub(crate) fn read_in(&mut self, transaction: u32, path: &str) -> Result<String, Refusal> {
        let reply = self.call(MessageType::Read.number(), transaction, format!("{path}\0"))?;
        Ok(String::from_utf8(reply).unwrap())
    }

    pub(crate) fn write_in(
        &mut self,
        transaction: u32,
        path: &str,
        value: &str,
    ) -> Result<(), Refusal> {
        let payload = format!("{path}\0{value}");
        let reply = self.call(MessageType::Write.number(), transaction, payload)?;
        assert_eq!(reply, b"OK\0");
        Ok(())
    }

    /// All events of what was done up to now, each as `path token`.
    pub(crate) fn events(&mut self) -> Vec<String> {
        // They come before the reply to any later request.
        self.ask(MessageType::GetDomainPath, "0\0").unwrap();
        std::mem::take(&mut self.events)
    }

    /// Sends a header that announces a payload of this length.
    pub(crate) fn announce(&mut self, length: u32) {
        let numbers = [MessageType::Read.number(), REQUEST, 0, length];
        self.stream.write_all(&numbers.map(u32::to_ne_bytes).concat()).unwrap();
    }

    /// Whether the daemon has closed the connection.
    pub(crate) fn is_closed(&mut self) -> bool {
        match self.stream.read(&mut [0; HEADER_LEN]) {
            Ok(length) => length == 0,
            Err(error) => error.kind() == ErrorKind::ConnectionReset,
        }
    }

    fn next(&mut self) -> Message {
        loop {
            if let Some(message) = self.decoder.next_message().unwrap() {
                return message;
            }
            let mut bytes = [0; 8192];
            let length = self.stream.read(&mut bytes).unwrap();
            assert_ne!(length, 0, "The daemon has closed the connection");
            self.decoder.push(&bytes[..length]);
        }
    }
}

fn text(payload: &[u8]) -> String {
    let text = std::str::from_utf8(payload).unwrap();
    text.strip_suffix('\0').unwrap().to_owned()
}

fn event(message: &Message) -> String {
    assert_eq!(message.message_type(), Some(MessageType::WatchEvent));
    assert_eq!((message.request(), message.transaction()), (0, 0));
    let text = text(message.payload());
    text.replace('\0', " ")
}

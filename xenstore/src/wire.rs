//! Messages: a header of four `u32` in the machine's byte order (type, request, transaction, length
//! of the payload), then the payload.

use std::fmt;

/// The bytes of a header.
pub const HEADER_LEN: usize = 16;

/// The longest payload, in bytes. XenStore ends a connection that announces a longer one.
pub const MAX_PAYLOAD: usize = 4096;

/// What a message is: a request and its reply have the same type, unless the reply is an `Error`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum MessageType {
    /// A command to the daemon itself; called `DEBUG` by old versions.
    Control = 0,
    /// The names of a node's children.
    Directory = 1,
    /// A node's value.
    Read = 2,
    /// A node's permissions.
    GetPerms = 3,
    /// Asks for events when a node or anything below it changes.
    Watch = 4,
    /// Ends a watch.
    Unwatch = 5,
    /// Begins a transaction, whose number is the reply.
    TransactionStart = 6,
    /// Ends a transaction: `T` carries it out, `F` drops it.
    TransactionEnd = 7,
    /// Tells of a new domain.
    Introduce = 8,
    /// Tells that a domain is gone.
    Release = 9,
    /// A domain's directory.
    GetDomainPath = 10,
    /// Sets a node's value, and makes the node and those above it.
    Write = 11,
    /// Makes a node if there is none.
    Mkdir = 12,
    /// Removes a node and all below it.
    Remove = 13,
    /// Sets a node's permissions.
    SetPerms = 14,
    /// An event of a watch; never a reply.
    WatchEvent = 15,
    /// A refusal: the reply to any request.
    Error = 16,
    /// Whether a domain was introduced, `T` or `F`.
    IsDomainIntroduced = 17,
    /// Tells that a domain which was shut down runs again.
    Resume = 18,
    /// Gives a domain the rights of another: a stub domain those of its guest.
    SetTarget = 19,
    /// Ends all watches of the connection.
    ResetWatches = 21,
    /// A part of the names of a node's children, for lists longer than a payload.
    DirectoryPart = 22,
}

impl MessageType {
    /// All of them. There is no number 20.
    pub const ALL: [Self; 22] = [
        Self::Control,
        Self::Directory,
        Self::Read,
        Self::GetPerms,
        Self::Watch,
        Self::Unwatch,
        Self::TransactionStart,
        Self::TransactionEnd,
        Self::Introduce,
        Self::Release,
        Self::GetDomainPath,
        Self::Write,
        Self::Mkdir,
        Self::Remove,
        Self::SetPerms,
        Self::WatchEvent,
        Self::Error,
        Self::IsDomainIntroduced,
        Self::Resume,
        Self::SetTarget,
        Self::ResetWatches,
        Self::DirectoryPart,
    ];

    /// The type with this number on the wire.
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }

    /// The number on the wire.
    pub const fn number(self) -> u32 {
        self as u32
    }
}

/// A payload of more than [`MAX_PAYLOAD`] bytes, or a header that announces one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("A message has {0} bytes: at most {MAX_PAYLOAD} are possible")]
pub struct PayloadTooLong(
    /// The length of the payload, in bytes.
    pub usize,
);

/// One message.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    kind: u32,
    request: u32,
    transaction: u32,
    payload: Vec<u8>,
}

impl Message {
    /// A message; `request` is chosen by who asks, and comes back in the reply. `transaction` is 0
    /// outside of transactions.
    pub fn new(
        kind: u32,
        request: u32,
        transaction: u32,
        payload: Vec<u8>,
    ) -> Result<Self, PayloadTooLong> {
        if payload.len() > MAX_PAYLOAD {
            return Err(PayloadTooLong(payload.len()));
        }
        Ok(Self { kind, request, transaction, payload })
    }

    /// The number of its type. Clients may send unknown ones.
    pub fn kind(&self) -> u32 {
        self.kind
    }

    /// Its type, unless it is unknown.
    pub fn message_type(&self) -> Option<MessageType> {
        MessageType::from_number(self.kind)
    }

    /// The number of the request.
    pub fn request(&self) -> u32 {
        self.request
    }

    /// The number of the transaction; 0 is none.
    pub fn transaction(&self) -> u32 {
        self.transaction
    }

    /// What follows the header.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// What follows the header.
    pub fn into_payload(self) -> Vec<u8> {
        self.payload
    }

    /// Header and payload as they are sent.
    pub fn to_bytes(&self) -> Vec<u8> {
        let length = u32::try_from(self.payload.len()).unwrap_or(u32::MAX);
        let mut bytes = Vec::with_capacity(HEADER_LEN + self.payload.len());
        for number in [self.kind, self.request, self.transaction, length] {
            bytes.extend_from_slice(&number.to_ne_bytes());
        }
        bytes.extend_from_slice(&self.payload);
        bytes
    }
}

/// Values hold passwords: only their length is shown.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("kind", &self.kind)
            .field("request", &self.request)
            .field("transaction", &self.transaction)
            .field("payload_len", &self.payload.len())
            .finish()
    }
}

/// Makes messages of bytes, however they are split. It holds what was pushed and not yet taken.
#[derive(Default)]
pub struct Decoder {
    bytes: Vec<u8>,
    /// Where in `bytes` the next message begins.
    start: usize,
}

impl Decoder {
    /// Takes further bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole message, if it is there. After an error the rest cannot be understood.
    pub fn next_message(&mut self) -> Result<Option<Message>, PayloadTooLong> {
        let rest = self.bytes.get(self.start..).unwrap_or_default();
        let Some((header, rest)) = rest.split_first_chunk::<HEADER_LEN>() else {
            self.forget_taken();
            return Ok(None);
        };
        let [kind, request, transaction, length] = numbers(header);
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > MAX_PAYLOAD {
            return Err(PayloadTooLong(length));
        }
        let Some(payload) = rest.get(..length) else {
            self.forget_taken();
            return Ok(None);
        };
        let message = Message { kind, request, transaction, payload: payload.to_vec() };
        self.start += HEADER_LEN + length;
        Ok(Some(message))
    }

    fn forget_taken(&mut self) {
        self.bytes.drain(..self.start);
        self.start = 0;
    }
}

fn numbers(header: &[u8; HEADER_LEN]) -> [u32; 4] {
    let mut numbers = [0; 4];
    for (number, bytes) in numbers.iter_mut().zip(header.chunks_exact(4)) {
        *number = bytes.try_into().map_or(0, u32::from_ne_bytes);
    }
    numbers
}

/// A payload of texts, a NUL after each.
pub fn join<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<u8> {
    let mut payload = Vec::new();
    for text in texts {
        payload.extend_from_slice(text.as_bytes());
        payload.push(0);
    }
    payload
}

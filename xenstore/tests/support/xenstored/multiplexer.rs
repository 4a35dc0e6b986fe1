//! What a guest's kernel does for its processes: all clients share the domain's one connection.
//!
//! Requests get numbers of their own, and tokens of watches the client's number in front. What a
//! client leaves behind when it ends, watches and transactions, is taken back.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use xend_xenstore::wire::{Message, MessageType};

/// The number of a client. 0 is the multiplexer itself.
pub(super) type ClientNumber = u32;

#[derive(Default)]
pub(super) struct Multiplexer {
    clients: BTreeMap<ClientNumber, Held>,
    last_client: ClientNumber,
    requests: HashMap<u32, Request>,
    last_request: u32,
}

/// What a client has in XenStore.
#[derive(Default)]
struct Held {
    /// Payloads that set the watches, as they were sent.
    watches: BTreeSet<Vec<u8>>,
    transactions: BTreeSet<u32>,
}

/// A request that waits for its reply.
struct Request {
    client: ClientNumber,
    /// As the client sent it, but for a watch's token.
    message: Message,
}

/// What is to be done about a message from xenstored.
#[derive(Default)]
pub(super) struct Routed {
    /// For a client.
    pub(super) reply: Option<(ClientNumber, Message)>,
    /// For xenstored: takes back what was for a client that has ended.
    pub(super) request: Option<Message>,
}

impl Multiplexer {
    pub(super) fn add_client(&mut self) -> ClientNumber {
        self.last_client += 1;
        self.clients.insert(self.last_client, Held::default());
        self.last_client
    }

    /// Forgets a client. The requests take back what it has in XenStore.
    pub(super) fn remove_client(&mut self, client: ClientNumber) -> Vec<Message> {
        let held = self.clients.remove(&client).unwrap_or_default();
        let watches = held.watches.into_iter().map(unwatch);
        let transactions = held.transactions.into_iter().map(abort);
        let requests: Vec<Message> = watches.chain(transactions).collect();
        requests.into_iter().map(|request| self.request(0, request)).collect()
    }

    /// A client's request as xenstored gets it.
    pub(super) fn request(&mut self, client: ClientNumber, message: Message) -> Message {
        let names_token = matches!(
            message.message_type(),
            Some(MessageType::Watch | MessageType::Unwatch) if client != 0
        );
        let message = if names_token { add_client_to_token(client, message) } else { message };
        self.last_request = self.last_request.wrapping_add(1);
        let sent = with(&message, self.last_request, message.payload().to_vec());
        self.requests.insert(self.last_request, Request { client, message });
        sent
    }

    /// Finds the client that a message of xenstored is for.
    pub(super) fn route(&mut self, message: &Message) -> Routed {
        if message.message_type() == Some(MessageType::WatchEvent) {
            return Routed { reply: self.event(message), request: None };
        }
        let Some(Request { client, message: request }) = self.requests.remove(&message.request())
        else {
            return Routed::default();
        };
        let cleanup = self.note(client, &request, message);
        let reply = with(message, request.request(), message.payload().to_vec());
        Routed {
            reply: self.clients.contains_key(&client).then_some((client, reply)),
            request: cleanup.map(|cleanup| self.request(0, cleanup)),
        }
    }

    /// Remembers what a reply means for what the client has. If it has ended, the request takes
    /// that back.
    fn note(
        &mut self,
        client: ClientNumber,
        request: &Message,
        reply: &Message,
    ) -> Option<Message> {
        let refused = reply.message_type() == Some(MessageType::Error);
        let held = self.clients.get_mut(&client);
        match request.message_type()? {
            MessageType::Watch if !refused => match held {
                Some(held) => {
                    held.watches.insert(request.payload().to_vec());
                }
                None => return Some(unwatch(request.payload().to_vec())),
            },
            MessageType::Unwatch if !refused => {
                held?.watches.remove(request.payload());
            }
            MessageType::TransactionStart if !refused => {
                let number = std::str::from_utf8(reply.payload()).ok()?;
                let number = number.trim_end_matches('\0').parse().ok()?;
                match held {
                    Some(held) => {
                        held.transactions.insert(number);
                    }
                    None => return Some(abort(number)),
                }
            }
            // A transaction that conflicts is gone, too.
            MessageType::TransactionEnd if !refused || reply.payload() == b"EAGAIN\0" => {
                held?.transactions.remove(&request.transaction());
            }
            // Of the whole domain.
            MessageType::ResetWatches if !refused => {
                self.clients.values_mut().for_each(|held| *held = Held::default());
            }
            _ => {}
        }
        None
    }

    fn event(&self, message: &Message) -> Option<(ClientNumber, Message)> {
        let (path, token) = split_at_nul(message.payload())?;
        let colon = token.iter().position(|byte| *byte == b':')?;
        let client = std::str::from_utf8(&token[..colon]).ok()?.parse().ok()?;
        let payload = [path, &token[colon + 1..]].concat();
        let known = self.clients.contains_key(&client);
        known.then(|| (client, with(message, message.request(), payload)))
    }
}

/// `payload` has at most as many bytes as one that was possible.
fn with(message: &Message, request: u32, payload: Vec<u8>) -> Message {
    Message::new(message.kind(), request, message.transaction(), payload).unwrap()
}

/// A token that leaves no room for the number stays as it is: xenstored refuses it anyway.
fn add_client_to_token(client: ClientNumber, message: Message) -> Message {
    let Some((path, token)) = split_at_nul(message.payload()) else { return message };
    let payload = [path, format!("{client}:").as_bytes(), token].concat();
    Message::new(message.kind(), message.request(), message.transaction(), payload)
        .unwrap_or(message)
}

/// The path with its NUL, and the rest.
fn split_at_nul(payload: &[u8]) -> Option<(&[u8], &[u8])> {
    let nul = payload.iter().position(|byte| *byte == 0)?;
    Some(payload.split_at(nul + 1))
}

fn unwatch(payload: Vec<u8>) -> Message {
    Message::new(MessageType::Unwatch.number(), 0, 0, payload).unwrap()
}

fn abort(transaction: u32) -> Message {
    Message::new(MessageType::TransactionEnd.number(), 0, transaction, b"F\0".to_vec()).unwrap()
}

//! XenStore: any bytes make messages, however they are split, and the store answers each of them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::io::Write;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::time::Duration;
use xend_xenstore::wire::{Decoder, Message};
use xend_xenstore::{Client, Error, Identity, Nodes, Store};

/// The messages in these pieces, and whether the last one can be understood.
fn messages<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Message>, bool) {
    let mut decoder = Decoder::default();
    let mut messages = Vec::new();
    for piece in pieces {
        decoder.push(piece);
        loop {
            match decoder.next_message() {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(_) => return (messages, false),
            }
        }
    }
    (messages, true)
}

/// A client whose daemon sends these bytes ends by an error or an answer.
fn read_as_client(bytes: &[u8]) {
    // As much as fits into a socket's buffer.
    let bytes = &bytes[..bytes.len().min(60_000)];
    let (ours, mut theirs) = UnixStream::pair().expect("a pair of sockets");
    theirs.write_all(bytes).expect("it fits");
    theirs.shutdown(Shutdown::Write).expect("it is open");
    let mut client = Client::over_stream(ours);
    let _ = client.read("data");
    loop {
        match client.next_event(Some(Duration::ZERO)) {
            Ok(Some(_)) | Err(Error::EventsLost) => {}
            Ok(None) => break,
            Err(error) => {
                assert!(error.is_lost());
                break;
            }
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let whole = messages([bytes]);
    assert_eq!(whole, messages(bytes.chunks(1)));
    read_as_client(bytes);

    let store = Store::new();
    store.introduce(5).expect("5 is a guest's number");
    let mut host = store.connect(Identity::Host).expect("domain 0 is there");
    let mut guest = store.connect(Identity::Guest(5)).expect("domain 5 was introduced");
    for message in &whole.0 {
        let written = message.to_bytes();
        assert_eq!(messages([&*written]).0, std::slice::from_ref(message));
        let Some(kind) = message.message_type() else { continue };
        // A message of the host may end the guest's connection.
        let _ = guest.request(kind, message.payload());
        let _ = host.request(kind, message.payload());
    }
    assert!(host.directory("/").is_ok());
});

//! The server's own limits: what clients may do to it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use xend_xenstore::wire::{Decoder, Message, MessageType, join};
use xend_xenstore::{Client, Identity, Nodes, Server, Store};

const LIMIT: Duration = Duration::from_secs(10);

struct Setup {
    store: Store,
    server: Server,
    directory: TempDir,
}

impl Setup {
    /// A server with domain 5.
    fn new() -> Self {
        let store = Store::new();
        store.introduce(5).unwrap();
        let mut server = Server::start(store.clone()).unwrap();
        let directory = tempfile::tempdir().unwrap();
        server.listen(&directory.path().join("host"), Identity::Host).unwrap();
        server.listen(&directory.path().join("guest"), Identity::Guest(5)).unwrap();
        Self { store, server, directory }
    }

    fn socket(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn client(&self, name: &str) -> Client {
        Client::open_path(&self.socket(name)).unwrap()
    }

    fn stream(&self, name: &str) -> UnixStream {
        let stream = UnixStream::connect(self.socket(name)).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream
    }
}

fn request(kind: MessageType, payload: &[u8]) -> Vec<u8> {
    Message::new(kind.number(), 1, 0, payload.to_vec()).unwrap().to_bytes()
}

/// Reads messages until one of these has come, or the connection has ended.
fn read_until(stream: &mut UnixStream, last: MessageType) -> Option<usize> {
    let mut decoder = Decoder::default();
    let mut bytes = vec![0; 65_536];
    let mut count = 0;
    loop {
        let read = match stream.read(&mut bytes) {
            Ok(0) => return None,
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
            Err(error) => panic!("{error}"),
        };
        decoder.push(&bytes[..read]);
        while let Some(message) = decoder.next_message().unwrap() {
            count += 1;
            if message.message_type() == Some(last) {
                return Some(count);
            }
        }
    }
}

#[test]
fn sockets_are_for_their_user_alone_and_go_with_the_server() {
    let setup = Setup::new();
    let mode = |name: &str| fs::metadata(setup.socket(name)).unwrap().permissions().mode();
    assert_eq!(mode("host") & 0o777, 0o600);
    assert_eq!(fs::read_dir(setup.directory.path()).unwrap().count(), 2);
    let mut client = setup.client("host");
    client.mkdir("/x").unwrap();
    let Setup { store, server, directory } = setup;
    drop(server);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    assert!(client.read("/x").unwrap_err().is_lost());
    // The nodes are the store's.
    store.connect(Identity::Host).unwrap().read("/x").unwrap();
    let mut server = Server::start(store).unwrap();
    let socket = directory.path().join("host");
    server.listen(&socket, Identity::Host).unwrap();
    Client::open_path(&socket).unwrap().read("/x").unwrap();
}

#[test]
fn a_stream_without_a_socket_is_served() {
    let setup = Setup::new();
    let (ours, theirs) = UnixStream::pair().unwrap();
    setup.server.serve(theirs, Identity::Guest(5)).unwrap();
    ours.set_nonblocking(true).unwrap();
    let mut client = Client::over_stream(ours);
    assert_eq!(client.domain_path(5).unwrap(), "/local/domain/5");
    assert!(client.is_introduced(5).unwrap_err().is_access());
}

#[test]
fn guests_are_served_while_they_are_introduced() {
    let setup = Setup::new();
    let mut early = setup.client("guest");
    early.domain_path(5).unwrap();
    setup.store.release(5).unwrap();
    assert!(early.domain_path(5).unwrap_err().is_lost());
    assert!(setup.client("guest").domain_path(5).unwrap_err().is_lost());
    setup.store.introduce(5).unwrap();
    setup.client("guest").domain_path(5).unwrap();
}

#[test]
fn requests_need_not_wait_for_replies() {
    let setup = Setup::new();
    let mut stream = setup.stream("host");
    let requests = request(MessageType::Directory, b"/\0").repeat(1000);
    stream.write_all(&requests).unwrap();
    stream.write_all(&request(MessageType::GetDomainPath, b"5\0")).unwrap();
    assert_eq!(read_until(&mut stream, MessageType::GetDomainPath), Some(1001));
}

#[test]
fn requests_may_be_split_at_every_byte() {
    let setup = Setup::new();
    let mut stream = setup.stream("host");
    for byte in request(MessageType::GetDomainPath, b"5\0") {
        stream.write_all(&[byte]).unwrap();
    }
    assert_eq!(read_until(&mut stream, MessageType::GetDomainPath), Some(1));
    // One that ends in the middle.
    let mut half = setup.stream("host");
    half.write_all(&request(MessageType::Mkdir, b"/half\0")[..20]).unwrap();
    drop(half);
    assert!(setup.client("host").read("/half").unwrap_err().is_not_found());
}

#[test]
fn a_client_that_does_not_read_is_not_read_from() {
    let setup = Setup::new();
    let mut host = setup.client("host");
    host.write("/value", &[b'x'; 4000]).unwrap();
    let mut stream = setup.stream("host");
    stream.set_nonblocking(true).unwrap();
    let requests = request(MessageType::Read, b"/value\0").repeat(100);
    // Both sides' buffers are full at some time.
    let deadline = Instant::now() + Duration::from_millis(500);
    let mut written = 0;
    while Instant::now() < deadline {
        match stream.write(&requests) {
            Ok(bytes) => written += bytes,
            Err(_) => std::thread::yield_now(),
        }
    }
    assert!(written < 8 * 1024 * 1024, "{written}");
    // Others are served.
    assert_eq!(host.read("/value").unwrap().len(), 4000);
}

/// Makes more events than fit anywhere.
fn make_events(setup: &Setup) {
    let mut host = setup.client("host");
    let name = "x".repeat(200);
    for number in 0..10_000 {
        host.mkdir(&format!("/events/{number}/{name}")).unwrap();
    }
}

#[test]
fn a_guest_that_reads_no_events_loses_some() {
    let setup = Setup::new();
    let mut host = setup.client("host");
    host.mkdir("/events").unwrap();
    host.set_permissions("/events", &["r0".parse().unwrap()]).unwrap();
    let mut guest = setup.stream("guest");
    guest.write_all(&request(MessageType::Watch, &join(["/events", "t"]))).unwrap();
    assert_eq!(read_until(&mut guest, MessageType::WatchEvent), Some(2));
    make_events(&setup);
    guest.write_all(&request(MessageType::GetDomainPath, b"5\0")).unwrap();
    let events = read_until(&mut guest, MessageType::GetDomainPath).unwrap();
    assert!((100..9000).contains(&events), "{events}");
}

#[test]
fn a_host_that_reads_no_events_is_disconnected() {
    let setup = Setup::new();
    let mut stream = setup.stream("host");
    stream.write_all(&request(MessageType::Watch, &join(["/events", "t"]))).unwrap();
    assert_eq!(read_until(&mut stream, MessageType::WatchEvent), Some(2));
    make_events(&setup);
    assert_eq!(read_until(&mut stream, MessageType::GetDomainPath), None);
}

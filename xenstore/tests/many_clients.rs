//! More clients than the server takes. A binary of its own: it uses up descriptors.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::time::{Duration, Instant};
use xend_xenstore::{Client, Identity, Nodes, Server, Store};

const LIMIT: Duration = Duration::from_secs(10);

/// The clients that a server takes.
const MAX_CLIENTS: usize = 1024;

#[test]
fn there_may_be_many_clients_but_not_too_many() {
    let maximum = getrlimit(Resource::Nofile).maximum;
    // Both ends of each connection are here.
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
    let mut server = Server::start(Store::new()).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("host");
    server.listen(&socket, Identity::Host).unwrap();
    let open = || {
        let mut client = Client::open_path(&socket).unwrap();
        client.set_reply_limit(LIMIT);
        client.read("/").map(|_| client)
    };
    let mut clients: Vec<Client> = (0..MAX_CLIENTS).map(|_| open().unwrap()).collect();
    assert!(open().is_err_and(|error| error.is_lost()));
    clients.last_mut().unwrap().read("/").unwrap();
    // When others have gone there is room again.
    clients.truncate(10);
    let deadline = Instant::now() + LIMIT;
    while open().is_err() {
        assert!(Instant::now() < deadline);
    }
}

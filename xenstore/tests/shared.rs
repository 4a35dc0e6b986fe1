//! A connection that several threads share.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use std::io::Read;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, mpsc};
use std::thread;
use std::time::Duration;
use tempfile::TempDir;
use xend_xenstore::{Client, Error, Identity, Nodes, Server, SharedClient, Store};

/// Longer than anything should take.
const LIMIT: Duration = Duration::from_secs(10);

/// Long enough for something that must not come.
const MOMENT: Duration = Duration::from_millis(200);

/// A directory, and the path of a socket in it.
fn socket() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("host");
    (directory, socket)
}

fn serve(store: &Store, socket: &Path) -> Server {
    let mut server = Server::start(store.clone()).unwrap();
    server.listen(socket, Identity::Host).unwrap();
    server
}

#[test]
fn threads_take_turns() {
    let (_directory, socket) = socket();
    let _server = serve(&Store::new(), &socket);
    let shared = SharedClient::at(&socket, LIMIT);
    let counter = "/tool/counter";
    shared.call(|client| client.write(counter, b"0")).unwrap();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let add = |client: &mut Client| {
                        let number = String::from_utf8(client.read(counter)?).unwrap();
                        let next = number.parse::<u32>().unwrap() + 1;
                        client.write(counter, next.to_string().as_bytes())
                    };
                    shared.call(add).unwrap();
                }
            });
        }
    });
    assert_eq!(shared.call(|client| client.read(counter)).unwrap(), b"200");
}

#[test]
fn a_connection_that_was_lost_is_opened_again() {
    let (_directory, socket) = socket();
    let store = Store::new();
    let shared = SharedClient::at(&socket, LIMIT);
    let read = || shared.call(|client| client.read("/"));
    assert!(matches!(read(), Err(Error::Open(_))), "nobody listens");
    let server = serve(&store, &socket);
    read().unwrap();
    drop(server);
    read().unwrap_err();
    let server = serve(&store, &socket);
    read().unwrap();
    // The daemon was restarted between two calls.
    drop(server);
    let _server = serve(&store, &socket);
    read().unwrap();
    // A refusal is no reason for another connection.
    assert!(shared.call(|client| client.read("/nosuch")).unwrap_err().is_not_found());
}

#[test]
fn a_connection_is_opened_within_the_limit_of_the_call() {
    let (_directory, socket) = socket();
    let _server = serve(&Store::new(), &socket);
    let shared = SharedClient::at(&socket, Duration::ZERO);
    let error = shared.call(|client| client.read("/")).unwrap_err();
    assert!(matches!(error, Error::Open(_)) && error.is_timeout(), "{error}");
}

/// A daemon that does not answer is asked by one thread: the others do not queue up behind it.
#[test]
fn a_silent_daemon_is_asked_once() {
    let (_directory, socket) = socket();
    let listener = UnixListener::bind(&socket).unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&connections);
    thread::spawn(move || {
        for stream in listener.incoming() {
            count.fetch_add(1, Ordering::SeqCst);
            // It reads until the client closes.
            thread::spawn(move || stream.unwrap().read_to_end(&mut Vec::new()));
        }
    });
    let shared = SharedClient::at(&socket, MOMENT);
    let all_begin = Barrier::new(8);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                all_begin.wait();
                let error = shared.call(|client| client.read("/")).unwrap_err();
                assert!(error.is_timeout(), "{error}");
            });
        }
    });
    assert!(connections.load(Ordering::SeqCst) <= 1);
}

#[test]
fn a_thread_does_not_wait_for_ever_for_another_one() {
    let (_directory, socket) = socket();
    let _server = serve(&Store::new(), &socket);
    let shared = SharedClient::at(&socket, MOMENT);
    let (start, begun) = mpsc::channel();
    let (end, ended) = mpsc::channel();
    thread::scope(|scope| {
        let shared = &shared;
        let long = scope.spawn(move || {
            shared.call(|_| {
                start.send(()).unwrap();
                ended.recv_timeout(LIMIT).unwrap();
                Ok(())
            })
        });
        begun.recv_timeout(LIMIT).unwrap();
        let error = shared.call(|client| client.read("/")).unwrap_err();
        assert!(matches!(error, Error::TimedOut), "{error}");
        end.send(()).unwrap();
        long.join().unwrap().unwrap();
    });
    shared.call(|client| client.read("/")).unwrap();
}

#[test]
fn a_panic_gives_the_connection_back() {
    let (_directory, socket) = socket();
    let _server = serve(&Store::new(), &socket);
    let shared = SharedClient::at(&socket, LIMIT);
    let panicked = thread::scope(|scope| {
        scope.spawn(|| shared.call(|_| -> Result<(), Error> { panic!("on purpose") })).join()
    });
    assert!(panicked.is_err());
    shared.call(|client| client.read("/")).unwrap();
}

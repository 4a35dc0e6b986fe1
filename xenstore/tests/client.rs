//! The client against daemons that answer oddly, late or not at all.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use std::collections::VecDeque;
use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};
use xend_xenstore::wire::{Decoder, MAX_PAYLOAD, Message, MessageType, join};
use xend_xenstore::{Client, Error, Nodes, OpenError, Refusal, Transport, WatchEvent};

/// Longer than anything should take.
const LIMIT: Duration = Duration::from_secs(10);

/// Long enough for something that must not come.
const MOMENT: Duration = Duration::from_millis(50);

/// A connected stream whose other end answers each request with these bytes, until it is closed.
fn daemon(mut answer: impl FnMut(Message) -> Vec<u8> + Send + 'static) -> UnixStream {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    thread::spawn(move || {
        let mut decoder = Decoder::default();
        let mut bytes = [0; 1000];
        while let Ok(read @ 1..) = theirs.read(&mut bytes) {
            decoder.push(&bytes[..read]);
            while let Some(request) = decoder.next_message().unwrap() {
                if theirs.write_all(&answer(request)).is_err() {
                    return;
                }
            }
        }
    });
    ours.set_nonblocking(true).unwrap();
    ours
}

fn client(answer: impl FnMut(Message) -> Vec<u8> + Send + 'static) -> Client {
    let mut client = Client::over_stream(daemon(answer));
    client.set_reply_limit(LIMIT);
    client
}

fn message(kind: MessageType, request: u32, payload: &[u8]) -> Vec<u8> {
    Message::new(kind.number(), request, 0, payload.to_vec()).unwrap().to_bytes()
}

fn event(path: &str, token: &str) -> Vec<u8> {
    message(MessageType::WatchEvent, 0, &join([path, token]))
}

fn reply(request: &Message, payload: &[u8]) -> Vec<u8> {
    message(request.message_type().unwrap(), request.request(), payload)
}

fn refusal(request: &Message, name: &str) -> Vec<u8> {
    message(MessageType::Error, request.request(), &join([name]))
}

fn taken(client: &mut Client) -> Vec<WatchEvent> {
    std::iter::from_fn(|| client.next_event(Some(Duration::ZERO)).unwrap()).collect()
}

fn named(path: &str, token: &str) -> WatchEvent {
    WatchEvent { path: path.to_owned(), token: token.to_owned() }
}

#[test]
fn requests_have_numbers_and_payloads() {
    let (tell, told) = mpsc::channel();
    let mut client = client(move |request| {
        let answer = match request.message_type().unwrap() {
            MessageType::IsDomainIntroduced => reply(&request, b"F\0"),
            MessageType::GetDomainPath => reply(&request, b"/local/domain/7\0"),
            MessageType::GetPerms => reply(&request, b"n0\0r5\0"),
            MessageType::Directory => reply(&request, b"a\0b\0"),
            MessageType::Control => reply(&request, b"fine\0"),
            _ => reply(&request, b"OK\0"),
        };
        tell.send(request).unwrap();
        answer
    });
    let sent = |kind: MessageType, payload: &[u8]| {
        let request = told.recv_timeout(LIMIT).unwrap();
        assert_eq!((request.message_type(), request.payload()), (Some(kind), payload));
        assert_eq!(request.transaction(), 0);
        request.request()
    };
    client.write("data/x", b"with\0nul").unwrap();
    assert_eq!(sent(MessageType::Write, b"data/x\0with\0nul"), 1);
    assert_eq!(client.directory("/").unwrap(), ["a", "b"]);
    assert_eq!(sent(MessageType::Directory, b"/\0"), 2);
    client.mkdir("a").unwrap();
    sent(MessageType::Mkdir, b"a\0");
    client.remove("a").unwrap();
    sent(MessageType::Remove, b"a\0");
    let permissions = client.permissions("a").unwrap();
    sent(MessageType::GetPerms, b"a\0");
    client.set_permissions("a", &permissions).unwrap();
    sent(MessageType::SetPerms, b"a\0n0\0r5\0");
    client.watch("@releaseDomain", "t").unwrap();
    sent(MessageType::Watch, b"@releaseDomain\0t\0");
    client.unwatch("@releaseDomain", "t").unwrap();
    sent(MessageType::Unwatch, b"@releaseDomain\0t\0");
    client.reset_watches().unwrap();
    sent(MessageType::ResetWatches, b"\0");
    assert!(!client.is_introduced(7).unwrap());
    sent(MessageType::IsDomainIntroduced, b"7\0");
    assert_eq!(client.domain_path(7).unwrap(), "/local/domain/7");
    sent(MessageType::GetDomainPath, b"7\0");
    client.introduce(7, 1234, 3).unwrap();
    sent(MessageType::Introduce, b"7\x001234\x003\0");
    client.release(7).unwrap();
    sent(MessageType::Release, b"7\0");
    client.resume(7).unwrap();
    sent(MessageType::Resume, b"7\0");
    client.set_target(8, 7).unwrap();
    sent(MessageType::SetTarget, b"8\x007\0");
    assert_eq!(client.control(&["log", "on"]).unwrap(), "fine");
    sent(MessageType::Control, b"log\0on\0");
}

#[test]
fn replies_with_foreign_numbers_are_taken() {
    for foreign in [0, 77, u32::MAX] {
        let mut client = client(move |request| {
            message(request.message_type().unwrap(), foreign, request.payload())
        });
        assert_eq!(client.read("data/x").unwrap(), b"data/x\0");
        client.watch("data", "t").unwrap();
    }
}

#[test]
fn replies_without_a_nul_are_taken() {
    let mut client = client(|request| match request.message_type().unwrap() {
        MessageType::GetPerms => reply(&request, b"n0\0r5"),
        MessageType::IsDomainIntroduced => reply(&request, b"T"),
        MessageType::Directory => reply(&request, b"a\0b"),
        _ => message(MessageType::Error, 0, b"ENOENT"),
    });
    assert_eq!(client.permissions("/").unwrap().len(), 2);
    assert!(client.is_introduced(5).unwrap());
    assert_eq!(client.directory("/").unwrap(), ["a", "b"]);
    assert_eq!(client.read_if_exists("/x").unwrap(), None);
    assert!(client.read("/x").unwrap_err().is_not_found());
}

#[test]
fn events_before_a_reply_are_queued() {
    let mut client = client(|request| {
        [event("data/1", "t"), event("data/2", "t"), reply(&request, b"v"), event("data/3", "t")]
            .concat()
    });
    assert!(!client.has_event());
    assert_eq!(client.read("data/x").unwrap(), b"v");
    assert!(client.has_event());
    for name in ["data/1", "data/2", "data/3"] {
        assert_eq!(client.next_event(Some(LIMIT)).unwrap(), Some(named(name, "t")));
    }
    assert!(!client.has_event());
    let began = Instant::now();
    assert_eq!(client.next_event(Some(MOMENT)).unwrap(), None);
    assert!(began.elapsed() >= MOMENT);
}

#[test]
fn the_same_event_waits_once() {
    let mut client = client(|request| {
        let events = [event("a", "t"), event("b", "t"), event("a", "t"), event("a", "u")];
        let domains = [event("@releaseDomain", "t"), event("@releaseDomain", "t")];
        [events.concat(), domains.concat(), reply(&request, b"")].concat()
    });
    client.read("data").unwrap();
    let special = named("@releaseDomain", "t");
    let expected = [named("a", "t"), named("b", "t"), named("a", "u"), special.clone(), special];
    assert_eq!(taken(&mut client), expected);
}

#[test]
fn lost_events_are_told_once() {
    for (count, token) in [(3000, "t".to_owned()), (200, "t".repeat(4000))] {
        let answer_token = token.clone();
        let mut client = client(move |request| {
            let events = (0..count).flat_map(|number| event(&number.to_string(), &answer_token));
            events.chain(reply(&request, b"v")).collect()
        });
        assert_eq!(client.read("data").unwrap(), b"v");
        // The oldest ones are kept.
        let mut kept = 0;
        let lost = loop {
            match client.next_event(Some(Duration::ZERO)) {
                Ok(event) => assert_eq!(event, Some(named(&kept.to_string(), &token))),
                Err(error) => break error,
            }
            kept += 1;
        };
        assert!(matches!(lost, Error::EventsLost));
        assert!(!lost.is_lost());
        assert!((50..=1024).contains(&kept), "{kept}");
        assert_eq!(client.next_event(Some(Duration::ZERO)).unwrap(), None);
        assert_eq!(client.read("data").unwrap(), b"v");
        assert_eq!(client.next_event(Some(Duration::ZERO)).unwrap(), Some(named("0", &token)));
    }
}

#[test]
fn a_reply_to_nothing_is_dropped() {
    let mut client = client(|request| match request.message_type().unwrap() {
        MessageType::Mkdir => [reply(&request, b"OK\0"), event("now", "t")].concat(),
        _ => reply(&request, b"v"),
    });
    let (stray, mut daemon_end) = UnixStream::pair().unwrap();
    stray.set_nonblocking(true).unwrap();
    let mut other = Client::over_stream(stray);
    daemon_end.write_all(&message(MessageType::Read, 9, b"late")).unwrap();
    assert_eq!(other.next_event(Some(MOMENT)).unwrap(), None);
    daemon_end.write_all(&event("a", "t")).unwrap();
    assert_eq!(other.next_event(Some(LIMIT)).unwrap(), Some(named("a", "t")));
    client.mkdir("x").unwrap();
    assert_eq!(client.next_event(Some(LIMIT)).unwrap(), Some(named("now", "t")));
}

#[test]
fn a_reply_that_does_not_come_loses_the_connection() {
    let mut client = client(|_| Vec::new());
    client.set_reply_limit(MOMENT);
    let error = client.read("data").unwrap_err();
    assert!(matches!(error, Error::TimedOut) && error.is_lost());
    // A late reply would be taken for that of the next request.
    assert!(matches!(client.read("data").unwrap_err(), Error::Lost));
    assert!(matches!(client.next_event(Some(Duration::ZERO)).unwrap_err(), Error::Lost));
}

#[test]
fn a_deadline_is_for_all_requests_together() {
    let mut client = client(|request| match request.message_type().unwrap() {
        MessageType::Read => reply(&request, b"value"),
        _ => Vec::new(),
    });
    client.set_deadline(Some(Instant::now() + LIMIT));
    client.read("data/x").unwrap();
    client.set_deadline(Some(Instant::now() + MOMENT));
    assert!(matches!(client.mkdir("data/y"), Err(Error::TimedOut)));
    assert!(matches!(client.read("data/x"), Err(Error::Lost)));
}

#[test]
fn a_daemon_that_does_not_read_loses_the_connection() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    // Full of what an earlier program has written.
    while (&ours).write(&[0; 4096]).is_ok() {}
    let mut client = Client::over_stream(ours);
    client.set_reply_limit(MOMENT);
    let error = client.write("data", &[b'x'; 4000]).unwrap_err();
    assert!(matches!(error, Error::TimedOut), "{error}");
    assert!(matches!(client.read("data").unwrap_err(), Error::Lost));
    drop(theirs);
}

#[test]
fn a_half_written_reply_is_waited_for() {
    let mut client = client(|request| {
        let mut bytes = reply(&request, b"value");
        if request.payload() == b"half\0" {
            bytes.truncate(18);
        }
        bytes
    });
    assert_eq!(client.read("whole").unwrap(), b"value");
    client.set_reply_limit(MOMENT);
    assert!(matches!(client.read("half").unwrap_err(), Error::TimedOut));
}

#[test]
fn what_is_no_answer_loses_the_connection() {
    type Answer = fn(Message) -> Vec<u8>;
    let answers: [(&str, Answer); 6] = [
        ("another type", |request| message(MessageType::Write, request.request(), b"v")),
        ("an unknown type", |request| {
            Message::new(99, request.request(), 0, Vec::new()).unwrap().to_bytes()
        }),
        ("two replies", |request| [reply(&request, b"v"), reply(&request, b"v")].concat()),
        ("an event without a token", |_| message(MessageType::WatchEvent, 0, b"path\0")),
        ("an event that is no text", |_| message(MessageType::WatchEvent, 0, b"\xff\0t\0")),
        ("a payload that is too long", |request| {
            let length = u32::try_from(MAX_PAYLOAD + 1).unwrap();
            let header = [request.kind(), request.request(), 0, length];
            header.map(u32::to_ne_bytes).concat()
        }),
    ];
    for (what, answer) in answers {
        let mut client = client(answer);
        let error = client.read("data").unwrap_err();
        assert!(matches!(error, Error::Malformed(_)) && error.is_lost(), "{what}: {error}");
        assert!(matches!(client.read("data").unwrap_err(), Error::Lost), "{what}");
    }
}

#[test]
fn malformed_payloads_are_told() {
    let mut client = client(|request| match request.message_type().unwrap() {
        MessageType::GetPerms => reply(&request, b"x5\0"),
        MessageType::IsDomainIntroduced => reply(&request, b"maybe\0"),
        MessageType::TransactionStart => reply(&request, b"0\0"),
        MessageType::Read => reply(&request, b"\xff"),
        _ => reply(&request, b"\xff\0"),
    });
    let is_malformed = |error: Error| matches!(error, Error::Malformed(_));
    assert!(is_malformed(client.permissions("/").unwrap_err()));
    assert!(is_malformed(client.is_introduced(5).unwrap_err()));
    assert!(is_malformed(client.directory("/").unwrap_err()));
    assert!(is_malformed(client.domain_path(5).unwrap_err()));
    assert!(is_malformed(client.transaction(|_| Ok(())).unwrap_err()));
    // Values may be anything.
    assert_eq!(client.read("/").unwrap(), b"\xff");
}

#[test]
fn a_closed_connection_is_told() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    let mut client = Client::over_stream(ours);
    drop(theirs);
    assert!(matches!(client.read("data").unwrap_err(), Error::Closed));
    assert!(matches!(client.read("data").unwrap_err(), Error::Lost));

    let (ours, theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    let mut client = Client::over_stream(ours);
    (&theirs).write_all(&event("last", "t")).unwrap();
    drop(theirs);
    // What came before is not lost.
    assert_eq!(client.next_event(None).unwrap(), Some(named("last", "t")));
    assert!(matches!(client.next_event(None).unwrap_err(), Error::Closed));
}

#[test]
fn arguments_are_checked_before_anything_is_sent() {
    let mut client = client(|request| panic!("It was sent: {request:?}"));
    client.set_reply_limit(MOMENT);
    for path in ["", "a//b", "a/", "a b", "a\0b", "\u{e4}", "@releaseDomain"] {
        assert!(matches!(client.read(path).unwrap_err(), Error::Path(_)), "{path:?}");
        assert!(matches!(client.write(path, b"").unwrap_err(), Error::Path(_)), "{path:?}");
    }
    assert!(matches!(client.read(&"x".repeat(2049)).unwrap_err(), Error::Path(_)));
    assert!(matches!(client.watch("data", "a\0b").unwrap_err(), Error::Nul));
    assert!(matches!(client.control(&["a\0b"]).unwrap_err(), Error::Nul));
    let error = client.write("data", &[0; 4092]).unwrap_err();
    assert!(matches!(error, Error::TooLong { length: 4097, limit: 4096 }), "{error}");
    assert!(!error.is_lost());
}

#[test]
fn a_device_takes_shorter_requests() {
    let echo = |request: Message| reply(&request, &request.payload().len().to_ne_bytes());
    let mut device = Client::over_device(daemon(echo));
    assert_eq!(device.max_payload(), 4080);
    device.write("data", &[0; 4075]).unwrap();
    let error = device.write("data", &[0; 4076]).unwrap_err();
    assert!(matches!(error, Error::TooLong { length: 4081, limit: 4080 }), "{error}");
    assert_eq!(client(echo).max_payload(), 4096);
}

#[test]
fn unknown_refusals_are_refusals() {
    let names = ["EACCES", "E2BIG", "EWHAT", ""];
    let mut names = names.into_iter().cycle();
    let mut client = client(move |request| refusal(&request, names.next().unwrap()));
    let mut refusal = || client.read("data").unwrap_err().refusal();
    assert_eq!(refusal(), Some(Refusal::Access));
    assert_eq!(refusal(), Some(Refusal::TooBig));
    assert_eq!(refusal(), Some(Refusal::Other));
    assert_eq!(refusal(), Some(Refusal::Other));
}

/// A stream whose next writes fail.
struct FailingWrites {
    stream: UnixStream,
    failures: VecDeque<io::Error>,
}

impl Read for FailingWrites {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.stream.read(bytes)
    }
}

impl Write for FailingWrites {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.failures.pop_front().map_or_else(|| self.stream.write(bytes), Err)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsFd for FailingWrites {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

fn failing(kinds: &[ErrorKind], errnos: &[i32]) -> FailingWrites {
    let kinds = kinds.iter().map(|kind| io::Error::from(*kind));
    let errnos = errnos.iter().map(|errno| io::Error::from_raw_os_error(*errno));
    let stream = daemon(|request| reply(&request, b"v"));
    FailingWrites { stream, failures: kinds.chain(errnos).collect() }
}

const ENOENT: i32 = 2;
const EIO: i32 = 5;
const EEXIST: i32 = 17;

#[test]
fn an_old_kernel_refuses_by_the_errno_of_write() {
    let mut device = Client::over_device(failing(&[], &[EEXIST, ENOENT]));
    assert_eq!(device.watch("data", "t").unwrap_err().refusal(), Some(Refusal::Exists));
    assert!(device.unwatch("data", "t").unwrap_err().is_not_found());
    // The driver has dropped the request: the connection is fine.
    assert_eq!(device.read("data").unwrap(), b"v");

    let mut device = Client::over_device(failing(&[], &[EIO]));
    assert!(matches!(device.read("data").unwrap_err(), Error::Io(_)));
    assert!(matches!(device.read("data").unwrap_err(), Error::Lost));
    // A socket refuses nothing.
    let mut socket = Client::over_stream(failing(&[], &[ENOENT]));
    assert!(matches!(socket.read("data").unwrap_err(), Error::Io(_)));
}

#[test]
fn interrupted_writes_are_repeated() {
    let kinds = [ErrorKind::Interrupted, ErrorKind::WouldBlock, ErrorKind::Interrupted];
    let mut client = Client::over_device(failing(&kinds, &[]));
    assert_eq!(client.read("data").unwrap(), b"v");
}

/// Reads and writes one byte at a time, and fails in between as if there were none.
struct OneByte<T> {
    inner: T,
    is_ready: bool,
}

impl<T: Transport> OneByte<T> {
    fn turn(&mut self) -> io::Result<()> {
        self.is_ready = !self.is_ready;
        if self.is_ready { Ok(()) } else { Err(ErrorKind::WouldBlock.into()) }
    }
}

impl<T: Transport> Read for OneByte<T> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.turn()?;
        self.inner.read(&mut bytes[..1])
    }
}

impl<T: Transport> Write for OneByte<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.turn()?;
        self.inner.write(&bytes[..1])
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<T: Transport> AsFd for OneByte<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.as_fd()
    }
}

#[test]
fn messages_may_be_split_at_every_byte() {
    let stream = daemon(|request| {
        let value = format!("{} {}", request.request(), request.payload().len());
        [event("data/a", "t"), reply(&request, value.as_bytes()), event("data/b", "t")].concat()
    });
    let mut client = Client::over_stream(OneByte { inner: stream, is_ready: false });
    for request in 1..=20 {
        let path = "x".repeat(request);
        assert_eq!(client.read(&path).unwrap(), format!("{request} {}", request + 1).as_bytes());
    }
    // The last event may still be on its way.
    assert_eq!(client.next_event(Some(LIMIT)).unwrap(), Some(named("data/a", "t")));
    assert_eq!(client.next_event(Some(LIMIT)).unwrap(), Some(named("data/b", "t")));
}

/// A daemon whose directory changes after some parts were read.
fn changing_directory(changes: usize) -> Client {
    let mut left = changes;
    let mut generation = 7;
    let names: Vec<String> = (0..500).map(|number| format!("name-{number}\0")).collect();
    let names = names.concat();
    client(move |request| {
        if request.message_type() == Some(MessageType::Directory) {
            return refusal(&request, "E2BIG");
        }
        let arguments = String::from_utf8(request.payload().to_vec()).unwrap();
        let offset: usize = arguments.split('\0').nth(1).unwrap().parse().unwrap();
        if offset > 0 && left > 0 {
            left -= 1;
            generation += 1;
        }
        let rest = &names[offset..];
        let part =
            if rest.len() > 1000 { &rest[..=rest[..1000].rfind('\0').unwrap()] } else { rest };
        let end = if part.len() == rest.len() { "\0" } else { "" };
        reply(&request, format!("{generation}\0{part}{end}").as_bytes())
    })
}

#[test]
fn a_directory_that_changes_is_read_again() {
    for changes in [0, 1, 5] {
        let names = changing_directory(changes).directory("/").unwrap();
        assert_eq!(names.len(), 500, "{changes}");
        assert_eq!(names[499], "name-499");
    }
    // Not for ever.
    let error = changing_directory(usize::MAX).directory("/").unwrap_err();
    assert!(error.is_again());
}

#[test]
fn malformed_parts_of_directories_are_told() {
    for part in [&b""[..], b"7", b"7\0", b"7\0half a name\xff\0\0"] {
        let mut client = client(move |request| match request.message_type().unwrap() {
            MessageType::Directory => refusal(&request, "E2BIG"),
            _ => reply(&request, part),
        });
        let error = client.directory("/").unwrap_err();
        assert!(matches!(error, Error::Malformed(_)), "{part:?}: {error}");
    }
    // One that never ends.
    let mut endless = client(|request| match request.message_type().unwrap() {
        MessageType::Directory => refusal(&request, "E2BIG"),
        _ => reply(&request, &[b"7\0", [b'x'; 4000].as_slice(), b"\0"].concat()),
    });
    assert!(matches!(endless.directory("/").unwrap_err(), Error::Malformed(_)));
}

#[test]
fn an_empty_part_ends_a_directory() {
    let mut client = client(|request| match request.message_type().unwrap() {
        MessageType::Directory => refusal(&request, "E2BIG"),
        _ => reply(&request, b"7\0\0"),
    });
    assert_eq!(client.directory("/").unwrap(), [""; 0]);
}

/// A daemon that refuses to carry out this many transactions.
fn conflicting(conflicts: usize) -> (Client, mpsc::Receiver<(u32, Vec<u8>)>) {
    let (tell, told) = mpsc::channel();
    let mut left = conflicts;
    let mut last = 0;
    let client = client(move |request| match request.message_type().unwrap() {
        MessageType::TransactionStart => {
            last += 1;
            reply(&request, format!("{last}\0").as_bytes())
        }
        MessageType::TransactionEnd => {
            tell.send((request.transaction(), request.payload().to_vec())).unwrap();
            if left > 0 && request.payload() == b"T\0" {
                left -= 1;
                return refusal(&request, "EAGAIN");
            }
            reply(&request, b"OK\0")
        }
        _ => reply(&request, request.transaction().to_string().as_bytes()),
    });
    (client, told)
}

#[test]
fn a_transaction_is_repeated_while_it_conflicts() {
    let (mut client, told) = conflicting(7);
    let id = client.transaction(|nodes| nodes.read("data")).unwrap();
    assert_eq!(id, b"8");
    let ends: Vec<_> = told.try_iter().collect();
    assert_eq!(ends, (1..=8).map(|id| (id, b"T\0".to_vec())).collect::<Vec<_>>());
}

#[test]
fn a_transaction_is_not_repeated_for_ever() {
    let (mut client, told) = conflicting(usize::MAX);
    assert!(client.transaction(|nodes| nodes.read("data")).unwrap_err().is_again());
    assert_eq!(told.try_iter().count(), 50);
    assert_eq!(client.read("data").unwrap(), b"0");
}

#[test]
fn a_transaction_whose_work_fails_is_dropped() {
    let (mut client, told) = conflicting(0);
    let error = client.transaction(|_| Err::<(), _>(Error::Refused(Refusal::NoSpace))).unwrap_err();
    assert!(error.is_no_space());
    assert_eq!(told.try_iter().collect::<Vec<_>>(), [(1, b"F\0".to_vec())]);
}

#[test]
fn what_is_not_there_cannot_be_opened() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    let io_error = |result: Result<Client, OpenError>| match result.err().unwrap() {
        OpenError::Io { path: named, source } => {
            assert_eq!(named, path);
            source.kind()
        }
        other => panic!("{other}"),
    };
    assert_eq!(io_error(Client::open_path(&path)), ErrorKind::NotFound);
    drop(UnixListener::bind(&path).unwrap());
    assert_eq!(io_error(Client::open_path(&path)), ErrorKind::ConnectionRefused);
}

#[test]
fn a_character_device_is_opened_as_a_device() {
    let mut client = Client::open_path(Path::new("/dev/null")).unwrap();
    assert_eq!(client.max_payload(), 4080);
    // There is nothing behind it.
    assert!(client.read("data").unwrap_err().is_lost());
}

#[test]
fn what_is_neither_a_device_nor_a_socket_is_not_written_to() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    fs::write(&path, "text").unwrap();
    for path in [&*path, directory.path()] {
        let error = Client::open_path(path).err().unwrap().to_string();
        assert!(error.ends_with(": It is neither a socket nor a device"), "{error}");
    }
    assert_eq!(fs::read(&path).unwrap(), b"text");
}

#[test]
fn a_socket_is_opened_as_a_stream() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let client = Client::open_path(&path).unwrap();
    assert_eq!(client.max_payload(), 4096);
    listener.accept().unwrap();
}

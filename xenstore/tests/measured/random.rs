//! Random requests, to which both daemons must give the same replies and events.

use crate::daemon::Daemon;
use crate::in_memory::InMemory;
use crate::raw::Raw;
use crate::xenstored::Xenstored;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use xend_xenstore::wire::MessageType;
use xend_xenstore::{Nodes, Permission, Refusal};

/// The connections: the host's, and those of two guests.
const DOMAINS: [u32; 3] = [0, 5, 6];

const PATHS: [&str; 14] = [
    "/",
    "/local/domain/5/data/a",
    "/local/domain/6/data/a",
    "/missing/a",
    "/shared",
    "/shared/a",
    "/shared/a/b",
    "/shared/b",
    "data",
    "data/a",
    "data/a/b",
    "data/b/c/d",
    "name",
    "new",
];

const PERMISSIONS: [&str; 9] =
    ["n0", "b0", "r0 w6", "n5", "n5 r6", "r5 b6 n0", "n6", "n6 b5", "n5 r9"];

/// A transaction of a connection, by its place in the list of those that it has begun.
type Place = Option<usize>;

#[derive(Debug, Clone)]
enum Request {
    Node {
        kind: MessageType,
        place: Place,
        path: &'static str,
    },
    Write {
        place: Place,
        path: &'static str,
        length: usize,
    },
    SetPermissions {
        place: Place,
        path: &'static str,
        entries: &'static str,
    },
    Watch {
        kind: MessageType,
        path: &'static str,
        token: &'static str,
    },
    Start,
    End {
        place: usize,
        how: &'static str,
    },
    /// Domain 6 gets the rights of domain 5.
    SetTarget,
    /// Domain 6 ends, and there is another one with its number.
    Restart,
}

fn request() -> impl Strategy<Value = Request> {
    let place = || prop_oneof![2 => Just(None), 3 => (0..3_usize).prop_map(Some)];
    let path = || select(&PATHS[..]);
    let kinds = [
        MessageType::Read,
        MessageType::Directory,
        MessageType::GetPerms,
        MessageType::Mkdir,
        MessageType::Remove,
    ];
    let plain = (select(kinds.to_vec()), place(), path())
        .prop_map(|(kind, place, path)| Request::Node { kind, place, path });
    let lengths = select(vec![0, 1, 1990, 2100]);
    let write = (place(), path(), lengths).prop_map(|(place, path, length)| Request::Write {
        place,
        path,
        length,
    });
    // A domain that owns `/` would take it along.
    let set = (place(), select(&PATHS[1..]), select(&PERMISSIONS[..]))
        .prop_map(|(place, path, entries)| Request::SetPermissions { place, path, entries });
    let watch_kinds = vec![MessageType::Watch, MessageType::Watch, MessageType::Unwatch];
    let watch_paths = [&PATHS[..], &["@introduceDomain", "@releaseDomain"]].concat();
    let watch = (select(watch_kinds), select(watch_paths), select(vec!["1", "2"]))
        .prop_map(|(kind, path, token)| Request::Watch { kind, path, token });
    let end = (0..3_usize, select(vec!["T\0", "T\0", "F\0"]))
        .prop_map(|(place, how)| Request::End { place, how });
    prop_oneof![
        40 => plain,
        30 => write,
        15 => set,
        15 => watch,
        10 => Just(Request::Start),
        10 => end,
        1 => Just(Request::SetTarget),
        1 => Just(Request::Restart),
    ]
}

/// A daemon with the connections to it.
struct Side<D> {
    daemon: D,
    connections: Vec<(Raw, Vec<u32>)>,
}

impl<D: Daemon> Side<D> {
    fn start(mut daemon: D) -> Self {
        let mut host = daemon.host();
        host.mkdir("/shared").unwrap();
        let everybody: Permission = "b0".parse().unwrap();
        host.set_permissions("/shared", &[everybody]).unwrap();
        daemon.introduce(5);
        daemon.introduce(6);
        let connect = |domid| match domid {
            0 => (daemon.raw_host(), Vec::new()),
            domid => (daemon.raw_guest(domid), Vec::new()),
        };
        let connections = DOMAINS.map(connect).into();
        Self { daemon, connections }
    }

    /// The reply to a request of a connection, and the events of all connections.
    fn ask(
        &mut self,
        from: usize,
        request: &Request,
    ) -> (Result<Vec<u8>, Refusal>, Vec<Vec<String>>) {
        if matches!(request, Request::Restart) {
            return (Ok(Vec::new()), self.restart());
        }
        (self.reply(from, request), self.events())
    }

    fn restart(&mut self) -> Vec<Vec<String>> {
        self.daemon.destroy(6);
        self.connections.pop();
        let mut events = self.events();
        self.daemon.introduce(6);
        self.connections.push((self.daemon.raw_guest(6), Vec::new()));
        events.extend(self.events());
        // Ours is introduced before its nodes are made: there is no hypervisor that knows it.
        for events in &mut events {
            events.sort();
        }
        events
    }

    fn events(&mut self) -> Vec<Vec<String>> {
        self.connections.iter_mut().map(|(raw, _)| raw.events()).collect()
    }

    fn reply(&mut self, from: usize, request: &Request) -> Result<Vec<u8>, Refusal> {
        let (raw, transactions) = &mut self.connections[from];
        let id = |place: usize| transactions.get(place).copied().unwrap_or(99);
        match request {
            Request::Node { kind, place, path } => {
                raw.call(kind.number(), place.map_or(0, id), format!("{path}\0"))
            }
            Request::Write { place, path, length } => {
                let payload = format!("{path}\0{}", "v".repeat(*length));
                raw.call(MessageType::Write.number(), place.map_or(0, id), payload)
            }
            Request::SetPermissions { place, path, entries } => {
                let payload = format!("{path}\0{}\0", entries.replace(' ', "\0"));
                raw.call(MessageType::SetPerms.number(), place.map_or(0, id), payload)
            }
            Request::Watch { kind, path, token } => raw.ask(*kind, format!("{path}\0{token}\0")),
            Request::Start => {
                let id = raw.start()?;
                transactions.push(id);
                Ok(Vec::new())
            }
            Request::End { place, how } => {
                let id = id(*place);
                let reply = raw.call(MessageType::TransactionEnd.number(), id, how);
                transactions.retain(|known| *known != id);
                reply
            }
            Request::SetTarget => raw.ask(MessageType::SetTarget, "6\x005\0"),
            Request::Restart => unreachable!("it is no message"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(50)
    })]

    #[test]
    fn both_daemons_answer_alike(requests in vec((0..DOMAINS.len(), request()), 1..80)) {
        if let Some(xenstored) = Xenstored::start() {
            let mut theirs = Side::start(xenstored);
            let mut ours = Side::start(InMemory::start());
            for (number, (from, request)) in requests.iter().enumerate() {
                let expected = theirs.ask(*from, request);
                let reply = ours.ask(*from, request);
                let from = DOMAINS[*from];
                prop_assert_eq!(reply, expected, "Request {} of {}: {:?}", number, from, request);
            }
        }
    }
}

//! How messages are read and answered.

use crate::daemon::{Daemon, on_each_daemon};
use xend_xenstore::wire::{MAX_PAYLOAD, MessageType};
use xend_xenstore::{Nodes, Refusal};

const GUEST: &str = "/local/domain/5";

on_each_daemon!(
    unknown_types_are_refused,
    paths_are_checked,
    values_are_bytes,
    names_come_in_the_order_in_which_nodes_were_made,
    a_list_of_names_above_4096_bytes_comes_in_parts,
    the_client_reads_long_lists,
    a_request_that_is_too_long_ends_a_guests_connection,
    a_request_that_is_too_long_ends_a_hosts_connection,
);

fn unknown_types_are_refused(daemon: &mut impl Daemon) {
    daemon.introduce(5);
    let watch_event = MessageType::WatchEvent.number();
    let error = MessageType::Error.number();
    for kind in [20, 23, 99, 65535, u32::MAX, watch_event, error] {
        let reply = daemon.raw_guest(5).call(kind, 0, "data\0");
        assert_eq!(reply, Err(Refusal::Unsupported), "{kind}");
        let reply = daemon.raw_host().call(kind, 0, "/tool\0");
        assert_eq!(reply, Err(Refusal::Unsupported), "{kind}");
    }
}

fn paths_are_checked(daemon: &mut impl Daemon) {
    daemon.introduce(5);
    let mut guest = daemon.raw_guest(5);
    for path in ["data/", "data//a", "//data", "da ta", "d\u{e4}ta", "data.x", "@releaseDomain", ""]
    {
        for kind in [
            MessageType::Read,
            MessageType::Directory,
            MessageType::Write,
            MessageType::Mkdir,
            MessageType::Remove,
            MessageType::GetPerms,
        ] {
            let reply = guest.ask(kind, format!("{path}\0"));
            assert_eq!(reply, Err(Refusal::Invalid), "{kind:?} {path:?}");
        }
    }
    for path in ["data/@x", "data/a-b_c", "data/A9"] {
        guest.ask(MessageType::Write, format!("{path}\0v")).unwrap();
        assert_eq!(guest.ask(MessageType::Read, format!("{path}\0")), Ok(b"v".to_vec()));
    }
    // Refused with the error of any earlier request.
    assert!(guest.ask(MessageType::Read, "data\0more\0").is_err());
    assert!(guest.ask(MessageType::Read, "data").is_err());
    assert_eq!(guest.ask(MessageType::Write, "data/x"), Err(Refusal::Invalid));
    let mut host = daemon.raw_host();
    assert_eq!(host.ask(MessageType::Remove, "/\0"), Err(Refusal::Invalid));
    assert_eq!(host.ask(MessageType::Remove, "/missing\0"), Ok(b"OK\0".to_vec()));
    assert_eq!(host.ask(MessageType::Remove, "/missing/missing\0"), Err(Refusal::NotFound));
}

fn values_are_bytes(daemon: &mut impl Daemon) {
    daemon.introduce(5);
    let mut guest = daemon.guest(5);
    for value in [&b""[..], b"text", b"with\0nul\0", b"\xff\xfe\n"] {
        guest.write("data/value", value).unwrap();
        assert_eq!(guest.read("data/value").unwrap(), value);
    }
    guest.mkdir("data/value").unwrap();
    assert_eq!(guest.read("data/value").unwrap(), b"\xff\xfe\n");
    guest.mkdir("data/empty").unwrap();
    assert_eq!(guest.read("data/empty").unwrap(), b"");
    assert_eq!(guest.directory("data/empty").unwrap(), [""; 0]);
}

fn names_come_in_the_order_in_which_nodes_were_made(daemon: &mut impl Daemon) {
    daemon.introduce(5);
    let mut guest = daemon.guest(5);
    for name in ["b", "c", "a", "d"] {
        guest.mkdir(&format!("data/list/{name}")).unwrap();
    }
    guest.write("data/list/c", b"changed").unwrap();
    assert_eq!(guest.directory("data/list").unwrap(), ["b", "c", "a", "d"]);
    guest.remove("data/list/c").unwrap();
    guest.mkdir("data/list/c").unwrap();
    assert_eq!(guest.directory("data/list").unwrap(), ["b", "a", "d", "c"]);
}

fn a_list_of_names_above_4096_bytes_comes_in_parts(daemon: &mut impl Daemon) {
    daemon.introduce(5);
    let mut host = daemon.host();
    let mut guest = daemon.raw_guest(5);
    let name = |number| format!("{number:08x}-0000-4000-8000-000000000000");
    let mut make = |number| host.mkdir(&format!("{GUEST}/data/host/{}", name(number))).unwrap();
    let names = |range: std::ops::Range<u32>| -> String {
        range.flat_map(|number| [name(number), "\0".to_owned()]).collect()
    };
    (0..110).for_each(&mut make);
    let reply = guest.ask(MessageType::Directory, "data/host\0").unwrap();
    assert_eq!(String::from_utf8(reply).unwrap(), names(0..110));
    make(110);
    assert_eq!(guest.ask(MessageType::Directory, "data/host\0"), Err(Refusal::TooBig));

    let mut part = |offset: &str| {
        let reply =
            guest.ask(MessageType::DirectoryPart, format!("data/host\0{offset}\0")).unwrap();
        let reply = String::from_utf8(reply).unwrap();
        let (generation, names) = reply.split_once('\0').unwrap();
        (generation.to_owned(), names.to_owned())
    };
    let (generation, first) = part("0");
    assert_eq!(first, names(0..110));
    // The last part has an empty name at its end.
    let last = names(110..111);
    assert_eq!(part("4070"), (generation.clone(), format!("{last}\0")));
    assert_eq!(part("4071"), (generation.clone(), format!("{}\0", &last[1..])));
    assert_eq!(part("5000"), (generation.clone(), "\0".to_owned()));
    make(111);
    assert_ne!(part("0").0, generation);

    let missing = guest.ask(MessageType::DirectoryPart, "data/missing\x000\0");
    assert_eq!(missing, Err(Refusal::NotFound));
    assert_eq!(guest.ask(MessageType::DirectoryPart, "data/host\0"), Err(Refusal::Invalid));
}

fn the_client_reads_long_lists(daemon: &mut impl Daemon) {
    daemon.introduce(5);
    let mut host = daemon.host();
    let path = |number| format!("{GUEST}/data/host/{number:08x}-0000-4000-8000-000000000000");
    (0..500).for_each(|number| host.mkdir(&path(number)).unwrap());
    let names = daemon.guest(5).directory("data/host").unwrap();
    assert_eq!(names.len(), 500);
    assert!(names.iter().zip(0..).all(|(name, number)| path(number).ends_with(name)));
}

fn a_request_that_is_too_long_ends_a_guests_connection(daemon: &mut impl Daemon) {
    daemon.introduce(5);
    let longest = u32::try_from(MAX_PAYLOAD).unwrap();
    let mut guest = daemon.raw_guest(5);
    let write = [&b"data/x\0"[..], &vec![b'x'; MAX_PAYLOAD - 7]].concat();
    assert_eq!(guest.ask(MessageType::Write, write), Err(Refusal::NoSpace));
    guest.announce(longest + 1);
    assert!(guest.is_closed());
    assert!(daemon.host().is_introduced(5).unwrap());
}

fn a_request_that_is_too_long_ends_a_hosts_connection(daemon: &mut impl Daemon) {
    let mut host = daemon.raw_host();
    host.announce(u32::MAX);
    assert!(host.is_closed());
    assert_eq!(daemon.host().directory("/").unwrap(), ["tool"]);
}

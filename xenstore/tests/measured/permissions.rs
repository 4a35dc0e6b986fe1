//! Who may read and change what.

use crate::daemon::{Daemon, on_each_daemon};
use crate::raw::Raw;
use xend_xenstore::wire::MessageType;
use xend_xenstore::{Client, Nodes, Permission, Refusal};

const GUEST: &str = "/local/domain/5";

on_each_daemon!(
    nodes_inherit_permissions,
    a_guest_changes_what_it_owns,
    the_directory_of_a_guest_is_hidden_from_others,
    a_missing_node_is_hidden_like_the_node_above,
    a_directory_that_everybody_reads_shows_what_inherits_it,
    what_a_guest_removes_may_be_gone_for_it,
    what_a_guest_makes_is_its_own,
    a_guest_lets_others_read_and_write,
    permissions_are_refused,
    requests_of_the_host_are_refused_to_guests,
    a_stub_domain_has_the_rights_of_its_guest,
    permissions_end_with_their_domain,
);

fn permissions(client: &mut Client, path: &str) -> String {
    let entries = client.permissions(path).unwrap();
    entries.iter().map(Permission::to_string).collect::<Vec<_>>().join(" ")
}

fn set(client: &mut Client, path: &str, permissions: &str) -> Result<(), Option<Refusal>> {
    let entries: Vec<Permission> =
        permissions.split_whitespace().map(|entry| entry.parse().unwrap()).collect();
    client.set_permissions(path, &entries).map_err(|error| error.refusal())
}

fn refused<T>(result: Result<T, xend_xenstore::Error>) -> Option<Refusal> {
    result.err().and_then(|error| error.refusal())
}

fn nodes_inherit_permissions(daemon: &mut impl Daemon) {
    daemon.introduce(5);
    let mut host = daemon.host();
    host.write(&format!("{GUEST}/data/host/1"), b"{}").unwrap();
    host.write(&format!("{GUEST}/vm-data/networking/00163e112233"), b"{}").unwrap();
    let mut guest = daemon.guest(5);
    guest.write("attr/PVAddons/MajorVersion", b"8").unwrap();
    for (path, expected) in [
        ("name", "n0 r5"),
        ("control", "n0 r5"),
        ("control/shutdown", "n5"),
        ("data", "n5"),
        ("data/host", "n5"),
        ("data/host/1", "n5"),
        ("vm-data", "n0 r5"),
        ("vm-data/networking/00163e112233", "n0 r5"),
        ("attr/PVAddons", "n5"),
        ("attr/PVAddons/MajorVersion", "n5"),
    ] {
        assert_eq!(permissions(&mut host, &format!("{GUEST}/{path}")), expected, "{path}");
        assert_eq!(permissions(&mut guest, path), expected, "{path}");
    }
}

fn a_guest_changes_what_it_owns(daemon: &mut impl Daemon) {
    daemon.introduce(5);
    let mut host = daemon.host();
    host.write(&format!("{GUEST}/data/host/1"), b"{}").unwrap();
    host.write(&format!("{GUEST}/vm-data/hostname"), b"web1").unwrap();
    let mut guest = daemon.guest(5);
    for path in [
        "attr/vif/0/ipv4/0",
        "control/feature-poweroff",
        "control/feature-reboot",
        "control/feature-suspend",
        "control/shutdown",
        "control/sysrq",
        "data/guest/1",
        "data/updated",
        "drivers/0",
        "error/device",
        "feature/hotplug/vif",
    ] {
        guest.write(path, b"1").unwrap();
        assert_eq!(guest.read(path).unwrap(), b"1", "{path}");
    }
    for path in ["control/feature-balloon", "name", "new", "new/node", "vm-data/hostname"] {
        assert_eq!(refused(guest.write(path, b"1")), Some(Refusal::Access), "{path}");
        assert_eq!(refused(guest.mkdir(path)), Some(Refusal::Access), "{path}");
        assert_eq!(refused(guest.remove(path)), Some(Refusal::Access), "{path}");
    }
    assert_eq!(guest.read("vm-data/hostname").unwrap(), b"web1");
    // A request that the host has made inherits the guest's permissions.
    guest.remove("data/host/1").unwrap();
    assert_eq!(host.directory(&format!("{GUEST}/data/host")).unwrap(), [""; 0]);
}

fn the_directory_of_a_guest_is_hidden_from_others(daemon: &mut impl Daemon) {
    daemon.introduce(5);
    daemon.introduce(6);
    daemon.host().write(&format!("{GUEST}/data/host/1"), b"{}").unwrap();
    let mut other = daemon.guest(6);
    for path in ["/", "/local", "/local/domain", "/tool", "/missing"] {
        assert_eq!(refused(other.read(path)), Some(Refusal::Access), "{path}");
        assert_eq!(refused(other.directory(path)), Some(Refusal::Access), "{path}");
        assert_eq!(refused(other.write(path, b"")), Some(Refusal::Access), "{path}");
    }
    for path in ["", "/name", "/data", "/data/host/1", "/data/missing", "/missing/missing"] {
        let path = format!("{GUEST}{path}");
        assert_eq!(refused(other.read(&path)), Some(Refusal::Access), "{path}");
        assert_eq!(refused(other.directory(&path)), Some(Refusal::Access), "{path}");
        assert_eq!(refused(other.permissions(&path)), Some(Refusal::Access), "{path}");
        assert_eq!(refused(other.write(&path, b"")), Some(Refusal::Access), "{path}");
        assert_eq!(refused(other.mkdir(&path)), Some(Refusal::Access), "{path}");
        assert_eq!(refused(other.remove(&path)), Some(Refusal::Access), "{path}");
        assert_eq!(set(&mut other, &path, "n6"), Err(Some(Refusal::Access)), "{path}");
    }
}

fn a_missing_node_is_hidden_like_the_node_above(daemon: &mut impl Daemon) {
    daemon.introduce(5);
    let mut guest = daemon.guest(5);
    for path in ["missing", "missing/missing", "data/missing", "data/missing/missing"] {
        assert_eq!(refused(guest.read(path)), Some(Refusal::NotFound), "{path}");
        assert_eq!(refused(guest.directory(path)), Some(Refusal::NotFound), "{path}");
    }
    for path in ["/missing", "/local/domain/9", "/local/domain/9/name"] {
        assert_eq!(refused(guest.read(path)), Some(Refusal::Access), "{path}");
    }
    // It is no error if only the node itself is missing.
    guest.remove("data/missing").unwrap();
    assert_eq!(refused(guest.remove("data/missing/missing")), Some(Refusal::NotFound));
}

/// Xen 4.1's and 4.2's xend made the directory this way.
fn a_directory_that_everybody_reads_shows_what_inherits_it(daemon: &mut impl Daemon) {
    daemon.introduce(5);
    daemon.introduce(6);
    let mut host = daemon.host();
    let xend = format!("{GUEST}/xend");
    host.mkdir(&xend).unwrap();
    set(&mut host, &xend, "r5").unwrap();
    host.write(&format!("{xend}/name"), b"web1").unwrap();
    host.write(&format!("{xend}/vm-data/hostname"), b"web1").unwrap();
    let mut other = daemon.guest(6);
    assert_eq!(other.read(&format!("{xend}/name")).unwrap(), b"web1");
    assert_eq!(other.read(&format!("{xend}/vm-data/hostname")).unwrap(), b"web1");
    assert_eq!(refused(other.write(&format!("{xend}/name"), b"")), Some(Refusal::Access));
    let mut guest = daemon.guest(5);
    guest.write("xend/vm-data/hostname", b"changed").unwrap();
    // What a host of today does.
    set(&mut host, &format!("{xend}/vm-data"), "n0 r5").unwrap();
    host.write(&format!("{xend}/vm-data/new"), b"1").unwrap();
    assert_eq!(refused(other.read(&format!("{xend}/vm-data/new"))), Some(Refusal::Access));
    assert_eq!(refused(guest.write("xend/vm-data/new", b"2")), Some(Refusal::Access));
    // What was there keeps its permissions.
    assert_eq!(other.read(&format!("{xend}/vm-data/hostname")).unwrap(), b"changed");
}

fn what_a_guest_removes_may_be_gone_for_it(daemon: &mut impl Daemon) {
    daemon.introduce(5);
    let mut guest = daemon.guest(5);
    guest.remove("data").unwrap();
    assert_eq!(refused(guest.mkdir("data")), Some(Refusal::Access));
    assert_eq!(refused(guest.write("data/guest/1", b"")), Some(Refusal::Access));
    assert_eq!(refused(guest.read("data")), Some(Refusal::NotFound));
    // The host makes it again, but not for the guest.
    let mut host = daemon.host();
    host.write(&format!("{GUEST}/data/host/1"), b"{}").unwrap();
    assert_eq!(permissions(&mut host, &format!("{GUEST}/data/host/1")), "n0 r5");
    assert_eq!(refused(guest.remove("data/host/1")), Some(Refusal::Access));
}

fn what_a_guest_makes_is_its_own(daemon: &mut impl Daemon) {
    daemon.introduce(5);
    daemon.introduce(6);
    let mut host = daemon.host();
    host.mkdir("/shared").unwrap();
    set(&mut host, "/shared", "b0 r5").unwrap();
    let mut other = daemon.guest(6);
    other.write("/shared/six/below", b"").unwrap();
    assert_eq!(permissions(&mut host, "/shared/six"), "b6 r5");
    assert_eq!(permissions(&mut host, "/shared/six/below"), "b6 r5");
    host.write("/shared/host", b"").unwrap();
    assert_eq!(permissions(&mut host, "/shared/host"), "b0 r5");
    // The entry of a domain counts, not that of all.
    assert_eq!(refused(daemon.guest(5).write("/shared/five", b"")), Some(Refusal::Access));
    assert_eq!(daemon.guest(5).directory("/shared").unwrap(), ["six", "host"]);
}

fn a_guest_lets_others_read_and_write(daemon: &mut impl Daemon) {
    daemon.introduce(5);
    daemon.introduce(6);
    let mut guest = daemon.guest(5);
    let mut other = daemon.guest(6);
    let path = format!("{GUEST}/data/shared");
    guest.write("data/shared/below", b"").unwrap();
    set(&mut guest, "data/shared", "n5 r6").unwrap();
    assert_eq!(other.read(&path).unwrap(), b"");
    assert_eq!(other.directory(&path).unwrap(), ["below"]);
    assert_eq!(refused(other.read(&format!("{path}/below"))), Some(Refusal::Access));
    assert_eq!(refused(other.write(&path, b"")), Some(Refusal::Access));
    set(&mut guest, "data/shared", "n5 w6").unwrap();
    assert_eq!(refused(other.read(&path)), Some(Refusal::Access));
    other.write(&path, b"changed").unwrap();
    other.write(&format!("{path}/new"), b"").unwrap();
    assert_eq!(permissions(&mut daemon.host(), &format!("{path}/new")), "n6 w6");
    assert_eq!(set(&mut other, &path, "n6"), Err(Some(Refusal::Access)));
    assert_eq!(guest.read("data/shared").unwrap(), b"changed");
    other.remove(&path).unwrap();
    assert_eq!(refused(guest.read("data/shared/below")), Some(Refusal::NotFound));
}

fn permissions_are_refused(daemon: &mut impl Daemon) {
    daemon.introduce(5);
    daemon.introduce(6);
    let mut guest = daemon.guest(5);
    guest.mkdir("data/own").unwrap();
    for (path, permissions, refusal) in [
        // No domain gives its nodes away.
        ("data/own", "n6", Refusal::NotPermitted),
        ("data/own", "n0", Refusal::NotPermitted),
        ("data/own", "n99", Refusal::NotFound),
        ("name", "n5", Refusal::Access),
        ("data/missing", "n5", Refusal::NotFound),
        ("data/own", "n5 r1 r2 r3 r4 r6", Refusal::NoSpace),
    ] {
        assert_eq!(set(&mut guest, path, permissions), Err(Some(refusal)), "{path} {permissions}");
    }
    set(&mut guest, "data/own", "n5 r1 r2 r3 r99").unwrap();
    assert_eq!(permissions(&mut guest, "data/own"), "n5 r1 r2 r3 r99");
    let mut host = daemon.host();
    let path = format!("{GUEST}/data/own");
    set(&mut host, &path, "n5 r1 r2 r3 r4 r6 r7").unwrap();
    assert_eq!(set(&mut host, &path, "n77"), Err(Some(Refusal::NotFound)));
    assert_eq!(permissions(&mut host, &path), "n5 r1 r2 r3 r4 r6 r7");
    let mut raw = daemon.raw_guest(5);
    for malformed in
        ["data/own\0", "data/own\0\0", "data/own\0x5\0", "data/own\0n5x\0", "data/own\0n"]
    {
        let reply = raw.ask(MessageType::SetPerms, malformed);
        assert_eq!(reply, Err(Refusal::Invalid), "{malformed:?}");
    }
}

fn requests_of_the_host_are_refused_to_guests(daemon: &mut impl Daemon) {
    daemon.introduce(5);
    let mut guest = daemon.raw_guest(5);
    for (kind, payload) in [
        (MessageType::Introduce, "7\x001\x001\0"),
        (MessageType::Release, "5\0"),
        (MessageType::Resume, "5\0"),
        (MessageType::SetTarget, "5\x006\0"),
        (MessageType::IsDomainIntroduced, "5\0"),
        (MessageType::Control, "check\0"),
    ] {
        assert_eq!(guest.ask(kind, payload), Err(Refusal::Access), "{kind:?}");
    }
    let mut guest = daemon.guest(5);
    assert_eq!(guest.domain_path(5).unwrap(), GUEST);
    assert_eq!(guest.domain_path(99).unwrap(), "/local/domain/99");
}

fn a_stub_domain_has_the_rights_of_its_guest(daemon: &mut impl Daemon) {
    daemon.introduce(5);
    daemon.introduce(6);
    let mut host = daemon.host();
    let mut stub = daemon.guest(6);
    assert_eq!(refused(stub.read(&format!("{GUEST}/name"))), Some(Refusal::Access));
    host.set_target(6, 5).unwrap();
    assert_eq!(stub.read(&format!("{GUEST}/name")).unwrap(), b"guest-5");
    stub.write(&format!("{GUEST}/data/stub"), b"").unwrap();
    assert_eq!(permissions(&mut host, &format!("{GUEST}/data/stub")), "n6");
    set(&mut stub, &format!("{GUEST}/data"), "n5 r6").unwrap();
    assert_eq!(stub.read("name").unwrap(), b"guest-6");
    assert_eq!(refused(daemon.guest(5).read("/local/domain/6/name")), Some(Refusal::Access));
    assert_eq!(refused(host.set_target(99, 5)), Some(Refusal::NotFound));
    assert_eq!(refused(host.set_target(6, 99)), Some(Refusal::NotFound));
}

fn permissions_end_with_their_domain(daemon: &mut impl Daemon) {
    daemon.introduce(5);
    daemon.introduce(6);
    let mut guest = daemon.guest(5);
    guest.write("data/for-six", b"").unwrap();
    set(&mut guest, "data/for-six", "n5 r6").unwrap();
    let path = format!("{GUEST}/data/for-six");
    let mut host = daemon.host();
    let read = |raw: &mut Raw| raw.ask(MessageType::Read, format!("{path}\0"));
    assert_eq!(read(&mut daemon.raw_guest(6)), Ok(Vec::new()));
    daemon.destroy(6);
    daemon.introduce(6);
    // The list still says so, but means the domain that was.
    assert_eq!(permissions(&mut host, &path), "n5 r6");
    assert_eq!(read(&mut daemon.raw_guest(6)), Err(Refusal::Access));
    set(&mut guest, "data/for-six", "n5 r6").unwrap();
    assert_eq!(read(&mut daemon.raw_guest(6)), Ok(Vec::new()));
}

//! What different hosts let their guests do, and guests whose root takes rights away.

use crate::guest::{DOMID, Guest, HOME};
use crate::machine::{success, wait};
use std::time::{Duration, Instant};
use xend_xenstore::{Access, Nodes, Permission};

const BALLOON: &str = "/sys/devices/system/xen_memory/xen_memory0/target_kb";

/// Permissions of a guest's own nodes.
fn of_guest(others: Access) -> [Permission; 1] {
    [Permission::new(others, DOMID)]
}

/// Permissions of the host's nodes, which the guest may read.
fn of_host() -> [Permission; 2] {
    [Permission::new(Access::None, 0), Permission::new(Access::Read, DOMID)]
}

impl Guest {
    /// A guest with a name, and a balloon of which it wants to tell.
    fn with_name() -> Option<Self> {
        let guest = Self::new()?;
        guest.write("/proc/sys/kernel/hostname", "web1\n");
        guest.write(BALLOON, "");
        Some(guest)
    }

    fn permit(&mut self, node: &str, permissions: &[Permission]) {
        let path = format!("{HOME}{node}");
        self.host.mkdir(&path).unwrap();
        self.host.set_permissions(&path, permissions).unwrap();
    }

    /// Removes what libxl makes in a guest's directory.
    fn clear(&mut self) {
        for name in self.host.directory(HOME).unwrap() {
            self.host.remove(&format!("{HOME}/{name}")).unwrap();
        }
        self.write_node("domid", "7");
    }

    /// The agent answers, reads what the host has written, and reports.
    fn check_all(&mut self) {
        self.start();
        self.check();
        self.write_node("vm-data/hostname", "web1");
        assert_eq!(self.ask("resetnetwork", ""), success());
        assert_eq!(self.read("/etc/hostname"), "web1\n");
        assert_eq!(self.read_node("vm-data/hostname").as_deref(), Some("web1"));
        assert_eq!(self.wait_for_node("attr/PVAddons/MajorVersion"), "1");
        assert_eq!(self.wait_for_node("data/updated"), "1");
    }

    fn wait_for_node(&mut self, path: &str) -> String {
        wait(|| self.read_node(path)).unwrap_or_else(|| panic!("There is no {path}"))
    }

    fn is_permitted(&mut self, path: &str) -> bool {
        match self.other_program().write(path, b"changed") {
            Ok(()) => true,
            Err(error) => {
                assert!(error.is_access(), "{error}");
                false
            }
        }
    }
}

#[test]
fn libxl_lets_no_guest_tell_of_its_balloon() {
    let Some(mut guest) = Guest::with_name() else { return };
    guest.check_all();
    assert!(!guest.is_permitted("vm-data/hostname") && !guest.is_permitted("vm-data/other"));
    assert_eq!(guest.read_node("control/feature-balloon"), None);
    // Everything is reported again, as after a migration to another host.
    for _ in 0..2 {
        guest.remove_node("attr/PVAddons");
        guest.wait_for_node("attr/PVAddons/BuildVersion");
        std::thread::sleep(Duration::from_millis(1200));
    }
    let log = guest.log();
    assert_eq!(log.matches("Cannot report control/feature-balloon: ").count(), 1, "{log}");
    assert_eq!(log.matches("Cannot").count(), 1, "{log}");
}

#[test]
fn the_host_of_xapi_lets_guests_do_more() {
    let Some(mut guest) = Guest::with_name() else { return };
    guest.clear();
    for name in ["data", "vm-data", "attr", "control", "feature", "drivers", "error"] {
        guest.permit(&format!("/{name}"), &of_guest(Access::None));
    }
    guest.check_all();
    assert!(guest.is_permitted("vm-data/hostname") && guest.is_permitted("vm-data/other"));
    assert_eq!(guest.wait_for_node("control/feature-balloon"), "1");
    assert_eq!(guest.log().matches("Cannot").count(), 0, "{}", guest.log());
}

/// xend 3.0 gives the guest its whole directory, which has nothing of the agent's in it.
#[test]
fn the_first_xend_lets_guests_do_everything() {
    let Some(mut guest) = Guest::with_name() else { return };
    guest.clear();
    guest.permit("", &of_guest(Access::None));
    guest.check_all();
    assert_eq!(guest.wait_for_node("control/feature-balloon"), "1");
    assert_eq!(guest.log().matches("Cannot").count(), 0, "{}", guest.log());
}

/// xend 4.1 does too, and lets all guests read what stands there.
#[test]
fn the_last_xend_lets_all_guests_read() {
    let Some(mut guest) = Guest::with_name() else { return };
    guest.clear();
    guest.permit("", &of_guest(Access::Read));
    guest.permit("/data", &of_guest(Access::None));
    guest.permit("/vm-data", &of_host());
    guest.check_all();
    assert!(!guest.is_permitted("vm-data/hostname"));
    guest.xenstored.introduce(DOMID + 1);
    let mut other = guest.xenstored.guest_client(DOMID + 1);
    let id = guest.put("version", "");
    guest.wait_for(&id);
    for path in [format!("data/guest/{id}"), "vm-data/hostname".to_owned()] {
        let read = other.read(&format!("{HOME}/{path}"));
        assert!(read.unwrap_err().is_access(), "{path}");
    }
}

/// What a guest may not do is no failure of the agent, whatever it is.
#[test]
fn a_host_that_permits_nothing_is_waited_for() {
    let Some(mut guest) = Guest::with_name() else { return };
    guest.clear();
    guest.start();
    let id = guest.put("version", "");
    assert!(wait(|| guest.log().contains(&id).then_some(())).is_some());
    guest.clear();
    guest.permit("/data", &of_guest(Access::None));
    guest.check();
}

/// After `rm data` by its root, a guest of libxl cannot make it again.
#[test]
fn data_that_is_gone_does_not_end_the_agent() {
    let Some(mut guest) = Guest::with("") else { return };
    guest.check();
    let mut program = guest.other_program();
    program.remove("data").unwrap();
    assert!(program.mkdir("data").unwrap_err().is_access());
    let lacks = "Cannot make data/host";
    assert!(wait(|| guest.log().contains(lacks).then_some(())).is_some());

    // The host makes it with its next request, and the guest may only read it.
    let id = guest.put("version", "");
    assert!(wait(|| guest.log().contains(&id).then_some(())).is_some());
    // Longer than the agent waits for a look without an event.
    std::thread::sleep(Duration::from_millis(5500));
    assert_eq!(guest.log().matches(&format!("{id}: version: 0")).count(), 1, "{}", guest.log());
    let next = guest.put("features", "");
    assert!(wait(|| guest.log().contains(&format!("{next}: features: 0")).then_some(())).is_some());

    guest.remove_node("data");
    guest.permit("/data", &of_guest(Access::None));
    guest.check();
    assert_eq!(guest.log().matches(lacks).count(), 1, "{}", guest.log());
    assert!(guest.log().lines().count() < 20, "{}", guest.log());
}

#[test]
fn a_request_that_the_guest_cannot_read_keeps_nobody_waiting() {
    let Some(mut guest) = Guest::with("") else { return };
    guest.check();
    let path = format!("{HOME}/data/host/secret");
    let of_host = [Permission::new(Access::None, 0)];
    let put = guest.host.transaction(|nodes| {
        nodes.write(&path, b"{\"name\":\"version\"}")?;
        nodes.set_permissions(&path, &of_host)
    });
    put.unwrap();
    // A pause after each failure would take 5 s.
    let start = Instant::now();
    for _ in 0..10 {
        guest.check();
    }
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    // It is looked at again when the guest may.
    guest.host.set_permissions(&path, &of_guest(Access::None)).unwrap();
    assert_eq!(guest.wait_for("secret").0, "0");
    assert!(guest.log().lines().count() < 20, "{}", guest.log());
}

#[test]
fn a_directory_that_the_guest_may_not_read_is_looked_at_again() {
    let Some(mut guest) = Guest::with("") else { return };
    guest.check();
    guest.permit("/data/host", &[Permission::new(Access::None, 0)]);
    let id = guest.put("version", "");
    std::thread::sleep(Duration::from_millis(300));
    assert!(guest.has_request(&id));
    guest.permit("/data/host", &of_guest(Access::None));
    guest.permit(&format!("/data/host/{id}"), &of_guest(Access::None));
    assert_eq!(guest.wait_for(&id).0, "0");
    guest.check();
}

#[test]
fn other_guests_read_nothing() {
    let Some(mut guest) = Guest::with_name() else { return };
    guest.check_all();
    let id = guest.put("version", "");
    guest.wait_for(&id);
    guest.xenstored.introduce(DOMID + 1);
    let mut other = guest.xenstored.guest_client(DOMID + 1);
    for path in ["data/host", "data/guest", "vm-data/hostname", "attr/PVAddons/MajorVersion"] {
        let read = other.read(&format!("{HOME}/{path}"));
        assert!(read.unwrap_err().is_access(), "{path}");
    }
    let path = format!("{HOME}/data/host/1");
    assert!(other.write(&path, b"{\"name\":\"version\"}").unwrap_err().is_access());
    // A stub domain may do what its guest may.
    guest.host.set_target(DOMID + 1, DOMID).unwrap();
    assert!(other.read(&format!("{HOME}/data/guest/{id}")).unwrap().starts_with(b"{"));
}

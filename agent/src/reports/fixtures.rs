//! Guests for tests: their files, their network interfaces, and their hosts.

use super::interfaces::Interfaces;
use crate::netlink::{Address, Interface, Link};
use crate::root::Root;
use crate::runner::{Finished, Program, Runner};
use crate::system::System;
use rustix::event::{EventfdFlags, eventfd};
use std::cell::RefCell;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;
use tempfile::TempDir;
use xend_xenstore::{Access, Client, Connection, Identity, Nodes, Permission, Server, Store};

/// A guest's files in a directory of their own.
pub(super) struct Guest(TempDir);

impl Guest {
    /// A guest without any files.
    pub(super) fn empty() -> Self {
        Self(TempDir::new().unwrap())
    }

    /// One with a kernel's files, this os-release and this host name.
    pub(super) fn new(os_release: &str, kernel: &str, host_name: &str) -> Self {
        Self::empty()
            .file("/usr/lib/os-release", os_release)
            .link("/etc/os-release", "../usr/lib/os-release")
            .file("/proc/sys/kernel/osrelease", format!("{kernel}\n"))
            .file("/proc/sys/kernel/hostname", format!("{host_name}\n"))
            .file("/proc/meminfo", MEMINFO)
            .file("/sys/bus/xen/drivers/vif/uevent", "")
            .file("/sys/bus/xen/drivers/vbd/uevent", "")
            .file("/sys/devices/system/xen_memory/xen_memory0/target_kb", "1048576\n")
    }

    pub(super) fn debian_12() -> Self {
        Self::new(DEBIAN_12, "6.1.0-28-amd64", "db1").vif("eth0", 0)
    }

    pub(super) fn ubuntu_24_04() -> Self {
        Self::new(UBUNTU_24_04, "6.8.0-49-generic", "web1").vif("enX0", 0).vif("enX1", 1)
    }

    pub(super) fn alpine() -> Self {
        Self::new(ALPINE, "6.6.58-0-virt", "alpine")
    }

    pub(super) fn rhel() -> Self {
        Self::new(RHEL, "5.14.0-427.13.1.el9_4.x86_64", "rhel.example.com")
    }

    pub(super) fn file(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        let file = self.root().path(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, content).unwrap();
        self
    }

    pub(super) fn link(self, path: &str, target: &str) -> Self {
        let link = self.root().path(path);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        symlink(target, link).unwrap();
        self
    }

    /// A vif as sysfs shows it: by symbolic links.
    pub(super) fn vif(self, name: &str, number: u32) -> Self {
        let device = format!("vif-{number}");
        self.file(&format!("/sys/devices/{device}/nodename"), format!("device/vif/{number}\n"))
            .link(
                &format!("/sys/devices/{device}/net/{name}/device"),
                &format!("../../../{device}"),
            )
            .link(&format!("/sys/class/net/{name}"), &format!("../../devices/{device}/net/{name}"))
    }

    pub(super) fn root(&self) -> Root {
        Root::new(self.0.path())
    }

    pub(super) fn system(&self) -> System {
        System { root: self.root(), runner: Box::new(NoPrograms), shadow: None }
    }
}

/// Reports need no program.
struct NoPrograms;

impl Runner for NoPrograms {
    fn has(&self, _: &str) -> bool {
        false
    }

    fn run(&self, program: &Program<'_>) -> io::Result<Finished> {
        panic!("{} was run", program.program)
    }
}

/// An interface that is switched on, with these addresses.
pub(super) fn interface(index: u32, name: &str, ips: &[&str]) -> Interface {
    let link = Link {
        index,
        name: name.to_owned(),
        mac: Some([0x00, 0x16, 0x3e, 0, 0, u8::try_from(index).unwrap()]),
        is_up: true,
        is_loopback: name == "lo",
        master: None,
    };
    Interface { link, addresses: ips.iter().map(|ip| address(index, ip)).collect() }
}

/// An address, which is link-local if it looks like that.
pub(super) fn address(index: u32, ip: &str) -> Address {
    Address {
        index,
        ip: ip.parse::<IpAddr>().unwrap(),
        prefix: if ip.contains(':') { 64 } else { 24 },
        is_link_local: ip.starts_with("fe80:") || ip.starts_with("169.254."),
        is_usable: true,
        is_temporary: false,
    }
}

/// Interfaces that a test changes while a reporter has them, too.
#[derive(Clone)]
pub(super) struct TestInterfaces {
    /// `None`: they cannot be read.
    interfaces: Rc<RefCell<Option<Vec<Interface>>>>,
    event: Rc<OwnedFd>,
}

impl TestInterfaces {
    pub(super) fn new(interfaces: Vec<Interface>) -> Self {
        let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).unwrap();
        Self { interfaces: Rc::new(RefCell::new(Some(interfaces))), event: Rc::new(event) }
    }

    /// These are the interfaces from now on, which is told.
    pub(super) fn set(&self, interfaces: Option<Vec<Interface>>) {
        *self.interfaces.borrow_mut() = interfaces;
        rustix::io::write(&self.event, &1_u64.to_ne_bytes()).unwrap();
    }
}

impl Interfaces for TestInterfaces {
    fn interfaces(&mut self) -> io::Result<Vec<Interface>> {
        self.interfaces.borrow().clone().ok_or_else(|| io::Error::other("Not permitted"))
    }

    fn take_changes(&mut self) -> io::Result<bool> {
        match rustix::io::read(&self.event, &mut [0; 8]) {
            Err(rustix::io::Errno::AGAIN) => Ok(false),
            taken => Ok(taken.map(|_| true)?),
        }
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        Some(self.event.as_fd())
    }
}

/// The domain's directory, that of the guest in all tests.
const HOME: &str = "/local/domain/5";

/// A host with its XenStore and one guest, domain 5.
pub(super) struct Host {
    server: Server,
    store: Store,
    connection: Connection,
}

impl Host {
    /// A guest that may write nothing.
    pub(super) fn without_nodes() -> Self {
        let store = Store::new();
        store.introduce(5).unwrap();
        let connection = store.connect(Identity::Host).unwrap();
        let mut host = Self { server: Server::start(store.clone()).unwrap(), store, connection };
        host.make("", &[Permission::new(Access::None, 0), Permission::new(Access::Read, 5)]);
        host.write("domid", "5");
        host
    }

    /// A guest with the nodes and permissions that libxl makes.
    pub(super) fn libxl() -> Self {
        let mut host = Self::without_nodes();
        host.make_guests_nodes();
        host.make(
            "/control",
            &[Permission::new(Access::None, 0), Permission::new(Access::Read, 5)],
        );
        host
    }

    /// The same of XAPI.
    pub(super) fn xapi() -> Self {
        let mut host = Self::without_nodes();
        host.make_guests_nodes();
        for node in ["/control", "/xenserver", "/xenserver/attr"] {
            host.make(node, &[Permission::new(Access::None, 5)]);
        }
        host
    }

    fn make_guests_nodes(&mut self) {
        for node in ["/data", "/attr", "/drivers", "/feature", "/error"] {
            self.make(node, &[Permission::new(Access::None, 5)]);
        }
    }

    fn make(&mut self, node: &str, permissions: &[Permission]) {
        let path = format!("{HOME}{node}");
        self.connection.mkdir(&path).unwrap();
        self.connection.set_permissions(&path, permissions).unwrap();
    }

    /// Takes the guest's own nodes away and makes them anew, as a host does to which it migrates.
    pub(super) fn clear(&mut self) {
        for node in ["data", "attr", "drivers", "feature", "error"] {
            self.remove(node);
        }
        self.make_guests_nodes();
    }

    /// The guest's connection to XenStore.
    pub(super) fn client(&self) -> Client {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        self.server.serve(theirs, Identity::Guest(5)).unwrap();
        Client::over_stream(ours)
    }

    pub(super) fn read(&mut self, node: &str) -> Option<String> {
        let value = self.connection.read_if_exists(&format!("{HOME}/{node}")).unwrap();
        value.map(|value| String::from_utf8(value).unwrap())
    }

    pub(super) fn write(&mut self, node: &str, value: &str) {
        self.connection.write(&format!("{HOME}/{node}"), value.as_bytes()).unwrap();
    }

    pub(super) fn remove(&mut self, node: &str) {
        self.connection.remove(&format!("{HOME}/{node}")).unwrap();
    }

    /// Uses up the nodes that the guest may have. Returns the node that they are below.
    pub(super) fn fill_quota(&self) -> &'static str {
        let mut guest = self.store.connect(Identity::Guest(5)).unwrap();
        let mut count = 0;
        while guest.mkdir(&format!("error/{}/{}", count / 50, count % 50)).is_ok() {
            count += 1;
        }
        assert!(count > 100, "{count}");
        "error"
    }

    /// All nodes with values that the guest reports by, sorted, as `PATH = VALUE` lines.
    pub(super) fn report(&mut self) -> String {
        let mut lines = Vec::new();
        for top in ["attr", "control", "data", "feature"] {
            self.add_lines(top, &mut lines);
        }
        lines.sort();
        lines.concat()
    }

    fn add_lines(&mut self, node: &str, lines: &mut Vec<String>) {
        if let Some(value) = self.read(node).filter(|value| !value.is_empty()) {
            lines.push(format!("{node} = {value}\n"));
        }
        let children = self.connection.directory_if_exists(&format!("{HOME}/{node}")).unwrap();
        for child in children.unwrap_or_default() {
            self.add_lines(&format!("{node}/{child}"), lines);
        }
    }

    /// Sees from now on what changes of the guest's nodes.
    pub(super) fn watcher(&self) -> Watcher {
        let mut connection = self.store.connect(Identity::Host).unwrap();
        connection.watch(HOME, "").unwrap();
        let mut watcher = Watcher(connection);
        watcher.changes();
        watcher
    }
}

/// See [`Host::watcher`].
pub(super) struct Watcher(Connection);

impl Watcher {
    /// The nodes that have changed since the last call, in order.
    pub(super) fn changes(&mut self) -> Vec<String> {
        let mut changes = Vec::new();
        while let Some(event) = self.0.next_event(Some(Duration::ZERO)).unwrap() {
            let path = event.path.strip_prefix(HOME).unwrap();
            changes.push(path.trim_start_matches('/').to_owned());
        }
        changes
    }
}

const MEMINFO: &str = "\
MemTotal:        2015340 kB
MemFree:          151180 kB
MemAvailable:    1613460 kB
Buffers:           83152 kB
HugePages_Total:       0
";

const DEBIAN_12: &str = r#"PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
NAME="Debian GNU/Linux"
VERSION_ID="12"
VERSION="12 (bookworm)"
VERSION_CODENAME=bookworm
ID=debian
HOME_URL="https://www.debian.org/"
"#;

const UBUNTU_24_04: &str = r#"PRETTY_NAME="Ubuntu 24.04.1 LTS"
NAME="Ubuntu"
VERSION_ID="24.04"
VERSION="24.04.1 LTS (Noble Numbat)"
VERSION_CODENAME=noble
ID=ubuntu
ID_LIKE=debian
UBUNTU_CODENAME=noble
"#;

const ALPINE: &str = r#"NAME="Alpine Linux"
ID=alpine
VERSION_ID=3.20.3
PRETTY_NAME="Alpine Linux v3.20"
"#;

const RHEL: &str = r#"NAME="Red Hat Enterprise Linux"
VERSION="9.4 (Plow)"
ID="rhel"
ID_LIKE="fedora"
VERSION_ID="9.4"
PLATFORM_ID="platform:el9"
PRETTY_NAME="Red Hat Enterprise Linux 9.4 (Plow)"
"#;

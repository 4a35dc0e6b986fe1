//! When the guest's report is brought up to date.

use super::addresses::{VirtualFunctions, add_addresses, virtual_functions};
use super::features::{LAST_NODE, add_features, add_version};
use super::interfaces::{Interfaces, KernelInterfaces};
use super::operating_system::{add_memory, add_operating_system};
use super::publisher::Publisher;
use super::report::Report;
use crate::log::{self, Condition};
use crate::root::Root;
use crate::system::System;
use rustix::event::epoll;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};
use xend_xenstore::{Client, Error, Nodes};

/// How often everything is looked at. The memory always changes; the rest mostly tells of itself.
const INTERVAL: Duration = Duration::from_secs(60);
/// The time between two reports at least, because addresses come and go several at a time.
const PAUSE: Duration = Duration::from_secs(1);
/// The most events of XenStore that are taken at a time.
const MAX_EVENTS: usize = 1024;

/// Reports what the guest looks like from inside. Idle, it wakes up once a minute.
///
/// The loop waits until [`descriptor`](Self::descriptor) is readable or
/// [`next_due`](Self::next_due) has passed, and then calls [`refresh`](Self::refresh).
///
/// After a migration the guest is another domain, whose directory in XenStore has no report. The
/// kernel then sets all watches again, and XenStore answers each with an event: so a watch of a
/// node that never changes tells of it at once. Where the kernel does not, the look at each minute
/// finds that the node is gone, or that `domid` is another.
pub struct Reporter {
    root: Root,
    store: Client,
    interfaces: Box<dyn Interfaces>,
    /// Readable when XenStore or the kernel has something to tell.
    events: Option<OwnedFd>,
    is_started: bool,
    publisher: Publisher,
    domid: Option<Vec<u8>>,
    /// The addresses when they were known last.
    addresses: Report,
    unknown_interfaces: Condition,
    last: Option<Instant>,
    due: Option<Instant>,
}

impl Reporter {
    /// Reports by a connection of its own. Nothing is done before the first
    /// [`refresh`](Self::refresh).
    pub fn new(system: &System, store: Client) -> Self {
        Self::with_interfaces(system, store, Box::new(KernelInterfaces::new()))
    }

    /// The same for interfaces from elsewhere than the kernel.
    pub fn with_interfaces(
        system: &System,
        store: Client,
        interfaces: Box<dyn Interfaces>,
    ) -> Self {
        let events = both(store.as_fd(), interfaces.descriptor());
        let late =
            |error: &_| log::line(format_args!("Changes are reported once a minute only: {error}"));
        Self {
            root: system.root.clone(),
            store,
            interfaces,
            events: events.inspect_err(late).ok(),
            is_started: false,
            publisher: Publisher::default(),
            domid: None,
            addresses: Report::default(),
            unknown_interfaces: Condition::default(),
            last: None,
            due: None,
        }
    }

    /// Becomes readable when something has changed; `None` if nothing tells.
    pub fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.events.as_ref().map(AsFd::as_fd)
    }

    /// How long it is until something is to be done even if the descriptor is not readable.
    pub fn next_due(&self, now: Instant) -> Duration {
        // An event may have come with the answer to a request.
        let due = self.due.filter(|_| !self.store.has_event());
        due.map_or(Duration::ZERO, |due| due.saturating_duration_since(now))
    }

    /// Takes what has changed and writes it if it is time. What cannot be read or written is left
    /// out. An error means that the connection to XenStore is lost: make a new `Reporter`.
    pub fn refresh(&mut self, now: Instant) -> Result<(), Error> {
        if !self.is_started {
            self.start()?;
        }
        if self.have_interfaces_changed() {
            self.bring_forward(now);
        }
        let has_event = self.take_events()?;
        if (has_event || self.is_due(now)) && self.is_new_domain()? {
            self.publisher.forget();
            self.bring_forward(now);
        }
        if self.is_due(now) {
            let report = self.collect()?;
            self.publisher.publish(&mut self.store, &report)?;
            self.last = Some(now);
            self.due = now.checked_add(INTERVAL);
        }
        Ok(())
    }

    fn start(&mut self) -> Result<(), Error> {
        match self.store.watch(LAST_NODE, "report") {
            Err(error) if error.is_lost() => return Err(error),
            Err(error) => {
                log::line(format_args!("A migration may be noticed a minute late: {error}"));
            }
            Ok(()) => {}
        }
        self.domid = self.read("domid")?;
        self.is_started = true;
        Ok(())
    }

    fn is_due(&self, now: Instant) -> bool {
        self.due.is_none_or(|due| due <= now)
    }

    /// The next report is at once, or when the last one is old enough.
    fn bring_forward(&mut self, now: Instant) {
        let earliest = self.last.map_or(now, |last| (last + PAUSE).max(now));
        self.due = self.due.map(|due| due.min(earliest));
    }

    fn have_interfaces_changed(&mut self) -> bool {
        self.interfaces.take_changes().unwrap_or_else(|error| {
            log::line(format_args!("Changes of addresses may be noticed a minute late: {error}"));
            true
        })
    }

    fn take_events(&mut self) -> Result<bool, Error> {
        let mut has_event = false;
        for _ in 0..MAX_EVENTS {
            match self.store.next_event(Some(Duration::ZERO)) {
                Ok(None) => break,
                Ok(Some(_)) | Err(Error::EventsLost) => has_event = true,
                Err(error) => return Err(error),
            }
        }
        Ok(has_event)
    }

    /// Whether the report is gone because the guest has become another domain. A value that another
    /// agent has written stays: two agents would overwrite each other's for ever.
    fn is_new_domain(&mut self) -> Result<bool, Error> {
        let domid = self.read("domid")?;
        let is_gone = self.publisher.has_written(LAST_NODE) && self.read(LAST_NODE)?.is_none();
        let is_new = is_gone || domid != self.domid;
        self.domid = domid;
        Ok(is_new)
    }

    /// A node's value; `None` if it cannot be read.
    fn read(&mut self, path: &str) -> Result<Option<Vec<u8>>, Error> {
        match self.store.read(path) {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.is_lost() => Err(error),
            Err(_) => Ok(None),
        }
    }

    /// Everything, in the order in which XAPI wants it: it looks at `attr` and not at `data` when
    /// something changes.
    fn collect(&mut self) -> Result<Report, Error> {
        let functions = virtual_functions(&mut self.store)?;
        self.look_at_interfaces(&functions);
        let mut report = Report::default();
        add_operating_system(&mut report, &self.root);
        add_memory(&mut report, &self.root);
        add_features(&mut report, &self.root);
        report.append(&self.addresses);
        add_version(&mut report);
        Ok(report)
    }

    fn look_at_interfaces(&mut self, functions: &VirtualFunctions) {
        match self.interfaces.interfaces() {
            Ok(interfaces) => {
                let mut addresses = Report::default();
                add_addresses(&mut addresses, &self.root, &interfaces, functions);
                self.addresses = addresses;
                self.unknown_interfaces.ends();
            }
            Err(error) => {
                self.unknown_interfaces
                    .begins(format_args!("Cannot read the network interfaces: {error}"));
            }
        }
    }
}

/// A descriptor that is readable when one of these is.
fn both(one: BorrowedFd<'_>, other: Option<BorrowedFd<'_>>) -> rustix::io::Result<OwnedFd> {
    let both = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    for descriptor in [Some(one), other].into_iter().flatten() {
        epoll::add(&both, descriptor, epoll::EventData::new_u64(0), epoll::EventFlags::IN)?;
    }
    Ok(both)
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{Guest, Host, TestInterfaces, interface};
    use super::*;
    use crate::netlink::Interface;
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    const SECOND: Duration = Duration::from_secs(1);

    /// A reporter of a guest that is domain 5 of a host.
    fn reporter(guest: &Guest, host: &Host, interfaces: &TestInterfaces) -> Reporter {
        Reporter::with_interfaces(&guest.system(), host.client(), Box::new(interfaces.clone()))
    }

    /// A guest of Debian 12 on this host.
    struct Debian {
        /// Removed at its end.
        guest: Guest,
        host: Host,
        interfaces: TestInterfaces,
        reporter: Reporter,
    }

    impl Debian {
        fn on(host: Host) -> Self {
            let guest = Guest::debian_12();
            let interfaces = TestInterfaces::new(debians_interfaces());
            let reporter = reporter(&guest, &host, &interfaces);
            Self { guest, host, interfaces, reporter }
        }
    }

    /// Waits until the reporter's descriptor is readable, some seconds at most.
    fn becomes_ready(reporter: &Reporter, limit: Duration) -> bool {
        let limit = Timespec::try_from(limit).unwrap();
        let mut fds = [PollFd::from_borrowed_fd(reporter.descriptor().unwrap(), PollFlags::IN)];
        poll(&mut fds, Some(&limit)).unwrap() == 1
    }

    /// Refreshes until there is nothing more to take: the reporter sees what it has written itself.
    fn settle(reporter: &mut Reporter, now: Instant) {
        reporter.refresh(now).unwrap();
        while reporter.next_due(now).is_zero() || becomes_ready(reporter, Duration::ZERO) {
            reporter.refresh(now).unwrap();
        }
    }

    const DEBIAN: &str = concat!(
        "attr/PVAddons/BuildVersion = xend-",
        env!("CARGO_PKG_VERSION"),
        "
attr/PVAddons/Installed = 1
attr/PVAddons/MajorVersion = 1
attr/PVAddons/MicroVersion = 0
attr/PVAddons/MinorVersion = 0
attr/vif/0/ipv4/0 = 10.0.0.2
attr/vif/0/ipv6/0 = 2001:db8::2
attr/vif/0/ipv6/1 = fe80::2
data/host_name_dns = db1
data/meminfo_free = 1613460
data/meminfo_total = 2015340
data/os_distro = debian
data/os_majorver = 12
data/os_name = Debian GNU/Linux 12 (bookworm)
data/os_uname = 6.1.0-28-amd64
data/updated = 1
feature/hotplug/vbd = 1
feature/hotplug/vif = 1
"
    );

    fn debians_interfaces() -> Vec<Interface> {
        vec![
            interface(1, "lo", &["127.0.0.1", "::1"]),
            interface(2, "eth0", &["10.0.0.2", "fe80::2", "2001:db8::2"]),
        ]
    }

    #[test]
    fn a_guest_of_libxl_reports_all_but_that_it_has_a_balloon() {
        let Debian { guest: _guest, mut host, mut reporter, .. } = Debian::on(Host::libxl());
        settle(&mut reporter, Instant::now());
        assert_eq!(host.report(), DEBIAN);
    }

    #[test]
    fn a_guest_of_xapi_reports_that_it_has_a_balloon() {
        let Debian { guest: _guest, mut host, mut reporter, .. } = Debian::on(Host::xapi());
        settle(&mut reporter, Instant::now());
        let mut expected: Vec<&str> = DEBIAN.lines().collect();
        expected.insert(8, "control/feature-balloon = 1");
        assert_eq!(host.report().lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_guest_without_anything_reports_that_there_is_an_agent() {
        let guest = Guest::empty();
        let mut host = Host::libxl();
        let interfaces = TestInterfaces::new(Vec::new());
        let mut reporter = reporter(&guest, &host, &interfaces);
        settle(&mut reporter, Instant::now());
        let versions = "attr/PVAddons/";
        let (version, rest): (Vec<String>, Vec<String>) =
            host.report().lines().map(str::to_owned).partition(|line| line.starts_with(versions));
        assert_eq!(version.len(), 5);
        assert_eq!(rest, ["data/os_distro = linux", "data/os_name = Linux", "data/updated = 1"]);
    }

    #[test]
    fn addresses_are_those_of_the_hosts_vifs_whatever_their_names() {
        let guest = Guest::ubuntu_24_04();
        let mut host = Host::libxl();
        let interfaces = TestInterfaces::new(vec![
            interface(2, "enX0", &["203.0.113.10"]),
            interface(3, "enX1", &["10.0.0.2"]),
        ]);
        let mut reporter = reporter(&guest, &host, &interfaces);
        settle(&mut reporter, Instant::now());
        assert_eq!(host.read("attr/vif/0/ipv4/0"), Some("203.0.113.10".into()));
        assert_eq!(host.read("attr/vif/1/ipv4/0"), Some("10.0.0.2".into()));
    }

    #[test]
    fn what_an_earlier_agent_has_reported_of_interfaces_is_removed() {
        let guest = Guest::debian_12();
        let mut host = Host::libxl();
        host.write("attr/vif/0/ipv4/7", "192.0.2.1");
        host.write("attr/vif/3/ipv6/0", "2001:db8::1");
        let interfaces = TestInterfaces::new(debians_interfaces());
        let mut reporter = reporter(&guest, &host, &interfaces);
        settle(&mut reporter, Instant::now());
        assert_eq!(host.report(), DEBIAN);
    }

    #[test]
    fn an_idle_guest_looks_once_a_minute_and_writes_its_memory() {
        let Debian { guest, host, mut reporter, .. } = Debian::on(Host::libxl());
        let start = Instant::now();
        assert_eq!(reporter.next_due(start), Duration::ZERO);
        settle(&mut reporter, start);
        assert_eq!(reporter.next_due(start), INTERVAL);
        assert!(!becomes_ready(&reporter, Duration::ZERO));

        let mut watcher = host.watcher();
        let guest = guest.file("/proc/meminfo", "MemTotal: 2015340 kB\nMemAvailable: 100 kB\n");
        reporter.refresh(start + INTERVAL / 2).unwrap();
        assert_eq!(watcher.changes(), [""; 0]);
        reporter.refresh(start + INTERVAL).unwrap();
        assert_eq!(watcher.changes(), ["data/meminfo_free", "data/updated"]);
        assert_eq!(reporter.next_due(start + INTERVAL), INTERVAL);
        // Nothing has changed: nothing is written.
        reporter.refresh(start + INTERVAL * 2).unwrap();
        assert_eq!(watcher.changes(), [""; 0]);
        drop(guest);
    }

    #[test]
    fn addresses_that_come_and_go_are_reported_within_a_second() {
        let guest = Guest::debian_12();
        let mut host = Host::libxl();
        let interfaces = TestInterfaces::new(vec![interface(2, "eth0", &[])]);
        let mut reporter = reporter(&guest, &host, &interfaces);
        let start = Instant::now();
        settle(&mut reporter, start);
        assert_eq!(host.read("attr/vif/0/ipv4/0"), None);

        interfaces.set(Some(vec![interface(2, "eth0", &["10.0.0.2", "10.0.0.3"])]));
        assert!(becomes_ready(&reporter, SECOND));
        // Too soon after the last report: more is likely to follow.
        settle(&mut reporter, start);
        assert_eq!(host.read("attr/vif/0/ipv4/0"), None);
        assert_eq!(reporter.next_due(start), PAUSE);
        settle(&mut reporter, start + PAUSE);
        assert_eq!(host.read("attr/vif/0/ipv4/1"), Some("10.0.0.3".into()));

        let mut watcher = host.watcher();
        interfaces.set(Some(vec![interface(2, "eth0", &["10.0.0.3"])]));
        let later = start + PAUSE * 10;
        settle(&mut reporter, later);
        let changes = ["attr/vif/0/ipv4/0", "attr/vif/0/ipv4/1", "data/updated"];
        assert_eq!(watcher.changes(), changes);
        assert_eq!(host.read("attr/vif/0/ipv4/0"), Some("10.0.0.3".into()));
        assert_eq!(host.read("attr/vif/0/ipv4/1"), None);
    }

    #[test]
    fn after_a_migration_all_is_reported_again() {
        let Debian { guest: _guest, mut host, mut reporter, .. } = Debian::on(Host::libxl());
        let start = Instant::now();
        settle(&mut reporter, start);
        host.clear();
        assert_ne!(host.report(), DEBIAN);
        assert!(becomes_ready(&reporter, SECOND * 5));
        settle(&mut reporter, start + PAUSE);
        assert_eq!(host.report(), DEBIAN);
    }

    #[test]
    fn a_migration_that_nothing_tells_of_is_seen_within_a_minute() {
        let Debian { guest: _guest, mut host, mut reporter, .. } = Debian::on(Host::libxl());
        let start = Instant::now();
        settle(&mut reporter, start);
        // The last node is there, as if this host had copied some of the old one's.
        host.write("domid", "6");
        host.remove("data/os_name");
        host.write("attr/vif/4/ipv4/0", "192.0.2.1");
        assert!(!becomes_ready(&reporter, SECOND / 10));
        settle(&mut reporter, start + INTERVAL);
        assert_eq!(host.report(), DEBIAN);
    }

    #[test]
    fn another_agents_version_is_left() {
        let Debian { guest: _guest, mut host, mut reporter, .. } = Debian::on(Host::libxl());
        let start = Instant::now();
        settle(&mut reporter, start);
        host.write(LAST_NODE, "another");
        assert!(becomes_ready(&reporter, SECOND * 5));
        settle(&mut reporter, start + INTERVAL);
        assert_eq!(host.read(LAST_NODE), Some("another".into()));
    }

    #[test]
    fn a_full_quota_does_not_end_it() {
        let guest = Guest::debian_12();
        let mut host = Host::libxl();
        let filled = host.fill_quota();
        let interfaces = TestInterfaces::new(debians_interfaces());
        let mut reporter = reporter(&guest, &host, &interfaces);
        let start = Instant::now();
        settle(&mut reporter, start);
        assert_eq!(host.read(LAST_NODE), None);
        host.remove(filled);
        settle(&mut reporter, start + INTERVAL);
        assert_eq!(host.report(), DEBIAN);
    }

    #[test]
    fn a_host_that_permits_nothing_does_not_end_it() {
        let Debian { guest: _guest, mut host, mut reporter, .. } =
            Debian::on(Host::without_nodes());
        let start = Instant::now();
        settle(&mut reporter, start);
        settle(&mut reporter, start + INTERVAL);
        assert_eq!(host.report(), "");
        assert_eq!(reporter.next_due(start + INTERVAL), INTERVAL);
    }

    #[test]
    fn addresses_stay_while_the_kernel_does_not_tell_them() {
        let Debian { guest: _guest, mut host, interfaces, mut reporter } =
            Debian::on(Host::libxl());
        let start = Instant::now();
        settle(&mut reporter, start);
        interfaces.set(None);
        settle(&mut reporter, start + INTERVAL);
        assert_eq!(host.report(), DEBIAN);
    }

    #[test]
    fn virtual_functions_are_those_that_the_host_names() {
        let guest = Guest::debian_12();
        let mut host = Host::xapi();
        host.write("xenserver/device/net-sriov-vf/2/mac", "00:16:3e:00:00:09");
        host.write("xenserver/device/net-sriov-vf/x/mac", "00:16:3e:00:00:02");
        let mut all = debians_interfaces();
        all.push(interface(9, "ens5", &["10.0.9.9"]));
        let interfaces = TestInterfaces::new(all);
        let mut reporter = reporter(&guest, &host, &interfaces);
        settle(&mut reporter, Instant::now());
        let node = "xenserver/attr/net-sriov-vf/2/ipv4/0";
        assert_eq!(host.read(node), Some("10.0.9.9".into()));
        assert_eq!(host.read("attr/vif/0/ipv4/0"), Some("10.0.0.2".into()));
    }

    #[test]
    fn a_lost_connection_is_an_error() {
        let Debian { guest: _guest, host, mut reporter, .. } = Debian::on(Host::libxl());
        let start = Instant::now();
        settle(&mut reporter, start);
        drop(host);
        assert!(becomes_ready(&reporter, SECOND * 5));
        assert!(reporter.refresh(start).unwrap_err().is_lost());
    }

    #[test]
    fn this_machines_own_interfaces_are_looked_at() {
        let guest = Guest::empty();
        let mut host = Host::libxl();
        let mut reporter = Reporter::new(&guest.system(), host.client());
        settle(&mut reporter, Instant::now());
        assert!(!reporter.unknown_interfaces.ends());
        // None of them is a vif of this guest.
        assert!(!host.report().contains("attr/vif"));
    }
}

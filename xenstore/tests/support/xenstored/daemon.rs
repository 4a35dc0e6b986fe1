//! The running daemon.

use super::guest::Guest;
use super::nodes::{directory_of, make_nodes};
use super::program::{Program, program};
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use xend_xenstore::{Client, Nodes};

/// How long anything may take.
const LIMIT: Duration = Duration::from_secs(10);

const PAUSE: Duration = Duration::from_millis(5);

/// The number of the event channel by which the hypervisor tells of domains that end: see `shim.c`.
const VIRQ_PORT: u32 = 0x7ff1;

/// Debian's xenstored, which runs until the value is dropped.
pub(crate) struct Xenstored {
    program: &'static Program,
    process: Child,
    guests: BTreeMap<u32, Guest>,
    // Dropped last.
    directory: TempDir,
}

impl Xenstored {
    /// Starts the daemon with an empty store. `None`, with the reason on standard error, if the
    /// program or the C compiler is missing: then the test is to be skipped.
    pub(crate) fn start() -> Option<Self> {
        match program() {
            Ok(program) => Some(Self::run(program)),
            Err(reason) => {
                eprintln!("Skipped: {reason}");
                None
            }
        }
    }

    fn run(program: &'static Program) -> Self {
        let directory = tempfile::Builder::new().prefix("xenstored-").tempdir().unwrap();
        let path = directory.path();
        fs::write(path.join("shim.so"), &program.shim).unwrap();
        // Domain 0 does not use its ring, but xenstored wants one.
        fs::create_dir(path.join("0")).unwrap();
        File::create(path.join("0/ring")).unwrap().set_len(4096).unwrap();
        fs::write(path.join("0/port"), "1").unwrap();
        let process = spawn(program, path);
        let mut xenstored = Self { program, process, guests: BTreeMap::new(), directory };
        xenstored.wait_for_start();
        xenstored
    }

    fn wait_for_start(&mut self) {
        wait_until("xenstored is there", || {
            let ended = self.process.try_wait().unwrap();
            if let Some(status) = ended {
                let log = fs::read_to_string(self.directory.path().join("log")).unwrap();
                panic!("xenstored has ended, {status}: {log}");
            }
            Client::open_path(&self.socket()).is_ok()
        });
    }

    /// Kills the daemon and starts it again. The host's connections end and all nodes are lost;
    /// guests are introduced again, with the nodes of new ones. They keep their connections, as
    /// they do through a kernel, which does not notice: their watches are gone. They should be
    /// idle, because a message that was on its way may be cut.
    pub(crate) fn restart(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        for name in ["socket", "events"] {
            fs::remove_file(self.directory.path().join(name)).unwrap();
        }
        self.process = spawn(self.program, self.directory.path());
        self.wait_for_start();
        let mut client = self.client();
        for domid in self.guests.keys() {
            client.transaction(|nodes| make_nodes(nodes, *domid)).unwrap();
            client.introduce(*domid, 1, 1).unwrap();
        }
    }

    /// Stops the daemon for a while: nothing is answered meanwhile.
    pub(crate) fn pause(&self, time: Duration) {
        let pid = Pid::from_child(&self.process);
        kill_process(pid, Signal::STOP).unwrap();
        thread::sleep(time);
        kill_process(pid, Signal::CONT).unwrap();
    }

    /// One of Xen's tools, such as `xenstore-read`, for domain 0. `None`, with the reason on
    /// standard error, if it is missing.
    pub(crate) fn tool(&self, name: &str) -> Option<Command> {
        let paths = [self.program.path.with_file_name(name), Path::new("/usr/bin").join(name)];
        let Some(path) = paths.iter().find(|path| path.is_file()) else {
            eprintln!("Skipped: there is no {name}: get it by `tests/xenstored/fetch`");
            return None;
        };
        let mut command = Command::new(path);
        command.env("XENSTORED_PATH", self.socket());
        if let Some(libraries) = &self.program.libraries {
            command.env("LD_LIBRARY_PATH", libraries);
        }
        Some(command)
    }

    /// Domain 0's socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.path().join("socket")
    }

    /// A new connection of domain 0.
    pub(crate) fn client(&self) -> Client {
        open(&self.socket())
    }

    /// Starts a guest: its nodes are made as libxl makes them, and xenstored is told.
    ///
    /// Panics if the domain is there already: [`Self::destroy`] it first.
    pub(crate) fn introduce(&mut self, domid: u32) {
        let directory = self.domain(domid);
        // First of all: xenstored gives no node to a domain that the hypervisor does not know.
        fs::create_dir(&directory).unwrap();
        let mut client = self.client();
        client.transaction(|nodes| make_nodes(nodes, domid)).unwrap();
        let events = self.directory.path().join("events");
        let guest = Guest::start(&directory, events, domid + 1).unwrap();
        self.guests.insert(domid, guest);
        client.introduce(domid, 1, 1).unwrap();
    }

    /// The socket at which a guest's programs reach XenStore as they do through `/dev/xen/xenbus`.
    /// Several may be connected at a time. After a request that xenstored takes as a breach of the
    /// protocol, nobody is served there until the domain is destroyed and introduced again.
    pub(crate) fn guest_socket(&self, domid: u32) -> PathBuf {
        self.domain(domid).join("socket")
    }

    /// A new connection of a guest.
    pub(crate) fn guest_client(&self, domid: u32) -> Client {
        open(&self.guest_socket(domid))
    }

    /// The guest shuts down. Domain and nodes stay; `@releaseDomain` fires.
    pub(crate) fn shut_down(&self, domid: u32) {
        let mut client = self.client();
        client.watch("@releaseDomain", "").unwrap();
        client.next_event(Some(LIMIT)).unwrap().unwrap();
        File::create(self.domain(domid).join("shutdown")).unwrap();
        self.tell_of_domains();
        client.next_event(Some(LIMIT)).unwrap().unwrap();
    }

    /// Ends a guest: its connections are closed, its nodes are removed as libxl does, and
    /// `@releaseDomain` fires.
    pub(crate) fn destroy(&mut self, domid: u32) {
        self.guests.remove(&domid);
        fs::remove_dir_all(self.domain(domid)).unwrap();
        let mut client = self.client();
        client.remove(&directory_of(domid)).unwrap();
        self.tell_of_domains();
        wait_until("the domain is released", || !client.is_introduced(domid).unwrap());
    }

    fn domain(&self, domid: u32) -> PathBuf {
        self.directory.path().join(domid.to_string())
    }

    fn tell_of_domains(&self) {
        let event = UnixDatagram::unbound().unwrap();
        event.send_to(&VIRQ_PORT.to_ne_bytes(), self.directory.path().join("events")).unwrap();
    }
}

impl Drop for Xenstored {
    fn drop(&mut self) {
        // Fails only if it has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn spawn(program: &Program, directory: &Path) -> Child {
    let mut command = Command::new(&program.path);
    command
        .arg("--no-fork")
        .current_dir(directory)
        .env("XENSTORED_RUNDIR", directory)
        .env("LD_PRELOAD", directory.join("shim.so"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(directory.join("log")).unwrap());
    if let Some(libraries) = &program.libraries {
        command.env("LD_LIBRARY_PATH", libraries);
    }
    command.spawn().unwrap()
}

fn open(socket: &Path) -> Client {
    let mut client = Client::open_path(socket).unwrap();
    client.set_reply_limit(LIMIT);
    client
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !is_so() {
        assert!(Instant::now() < deadline, "Waited in vain until {what}");
        thread::sleep(PAUSE);
    }
}

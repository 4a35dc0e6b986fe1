//! A daemon under attack.

use crate::figures::{Figures, Times, Use};
use crate::ports::free_port;
use crate::process;
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Time limit that nothing reaches unless it fails, even on a busy machine.
pub(crate) const GENEROUS: Duration = Duration::from_secs(120);

/// What the operator reads.
const LIST: &str = "GET /xend/domain HTTP/1.0\r\n\r\n";

/// How often the operator reads.
const READ_PAUSE: Duration = Duration::from_millis(10);

/// Twice the time between two looks for unused memory.
const GIVES_BACK: Duration = Duration::from_secs(20);

/// The size of an attack: as big as it once was with `XEND_HOSTILE=full`, otherwise a tenth of it.
pub(crate) fn scaled(full: usize) -> usize {
    if is_full() { full } else { (full / 10).max(4) }
}

/// Whether the attacks are as big as they once were.
pub(crate) fn is_full() -> bool {
    std::env::var("XEND_HOSTILE").is_ok_and(|value| value == "full")
}

/// A daemon on a simulated host.
pub(crate) struct Victim {
    child: Child,
    /// What it serves, and where: `Relocation on 127.0.0.1:8002`.
    announced: Vec<String>,
    dir: TempDir,
}

impl Victim {
    /// Starts a daemon with this configuration. `{PORT}` stands for a free port.
    pub(crate) fn start(config: &str) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), config)
    }

    /// Starts a daemon whose state is in `dir`.
    pub(crate) fn start_in(dir: TempDir, config: &str) -> Self {
        let mut config = config.replace("{DIR}", dir.path().to_str().unwrap());
        while config.contains("{PORT}") {
            config = config.replacen("{PORT}", &free_port().to_string(), 1);
        }
        let path = |name: &str| dir.path().join(name);
        fs::write(path("xend-config.sxp"), format!("{config}\n")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_xend"));
        command.args(["--http", "127.0.0.1:0", "--relocation", "127.0.0.1:0", "--log", "warn"]);
        for (option, name) in [
            ("--unix", "socket"),
            ("--xmlrpc", "xmlrpc"),
            ("--xen-api", "xen-api"),
            ("--state-dir", "state"),
            ("--config", "xend-config.sxp"),
        ] {
            command.arg(option).arg(path(name));
        }
        let mut child = process::spawn(&mut command, &path("log"));
        let mut announced = Vec::new();
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            announced.push(line.clone());
            if line.starts_with("Listening on http") {
                break;
            }
        }
        Self { child, announced, dir }
    }

    /// The TCP address of HTTP.
    pub(crate) fn http(&self) -> SocketAddr {
        self.address("Listening on http://")
    }

    /// The relocation port.
    pub(crate) fn relocation(&self) -> SocketAddr {
        self.address("Relocation on ")
    }

    /// The TCP address that is announced after this text.
    pub(crate) fn address(&self, announced: &str) -> SocketAddr {
        let line = self.announced.iter().find_map(|line| line.strip_prefix(announced));
        let line = line.unwrap_or_else(|| panic!("{:?}\n{}", self.announced, self.log()));
        line.trim_end_matches('/').parse().unwrap()
    }

    /// A file or socket of the daemon.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// What the daemon has logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap()
    }

    /// An operator's request over the unix socket: status and body.
    pub(crate) fn ask(&self, request: &str) -> (u16, String) {
        process::ask(&self.path("socket"), request, GENEROUS).unwrap()
    }

    pub(crate) fn get(&self, target: &str) -> (u16, String) {
        self.ask(&format!("GET {target} HTTP/1.0\r\n\r\n"))
    }

    pub(crate) fn post(&self, target: &str, form: &str) -> (u16, String) {
        self.ask(&process::post(target, form))
    }

    /// Defines domains with these names.
    pub(crate) fn define(&self, names: impl IntoIterator<Item = String>) {
        for name in names {
            let config = format!(
                "(vm (name {name}) (memory 64) (image (linux (kernel /boot/vmlinuz))) \
                 (device (vif (bridge xenbr0))) (device (vbd (uname phy:/dev/vg0/{name}) (dev xvda))))"
            );
            let form = format!("op=new&config={}", config.replace(' ', "+"));
            let (status, body) = self.post("/xend/domain", &form);
            assert_eq!(status, 200, "{body}");
        }
    }

    /// What the daemon uses now.
    pub(crate) fn usage(&self) -> Use {
        Use::of(self.child.id())
    }

    /// What the daemon uses when it has given back what it can: it looks for unused memory every 10
    /// seconds. What has hardly grown needs no such look.
    fn usage_afterwards(&self, before: Use) -> Use {
        let started = Instant::now();
        loop {
            thread::sleep(Duration::from_secs(2));
            let after = self.usage();
            if after.rss_mib < before.rss_mib + 16 || started.elapsed() > GIVES_BACK {
                return after;
            }
        }
    }

    /// Runs an attack while an operator reads the list of domains all the time, and prints its
    /// figures.
    pub(crate) fn under<T>(&self, attack: &str, run: impl FnOnce() -> T) -> (Figures, T) {
        let socket = self.path("socket");
        let (reads_before, lost) = read_while(&socket, || thread::sleep(Duration::from_secs(1)));
        assert_eq!(lost, 0);
        let before = self.usage();
        let ended = AtomicBool::new(false);
        let ((reads_during, lost), peak, result) = thread::scope(|scope| {
            let reader = scope.spawn(|| {
                read_while(&socket, || {
                    while !ended.load(Ordering::SeqCst) {
                        thread::sleep(READ_PAUSE);
                    }
                })
            });
            let observer = scope.spawn(|| {
                let mut peak = before;
                while !ended.load(Ordering::SeqCst) {
                    peak = peak.max(self.usage());
                    thread::sleep(READ_PAUSE);
                }
                peak
            });
            let end = EndOnDrop(&ended);
            let result = run();
            drop(end);
            (reader.join().unwrap(), observer.join().unwrap(), result)
        });
        // A read is the operator's first one afterwards.
        assert_eq!(self.get("/xend/domain").0, 200, "{}", self.log());
        let after = self.usage_afterwards(before);
        let figures = Figures { before, peak, after, reads_before, reads_during, lost };
        println!("{attack}: {figures}");
        assert_eq!(figures.lost, 0, "{attack}: reads were lost\n{}", self.log());
        assert!(!self.log().contains("panicked"), "{}", self.log());
        (figures, result)
    }

    /// Waits until a condition holds.
    pub(crate) fn until(&self, what: &str, mut condition: impl FnMut(&Self) -> bool) {
        let started = Instant::now();
        while !condition(self) {
            assert!(started.elapsed() < GENEROUS, "timed out waiting for: {what}\n{}", self.log());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Sends SIGTERM, and waits for the end.
    pub(crate) fn stop(mut self) -> ExitStatus {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        self.child.wait().unwrap()
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Ends the threads beside an attack, also when it panics.
struct EndOnDrop<'a>(&'a AtomicBool);

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Reads the list of domains again and again until `wait` returns: the times, and how many failed.
fn read_while(socket: &Path, wait: impl FnOnce() + Send) -> (Times, usize) {
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut times = Vec::new();
            let mut lost = 0;
            while !ended.load(Ordering::SeqCst) {
                let began = Instant::now();
                match process::ask(socket, LIST, GENEROUS) {
                    Ok((200, body)) if body.contains("Domain-0") => times.push(began.elapsed()),
                    _ => lost += 1,
                }
                thread::sleep(READ_PAUSE);
            }
            (Times::of(times), lost)
        });
        let end = EndOnDrop(&ended);
        wait();
        drop(end);
        reader.join().unwrap()
    })
}

//! The daemon as a process: its configuration, what it prints, its signals and its exit status.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

const GENEROUS: Duration = Duration::from_secs(60);

fn xend(dir: &TempDir, config: &str) -> Command {
    let file = dir.path().join("xend-config.sxp");
    std::fs::write(&file, config).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_xend"));
    command
        .arg("--config")
        .arg(file)
        .arg("--state-dir")
        .arg(dir.path().join("state"))
        .args(["--http", "127.0.0.1:0"])
        .arg("--unix")
        .arg(dir.path().join("sock"))
        .env_remove("RUST_LOG")
        .env_remove("LISTEN_FDS")
        .env_remove("NOTIFY_SOCKET")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// A daemon that is up; killed when dropped.
struct Running {
    child: Child,
    stdout: BufReader<ChildStdout>,
    address: String,
}

impl Running {
    fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let address =
            line.strip_prefix("Listening on http://").and_then(|rest| rest.strip_suffix("/\n"));
        let address = address.unwrap_or_else(|| panic!("where it listens: {line}")).to_owned();
        Self { child, stdout, address }
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    fn get(&self, host: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// Waits for the end; the exit status and what was written to standard error.
    fn end(mut self) -> (Option<i32>, String) {
        let deadline = Instant::now() + GENEROUS;
        while self.child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "the daemon ends");
            std::thread::sleep(Duration::from_millis(20));
        }
        let mut stderr = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        (self.child.wait().unwrap().code(), stderr)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn fails(mut command: Command) -> String {
    let output = command.output().unwrap();
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn says_where_it_listens_serves_and_ends_well() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("sock");
        let mut daemon = Running::start(xend(&dir, "(xend-prot 80)"));
        let mut line = String::new();
        daemon.stdout.read_line(&mut line).unwrap();
        assert_eq!(line, format!("Listening on unix:{}\n", socket.display()));
        assert!(daemon.get("localhost").starts_with("HTTP/1.1 200 "));
        UnixStream::connect(&socket).unwrap();

        daemon.signal(signal);
        let (status, stderr) = daemon.end();
        assert_eq!(status, Some(0), "{stderr}");
        assert!(!socket.exists());
        assert!(
            stderr.contains("xend-config.sxp:1:1: Unknown key xend-prot is ignored"),
            "{stderr}"
        );
    }
}

#[test]
fn bad_configuration_is_an_error_with_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let stderr = fails(xend(&dir, "# level\n(loglevel LOUD)"));
    let file = dir.path().join("xend-config.sxp");
    let message = format!("{}:2:11: loglevel: 'LOUD' is not DEBUG", file.display());
    assert!(stderr.contains(&message), "{stderr}");
}

#[test]
fn a_second_daemon_on_the_same_socket_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let _first = Running::start(xend(&dir, ""));
    let second = fails(xend(&dir, ""));
    assert!(second.contains("in use"), "{second}");
}

#[test]
fn a_reload_takes_over_what_it_can() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Running::start(xend(&dir, ""));
    assert!(daemon.get("new.example").starts_with("HTTP/1.1 403 "));

    let file = dir.path().join("xend-config.sxp");
    reload(&daemon, &file, "(loglevel LOUD)");
    reload(&daemon, &file, "(xend-http-hosts new.example) (sim-cpus 2)");
    let deadline = Instant::now() + GENEROUS;
    while !daemon.get("new.example").starts_with("HTTP/1.1 200 ") {
        assert!(Instant::now() < deadline, "the new name is taken over");
        std::thread::sleep(Duration::from_millis(20));
    }
    daemon.signal(Signal::SIGTERM);
    let (status, stderr) = daemon.end();
    assert_eq!(status, Some(0), "{stderr}");
    assert!(stderr.contains("the simulated host"), "{stderr}");
}

fn reload(daemon: &Running, file: &Path, config: &str) {
    std::fs::write(file, config).unwrap();
    daemon.signal(Signal::SIGHUP);
    // Two signals that are not looked at in between are one.
    std::thread::sleep(Duration::from_millis(200));
    assert!(daemon.get("localhost").starts_with("HTTP/1.1 200 "), "the daemon lives on");
}

//! The daemon as a process: configuration, output, signals and exit status.

use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use xend::server::lifecycle::DRAIN_DEADLINE;

const GENEROUS: Duration = Duration::from_secs(60);

fn xend(dir: &TempDir, config: &str) -> Command {
    xend_with(dir, config, "state", "sock")
}

/// The same with another state directory, which is relative to `dir`, and another socket.
fn xend_with(dir: &TempDir, config: &str, state: &str, socket: &str) -> Command {
    let file = dir.path().join("xend-config.sxp");
    std::fs::write(&file, config).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_xend"));
    command
        .arg("--config")
        .arg(file)
        .arg("--state-dir")
        .arg(state)
        .current_dir(dir)
        .args(["--http", "127.0.0.1:0"])
        .arg("--unix")
        .arg(dir.path().join(socket))
        .env_remove("RUST_LOG")
        .env_remove("LISTEN_FDS")
        .env_remove("NOTIFY_SOCKET")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// A daemon that serves; killed when dropped.
struct Running {
    child: Child,
    stdout: BufReader<ChildStdout>,
    address: String,
    /// The relocation port, if it is on.
    relocation: Option<String>,
}

impl Running {
    fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut relocation = None;
        loop {
            let mut line = String::new();
            stdout.read_line(&mut line).unwrap();
            if let Some(address) = line.strip_prefix("Relocation on ") {
                relocation = Some(address.trim_end().to_owned());
                continue;
            }
            let address =
                line.strip_prefix("Listening on http://").and_then(|a| a.strip_suffix("/\n"));
            let address = address.unwrap_or_else(|| panic!("an address: {line}")).to_owned();
            return Self { child, stdout, address, relocation };
        }
    }

    /// Starts a daemon whose log, which programs read, is the only thing that it writes.
    fn start_silently(mut command: Command, log: &Path) -> Self {
        command.stderr(std::fs::File::options().append(true).create(true).open(log).unwrap());
        let mut child = command.spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let mut started = Self { child, stdout, address: String::new(), relocation: None };
        let deadline = Instant::now() + GENEROUS;
        while started.address.is_empty() {
            assert!(Instant::now() < deadline, "the daemon listens");
            std::thread::sleep(Duration::from_millis(10));
            let text = std::fs::read_to_string(log).unwrap();
            // "started" is logged when everything listens.
            let rest =
                text.split_once("Listening on http://").filter(|_| text.contains(" started"));
            if let Some((address, _)) = rest.and_then(|(_, rest)| rest.split_once('/')) {
                address.clone_into(&mut started.address);
            }
        }
        started
    }

    /// Ends it, and checks that it wrote nothing to standard output.
    fn end_silently(mut self) {
        self.signal(Signal::TERM);
        assert!(self.child.wait().unwrap().success());
        let mut out = String::new();
        self.stdout.read_to_string(&mut out).unwrap();
        assert_eq!(out, "");
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Sends a request and returns the connection.
    fn send(&self, host: &str, method: &str, target: &str, form: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let length = form.len();
        write!(
            stream,
            "{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n\
             {form}"
        )
        .unwrap();
        stream
    }

    fn get(&self, host: &str) -> String {
        answer_on(self.send(host, "GET", "/", ""))
    }

    fn post(&self, target: &str, form: &str) -> String {
        answer_on(self.send("localhost", "POST", target, form))
    }

    /// Waits for the end, and returns the exit status and the log.
    fn end(self) -> (Option<i32>, String) {
        self.end_after(Duration::from_millis(20), |_| {})
    }

    /// Waits for the end. Calls `meanwhile` at every `interval`.
    fn end_after(mut self, interval: Duration, meanwhile: impl Fn(&Self)) -> (Option<i32>, String) {
        let deadline = Instant::now() + GENEROUS;
        while self.child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "the daemon ends");
            meanwhile(&self);
            std::thread::sleep(interval);
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

fn answer_on(mut stream: TcpStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn fails(mut command: Command) -> String {
    let output = command.output().unwrap();
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn the_daemon_announces_its_listeners_serves_and_ends() {
    for signal in [Signal::TERM, Signal::INT] {
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
        let started = format!(
            "Xend {} started hypervisor=sim config={at}/xend-config.sxp state_dir={at}/state\n",
            env!("CARGO_PKG_VERSION"),
            at = dir.path().display()
        );
        assert_eq!(stderr.matches(&started).count(), 1, "{stderr}");
        assert!(
            stderr.contains("xend-config.sxp:1:1: Unknown key xend-prot is ignored"),
            "{stderr}"
        );
        assert!(stderr.trim_end().ends_with("Stopped"), "{stderr}");
    }
}

#[test]
fn a_wrong_configuration_is_an_error_with_its_position() {
    let dir = tempfile::tempdir().unwrap();
    let stderr = fails(xend(&dir, "# level\n(loglevel LOUD)"));
    let file = dir.path().join("xend-config.sxp");
    let message = format!("{}:2:11: loglevel: 'LOUD' is not DEBUG", file.display());
    assert!(stderr.contains(&message), "{stderr}");
}

/// Nobody reads the pipe of the log, which takes 64 KiB.
#[test]
fn a_log_that_nobody_reads_blocks_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let unknown: Vec<_> = (0..2000).map(|number| format!("(no-such-key-{number} 1)")).collect();
    let daemon = Running::start(xend(&dir, &unknown.join("\n")));
    assert!(daemon.get("localhost").starts_with("HTTP/1.1 200 "));
    daemon.signal(Signal::TERM);
    let (status, log) = daemon.end();
    assert_eq!(status, Some(0));
    // What the pipe took is complete.
    assert!(log.len() > 60_000, "{}", log.len());
    let numbers = log.lines().map(|line| line.split("no-such-key-").nth(1));
    for (at, number) in numbers.take(300).enumerate() {
        let is_next = number.is_some_and(|rest| rest.starts_with(&format!("{at} ")));
        assert!(is_next, "{at}: {number:?}");
    }
}

#[test]
fn a_state_directory_can_be_relative() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Running::start(xend(&dir, ""));
    let config = "(vm (name web) (memory 64) (image (linux (kernel /k))))".replace(' ', "%20");
    let defined = daemon.post("/xend/domain", &format!("op=new&config={config}"));
    assert!(defined.starts_with("HTTP/1.1 200 "), "{defined}");
    for op in ["op=start", "op=suspend", "op=resume"] {
        let answer = daemon.post("/xend/domain/web", op);
        assert!(answer.starts_with("HTTP/1.1 20"), "{op}: {answer}");
    }
    assert!(dir.path().join("state/sim").is_dir());
}

#[test]
fn a_second_daemon_in_the_same_directory_is_an_error_that_names_the_first() {
    let dir = tempfile::tempdir().unwrap();
    let first = Running::start(xend(&dir, ""));
    let said = fails(xend_with(&dir, "", "state", "another"));
    let state = dir.path().join("state");
    let pid = first.child.id();
    let wanted = format!("{} is in use by another running xend (process {pid})", state.display());
    assert!(said.contains(&wanted) && !said.contains(" started"), "{said}");
    // Not even without the file that has the process.
    std::fs::remove_file(state.join("lock")).unwrap();
    let said = fails(xend_with(&dir, "", "state", "another"));
    assert!(said.contains("is in use by another running xend: "), "{said}");
    assert!(first.get("localhost").starts_with("HTTP/1.1 200 "), "the first one serves on");
    first.signal(Signal::KILL);
    first.end();
    // The lock ends with its process.
    assert!(Running::start(xend(&dir, "")).get("localhost").starts_with("HTTP/1.1 200 "));
}

#[test]
fn a_second_daemon_on_the_same_socket_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let _first = Running::start(xend(&dir, ""));
    let said = fails(xend_with(&dir, "", "another", "sock"));
    assert!(said.contains("is in use by a running server"), "{said}");
    assert!(!said.contains(" started"), "{said}");
}

#[test]
fn a_reload_applies_what_needs_no_restart() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Running::start(xend(&dir, ""));
    assert!(daemon.get("new.example").starts_with("HTTP/1.1 403 "));

    let file = dir.path().join("xend-config.sxp");
    reload(&daemon, &file, "(loglevel LOUD)");
    reload(&daemon, &file, "(xend-http-hosts new.example) (sim-cpus 2)");
    let deadline = Instant::now() + GENEROUS;
    while !daemon.get("new.example").starts_with("HTTP/1.1 200 ") {
        assert!(Instant::now() < deadline, "the new name is applied");
        std::thread::sleep(Duration::from_millis(20));
    }
    daemon.signal(Signal::TERM);
    let (status, stderr) = daemon.end();
    assert_eq!(status, Some(0), "{stderr}");
    assert!(stderr.contains("sim-cpus has changed: restart xend to apply it"), "{stderr}");
}

fn reload(daemon: &Running, file: &Path, config: &str) {
    std::fs::write(file, config).unwrap();
    daemon.signal(Signal::HUP);
    // Two signals in quick succession can arrive as one.
    std::thread::sleep(Duration::from_millis(200));
    assert!(daemon.get("localhost").starts_with("HTTP/1.1 200 "), "the daemon lives on");
}

/// A call of the simulated hypervisor that waits for the memory of a domain, which another host
/// never sends: the thread blocks in a read.
#[test]
fn a_hanging_hypervisor_call_does_not_keep_the_process() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = xend(&dir, "");
    command.args(["--relocation", "127.0.0.1:0"]);
    let daemon = Running::start(command);
    let mut stream = TcpStream::connect(daemon.relocation.as_deref().unwrap()).unwrap();
    stream.set_read_timeout(Some(GENEROUS)).unwrap();
    let config = "(domain (name stuck) (uuid 0f6c1a52-7d3e-4b8a-9c11-52d0a7e40001) (memory 64) \
                  (image (linux (kernel /k))))";
    let id = "0f6c1a52-7d3e-4b8a-9c11-52d0a7e40002";
    writeln!(stream, "(receive (version 1) (id {id}) (config {config}))").unwrap();
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "(ready)");
    // The daemon sends this while the call makes no progress.
    let line = lines.next().unwrap().unwrap();
    assert!(line.starts_with("(building "), "{line}");

    let started = Instant::now();
    let (status, stderr) =
        daemon.end_after(Duration::from_millis(500), |daemon| daemon.signal(Signal::TERM));
    assert_eq!(status, Some(0), "{stderr}");
    assert!(started.elapsed() < DRAIN_DEADLINE, "{stderr}");
    let last: Vec<_> = stderr.lines().rev().take(2).collect();
    assert!(last[0].ends_with("Stopped"), "{stderr}");
    assert!(last[1].contains("Abandoned calls that did not return within "), "{stderr}");
}

#[test]
fn a_second_signal_closes_busy_connections_and_logs_their_requests() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Running::start(xend(&dir, ""));
    let config = "(vm (name slow) (memory 64) (image (linux (kernel /k))) \
                  (device (vbd (uname phy:/dev/hotpluglost) (dev xvda) (mode w))))";
    let config = config.replace(' ', "%20");
    let created = daemon.post("/xend/domain", &format!("op=create&config={config}"));
    assert!(created.starts_with("HTTP/1.1 201 "), "{created}");
    // It takes 10 s.
    let mut waiting = daemon.send("localhost", "POST", "/xend/domain/slow", "op=wait_for_devices");
    // A later request is answered, so this one has been accepted.
    assert!(daemon.get("localhost").starts_with("HTTP/1.1 200 "));
    std::thread::sleep(Duration::from_millis(300));

    let (status, stderr) =
        daemon.end_after(Duration::from_millis(500), |daemon| daemon.signal(Signal::TERM));
    assert_eq!(status, Some(0), "{stderr}");
    assert!(stderr.contains("Second signal: closing all connections"), "{stderr}");
    let message = " without an answer to POST /xend/domain/slow";
    assert!(stderr.contains(message), "{stderr}");
    let mut answer = Vec::new();
    waiting.read_to_end(&mut answer).ok();
    assert_eq!(answer, b"", "no answer");
}

#[test]
fn a_port_that_is_taken_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let first = Running::start(xend(&dir, ""));
    let mut second = Command::new(env!("CARGO_BIN_EXE_xend"));
    second.args(["--unix", "off", "--http", &first.address]);
    second.arg("--state-dir").arg(dir.path().join("another"));
    second.arg("--config").arg(dir.path().join("xend-config.sxp"));
    let said = fails(second);
    let address = &first.address;
    let port = address.rsplit(':').next().unwrap();
    let wanted = format!(
        "xend: Cannot listen on http://{address}/: another program has the port, ss -ltnp 'sport = \
         :{port}' names it; stop that one, or choose another port with --http ADDR:PORT\n"
    );
    assert!(said.ends_with(&wanted), "{said}");
}

#[test]
fn directories_above_that_of_a_socket_are_not_made() {
    let dir = tempfile::tempdir().unwrap();
    let said = fails(xend_with(&dir, "", "state", "run/deep/sock"));
    let missing = dir.path().join("run");
    let wanted = format!("the directory {} is missing, make it first", missing.display());
    assert!(said.contains(&wanted) && !missing.exists(), "{said}");
    assert!(Running::start(xend_with(&dir, "", "state", "run/sock")).get("localhost").len() > 1);
}

#[test]
fn the_log_can_be_json_and_has_changes_alone() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = xend(&dir, "(xend-log-format journal) (xend-hypervisor sim)");
    command.args(["--log-format", "json"]);
    let log = dir.path().join("log");
    let daemon = Running::start_silently(command, &log);
    for form in ["op=pause", "op=destroy"] {
        assert!(daemon.post("/xend/domain/nosuch", form).starts_with("HTTP/1.1 404 "));
    }
    // The engine looks for vnets, the page for domains.
    let deleted = daemon.post("/xend/vnet/nosuch", "op=delete");
    assert!(deleted.starts_with("HTTP/1.1 404 "), "{deleted}");
    let config = "(vm (name web) (memory 64) (image (linux (kernel /k))))".replace(' ', "%20");
    let defined = daemon.post("/xend/domain", &format!("op=new&config={config}"));
    assert!(defined.starts_with("HTTP/1.1 200 "), "{defined}");
    let kept = daemon.send("localhost", "GET", "/xend/node/log", "");
    let kept = answer_on(kept);
    assert!(kept.contains("] INFO (engine:") && !kept.contains("\"level\""), "{kept}");
    daemon.end_silently();
    let stderr = std::fs::read_to_string(&log).unwrap();
    let lines: Vec<serde_json::Value> =
        stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |line: &serde_json::Value| line["fields"]["message"].as_str().unwrap().to_owned();
    let announced = lines.iter().filter(|line| of(line).starts_with("Listening on unix:"));
    assert_eq!(announced.count(), 1, "{stderr}");
    let done = lines.iter().find(|line| of(line) == "Done").unwrap();
    assert_eq!((&done["level"], &done["fields"]["op"]), (&"INFO".into(), &"new".into()));
    assert!(!lines.iter().any(|line| of(line) == "Failed"), "{stderr}");
    assert_eq!(of(lines.last().unwrap()), "Stopped");
}

#[test]
fn the_journal_gets_priorities() {
    let dir = tempfile::tempdir().unwrap();
    let log = std::fs::File::create(dir.path().join("log")).unwrap();
    let meta = log.metadata().unwrap();
    let mut command = xend(&dir, "(xend-prot 80)");
    command.env("JOURNAL_STREAM", format!("{}:{}", meta.dev(), meta.ino()));
    let daemon = Running::start_silently(command, &dir.path().join("log"));
    daemon.end_silently();
    let text = std::fs::read_to_string(dir.path().join("log")).unwrap();
    assert!(text.lines().all(|line| line.starts_with("<6>") || line.starts_with("<4>")), "{text}");
    let warning = text.lines().find(|line| line.contains("Unknown key xend-prot is ignored"));
    assert!(warning.is_some_and(|line| line.starts_with("<4>")), "{text}");
    assert!(text.contains("\n<6>Listening on unix:"), "{text}");
    assert!(text.ends_with("<6>Stopped\n"), "{text}");
}

#[test]
fn the_journal_gets_priorities_in_the_place_of_a_log_file_and_before_json() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let is_a_directory = format!("(logfile {})", dir.path().display());
    for config in [is_a_directory.as_str(), "(xend-log-format json)"] {
        let meta = std::fs::File::create(&path).unwrap().metadata().unwrap();
        let mut command = xend(&dir, config);
        command.env("JOURNAL_STREAM", format!("{}:{}", meta.dev(), meta.ino()));
        Running::start_silently(command, &path).end_silently();
        let text = std::fs::read_to_string(&path).unwrap();
        let has_priority = |line: &str| line.starts_with("<6>") || line.starts_with("<3>");
        assert!(text.lines().all(has_priority), "{text}");
        let is_json = |line: &str| serde_json::from_str::<serde_json::Value>(&line[3..]).is_ok();
        assert_eq!(text.lines().all(is_json), config != is_a_directory, "{text}");
        assert_eq!(text.matches("Listening on unix:").count(), 1, "{text}");
        let said = text.lines().filter(|line| line.starts_with("<3>The log goes to standard"));
        assert_eq!(said.count(), usize::from(config == is_a_directory), "{text}");
    }
    let failed = fails_in_journal(&dir, xend_with(&dir, &is_a_directory, "missing/state", "sock"));
    assert_eq!(failed.matches("state cannot be used").count(), 1, "{failed}");
}

/// What a start that fails writes to standard error, which is the journal's.
fn fails_in_journal(dir: &TempDir, mut command: Command) -> String {
    let path = dir.path().join("log");
    let log = std::fs::File::create(&path).unwrap();
    let meta = log.metadata().unwrap();
    command.env("JOURNAL_STREAM", format!("{}:{}", meta.dev(), meta.ino()));
    let output = command.stderr(log).output().unwrap();
    assert!(!output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn why_a_start_failed_has_the_format_of_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let _first = Running::start(xend(&dir, ""));
    let second = |config: &str| xend_with(&dir, config, "another", "sock");
    let in_use = "is in use by a running server";
    for config in ["(xend-log-format json)", "(xend-log-format json) (xend-prot 1)"] {
        let said = fails(second(config));
        let lines: Vec<serde_json::Value> =
            said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let last = lines.last().unwrap();
        assert_eq!(last["level"], "ERROR");
        assert!(last["fields"]["message"].as_str().unwrap().contains(in_use), "{said}");
    }
    let said = fails_in_journal(&dir, second(""));
    assert!(said.starts_with("<6>The host") || said.starts_with("<3>Socket "), "{said}");
    assert!(said.lines().last().unwrap().starts_with("<3>Socket ") && said.contains(in_use));

    // Before the configuration is known.
    let said = fails_in_journal(&dir, second("(xend-port 8000"));
    assert!(said.starts_with("<3>") && said.contains("xend-config.sxp:1:"), "{said}");
    let mut json = second("(xend-port 8000");
    json.args(["--log-format", "json"]);
    let said: serde_json::Value = serde_json::from_str(&fails(json)).unwrap();
    let message = said["fields"]["message"].as_str().unwrap();
    assert!(message.contains("xend-config.sxp:1:"), "{said}");
    let mut usage = second("");
    usage.arg("--http=elsewhere");
    let said = fails_in_journal(&dir, usage);
    assert!(said.lines().all(|line| line.starts_with("<3>")) && said.lines().count() > 1, "{said}");
}

#[test]
fn a_log_in_a_file_says_why_the_start_failed_and_so_does_standard_error() {
    let dir = tempfile::tempdir().unwrap();
    let _first = Running::start(xend(&dir, ""));
    let log = dir.path().join("xend.log");
    let said = fails(xend_with(&dir, &format!("(logfile {})", log.display()), "another", "sock"));
    let kept = std::fs::read_to_string(&log).unwrap();
    for text in [&said, &kept] {
        assert_eq!(text.matches("is in use by a running server").count(), 1, "{text}");
    }
    assert!(kept.contains("] ERROR (") && said.starts_with("xend: "), "{kept}{said}");
}

#[test]
fn a_start_that_fails_leaves_no_state_directory_of_its_own_making() {
    let dir = tempfile::tempdir().unwrap();
    let _first = Running::start(xend(&dir, ""));
    let said = fails(xend_with(&dir, "", "another", "sock"));
    assert!(said.contains("is in use by a running server"), "{said}");
    assert!(!dir.path().join("another").exists());
    std::fs::create_dir(dir.path().join("another")).unwrap();
    fails(xend_with(&dir, "", "another", "sock"));
    assert!(dir.path().join("another").exists());
}

#[test]
fn listeners_are_announced_once_on_each_stream() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = Running::start(xend(&dir, "(loglevel DEBUG)"));
    daemon.signal(Signal::TERM);
    let (_, stderr) = daemon.end();
    assert!(stderr.contains("DEBUG") || stderr.contains("INFO"), "{stderr}");
    assert!(!stderr.contains("Listening on"), "{stderr}");
}

#[test]
fn without_a_file_the_started_line_says_none() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_xend"));
    command.args(["--http", "127.0.0.1:0", "--unix", "off", "--state-dir", "state"]);
    command.current_dir(&dir).env("XDG_CONFIG_HOME", dir.path()).env("HOME", dir.path());
    command.env_remove("XEND_CONFIG").env_remove("NOTIFY_SOCKET").env_remove("LISTEN_FDS");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let daemon = Running::start(command);
    daemon.signal(Signal::TERM);
    let (_, stderr) = daemon.end();
    // Root has a file of its own.
    let file = Path::new("/etc/xen/xend-config.sxp");
    let is_there = rustix::process::geteuid().is_root() && file.exists();
    let expected = if is_there { file.display().to_string() } else { "none".to_owned() };
    let at = dir.path().canonicalize().unwrap();
    let expected = format!("config={expected} state_dir={}/state", at.display());
    assert!(stderr.contains(&expected), "{stderr}");
}

#[test]
fn a_file_on_the_command_line_is_logged_with_its_whole_path() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = xend(&dir, "");
    command.args(["--config", "xend-config.sxp"]);
    let command = {
        let mut relative = Command::new(command.get_program());
        let args: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
        // The first one is the whole path.
        relative.args(&args[2..]).current_dir(&dir);
        relative.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        relative
    };
    let daemon = Running::start(command);
    daemon.signal(Signal::TERM);
    let (_, stderr) = daemon.end();
    let expected =
        format!("config={}/xend-config.sxp", dir.path().canonicalize().unwrap().display());
    assert!(stderr.contains(&expected), "{stderr}");
}

#[test]
fn of_a_state_directory_the_last_part_alone_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let said = fails(xend_with(&dir, "", "run/deep/state", "sock"));
    let missing = dir.path().join("run");
    let wanted = format!("the directory {} is missing, make it first", missing.display());
    assert!(said.contains(&wanted) && !missing.exists(), "{said}");
}

#[test]
fn a_hypervisor_of_the_command_line_counts_whatever_the_file_says() {
    let dir = tempfile::tempdir().unwrap();
    for wrong in ["kvm", "(a list)"] {
        let config = format!("(xend-hypervisor {wrong})");
        assert!(fails(xend(&dir, &config)).contains("xend-hypervisor: "));
        let mut command = xend(&dir, &config);
        command.args(["--hypervisor", "sim"]);
        let daemon = Running::start(command);
        daemon.signal(Signal::TERM);
        let (status, stderr) = daemon.end();
        assert_eq!(status, Some(0), "{stderr}");
        assert!(stderr.contains("WARNING") && stderr.contains("the command line decides, sim"));
    }
}

#[test]
fn status_has_the_exit_statuses_of_the_old_xend() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("sock");
    let config = format!("(xend-unix-path {}) (xend-http-server no)", socket.display());
    let daemon = Running::start(xend(&dir, &config));
    let status = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xend"));
        command.arg("status").env("XEND_CONFIG", dir.path().join("xend-config.sxp"));
        let output = command.env("HOME", dir.path()).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, said) = status();
    assert_eq!(code, Some(0), "{said}");
    let wanted = format!("xend is running: it listens on {}; ", socket.display());
    assert!(said.starts_with(&wanted), "{said}");
    daemon.signal(Signal::TERM);
    daemon.end();
    // Another daemon may run on this machine, where it usually listens.
    let (code, said) = status();
    let elsewhere = said.contains("/lib/xend/") || said.contains("/run/xend/");
    assert!(code == Some(3) || (code == Some(0) && elsewhere), "{said}");
}

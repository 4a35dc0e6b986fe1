//! The daemon as a process with its own sockets, and a client that shows the raw answers.

use crate::process;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use xend::sxp::{Limits, Reader, Sxp};

/// A timeout that is long enough for a busy machine.
pub(crate) const GENEROUS: Duration = Duration::from_secs(60);

/// A running daemon, killed on drop.
pub(crate) struct Daemon {
    child: Child,
    /// The port for HTTP, which may be encrypted.
    pub tcp: SocketAddr,
    /// The relocation port; `None` if the daemon was started without one.
    pub relocation: Option<SocketAddr>,
    /// The listeners that it announced on stdout: `Xen-API on http://127.0.0.1:4711/`.
    pub announced: Vec<String>,
    pub dir: TempDir,
}

impl Daemon {
    /// Starts a daemon on a fresh simulated host.
    pub(crate) fn start(options: &[&str]) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), options)
    }

    /// Starts a daemon on the host whose state is in `dir`.
    pub(crate) fn start_in(dir: TempDir, options: &[&str]) -> Self {
        let config = dir.path().join("xend-config.sxp");
        std::fs::write(&config, "# empty\n").unwrap();
        Self::start_with_config(dir, &config, options)
    }

    /// Starts a daemon with a configuration file.
    pub(crate) fn start_with_config(dir: TempDir, config: &Path, options: &[&str]) -> Self {
        Self::start_with_environment(dir, config, options, &[])
    }

    /// Starts a daemon with a configuration file and environment variables.
    pub(crate) fn start_with_environment(
        dir: TempDir,
        config: &Path,
        options: &[&str],
        environment: &[(&str, &str)],
    ) -> Self {
        Self::start_by(&[], dir, config, options, environment)
    }

    /// Starts a daemon by another program, which gets its command line and becomes it.
    pub(crate) fn start_by(
        program: &[&str],
        dir: TempDir,
        config: &Path,
        options: &[&str],
        environment: &[(&str, &str)],
    ) -> Self {
        let words = [program, &[env!("CARGO_BIN_EXE_xend")]].concat();
        let mut command = Command::new(words[0]);
        command
            .args(&words[1..])
            .args(["--http", "127.0.0.1:0", "--unix"])
            .arg(dir.path().join("sock"))
            .arg("--state-dir")
            .arg(dir.path().join("state"))
            .arg("--config")
            .arg(config)
            .args(options)
            .envs(environment.iter().copied());
        let mut child = process::spawn(&mut command, &dir.path().join("stderr"));
        let mut tcp = None;
        let mut relocation = None;
        let mut announced = Vec::new();
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            if let Some(address) = line.strip_prefix("Relocation on ") {
                relocation = Some(address.parse().unwrap());
            }
            announced.push(line.clone());
            let url = line.strip_prefix("Listening on http://");
            if let Some(address) = url.or_else(|| line.strip_prefix("Listening on https://")) {
                tcp = Some(address.trim_end_matches('/').parse().unwrap());
                break;
            }
        }
        let Some(tcp) = tcp else {
            panic!("{}", std::fs::read_to_string(dir.path().join("stderr")).unwrap())
        };
        Self { child, tcp, relocation, announced, dir }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.dir.path().join("sock")
    }

    /// The daemon's standard error.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("stderr")).unwrap()
    }

    /// Waits for a line in standard error.
    pub(crate) fn wait_for_log(&self, text: &str) {
        self.until(text, |daemon| daemon.log().contains(text));
    }

    /// Sends a signal and waits for the daemon's end. The directory has the host's state.
    pub(crate) fn end(mut self, signal: Signal) -> (ExitStatus, TempDir) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
        let status = self.child.wait().unwrap();
        let empty = tempfile::tempdir().unwrap();
        (status, std::mem::replace(&mut self.dir, empty))
    }

    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    /// Restarts a daemon that has been killed.
    pub(crate) fn restarted(mut self) -> Self {
        self.child.wait().unwrap();
        let dir = std::mem::replace(&mut self.dir, tempfile::tempdir().unwrap());
        Self::start_in(dir, &[])
    }

    /// Kills the daemon and restarts it.
    pub(crate) fn killed_and_restarted(self) -> Self {
        let (_, dir) = self.end(Signal::KILL);
        Self::start_in(dir, &[])
    }

    pub(crate) fn get(&self, target: &str) -> Answer {
        ask(
            &Listener::Tcp(self.tcp),
            format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nAccept: application/sxp\r\n\r\n")
                .as_bytes(),
        )
    }

    pub(crate) fn post(&self, target: &str, form: &str) -> Answer {
        ask(&Listener::Tcp(self.tcp), &post(target, form))
    }

    /// Creates a domain from a configuration.
    pub(crate) fn create(&self, config: &str) -> Answer {
        self.post("/xend/domain", &format!("op=create&config={}", encoded(config)))
    }

    /// The domain as a tree; `None` if there is none.
    pub(crate) fn domain(&self, name: &str) -> Option<Sxp> {
        let answer = self.get(&format!("/xend/domain/{name}"));
        (answer.code == 200).then(|| answer.sxp())
    }

    /// A value of the domain: `state`, `domid`, ...
    pub(crate) fn value(&self, name: &str, key: &str) -> String {
        self.domain(name).unwrap().value(key).unwrap().as_str().unwrap().to_owned()
    }

    /// Waits until a condition holds.
    pub(crate) fn until(&self, what: &str, mut condition: impl FnMut(&Self) -> bool) {
        let started = Instant::now();
        while !condition(self) {
            assert!(started.elapsed() < GENEROUS, "timed out waiting for: {what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A paravirtualised guest with a disk and a network interface.
pub(crate) fn guest(name: &str, more: &str) -> String {
    format!(
        "(vm (name {name}) (memory 64) (vcpus 2) (image (linux (kernel /boot/vmlinuz))) \
         (device (vbd (uname phy:/dev/vg0/{name}) (dev xvda) (mode w))) (device (vif (bridge xenbr0))) {more})"
    )
}

/// A listener of the daemon.
pub(crate) enum Listener {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// A response.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub code: u16,
    pub reason: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub(crate) fn parse(raw: &[u8]) -> Option<Self> {
        let end = raw.windows(4).position(|w| w == b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&raw[..end]).into_owned();
        let mut lines = head.split("\r\n");
        let mut status = lines.next()?.splitn(3, ' ');
        status.next()?;
        let code = status.next()?.parse().ok()?;
        let reason = status.next().unwrap_or("");
        let headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        Some(Self { code, reason: reason.to_owned(), headers, body: raw[end + 4..].to_vec() })
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn sxp(&self) -> Sxp {
        first_expression(&self.body).unwrap_or_else(|| panic!("{self:?}"))
    }

    /// Code and reason phrase: `404 Not found`.
    pub(crate) fn status(&self) -> String {
        format!("{} {}", self.code, self.reason)
    }
}

/// The first expression of a text. xend appended text to some.
pub(crate) fn first_expression(text: &[u8]) -> Option<Sxp> {
    Reader::new(text, &Limits { bytes: usize::MAX, count: usize::MAX, ..Limits::default() })
        .next()
        .ok()
        .flatten()
}

pub(crate) fn connect(listener: &Listener) -> Box<dyn ReadWrite> {
    match listener {
        Listener::Tcp(address) => {
            let stream = TcpStream::connect(address).unwrap();
            stream.set_read_timeout(Some(GENEROUS)).unwrap();
            Box::new(stream)
        }
        Listener::Unix(path) => {
            let stream = UnixStream::connect(path).unwrap();
            stream.set_read_timeout(Some(GENEROUS)).unwrap();
            Box::new(stream)
        }
    }
}

pub(crate) trait ReadWrite: std::io::Read + Write {}
impl<T: std::io::Read + Write> ReadWrite for T {}

/// Sends raw bytes on a new connection and reads the answer.
pub(crate) fn ask(listener: &Listener, request: &[u8]) -> Answer {
    try_ask(listener, request).unwrap_or_else(|| {
        panic!("no answer to {:?}", String::from_utf8_lossy(&request[..request.len().min(300)]))
    })
}

/// Sends raw bytes on a new connection; `None` if there is no answer.
pub(crate) fn try_ask(listener: &Listener, request: &[u8]) -> Option<Answer> {
    let mut stream = connect(listener);
    // The server can answer and close before everything is sent.
    let _ = stream.write_all(request);
    let mut raw = Vec::new();
    let mut buffer = vec![0; 65536];
    loop {
        if let Some(answer) = Answer::parse(&raw) {
            if answer.code == 100 {
                raw = answer.body;
                continue;
            }
            let length =
                answer.header("content-length").and_then(|n| n.parse().ok()).unwrap_or(usize::MAX);
            let has_body = !request.starts_with(b"HEAD ") && !matches!(answer.code, 204 | 304);
            if !has_body || answer.body.len() >= length {
                return Some(answer);
            }
        }
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return Answer::parse(&raw),
            Ok(n) => raw.extend_from_slice(&buffer[..n]),
        }
    }
}

pub(crate) fn post(target: &str, form: &str) -> Vec<u8> {
    format!(
        "POST {target} HTTP/1.1\r\nHost: localhost\r\nAccept: application/sxp\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    )
    .into_bytes()
}

/// Opens a page as a browser does.
pub(crate) fn open_page(daemon: &Daemon, target: &str) -> Answer {
    let head = "Host: localhost\r\nUser-Agent: Mozilla/5.0\r\nAccept: text/html,*/*;q=0.8\r\n\
                Upgrade-Insecure-Requests: 1\r\n";
    ask(&Listener::Tcp(daemon.tcp), format!("GET {target} HTTP/1.1\r\n{head}\r\n").as_bytes())
}

/// Sends the form of a page as a browser does.
pub(crate) fn send_form(daemon: &Daemon, target: &str, form: &str) -> Answer {
    let head = "Host: localhost\r\nUser-Agent: Mozilla/5.0\r\nAccept: text/html,*/*;q=0.8\r\n\
                Upgrade-Insecure-Requests: 1\r\nOrigin: http://localhost\r\n\
                Content-Type: application/x-www-form-urlencoded\r\n";
    let length = form.len();
    let text = format!("POST {target} HTTP/1.1\r\n{head}Content-Length: {length}\r\n\r\n{form}");
    ask(&Listener::Tcp(daemon.tcp), text.as_bytes())
}

/// Escapes every byte that is not a letter or digit as `%xx` in lower case, as libvirt does.
pub(crate) fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02x}").unwrap();
        }
        out
    })
}

/// The path of a file in the project's test data.
pub(crate) fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("sexpr-fixtures").join(path)
}

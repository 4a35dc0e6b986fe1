//! A daemon that may be killed at any time.

use crate::cut::{Cut, Mode};
use crate::process;
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::{self, BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

/// Time limit that nothing reaches unless it fails, even on a busy machine.
const GENEROUS: Duration = Duration::from_secs(120);

/// A daemon on a simulated host.
pub(crate) struct Daemon {
    child: Child,
    dir: PathBuf,
    relocation: SocketAddr,
}

impl Daemon {
    /// Starts a daemon whose files are below `dir`; `None` if it ends before it listens.
    pub(crate) fn start(dir: &Path, cut: Option<(&Cut, usize, Mode)>) -> Option<Self> {
        Self::start_on(dir, cut, 0)
    }

    /// The same with this relocation port; 0 for any.
    pub(crate) fn start_on(
        dir: &Path,
        cut: Option<(&Cut, usize, Mode)>,
        port: u16,
    ) -> Option<Self> {
        let program = env!("CARGO_BIN_EXE_xend");
        let mut command = match cut {
            Some((cut, number, mode)) => cut.command(&dir.join("state"), number, mode, program),
            None => Command::new(program),
        };
        fs::write(dir.join("xend-config.sxp"), "# empty\n").unwrap();
        command.args(["--http", "off", "--xmlrpc", "off", "--relocation"]);
        command.arg(format!("127.0.0.1:{port}"));
        for (option, name) in [
            ("--unix", "socket"),
            ("--xen-api", "xen-api"),
            ("--state-dir", "state"),
            ("--config", "xend-config.sxp"),
        ] {
            command.arg(option).arg(dir.join(name));
        }
        let mut child = process::spawn(&mut command, &dir.join("log"));
        let mut relocation = None;
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            if let Some(address) = line.strip_prefix("Relocation on ") {
                relocation = address.parse().ok();
            }
            if line.starts_with("Listening on") {
                return Some(Self { child, dir: dir.to_owned(), relocation: relocation.unwrap() });
            }
        }
        child.wait().unwrap();
        None
    }

    pub(crate) fn relocation(&self) -> SocketAddr {
        self.relocation
    }

    pub(crate) fn xen_api(&self) -> PathBuf {
        self.dir.join("xen-api")
    }

    /// Waits until it was killed.
    pub(crate) fn wait(&mut self) {
        self.child.wait().unwrap();
    }

    /// The body of a page; empty without an answer.
    pub(crate) fn get(&self, target: &str) -> String {
        let answer = ask(&self.dir.join("socket"), &format!("GET {target} HTTP/1.0\r\n\r\n"));
        answer.map(|(_, body)| body).unwrap_or_default()
    }

    /// Whether a request succeeds.
    pub(crate) fn post(&self, target: &str, form: &str) -> bool {
        let answer = ask(&self.dir.join("socket"), &process::post(target, form));
        answer.is_ok_and(|(status, _)| (200..300).contains(&status))
    }

    /// A new session of the Xen-API; empty without an answer.
    pub(crate) fn session(&self) -> String {
        let answer =
            call(&self.xen_api(), "session.login_with_password", &[text(""), text("")].concat());
        answer.split(['<', '>']).find(|part| part.len() == 36).unwrap_or_default().to_owned()
    }

    /// Waits until a condition holds.
    pub(crate) fn until(&self, what: &str, condition: impl Fn() -> bool) {
        let began = Instant::now();
        while !condition() {
            let log = || fs::read_to_string(self.dir.join("log")).unwrap();
            assert!(began.elapsed() < GENEROUS, "timed out waiting for: {what}\n{}", log());
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Ends it by SIGTERM.
    pub(crate) fn stop(&mut self) {
        self.end(Signal::TERM);
    }

    /// Ends it by SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.end(Signal::KILL);
    }

    fn end(&mut self, signal: Signal) {
        if self.child.try_wait().unwrap().is_none() {
            // The daemon may be the child of the program that cuts it, which ends with it.
            let own = Pid::from_child(&self.child);
            let daemon = child_of(own).unwrap_or(own);
            let _ = kill_process(daemon, signal);
            self.child.wait().unwrap();
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The only child of a process, if it has one.
fn child_of(process: Pid) -> Option<Pid> {
    let process = process.as_raw_nonzero();
    let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children")).ok()?;
    Pid::from_raw(children.split_whitespace().next()?.parse().ok()?)
}

fn ask(socket: &Path, request: &str) -> io::Result<(u16, String)> {
    process::ask(socket, request, GENEROUS)
}

/// A parameter of a call: text.
pub(crate) fn text(value: &str) -> String {
    format!("<param><value><string>{value}</string></value></param>")
}

/// A call over XML-RPC: the body of the answer; empty without one.
pub(crate) fn call(socket: &Path, method: &str, params: &str) -> String {
    let body = format!(
        "<?xml version='1.0'?><methodCall><methodName>{method}</methodName>\
         <params>{params}</params></methodCall>"
    );
    let request = format!(
        "POST /RPC2 HTTP/1.0\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    ask(socket, &request).map(|(_, body)| body).unwrap_or_default()
}

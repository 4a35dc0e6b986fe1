//! A guest's machine: a directory as its root, and the agent as a process.
#![allow(dead_code, reason = "not every test uses all of it")]

use serde_json::Value;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

pub(crate) const AGENT: &str = env!("CARGO_BIN_EXE_xend-guest-agent");

/// How long an answer may take in a test.
const LIMIT: Duration = Duration::from_secs(20);

pub(crate) const SHADOW: &str =
    "root:*:19000:0:99999:7:::\ndaemon:*:19000::::::\nweb:!:19000:0:99999:7:::\n";

/// A machine. The agent is killed at its end.
pub(crate) struct Machine {
    directory: TempDir,
    agent: Option<Child>,
}

impl Machine {
    /// A machine whose agent does not run yet.
    pub(crate) fn new() -> Self {
        let machine = Self { directory: tempfile::tempdir().unwrap(), agent: None };
        machine.write("/etc/shadow", SHADOW);
        machine
    }

    pub(crate) fn configure(&self, config: &str) {
        self.write("/etc/xend-guest-agent.conf", config);
    }

    /// Makes a program that the agent may run: a script for the shell.
    pub(crate) fn script(&self, path: &str, lines: &str) {
        self.write(path, format!("#!/bin/sh\n{lines}\n"));
        fs::set_permissions(self.path(path), fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// A file that is not below the root.
    pub(crate) fn outside(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The agent as it is started, for more arguments and variables.
    pub(crate) fn command(&self, xenstore: &Path) -> Command {
        self.command_within(&[], xenstore)
    }

    /// The same, started by a program that gets the agent's command line as its last arguments, and
    /// becomes the agent.
    pub(crate) fn command_within(&self, program: &[&str], xenstore: &Path) -> Command {
        let log = File::options().create(true).append(true).open(self.outside("log")).unwrap();
        let words: Vec<&str> = program.iter().copied().chain([AGENT]).collect();
        let mut command = Command::new(words[0]);
        command
            .args(&words[1..])
            .arg("--xenstore")
            .arg(xenstore)
            .arg("--root")
            .arg(self.path(""))
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        command
    }

    pub(crate) fn start_command(&mut self, mut command: Command) {
        self.kill();
        self.agent = Some(command.spawn().unwrap());
    }

    pub(crate) fn pid(&self) -> u32 {
        self.agent.as_ref().unwrap().id()
    }

    /// Kills the agent at once.
    pub(crate) fn kill(&mut self) {
        if let Some(mut agent) = self.agent.take() {
            agent.kill().unwrap();
            agent.wait().unwrap();
        }
    }

    /// Asks the agent to end, and waits for it.
    pub(crate) fn terminate(&mut self) -> ExitStatus {
        let mut agent = self.agent.take().unwrap();
        let pid = rustix::process::Pid::from_child(&agent);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let end = Instant::now() + LIMIT;
        loop {
            if let Some(status) = agent.try_wait().unwrap() {
                return status;
            }
            if Instant::now() > end {
                agent.kill().unwrap();
                return ExitStatus::from_raw(9);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.outside("log")).unwrap_or_default()
    }

    /// Where a file of the guest is.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.directory.path().join("root").join(path.trim_start_matches('/'))
    }

    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    /// The names of all files below the root that are not meant to stay.
    pub(crate) fn litter(&self) -> Vec<PathBuf> {
        let mut litter = Vec::new();
        let mut directories = vec![self.path("")];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let entry = entry.unwrap();
                if entry.file_type().unwrap().is_dir() {
                    directories.push(entry.path());
                } else if is_litter(&entry.path()) {
                    litter.push(entry.path());
                }
            }
        }
        litter
    }
}

fn is_litter(path: &Path) -> bool {
    let name = path.file_name().unwrap().to_string_lossy();
    name.starts_with(".xend-new-") || name == "replacing"
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("The agent's log:\n{}", self.log());
        }
    }
}

/// Moments that spread over a time.
pub(crate) struct Moments(pub(crate) u32);

impl Moments {
    pub(crate) fn next(&mut self, limit: Duration) -> Duration {
        limit.mul_f64(f64::from(self.number()) / f64::from(u32::MAX))
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.number() >> 8).unwrap() % end
    }

    fn number(&mut self) -> u32 {
        // The multiplier of Numerical Recipes.
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        self.0
    }
}

/// Waits until there is something; `None` after the limit.
pub(crate) fn wait<T>(mut find: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + LIMIT;
    loop {
        if let Some(found) = find() {
            return Some(found);
        }
        if Instant::now() > end {
            return None;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Reads a response as strictly as the most particular host.
pub(crate) fn returncode_and_message(response: &[u8]) -> (String, String) {
    assert!(response.iter().all(|byte| (0x20..=0x7e).contains(byte)), "{response:?}");
    assert!(!response.contains(&b'\\') && response.len() <= 2015, "{response:?}");
    let value: Value = serde_json::from_slice(response).unwrap();
    let fields = value.as_object().unwrap();
    assert_eq!(fields.len(), 2);
    let text = |name| fields[name].as_str().unwrap().to_owned();
    (text("returncode"), text("message"))
}

/// The answer of a success without a result.
pub(crate) fn success() -> (String, String) {
    ("0".to_owned(), String::new())
}

/// The answer of a failure.
pub(crate) fn failure(message: &str) -> (String, String) {
    ("500".to_owned(), message.to_owned())
}

//! Runs the commands of a page of `docs/` as they stand there.
//!
//! A page's `console` blocks are one session of a shell. A line that begins with `$ ` is a command
//! and a line that begins with `> ` continues it; the lines after it are its output, in which `...`
//! stands for any text. A block `console daemon` has a command that runs until the session ends.

#![allow(dead_code, reason = "not every test uses all of it")]

use crate::ports::free_port;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The end of a command's output, with its exit status.
const MARK: &str = "@@ end of the command";

/// Time limit that nothing reaches unless it fails, even on a busy machine.
const GENEROUS: Duration = Duration::from_secs(60);

/// The beginning of the last address that a daemon prints.
pub(crate) const LAST_ADDRESS: &str = "Listening on unix:";

/// A command of a page, with its expected output.
#[derive(Debug, Default)]
pub(crate) struct Step {
    pub(crate) line: usize,
    pub(crate) command: String,
    pub(crate) output: String,
    pub(crate) is_daemon: bool,
}

/// The steps of a page.
pub(crate) fn steps(page: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut block = None;
    for (number, line) in page.lines().enumerate() {
        match (block, line) {
            (None, _) => block = line.strip_prefix("```console").map(|rest| rest == " daemon"),
            (Some(_), "```") => block = None,
            (Some(is_daemon), _) => {
                if let Some(command) = line.strip_prefix("$ ") {
                    let command = command.to_owned();
                    let line = number + 1;
                    steps.push(Step { line, command, output: String::new(), is_daemon });
                } else if let (Some(step), Some(more)) =
                    (steps.last_mut(), line.strip_prefix("> ").or((line == ">").then_some("")))
                {
                    write!(step.command, "\n{more}").unwrap();
                } else if let Some(step) = steps.last_mut() {
                    writeln!(step.output, "{line}").unwrap();
                }
            }
        }
    }
    steps
}

/// Whether `output` is the expected text, in which `...` stands for any text.
pub(crate) fn fits(expected: &str, output: &str) -> bool {
    let parts: Vec<String> = expected.split("...").map(regex::escape).collect();
    regex::Regex::new(&format!("(?s)^{}$", parts.join(".*"))).unwrap().is_match(output)
}

/// A text with other ports in place of those that it names, all in one pass: a port may contain the
/// digits of another one.
fn with_ports<'a>(text: &str, others: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let others: HashMap<&str, &str> = others.collect();
    let number = regex::Regex::new("[0-9]+").unwrap();
    let other =
        |found: &regex::Captures<'_>| (*others.get(&found[0]).unwrap_or(&&found[0])).to_owned();
    number.replace_all(text, other).into_owned()
}

/// Where programs are: those of the workspace come first.
fn path() -> String {
    let binaries = Path::new(env!("CARGO_BIN_EXE_xend")).parent().unwrap();
    let path = std::env::var("PATH").unwrap_or_default();
    format!("{}:{path}:/usr/sbin:/sbin", binaries.display())
}

/// A shell in a directory of its own, and the daemons that it started.
pub(crate) struct Session {
    pub(crate) dir: TempDir,
    shell: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    daemons: Vec<Child>,
    /// Ports of the page, and the free ports that stand for them here.
    ports: Vec<(String, String)>,
}

impl Session {
    /// `ports` are the ports that the page names.
    fn start(ports: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut shell = Self::command(&dir, "bash");
        shell.args(["--norc", "--noprofile"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut shell = shell.spawn().unwrap();
        let mut input = shell.stdin.take().unwrap();
        input.write_all(b"exec 2>&1\n").unwrap();
        let output = BufReader::new(shell.stdout.take().unwrap());
        let free = |port: &&str| ((*port).to_owned(), free_port().to_string());
        let ports = ports.iter().map(free).collect();
        Self { dir, shell, input, output, daemons: Vec::new(), ports }
    }

    fn command(dir: &TempDir, program: &str) -> Command {
        let home = dir.path();
        let mut command = Command::new(program);
        command
            .current_dir(home)
            .env_clear()
            .env("PATH", path())
            .env("HOME", home)
            .env("XDG_RUNTIME_DIR", home)
            .env("LANG", "C.UTF-8");
        command
    }

    fn here(&self, text: &str) -> String {
        with_ports(text, self.ports.iter().map(|(page, here)| (page.as_str(), here.as_str())))
    }

    fn page(&self, text: &str) -> String {
        with_ports(text, self.ports.iter().map(|(page, here)| (here.as_str(), page.as_str())))
    }

    /// Runs a command, and gives its output.
    pub(crate) fn run(&mut self, command: &str) -> String {
        writeln!(self.input, "{}\necho '{MARK}'", self.here(command)).unwrap();
        let mut output = String::new();
        loop {
            let mut line = String::new();
            let read = self.output.read_line(&mut line).unwrap();
            assert_ne!(read, 0, "the shell ended in {command}: {output}");
            // The last line of an answer need not end.
            if let Some(rest) = line.strip_suffix(&format!("{MARK}\n")) {
                output.push_str(rest);
                return self.page(&output);
            }
            output.push_str(&line);
        }
    }

    fn log(&self, daemon: usize) -> PathBuf {
        self.dir.path().join(format!("daemon-{daemon}.log"))
    }

    /// What the daemons logged.
    fn logs(&self) -> String {
        let log = |daemon| {
            let log = std::fs::read(self.log(daemon)).unwrap();
            format!("daemon {daemon} logged:\n{}", String::from_utf8_lossy(&log))
        };
        (0..self.daemons.len()).map(log).collect()
    }

    /// Starts a daemon, and waits for the last address of one that has addresses.
    fn start_daemon(&mut self, command: &str, last: Option<&str>) {
        let mut child = Self::command(&self.dir, "bash");
        let command = format!("exec {}", self.here(command));
        let path = self.log(self.daemons.len());
        let log = std::fs::File::create(&path).unwrap();
        child.args(["-c", &command]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let mut child = child.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let began = Instant::now();
        while let Some(last) = last {
            let mut line = String::new();
            let read = lines.read_line(&mut line).unwrap();
            let log = || std::fs::read_to_string(&path).unwrap();
            assert_ne!(read, 0, "{command} ended: {}", log());
            if line.contains(last) {
                break;
            }
            assert!(began.elapsed() < GENEROUS, "{command} is not ready: {}", log());
        }
        // Nothing more is read, and the daemon writes nothing more.
        std::thread::spawn(move || lines.read_to_end(&mut Vec::new()));
        self.daemons.push(child);
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        for child in self.daemons.iter_mut().chain([&mut self.shell]) {
            child.kill().ok();
            child.wait().ok();
        }
    }
}

/// Runs the steps of a page. `programs` are the programs that it needs beside Debian's essential
/// ones; without one of them, the test skips visibly.
pub(crate) fn run_page(name: &str, ports: &[&str], programs: &[&str]) {
    run_page_beside(None, name, ports, programs);
}

/// Runs the steps of a page beside a daemon that the page says how to build.
pub(crate) fn run_page_beside(daemon: Option<&str>, name: &str, ports: &[&str], programs: &[&str]) {
    let prepare = |session: &mut Session| {
        if let Some(daemon) = daemon {
            session.start_daemon(daemon, Some(LAST_ADDRESS));
        }
    };
    run_prepared_page(name, ports, programs, prepare);
}

/// Runs the steps of a page in a session to which `prepare` gives what the page presumes.
pub(crate) fn run_prepared_page(
    name: &str,
    ports: &[&str],
    programs: &[&str],
    prepare: impl FnOnce(&mut Session),
) {
    for program in programs {
        if Command::new(program).arg("--version").env("PATH", path()).output().is_err() {
            eprintln!("SKIPPED: {name} needs {program}");
            return;
        }
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    let page = std::fs::read_to_string(path).unwrap();
    let steps = steps(&page);
    assert!(!steps.is_empty(), "{name} has no commands");
    let mut session = Session::start(ports);
    prepare(&mut session);
    for Step { line, command, output, is_daemon } in steps {
        if is_daemon {
            // An agent takes the requests that came before its start.
            let last = command.starts_with("xend ").then_some(LAST_ADDRESS);
            session.start_daemon(&command, last);
            continue;
        }
        let got = session.run(&command);
        assert!(
            fits(&output, &got) || fits(&output, &format!("{got}\n")),
            "{name}:{line}: $ {command}\nexpected:\n{output}\ngot:\n{got}\n{}",
            session.logs()
        );
    }
}

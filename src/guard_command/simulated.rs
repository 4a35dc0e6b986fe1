//! The machine of a guard on a simulated host.

use crate::backend::sim::destroy_without_daemon;
use crate::core::guard::Timer;
use crate::core::model::Uuid;
use crate::fleet::guard::{Destroyer, Watchdog};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// Destroys domains of a simulated host. These live in the daemon's process as well as on the disk:
/// if there are any, that process is ended.
pub(super) struct SimulatedDestroyer(pub(super) PathBuf);

impl Destroyer for SimulatedDestroyer {
    fn destroy(&self, domains: &[Uuid]) -> Vec<Uuid> {
        match destroy_without_daemon(&self.0, domains) {
            Ok(()) => domains.to_vec(),
            Err(error) => {
                tracing::error!("The guarded domains cannot be destroyed: {error}");
                Vec::new()
            }
        }
    }
}

/// The watchdog of a simulated host: a process that outlives the guard, as Xen does.
pub(super) struct SimulatedWatchdog {
    dir: PathBuf,
    process: Option<Process>,
}

struct Process {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl SimulatedWatchdog {
    pub(super) fn new(dir: PathBuf) -> Self {
        Self { dir, process: None }
    }

    fn ask(&mut self, request: &str) -> io::Result<()> {
        let process = match &mut self.process {
            Some(process) => process,
            none => none.insert(Process::start(&self.dir)?),
        };
        let asked = process.ask(request);
        if asked.is_err() {
            // It has ended, or never had the timers.
            if let Some(mut process) = self.process.take() {
                drop((process.requests, process.answers));
                process.child.try_wait().ok();
            }
        }
        asked
    }
}

impl Process {
    fn start(dir: &Path) -> io::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["guard", "--simulated-watchdog"])
            .arg(dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Signals of a terminal are for the guard alone.
            .process_group(0)
            .spawn()?;
        let (Some(requests), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        Ok(Self { child, requests, answers: BufReader::new(answers) })
    }

    fn ask(&mut self, request: &str) -> io::Result<()> {
        self.requests.write_all(format!("{request}\n").as_bytes())?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        if answer == "ok\n" {
            return Ok(());
        }
        Err(io::Error::other("the watchdog of the simulated host is another guard's, or has ended"))
    }
}

impl Watchdog for SimulatedWatchdog {
    fn set(&mut self, timer: Timer, seconds: u32) -> io::Result<()> {
        let timer = match timer {
            Timer::First => 0,
            Timer::Second => 1,
        };
        self.ask(&format!("set {timer} {seconds}"))
    }

    fn disarm(&mut self) -> io::Result<()> {
        self.ask("unset")
    }
}

//! A machine with a simulated host: its daemon and its guard, which are started again when they
//! fail, as systemd does, and its power.

use crate::commands::Host;
use crate::process::{ask, post};
use crate::proxy::Links;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs::{self, OpenOptions};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};
use xend::backend::sim::{boot_id, reset_without_daemon};
use xend::core::model::Uuid;

/// How often the processes are looked at; systemd starts a failed unit again after 0.1 s.
const LOOKING: Duration = Duration::from_millis(100);
/// How long a machine takes to boot that was reset.
const BOOT: Duration = Duration::from_secs(5);

/// A process of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Daemon,
    Guard,
}

/// A machine.
pub(crate) struct Machine {
    pub(crate) name: String,
    pub(crate) host: Host,
    pub(crate) links: Links,
    state: Mutex<State>,
    is_over: AtomicBool,
    /// How often the watchdog has reset it.
    pub(crate) resets: AtomicUsize,
}

struct State {
    /// The daemon and the guard.
    children: [Option<Child>; 2],
    boot: Option<Uuid>,
    /// When it boots; `None` while it is on.
    boots_at: Option<Instant>,
}

impl Machine {
    /// A machine that is off.
    pub(crate) fn new(name: &str, links: Links) -> Self {
        let urls = links.ports.iter().map(|port| format!("http://127.0.0.1:{port}"));
        let host = Host::new(name, &urls.collect::<Vec<_>>().join(" "));
        let file = host.dir.path().join("config.sxp");
        let config = fs::read_to_string(&file).unwrap() + "\n(xend-fleet-route yes)\n";
        fs::write(file, config).unwrap();
        let sim = host.dir.path().join("state/sim");
        fs::create_dir_all(&sim).unwrap();
        fs::write(sim.join("history"), "").unwrap();
        // Daemon and guard begin at the same time, and each would give the host a UUID of its own.
        host.fleet(&["status"]);
        let state = State { children: [None, None], boot: None, boots_at: Some(Instant::now()) };
        Self {
            name: name.to_owned(),
            host,
            links,
            state: Mutex::new(state),
            is_over: AtomicBool::new(false),
            resets: AtomicUsize::new(0),
        }
    }

    fn sim(&self) -> PathBuf {
        self.host.dir.path().join("state/sim")
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Keeps the processes running until the end.
    pub(crate) fn supervise(&self) {
        while !self.is_over.load(Ordering::Relaxed) {
            self.look();
            thread::sleep(LOOKING);
        }
        let mut state = self.state();
        self.kill_all(&mut state);
    }

    pub(crate) fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    fn look(&self) {
        let mut state = self.state();
        let boot = boot_id(&self.sim()).unwrap();
        if let Some(at) = state.boots_at {
            if at > Instant::now() {
                return;
            }
            state.boots_at = None;
            state.boot = Some(boot);
        } else if state.boot != Some(boot) {
            // The watchdog has reset it, or is about to.
            self.resets.fetch_add(1, Ordering::Relaxed);
            self.switch_off(&mut state, BOOT);
            return;
        }
        for part in [Part::Daemon, Part::Guard] {
            let child = &mut state.children[part as usize];
            if child.as_mut().is_none_or(|child| child.try_wait().unwrap().is_some()) {
                *child = Some(self.start(part));
            }
        }
    }

    fn start(&self, part: Part) -> Child {
        let (arguments, log): (&[&str], _) = match part {
            Part::Daemon => (&["--http", "off", "--unix", "socket"], "log"),
            Part::Guard => (&["guard"], "guard-log"),
        };
        let log = self.host.dir.path().join(log);
        let log = OpenOptions::new().create(true).append(true).open(log).unwrap();
        let mut command: Command = self.host.xend(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap()
    }

    fn kill_all(&self, state: &mut State) {
        for mut child in state.children.iter_mut().filter_map(Option::take) {
            child.kill().ok();
            child.wait().ok();
        }
        for watchdog in self.watchdogs() {
            kill_process(watchdog, Signal::KILL).ok();
        }
    }

    /// The processes that are this host's watchdog.
    fn watchdogs(&self) -> Vec<Pid> {
        let own = fs::canonicalize(self.host.dir.path()).unwrap();
        let is_own = |pid: i32| {
            let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let is_watchdog =
                command.split(|byte| *byte == 0).any(|w| w == b"--simulated-watchdog");
            is_watchdog && fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|dir| dir == own)
        };
        let names = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.file_name());
        let pids = names.filter_map(|name| name.to_str()?.parse().ok());
        pids.filter(|pid| is_own(*pid)).filter_map(Pid::from_raw).collect()
    }

    /// The power fails, and comes back after some time.
    pub(crate) fn lose_power(&self, off: Duration) {
        self.switch_off(&mut self.state(), off);
    }

    fn switch_off(&self, state: &mut State, off: Duration) {
        self.kill_all(state);
        reset_without_daemon(&self.sim()).unwrap();
        state.boots_at = Some(Instant::now() + off);
    }

    /// Sends a signal to a process, if it runs. Tells which one got it.
    pub(crate) fn signal(&self, part: Part, signal: Signal) -> Option<u32> {
        let mut state = self.state();
        let child = state.children[part as usize].as_mut()?;
        // It is not reaped meanwhile.
        if child.try_wait().unwrap().is_some() {
            return None;
        }
        kill_process(Pid::from_child(child), signal).ok()?;
        Some(child.id())
    }

    /// A process that was stopped goes on, if it is still there.
    pub(crate) fn resume(&self, part: Part, stopped: Option<u32>) {
        let mut state = self.state();
        let Some(child) = state.children[part as usize].as_mut() else { return };
        if Some(child.id()) == stopped && child.try_wait().unwrap().is_none() {
            kill_process(Pid::from_child(child), Signal::CONT).ok();
        }
    }

    /// The answer to a form, within a limit: status and text.
    pub(crate) fn post(&self, target: &str, form: &str, limit: Duration) -> Option<(u16, String)> {
        let accept = "HTTP/1.0\r\nAccept: application/json\r\n";
        self.ask(&post(target, form).replacen("HTTP/1.0\r\n", accept, 1), limit)
    }

    fn ask(&self, request: &str, limit: Duration) -> Option<(u16, String)> {
        let answer = ask(&self.host.dir.path().join("socket"), request, limit).ok()?;
        // One that was cut off has no status.
        (answer.0 != 0).then_some(answer)
    }

    /// The domains that it has, running or not.
    pub(crate) fn domains(&self) -> Option<Vec<Value>> {
        let request =
            "GET /xend/domain?state=all HTTP/1.0\r\nAccept: application/json\r\n\r\n".to_owned();
        let (status, text) = self.ask(&request, Duration::from_secs(20))?;
        (status == 200).then(|| serde_json::from_str(&text).ok()).flatten()
    }

    pub(crate) fn history(&self) -> String {
        fs::read_to_string(self.sim().join("history")).unwrap()
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.host.dir.path().join("log")).unwrap_or_default()
    }
}

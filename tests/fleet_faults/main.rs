//! A fleet of processes with faults: three servers of etcd, five simulated hosts with their guards and
//! watchdogs, and clients that define, start, stop and move domains all the time.
//!
//! `cargo test --features fleet --test fleet_faults -- --minutes 20` makes faults for so long, in the
//! order that a seed gives (`--seed N`). No domain may ever run twice (P1): simulated hosts write down
//! when each domain ran, and the checker compares them. At the end each definition is as clients
//! were told (P2), and each protected domain that nobody has stopped runs (P5).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    missing_docs,
    reason = "a test fails by a panic"
)]

mod checker;
mod clients;
#[path = "../fleet/commands.rs"]
#[allow(dead_code, unused_imports, reason = "shared with the tests of a fleet")]
mod commands;
mod definitions;
mod etcd_cluster;
#[path = "../fleet/etcd_server.rs"]
#[allow(dead_code, unused_imports, reason = "shared with the tests of a fleet")]
mod etcd_server;
mod faults;
mod fleet;
mod machine;
#[path = "../support/ports.rs"]
mod ports;
#[path = "../support/process.rs"]
mod process;
mod proxy;
mod random;
mod verdict;

use fleet::Fleet;
pub(crate) use fleet::GENEROUS;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::thread;
use std::time::{Duration, Instant};

const OPERATORS: u64 = 3;
const DEFINERS: u64 = 2;

struct Options {
    seed: u64,
    minutes: f64,
}

impl Options {
    /// `None` if there are others: they are for tests of another kind.
    fn read() -> Option<Self> {
        let mut options = Self { seed: std::process::id().into(), minutes: 2.0 };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let value = arguments.next()?;
            match argument.as_str() {
                "--seed" => options.seed = value.parse().ok()?,
                "--minutes" => options.minutes = value.parse().ok()?,
                _ => return None,
            }
        }
        Some(options)
    }
}

fn main() -> ExitCode {
    let Some(options) = Options::read() else {
        println!("Nothing is run: this takes --seed N and --minutes N alone");
        return ExitCode::SUCCESS;
    };
    if Command::new("etcd").arg("--version").output().is_err() {
        println!("SKIPPED: this test needs etcd (Debian: etcd-server)");
        return ExitCode::SUCCESS;
    }
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let dir = target.join(format!("fleet-faults-{}-{}", options.seed, std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    tempfile::env::override_temp_dir(&dir).unwrap();
    println!("--seed {} --minutes {}, in {}", options.seed, options.minutes, dir.display());
    let mut fleet = Fleet::new(&dir, options.seed);
    for machine in &mut fleet.machines {
        machine.host.dir.disable_cleanup(true);
    }
    let wrong = thread::scope(|scope| {
        for machine in &fleet.machines {
            scope.spawn(|| machine.supervise());
        }
        // Whatever happens, the processes end.
        let _ending = Ending(&fleet);
        run(&fleet, Duration::from_secs_f64(options.minutes * 60.0))
    });
    println!("{}", verdict::summary(&fleet));
    drop(fleet);
    if wrong.is_empty() {
        std::fs::remove_dir_all(&dir).ok();
        println!("All promises are kept (--seed {}).", options.seed);
        return ExitCode::SUCCESS;
    }
    println!("BROKEN, --seed {}; the logs are in {}:", options.seed, dir.display());
    for line in &wrong {
        println!("{line}");
    }
    ExitCode::FAILURE
}

/// Ends the fleet's processes.
struct Ending<'a>(&'a Fleet);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.end();
        self.0.machines.iter().for_each(machine::Machine::end);
    }
}

/// Lets clients and faults loose, and returns what is wrong afterwards.
fn run(fleet: &Fleet, time: Duration) -> Vec<String> {
    fleet.set_up();
    fleet.say("the fleet is up");
    let until = Instant::now() + time;
    let changed: Vec<_> = thread::scope(|scope| {
        let stopped = Stopped(fleet);
        for number in 0..OPERATORS {
            scope.spawn(move || clients::operate(fleet, number));
        }
        let define = |number| scope.spawn(move || clients::define(fleet, number));
        let definers: Vec<_> = (0..DEFINERS).map(define).collect();
        scope.spawn(move || faults::run(fleet, scope));
        while Instant::now() < until {
            thread::sleep(Duration::from_millis(100));
        }
        drop(stopped);
        definers.into_iter().flat_map(|definer| definer.join().unwrap()).collect()
    });
    fleet.say("faults have ended");
    verdict::violations(fleet, &changed)
}

/// Ends clients and faults, also when one of them fails.
struct Stopped<'a>(&'a Fleet);

impl Drop for Stopped<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

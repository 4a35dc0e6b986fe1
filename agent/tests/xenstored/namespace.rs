//! An agent in Linux namespaces of its own, where it is root and has interfaces that are real to
//! the kernel.

use crate::guest::Guest;
use std::ffi::OsString;
use std::process::{Command, Output};

/// How an agent starts in namespaces.
pub(crate) struct Namespace {
    program: Vec<&'static str>,
}

impl Namespace {
    /// `kinds` are options of unshare(1). `setup` is a script for the shell that ends with
    /// `exec "$@"`. `None`, with the reason on standard error, if this machine has no such
    /// namespaces.
    pub(crate) fn new(kinds: &[&'static str], setup: &'static str) -> Option<Self> {
        let mut program = vec!["unshare", "--map-root-user"];
        program.extend(kinds);
        let mut trial = Command::new(program[0]);
        trial.args(&program[1..]).args(["sh", "-c", "ip link add a type veth peer name b"]);
        if !trial.output().is_ok_and(|output| output.status.success()) {
            eprintln!("Skipped: there are no namespaces with interfaces here, or no `ip`");
            return None;
        }
        program.extend(["sh", "-ec", setup, "sh"]);
        Some(Self { program })
    }

    /// The command of the agent, with arguments for the script in front of its own.
    pub(crate) fn command(&self, guest: &Guest, arguments: &[&str]) -> Command {
        let program: Vec<&str> = self.program.iter().chain(arguments).copied().collect();
        let mut command = guest.command_within(&program);
        command.env("PATH", path());
        command
    }

    /// Runs a program where the agent is.
    pub(crate) fn run(&self, guest: &Guest, program: &[&str]) -> Output {
        let pid = guest.pid().to_string();
        let mut command = Command::new("nsenter");
        command.args(["--target", &pid, "--user", "--preserve-credentials"]);
        command.args(
            self.program.iter().filter(|option| ["--net", "--uts", "--mount"].contains(option)),
        );
        command.args(program).output().unwrap()
    }

    /// What `ip` prints there.
    pub(crate) fn ip(&self, guest: &Guest, arguments: &str) -> String {
        let program: Vec<&str> = std::iter::once("ip").chain(arguments.split(' ')).collect();
        let output = self.run(guest, &program);
        assert!(output.status.success(), "{arguments}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }
}

fn path() -> OsString {
    std::env::var_os("PATH").unwrap_or_default()
}

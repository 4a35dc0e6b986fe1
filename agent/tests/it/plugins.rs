//! Programs as commands.

use crate::guest::Guest;
use crate::machine::{failure, wait};
use serde_json::{Value, json};
use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::{Duration, Instant};

const CONFIG: &str = "[plugins]\ndirectory = \"/commands\"\nlimit_seconds = 2\n";

fn with(plugins: &[(&str, &str)]) -> Guest {
    let guest = Guest::new();
    guest.configure(CONFIG);
    for (name, script) in plugins {
        guest.script(&format!("/commands/{name}"), script);
    }
    guest
}

fn answer(code: &str, message: &str) -> (String, String) {
    (code.to_owned(), message.to_owned())
}

#[test]
fn a_program_gets_its_name_and_the_value() {
    let mut guest = with(&[("echo_all", "echo first; echo \"$# $1 $(cat)\"; echo; exit 3")]);
    guest.start();
    assert_eq!(guest.ask("echo_all", "$HOME"), answer("3", "1 echo_all '$HOME'"));
    assert_eq!(guest.ask("echo_all", json!({"a": [1]})), answer("3", "1 echo_all {'a':[1]}"));
    assert_eq!(guest.ask("echo_all", Value::Null), answer("3", "1 echo_all "));
    let features = guest.ask("features", "").1;
    assert!(features.contains(",echo_all,features,"), "{features}");
}

#[test]
fn messages_are_made_fit_for_the_wire() {
    let script = "printf 'a\"b\\\\c\\303\\244\\377\\033\\t'; printf '%03000d\\n' 0";
    let mut guest = with(&[("strange", script)]);
    guest.start();
    let (code, message) = guest.ask("strange", "");
    assert_eq!(code, "0");
    assert!(message.starts_with("a'b/c??  0"), "{message}");
    assert_eq!(message.len(), 1900);
}

#[test]
fn a_program_is_killed_with_its_group_after_its_time() {
    let mut guest = with(&[("hang", "sleep 600 & echo $! > $0.pid; sleep 600")]);
    guest.start();
    let start = Instant::now();
    let expected = failure("The command 'hang' took longer than 2 seconds");
    assert_eq!(guest.ask("hang", ""), expected);
    assert!(start.elapsed() < Duration::from_secs(10));
    let pid = guest.read("/commands/hang.pid");
    let path = format!("/proc/{}/stat", pid.trim());
    // Gone, or dead and not collected by the machine's first process: a moment after the signal.
    let is_dead = || fs::read_to_string(&path).map_or(true, |text| text.contains(") Z "));
    assert!(wait(|| is_dead().then_some(())).is_some());
}

#[test]
fn output_is_bounded_and_background_programs_are_not_waited_for() {
    let mut guest = with(&[
        ("flood", "head -c 3000000 /dev/zero | tr '\\0' 'x'; echo; echo end; exit 7"),
        ("endless", "exec cat /dev/zero"),
        ("daemon", "sleep 5 & echo started"),
        ("deaf", "exec 0<&-; echo heard nothing"),
        ("suicide", "kill -9 $$"),
    ]);
    guest.start();
    assert_eq!(guest.ask("flood", ""), answer("7", "end"));
    assert_eq!(guest.ask("endless", "").0, "500");
    let start = Instant::now();
    assert_eq!(guest.ask("daemon", ""), answer("0", "started"));
    assert!(start.elapsed() < Duration::from_secs(4));
    assert_eq!(guest.ask("deaf", "x".repeat(3000).as_str()), answer("0", "heard nothing"));
    assert_eq!(guest.ask("suicide", ""), failure("The command 'suicide' was ended by a signal"));
    let status = fs::read_to_string(format!("/proc/{}/status", guest.pid())).unwrap();
    let peak = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    let kib: u64 = peak.split_whitespace().nth(1).unwrap().parse().unwrap();
    assert!(kib < 32 << 10, "{peak}");
}

#[test]
fn a_program_inherits_nothing() {
    let mut guest = with(&[
        ("env", "export -p | grep -v PWD | tr '\\n' ' '"),
        ("descriptors", "cd /proc/self/fd; echo *"),
        ("where", "pwd"),
    ]);
    let mut command = guest.command();
    command.env("SECRET", "inherited").current_dir("/tmp");
    // A descriptor that the agent's own parent has left open.
    let file = fs::File::open("/dev/null").unwrap();
    rustix::io::fcntl_setfd(file.as_fd(), rustix::io::FdFlags::empty()).unwrap();
    guest.start_command(command);
    drop(file);
    let (_, env) = guest.ask("env", "");
    assert!(env.contains("PATH=") && !env.contains("SECRET"), "{env}");
    assert_eq!(guest.ask("where", ""), answer("0", "/"));
    let (_, descriptors) = guest.ask("descriptors", "");
    // The shell opens the directory to list it, and dash keeps its script open as 10.
    let known = |number: &str| ["0", "1", "2", "3", "10"].contains(&number);
    assert!(descriptors.split(' ').all(known), "{descriptors}");
}

#[test]
fn programs_that_others_can_change_are_no_commands() {
    let mut guest = with(&[("loose", "echo"), ("fine", "echo"), ("bad.name", "echo")]);
    let set = |path: &str, mode| {
        fs::set_permissions(guest.path(path), fs::Permissions::from_mode(mode)).unwrap();
    };
    set("/commands/loose", 0o777);
    guest.write("/commands/not_executable", "#!/bin/sh\n");
    fs::create_dir(guest.path("/commands/directory")).unwrap();
    guest.start();
    for name in ["loose", "bad.name", "not_executable", "directory", "..", "fine/../fine", ""] {
        assert_eq!(guest.ask(name, "").0, "404", "{name}");
    }
    assert_eq!(guest.ask("fine", "").0, "0");
    fs::set_permissions(guest.path("/commands"), fs::Permissions::from_mode(0o777)).unwrap();
    assert_eq!(guest.ask("fine", "").0, "404");
}

#[test]
fn programs_that_others_can_change_are_logged_once() {
    let mut guest = with(&[("loose", "echo"), ("fine", "echo")]);
    let everybody = fs::Permissions::from_mode(0o777);
    fs::set_permissions(guest.path("/commands/loose"), everybody.clone()).unwrap();
    guest.start();
    for name in ["loose", "fine", "version", "features", "loose", "none", "features"] {
        guest.ask(name, "");
    }
    let count = |guest: &Guest| guest.log().matches("Not used as commands: ").count();
    assert_eq!(count(&guest), 1, "{}", guest.log());
    fs::set_permissions(guest.path("/commands/fine"), everybody).unwrap();
    guest.ask("features", "");
    assert_eq!(count(&guest), 2, "{}", guest.log());
}

#[test]
fn links_are_no_commands() {
    let mut guest = with(&[("fine", "echo")]);
    guest.script("/elsewhere/program", "echo");
    symlink("../elsewhere/program", guest.path("/commands/link")).unwrap();
    guest.start();
    assert_eq!(guest.ask("link", "").0, "404");
    assert_eq!(guest.ask("features", "").1.matches("link").count(), 0);
    assert!(guest.log().contains("/commands/link (a symbolic link)"), "{}", guest.log());
    assert_eq!(guest.ask("fine", "").0, "0");
}

#[test]
fn directories_that_others_can_replace_have_no_commands() {
    let mut guest = Guest::new();
    guest.configure("[plugins]\ndirectory = \"/shared/commands\"\n");
    guest.script("/shared/commands/one", "echo");
    fs::set_permissions(guest.path("/shared"), fs::Permissions::from_mode(0o777)).unwrap();
    guest.start();
    assert_eq!(guest.ask("one", "").0, "404");
    fs::set_permissions(guest.path("/shared"), fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(guest.ask("one", "").0, "0");
}

#[test]
fn a_program_takes_the_place_of_a_command_that_is_off() {
    let mut guest = with(&[("version", "echo mine"), ("features", "echo mine")]);
    guest.configure(&format!("{CONFIG}[commands]\nversion = false\n"));
    guest.start();
    assert_eq!(guest.ask("version", ""), answer("0", "mine"));
    let (_, features) = guest.ask("features", "");
    assert_eq!(features.matches("version").count(), 1);
}

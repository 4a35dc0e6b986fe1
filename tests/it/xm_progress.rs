//! The bar that `xm save`, `restore` and `migrate` show on a terminal, and nowhere else.

use crate::http_support::Daemon;
use crate::terminal_support::terminal;
use crate::xm_support::{Printed, Xm};
use rustix::process::{Pid, Signal, kill_process};
use std::io::Read as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Stdio;
use std::thread;

/// A guest whose memory is written slowly, so that there is something to show.
const SLOW: &str = "kernel = '/k'\nname = 'saveslow'\nmemory = 128\n";

/// What takes the bar away at the end.
const CLEARED: &str = "\r\u{1b}[K";

/// Runs xm with a terminal for its errors. It gives what it printed, and what the terminal got.
fn on_a_terminal(xm: &Xm<'_>, line: &str) -> (Printed, String) {
    let (mut person, program) = terminal();
    let reader = thread::spawn(move || {
        let mut shown = Vec::new();
        // A terminal whose program has gone fails to be read.
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = person.read(&mut buffer) {
            shown.extend_from_slice(&buffer[..length]);
        }
        String::from_utf8(shown).unwrap()
    });
    let mut command = xm.command(line);
    command.stdout(Stdio::piped()).stderr(Stdio::from(program));
    let output = command.spawn().unwrap().wait_with_output().unwrap();
    // The command keeps the program's side open.
    drop(command);
    (Printed::of(&output), reader.join().unwrap())
}

/// The bars that a terminal got, one after the other.
fn bars(shown: &str) -> Vec<&str> {
    shown
        .split(['\r', '\n'])
        .filter(|line| line.contains('['))
        .filter(|line| line.contains('%'))
        .collect()
}

/// Checks the bars of an operation.
fn check(shown: &str, what: &str) {
    let bars = bars(shown);
    assert!(!bars.is_empty(), "{what}: {shown:?}");
    for bar in bars {
        assert!(bar.starts_with(&format!("{what} saveslow [")), "{bar:?}");
        assert!(bar.contains(" KiB") || bar.contains(" MiB"), "{bar:?}");
    }
    assert!(shown.ends_with(CLEARED), "{shown:?}");
}

#[test]
fn a_terminal_shows_a_bar_and_nothing_is_left_of_it() {
    let daemon = Daemon::start(&[]);
    let other = Daemon::start(&["--relocation", "127.0.0.1:0"]);
    let xm = Xm(&daemon);
    xm.write("slow.cfg", SLOW);
    xm.good("create -q slow.cfg");
    let (saved, shown) = on_a_terminal(&xm, "save saveslow WORK/saved");
    assert_eq!((saved.status, saved.out.as_str()), (0, ""), "{shown}");
    check(&shown, "Saving");
    let (restored, shown) = on_a_terminal(&xm, "restore WORK/saved");
    assert_eq!((restored.status, restored.out.as_str()), (0, ""), "{shown}");
    // A simulated host reads memory at once.
    assert!(shown.ends_with(CLEARED), "{shown:?}");
    let port = other.relocation.unwrap().port();
    let (migrated, shown) =
        on_a_terminal(&xm, &format!("migrate --live -p {port} saveslow 127.0.0.1"));
    assert_eq!((migrated.status, migrated.out.as_str()), (0, ""), "{shown}");
    check(&shown, "Migrating");
}

#[test]
fn a_signal_takes_the_bar_away_and_the_save_goes_on() {
    let daemon = Daemon::start(&[]);
    let xm = Xm(&daemon);
    xm.write("slow.cfg", SLOW);
    xm.good("create -q slow.cfg");
    let (mut person, program) = terminal();
    let mut command = xm.command("save saveslow WORK/saved");
    command.stdout(Stdio::null()).stderr(Stdio::from(program));
    let mut child = command.spawn().unwrap();
    drop(command);
    let mut shown = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = person.read(&mut buffer) {
        let had_bar = shown.contains(&b'%');
        shown.extend_from_slice(&buffer[..length]);
        if !had_bar && shown.contains(&b'%') {
            kill_process(Pid::from_child(&child), Signal::INT).unwrap();
        }
    }
    let shown = String::from_utf8(shown).unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(Signal::INT.as_raw()), "{shown:?}");
    let last = "xm ends, and xend goes on: xm list shows what becomes of it.";
    assert!(shown.trim_end().ends_with(&format!("{CLEARED}{last}")), "{shown:?}");
    daemon.until("the domain is saved", |daemon| daemon.domain("saveslow").is_none());
    assert!(daemon.dir.path().join("saved").exists());
}

#[test]
fn an_error_stands_on_a_line_of_its_own() {
    let daemon = Daemon::start(&[]);
    let xm = Xm(&daemon);
    xm.write("bad.cfg", "kernel = '/k'\nname = 'savefails'\nmemory = 64\n");
    xm.good("create -q bad.cfg");
    let (failed, shown) = on_a_terminal(&xm, "save savefails WORK/saved");
    assert_eq!(failed.status, 1, "{shown}");
    let last = shown.trim_end().rsplit(['\r', '\n']).next().unwrap().trim_start_matches("\u{1b}[K");
    assert!(last.starts_with("Error: "), "{shown:?}");
    let (missing, shown) = on_a_terminal(&xm, "save nosuch WORK/saved");
    assert_eq!(missing.status, 3);
    assert_eq!(shown.trim_end(), "Error: Domain 'nosuch' does not exist.");
}

#[test]
fn elsewhere_there_is_no_bar() {
    let daemon = Daemon::start(&[]);
    let other = Daemon::start(&["--relocation", "127.0.0.1:0"]);
    let xm = Xm(&daemon);
    xm.write("slow.cfg", SLOW);
    xm.good("create -q slow.cfg");
    let port = other.relocation.unwrap().port();
    for line in [
        "save saveslow WORK/saved",
        "restore WORK/saved",
        &format!("migrate --live -p {port} saveslow 127.0.0.1"),
    ] {
        assert_eq!(xm.good(line), "", "{line}");
    }
}

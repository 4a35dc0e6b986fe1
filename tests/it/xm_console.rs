//! `xm console` and `xm vncviewer`.

use crate::http_support::{Daemon, GENEROUS, guest};
use crate::terminal_support::terminal;
use crate::xm_support::{Printed, Xm};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process};
use rustix::termios::{LocalModes, tcgetattr};
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Stdio;
use std::time::Instant;

fn running(more: &str) -> Daemon {
    let daemon = Daemon::start(&[]);
    assert_eq!(daemon.create(&guest("web", more)).code, 201);
    daemon.post("/xend/domain/web", "op=unpause");
    daemon.until("it boots", |daemon| {
        daemon.get("/xend/domain/web/console").text().contains("login:")
    });
    daemon
}

/// Reads the terminal until it shows this.
fn expect(person: &mut File, seen: &mut String, text: &str) {
    let began = Instant::now();
    while !seen.contains(text) {
        assert!(began.elapsed() < GENEROUS, "no {text:?} in {seen:?}");
        let limit = Timespec { tv_sec: 1, tv_nsec: 0 };
        let mut fds = [PollFd::new(&*person, PollFlags::IN)];
        if poll(&mut fds, Some(&limit)).unwrap() == 0 {
            continue;
        }
        let mut output = [0; 4096];
        // The program has closed its side.
        let Ok(count) = person.read(&mut output) else { break };
        seen.push_str(&String::from_utf8_lossy(&output[..count]));
    }
    let at = seen.find(text).unwrap_or_else(|| panic!("no {text:?} in {seen:?}"));
    seen.drain(..at + text.len());
}

#[test]
fn a_person_uses_a_console_and_leaves_it() {
    let daemon = running("");
    let (mut person, program) = terminal();
    let before = tcgetattr(&program).unwrap().local_modes;
    let mut xm = Xm(&daemon).command("console web");
    let side = || Stdio::from(program.try_clone().unwrap());
    let mut xm = xm.stdin(side()).stdout(side()).stderr(side()).spawn().unwrap();
    let mut seen = String::new();
    expect(&mut person, &mut seen, "Ctrl-] leaves the console.");
    expect(&mut person, &mut seen, "web login: ");
    assert!(!tcgetattr(&program).unwrap().local_modes.contains(LocalModes::ECHO));
    person.write_all(b"root\r").unwrap();
    expect(&mut person, &mut seen, "root@web:~# ");
    // Keys that would end a program.
    person.write_all(b"halt\x03").unwrap();
    expect(&mut person, &mut seen, "^C");
    person.write_all(b"uname -r\r").unwrap();
    expect(&mut person, &mut seen, "6.1.0-sim\r\n");
    person.write_all(b"\x1d").unwrap();
    assert!(xm.wait().unwrap().success());
    assert_eq!(tcgetattr(&program).unwrap().local_modes, before);
    assert!(daemon.domain("web").is_some());

    // It ends with the domain.
    let mut xm = Xm(&daemon).command("console web");
    let mut xm = xm.stdin(side()).stdout(side()).stderr(side()).spawn().unwrap();
    expect(&mut person, &mut seen, "root@web:~# uname -r\r\n6.1.0-sim\r\n");
    person.write_all(b"poweroff\r").unwrap();
    assert!(xm.wait().unwrap().success());
    assert_eq!(tcgetattr(&program).unwrap().local_modes, before);
}

#[test]
fn the_terminal_is_as_before_after_a_signal_and_in_the_shell() {
    let daemon = running("");
    let (mut person, program) = terminal();
    let before = tcgetattr(&program).unwrap().local_modes;
    let side = || Stdio::from(program.try_clone().unwrap());
    let mut seen = String::new();
    for signal in [Signal::TERM, Signal::HUP, Signal::INT, Signal::QUIT] {
        let mut xm = Xm(&daemon).command("console web");
        let mut xm = xm.stdin(side()).stdout(side()).stderr(side()).spawn().unwrap();
        expect(&mut person, &mut seen, "web login: ");
        kill_process(Pid::from_child(&xm), signal).unwrap();
        assert_eq!(xm.wait().unwrap().signal(), Some(signal.as_raw()));
        assert_eq!(tcgetattr(&program).unwrap().local_modes, before, "{signal:?}");
    }

    let mut xm = Xm(&daemon).command("shell");
    let mut xm = xm.stdin(side()).stdout(side()).stderr(side()).spawn().unwrap();
    expect(&mut person, &mut seen, "xm> ");
    person.write_all(b"console web\n").unwrap();
    expect(&mut person, &mut seen, "web login: ");
    person.write_all(b"root\r").unwrap();
    expect(&mut person, &mut seen, "root@web:~# ");
    person.write_all(b"\x1d").unwrap();
    expect(&mut person, &mut seen, "xm> ");
    person.write_all(b"domid web\n").unwrap();
    expect(&mut person, &mut seen, "1\r\n");
    person.write_all(b"exit\n").unwrap();
    assert!(xm.wait().unwrap().success());
}

#[test]
fn a_script_types_and_reads() {
    let daemon = running("");
    let mut xm = Xm(&daemon).command("console web");
    let mut xm =
        xm.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    xm.stdin.take().unwrap().write_all(b"root\necho from a script\n").unwrap();
    let printed = Printed::of(&xm.wait_with_output().unwrap()).good();
    assert!(printed.contains("\r\nfrom a script\r\n"), "{printed}");
    // Without input it prints what there is.
    assert!(Xm(&daemon).good("console web").contains("from a script"));
}

#[test]
fn a_domain_is_started_with_its_console() {
    let daemon = Daemon::start(&[]);
    let xm = Xm(&daemon);
    xm.write("web.cfg", "kernel = '/k'\nname = 'web'\n");
    // Nothing waits for a guest that boots: what is typed is kept for it.
    let mut create = xm.command("create -c web.cfg");
    let mut create = create.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut typed = create.stdin.take().unwrap();
    typed.write_all(b"root\rpoweroff\r").unwrap();
    let printed = Printed::of(&create.wait_with_output().unwrap());
    assert_eq!(printed.status, 0, "{printed:?}");
    assert!(printed.out.contains("Started domain web (id=1)\n"), "{printed:?}");
    assert!(printed.out.contains("web login: ") && printed.out.contains("reboot: System poweroff"));

    daemon.until("it is off", |daemon| daemon.domain("web").is_none());
    xm.good("new -q web.cfg");
    assert!(xm.good("start -c web").contains("Linux version"));
}

#[test]
fn a_display_is_shown_by_a_viewer() {
    let daemon = running("(device (vfb (vnc 1) (vncpasswd geheim)))");
    let xm = Xm(&daemon);
    let error = xm.fail("vncviewer web", 1);
    assert!(error.starts_with("vncviewer cannot be started: "), "{error}");
    let viewer = daemon.dir.path().join("vncviewer");
    fs::write(&viewer, "#!/bin/sh\necho \"viewer of $*\"\n").unwrap();
    fs::set_permissions(&viewer, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", daemon.dir.path().display());
    let shown = xm.command("vncviewer web").env("PATH", &path).output().unwrap();
    assert_eq!(Printed::of(&shown).good(), "viewer of 127.0.0.1::5900\n");
    assert!(xm.fail("vncviewer --autopass web", 4).starts_with("xend gives no VNC passwords away"));
    let error = xm.fail("vncviewer 0", 1);
    assert!(error.starts_with("Domain '0' has no display"), "{error}");
    assert_eq!(xm.fail("vncviewer nosuch", 3), "Domain 'nosuch' does not exist.");
}

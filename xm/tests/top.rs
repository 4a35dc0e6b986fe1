//! `xm top` on a terminal, beside a xend that knows one domain.

#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

const DOMAINS: &str = "((domain (domid 1) (name web) (state -b----) (cpu_time 1) (memory 64)))";

/// Answers whatever is asked with the list of domains.
fn answer(stream: &UnixStream) {
    let mut lines = BufReader::new(stream).lines();
    while let Some(Ok(line)) = lines.next() {
        if line.is_empty() {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", DOMAINS.len());
            let _ = (&*stream).write_all((head + DOMAINS).as_bytes());
        }
    }
}

fn serve(socket: &Path) {
    let listener = UnixListener::bind(socket).unwrap();
    thread::spawn(move || listener.incoming().flatten().for_each(|stream| answer(&stream)));
}

/// The side of the person, and the side of the program.
fn terminal() -> (File, File) {
    let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&person).unwrap();
    unlockpt(&person).unwrap();
    let name = ptsname(&person, Vec::new()).unwrap();
    let program = OpenOptions::new().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    (File::from(person), program)
}

/// Starts `xm top`, and waits until it shows the domain.
fn top(socket: &Path, person: &mut File, program: &File) -> Child {
    let side = || Stdio::from(program.try_clone().unwrap());
    let xm = Command::new(env!("CARGO_BIN_EXE_xm"))
        .args(["top", "--delay", "3600"])
        .env("XM_SERVER", format!("unix:{}", socket.display()))
        .stdin(side())
        .stdout(side())
        .stderr(side())
        .spawn()
        .unwrap();
    let mut seen = String::new();
    while !seen.contains("web") {
        let mut output = [0; 4096];
        let count = person.read(&mut output).unwrap();
        seen.push_str(&String::from_utf8_lossy(&output[..count]));
    }
    xm
}

#[test]
fn a_key_or_a_signal_ends_it_and_the_terminal_is_as_before() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("socket");
    serve(&socket);
    let (mut person, program) = terminal();
    let before = tcgetattr(&program).unwrap().local_modes;
    let line = LocalModes::ECHO | LocalModes::ICANON;
    assert!(before.contains(line));

    let mut xm = top(&socket, &mut person, &program);
    assert!(!tcgetattr(&program).unwrap().local_modes.intersects(line), "keys come one by one");
    person.write_all(b"xq").unwrap();
    assert!(xm.wait().unwrap().success());
    assert_eq!(tcgetattr(&program).unwrap().local_modes, before);

    for signal in [Signal::INT, Signal::TERM] {
        let mut xm = top(&socket, &mut person, &program);
        assert!(!tcgetattr(&program).unwrap().local_modes.intersects(line));
        kill_process(Pid::from_child(&xm), signal).unwrap();
        assert_eq!(xm.wait().unwrap().signal(), Some(signal.as_raw()));
        assert_eq!(tcgetattr(&program).unwrap().local_modes, before, "{signal:?}");
    }
}

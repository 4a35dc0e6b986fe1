//! Our xm: answers that a xend does not give. A server of the test's own gives them.

use crate::terminal_support::terminal;
use crate::xm_support::{Printed, program};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};
use std::thread;
use tempfile::TempDir;

/// A server that answers each connection with this text, and closes it.
fn server(answer: &'static str) -> (TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    thread::spawn(move || {
        for connection in listener.incoming().map_while(Result::ok) {
            let mut lines = BufReader::new(&connection).lines();
            while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
            let _ = (&connection).write_all(answer.as_bytes());
        }
    });
    (dir, format!("unix:{}", path.display()))
}

fn xm(server: &str, line: &str) -> Command {
    let mut command = Command::new(program());
    command.args(line.split(' ')).env("XM_SERVER", server).stdin(Stdio::null());
    command
}

#[test]
fn a_domain_without_a_name_is_an_error() {
    for answer in ["(domain (domid 1))", "((domain (domid 1)))"] {
        let text: &'static str =
            Box::leak(format!("HTTP/1.1 200 OK\r\n\r\n{answer}").into_boxed_str());
        let (_dir, server) = server(text);
        for line in ["list", "list a", "domname 1", "uptime", "vcpu-list a"] {
            let is_list = answer.starts_with("((");
            if is_list == (line == "list" || line == "uptime") {
                let printed = Printed::of(&xm(&server, line).output().unwrap());
                let error = "Error: The answer of xend makes no sense: a domain has no name\n";
                assert_eq!((printed.status, printed.err.as_str()), (1, error), "{line}");
            }
        }
    }
}

#[test]
fn events_that_break_off_are_an_error() {
    let (_dir, server) =
        server("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n(ab)\r\n1\r\n\n\r\n");
    for line in ["event-monitor", "event-monitor a"] {
        let printed = Printed::of(&xm(&server, line).output().unwrap());
        assert_eq!(printed.status, 1, "{line}");
        assert_eq!(printed.out, "(ab)\n", "{line}");
        assert_eq!(printed.err, "Error: xend has ended, and with it its events\n", "{line}");
    }
}

#[test]
fn a_terminal_gets_no_control_characters() {
    let (_dir, server) = server(
        "HTTP/1.1 200 OK\r\n\r\n((domain (domid 1) (name '\u{1b}]0;title\u{7}') (memory 64)))",
    );
    let (mut person, side) = terminal();
    let mut command = xm(&server, "list");
    command.stdout(Stdio::from(side)).env("NO_COLOR", "1");
    let reader = thread::spawn(move || {
        let mut shown = Vec::new();
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = person.read(&mut buffer) {
            shown.extend_from_slice(&buffer[..length]);
        }
        String::from_utf8(shown).unwrap()
    });
    assert!(command.status().unwrap().success());
    drop(command);
    let shown = reader.join().unwrap();
    assert!(shown.contains("\u{fffd}]0;title\u{fffd}") && !shown.contains('\u{1b}'), "{shown:?}");
    // A script gets what xend sent.
    let printed = Printed::of(&xm(&server, "list").output().unwrap());
    assert!(printed.out.contains("\u{1b}]0;title\u{7}"), "{printed:?}");
}

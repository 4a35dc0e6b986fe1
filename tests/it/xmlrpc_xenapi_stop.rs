//! The daemon stops while calls of the Xen-API are under way.

use crate::http_support::{Daemon, Listener, ask, encoded, guest, post};
use crate::xenapi_support::{Client, raw_call, slow_vm, text};
use crate::xmlrpc_xenapi_guest_support::Driver;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use std::thread;
use std::time::Duration;
use xend::wire::xmlrpc::Value;

fn terminate(daemon: &Daemon) {
    kill_process(Pid::from_raw(daemon.pid()).unwrap(), Signal::TERM).unwrap();
}

/// The place of a line in the log.
fn line_of(log: &str, parts: &[&str]) -> usize {
    let found = log.lines().position(|line| parts.iter().all(|part| line.contains(part)));
    found.unwrap_or_else(|| panic!("no line with {parts:?} in:\n{log}"))
}

#[test]
fn a_save_that_is_under_way_is_completed() {
    let client = Client::new();
    let vm = slow_vm(&client);
    let file = client.daemon.dir.path().join("saved");
    let file = file.to_str().unwrap();
    let task = client.call("Async.VM.save", &[vm, text(file), Value::Bool(false)]).unwrap();
    client.daemon.until("the save makes progress", |_| {
        let progress = client.call("task.get_progress", std::slice::from_ref(&task)).unwrap();
        progress != Value::Double(0.0)
    });
    terminate(&client.daemon);
    // Waits for its end.
    let daemon = client.daemon.restarted();
    let log = daemon.log();
    let stopping = line_of(&log, &["Stopping"]);
    let saved = line_of(&log, &["Done", "op=\"save\""]);
    assert!(stopping < saved, "{log}");
    let halted = daemon.domain("saveslow").unwrap();
    assert!(halted.value("domid").is_none(), "it is halted: {halted}");
    let restore = format!("op=restore&file={}", encoded(file));
    assert_eq!(daemon.post("/xend/domain", &restore).code, 201);
    assert_eq!(daemon.value("saveslow", "memory"), "1024");
}

#[test]
fn a_waiting_call_is_answered() {
    let client = Client::new();
    assert_eq!(client.daemon.create(&guest("web", "")).code, 201);
    // There are no events of this class.
    let classes = Value::Array(vec![text("SR")]);
    client.call("event.register", &[classes]).unwrap();
    client.call("Async.debug.wait", &[text("600")]).unwrap();
    client.call("Async.event.next", &[]).unwrap();
    let session = &client.session;
    let listener = &client.listener;
    let (events, waited) = thread::scope(|scope| {
        let events = scope
            .spawn(|| raw_call(listener, "event.next", std::slice::from_ref(session)).unwrap());
        let waited = scope
            .spawn(|| raw_call(listener, "debug.wait", &[session.clone(), text("600")]).unwrap());
        thread::sleep(Duration::from_millis(500));
        terminate(&client.daemon);
        (events.join().unwrap(), waited.join().unwrap())
    });
    let answer = |status: &str, member: &str, value: Value| {
        let members = vec![("Status".to_owned(), text(status)), (member.to_owned(), value)];
        Value::Struct(members)
    };
    assert_eq!(events, answer("Success", "Value", Value::Array(vec![])));
    let Value::Struct(waited) = waited else { panic!("{waited:?}") };
    assert_eq!(waited[0].1, text("Failure"));
    let daemon = client.daemon.restarted();
    let log = daemon.log();
    line_of(&log, &["Stopped"]);
    // The daemon warns when it gives up waiting for a call.
    let stopping = log.lines().skip_while(|line| !line.contains("Stopping"));
    let mut until_restart = stopping.take_while(|line| !line.contains("started"));
    assert!(!until_restart.any(|line| line.contains("WARNING")), "{log}");
}

/// A guest that does not answer does not keep the daemon.
#[test]
fn a_request_to_a_guest_ends_at_once() {
    let client = Client::new();
    assert_eq!(client.daemon.create(&guest("agentabsent", "")).code, 201);
    assert_eq!(client.daemon.post("/xend/domain/agentabsent", "op=unpause").code, 200);
    let http = Listener::Tcp(client.daemon.tcp);
    let request = post("/xend/domain/agentabsent", "op=agent_version&timeout=600");
    let answer = thread::scope(|scope| {
        let asked = scope.spawn(|| ask(&http, &request));
        let driver = Driver::of(&client, "agentabsent");
        driver.until("the agent is asked", |driver| driver.list("data/host") != json!({}));
        terminate(&client.daemon);
        asked.join().unwrap()
    });
    assert!(answer.text().contains("Xend is shutting down"), "{}", answer.text());
    let log = client.daemon.restarted().log();
    line_of(&log, &["Stopped"]);
    // The daemon warns when it gives up waiting for a request.
    assert!(!log.contains("closing all connections"), "{log}");
}

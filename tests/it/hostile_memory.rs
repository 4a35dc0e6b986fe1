//! Clients that would have the daemon take much memory: what it takes has a bound, and it goes back
//! to the system. `--nocapture` shows the figures.

use crate::http_support::{Answer, Daemon, Listener, ask, connect, encoded, guest};
use crate::xenapi_support::{Client, as_text, raw_call, strings, text};
use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Barrier;
use std::thread;
use xend::wire::xmlrpc::Value;
use xend::wire::xmlrpc::codec;

/// What the daemon may keep after a peak, in MiB.
const KEPT: u64 = 48;

/// A figure of a daemon's memory as the kernel tells it, in MiB.
fn figure(daemon: &Daemon, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim_start_matches(':').trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

/// Has clients attack a daemon. It may take `most` MiB more meanwhile, and has to give them back.
fn attack<T>(daemon: &Daemon, what: &str, most: u64, clients: impl FnOnce() -> T) -> T {
    // Has the kernel forget earlier peaks.
    std::fs::write(format!("/proc/{}/clear_refs", daemon.pid()), "5").unwrap();
    let before = figure(daemon, "VmRSS");
    let outcome = clients();
    let peak = figure(daemon, "VmHWM");
    let end = figure(daemon, "VmRSS");
    assert!(peak <= before + most, "{what}: {before} MiB before, {peak} MiB at the peak");
    daemon.until("the memory goes back", |daemon| figure(daemon, "VmRSS") <= before + KEPT);
    let after = figure(daemon, "VmRSS");
    println!("{what}: {before} MiB before, {peak} at the peak, {end} at the end, {after} later");
    outcome
}

fn head(length: usize) -> String {
    format!("POST /RPC2 HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n")
}

/// Sends a whole call as it stands.
fn send(listener: &Listener, call: &str) -> Answer {
    ask(listener, format!("{}{call}", head(call.len())).as_bytes())
}

/// Clients that each send 31 MiB of a call and never its last byte. `meanwhile` runs when all have.
fn send_unfinished_calls(clients: usize, listener: &Listener, meanwhile: impl FnOnce()) {
    let call = codec::call("VM.create", &[Value::text("x".repeat(31 << 20))]);
    let sent = Barrier::new(clients + 1);
    let seen = Barrier::new(clients + 1);
    thread::scope(|scope| {
        for _ in 0..clients {
            scope.spawn(|| {
                let mut stream = connect(listener);
                stream.write_all(head(call.len() + 1).as_bytes()).unwrap();
                // The daemon may answer and close before it has everything.
                let _ = stream.write_all(call.as_bytes());
                sent.wait();
                seen.wait();
            });
        }
        sent.wait();
        meanwhile();
        seen.wait();
    });
}

#[test]
fn unfinished_calls_of_known_callers_share_a_budget() {
    let client = Client::new();
    let daemon = &client.daemon;
    attack(daemon, "60 unfinished calls of 31 MiB", 300, || {
        send_unfinished_calls(60, &client.listener, || {
            assert!(client.call("VM.get_all", &[]).is_ok(), "small calls have room");
            let form = format!("op=new&config={}", encoded(&guest("small", "")));
            assert_eq!(daemon.post("/xend/domain", &form).code, 200, "and so have small forms");
        });
    });
    let long = codec::call("xend.node.log", &[Value::text("x".repeat(20 << 20))]);
    let answer = send(&client.listener, &long).text();
    assert!(answer.contains("takes 0 parameters"), "there is room again: {answer:.300}");
}

/// A daemon with a Xen-API over TCP that asks for passwords, and the address of that.
fn with_passwords() -> (Daemon, SocketAddr) {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("config.sxp");
    std::fs::write(&config, "(xen-api-server ((127.0.0.1:0 password)))").unwrap();
    let socket = dir.path().join("xen-api");
    let options = ["--xen-api", socket.to_str().unwrap()];
    let daemon = Daemon::start_with_config(dir, &config, &options);
    let found = daemon.announced.iter().find_map(|line| line.strip_prefix("Xen-API on http://"));
    let address = found.unwrap().trim_end_matches('/').parse().unwrap();
    (daemon, address)
}

#[test]
fn little_is_read_of_strangers() {
    let (daemon, address) = with_passwords();
    let listener = Listener::Tcp(address);
    attack(&daemon, "30 unfinished calls of 31 MiB without a login", 60, || {
        send_unfinished_calls(30, &listener, || {});
    });
    let record = Value::text("x".repeat(20 << 20));
    let long = |session: &str| codec::call("VM.create", &[text(session), record.clone()]);
    attack(&daemon, "30 MiB of calls of sessions that are none", 60, || {
        let over = "0f6c1a52-7d3e-4b8a-9c11-52d0a7e40001";
        let answer = send(&listener, &long(over)).text();
        assert!(answer.contains("SESSION_INVALID") && answer.contains(over), "{answer:.300}");
        let login = [record.clone(), text("geheim")];
        let login = codec::call("session.login_with_password", &login);
        let answer = send(&listener, &login).text();
        assert!(answer.contains("Without a session, a call has at most 65536 bytes"), "{answer}");
        assert!(!answer.contains("geheim") && !daemon.log().contains("geheim"));
    });
    // The session of a user who has logged in elsewhere is as good here.
    let unix = Listener::Unix(daemon.dir.path().join("xen-api"));
    let session = raw_call(&unix, "session.login_with_password", &[text("root"), text("")]);
    let Ok(Value::Struct(members)) = session else { panic!("{session:?}") };
    let answer = send(&listener, &long(as_text(&members[1].1))).text();
    assert!(answer.contains("Failure") && !answer.contains("SESSION"), "{answer:.300}");
}

#[test]
fn values_are_counted() {
    let client = Client::new();
    let values = "<value/>".repeat(3_900_000);
    let call = format!(
        "<methodCall><methodName>xend.domains</methodName><params><param><value><array><data>\
         {values}</data></array></value></param></params></methodCall>"
    );
    let answers = attack(&client.daemon, "8 calls of 3,900,000 values", 300, || {
        thread::scope(|scope| {
            let clients: Vec<_> =
                (0..8).map(|_| scope.spawn(|| send(&client.listener, &call).text())).collect();
            clients.into_iter().map(|client| client.join().unwrap()).collect::<Vec<_>>()
        })
    });
    let too_many = "there are more than 250000 values";
    let is_refused = |answer: &String| answer.contains(too_many) || answer.contains("try again");
    assert!(answers.iter().all(is_refused), "{answers:?}");
    let alone = send(&client.listener, &call).text();
    assert!(alone.contains(too_many), "{alone}");
}

#[test]
fn results_of_tasks_have_a_limit_and_go_with_their_session() {
    let client = Client::new();
    for number in 0..100 {
        let form = format!("op=new&config={}", encoded(&guest(&format!("vm{number}"), "")));
        assert_eq!(client.daemon.post("/xend/domain", &form).code, 200);
    }
    let get = |field: &str, task: &Value| {
        client.call(&format!("task.get_{field}"), std::slice::from_ref(task)).unwrap()
    };
    let tasks = attack(&client.daemon, "200 results of a MiB and more", 200, || {
        let begin = |_| {
            let task = client.call("Async.VM.get_all_records", &[]).unwrap();
            client.daemon.until("it ends", |_| get("status", &task) != text("pending"));
            task
        };
        (0..200).map(begin).collect::<Vec<_>>()
    });
    let first = &tasks[0];
    let last = &tasks[199];
    assert_eq!(get("status", first), text("success"));
    assert!(as_text(&get("result", first)).starts_with("The result is gone"));
    assert_eq!(strings(&get("error_info", first))[0], "OPERATION_NOT_ALLOWED");
    let Value::Struct(records) = get("result", last) else { panic!("no records") };
    assert_eq!((records.len(), strings(&get("error_info", last)).len()), (101, 0));
    // Another session sees the tasks, and after the end of this one no result of them.
    let other = client.bare("session.login_with_password", &[text("root"), text("")]).unwrap();
    client.call("session.logout", &[]).unwrap();
    let result = client.bare("task.get_result", &[other.clone(), last.clone()]).unwrap();
    assert!(as_text(&result).starts_with("The result is gone"));
    assert_eq!(client.bare("task.get_status", &[other, last.clone()]), Ok(text("success")));
}

#[test]
fn a_form_without_memory_for_it_is_to_be_sent_again() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("config.sxp");
    std::fs::write(&config, "(xend-max-body 100000000) (xend-body-memory 128)").unwrap();
    let daemon = Daemon::start_with_config(dir, &config, &[]);
    let form = format!("op=create&config={}", "x".repeat(60 << 20));
    let answer = daemon.post("/xend/domain", &form);
    assert_eq!(
        (answer.status().as_str(), answer.header("retry-after")),
        ("503 Service Unavailable", Some("5"))
    );
    assert!(answer.text().contains("try again in a few seconds"), "{}", answer.text());
    let small = format!("op=new&config={}", encoded(&guest("small", "")));
    assert_eq!(daemon.post("/xend/domain", &small).code, 200);
}

#[test]
fn a_session_cannot_take_all_tasks() {
    let client = Client::new();
    let wait = |session: &Value| client.bare("Async.debug.wait", &[session.clone(), text("600")]);
    let begun = (0..100).map(|_| wait(&client.session)).collect::<Vec<_>>();
    assert_eq!(begun.iter().filter(|task| task.is_ok()).count(), 64);
    let refused = begun[99].clone().unwrap_err();
    assert_eq!(refused[0], "OPERATION_NOT_ALLOWED");
    assert!(refused[1].contains("of this session are under way"), "{refused:?}");
    let other = client.bare("session.login_with_password", &[text("root"), text("")]).unwrap();
    assert!(wait(&other).is_ok());
}

#[test]
fn names_of_sessions_are_short() {
    let client = Client::new();
    let login = |name: &str, password: &str| {
        client.bare("session.login_with_password", &[text(name), text(password)])
    };
    assert!(login(&"x".repeat(255), &"x".repeat(1024)).is_ok());
    for (name, password) in [("x".repeat(256), String::new()), (String::new(), "x".repeat(1025))] {
        assert_eq!(login(&name, &password).unwrap_err(), ["SESSION_AUTHENTICATION_FAILED"]);
    }
}

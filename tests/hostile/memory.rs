//! Requests that take much memory.

use crate::clients::{call, connect_from, head, log_in, text};
use crate::victim::{Victim, is_full, scaled};
use std::io::{Read as _, Write};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

/// How long an attacker waits for the daemon to take more.
const PATIENCE: Duration = Duration::from_secs(10);

/// Sends the beginning of a call of 32 MiB, as far as the daemon takes it, and waits for its
/// answer.
fn unfinished_call<S: Write>(stream: &mut S, first: &str) {
    let head = head("/RPC2", "text/xml", 32 << 20);
    let _ = stream.write_all(head.as_bytes());
    let _ = stream.write_all(first.as_bytes());
    let chunk = vec![b'x'; 1 << 20];
    for _ in 0..31 {
        if stream.write_all(&chunk).is_err() {
            return;
        }
    }
}

/// A call whose session is none.
const NO_SESSION: &str = "<?xml version='1.0'?><methodCall><methodName>VM.get_all</methodName>\
    <params><param><value>00000000-0000-0000-0000-000000000001</value></param>\
    <param><value><string>";

/// Sends unfinished calls of 31 MiB from so many clients.
fn unfinished_calls<S: Write + Send>(clients: usize, connect: impl Fn() -> S + Sync) {
    thread::scope(|scope| {
        for _ in 0..clients {
            scope.spawn(|| unfinished_call(&mut connect(), NO_SESSION));
        }
    });
}

#[test]
fn unfinished_calls_without_a_login_take_hardly_any_memory() {
    let victim = Victim::start("(xen-api-server ((unix) (127.0.0.1:{PORT} password)))");
    let address = victim.address("Xen-API on http://");
    let clients = scaled(60);
    let attack = format!("{clients} unfinished calls of 31 MiB without a login");
    let (figures, ()) = victim.under(&attack, || {
        unfinished_calls(clients, || {
            let stream = connect_from(3, address).unwrap();
            stream.set_write_timeout(Some(PATIENCE)).unwrap();
            stream
        });
    });
    assert!(figures.peak.rss_mib < figures.before.rss_mib + 64, "{figures}");
}

#[test]
fn unfinished_calls_of_operators_keep_within_the_budget_and_give_it_back() {
    let victim = Victim::start("");
    let clients = scaled(60);
    let socket = victim.path("xen-api");
    let attack = format!("{clients} unfinished calls of 31 MiB of operators");
    let (figures, ()) = victim.under(&attack, || {
        unfinished_calls(clients, || {
            let stream = UnixStream::connect(&socket).unwrap();
            stream.set_write_timeout(Some(PATIENCE)).unwrap();
            stream
        });
    });
    assert!(figures.peak.rss_mib < figures.before.rss_mib + 384, "{figures}");
    assert!(figures.after.rss_mib < figures.before.rss_mib + 64, "{figures}");
}

#[test]
fn many_values_take_a_bounded_amount_of_memory() {
    let victim = Victim::start("");
    let socket = victim.path("xen-api");
    let session = log_in(&socket);
    let values = if is_full() { 3_900_000 } else { 390_000 };
    let calls = scaled(8);
    let body = format!(
        "{}<param><value><array><data>{}</data></array></value></param>",
        text(&session),
        "<value/>".repeat(values)
    );
    let attack = format!("{calls} calls of {values} values");
    let (figures, ()) = victim.under(&attack, || {
        thread::scope(|scope| {
            for _ in 0..calls {
                scope.spawn(|| call(&socket, "event.register", &body));
            }
        });
    });
    assert!(figures.peak.rss_mib < figures.before.rss_mib + 600, "{figures}");
    assert!(figures.after.rss_mib < figures.before.rss_mib + 100, "{figures}");
}

#[test]
fn results_of_tasks_are_bounded_and_go_with_their_session() {
    let victim = Victim::start("");
    let domains = scaled(1_000);
    victim.define((0..domains).map(|number| format!("d{number}")));
    let socket = victim.path("xen-api");
    let session = log_in(&socket);
    let tasks = scaled(600);
    let attack = format!("{tasks} results of Async.VM.get_all_records with {domains} domains");
    let (figures, ()) = victim.under(&attack, || {
        for _ in 0..tasks {
            call(&socket, "Async.VM.get_all_records", &text(&session));
        }
        call(&socket, "session.logout", &text(&session));
    });
    assert!(figures.peak.rss_mib < figures.before.rss_mib + 300, "{figures}");
    assert!(figures.after.rss_mib < figures.before.rss_mib + 100, "{figures}");
}

/// Entities that refer to each other, deep elements, and a long name.
#[test]
fn bombs_of_xml_are_refused() {
    let victim = Victim::start("");
    let socket = victim.path("xmlrpc");
    let entities = "<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\">\
        <!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;\"><!ENTITY d \"&c;&c;&c;&c;&c;&c;&c;&c;\">]>";
    let deep = "<value><array><data>".repeat(100_000);
    let long = "x".repeat(1 << 20);
    let bodies = [
        format!(
            "{entities}<methodCall><methodName>xend.domains</methodName><params><param><value>&d;</value></param></params></methodCall>"
        ),
        format!("<methodCall><methodName>xend.domains</methodName><params><param>{deep}"),
        format!("<methodCall><methodName>{long}</methodName></methodCall>"),
        format!("<{long}>"),
    ];
    let (figures, ()) = victim.under("bombs of XML", || {
        for body in &bodies {
            let mut stream = UnixStream::connect(&socket).unwrap();
            let head = head("/RPC2", "text/xml", body.len());
            stream.write_all(head.as_bytes()).unwrap();
            let _ = stream.write_all(body.as_bytes());
            let mut answer = [0; 4096];
            let _ = stream.read(&mut answer);
        }
    });
    assert!(figures.peak.rss_mib < figures.before.rss_mib + 64, "{figures}");
}

#[test]
fn unfinished_forms_take_little_memory() {
    let victim = Victim::start("");
    let address = victim.http();
    let clients = scaled(400);
    let form = head("/xend/domain", "application/x-www-form-urlencoded", 1 << 20);
    let attack = format!("{clients} unfinished forms of 1 MiB");
    let (figures, ()) = victim.under(&attack, || {
        let open = |number: usize| {
            let source = u8::try_from(2 + number % 40).unwrap();
            let mut stream = connect_from(source, address).ok()?;
            stream.write_all(form.as_bytes()).ok()?;
            stream.write_all(&vec![b'x'; (1 << 20) - 1]).ok()?;
            Some(stream)
        };
        let forms: Vec<_> = (0..clients).filter_map(open).collect();
        // The daemon reads what the kernel still holds of them.
        thread::sleep(Duration::from_secs(1));
        drop(forms);
    });
    assert!(figures.peak.rss_mib < figures.before.rss_mib + 450, "{figures}");
    assert!(figures.after.rss_mib < figures.before.rss_mib + 100, "{figures}");
}

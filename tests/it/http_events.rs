//! `GET /xend/events` over real sockets: events, formats, reconnecting clients.

use crate::http_support::{Daemon, GENEROUS, Listener, ask, guest};
use rustix::process::Signal;
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use xend::sxp::{Limits, read_one};

/// A client of the stream. It speaks HTTP/1.0, so that the body has no chunks.
pub(crate) struct EventClient {
    lines: BufReader<TcpStream>,
    head: String,
}

impl EventClient {
    pub(crate) fn new(daemon: &Daemon, target: &str, headers: &str) -> Self {
        let mut stream = TcpStream::connect(daemon.tcp).unwrap();
        stream.set_read_timeout(Some(GENEROUS)).unwrap();
        write!(stream, "GET {target} HTTP/1.0\r\nHost: localhost\r\n{headers}\r\n").unwrap();
        let mut client = Self { lines: BufReader::new(stream), head: String::new() };
        loop {
            let line = client.line().expect("a head");
            if line.is_empty() {
                return client;
            }
            client.head += &(line + "\n");
        }
    }

    /// The next line; `None` at the end of the stream.
    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = self.lines.read_line(&mut line).unwrap();
        (read > 0).then(|| line.trim_end().to_owned())
    }

    /// The next event, which is a line of JSON.
    pub(crate) fn event(&mut self) -> Option<Value> {
        loop {
            let line = self.line()?;
            if !line.is_empty() {
                return Some(serde_json::from_str::<Value>(&line).unwrap()["event"].take());
            }
        }
    }

    /// Skips events until one has this kind.
    pub(crate) fn until(&mut self, kind: &str) -> Value {
        loop {
            let event = self.event().expect("more events");
            if event["kind"] == kind {
                return event;
            }
        }
    }
}

pub(crate) const JSON: &str = "Accept: application/json\r\n";
const BROWSER: &str = "User-Agent: Mozilla/5.0\r\nAccept: text/event-stream\r\n";

#[test]
fn events_arrive_in_order() {
    let daemon = Daemon::start(&[]);
    let mut all = EventClient::new(&daemon, "/xend/events", JSON);
    assert!(
        all.head.to_ascii_lowercase().contains("content-type: application/x-ndjson"),
        "{}",
        all.head
    );
    let first = all.event().unwrap();
    assert_eq!(first["kind"], "listening");
    let at = first["at"].as_str().unwrap();
    assert!(at.ends_with('Z') && at.starts_with("20") && first["time"].is_null(), "{first}");
    daemon.create(&guest("pv1", ""));
    let mut pv1 = EventClient::new(&daemon, "/xend/events?domain=pv1", JSON);
    pv1.until("listening");
    daemon.create(&guest("other", ""));
    daemon.post("/xend/domain/pv1", "op=unpause");
    daemon.post("/xend/domain/pv1", "op=rename&name=pv2");
    daemon.post("/xend/domain/pv2", "op=set_vcpus&vcpus=99");
    daemon.post("/xend/domain/pv2", "op=destroy");

    let appeared = all.until("appeared");
    assert_eq!(
        (appeared["domain"].as_str(), appeared["state"].as_str()),
        (Some("pv1"), Some("paused"))
    );
    assert_eq!(all.until("done")["op"], "create");
    let state = pv1.until("state");
    assert_eq!((&state["from"], &state["to"]), (&"paused".into(), &"running".into()));
    assert_eq!(pv1.until("done")["op"], "unpause");
    assert_eq!(pv1.until("renamed")["from"], "pv1");
    let failed = pv1.until("failed");
    assert_eq!((&failed["op"], &failed["domain"]), (&"set_vcpus".into(), &"pv2".into()));
    assert!(failed["error"].as_str().unwrap().contains("99"), "{failed}");
    assert_eq!(pv1.until("gone")["uuid"], appeared["uuid"]);
    let others = std::iter::from_fn(|| Some(all.event().unwrap()))
        .take_while(|event| event["kind"] != "gone");
    assert!(
        others.into_iter().any(|event| event["domain"] == "other"),
        "events of other domains are included"
    );
}

#[test]
fn a_client_that_reconnects_misses_nothing() {
    let daemon = Daemon::start(&[]);
    daemon.create(&guest("pv1", ""));
    let mut first = EventClient::new(&daemon, "/xend/events", JSON);
    let start = first.until("listening");
    drop(first);
    daemon.post("/xend/domain/pv1", "op=unpause");
    daemon.post("/xend/domain/pv1", "op=pause");
    let id = start["id"].as_str().unwrap();
    let by_header =
        EventClient::new(&daemon, "/xend/events", &format!("{JSON}Last-Event-ID: {id}\r\n"));
    let by_query = EventClient::new(&daemon, &format!("/xend/events?after={id}"), JSON);
    for mut again in [by_header, by_query] {
        assert_eq!(again.event().unwrap()["to"], "running");
        assert_eq!(again.event().unwrap()["op"], "unpause");
        assert_eq!(again.event().unwrap()["to"], "paused");
        assert_eq!(again.event().unwrap()["op"], "pause");
    }
    // A client of a single domain gets the domain's end, although it is gone by now.
    daemon.post("/xend/domain/pv1", "op=destroy");
    for domain in ["pv1", uuid_after(&daemon, id).as_str()] {
        let mut again =
            EventClient::new(&daemon, &format!("/xend/events?domain={domain}&after={id}"), JSON);
        again.until("gone");
    }
    // Ids of another daemon are unknown.
    for strange in ["00000000-1", &id.replace('-', "-9")] {
        let mut again = EventClient::new(&daemon, &format!("/xend/events?after={strange}"), JSON);
        assert_eq!(again.event().unwrap()["kind"], "lost", "{strange}");
    }
}

/// The UUID in the events after this one.
fn uuid_after(daemon: &Daemon, id: &str) -> String {
    let mut client = EventClient::new(daemon, &format!("/xend/events?after={id}"), JSON);
    client.until("state")["uuid"].as_str().unwrap().to_owned()
}

#[test]
fn a_quiet_stream_has_heartbeats() {
    let daemon = Daemon::start(&[]);
    let mut browser = EventClient::new(&daemon, "/xend/events?figures=1", BROWSER);
    // On a quiet host Domain-0's figures stop changing, while sampling continues.
    let mut lines = std::iter::from_fn(|| browser.line());
    lines.find(|line| line.starts_with("data: {\"figures\"")).unwrap();
    let mut lines = lines.skip_while(|line| !line.starts_with("id: "));
    lines.next().expect("a heartbeat");
    assert_eq!(lines.next().unwrap(), "", "without data");
    let twice =
        ask(&Listener::Tcp(daemon.tcp), b"GET /xend/events?domain=a&domain=b HTTP/1.0\r\n\r\n");
    assert!(
        twice.code == 500 && twice.text().contains("Too many values for domain"),
        "{}",
        twice.text()
    );
}

#[test]
fn the_format_is_negotiated() {
    let daemon = Daemon::start(&[]);
    let mut browser = EventClient::new(&daemon, "/xend/events?figures=1", BROWSER);
    assert!(
        browser.head.to_ascii_lowercase().contains("content-type: text/event-stream"),
        "{}",
        browser.head
    );
    assert_eq!(browser.line().unwrap(), "retry: 1000");
    assert!(browser.line().unwrap().starts_with("id: "));
    assert_eq!(browser.line().unwrap(), "event: listening");
    assert!(browser.line().unwrap().starts_with(r#"data: {"event":{"id":"#));
    let figures =
        std::iter::from_fn(|| browser.line()).find(|line| line.starts_with("data: {\"figures\""));
    let figures: Value =
        serde_json::from_str(figures.unwrap().trim_start_matches("data: ")).unwrap();
    assert_eq!(figures["figures"]["domain"][0]["name"], "Domain-0");
    let dom0 = &figures["figures"]["domain"][0];
    assert!(dom0["memory_mib"].as_u64() > Some(0) && dom0["cpu_percent"].is_number(), "{dom0}");

    let mut script = EventClient::new(&daemon, "/xend/events", "");
    assert!(
        script.head.to_ascii_lowercase().contains("content-type: application/sxp\n"),
        "{}",
        script.head
    );
    script.line().unwrap();
    daemon.create(&guest("pv1", ""));
    let event = std::iter::from_fn(|| script.line()).find(|line| !line.is_empty()).unwrap();
    let event = read_one(event.as_bytes(), &Limits::default()).unwrap();
    assert_eq!(event.head(), Some("event"));
    assert!(
        event.to_string().contains("(kind appeared)") && event.to_string().contains("(domain pv1)")
    );
}

#[test]
fn streams_end_when_the_daemon_stops() {
    let daemon = Daemon::start(&[]);
    let mut client = EventClient::new(&daemon, "/xend/events", JSON);
    client.until("listening");
    let (status, _dir) = daemon.end(Signal::TERM);
    assert!(status.success());
    let mut rest = String::new();
    client.lines.read_to_string(&mut rest).unwrap();
}

#[test]
fn a_client_that_does_not_read_loses_events_and_blocks_nobody() {
    let daemon = Daemon::start(&[]);
    daemon.create(&guest("pv1", ""));
    // The socket's buffers fill soon; later events stay in the journal.
    let mut slow = EventClient::new(&daemon, "/xend/events", JSON);
    slow.until("listening");
    for _ in 0..5000 {
        daemon.post("/xend/domain/pv1", "op=mem_target_set&target=64");
    }
    let mut last = 0;
    let mut some_lost = false;
    let mut quick = EventClient::new(&daemon, "/xend/events?domain=pv1", JSON);
    let end = quick.until("listening")["id"].clone();
    while let Some(event) = slow.event() {
        let id = event["id"].as_str().unwrap();
        let number: u64 = id.split_once('-').unwrap().1.parse().unwrap();
        assert!(number >= last, "in order");
        some_lost |= event["kind"] == "lost";
        assert!(
            some_lost || event["kind"] == "listening" || number == last + 1 || last == 0,
            "{event} after {last}"
        );
        last = number;
        if event["id"] == end {
            break;
        }
    }
    assert!(last > 5000);
}

#[test]
fn the_number_of_streams_is_limited() {
    let daemon = Daemon::start(&[]);
    let clients: Vec<_> =
        (0..200).map(|_| EventClient::new(&daemon, "/xend/events", JSON)).collect();
    let one_more = ask(&Listener::Tcp(daemon.tcp), b"GET /xend/events HTTP/1.0\r\n\r\n");
    assert_eq!(one_more.code, 503);
    assert!(one_more.text().contains("try again"), "{}", one_more.text());
    drop(clients);
    daemon.until("another stream is accepted", |daemon| {
        let mut stream = TcpStream::connect(daemon.tcp).unwrap();
        stream.write_all(b"GET /xend/events HTTP/1.0\r\n\r\n").unwrap();
        let mut status = [0; 12];
        stream.read_exact(&mut status).is_ok() && status.ends_with(b"200")
    });
    assert_eq!(daemon.get("/xend/events?domain=nosuch").code, 404);
}

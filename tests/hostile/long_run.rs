//! Mixed load for a long time: neither memory nor descriptors grow.

use crate::clients::{call, log_in, text};
use crate::figures::Use;
use crate::victim::{Victim, scaled};
use std::io::{Read as _, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How long the load lasts.
fn duration() -> Duration {
    let seconds = std::env::var("XEND_LONG_RUN").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(10))
}

/// How many figures are printed.
const FIGURES: u32 = 12;

/// Requests of each kind.
#[derive(Debug, Default)]
struct Counts {
    reads: AtomicU64,
    changes: AtomicU64,
    tasks: AtomicU64,
    events: AtomicU64,
    migrations: AtomicU64,
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

#[test]
fn mixed_load_for_a_long_time_grows_neither_memory_nor_descriptors() {
    let one = Victim::start("");
    let other = Victim::start("");
    let domains = scaled(1_000);
    one.define((0..domains).map(|number| format!("d{number}")));
    let counts = Counts::default();
    let end = Instant::now() + duration();
    let goes_on = || Instant::now() < end;
    let mut figures: Vec<(Use, Use)> = Vec::new();
    thread::scope(|scope| {
        for reader in 0..2 {
            let one = &one;
            let counts = &counts;
            scope.spawn(move || {
                let targets =
                    ["/xend/domain?detail=1", "/xend/domain", "/xend/node", "/xend/domain/d1"];
                let mut turn = reader;
                while goes_on() {
                    assert_eq!(one.get(targets[turn % targets.len()]).0, 200);
                    turn += 1;
                    count(&counts.reads);
                }
            });
        }
        scope.spawn(|| changes(&one, domains, &counts, goes_on));
        scope.spawn(|| migrations(&one, &other, &counts, goes_on));
        scope.spawn(|| tasks(&one, &counts, goes_on));
        scope.spawn(|| events(&one, &counts, goes_on));
        let pause = duration() / FIGURES;
        for _ in 0..FIGURES {
            thread::sleep(pause);
            figures.push((one.usage(), other.usage()));
            println!("{:?} {:?} {counts:?}", one.usage(), other.usage());
        }
    });
    for victim in [&one, &other] {
        assert!(!victim.log().contains("panicked"), "{}", victim.log());
    }
    // The first third fills caches, the journal and the samples of charts.
    let grown = figures[3];
    let last = figures[figures.len() - 1];
    for (then, now) in [(grown.0, last.0), (grown.1, last.1)] {
        assert!(now.rss_mib <= then.rss_mib + then.rss_mib / 4 + 16, "{then:?}, {now:?}");
        assert!(now.fds <= then.fds + 16, "{then:?}, {now:?}");
    }
    let all = [&counts.reads, &counts.changes, &counts.tasks, &counts.events, &counts.migrations];
    assert!(all.iter().all(|count| count.load(Ordering::Relaxed) > 0), "{counts:?}");
}

/// Domains start, change and are destroyed.
fn changes(one: &Victim, domains: usize, counts: &Counts, goes_on: impl Fn() -> bool) {
    let mut turn = 0;
    while goes_on() {
        turn += 1;
        let target = format!("/xend/domain/d{}", turn % domains);
        for form in
            ["op=start", "op=pause", "op=unpause", "op=mem_target_set&target=48", "op=destroy"]
        {
            let (status, body) = one.post(&target, form);
            assert!([200, 202].contains(&status), "{target} {form}: {status} {body}");
            count(&counts.changes);
        }
    }
}

/// A domain goes there and back.
fn migrations(one: &Victim, other: &Victim, counts: &Counts, goes_on: impl Fn() -> bool) {
    one.define(["traveller".to_owned()]);
    assert_eq!(one.post("/xend/domain/traveller", "op=start").0, 202);
    let mut from_to = (one, other);
    while goes_on() {
        let port = from_to.1.relocation().port();
        let form = format!("op=migrate&destination=127.0.0.1&port={port}&live=1");
        let (status, body) = from_to.0.post("/xend/domain/traveller", &form);
        assert_eq!(status, 200, "{body}");
        from_to = (from_to.1, from_to.0);
        count(&counts.migrations);
    }
}

/// Sessions with tasks.
fn tasks(one: &Victim, counts: &Counts, goes_on: impl Fn() -> bool) {
    let socket = one.path("xen-api");
    while goes_on() {
        let session = log_in(&socket);
        for _ in 0..10 {
            let answer = call(&socket, "Async.VM.get_all_records", &text(&session));
            assert!(answer.contains("Success"), "{answer:.500}");
            count(&counts.tasks);
        }
        assert!(call(&socket, "session.logout", &text(&session)).contains("Success"));
    }
}

/// Streams of events that are followed for a while.
fn events(one: &Victim, counts: &Counts, goes_on: impl Fn() -> bool) {
    while goes_on() {
        let mut stream = std::net::TcpStream::connect(one.http()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        stream.write_all(b"GET /xend/events?follow=1 HTTP/1.0\r\n\r\n").unwrap();
        let mut chunk = [0; 4096];
        for _ in 0..100 {
            match stream.read(&mut chunk) {
                Ok(1..) => count(&counts.events),
                _ => break,
            }
        }
    }
}

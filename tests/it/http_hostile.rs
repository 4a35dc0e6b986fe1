//! Hostile and broken requests. After each the daemon still answers, and it has not panicked.

use crate::http_support::{Daemon, Listener, ask, connect, encoded, guest, post, try_ask};
use std::io::Write as _;

fn still_answers(daemon: &Daemon, after: &str) {
    for listener in [Listener::Tcp(daemon.tcp), Listener::Unix(daemon.socket())] {
        let answer = ask(
            &listener,
            b"GET /xend/domain/0 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        );
        assert_eq!(answer.code, 200, "after {after}");
    }
    assert!(!daemon.log().contains("panick"), "after {after}: {}", daemon.log());
}

#[test]
fn hostile_configurations_are_answered() {
    let daemon = Daemon::start(&[]);
    for (what, config, expected) in [
        ("deep nesting", "(".repeat(100_000), "depth limit of 1000 exceeded"),
        ("closed deep nesting", format!("{}{}", "(a ".repeat(999), ")".repeat(999)), "begins with"),
        ("a huge atom", format!("(vm (name a) (memory {}))", "9".repeat(900_000)), "memory"),
        (
            "a long list",
            format!("(vm (name a) (memory 64) {})", "x ".repeat(100_000)),
            "of the form",
        ),
        (
            "many properties",
            format!("(vm (name a) (memory 99999999) {})", "(k v)".repeat(8192)),
            "Not enough free memory",
        ),
        (
            "many devices",
            format!("(vm (name a) (memory 64) {})", "(device (vif))".repeat(1023)),
            "(domain",
        ),
        ("huge numbers", "(vm (name b) (memory 99999999999999999999))".into(), "memory"),
        ("a huge range of CPUs", "(vm (name b) (memory 1) (cpus 0-4294967295))".into(), "cpus"),
        ("an open string", "(vm (name 'a".into(), "unexpected EOF"),
        ("control characters", "(vm \u{1})".into(), "invalid character: code 1"),
        ("something behind it", format!("{} ((((", guest("b", "")), "(domain"),
        ("nothing", "# nothing".into(), "Invalid configuration"),
    ] {
        let answer = daemon.post("/xend/domain", &format!("op=create&config={config}"));
        assert!(answer.text().contains(expected), "{what}: {:.300}", answer.text());
        still_answers(&daemon, what);
    }
}

#[test]
fn bytes_that_are_not_utf_8_are_kept() {
    let daemon = Daemon::start(&[]);
    let config = guest("a", "(description 'DESC') (localtime 'X')");
    let form = format!("op=create&config={}", encoded(&config))
        .replace("DESC", "B%fcro%5cx01%ff")
        .replace("%27X%27", "%27%80%27");
    let created = daemon.post("/xend/domain", &form);
    assert_eq!(created.status(), "201 created", "{}", created.text());
    let domain = daemon.domain("a").unwrap();
    assert_eq!(domain.value("description").unwrap().as_bytes(), Some(&b"B\xfcro\x01\xff"[..]));
    assert_eq!(domain.value("localtime").unwrap().as_bytes(), Some(&b"\x80"[..]));
}

/// Those that no page sees, too: hyper refuses what it cannot read, axum what it cannot route.
#[test]
fn every_answer_has_xends_headers() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("xend-config.sxp");
    std::fs::write(&config, "(xend-max-body 1000)").unwrap();
    let daemon = Daemon::start_with_config(dir, &config, &[]);
    let tcp = Listener::Tcp(daemon.tcp);
    let long = |length| "x".repeat(length);
    let get = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    for (what, request, code) in [
        ("a name that is not UTF-8", get("/xend/domain/%ff%fe"), 404),
        ("a vnet that is not UTF-8", get("/xend/vnet/%ff"), 404),
        ("a file that is not UTF-8", get("/xend/assets/%ff/%fe"), 404),
        ("an unknown path", get("/%ff"), 404),
        ("no request", "GET\r\n\r\n".into(), 400),
        ("no version", "GET / HTTP/9.9\r\n\r\n".into(), 400),
        ("no header", "GET / HTTP/1.1\r\nno header\r\n\r\n".into(), 400),
        ("a long header", format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", long(70_000)), 431),
        ("a long path", get(&format!("/{}", long(70_000))), 431),
        ("another method", "DELETE /xend HTTP/1.1\r\nHost: localhost\r\n\r\n".into(), 501),
        (
            "another method on a file",
            "PUT /xend/assets/x/y HTTP/1.1\r\nHost: localhost\r\n\r\n".into(),
            501,
        ),
        ("a foreign host", get("/").replace("localhost", "evil.example"), 403),
        (
            "a body that is too long",
            String::from_utf8(post("/xend/domain", &long(2000))).unwrap(),
            413,
        ),
    ] {
        let answer = ask(&tcp, request.as_bytes());
        assert_eq!(answer.code, code, "{what}: {answer:?}");
        for (header, value) in [("expires", "-1"), ("pragma", "no-cache")] {
            assert_eq!(answer.header(header), Some(value), "{what}: {answer:?}");
        }
        still_answers(&daemon, what);
    }
    let answer = daemon.get("/xend/domain/%ff%fe");
    assert_eq!(answer.text(), "No such domain \u{fffd}\u{fffd}");
}

#[test]
fn broken_requests_are_survived() {
    let daemon = Daemon::start(&[]);
    let tcp = || Listener::Tcp(daemon.tcp);
    for request in [
        &b""[..],
        b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"\0\0\0\0\r\n\r\n",
        b"GET /xend/domain/%zz%0a%00 HTTP/1.1\r\n\r\n",
        b"GET /xend/domain/\xff\xfe HTTP/1.1\r\n\r\n",
        b"GET http:///// HTTP/1.1\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\n\r\n",
        b"POST /xend/domain HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\nop=create",
        b"POST /xend/domain HTTP/1.1\r\nContent-Type: multipart/form-data\r\nContent-Length: 2\r\n\r\n--",
        b"POST /xend/domain HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 40\r\n\r\n--b\r\nContent-Disposition: form-data; nam=",
        b"POST /xend/domain HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ] {
        let listener = tcp();
        let mut stream = connect(&listener);
        let _ = stream.write_all(request);
        drop(stream);
        still_answers(&daemon, &String::from_utf8_lossy(request));
    }
    // Request data cannot inject a header.
    let injected = daemon.post("/xend/domain/0", "op=no%0d%0aX-Injected:%20yes");
    assert!(
        injected.code == 501
            && injected.header("x-injected").is_none()
            && !injected.reason.contains('\n')
    );
    let many = (0..5_000).map(|n| format!("k{n}=v")).collect::<Vec<_>>().join("&");
    assert_eq!(daemon.post("/xend/domain/0", &many).status(), "406 Invalid request");
    assert_eq!(try_ask(&tcp(), &post("/xend/domain", "op=&op=&=&&&;;%")).unwrap().code, 406);
}

#[test]
fn random_bytes_are_survived() {
    let daemon = Daemon::start(&[]);
    // xorshift, the same bytes each time.
    let mut state = 0x2006_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for round in 0..300 {
        let length = usize::try_from(random() % 400).unwrap();
        let mut bytes: Vec<u8> = (0..length).map(|_| random().to_le_bytes()[0]).collect();
        if round % 3 == 0 {
            bytes = [
                b"POST /xend/domain HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n",
                &bytes[..],
            ]
            .concat();
        }
        let listener = if round % 2 == 0 {
            Listener::Tcp(daemon.tcp)
        } else {
            Listener::Unix(daemon.socket())
        };
        let _ = connect(&listener).write_all(&bytes);
    }
    still_answers(&daemon, "random bytes");
}

#[test]
fn slow_creates_block_no_other_domain() {
    let daemon = Daemon::start(&[]);
    let listener = || Listener::Tcp(daemon.tcp);
    let mut waiting = Vec::new();
    for n in 0..64 {
        let config = guest(
            &format!("slow{n}"),
            "(device (vbd (uname phy:/dev/hotplugslow) (dev xvdb) (mode r)))",
        );
        let mut stream = connect(&listener());
        stream
            .write_all(&post("/xend/domain", &format!("op=create&config={}", encoded(&config))))
            .unwrap();
        waiting.push(stream);
    }
    // While none of them is done, all of this is.
    let mut rounds = 0;
    while rounds < 50 {
        assert_eq!(daemon.create(&guest("quick", "")).code, 201);
        assert_eq!(daemon.post("/xend/domain/quick", "op=destroy").code, 202);
        if daemon.get("/xend/domain").text() != "(Domain-0)" {
            break;
        }
        rounds += 1;
    }
    assert!(rounds > 0, "the other domain waited for the slow ones");
    daemon.until("all of them", |d| d.get("/xend/domain").sxp().as_list().unwrap().len() == 65);
}

//! Connections that are held and say nothing.

use crate::clients::{connect_from, head};
use crate::tls_support::{encrypted, write_certificate};
use crate::victim::{Victim, scaled};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

/// As many descriptors as this process may have.
fn raise_limit() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
}

/// Connections that stay open, as far as the daemon lets them. Sources are `127.0.0.2` and on.
fn held(count: usize, to: SocketAddr, sources: usize, first: &[u8]) -> Vec<TcpStream> {
    let connect = |number: usize| {
        let source = u8::try_from(2 + number % sources).unwrap();
        let mut stream = connect_from(source, to).ok()?;
        stream.write_all(first).ok()?;
        Some(stream)
    };
    (0..count).filter_map(connect).collect()
}

/// A read over TCP from an address that holds no connection.
fn read_from_elsewhere(to: SocketAddr) -> String {
    let mut stream = connect_from(250, to).unwrap();
    stream.write_all(b"GET /xend/domain HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn silent_connections_leave_places_for_others() {
    raise_limit();
    let victim = Victim::start("");
    let address = victim.http();
    let count = scaled(10_000);
    let (figures, _) = victim.under(&format!("{count} silent connections"), || {
        let held = held(count, address, 100, b"");
        let answer = read_from_elsewhere(address);
        assert!(answer.contains("Domain-0"), "{answer:?}");
        held
    });
    assert!(figures.peak.fds < figures.before.fds + 2_000, "{figures}");
}

#[test]
fn half_requests_leave_places_for_others() {
    raise_limit();
    let victim = Victim::start("");
    let address = victim.http();
    let count = scaled(2_000);
    let form = head("/xend/domain", "application/x-www-form-urlencoded", 1000);
    for first in ["GET /xend/dom", form.as_str()] {
        let (figures, _) =
            victim.under(&format!("{count} connections with {first:.12}..."), || {
                let held = held(count, address, 40, first.as_bytes());
                let answer = read_from_elsewhere(address);
                assert!(answer.contains("Domain-0"), "{answer:?}");
                held
            });
        assert!(figures.peak.fds < figures.before.fds + 2_000, "{figures}");
    }
}

#[test]
fn connections_without_a_handshake_leave_the_encrypted_port_open() {
    raise_limit();
    let dir = tempfile::tempdir().unwrap();
    write_certificate(dir.path());
    let cert = dir.path().join("cert");
    let victim =
        Victim::start_in(dir, "(xen-api-server ((127.0.0.1:{PORT} none '' {DIR}/key {DIR}/cert)))");
    let address = victim.address("Xen-API on https://");
    let count = scaled(700);
    victim.under(&format!("{count} connections without a handshake"), || {
        let held = held(count, address, 1, b"");
        // From this machine's own address, which holds none.
        let answer = encrypted(address, &cert, "POST /RPC2 HTTP/1.0\r\nContent-Length: 0\r\n\r\n");
        assert!(answer.starts_with("HTTP/1."), "{answer:?}");
        held
    });
}

#[test]
fn hosts_that_may_send_nothing_hold_no_place_of_the_relocation_port() {
    let victim = Victim::start("(xend-relocation-hosts-allow '^127\\.0\\.0\\.1$')");
    let address = victim.relocation();
    let count = scaled(640);
    victim.under(&format!("{count} forbidden hosts on the relocation port"), || {
        let held = held(count, address, 8, b"(");
        let mut allowed = connect_from(1, address).unwrap();
        allowed.write_all(b"(verdict (id 00000000-0000-0000-0000-000000000001))\n").unwrap();
        let mut answer = String::new();
        allowed.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "(not-taken)\n");
        held
    });
}

#[test]
fn half_requests_do_not_delay_a_stop() {
    let victim = Victim::start("");
    let form = head("/xend/domain", "application/x-www-form-urlencoded", 1000);
    let _held = held(20, victim.http(), 4, form.as_bytes());
    let _also = held(20, victim.http(), 4, b"GET /xend/dom");
    victim.until("all are open", |victim| victim.usage().fds > 40);
    let log = victim.path("log");
    let dir = log.parent().unwrap().to_owned();
    assert!(dir.exists());
    let began = std::time::Instant::now();
    assert!(victim.stop().success());
    println!("a stop beside 40 half requests: {:.1} s", began.elapsed().as_secs_f64());
}

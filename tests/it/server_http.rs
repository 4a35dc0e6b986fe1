//! Connections over real sockets, with old, unusual and hostile clients.

use crate::server_support::{Daemon, GENEROUS, Wire, read_answer, read_to_end, tunables};
use axum::Router;
use axum::extract::{Extension, Request};
use axum::routing::{any, get, post};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Semaphore;
use xend::core::caller::{Caller, Via};
use xend::peers::Refusal;

/// A router that answers with parts of the request.
fn mirror() -> Router {
    Router::new()
        .route(
            "/who",
            get(|Extension(caller): Extension<Caller>| async move { caller.to_string() }),
        )
        .route("/echo", post(|body: String| async move { body }))
        .fallback(any(|request: Request| async move { request.uri().to_string() }))
}

async fn ask(wire: &mut Wire, request: &str) -> String {
    wire.write_all(request.as_bytes()).await.unwrap();
    read_answer(wire).await
}

#[tokio::test]
async fn tcp_and_unix_are_served_at_the_same_time() {
    let daemon = Daemon::start(mirror(), tunables(30)).await;
    let request = "GET /who HTTP/1.1\r\nHost: localhost\r\n\r\n";

    let mut tcp = daemon.tcp().await;
    let tcp_answer = ask(&mut tcp, request).await;
    assert!(tcp_answer.contains("\r\n\r\n127.0.0.1:"), "{tcp_answer}");

    let mut unix = daemon.unix().await;
    let unix_answer = ask(&mut unix, request).await;
    assert!(
        unix_answer.ends_with(&format!("unix uid {}", rustix::process::geteuid().as_raw())),
        "{unix_answer}"
    );
}

#[tokio::test]
async fn the_caller_has_the_addresses_of_both_ends() {
    let app = Router::new().fallback(any(|Extension(caller): Extension<Caller>| async move {
        match caller.via {
            Via::Tcp { peer, local, .. } => format!("{} {local}", peer.ip()),
            other => format!("{other:?}"),
        }
    }));
    let daemon = Daemon::start(app, tunables(30)).await;
    let answer = ask(&mut daemon.tcp().await, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert!(answer.ends_with(&format!("127.0.0.1 {}", daemon.address)), "{answer}");
    let answer = ask(&mut daemon.unix().await, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert!(answer.contains(&format!("pid: Some({})", std::process::id())), "{answer}");
}

#[tokio::test]
async fn header_names_are_capitalized() {
    let daemon = Daemon::start(mirror(), tunables(30)).await;
    let answer = ask(&mut daemon.tcp().await, "GET /who HTTP/1.1\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\nContent-Type: "), "{answer}");
    assert!(answer.contains("\r\nContent-Length: "), "{answer}");
}

#[tokio::test]
async fn http_1_0_without_host_is_answered_and_closed() {
    let daemon = Daemon::start(mirror(), tunables(30)).await;
    let mut wire = daemon.tcp().await;
    wire.write_all(b"GET /old HTTP/1.0\r\n\r\n").await.unwrap();
    let answer = read_to_end(&mut wire).await;
    assert!(answer.contains(" 200 OK\r\n") && answer.ends_with("\r\n\r\n/old"), "{answer}");
}

#[tokio::test]
async fn a_raw_space_in_the_target_works_however_it_arrives() {
    let daemon = Daemon::start(mirror(), tunables(30)).await;
    let request = b"GET /xend/domain/my dom?detail=1 HTTP/1.1\r\nHost: localhost:8000\r\n\r\n";
    for piece in [request.len(), 7, 1] {
        let mut wire = daemon.tcp().await;
        for piece in request.chunks(piece) {
            wire.write_all(piece).await.unwrap();
            wire.flush().await.unwrap();
            tokio::task::yield_now().await;
        }
        let answer = read_answer(&mut wire).await;
        assert!(answer.ends_with("/xend/domain/my%20dom?detail=1"), "{answer}");
    }
}

#[tokio::test]
async fn requests_pipelined_behind_a_raw_space_are_answered_in_order() {
    let daemon = Daemon::start(mirror(), tunables(30)).await;
    let mut wire = daemon.tcp().await;
    let requests = "GET /a b HTTP/1.1\r\n\r\n\
                    POST /echo HTTP/1.1\r\nContent-Length: 12\r\n\r\nx y HTTP/1.1\
                    GET /last HTTP/1.1\r\nConnection: close\r\n\r\n";
    wire.write_all(requests.as_bytes()).await.unwrap();
    let answers = read_to_end(&mut wire).await;
    let bodies: Vec<_> =
        answers.split("HTTP/1.1 200 OK").filter_map(|a| a.split("\r\n\r\n").nth(1)).collect();
    assert_eq!(bodies, ["/a%20b", "x y HTTP/1.1", "/last"], "{answers}");
}

#[tokio::test]
async fn connections_without_a_request_are_normal() {
    let daemon = Daemon::start(mirror(), tunables(30)).await;
    for _ in 0..50 {
        drop(daemon.tcp().await);
        drop(daemon.unix().await);
    }
    let answer = ask(&mut daemon.tcp().await, "GET /after HTTP/1.1\r\n\r\n").await;
    assert!(answer.ends_with("/after"), "{answer}");
}

#[tokio::test]
async fn a_client_that_closes_its_sending_side_is_answered() {
    let app = Router::new().fallback(any(|| async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        "late"
    }));
    let daemon = Daemon::start(app, tunables(30)).await;
    let mut wire = daemon.tcp().await;
    wire.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    wire.shutdown().await.unwrap();
    let answer = read_to_end(&mut wire).await;
    assert!(answer.ends_with("late"), "{answer}");
}

#[tokio::test]
async fn invalid_requests_are_refused_and_others_served() {
    let daemon = Daemon::start(mirror(), tunables(30)).await;
    let many_headers = format!("GET / HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(500));
    let long_header = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "y".repeat(200_000));
    let long_target = format!("GET /{} HTTP/1.1\r\n\r\n", "y".repeat(100_000));
    let cases = [
        "\x16\x03\x01\x02\n\r\n",
        "GET\r\n\r\n",
        " \r\n\r\n",
        &many_headers,
        &long_header,
        &long_target,
    ];
    for request in cases {
        let mut wire = daemon.tcp().await;
        // The server may close before it has read everything.
        wire.write_all(request.as_bytes()).await.ok();
        let mut answer = Vec::new();
        tokio::time::timeout(GENEROUS, wire.read_to_end(&mut answer)).await.unwrap().ok();
        assert!(
            answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"),
            "{}",
            answer.escape_ascii()
        );
    }
    let answer = ask(&mut daemon.tcp().await, "GET /after HTTP/1.1\r\n\r\n").await;
    assert!(answer.ends_with("/after"), "{answer}");
}

/// Sends `start`, then the byte `rest` repeatedly until the server closes the connection.
async fn drip(wire: &mut Wire, start: &str, rest: u8) {
    wire.write_all(start.as_bytes()).await.unwrap();
    let cut_off = async {
        let mut buffer = [0; 1024];
        loop {
            tokio::select! {
                read = wire.read(&mut buffer) => match read {
                    Ok(0) | Err(_) => return,
                    Ok(_) => {}
                },
                () = tokio::time::sleep(Duration::from_millis(50)) => {
                    if wire.write_all(&[rest]).await.is_err() {
                        return;
                    }
                }
            }
        }
    };
    tokio::time::timeout(GENEROUS, cut_off)
        .await
        .expect("the server closes the connection of a slow client");
}

#[tokio::test]
async fn slow_clients_are_disconnected_and_others_served_meanwhile() {
    let daemon = Daemon::start(mirror(), tunables(2)).await;
    let mut line = daemon.tcp().await;
    let mut head = daemon.tcp().await;
    let mut body = daemon.unix().await;
    let mut silent = daemon.tcp().await;
    let mut idle = daemon.tcp().await;
    let slow = async {
        tokio::join!(
            drip(&mut line, "GET /", b'x'),
            drip(&mut head, "GET / HTTP/1.1\r\nX: ", b'x'),
            drip(&mut body, "POST /echo HTTP/1.1\r\nContent-Length: 100000\r\n\r\n", b'x'),
            async { assert_eq!(read_to_end(&mut silent).await, "") },
            async {
                let answer = ask(&mut idle, "GET /first HTTP/1.1\r\n\r\n").await;
                assert!(answer.ends_with("/first"), "{answer}");
                assert_eq!(read_to_end(&mut idle).await, "");
            },
        );
    };
    let others = async {
        for number in 0..20 {
            let answer =
                ask(&mut daemon.tcp().await, &format!("GET /{number} HTTP/1.1\r\n\r\n")).await;
            assert!(answer.ends_with(&format!("/{number}")), "{answer}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::join!(slow, others);
}

#[tokio::test]
async fn a_slow_handler_is_not_a_slow_client() {
    let app = Router::new().fallback(any(|body: String| async move {
        tokio::time::sleep(Duration::from_secs(3)).await;
        body
    }));
    let daemon = Daemon::start(app, tunables(2)).await;
    let mut wire = daemon.tcp().await;
    let answer = ask(&mut wire, "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc").await;
    assert!(answer.ends_with("abc"), "{answer}");
    let answer = ask(&mut wire, "GET / HTTP/1.1\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "the connection lives on: {answer}");
}

#[tokio::test]
async fn a_client_that_takes_no_response_is_disconnected() {
    let big = "x".repeat(64 * 1024 * 1024);
    let app = Router::new().fallback(any(move || {
        let big = big.clone();
        async move { big }
    }));
    let daemon = Daemon::start(app, tunables(2)).await;
    let mut wire = daemon.tcp().await;
    wire.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    daemon.stop();
    tokio::time::timeout(GENEROUS, daemon.server.drained())
        .await
        .expect("the connection ends by itself");
}

#[tokio::test]
async fn at_the_limit_an_idle_connection_makes_room_for_a_new_one() {
    let daemon = Daemon::start_with(mirror(), tunables(30), 4).await;
    let mut silent = Vec::new();
    for _ in 0..4 {
        silent.push(daemon.tcp().await);
    }
    for number in 0..8 {
        let mut wire = daemon.tcp().await;
        let answer = ask(&mut wire, &format!("GET /{number} HTTP/1.1\r\n\r\n")).await;
        assert!(answer.ends_with(&format!("/{number}")), "{answer}");
        silent.push(wire);
    }
    let answer = ask(&mut daemon.unix().await, "GET /unix HTTP/1.1\r\n\r\n").await;
    assert!(answer.ends_with("/unix"), "{answer}");
}

#[tokio::test]
async fn at_the_limit_busy_connections_stay_and_a_new_one_is_refused() {
    let busy = Arc::new(Semaphore::new(0));
    let begun = Arc::clone(&busy);
    let slow = || async move {
        begun.add_permits(1);
        tokio::time::sleep(Duration::from_secs(4)).await;
        "done"
    };
    let app = Router::new().route("/slow", get(slow)).merge(mirror());
    let daemon = Daemon::start_with(app, tunables(30), 2).await;
    let mut first = daemon.tcp().await;
    let mut second = daemon.tcp().await;
    for wire in [&mut first, &mut second] {
        wire.write_all(b"GET /slow HTTP/1.1\r\n\r\n").await.unwrap();
    }
    drop(busy.acquire_many(2).await.unwrap());
    let mut third = daemon.tcp().await;
    let mut answer = Vec::new();
    tokio::time::timeout(GENEROUS, third.read_to_end(&mut answer)).await.unwrap().ok();
    assert_eq!(answer, b"", "closed without an answer");
    let counts = daemon.server.listener_counts().figures();
    let tcp = counts.iter().find(|one| one.listener.starts_with("http://")).unwrap();
    assert_eq!((tcp.accepted, tcp.open), (3, 2));
    assert!(tcp.refused.contains(&(Refusal::Busy, 1)), "{tcp:?}");
    let answer = ask(&mut daemon.unix().await, "GET /unix HTTP/1.1\r\n\r\n").await;
    assert!(answer.ends_with("/unix"), "the other listener has a limit of its own: {answer}");
    for wire in [&mut first, &mut second] {
        let answer = read_answer(wire).await;
        assert!(answer.ends_with("done"), "{answer}");
    }
}

#[tokio::test]
async fn draining_finishes_requests_in_flight_and_closes_idle_connections() {
    let at_work = Arc::new(Semaphore::new(0));
    let begun = Arc::clone(&at_work);
    let app = Router::new().fallback(any(|body: String| async move {
        begun.add_permits(1);
        tokio::time::sleep(Duration::from_millis(500)).await;
        body
    }));
    let daemon = Daemon::start(app, tunables(30)).await;
    let mut idle = daemon.unix().await;
    let mut busy = daemon.tcp().await;
    busy.write_all(b"POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nwork").await.unwrap();
    drop(at_work.acquire().await.unwrap());
    daemon.stop();
    assert_eq!(read_to_end(&mut idle).await, "");
    let answer = read_to_end(&mut busy).await;
    assert!(answer.ends_with("work") && answer.contains("Connection: close"), "{answer}");
    tokio::time::timeout(GENEROUS, daemon.server.drained()).await.expect("all connections end");
    assert!(
        tokio::net::TcpStream::connect(daemon.address).await.is_err(),
        "nobody listens any more"
    );
    assert!(!daemon.socket_path().exists(), "the socket is gone");
}

#[tokio::test]
async fn abort_closes_busy_connections() {
    let app = Router::new().fallback(any(std::future::pending::<()>));
    let daemon = Daemon::start(app, tunables(30)).await;
    let mut wire = daemon.tcp().await;
    wire.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    daemon.stop();
    daemon.server.abort();
    tokio::time::timeout(GENEROUS, daemon.server.drained()).await.expect("all connections end");
}

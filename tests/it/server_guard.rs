//! The guard over real sockets, with the requests of browsers.

use crate::server_support::{Daemon, Wire, read_answer, tunables};
use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::any;
use tokio::io::AsyncWriteExt as _;
use xend::config::Tunables;
use xend::server::Guard;

async fn daemon() -> Daemon {
    let settings = Tunables { allowed_hosts: vec!["xen.example.org".into()], ..tunables(30) };
    let live = std::sync::Arc::new(arc_swap::ArcSwap::from_pointee(settings.clone()));
    let app = Router::new()
        .fallback(any(|| async { "welcome" }))
        .layer(from_fn_with_state(Guard::new(live), Guard::check));
    Daemon::start(app, settings).await
}

async fn ask(mut wire: Wire, method: &str, headers: &str) -> String {
    let request = format!("{method} /xend/domain HTTP/1.1\r\nContent-Length: 0\r\n{headers}\r\n");
    wire.write_all(request.as_bytes()).await.unwrap();
    read_answer(&mut wire).await
}

#[tokio::test]
async fn own_names_pass_and_the_refusal_of_others_names_the_key() {
    let daemon = daemon().await;
    let own = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    for host in ["localhost:8000", "127.0.0.1", "[::1]:8000", "xen.example.org:8000", own.trim()] {
        let answer = ask(daemon.tcp().await, "GET", &format!("Host: {host}\r\n")).await;
        assert!(answer.ends_with("welcome"), "{answer}");
    }
    let answer = ask(daemon.tcp().await, "GET", "").await;
    assert!(answer.ends_with("welcome"), "{answer}");

    let answer = ask(daemon.tcp().await, "GET", "Host: evil.example:8000\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain"), "{answer}");
    assert!(
        answer.contains("'evil.example:8000'") && answer.contains("xend-http-hosts"),
        "{answer}"
    );
    let answer = ask(daemon.unix().await, "GET", "Host: evil.example\r\n").await;
    assert!(answer.ends_with("welcome"), "{answer}");
}

#[tokio::test]
async fn a_post_of_another_site_is_refused_on_both_sockets() {
    let daemon = daemon().await;
    let foreign = "Host: localhost:8000\r\nOrigin: http://evil.example\r\n";
    let cross = "Host: localhost:8000\r\nSec-Fetch-Site: cross-site\r\n";
    let own =
        "Host: localhost:8000\r\nOrigin: http://localhost:8000\r\nSec-Fetch-Site: same-origin\r\n";
    let old = "Host: localhost:8000\r\nReferer: http://evil.example/page\r\n";
    for headers in [foreign, cross, old] {
        for wire in [daemon.tcp().await, daemon.unix().await] {
            let answer = ask(wire, "POST", headers).await;
            assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
        }
        let answer = ask(daemon.tcp().await, "GET", headers).await;
        assert!(answer.ends_with("welcome"), "{answer}");
    }
    let own_page = "Host: localhost:8000\r\nReferer: http://localhost:8000/xend/domain/\r\n";
    for headers in [own, own_page, "Host: localhost:8000\r\n", ""] {
        let answer = ask(daemon.tcp().await, "POST", headers).await;
        assert!(answer.ends_with("welcome"), "{answer}");
    }
}

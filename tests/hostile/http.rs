//! Broken HTTP.

use crate::clients::{answer_to, connect_from};
use crate::victim::{Victim, scaled};
use std::thread;

/// Requests that are wrong, each in its own way.
fn broken() -> Vec<Vec<u8>> {
    let long = "a".repeat(70_000);
    let many = "X: y\r\n".repeat(2_000);
    let texts = [
        "\r\n\r\n\r\n\r\n".to_owned(),
        "GET".to_owned(),
        "GET \r\n\r\n".to_owned(),
        "GET /xend/domain\r\n\r\n".to_owned(),
        "GET /xend/domain HTTP/9.9\r\n\r\n".to_owned(),
        "GET /xend/domain HTTP/1.1\r\n\r\n".to_owned(),
        "GET http://elsewhere.example/xend/domain HTTP/1.1\r\nHost: elsewhere.example\r\n\r\n".to_owned(),
        "GET /xend/domain HTTP/1.1\r\nHost: evil.example\r\n\r\n".to_owned(),
        "GET /xend/domain HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n".to_owned(),
        "GET /xend/domain HTTP/1.1\nHost: localhost\n\n".to_owned(),
        "GET\t/xend/domain\tHTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(),
        "GET /xend/domain HTTP/1.1\r\nHost : localhost\r\n\r\n".to_owned(),
        "GET /xend/domain HTTP/1.1\r\n Host: localhost\r\n\r\n".to_owned(),
        "GET /xend/domain HTTP/1.1\r\nHost: localhost\r\n folded\r\n\r\n".to_owned(),
        format!("GET /{long} HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        format!("GET /xend/domain HTTP/1.1\r\nHost: localhost\r\nX: {long}\r\n\r\n"),
        format!("GET /xend/domain HTTP/1.1\r\nHost: localhost\r\n{many}\r\n"),
        "GET /%00 HTTP/1.0\r\n\r\n".to_owned(),
        "GET /xend/domain/%ff%fe HTTP/1.0\r\n\r\n".to_owned(),
        "GET /xend/domain/%zz HTTP/1.0\r\n\r\n".to_owned(),
        "GET /xend/../../etc/passwd HTTP/1.0\r\n\r\n".to_owned(),
        "GET /xend/domain?detail=%F0%9F HTTP/1.0\r\n\r\n".to_owned(),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
        "CONNECT localhost:22 HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(),
        "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(),
        "TRACE /xend HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(),
        "POST /xend/domain HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n".to_owned(),
        "POST /xend/domain HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1e3\r\n\r\n".to_owned(),
        "POST /xend/domain HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\n".to_owned(),
        "POST /xend/domain HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nop=xxx".to_owned(),
        "POST /xend/domain HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(),
        "POST /xend/domain HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n".to_owned(),
        "POST /xend/domain HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n".to_owned(),
        "POST /xend/domain HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n".to_owned(),
        "POST /xend/domain HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n\r\n".to_owned(),
        "POST /xend/domain HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n1;x=\r\n\r\n".to_owned(),
        "POST /xend/domain HTTP/1.0\r\nContent-Type: multipart/form-data\r\nContent-Length: 2\r\n\r\n--".to_owned(),
        "POST /xend/domain HTTP/1.0\r\nContent-Type: multipart/form-data; boundary=\r\nContent-Length: 6\r\n\r\n--\r\n\r\n".to_owned(),
        "POST /xend/domain HTTP/1.0\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 9\r\n\r\nop=%%%%%%".to_owned(),
        "POST /xend/domain HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{{".to_owned(),
    ];
    let mut requests: Vec<Vec<u8>> = texts.into_iter().map(String::into_bytes).collect();
    requests.push((0..=255).cycle().take(100_000).collect());
    requests.push(vec![0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]);
    requests
}

#[test]
fn broken_requests_reach_no_domain_and_stop_nothing() {
    let victim = Victim::start("");
    victim.define(["web".to_owned()]);
    let list = victim.get("/xend/domain?state=all&detail=1").1;
    let requests = broken();
    assert_eq!(requests.len(), 42);
    let address = victim.http();
    victim.under("42 forms of broken HTTP", || {
        for round in 0..scaled(10) {
            thread::scope(|scope| {
                for (number, request) in requests.iter().enumerate() {
                    let source = u8::try_from(2 + number % 8).unwrap();
                    scope.spawn(move || {
                        let stream = connect_from(source, address).unwrap();
                        let answer = answer_to(stream, request);
                        let text = String::from_utf8_lossy(&answer);
                        // One answer a request, if any: what follows it is no second request.
                        assert!(text.matches("HTTP/1.").count() <= 1, "{round}: {text}");
                    });
                }
            });
        }
    });
    let names = |list: &str| list.matches("(name web)").count();
    assert_eq!(names(&victim.get("/xend/domain?state=all&detail=1").1), names(&list));
}

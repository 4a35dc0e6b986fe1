//! Pages of other hosts of a fleet: hosts ask each other over real connections.

use crate::fleet_peers_support::{Identity, PeerHost, record};
use crate::fleet_support::Lab;
use crate::http_accounts_support::{JSON, NAVIGATION};
use crate::http_json_support::parsed;
use crate::ports::free_address;
use crate::server_support::GENEROUS;
use serde_json::json;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::sleep;
use tokio_rustls::server::TlsStream;
use xend::fleet::Link;
use xend::wire::http::PeerCallers;
use xend::wire::relocation::RelocationPlaces;

const SXP: &str = "Accept: application/sxp\r\n";

async fn two_hosts() -> (Lab, PeerHost, PeerHost) {
    let lab = Lab::new().await;
    let xen1 = PeerHost::start(&lab, "xen1").await;
    let xen2 = PeerHost::start(&lab, "xen2").await;
    (lab, xen1, xen2)
}

#[tokio::test(flavor = "multi_thread")]
async fn another_host_answers_as_it_answers_its_own_callers() {
    let (_lab, xen1, xen2) = two_hosts().await;
    for (page, format) in [
        ("domain", SXP),
        ("domain", JSON),
        ("domain/web1", SXP),
        ("domain/web1", JSON),
        ("domain/web1/config", SXP),
        ("domain/nosuch", SXP),
        ("domain/nosuch", JSON),
        ("domain/web1/console", SXP),
        ("node", SXP),
        ("node", JSON),
    ] {
        let own = xen2.get(&format!("/xend/{page}"), format);
        let passed = xen1.get(&format!("/xend/host/xen2/{page}"), format);
        assert_eq!((passed.status(), passed.text()), (own.status(), own.text()), "{page}");
        assert_eq!(passed.header("content-type"), own.header("content-type"), "{page}");
        assert_eq!(passed.header("content-length"), own.header("content-length"), "{page}");
        assert!(passed.header("x-xend-peer-answer").is_none(), "{page}");
    }
    let head = xen1.ask("HEAD", "/xend/host/xen2/node", SXP, "");
    assert_eq!((head.code, head.body.len()), (200, 0));
    // The links of a page are longer here.
    let missing = "/xend/host/xen2/domain/nosuch";
    let [head, page] = ["HEAD", "GET"].map(|method| xen1.ask(method, missing, NAVIGATION, ""));
    let length = page.body.len().to_string();
    assert_eq!((head.body.len(), head.header("content-length")), (0, Some(length.as_str())));
    let done = xen1.post("/xend/host/xen2/domain/web1", SXP, "op=unpause");
    assert_eq!(done.status(), "200 OK", "{}", done.text());
    let state = |host: &PeerHost| parsed(&host.get("/xend/domain/web1", JSON))["state"].clone();
    assert_eq!((state(&xen1), state(&xen2)), (json!("paused"), json!("running")));
    assert_eq!(xen2.authors(), ["unix uid 0 through xen1"]);
    let stopping = xen1.post("/xend/host/xen2/domain/web1", SXP, "op=destroy");
    let location = "http://front:8000/xend/host/xen2/domain/web1/..";
    assert_eq!(stopping.header("location"), Some(location), "{stopping:?}");
    let long = format!("op=rename&name={}", "x".repeat(1 << 20));
    for target in ["/xend/domain/db", "/xend/host/xen2/domain/db"] {
        let refused = xen1.post(target, SXP, &long);
        assert_eq!(refused.code, 413, "{refused:?}");
        assert!(refused.text().contains("see xend-max-body"), "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_own_name_leads_to_the_own_pages_and_others_are_named() {
    let (_lab, xen1, _xen2) = two_hosts().await;
    for page in ["domain", "domain/web1", "node", "domain/nosuch"] {
        let own = xen1.get(&format!("/xend/{page}"), SXP);
        let by_name = xen1.get(&format!("/xend/host/xen1/{page}"), SXP);
        assert_eq!((by_name.status(), by_name.text()), (own.status(), own.text()), "{page}");
    }
    let storage = ["xen1", "xen2"]
        .map(|host| xen1.get(&format!("/xend/host/{host}/node/storage"), JSON).code);
    assert_eq!(storage, [404, 404], "a host has the same pages by its own name as others");
    let missing = xen1.get("/xend/host/xen9/domain", JSON);
    assert_eq!(missing.code, 404);
    assert_eq!(parsed(&missing)["detail"], "No such host xen9: the fleet has xen1, xen2");
    let user = xen1.get("/xend/host/xen9/domain", &format!("X-User: steve\r\n{JSON}"));
    assert_eq!(parsed(&user)["detail"], "No such host xen9");
    let upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let refused = xen1.get("/xend/host/xen2/domain/web1/console", &format!("{upgrade}{SXP}"));
    assert_eq!((refused.code, refused.text().contains("ask xen2")), (501, true), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_has_the_rights_of_the_host_that_it_asked() {
    let (_lab, xen1, xen2) = two_hosts().await;
    let as_user = |user: &str| format!("X-User: {user}\r\n{SXP}");
    let list = xen1.get("/xend/host/xen2/domain", &as_user("steve"));
    assert_eq!(list.text(), "(web1)");
    assert_eq!(xen1.get("/xend/host/xen2/domain/db", &as_user("steve")).code, 404);
    let node = xen1.get("/xend/host/xen2/node", &as_user("steve"));
    assert!(node.text().contains("host-facts"), "{node:?}");
    let done = xen1.post("/xend/host/xen2/domain/web1", &as_user("steve"), "op=unpause");
    assert_eq!(done.code, 200, "{}", done.text());
    // On xen2 the account of this name may do everything.
    let refused = xen1.post("/xend/host/xen2/domain/web1", &as_user("reader"), "op=pause");
    assert!(refused.code == 500 && refused.text().contains("power"), "{refused:?}");
    let texts = xen2.authors();
    assert!(texts[0] == "xen1/steve at unix uid 0 through xen1", "{texts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_may_take_operators_of_other_hosts_alone() {
    let lab = Lab::new().await;
    let xen1 = PeerHost::start(&lab, "xen1").await;
    let callers = PeerCallers::Operators;
    let _xen2 = PeerHost::start_for(&lab, "xen2", RelocationPlaces::ALL, callers).await;
    let refused = xen1.get("/xend/host/xen2/domain", &format!("X-User: steve\r\n{SXP}"));
    assert_eq!(refused.code, 502, "{refused:?}");
    let says = "xen2 refuses the request: it takes no users of other hosts, see xend-fleet-users";
    assert!(refused.text().contains(says), "{refused:?}");
    assert_eq!(xen1.get("/xend/host/xen2/domain", SXP).code, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_lead_to_the_host_that_has_the_domain() {
    let (_lab, xen1, _xen2) = two_hosts().await;
    let page = xen1.get("/xend/host/xen2/domain/web1", NAVIGATION);
    let text = page.text();
    assert_eq!(page.code, 200);
    for part in [
        r#"href="/xend/host/xen2/domain""#,
        r#"href="/xend/host/xen2/node""#,
        r#"href="/xend/host/xen2/""#,
        r#"href="/xend/assets/"#,
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    for part in ["=\"/xend/domain", "=\"/xend/node", "=\"/xend/new", "data-events", "data-socket"] {
        assert!(!text.contains(part), "{part}: {text}");
    }
    let list = xen1.get("/xend/host/xen2/domain", NAVIGATION).text();
    assert!(list.contains(r#"href="/xend/host/xen2/domain/web1""#), "{list}");
    assert!(!list.contains("/xend/domain") && !list.contains("=\"/xend/selection"), "{list}");
    let missing = xen1.get("/xend/host/xen2/domain/nosuch", NAVIGATION);
    assert_eq!((missing.code, missing.text().contains("=\"/xend/domain")), (404, false));
}

/// What xen1 is answered, or somebody who says to be xen1.
async fn raw(client: &Identity, to: &PeerHost, request: &str) -> String {
    let (mut stream, mut answer) = client.introduced("xen1", to).await;
    stream.write_all(request.as_bytes()).await.ok();
    stream.read_to_string(&mut answer).await.ok();
    answer
}

const QUESTION: &str = "GET /xend/domain HTTP/1.1\r\nHost: peer\r\n\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn only_members_are_answered_and_those_that_left_are_not() {
    let (lab, xen1, xen2) = two_hosts().await;
    let stranger = Identity::new();
    let refusal = "(err 'no member of the fleet has its name and its certificate, ";
    let refused = raw(&stranger, &xen2, QUESTION).await;
    assert!(refused.starts_with(refusal), "{refused}");
    assert!(!refused.contains("web1"), "{refused}");
    // Nor is a member that says to be another one, or no host at all.
    for name in ["xen2", "xen9"] {
        let (_stream, refused) = xen1.identity.introduced(name, &xen2).await;
        assert!(refused.starts_with(refusal), "{refused}");
    }
    let (_stream, refused) = xen1.identity.introduced("../xen1", &xen2).await;
    assert!(refused.starts_with("(err 'it does not say its name"), "{refused}");
    // A member has to say for whom it asks.
    let refused = raw(&xen1.identity, &xen2, QUESTION).await;
    assert!(refused.starts_with("(welcome)\nHTTP/1.1 400 "), "{refused}");
    assert!(!refused.contains("web1"), "{refused}");
    assert_eq!(xen1.get("/xend/host/xen2/domain", SXP).code, 200);
    assert_eq!(lab.kv.watches(), 0, "nobody follows the fleet for that");
    xen1.leave(&lab).await;
    let refused = xen1.get("/xend/host/xen2/domain", SXP);
    assert_eq!(refused.code, 502, "{refused:?}");
    assert!(refused.text().contains("it refuses this host: no member"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_known_as_a_member_by_what_etcd_said_before() {
    let (_lab, xen1, xen2) = two_hosts().await;
    // What xen2 shows of the fleet has xen1, with its certificate.
    assert_eq!(xen2.get("/xend/host", SXP).text(), "(xen1 xen2)");
    assert_eq!(xen1.get("/xend/host/xen2/domain", SXP).code, 200);
    xen2.kv.set_link(Link::Refused);
    let refused = xen1.get("/xend/host/xen2/domain", SXP);
    assert_eq!(refused.code, 502, "{refused:?}");
    assert!(refused.text().contains("etcd does not tell there"), "{refused:?}");
    assert_eq!(xen2.get("/xend/domain", SXP).code, 200, "its own callers are served");
    xen2.kv.set_link(Link::Up);
    assert_eq!(xen1.get("/xend/host/xen2/domain", SXP).code, 200);
    // The host that asks finds the other one by what it knows.
    assert_eq!(xen1.get("/xend/host", SXP).text(), "(xen1 xen2)");
    xen1.kv.set_link(Link::Refused);
    assert_eq!(xen1.get("/xend/host/xen2/domain", SXP).code, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_that_says_nothing_makes_room() {
    let lab = Lab::new().await;
    let xen1 = PeerHost::start(&lab, "xen1").await;
    let places = RelocationPlaces { pending: 1, ..RelocationPlaces::ALL };
    let xen2 = PeerHost::start_with(&lab, "xen2", places).await;
    let stranger = Identity::new();
    let mut silent = stranger.connect(xen2.relocation, xen2.identity.fingerprint()).await;
    assert_eq!(xen1.get("/xend/host/xen2/domain", SXP).code, 200);
    silent.write_all(b"(host xen1)\n").await.ok();
    let mut answer = String::new();
    silent.read_to_string(&mut answer).await.ok();
    assert_eq!(answer, "", "it had the only place, and has it no more");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_have_places_of_their_own() {
    let lab = Lab::new().await;
    let xen1 = PeerHost::start(&lab, "xen1").await;
    let places = RelocationPlaces { arrivals: 1, requests: 1, pending: 8 };
    let xen2 = PeerHost::start_with(&lab, "xen2", places).await;
    let sent = change_sent_by(&lab, &xen1).await;
    let unfinished = sent.replace("content-length: 10", "content-length: 1000000");
    assert_ne!(unfinished, sent);
    // A request whose body goes on arriving has the only place.
    let (mut long, welcome) = xen1.identity.introduced("xen1", &xen2).await;
    assert_eq!(welcome, "(welcome)\n");
    long.write_all(unfinished.as_bytes()).await.unwrap();
    let holding = tokio::spawn(async move {
        while long.write_all(b"x").await.is_ok() {
            sleep(Duration::from_millis(100)).await;
        }
    });
    let refused = xen1.get("/xend/host/xen2/domain", SXP);
    assert_eq!(refused.code, 502, "{refused:?}");
    assert!(refused.text().contains("too many requests arrive there"), "{refused:?}");
    // A domain may arrive all the same.
    let verdict = xen2.verdict().await;
    assert_eq!(verdict, "(not-taken)\n");
    holding.abort();
    holding.await.ok();
    let began = Instant::now();
    while xen1.get("/xend/host/xen2/domain", SXP).code != 200 {
        assert!(began.elapsed() < GENEROUS, "the place is not free");
    }
}

/// What a host sends another one that it asks for a change of web1.
async fn change_sent_by(lab: &Lab, host: &PeerHost) -> String {
    let (sent, taken) = tokio::sync::oneshot::channel();
    let spy = Identity::new();
    let address = spy.play(|mut stream| async move {
        let mut text = Vec::new();
        while !text.ends_with(b"\r\n\r\nop=unpause") {
            text.push(stream.read_u8().await.unwrap());
        }
        sent.send(String::from_utf8(text).unwrap()).unwrap();
    });
    let address = address.await;
    record(lab, "spy", address, spy.fingerprint()).await;
    let lost = host.post("/xend/host/spy/domain/web1", SXP, "op=unpause");
    assert_eq!(lost.code, 502, "{lost:?}");
    taken.await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_passed_on_once() {
    let (lab, xen1, xen2) = two_hosts().await;
    let xen3 = PeerHost::start(&lab, "xen3").await;
    // What xen1 sends, towards a third host.
    let change = change_sent_by(&lab, &xen1).await;
    let looped = change.replace("/xend/domain/web1", "/xend/host/xen3/domain/web1");
    assert_ne!(looped, change);
    let refused = raw(&xen1.identity, &xen2, &looped).await;
    assert!(refused.contains("HTTP/1.1 508 "), "{refused}");
    assert!(refused.contains("ask xen3 itself"), "{refused}");
    assert_eq!(xen3.authors(), [""; 0]);
    // It would have been done there.
    let done = raw(&xen1.identity, &xen3, &change).await;
    assert!(done.contains("HTTP/1.1 200 "), "{done}");
    assert_eq!(xen3.authors(), ["unix uid 0 through xen1"]);
    // What a client of HTTP sends under the name of the header means nothing.
    let header = change.lines().find(|line| line.starts_with("x-xend-peer-request")).unwrap();
    let list = xen2.get("/xend/domain", &format!("X-User: steve\r\n{header}\r\n{SXP}"));
    assert_eq!(list.text(), "(web1)");
}

/// Reads a request, which has no body.
async fn take_request(stream: &mut TlsStream<TcpStream>) {
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\n") {
        text.push(stream.read_u8().await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_fails_is_told_of() {
    let (lab, xen1, _xen2) = two_hosts().await;
    let ask = async |name: &str, identity: &Identity, address: SocketAddr| {
        record(&lab, name, address, identity.fingerprint()).await;
        let answer = xen1.get(&format!("/xend/host/{name}/domain"), JSON);
        assert!(answer.code == 502 || answer.code == 504, "{name}: {answer:?}");
        parsed(&answer)["detail"].as_str().unwrap().to_owned()
    };
    let own = Identity::new();
    let closed = free_address();
    let text = ask("off", &own, closed).await;
    assert!(text.starts_with(&format!("off cannot be reached at {closed}: nothing")), "{text}");
    // A port that takes connections and says nothing.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let text = ask("silent", &own, silent.local_addr().unwrap()).await;
    assert!(text.contains("it does not answer within 5 s"), "{text}");
    let other = Identity::new();
    let address = other.play(|_| async {}).await;
    let text = ask("copy", &own, address).await;
    assert!(text.starts_with("The certificate of copy at "), "{text}");
    let rubbish = own.play(|mut stream| async move {
        stream.write_all("x".repeat(100_000).as_bytes()).await.ok();
    });
    let address = rubbish.await;
    let text = ask("rubbish", &own, address).await;
    assert!(text.starts_with("rubbish does not answer: "), "{text}");
    let foreign = own.play(|mut stream| async move {
        take_request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n()").await.ok();
        stream.shutdown().await.ok();
    });
    let address = foreign.await;
    let text = ask("foreign", &own, address).await;
    assert!(text.contains("no answer of a xend of the fleet"), "{text}");
    let much = own.play(|mut stream| async move {
        take_request(&mut stream).await;
        let line = "x-a: ".to_owned() + &"y".repeat(1 << 20);
        let head = format!("HTTP/1.1 200 OK\r\nx-xend-peer-answer: 1\r\n{line}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.ok();
    });
    let address = much.await;
    let text = ask("much", &own, address).await;
    assert!(text.starts_with("much does not answer: "), "{text}");
    let long = own.play(|mut stream| async move {
        take_request(&mut stream).await;
        let head = "HTTP/1.1 200 OK\r\nx-xend-peer-answer: 1\r\nContent-Length: 300000000\r\n\r\n";
        stream.write_all(head.as_bytes()).await.ok();
        stream.read_u8().await.ok();
    });
    let address = long.await;
    let text = ask("long", &own, address).await;
    assert!(text.ends_with("longer than 256 MiB: ask long itself"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_whose_answer_is_lost_may_have_happened() {
    let (lab, xen1, _xen2) = two_hosts().await;
    let ask = async |method: &str| {
        let own = Identity::new();
        let address = own.play(|mut stream| async move { take_request(&mut stream).await });
        record(&lab, "broken", address.await, own.fingerprint()).await;
        let answer = xen1.ask(method, "/xend/host/broken/domain/web1", JSON, "");
        assert_eq!(answer.code, 502, "{answer:?}");
        parsed(&answer)["detail"].as_str().unwrap().to_owned()
    };
    let text = ask("POST").await;
    assert!(text.starts_with("broken was asked, and its answer is lost: "), "{text}");
    assert!(text.contains("The change may have happened: look there"), "{text}");
    let text = ask("GET").await;
    assert!(text.starts_with("broken does not answer: "), "{text}");
}

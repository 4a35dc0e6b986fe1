//! Migration to a host of the fleet by its name: hosts know each other by the certificates in the
//! fleet alone.

use crate::fleet_peers_support::{Identity, PeerHost, come_alive, record};
use crate::fleet_support::Lab;
use crate::http_accounts_support::{JSON, NAVIGATION};
use crate::http_json_support::parsed;
use crate::http_support::Answer;
use crate::ports::free_address;
use serde_json::json;
use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::rustls::pki_types::ServerName;
use xend::core::model::Uuid;
use xend::fleet::HostRecord;

const SXP: &str = "Accept: application/sxp\r\n";

async fn two_hosts() -> (Arc<Lab>, PeerHost, PeerHost) {
    let lab = Arc::new(Lab::new().await);
    let xen1 = PeerHost::start(&lab, "xen1").await;
    let xen2 = PeerHost::start(&lab, "xen2").await;
    xen1.run_domain("web9").await;
    (lab, xen1, xen2)
}

/// Migrates web9.
fn migrate(from: &PeerHost, headers: &str, form: &str) -> Answer {
    from.post("/xend/domain/web9", headers, &format!("op=migrate&live=1&destination={form}"))
}

/// Asks until the answer has these words: what is shown of a fleet follows etcd by a moment.
fn until_it_says(words: &str, ask: impl Fn() -> Answer) -> Answer {
    let began = Instant::now();
    loop {
        let answer = ask();
        if answer.text().contains(words) {
            return answer;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "not {words}: {answer:?}");
    }
}

fn state(host: &PeerHost) -> serde_json::Value {
    parsed(&host.get("/xend/domain/web9", JSON))["state"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_domain_goes_to_a_host_by_its_name_and_back() {
    let (_lab, xen1, xen2) = two_hosts().await;
    let done = migrate(&xen1, SXP, "xen2");
    assert_eq!((done.code, done.text().as_str()), (200, ""));
    assert_eq!(xen1.get("/xend/domain/web9", SXP).code, 404);
    assert_eq!(state(&xen2), "running");
    let authors = xen2.authors();
    assert!(authors[0].starts_with("127.0.0.1:") && authors[0].ends_with(" through xen1"));
    // libvirt says that it wants no encryption, and no port.
    let done = migrate(&xen2, SXP, "xen1&ssl=0&port=0");
    assert_eq!((done.code, done.text().as_str()), (200, ""));
    assert_eq!(state(&xen1), "running");
    // An address is that of any host, whose certificate must be in the file.
    let port = xen2.relocation.port();
    let refused = migrate(&xen1, SXP, &format!("127.0.0.1&ssl=1&port={port}"));
    assert_eq!(refused.code, 500);
    assert!(refused.text().contains("its certificate is not accepted"), "{refused:?}");
    assert_eq!(state(&xen1), "running");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_names_the_hosts_that_it_may_and_a_page_offers_them() {
    let (lab, xen1, xen2) = two_hosts().await;
    PeerHost::start(&lab, "xen3").await;
    let as_user = |user: &str, format: &str| format!("X-User: {user}\r\n{format}");
    let page = |headers: &str| xen1.get("/xend/domain/web9", headers);
    let offered = |hosts: &[&str]| {
        let options = hosts.iter().map(|host| format!(r#"<option value="{host}"></option>"#));
        format!(r#"<datalist id="destination-values">{}</datalist>"#, options.collect::<String>())
    };
    let shown = until_it_says(&offered(&["xen2", "xen3"]), || page(NAVIGATION));
    assert!(shown.text().contains("A host of the fleet is meant by its name there"));
    until_it_says(&offered(&["xen2"]), || page(&as_user("steve", NAVIGATION)));
    let refused = migrate(&xen1, &as_user("steve", JSON), "xen3");
    let problem = parsed(&refused);
    assert_eq!((refused.code, &problem["code"]), (403, &json!("beyond_limits")), "{problem}");
    let done = migrate(&xen1, &as_user("steve", JSON), "xen2");
    assert_eq!(done.code, 204, "{}", done.text());
    assert_eq!(state(&xen2), "running");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_that_cannot_be_one_is_named_with_the_reason() {
    let (lab, xen1, xen2) = two_hosts().await;
    let refused = |destination: &str, status: u16, words: &str| {
        let answer = until_it_says(words, || migrate(&xen1, JSON, destination));
        assert_eq!(answer.code, status, "{answer:?}");
        let problem = parsed(&answer);
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.starts_with("destination: ") || problem["parameter"] != json!(null));
        problem
    };
    let own = refused("xen1", 422, "destination: xen1 is this host: name another one");
    assert_eq!(own["parameter"], "destination");
    let port = xen2.relocation.port();
    let words = format!("xen2 takes domains at port {port}, which the fleet knows");
    assert_eq!(refused("xen2&port=7", 422, &words)["parameter"], "port");
    refused("xen9.invalid", 502, "; the fleet has no host of this name");
    let other = Identity::new();
    let closed = free_address();
    record(&lab, "silent", closed, other.fingerprint()).await;
    refused("silent", 502, "destination: silent is silent: it is off, or cut off from etcd");
    record(&lab, "copy", xen2.relocation, other.fingerprint()).await;
    come_alive(&lab, "copy").await;
    refused("copy", 502, "its certificate is not the one that the fleet knows");
    record(&lab, "off", closed, other.fingerprint()).await;
    come_alive(&lab, "off").await;
    refused("off", 502, "nothing listens there, see xend-relocation-ssl-server there");
    let mut plain = HostRecord::joining(Uuid::from_u128(7), UNIX_EPOCH);
    plain.facts.relocation = Some("127.0.0.1:8002".to_owned());
    lab.put(lab.keys.host(&"plain".parse().unwrap()), plain.encode()).await;
    come_alive(&lab, "plain").await;
    refused("plain", 502, "destination: plain has no encrypted relocation port");
    assert_eq!(state(&xen1), "running");
}

/// What a host of this name with this certificate is answered to a question about a migration.
async fn verdict(name: &str, client: &Identity, to: &PeerHost) -> String {
    let stream = TcpStream::connect(to.relocation).await.unwrap();
    let connector = client.tls.member_connector(to.identity.fingerprint()).unwrap();
    let address = ServerName::from(to.relocation.ip());
    let mut stream = connector.connect(address, stream).await.unwrap();
    let question = format!("(host {name})\n(verdict (id {}))\n", Uuid::from_u128(7));
    stream.write_all(question.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok();
    String::from_utf8(answer).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn domains_are_taken_of_members_alone() {
    let (lab, xen1, xen2) = two_hosts().await;
    let asked = verdict("xen1", &xen1.identity, &xen2).await;
    assert_eq!(asked, "(welcome)\n(not-taken)\n");
    let words = "no member of the fleet has its name and its certificate";
    for (name, client) in [("xen1", &Identity::new()), ("xen2", &xen1.identity)] {
        let refused = verdict(name, client, &xen2).await;
        assert!(refused.starts_with("(err ") && refused.contains(words), "{refused}");
    }
    xen1.leave(&lab).await;
    let answer = migrate(&xen1, JSON, "xen2");
    assert_eq!(answer.code, 502);
    assert!(answer.text().contains(words), "{answer:?}");
    assert_eq!(state(&xen1), "running");
}

/// A host whose address changes while it has the domain in its hands is asked at the new one.
#[tokio::test(flavor = "multi_thread")]
async fn in_doubt_a_host_is_asked_where_it_is_now() {
    let (lab, xen1, xen2) = two_hosts().await;
    let fake = Identity::new();
    let fleet = lab.clone();
    let (moved_to, certificate) = (xen2.relocation, xen2.identity.fingerprint());
    let address = fake.play(move |mut stream| async move {
        stream.write_all(b"(ready)\n(arrived)\n").await.unwrap();
        let mut sent = Vec::new();
        while !sent.ends_with(b"(go)\n") {
            let count = stream.read_buf(&mut sent).await.unwrap();
            assert_ne!(count, 0, "the domain is handed over");
        }
        record(&fleet, "xen3", moved_to, certificate).await;
    });
    let address = address.await;
    record(&lab, "xen3", address, fake.fingerprint()).await;
    come_alive(&lab, "xen3").await;
    let answer = migrate(&xen1, JSON, "xen3");
    assert_eq!(answer.code, 502);
    assert!(answer.text().contains("it did not take the domain, which goes on here"), "{answer:?}");
    assert_eq!(state(&xen1), "running");
}

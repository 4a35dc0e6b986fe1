//! What is asked about a domain of another host under its own name.

use crate::fleet_peers_support::{Identity, PeerHost, come_alive, publish, record};
use crate::fleet_support::Lab;
use crate::http_accounts_support::{BROWSER, JSON, NAVIGATION};
use crate::http_json_support::parsed;
use crate::http_support::Answer;
use crate::ports::free_address;
use serde_json::json;
use std::time::{Duration, Instant};
use xend::core::caller::Caller;
use xend::core::model::{DomainRef, Uuid};

const SXP: &str = "Accept: application/sxp\r\n";

/// Two hosts, of which xen2 has a domain web9 with this UUID.
async fn two_hosts() -> (Lab, PeerHost, PeerHost, Uuid) {
    let lab = Lab::new().await;
    let xen1 = PeerHost::start(&lab, "xen1").await;
    let xen2 = PeerHost::start(&lab, "xen2").await;
    xen2.run_domain("web9").await;
    let view = xen2.engine.view(&Caller::internal());
    let uuid = view.domain(&DomainRef::new("web9")).await.unwrap().uuid;
    publish(&lab, "xen2", "web9", uuid).await;
    (lab, xen1, xen2, uuid)
}

/// Asks until the status is this one: what is known of a fleet follows etcd by a moment.
fn until_it_is(status: u16, ask: impl Fn() -> Answer) -> Answer {
    let began = Instant::now();
    loop {
        let answer = ask();
        if answer.code == status {
            return answer;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "not {status}: {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_option_a_domain_of_another_host_is_none() {
    let (_lab, xen1, _xen2, _) = two_hosts().await;
    for format in [SXP, JSON, BROWSER, NAVIGATION] {
        for page in ["", "/config", "/console"] {
            let ask = |name: &str| xen1.get(&format!("/xend/domain/{name}{page}"), format);
            let (found, missing) = (ask("web9"), ask("web8"));
            let renamed = missing.text().replace("web8", "web9");
            assert_eq!((found.status(), found.text()), (missing.status(), renamed), "{format}");
            assert_eq!(found.code, 404);
        }
    }
    assert_eq!(xen1.post("/xend/domain/web9", SXP, "op=pause").code, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_domain_is_found_by_its_name_and_uuid_and_not_by_a_number() {
    let (_lab, xen1, xen2, uuid) = two_hosts().await;
    xen1.route();
    until_it_is(200, || xen1.get("/xend/domain/web9", SXP));
    let state = || parsed(&xen2.get("/xend/domain/web9", JSON))["state"].clone();
    let paused = xen1.post("/xend/domain/web9", SXP, "op=pause");
    assert_eq!((paused.code, paused.text().as_str()), (200, ""));
    assert_eq!(
        (state(), xen2.authors()),
        (json!("paused"), vec!["unix uid 0 through xen1".into()])
    );
    for page in ["web9", &uuid.to_string(), "web9/config", "web9?op=vcpuinfo"] {
        for format in [SXP, JSON] {
            let own = xen2.get(&format!("/xend/domain/{page}"), format);
            let routed = xen1.get(&format!("//xend/domain/{page}"), format);
            assert_eq!((routed.status(), routed.text()), (own.status(), own.text()), "{page}");
        }
    }
    let page = xen1.get("/xend/domain/web9", NAVIGATION).text();
    assert!(page.contains(r#"action="/xend/host/xen2/domain/web9""#), "{page}");
    assert!(!page.contains("=\"/xend/domain/web9"), "{page}");
    let head = xen1.ask("HEAD", "/xend/domain/web9", SXP, "");
    assert_eq!((head.code, head.body.len()), (200, 0));
    // Its domid there, as etcd has it.
    assert_eq!(xen1.get("/xend/domain/3", SXP).code, 404);
    // Who names the host means that one.
    assert_eq!(xen1.get("/xend/host/xen1/domain/web9", SXP).code, 404);
    let upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let refused = xen1.get("/xend/domain/web9/console", &format!("{upgrade}{SXP}"));
    assert_eq!((refused.code, refused.text().contains("ask xen2")), (501, true), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_domain_that_is_here_is_meant_first_and_several_elsewhere_are_named() {
    let (lab, xen1, xen2, _) = two_hosts().await;
    PeerHost::start(&lab, "xen3").await;
    xen1.route();
    publish(&lab, "xen2", "web1", Uuid::from_u128(1)).await;
    for host in ["xen3", "xen2"] {
        publish(&lab, host, "web7", Uuid::from_u128(7)).await;
    }
    let words = "Several hosts have a domain web7: xen2, xen3. Ask one of them, at \
                 /xend/host/HOST/domain/web7";
    let refused = until_it_is(409, || xen1.get("/xend/domain/web7", JSON));
    let problem = parsed(&refused);
    assert_eq!((&problem["code"], &problem["detail"]), (&json!("on_several_hosts"), &json!(words)));
    // Old clients know two statuses.
    let refused = xen1.post("/xend/domain/web7", SXP, "op=pause");
    assert_eq!(refused.status(), "500 Request failed: host");
    assert_eq!(refused.text(), format!("(xend.err '{words}')"));
    let paused = xen1.post("/xend/domain/web1", SXP, "op=unpause");
    assert_eq!(paused.code, 200);
    assert!(xen2.authors().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_has_its_rights_and_finds_its_domains_alone() {
    let (lab, xen1, xen2, _) = two_hosts().await;
    xen1.route();
    publish(&lab, "xen2", "db", Uuid::from_u128(8)).await;
    publish(&lab, "xen2", "secret", Uuid::from_u128(9)).await;
    let as_user = |user: &str| format!("X-User: {user}\r\n{SXP}");
    let found = until_it_is(200, || xen1.get("/xend/domain/web9", &as_user("steve")));
    assert!(found.text().contains("(name web9)"), "{found:?}");
    for name in ["secret", "db", "nosuch"] {
        let missing = xen1.get(&format!("/xend/domain/{name}"), &as_user("steve"));
        assert_eq!(missing.text(), format!("No such domain {name}"));
    }
    // On xen2 the account of this name may do everything.
    let refused = xen1.post("/xend/domain/web9", &as_user("reader"), "op=pause");
    assert!(refused.code == 500 && refused.text().contains("power"), "{refused:?}");
    assert_eq!(xen1.post("/xend/domain/web9", &as_user("steve"), "op=pause").code, 200);
    assert!(xen2.authors()[0].starts_with("xen1/steve at "));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_routed_once_and_a_host_that_fails_is_named() {
    let (lab, xen1, xen2, _) = two_hosts().await;
    for host in [&xen1, &xen2] {
        host.route();
    }
    let closed = free_address();
    record(&lab, "off", closed, Identity::new().fingerprint()).await;
    come_alive(&lab, "off").await;
    publish(&lab, "off", "web6", Uuid::from_u128(6)).await;
    let refused = until_it_is(502, || xen1.get("/xend/domain/web6", JSON));
    let words = format!("off cannot be reached at {closed}: nothing listens there");
    assert!(refused.text().contains(&words), "{refused:?}");
    let refused = xen1.get("/xend/domain/web6", SXP);
    assert_eq!(refused.status(), "500 Request failed: host");
    assert!(refused.text().contains(&words), "{refused:?}");
    // xen2 would ask the same host for its own clients.
    until_it_is(502, || xen2.get("/xend/domain/web6", JSON));
    assert_eq!(xen1.get("/xend/host/xen2/domain/web6", JSON).code, 404);
    assert_eq!(xen1.ask("PUT", "/xend/domain/web9", JSON, "").code, 405);
}

//! The hosts of a fleet and their domains over HTTP.

use crate::http_accounts_support::{JSON, NAVIGATION};
use crate::http_fleet_support::{FleetHost, ODD_NAME, SXP, fleet, host_name, member, summary};
use crate::http_json_support::parsed;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use xend::core::fleet::{FleetView, Member, Presence};
use xend::core::model::Uuid;
use xend::sxp::Sxp;

fn names(json: &Value, list: &str) -> Vec<String> {
    let items = json[list].as_array().unwrap_or_else(|| panic!("{json}"));
    items.iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
}

fn value<'a>(record: &'a Sxp, key: &str) -> &'a str {
    record.value(key).and_then(Sxp::as_str).unwrap_or_else(|| panic!("{key}: {record}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_are_listed_as_names_and_in_full() {
    let host = FleetHost::of(fleet()).await;
    for target in ["/xend/host", "//xend/host/", "/xend/host?detail=0", "/xend/host?nosuch=1"] {
        let answer = host.sxp(target);
        assert_eq!(
            (answer.code, answer.text().as_str()),
            (200, "(xen1 xen2 xen3 xen4)"),
            "{target}"
        );
        assert_eq!(answer.header("content-type"), Some("application/sxp"));
    }
    assert_eq!(host.sxp("/xend").text(), "(ls node domain vnet host)");

    let all = host.sxp("/xend/host?detail=1").sxp();
    let all = all.as_list().unwrap();
    assert_eq!(all.len(), 4);
    let text = all[0].to_string();
    let begin = "(host (name xen1) (uuid 00000000-0000-0000-0000-000000000001) (state alive) \
                 (version 4.5) (hypervisor xen) (cpus 8) (memory 1024) (relocation 10.0.0.1:8002) \
                 (fingerprint 01:01:01:01:01:01:01:01:01:01:01:01:01:01:01:01:01:01:01:01:01:01:01:01:01:01:01:01:01:01:01:01) \
                 (storages (san tank)) (domains 2) (own 1) (age ";
    assert!(text.starts_with(begin) && text.ends_with("(stale 0))"), "{text}");
    assert_eq!((value(&all[1], "own"), value(&all[1], "domains")), ("0", "3"));
    assert_eq!((value(&all[2], "state"), value(&all[2], "stale")), ("silent", "1"));
    for key in ["silent_for", "age"] {
        assert!(value(&all[2], key).parse::<u64>().unwrap() >= 60, "{}", all[2]);
        assert!(all[3].value(key).is_none(), "{}", all[3]);
    }
    assert!(all[3].value("relocation").is_none(), "{}", all[3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_are_listed_in_json() {
    let host = FleetHost::of(fleet()).await;
    let json = parsed(&host.ask("GET", "/xend/host", JSON));
    assert_eq!(
        (&json["fleet"], &json["total"], &json["is_stale"]),
        (&json!("berlin"), &json!(4), &json!(false))
    );
    assert!(json["age_seconds"].is_u64(), "{json}");
    let first = json!({
        "name": "xen1",
        "uuid": "00000000-0000-0000-0000-000000000001",
        "is_own": true,
        "state": "alive",
        "silent_seconds": null,
        "version": "4.5",
        "hypervisor": "xen",
        "cpus": 8,
        "memory_mib": 1024,
        "relocation": "10.0.0.1:8002",
        "fingerprint": (["01"; 32].join(":")),
        "storages": ["san", "tank"],
        "domain_count": 2
    });
    assert_eq!(json["hosts"][0], first);
    assert!(json["hosts"][2]["silent_seconds"].as_u64().unwrap() >= 60, "{json}");
    let last = &json["hosts"][3];
    assert_eq!((&last["state"], &last["silent_seconds"]), (&json!("silent"), &Value::Null));

    let found = parsed(&host.ask("GET", "/xend/host?q=N2", JSON));
    assert_eq!((names(&found, "hosts"), &found["total"]), (vec!["xen2".to_owned()], &json!(1)));
    for (query, parameter) in [("page=0", "page"), ("detail=maybe", "detail"), ("hots=1", "hots")] {
        let refused = host.ask("GET", &format!("/xend/host?{query}"), JSON);
        assert_eq!((refused.code, &parsed(&refused)["parameter"]), (422, &json!(parameter)));
    }
    for method in ["POST", "PUT"] {
        let refused = host.ask(method, "/xend/host", JSON);
        assert_eq!((refused.code, refused.header("allow")), (405, Some("GET, HEAD")), "{method}");
    }
    assert_eq!(host.ask("POST", "/xend/host", SXP).status(), "501 Not implemented");
    let head = host.ask("HEAD", "/xend/host", SXP);
    assert_eq!((head.code, head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), Some("21"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_hosts_has_totals_states_and_links() {
    let host = FleetHost::of(fleet()).await;
    let page = host.ask("GET", "/xend/host", NAVIGATION).text();
    for part in [
        r#"<a href="/xend/host" aria-current="page">Hosts</a>"#,
        r#"<a href="/xend/host/xen1">xen1 (this host)</a>"#,
        r#"<a href="/xend/host/xen2">xen2</a>"#,
        r#"<span class="badge alive">alive</span>"#,
        r#"<span class="badge silent">silent</span>"#,
        r#"data-label="Silent for">1 min<"#,
        r#"data-label="Silent for">unknown<"#,
        r#"<th scope="row">Hosts</th><td>4, 2 silent</td>"#,
        r#"<th scope="row">Domains</th><td>7</td>"#,
        r#"<th scope="row">Memory</th><td>10 GiB</td>"#,
        "san, tank",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains("stale"), "{page}");
    let found = host.ask("GET", "/xend/host?q=xen2", NAVIGATION).text();
    assert!(found.contains("/xend/host/xen2") && !found.contains("/xend/host/xen3"), "{found}");
    let wrong = host.ask("GET", "/xend/host?page=x", NAVIGATION);
    assert_eq!((wrong.code, wrong.text().contains("Invalid value for page")), (422, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_has_its_facts_and_domains() {
    let host = FleetHost::of(fleet()).await;
    let text = host.sxp("/xend/host/xen2").text();
    let begin = "(host (name xen2) (uuid 00000000-0000-0000-0000-000000000002) (state alive)";
    assert!(text.starts_with(begin), "{text}");
    let domain = "(domain (name web10) (uuid 00000000-0000-0000-0000-000000000021) (domid 7) \
                  (state running) (memory 128) (vcpus 2) (start_time 1700000000.0) (age ";
    assert!(text.contains(domain), "{text}");
    let all = host.sxp("/xend/host/xen2").sxp();
    let domains = all.as_list().unwrap().iter().filter(|item| item.head() == Some("domain"));
    let domains: Vec<&str> = domains.map(|domain| value(domain, "name")).collect();
    assert_eq!(domains, [ODD_NAME, "web10", "web2"]);
    let silent = host.sxp("/xend/host/xen3").sxp();
    let domain = silent.get("domain").unwrap();
    assert!(domain.value("domid").is_none() && domain.value("start_time").is_none(), "{domain}");
    assert_eq!((value(domain, "state"), value(domain, "stale")), ("halted", "1"));

    let json = parsed(&host.ask("GET", "/xend/host/xen2", JSON));
    assert_eq!(
        (&json["name"], &json["is_own"], &json["total"]),
        (&json!("xen2"), &json!(false), &json!(3))
    );
    assert_eq!(names(&json, "domains"), [ODD_NAME, "web2", "web10"]);
    let mut last = json["domains"][2].clone();
    assert!(last.as_object_mut().unwrap().remove("age_seconds").unwrap().is_u64());
    let expected = json!({
        "name": "web10",
        "uuid": "00000000-0000-0000-0000-000000000021",
        "host": "xen2",
        "domid": 7,
        "state": "running",
        "memory_mib": 128,
        "vcpus": 2,
        "started_at": "2023-11-14T22:13:20Z",
        "is_stale": false
    });
    assert_eq!(last, expected);
    let found = parsed(&host.ask("GET", "/xend/host/xen2?q=WEB1", JSON));
    assert_eq!((names(&found, "domains"), &found["total"]), (vec!["web10".to_owned()], &json!(1)));

    let page = host.ask("GET", "/xend/host/xen2", NAVIGATION).text();
    assert!(page.contains("&lt;b&gt;&quot;&amp;' x") && !page.contains("<b>"), "{page}");
    for path in ["web2", "%3Cb%3E%22%26%27%20x"] {
        assert!(page.contains(&format!(r#"<a href="/xend/host/xen2/domain/{path}">"#)), "{page}");
    }
    assert!(page.contains(r#"<a href="/xend/host" aria-current="true">"#), "{page}");
    let own = host.ask("GET", "/xend/host/xen1", NAVIGATION).text();
    assert!(own.contains(r#"<a href="/xend/domain/web1">web1</a>"#), "{own}");
    assert!(own.contains("This host, as it has told etcd."), "{own}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_no_member_is_not_found() {
    let host = FleetHost::of(fleet()).await;
    for name in ["xen9", "XEN1", "..", "%3Cb%3E", "-x"] {
        let target = format!("/xend/host/{name}");
        let missing = host.sxp(&target);
        assert_eq!(missing.status(), "404 Not found", "{name}");
        assert!(missing.text().starts_with("No such host "), "{missing:?}");
        let missing = host.ask("GET", &target, JSON);
        assert_eq!((missing.code, &parsed(&missing)["code"]), (404, &json!("no_such_object")));
        let page = host.ask("GET", &target, NAVIGATION);
        assert!(page.code == 404 && !page.text().contains("<b>"), "{page:?}");
    }
    assert_eq!(host.sxp("/xend/host/xen9").text(), "No such host xen9");
    // The part of a path that is unknown is named.
    assert_eq!(host.sxp("/xend/host/xen1/domains").text(), "Not found: domains");
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_hosts_and_old_answers_are_stale() {
    let host = FleetHost::of(fleet()).await;
    let json = parsed(&host.ask("GET", "/xend/host/xen3", JSON));
    assert!(json["age_seconds"].as_u64().unwrap() >= 60, "{json}");
    assert_eq!((&json["is_stale"], &json["domains"][0]["is_stale"]), (&json!(true), &json!(true)));
    let page = host.ask("GET", "/xend/host/xen3", NAVIGATION).text();
    assert!(page.contains("The host has been silent for 1 min: it is off, or cut off"), "{page}");
    let json = parsed(&host.ask("GET", "/xend/host/xen4", JSON));
    assert_eq!((&json["age_seconds"], &json["is_stale"]), (&Value::Null, &json!(true)));
    let page = host.ask("GET", "/xend/host/xen4", NAVIGATION).text();
    assert!(
        page.contains("The host has been silent: it is off") && page.contains("unknown, stale"),
        "{page}"
    );

    let heard = Instant::now() - Duration::from_secs(40);
    let host = FleetHost::of(FleetView { heard, ..fleet() }).await;
    let json = parsed(&host.ask("GET", "/xend/host", JSON));
    assert!(json["age_seconds"].as_u64().unwrap() >= 40, "{json}");
    assert_eq!(json["is_stale"], true);
    let all = host.sxp("/xend/host?detail=1").sxp();
    assert_eq!(value(&all.as_list().unwrap()[0], "stale"), "1");
    for path in ["/xend/host", "/xend/host/xen2"] {
        let page = host.ask("GET", path, NAVIGATION).text();
        assert!(page.contains("etcd was last heard of ") && page.contains(", stale"), "{page}");
    }
}

/// What it has not told is neither nothing nor zero.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_has_joined_and_never_ran_is_unknown() {
    let mut view = fleet();
    let joined = Member {
        relocation: None,
        fingerprint: None,
        version: String::new(),
        hypervisor: String::new(),
        cpus: 0,
        memory_mib: 0,
        storages: Vec::new(),
        epoch: 0,
        ..member(5, Presence::Silent { since: None })
    };
    view.members.insert_mut(host_name("xen5"), joined);
    let host = FleetHost::of(view).await;
    let json = parsed(&host.ask("GET", "/xend/host/xen5", JSON));
    for key in ["version", "hypervisor", "cpus", "memory_mib", "relocation", "fingerprint"] {
        assert_eq!(json[key], Value::Null, "{key}");
    }
    let record = host.sxp("/xend/host/xen5").sxp();
    for key in ["version", "hypervisor", "cpus", "memory"] {
        assert!(record.value(key).is_none(), "{record}");
    }
    let page = host.ask("GET", "/xend/host/xen5", NAVIGATION).text();
    let facts = ["Memory", "CPUs", "Storages", "Migration to", "Certificate", "Hypervisor", "xend"];
    for fact in facts {
        let row = format!(r#"<th scope="row">{fact}</th><td>unknown</td>"#);
        assert!(page.contains(&row), "{fact}: {page}");
    }
    let list = host.ask("GET", "/xend/host?q=xen5", NAVIGATION).text();
    for column in ["Memory", "CPUs", "Storages", "Migration to", "Hypervisor", "xend"] {
        let cell = format!(r#"data-label="{column}">unknown<"#);
        assert!(list.contains(&cell), "{column}: {list}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_etcd_has_said_nothing_the_pages_say_so() {
    let host = FleetHost::without_etcd().await;
    let words = "etcd does not answer at https://etcd1:2379";
    for target in ["/xend/host", "/xend/host/xen1", "/xend/domain?host=all"] {
        let failed = host.ask("GET", target, JSON);
        assert_eq!((failed.code, failed.header("retry-after")), (503, Some("5")), "{target}");
        let problem = parsed(&failed);
        assert_eq!(
            (&problem["code"], &problem["detail"]),
            (&json!("fleet_unknown"), &json!(words))
        );
        let page = host.ask("GET", target, NAVIGATION);
        assert_eq!((page.code, page.text().contains(words)), (503, true), "{page:?}");
    }
    let failed = host.sxp("/xend/host");
    assert_eq!(failed.status(), "500 Request failed: host");
    assert_eq!(failed.text(), format!("(xend.err '{words}')"));
    // This host's own domains are at hand.
    assert_eq!(host.sxp("/xend/domain?host=all").text(), "(Domain-0 web1)");
    assert_eq!(host.ask("GET", "/xend/domain", JSON).code, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn users_see_the_hosts_if_they_may_read_the_host_and_their_own_domains() {
    let host = FleetHost::of(fleet()).await;
    let as_user = |user: &str, target: &str, format: &str| {
        host.ask("GET", target, &format!("X-User: {user}\r\n{format}"))
    };
    let json = parsed(&as_user("reader", "/xend/host", JSON));
    let counts: Vec<_> =
        json["hosts"].as_array().unwrap().iter().map(|it| &it["domain_count"]).collect();
    assert_eq!(counts, [&json!(1), &json!(2), &json!(1), &json!(0)]);
    let json = parsed(&as_user("reader", "/xend/host/xen2", JSON));
    assert_eq!(names(&json, "domains"), ["web2", "web10"]);
    let all = parsed(&as_user("reader", "/xend/domain?host=all&state=all", JSON));
    let all: Vec<_> =
        all.as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert_eq!(all, ["one.db", "web1", "web2", "web10"]);
    let page = as_user("reader", "/xend/host/xen4", NAVIGATION).text();
    assert!(page.contains("No domains.") && !page.contains("lost"), "{page}");
    for (target, text) in [
        ("/xend/host?q=zzz", "No matching hosts."),
        ("/xend/host/xen2?q=zzz", "No matching domains."),
        ("/xend/domain?host=all&q=zzz", "No matching domains."),
    ] {
        let page = as_user("reader", target, NAVIGATION).text();
        assert!(page.contains(text), "{target}: {page}");
    }

    for target in ["/xend/host", "/xend/host/xen1", "/xend/host/xen9", "/xend/domain?host=all"] {
        let refused = as_user("steve", target, JSON);
        assert_eq!(
            (refused.code, &parsed(&refused)["code"]),
            (403, &json!("not_permitted")),
            "{target}"
        );
        let page = as_user("steve", target, NAVIGATION).text();
        assert!(page.contains("needs the right host-facts") && !page.contains("xen2"), "{page}");
    }
    let refused = as_user("steve", "/xend/host", SXP);
    assert_eq!(refused.status(), "500 Request failed: host");
    assert_eq!(as_user("steve", "/xend", SXP).text(), "(ls domain)");
    for path in ["/xend/domain", "/xend/help"] {
        let page = as_user("steve", path, NAVIGATION).text();
        assert!(!page.contains("/xend/host"), "{page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn domains_of_all_hosts_are_filtered_and_sorted() {
    let host = FleetHost::of(fleet()).await;
    let list = |query: &str| {
        let answer = host.ask("GET", &format!("/xend/domain?{query}"), JSON);
        assert_eq!(answer.code, 200, "{query}: {answer:?}");
        let all: Vec<Value> = serde_json::from_slice(&answer.body).unwrap();
        all.iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(list("host=all"), [ODD_NAME, "Domain-0", "lost", "web1", "web2", "web10"]);
    assert_eq!(list("host=xen2"), [ODD_NAME, "web2", "web10"]);
    assert_eq!(list("host=all&state=halted"), ["one.db"]);
    assert_eq!(list("host=all&q=web+id%3E6"), ["web2", "web10"]);
    assert_eq!(list("host=all&state=all&sort=memory&desc=1&q=mem%3E200"), ["one.db"]);
    assert_eq!(list("host=xen2&sort=id&desc=1"), ["web2", ODD_NAME, "web10"]);
    assert!(list("host=all&q=type:HVM").is_empty());
    let stale = parsed(&host.ask("GET", "/xend/domain?host=xen3&state=all", JSON));
    assert_eq!((&stale[0]["host"], &stale[0]["is_stale"]), (&json!("xen3"), &json!(true)));

    for (query, parameter) in
        [("host=xen9", "host"), ("host=all&q=mem%3Ex", "q"), ("host=all&detail=1", "detail")]
    {
        let refused = host.ask("GET", &format!("/xend/domain?{query}"), JSON);
        assert_eq!((refused.code, &parsed(&refused)["parameter"]), (422, &json!(parameter)));
    }
    let page = host.ask("GET", "/xend/domain?host=all", NAVIGATION).text();
    for part in [
        r#"<a href="/xend/domain/web1">web1</a>"#,
        r#"<a href="/xend/host/xen2/domain/web2">web2</a>"#,
        r#"<th scope="row">lost</th>"#,
        r#"<a href="/xend/host/xen2">xen2</a>"#,
        "unknown, stale",
        "&lt;b&gt;",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains("<b>"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_domains_are_in_parts() {
    let mut view = fleet();
    for n in 0..1000 {
        let key = (host_name("xen1"), Uuid::from_u128(0x1000 + n));
        let domain = summary(&format!("customer-{n}"), u32::try_from(n).unwrap() + 100);
        view.domains.insert_mut(key, Arc::new(domain));
    }
    for n in 10..210 {
        view.members.insert_mut(host_name(&format!("rack-{n}")), member(9, Presence::Alive));
    }
    let host = FleetHost::of(view).await;
    for target in ["/xend/host/xen1", "/xend/host/xen1?page=3", "/xend/domain?host=all"] {
        let page = host.ask("GET", target, NAVIGATION);
        assert!(page.body.len() < 60_000, "{target}: {}", page.body.len());
        assert!(page.text().contains(r#"rel="next""#), "{target}");
    }
    let last = parsed(&host.ask("GET", "/xend/host/xen1?page=11", JSON));
    assert_eq!(
        (names(&last, "domains"), &last["total"]),
        (vec!["Domain-0".into(), "web1".into()], &json!(1002))
    );
    let hosts = parsed(&host.ask("GET", "/xend/host?page=3", JSON));
    assert_eq!((names(&hosts, "hosts").len(), &hosts["total"]), (4, &json!(204)));
}

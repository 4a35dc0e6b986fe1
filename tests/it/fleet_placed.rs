//! New domains of a fleet: on the host that a client names, or on the one that suits best.

use crate::fleet_peers_support::{PeerHost, publish};
use crate::fleet_support::Lab;
use crate::http_accounts_support::JSON;
use crate::http_json_support::parsed;
use crate::http_support::Answer;
use serde_json::json;
use std::time::{Duration, Instant};
use xend::core::model::Uuid;
use xend::fleet::{HostRecord, Kv as _, ViewRecord};

const SXP: &str = "Accept: application/sxp\r\n";

/// Three hosts that have told what they have, with one storage each. The largest is xen2.
async fn three_hosts() -> (Lab, [PeerHost; 3]) {
    let lab = Lab::new().await;
    let mut hosts = Vec::new();
    for (name, memory_mib) in [("xen1", 1000), ("xen2", 4000), ("xen3", 2000)] {
        hosts.push(PeerHost::start(&lab, name).await);
        tell(&lab, name, |record| {
            record.epoch = 1;
            record.facts.memory_mib = memory_mib;
            record.facts.cpus = 4;
            record.facts.storages = vec![format!("of-{name}")];
        })
        .await;
    }
    let hosts = hosts.try_into().unwrap_or_else(|_| panic!("three hosts"));
    (lab, hosts)
}

/// Changes what a host says of itself.
async fn tell(lab: &Lab, name: &str, change: impl FnOnce(&mut HostRecord)) {
    let key = lab.keys.host(&name.parse().unwrap());
    let mut record = HostRecord::decode(&lab.kv.get(&key).await.unwrap().unwrap().value).unwrap();
    change(&mut record);
    lab.put(key, record.encode()).await;
}

fn form(op: &str, name: &str, more: &str, host: &str) -> String {
    format!(
        "op={op}&host={host}&config=(vm (name {name}) (memory 64){more} (image (linux (kernel /k))))"
    )
}

/// Asks until the answer has these words: what is known of a fleet follows etcd by a moment.
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

fn header<'a>(answer: &'a Answer, wanted: &str) -> Option<&'a str> {
    let found = answer.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
    found.map(|(_, value)| value.as_str())
}

fn host_of(answer: &Answer) -> &str {
    header(answer, "x-xend-host").unwrap_or_else(|| panic!("{answer:?}"))
}

fn has(host: &PeerHost, domain: &str) -> bool {
    host.get(&format!("/xend/domain/{domain}"), SXP).code == 200
}

#[tokio::test(flavor = "multi_thread")]
async fn a_domain_is_created_where_it_suits_best_and_the_answer_says_where() {
    let (_lab, [xen1, xen2, xen3]) = three_hosts().await;
    let created = xen1.post("/xend/domain", SXP, &form("create", "new1", "", "auto"));
    assert_eq!((created.status().as_str(), host_of(&created)), ("201 created", "xen2"));
    let location = "http://front:8000/xend/host/xen2/domain/new1";
    assert_eq!(header(&created, "location"), Some(location));
    assert!(created.text().contains("(name new1)"), "{created:?}");
    assert_eq!([&xen1, &xen2, &xen3].map(|host| has(host, "new1")), [false, true, false]);
    assert_eq!(xen2.authors(), ["unix uid 0 through xen1"]);
    let defined = xen3.post("/xend/domain", SXP, &form("new", "new2", "", "auto"));
    assert_eq!((defined.code, defined.text().as_str(), host_of(&defined)), (200, "", "xen2"));
    assert!(has(&xen2, "new2"));
    // The best one may be the host that is asked.
    let here = xen2.post("/xend/domain", SXP, &form("create", "new3", "", "auto"));
    assert_eq!((here.code, host_of(&here)), (201, "xen2"));
    assert_eq!(header(&here, "location"), Some("http://front:8000/xend/domain/new3"));
    let body = json!({
        "op": "create",
        "host": "auto",
        "config": {"name": "new4", "memory_mib": 64, "image": {"type": "linux", "kernel": "/k"}}
    });
    let as_json = format!("Content-Type: application/json\r\n{JSON}");
    let created = xen1.ask("POST", "/xend/domain", &as_json, &body.to_string());
    assert_eq!((created.code, host_of(&created)), (201, "xen2"), "{created:?}");
    assert_eq!(parsed(&created)["name"], "new4");
    assert!(has(&xen2, "new4"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_can_name_the_host() {
    let (_lab, [xen1, xen2, xen3]) = three_hosts().await;
    let defined = xen1.post("/xend/domain", JSON, &form("new", "new1", "", "xen3"));
    assert_eq!((defined.code, host_of(&defined)), (204, "xen3"), "{defined:?}");
    assert!(has(&xen3, "new1"));
    let own = xen1.post("/xend/domain", SXP, &form("create", "new2", "", "xen1"));
    assert_eq!((own.code, host_of(&own)), (201, "xen1"));
    assert!(has(&xen1, "new2"));
    // A failure is there, too.
    let twice = xen1.post("/xend/domain", SXP, &form("create", "web1", "", "xen2"));
    assert_eq!((twice.code, host_of(&twice)), (500, "xen2"), "{twice:?}");
    for host in ["xen9", "a/b", "all"] {
        let refused = xen1.post("/xend/domain", JSON, &form("new", "new3", "", host));
        let problem = parsed(&refused);
        assert_eq!((refused.code, &problem["parameter"]), (422, &json!("host")), "{problem}");
        let words = format!("Invalid value for host: there is no host {host:?} in the fleet");
        assert!(problem["detail"].as_str().unwrap().starts_with(&words), "{problem}");
    }
    // An empty field is none, and so is a missing one.
    for request in
        [form("create", "new4", "", ""), form("create", "new5", "", "").replace("host=", "x=")]
    {
        let answer = xen1.post("/xend/domain", SXP, &request);
        assert_eq!((answer.code, header(&answer, "x-xend-host")), (201, None));
    }
    assert!(has(&xen1, "new4") && has(&xen1, "new5") && xen2.authors().len() == 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_domain_needs_is_in_its_configuration() {
    let (lab, [xen1, xen2, xen3]) = three_hosts().await;
    let on = |name: &str, more: &str| {
        let answer = xen1.post("/xend/domain", SXP, &form("new", name, more, "auto"));
        assert_eq!(answer.code, 200, "{answer:?}");
        host_of(&answer).to_owned()
    };
    assert_eq!(on("new1", " (fleet_storages of-xen3)"), "xen3");
    assert_eq!(on("new2", " (fleet_hosts xen1 xen3)"), "xen3");
    let record = ViewRecord {
        name: "db1".to_owned(),
        domid: None,
        state: "halted".to_owned(),
        memory_mib: 32,
        vcpus: 1,
        started: None,
        apart: vec!["db".to_owned()],
    };
    let key = lab.keys.view(&"xen2".parse().unwrap(), Uuid::from_u128(7));
    lab.put(key, record.encode()).await;
    until_it_says("db1", || xen1.get("/xend/host/xen2", SXP));
    assert_eq!(on("db2", " (fleet_apart db)"), "xen3");
    assert!(xen3.get("/xend/domain/db2", SXP).text().contains("(fleet_apart db)"));
    // A domain that a host has goes to that host, however little it has.
    publish(&lab, "xen1", "mail", Uuid::from_u128(8)).await;
    until_it_says("mail", || xen1.get("/xend/host/xen1", SXP));
    assert_eq!(on("mail", ""), "xen1");
    // In JSON they are settings.
    let body = json!({
        "op": "new",
        "host": "auto",
        "config": {"name": "new3", "memory_mib": 64, "settings": {"fleet_hosts": ["xen3"]}}
    });
    let as_json = format!("Content-Type: application/json\r\n{JSON}");
    let defined = xen1.ask("POST", "/xend/domain", &as_json, &body.to_string());
    assert_eq!((defined.code, host_of(&defined)), (204, "xen3"), "{defined:?}");
    let strange = form("new", "new4", " (fleet_hosts '')", "auto");
    let refused = xen1.post("/xend/domain", SXP, &strange);
    let words = "fleet_hosts: up to 16 names of 253 bytes each are expected";
    assert!(refused.code == 500 && refused.text().contains(words), "{refused:?}");
    assert!(!has(&xen2, "new4"));
}

#[tokio::test(flavor = "multi_thread")]
async fn if_no_host_fits_an_operator_is_told_why_of_each() {
    let (_lab, [xen1, xen2, _xen3]) = three_hosts().await;
    let large = form("new", "web5", "", "auto").replace("memory 64", "memory 5000");
    let refused = xen1.post("/xend/domain", JSON, &large);
    let problem = parsed(&refused);
    let words = "No host of the fleet fits: xen1 has 1000 MiB of 5000 MiB free, xen2 has 4000 MiB of \
                 5000 MiB free, xen3 has 2000 MiB of 5000 MiB free";
    assert_eq!((refused.code, &problem["code"]), (409, &json!("no_host")), "{problem}");
    assert_eq!(problem["detail"], words);
    // Old clients know two statuses.
    let refused = xen1.post("/xend/domain", SXP, &large);
    assert_eq!(refused.status(), "500 Request failed: new");
    assert_eq!(refused.text(), format!("(xend.err '{words}')"));
    // Which host is chosen tells of the domains of others.
    let refused = xen1.post("/xend/domain", &format!("X-User: steve\r\n{SXP}"), &large);
    let words = "(xend.err 'Not allowed: host: auto is for operators, name a host')";
    assert_eq!(refused.text(), words);
    // The error of a configuration is that of every request.
    for wrong in ["(memory 0)", "(memory", "(vcpus x)"] {
        let ask = |host: &str| {
            let form = form("create", "new1", "", host).replace("(memory 64)", wrong);
            xen1.post("/xend/domain", SXP, &form)
        };
        let (placed, local) = (ask("auto"), ask(""));
        assert_eq!((placed.status(), placed.text()), (local.status(), local.text()), "{wrong}");
    }
    assert!(xen2.authors().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_has_its_own_rights_there_and_a_request_goes_one_way() {
    let (_lab, [xen1, xen2, _xen3]) = three_hosts().await;
    // On xen2 the account of this name may do everything.
    for (host, words) in [("auto", "auto is for operators"), ("xen2", "create")] {
        let as_reader = format!("X-User: reader\r\n{SXP}");
        let refused = xen1.post("/xend/domain", &as_reader, &form("create", "web5", "", host));
        assert!(refused.code == 500 && refused.text().contains(words), "{refused:?}");
    }
    let as_number = r#"{"op": "new", "host": 5, "config": {"name": "web5", "memory_mib": 64}}"#;
    let json = format!("Content-Type: application/json\r\n{JSON}");
    let refused = xen1.ask("POST", "/xend/domain", &json, as_number);
    assert_eq!((refused.code, &parsed(&refused)["parameter"]), (422, &json!("host")));
    assert!(!has(&xen2, "web5"));
    for (host, words) in [
        ("auto", "A request of the host xen1 is for this host: it chooses no other one"),
        ("xen3", "A request of the host xen1 is not passed on to xen3: ask xen3 itself"),
        ("xen1", "A request of the host xen1 is not passed on to xen1: ask xen1 itself"),
    ] {
        let refused = xen1.post("/xend/host/xen2/domain", JSON, &form("new", "web6", "", host));
        let problem = parsed(&refused);
        assert_eq!((refused.code, &problem["code"]), (508, &json!("loop")), "{problem}");
        assert_eq!(problem["detail"], words);
    }
    let there = xen1.post("/xend/host/xen2/domain", JSON, &form("new", "web6", "", "xen2"));
    assert_eq!(there.code, 204, "{there:?}");
    assert!(has(&xen2, "web6"));
}

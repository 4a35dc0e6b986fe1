//! The list of domains as a page: pages of it, filters, and operations on several domains.

use crate::http_json_support::{get, parsed};
use crate::http_support::{Daemon, Listener, ask, encoded, guest, open_page, send_form};
use serde_json::json;

fn define(daemon: &Daemon, name: &str, memory: u32) {
    let config =
        format!("(vm (name {name}) (memory {memory}) (image (pvh (kernel /boot/vmlinuz))))");
    let answer = daemon.post("/xend/domain", &format!("op=new&config={}", encoded(&config)));
    assert_eq!(answer.code, 200, "{}", answer.text());
}

fn names(page: &str) -> Vec<&str> {
    let rows = page.split("<tr data-name=\"").skip(1);
    rows.map(|row| row.split('"').next().unwrap()).collect()
}

#[test]
fn a_page_has_a_hundred_domains_in_natural_order() {
    let daemon = Daemon::start(&[]);
    for n in 1..=101 {
        define(&daemon, &format!("build{n}"), 64);
    }
    let first = open_page(&daemon, "/xend/domain?state=halted").text();
    assert_eq!(names(&first).len(), 100);
    assert_eq!(names(&first)[..3], ["build1", "build2", "build3"]);
    assert!(first.contains("1–100 of 101") && first.contains(r#"rel="next">Next"#), "{first}");
    let last = open_page(&daemon, "/xend/domain?state=halted&page=2").text();
    assert_eq!(names(&last), ["build101"]);
    assert!(last.contains("101–101 of 101"), "{last}");
    let wrong = open_page(&daemon, "/xend/domain?page=0");
    assert!(wrong.text().contains("page: &#39;0&#39;") || wrong.text().contains("page: '0'"));
    // A page is small, however many domains there are.
    let head = "Host: localhost\r\nUser-Agent: Mozilla/5.0\r\nAccept: text/html\r\n\
                Upgrade-Insecure-Requests: 1\r\nAccept-Encoding: gzip\r\nConnection: close\r\n";
    let request = format!("GET /xend/domain?state=halted HTTP/1.1\r\n{head}\r\n");
    let small = ask(&Listener::Tcp(daemon.tcp), request.as_bytes());
    assert!(small.body.len() < 20_000, "{} bytes", small.body.len());
}

#[test]
fn monitors_of_2006_get_all_lines_and_browsers_get_none() {
    let daemon = Daemon::start(&[]);
    for n in 0..3 {
        daemon.create(&guest(&format!("pv{n}"), ""));
    }
    let head = "Host: localhost\r\nUser-Agent: Python-urllib/2.4\r\nAccept: text/html\r\n";
    let list = |target: &str| {
        let request = format!("GET {target} HTTP/1.1\r\n{head}\r\n");
        ask(&Listener::Tcp(daemon.tcp), request.as_bytes()).text()
    };
    assert_eq!(list("/xend/domain").matches("<li>").count(), 4);
    // The script of a page asks for a page.
    assert_eq!(list("/xend/domain?page=1").matches("<li>").count(), 0);
    assert_eq!(open_page(&daemon, "/xend/domain").text().matches("<li>").count(), 0);
}

#[test]
fn the_list_is_filtered_by_its_columns() {
    let daemon = Daemon::start(&[]);
    define(&daemon, "web1", 64);
    define(&daemon, "web2", 2048);
    define(&daemon, "db", 1024);
    daemon.create(&guest("pv1", ""));
    let list = |q: &str| {
        let page = open_page(&daemon, &format!("/xend/domain?state=all&q={}", encoded(q))).text();
        names(&page).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(list("web"), ["web1", "web2"]);
    assert_eq!(list("state:halted mem>1G name~web"), ["web2"]);
    assert_eq!(list("mem>=1G !name:Domain-0 type:PVH"), ["db", "web2"]);
    assert_eq!(list("device:vif"), ["pv1"]);
    assert_eq!(list("mem > 1024"), ["web2"]);
    assert_eq!(list("!state:halted type:PV !name:Domain-0"), ["pv1"]);
    let page = open_page(&daemon, "/xend/domain?q=mem%3Elots");
    assert_eq!(page.code, 200);
    assert!(page.text().contains("is not a number, write 512M or 2G"), "{}", page.text());
    assert!(names(&page.text()).is_empty());
    let json = "GET /xend/domain?q=mem%3Elots HTTP/1.1\r\nHost: localhost\r\nUser-Agent: x\r\n\
                Accept: application/json\r\n\r\n";
    let problem = ask(&Listener::Tcp(daemon.tcp), json.as_bytes());
    assert!(problem.code == 422 && problem.text().contains("\"q\""), "{}", problem.text());
    let page = open_page(&daemon, "/xend/domain?q=type%3Akvm").text();
    assert!(page.contains("is not a type, did you mean HVM? The types are PV, PVH, HVM"), "{page}");
    // S-expressions know no such filter.
    assert_eq!(daemon.get("/xend/domain?q=mem%3Elots").text(), "(Domain-0 pv1)");
}

#[test]
fn an_operation_on_several_domains_asks_first_and_names_them() {
    let daemon = Daemon::start(&[]);
    for name in ["pv1", "pv2"] {
        daemon.create(&guest(name, ""));
    }
    define(&daemon, "web1", 64);
    let selection = "op=unpause&domain=pv1&domain=pv2&domain=web1&domain=nosuch&domain=pv1";
    let page = open_page(&daemon, &format!("/xend/selection?{selection}")).text();
    assert!(page.contains("<h1>Unpause 2 domains?</h1>"), "{page}");
    assert!(page.contains("web1: it is halted"), "{page}");
    assert!(page.contains("nosuch: there is no such domain"), "{page}");
    assert_eq!(page.matches(r#"type="hidden" name="domain""#).count(), 2, "{page}");
    assert_eq!(daemon.value("pv1", "state"), "--p---", "a question changes nothing");

    let done = send_form(&daemon, "/xend/selection", "op=unpause&domain=pv1&domain=pv2");
    assert_eq!(done.code, 200);
    assert!(done.text().contains("done for 2 domains (pv1, pv2)"), "{}", done.text());
    assert!(!daemon.value("pv1", "state").contains('p'));

    let failed = send_form(&daemon, "/xend/selection", "op=destroy&domain=pv1&domain=web1");
    assert_eq!(failed.code, 409);
    assert!(failed.text().contains("done for 1 domain (pv1)"), "{}", failed.text());
    assert!(failed.text().contains("web1: it is halted"), "{}", failed.text());
    assert!(daemon.domain("pv1").is_none());

    let paused = daemon.create(&guest("pv3", ""));
    assert_eq!(paused.code, 201);
    let asked = send_form(&daemon, "/xend/selection", "op=shutdown&domain=pv2&domain=pv3");
    assert_eq!(asked.code, 409);
    assert!(asked.text().contains("1 domain has been asked to shut down (pv2)"), "{asked:?}");
    assert!(asked.text().contains("pv3: it is paused"), "{asked:?}");
    let running =
        open_page(&daemon, "/xend/selection?op=unpause&domain=pv3&domain=Domain-0").text();
    assert!(running.contains("Unpause 1 domain?") && running.contains("it is the host itself"));

    let unknown = send_form(&daemon, "/xend/selection", "op=rename&domain=pv2");
    assert!(unknown.code == 422 && unknown.text().contains("is not one of"), "{}", unknown.text());
    assert!(
        open_page(&daemon, "/xend/selection?op=pause").text().contains("No domain is selected")
    );
    let none = send_form(&daemon, "/xend/selection", "op=pause");
    assert!(none.code == 422 && none.text().contains("No domain is selected"), "{none:?}");
    assert!(none.text().contains(r#"href="/xend/domain">All domains"#), "{none:?}");
    let odd = send_form(&daemon, "/xend/selection", "op=pause&domain=%fc");
    assert!(odd.code == 422 && odd.text().contains("domain: it is not UTF-8"), "{odd:?}");
    // Programs have the operations of each domain.
    assert_eq!(daemon.post("/xend/selection", "op=pause&domain=pv2").code, 501);
}

#[test]
fn forms_for_people_have_no_json() {
    let daemon = Daemon::start(&[]);
    daemon.create(&guest("pv1", ""));
    for target in [
        "/xend/new",
        "/xend/selection?op=pause&domain=pv1",
        "/xend/saved/confirm?op=delete&file=/nosuch",
        "/xend/domain/pv1/confirm?op=destroy",
    ] {
        let answer = get(&daemon, target, "");
        let problem = parsed(&answer);
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{target}");
        assert_eq!((answer.code, &problem["code"]), (406, &json!("not_acceptable")), "{problem}");
    }
}

//! Users on xend's HTTP interface: what they see and do, and that other domains do not exist for
//! them.

use crate::http_accounts_support::{
    AccountsHost, BROWSER, EventLines, JSON, NAVIGATION, STEVE, account, get, root, steve,
    with_grant,
};
use crate::http_support::{Answer, encoded};
use crate::sim_support::name;
use xend::core::op::DomainOp;
use xend::core::rights::{Limits, Right};
use xend_templates::ASSETS_VERSION;

/// The rows of a list of domains.
fn rows(page: &str) -> Vec<&str> {
    let rows = page.split("<tr data-name=\"").skip(1);
    rows.map(|row| row.split('"').next().unwrap()).collect()
}

/// The operations of the buttons and forms of a page.
fn ops(page: &str) -> Vec<&str> {
    let buttons = page.split(r#"name="op" value=""#).skip(1);
    buttons.filter_map(|rest| rest.split('"').next()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_lists_their_domains_alone() {
    let host = AccountsHost::start().await;
    let text = |target: &str, headers: &str| host.get(target, &format!("{STEVE}{headers}")).text();
    // Twice: the second list is a kept one.
    for _ in 0..2 {
        assert_eq!(text("/xend/domain", ""), "(lj)");
        assert_eq!(text("/xend/domain?state=all", ""), "(lj one.web)");
        assert_eq!(host.get("/xend/domain", "X-User: root\r\n").text(), "(Domain-0 lj secret)");
        let details = text("/xend/domain?detail=1", "");
        assert!(details.contains("(name lj)") && !details.contains("secret"), "{details}");
        let all = host.get("/xend/domain?detail=1", "X-User: root\r\n").text();
        assert!(all.contains("(name secret)"), "{all}");
    }
    let names = |query: &str| -> Vec<String> {
        let list = text(&format!("/xend/domain?state={query}"), JSON);
        let list: Vec<serde_json::Value> = serde_json::from_str(&list).unwrap();
        list.iter().map(|domain| domain["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names("all"), ["lj", "one.web"]);
    assert_eq!(names("halted"), ["one.web"]);
    let listed = host.post("/xend/domain", STEVE, "op=list").text();
    assert!(listed.contains("(name lj)") && !listed.contains("secret"), "{listed}");
    let page = text("/xend/domain?state=all", BROWSER);
    assert_eq!(rows(&page), ["lj", "one.web"]);
    assert!(page.contains("All (2)") && page.contains("On the host (1)"), "{page}");
    assert!(!page.contains("secret") && !page.contains("parked") && !page.contains("Domain-0"));
    assert_eq!(text("/xend", ""), "(ls domain)");
    // The account gets another domain while the user is at work.
    let more = with_grant(steve(), "secret", &[Right::See]);
    host.accounts.replace(vec![more, root()], None);
    assert_eq!(text("/xend/domain", ""), "(lj secret)");
}

/// The answer without the date, and without the name of the domain, which can be a number.
fn anonymous(answer: &Answer, name: &str) -> (String, Vec<(String, String)>, String) {
    let without_name = |text: &str| {
        // A domid is also found in the version of the files that pages refer to.
        let text = text.replace(&**ASSETS_VERSION, "VERSION");
        ["/", " ", ">"].iter().fold(text, |text, before| {
            text.replace(&format!("{before}{name}"), &format!("{before}NAME"))
        })
    };
    let mut headers = answer.headers.clone();
    headers.retain(|(name, _)| name != "date");
    for (_, value) in &mut headers {
        *value = without_name(value);
    }
    (without_name(&answer.status()), headers, without_name(&answer.text()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_domain_answers_as_a_missing_one() {
    let host = AccountsHost::start().await;
    let snapshot = host.engine.view(&xend::core::caller::Caller::internal()).snapshot();
    let secret = snapshot.domains().find(|view| view.name().as_str() == "secret").unwrap();
    let uuid = secret.uuid.to_string();
    let missing_uuid = uuid.replace(|c: char| c.is_ascii_hexdigit(), "a");
    let domid = secret.domid().unwrap().0;
    let pairs = [
        ("secret".to_owned(), "absent".to_owned()),
        ("parked".to_owned(), "absent".to_owned()),
        (uuid, missing_uuid),
        (domid.to_string(), (domid + 1).to_string()),
    ];
    assert!(domid < 9, "the missing domid has as many digits");
    let pages = [
        "",
        "?op=vcpuinfo",
        "/console",
        "/config",
        "/confirm?op=destroy",
        "/confirm?op=nosuch",
        "/nosuch",
        "/a/b",
    ];
    let forms = [
        "op=pause",
        "op=destroy",
        "op=shutdown&reason=poweroff",
        "op=rename&name=other",
        "op=rename",
        "op=save&file=/tmp/x",
        "op=dump&file=relative",
        "op=mem_target_set&target=65",
        "op=device_create&config=(vbd)",
        "op=devices&type=vbd",
        "op=pincpu&vcpu=0&cpumap=0",
        "op=cpu_sedf_get",
        "op=migrate&destination=x",
        "op=cancel",
        "op=agent_version",
        "op=set_password&password=",
        "op=reset_network&address=10.0.0.1/8&vif=7",
        "op=delete",
        "op=nosuch",
        "",
    ];
    for (foreign, missing) in &pairs {
        for headers in ["", JSON, BROWSER, NAVIGATION] {
            let headers = format!("{STEVE}{headers}");
            for page in pages {
                let of = |name: &str| {
                    let answer = host.get(&format!("/xend/domain/{name}{page}"), &headers);
                    anonymous(&answer, name)
                };
                let of_foreign = of(foreign);
                assert_eq!(of_foreign, of(missing), "{page} {headers}");
                assert!(of_foreign.0.starts_with("404 "), "{of_foreign:?}");
            }
            for form in forms {
                let of = |name: &str| {
                    let answer = host.post(&format!("/xend/domain/{name}"), &headers, form);
                    anonymous(&answer, name)
                };
                let of_foreign = of(foreign);
                assert_eq!(of_foreign, of(missing), "{form} {headers}");
                assert!(of_foreign.0.starts_with("404 "), "{of_foreign:?}");
            }
            for query in ["", "&after=00000000-1", "&figures=1"] {
                let of = |name: &str| {
                    let answer = host.get(&format!("/xend/events?domain={name}{query}"), &headers);
                    anonymous(&answer, name)
                };
                assert_eq!(of(foreign), of(missing), "{query} {headers}");
                assert!(of(foreign).0.starts_with("404 "));
            }
        }
    }
    // Nothing has happened to it.
    let now = host.engine.view(&xend::core::caller::Caller::internal()).snapshot();
    assert_eq!(now.by_uuid(&secret.uuid).unwrap().state(), secret.state());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_offers_what_the_user_may_do() {
    let host = AccountsHost::start().await;
    let page = |target: &str| host.get(target, &format!("{STEVE}{BROWSER}")).text();
    let domain = page("/xend/domain/lj");
    let offered = ops(&domain);
    for op in ["pause", "shutdown", "destroy", "reset", "sysrq", "vcpuinfo", "devices"] {
        assert!(offered.contains(&op), "{op} in {offered:?}");
    }
    let refused = [
        "rename",
        "save",
        "dump",
        "migrate",
        "suspend",
        "mem_target_set",
        "maxmem_set",
        "set_vcpus",
        "pincpu",
        "cpu_sedf_set",
        "domain_sched_credit_set",
        "device_create",
        "device_configure",
        "device_destroy",
        "agent_version",
        "set_password",
        "inject_file",
        "reset_network",
    ];
    for op in refused {
        assert!(!offered.contains(&op), "{op} in {offered:?}");
    }
    assert!(!domain.contains(r#"aria-label="Console""#), "no right to the console");
    let list = page("/xend/domain?state=all");
    assert_eq!(ops(&list), ["pause", "start"]);
    for link in ["/xend/new", "/xend/node", "/xend/vnet", "/xend/logout"] {
        assert!(!list.contains(link), "{link} in {list}");
    }
    assert!(list.contains(r#"<div class="user"><span>steve</span></div>"#), "{list}");
    let help = page("/xend/help");
    assert!(help.contains("<code>pause</code>") && help.contains("/xend/domain/{domain}/config"));
    for foreign in ["/xend/node", "/xend/vnet", "/xend/new", "<code>restore</code>", "/console"] {
        assert!(!help.contains(foreign), "{foreign} in {help}");
    }
    // More rights, more forms; files only within directories of the account.
    let all = Right::ALL.map(|right| right);
    let mut ann = account("steve", "a", &all);
    host.accounts.replace(vec![ann.clone()], None);
    let offered_to_all = page("/xend/domain/lj");
    let offered = ops(&offered_to_all);
    for op in ["rename", "suspend", "device_create", "maxmem_set", "migrate", "set_password"] {
        assert!(offered.contains(&op), "{op} in {offered:?}");
    }
    assert!(!offered.contains(&"set_vcpus"), "a guest with one VCPU uses it");
    assert!(!offered.contains(&"save") && !offered.contains(&"pincpu"), "{offered:?}");
    assert!(offered_to_all.contains(r#"aria-label="Console""#));
    assert_eq!(ops(&page("/xend/new")), ["create", "preview", "create", "new"]);
    let node = page("/xend/node");
    assert!(node.contains("lj") && !node.contains("secret") && !node.contains("dmesg"), "{node}");
    let networks = page("/xend/vnet");
    assert!(networks.contains("No virtual networks") && ops(&networks).is_empty(), "{networks}");
    ann.access.limits = Limits { files: vec!["/srv/ann".into()], ..Limits::default() };
    host.accounts.replace(vec![ann], None);
    assert!(ops(&page("/xend/domain/lj")).contains(&"save"));
    assert!(ops(&page("/xend/new")).contains(&"restore"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_does_what_the_account_allows() {
    let host = AccountsHost::start().await;
    let post = |form: &str| host.post("/xend/domain/lj", STEVE, form);
    assert_eq!(post("op=pause").status(), "200 OK");
    assert_eq!(post("op=unpause").status(), "200 OK");
    for (form, phrase, reason) in [
        ("op=rename&name=one.x", "rename", "rename needs the right configure on lj"),
        ("op=save&file=/tmp/x", "save", "file: /tmp/x is in no directory for files"),
        ("op=pincpu&vcpu=0&cpumap=0", "pincpu", "is for operators of the host"),
        ("op=agent_version", "agent_version", "agent_version needs the right guest on lj"),
        ("op=set_password&password=x", "set_password", "set_password needs the right guest on lj"),
    ] {
        let answer = post(form);
        assert_eq!(answer.status(), format!("500 Request failed: {phrase}"));
        assert!(answer.text().starts_with("(xend.err '"), "{answer:?}");
        assert!(answer.text().contains(reason), "{answer:?}");
    }
    let page = host.post("/xend/domain/lj", &format!("{STEVE}{BROWSER}"), "op=rename&name=x");
    assert!(page.text().contains("An operator of the host can give the account this right."));
    // A page that asks before data is lost asks nobody who may not.
    let confirm = "/xend/domain/one.web/confirm?op=delete";
    let refusal = host.get(confirm, &format!("{STEVE}{BROWSER}"));
    assert!(refusal.text().contains("Delete needs the right create on one.web"), "{refusal:?}");
    for (target, reason) in [
        ("/xend/new", "new needs the right create"),
        ("/xend/node", "the host needs the right host-facts"),
        ("/xend/node/dmesg", "dmesg is for operators of the host"),
        ("/xend/node/log", "log is for operators of the host"),
        ("/xend/node/user", "accounts is for operators of the host"),
        ("/xend/node/storage", "storage needs the right host-facts"),
        ("/xend/node/storage/1", "storage needs the right host-facts"),
        ("/xend/node/network", "interfaces needs the right host-facts"),
        ("/xend/node/pool", "pools needs the right host-facts"),
        ("/xend/node/pci", "hardware needs the right host-facts"),
        ("/xend/saved", "saved domains needs the right create"),
        ("/xend/vnet", "vnets needs the right host-facts"),
        ("/xend/vnet/1", "vnets needs the right host-facts"),
        ("/xend/domain/lj/console", "console needs the right console on lj"),
    ] {
        let answer = host.get(target, STEVE);
        assert!(answer.code == 500 && answer.text().contains(reason), "{target}: {answer:?}");
        let page = host.get(target, &format!("{STEVE}{NAVIGATION}"));
        let is_of_xend = ["/xend/node", "/xend/node/dmesg", "/xend/node/log", "/xend/vnet"]
            .contains(&target)
            || target == "/xend/vnet/1";
        assert_eq!(page.code, if is_of_xend { 500 } else { 403 }, "{target}: {page:?}");
        let can_be_given = reason.contains("needs the right");
        let hint = page.text().contains("can give the account this");
        assert_eq!(hint, can_be_given, "{target}: {page:?}");
        let needed = reason.split_once(" needs ").map(|(_, right)| format!("needs {right}"));
        let needed = needed.unwrap_or_else(|| "is for operators of the host".to_owned());
        assert!(page.text().contains(&format!("This page {needed}")), "{page:?}");
    }
    let config = encoded("(vm (name one.new) (memory 64) (image (linux (kernel /boot/vmlinuz))))");
    for form in [format!("op=create&config={config}"), format!("op=new&config={config}")] {
        let answer = host.post("/xend/domain", STEVE, &form);
        assert!(answer.text().contains("needs the right create"), "{answer:?}");
    }
    for (target, form) in [
        ("/xend/node", "op=shutdown"),
        ("/xend/node/dmesg", "op=clear"),
        ("/xend/node/storage", "op=create&size=1"),
        ("/xend/node/storage/upload", "data"),
        ("/xend/saved", "op=delete&file=/a"),
        ("/xend/vnet", "op=create&config=(vnet (id 1))"),
        ("/xend/vnet/1", "op=delete"),
    ] {
        assert_eq!(host.post(target, STEVE, form).code, 500, "{target} {form}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_and_history_are_of_the_users_domains() {
    let host = AccountsHost::start().await;
    // What a guest reports comes at any time.
    let next = |events: &mut EventLines| loop {
        let event = events.next().unwrap();
        if event["kind"] != "guest" {
            return event;
        }
    };
    let mut events = host.events("", STEVE);
    let first = next(&mut events);
    assert_eq!(first["kind"], "listening");
    // More foreign events than a stream reads at a time.
    for _ in 0..50 {
        host.change("secret", DomainOp::Pause).await;
        host.change("secret", DomainOp::Unpause).await;
    }
    host.change("lj", DomainOp::Pause).await;
    let state = next(&mut events);
    assert_eq!((&state["kind"], &state["domain"]), (&"state".into(), &"lj".into()));
    let done = next(&mut events);
    assert_eq!((&done["kind"], &done["caller"]), (&"done".into(), &"an operator".into()));
    drop(events);
    // A client that reconnects misses nothing, and its ids tell nothing.
    let id = |event: &serde_json::Value| event["id"].as_str().unwrap().to_owned();
    for event in [&first, &state, &done] {
        assert!(id(event).len() == 32 && !id(event).contains('-'), "{event}");
    }
    let mut again = host.events(&format!("?after={}", id(&first)), STEVE);
    assert_eq!(next(&mut again)["kind"], "state");
    let mut again = host.events("", &format!("{STEVE}Last-Event-ID: {}\r\n", id(&state)));
    assert_eq!(next(&mut again)["kind"], "done");
    host.change("secret", DomainOp::Pause).await;
    host.change("lj", DomainOp::Unpause).await;
    let state = next(&mut again);
    assert_eq!((&state["kind"], &state["domain"]), (&"state".into(), &"lj".into()));
    for made_up in ["00000000-1", &"0".repeat(32)] {
        let mut lost = host.events(&format!("?after={made_up}"), STEVE);
        assert_eq!(next(&mut lost)["kind"], "lost", "{made_up}");
    }
    // A gone domain of the user is still found by a client that reconnects.
    host.change("one.web", DomainOp::Delete).await;
    let mut gone = host.events(&format!("?domain=one.web&after={}", id(&first)), STEVE);
    assert_eq!(next(&mut gone)["kind"], "gone");
    let page = host.get("/xend/domain/lj", &format!("{STEVE}{BROWSER}")).text();
    assert!(page.contains("an operator") && !page.contains("internal"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rename_to_a_foreign_name_looks_like_the_end_of_the_domain() {
    let host = AccountsHost::start().await;
    let mut events = host.events("", STEVE);
    let id = events.next().unwrap()["id"].as_str().unwrap().to_owned();
    host.change("one.web", DomainOp::Rename(name("taken"))).await;
    let gone = events.next().unwrap();
    assert_eq!((&gone["kind"], &gone["domain"]), (&"gone".into(), &"one.web".into()));
    let find = |name: &str| host.get(&format!("/xend/events?domain={name}&after={id}"), STEVE);
    assert_eq!(find("taken").status(), "404 Not found");
    assert_eq!(host.get("/xend/domain/taken", STEVE).status(), "404 Not found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_with_the_account() {
    let host = AccountsHost::start().await;
    let mut events = host.events("", STEVE);
    assert_eq!(events.next().unwrap()["kind"], "listening");
    host.accounts.replace(vec![account("steve", "another", &[Right::Power])], None);
    host.change("lj", DomainOp::Pause).await;
    assert_eq!(events.next(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_has_a_bound_of_streams() {
    let host = AccountsHost::start().await;
    let streams: Vec<_> = (0..20).map(|_| host.events("", STEVE)).collect();
    let refused = host.get("/xend/events", STEVE);
    assert_eq!(refused.code, 503);
    assert!(refused.text().starts_with("There are 20 event streams already"), "{refused:?}");
    let mut of_root = host.events("", "X-User: root\r\n");
    assert_eq!(of_root.next().unwrap()["kind"], "listening");
    drop(streams);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_with_an_account_sees_everything() {
    let host = AccountsHost::start().await;
    let headers = format!("X-User: root\r\n{BROWSER}");
    let list = host.get("/xend/domain?state=all", &headers).text();
    assert_eq!(rows(&list), ["Domain-0", "lj", "one.web", "parked", "secret"]);
    assert!(list.contains("<span>root</span>") && list.contains("/xend/node"), "{list}");
    for page in ["/xend/node", "/xend/node/dmesg", "/xend/node/log", "/xend/vnet", "/xend/new"] {
        assert_eq!(host.get(page, &headers).code, 200, "{page}");
    }
    let users = host.get("/xend/node/user", "X-User: root\r\nAccept: application/json\r\n").text();
    assert!(
        users.contains(r#""name":"steve""#) && users.contains(r#""rights":["power"]"#),
        "{users}"
    );
    assert!(!users.contains("hash") && !users.contains(r#":"a""#), "{users}");
    let event = host.events("", "X-User: root\r\n").next().unwrap();
    assert!(event["id"].as_str().unwrap().contains('-'), "{event}");
}

/// The commands of the reference name the account, where its password is needed.
#[tokio::test(flavor = "multi_thread")]
async fn the_reference_has_commands_for_the_account() {
    let host = AccountsHost::start().await;
    let line = "curl -u steve -H &#39;Accept: application/sxp&#39; -d op=pause";
    let page = host.get("/xend/help", &format!("{NAVIGATION}{STEVE}")).text();
    assert!(page.contains(&line.replace("&#39;", "'")) || page.contains(line), "{page}");
    let text = host.get("/xend/help", STEVE).text();
    assert!(text.contains("curl -u steve -H") && !text.contains("curl -H"), "{text}");
    let trusted = get(&host.trusting, "/xend/help", STEVE).text();
    assert!(trusted.contains("curl -H") && !trusted.contains("curl -u"), "{trusted}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_refused_on_a_listener_without_accounts() {
    let host = AccountsHost::start().await;
    for target in ["/", "/xend/domain", "/xend/domain/lj", "/xend/login", "/nosuch"] {
        let answer = get(&host.trusting, target, "");
        assert_eq!(answer.status(), "403 Forbidden: become root, or see xend-trusted-users");
        let text = answer.text();
        assert!(text.starts_with("(xend.err '") && text.contains("xend-trusted-users"), "{text}");
        let json = get(&host.trusting, target, JSON).text();
        assert!(json.contains(r#""status":403,"detail":"You are not known"#), "{json}");
        let page = get(&host.trusting, target, NAVIGATION).text();
        assert!(page.contains("<h1>You are not known here</h1>"), "{page}");
        assert!(!page.contains("aria-label=\"Main\""), "{page}");
        let text = get(&host.trusting, target, "User-Agent: curl/8\r\nAccept: */*\r\n").text();
        assert!(text.starts_with("You are not known"), "{text}");
    }
    assert_eq!(get(&host.trusting, "/xend/domain", STEVE).text(), "(lj)");
    // The account of a connection is revoked.
    let steve = host.accounts.get("steve").unwrap();
    host.accounts.replace(vec![], None);
    assert!(steve.is_revoked());
    let style = get(&host.trusting, "/xend/assets/0/style.css", "");
    assert_eq!(style.code, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_form_offers_what_the_account_may_use() {
    let host = AccountsHost::start().await;
    let page = || host.get("/xend/new", &format!("{STEVE}{BROWSER}")).text();
    let mut steve = account("steve", "a", &Right::ALL);
    let bridges = vec!["customers".to_owned(), r#"a "b"#.to_owned()];
    steve.access.limits = Limits { bridges, ..Limits::default() };
    host.accounts.replace(vec![steve.clone()], None);
    let form = page();
    assert!(form.contains(r#"<option value="customers">customers</option>"#), "{form}");
    assert!(form.contains(r#"value="a &quot;b""#) && !form.contains("xenbr0"), "{form}");
    steve.access.limits = Limits::default();
    host.accounts.replace(vec![steve], None);
    let form = page();
    assert!(form.contains(r#"<option value="" selected>No network</option>"#), "{form}");
    assert!(!form.contains(r#"<input type="text" name="bridge""#), "it has no bridge: {form}");
}

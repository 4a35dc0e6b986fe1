//! The lists of what the host has: networks, CPU pools, PCI devices, saved domains, tasks, events,
//! accounts, the log.

use crate::http_host_support::send_and_follow;
use crate::http_json_support::{get, parsed, perform};
use crate::http_support::{
    Daemon, Listener, ask, encoded, guest, open_page as open, send_form as send,
};
use serde_json::json;
use std::fs;

#[test]
fn bridges_have_their_domains() {
    let daemon = Daemon::start(&[]);
    let bridge = |name: &str, bridge: &str| {
        daemon.create(&guest(name, "").replace("xenbr0", bridge));
    };
    bridge("web1", "xenbr0");
    bridge("web2", "nosuch");
    let all = parsed(&get(&daemon, "/xend/node/network", ""));
    let found = |name: &str| {
        all["bridges"].as_array().unwrap().iter().find(|one| one["name"] == name).unwrap().clone()
    };
    assert_eq!(
        (&found("xenbr0")["exists"], &found("xenbr0")["domains"]),
        (&json!(true), &json!(["web1"]))
    );
    assert_eq!(found("nosuch")["exists"], false);
    let none = open(&daemon, "/xend/node/network?q=zzz").text();
    assert!(none.contains("No matching bridges."), "{none}");
    let page = open(&daemon, "/xend/node/network?q=web2").text();
    assert!(page.contains(">nosuch<") && page.contains("missing"), "{page}");
    assert!(!page.contains(r#"<th scope="row">xenbr0</th>"#), "{page}");
}

#[test]
fn pools_have_cpus_and_domains_and_pci_functions_their_owners() {
    let daemon = Daemon::start(&[]);
    daemon.create(&guest("web1", ""));
    let pools = parsed(&get(&daemon, "/xend/node/pool", ""));
    assert_eq!((&pools[0]["name"], &pools[0]["is_started"]), (&json!("Pool-0"), &json!(true)));
    assert_eq!(pools[0]["domains"], json!(["Domain-0", "web1"]));
    let page = open(&daemon, "/xend/node/pool").text();
    assert!(page.contains(r#"<a href="/xend/domain/web1">web1</a>"#), "{page}");

    let free = |all: &serde_json::Value| {
        let all = all.as_array().unwrap();
        let free = all.iter().find(|one| one["driver"] == "pciback").unwrap();
        free["address"].as_str().unwrap().to_owned()
    };
    let all = parsed(&get(&daemon, "/xend/node/pci", ""));
    let address = free(&all);
    let parts: Vec<&str> = address.split([':', '.']).collect();
    let [domain, bus, slot, func] = parts.as_slice() else { panic!("{address}") };
    let pci = format!(
        "(device (pci (dev (domain 0x{domain}) (bus 0x{bus}) (slot 0x{slot}) (func 0x{func}))))"
    );
    let created = daemon.create(&guest("net1", &pci));
    assert_eq!(created.code, 201, "{}", created.text());
    let all = parsed(&get(&daemon, &format!("/xend/node/pci?q={address}"), ""));
    assert_eq!((all.as_array().unwrap().len(), &all[0]["domain"]), (1, &json!("net1")));
    let page = open(&daemon, "/xend/node/pci").text();
    assert!(page.contains(r#"<a href="/xend/domain/net1">net1</a>"#), "{page}");
}

/// Old clients and curl name no type that these pages have, so that they get the one for programs.
#[test]
fn who_asks_for_no_page_gets_json() {
    let daemon = Daemon::start(&[]);
    for target in [
        "/xend/node/storage",
        "/xend/node/network",
        "/xend/node/pool",
        "/xend/node/pci",
        "/xend/node/user",
        "/xend/saved",
        "/xend/journal",
        "/xend/task",
    ] {
        let request = |accept: &str| {
            let head = format!("Host: localhost\r\nUser-Agent: curl/8\r\nAccept: {accept}\r\n");
            let request = format!("GET {target} HTTP/1.1\r\n{head}\r\n");
            ask(&Listener::Tcp(daemon.tcp), request.as_bytes())
        };
        for accept in ["*/*", "application/sxp", "application/json"] {
            let answer = request(accept);
            assert_eq!(answer.header("content-type"), Some("application/json"), "{target}");
        }
        let page = request("text/html");
        assert!(page.header("content-type").unwrap().starts_with("text/html"), "{target}");
    }
    daemon.create(&guest("web1", ""));
    let request = b"GET /xend/domain/web1/console HTTP/1.1\r\nHost: localhost\r\n\
                    User-Agent: curl/8\r\nAccept: */*\r\n\r\n";
    let console = ask(&Listener::Tcp(daemon.tcp), request);
    assert!(console.header("content-type").unwrap().starts_with("text/plain"), "{console:?}");
}

/// A filter that nothing passes does not say that the host has nothing.
#[test]
fn an_empty_list_says_whether_it_is_filtered() {
    let daemon = Daemon::start(&[]);
    for (target, text) in [
        ("/xend/node/storage", "No images."),
        ("/xend/node/storage?q=zzz", "No matching images."),
        ("/xend/node/pci?q=zzz", "No matching PCI devices."),
        ("/xend/node/pci?page=9", "No PCI devices in this part of the list."),
        ("/xend/journal?q=zzz", "No matching events."),
        ("/xend/journal?kind=failures", "No matching events."),
        ("/xend/saved", "No saved domains."),
        ("/xend/domain?state=crashed", "No crashed domains."),
        ("/xend/domain?q=zzz", "No matching domains."),
    ] {
        let page = open(&daemon, target).text();
        assert!(page.contains(&format!("<p>{text}</p>")), "{target}: {page}");
    }
}

#[test]
fn saved_domains_are_listed_restored_and_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let files = dir.path().join("files");
    fs::create_dir(&files).unwrap();
    let config = dir.path().join("config");
    fs::write(&config, format!("(xend-file-dirs {})", files.display())).unwrap();
    let daemon = Daemon::start_with_config(dir, &config, &[]);
    let file = |name: &str| files.join(name).display().to_string();
    for name in ["web1", "web2"] {
        daemon.create(&guest(name, "(device (vfb (type vnc) (vncpasswd geheim)))"));
        daemon.post(&format!("/xend/domain/{name}"), "op=unpause");
        let saved = daemon.post(
            &format!("/xend/domain/{name}"),
            &format!("op=save&file={}", encoded(&file(name))),
        );
        assert_eq!(saved.code, 202, "{saved:?}");
    }
    fs::write(files.join("other"), "not a saved domain").unwrap();
    let answer = get(&daemon, "/xend/saved", "");
    let saved = parsed(&answer);
    assert_eq!((&saved["total"], saved["files"].as_array().unwrap().len()), (&json!(2), 2));
    let page = open(&daemon, "/xend/saved").text();
    assert!(page.contains(&file("web1")) && page.contains(&file("web2")), "{page}");
    assert!(!page.contains("geheim") && !answer.text().contains("geheim"));

    let query = format!("file={}", encoded(&file("web1")));
    let asked = open(&daemon, &format!("/xend/saved/confirm?op=delete&{query}")).text();
    assert!(asked.contains("The memory of the domain is lost."), "{asked}");
    let target =
        asked.split(r#"method="post" action=""#).nth(1).unwrap().split('"').next().unwrap();
    let page = send_and_follow(&daemon, target, "op=delete");
    assert!(
        page.contains("The saved domain has been deleted.") && !page.contains(&file("web1")),
        "{page}"
    );
    assert!(!files.join("web1").exists());
    // No other file is deleted, inside the directory or elsewhere.
    for other in [file("other"), "/etc/hostname".to_owned(), file("missing")] {
        let query = format!("op=delete&file={}", encoded(&other));
        let asked = open(&daemon, &format!("/xend/saved/confirm?{query}"));
        // One is in no directory for files.
        let is_outside = other.starts_with("/etc/");
        assert_eq!(asked.code, if is_outside { 403 } else { 404 }, "{asked:?}");
        let text = asked.text();
        assert!(!text.contains(r#"value="delete""#) && text.contains(&other), "{text}");
        assert!(text.contains(r#"href="/xend/saved">Back"#), "{text}");
        let refused = send(&daemon, &format!("/xend/saved?file={}", encoded(&other)), "op=delete");
        assert_eq!(refused.code, if is_outside { 403 } else { 422 }, "{refused:?}");
    }
    assert!(files.join("other").exists());

    let restored =
        send(&daemon, &format!("/xend/domain?file={}", encoded(&file("web2"))), "op=restore");
    assert_eq!(restored.code, 201, "{restored:?}");
    // As a browser that reloads the answer does.
    let again =
        send(&daemon, &format!("/xend/domain?file={}", encoded(&file("web2"))), "op=restore");
    let text = again.text();
    assert!(text.contains("may have been restored before"), "{text}");
    assert!(!text.contains("Choose another"), "{text}");
    assert_eq!(daemon.value("web2", "state"), "-b----");
}

#[test]
fn suspended_domains_can_be_resumed_from_the_page() {
    let daemon = Daemon::start(&[]);
    daemon.post("/xend/domain", &format!("op=new&config={}", encoded(&guest("web1", ""))));
    for op in ["start", "suspend"] {
        assert!(daemon.post("/xend/domain/web1", &format!("op={op}")).code < 300, "{op}");
    }
    assert_eq!(parsed(&get(&daemon, "/xend/saved", ""))["suspended"], json!(["web1"]));
    let page = open(&daemon, "/xend/saved").text();
    assert!(page.contains(r#"formaction="/xend/domain/web1" name="op" value="resume""#), "{page}");
    assert!(page.contains(r#"href="/xend/domain/web1/confirm?op=delete""#), "{page}");
}

#[test]
fn events_are_filtered_and_paged() {
    let daemon = Daemon::start(&[]);
    daemon.create(&guest("web1", ""));
    for _ in 0..60 {
        daemon.post("/xend/domain/web1", "op=pause");
        daemon.post("/xend/domain/web1", "op=unpause");
    }
    daemon.post("/xend/domain/web1", "op=resume");
    let total = |query: &str| {
        parsed(&get(&daemon, &format!("/xend/journal{query}"), ""))["total"].as_u64().unwrap()
    };
    assert!(total("") > 200, "{}", total(""));
    assert_eq!((total("?kind=failures"), total("?q=nosuch")), (1, 0));
    let first = parsed(&get(&daemon, "/xend/journal?kind=operations", ""));
    assert_eq!(first["events"].as_array().unwrap().len(), 100);
    assert!(first["events"][0]["text"].as_str().unwrap().starts_with("resume: "), "{first}");
    let second = parsed(&get(&daemon, "/xend/journal?kind=operations&page=2", ""));
    assert_eq!(second["events"].as_array().unwrap().len(), 22, "{second}");
    let page = open(&daemon, "/xend/journal?kind=failures&q=").text();
    assert!(page.contains(r#"<option value="failures" selected>"#), "{page}");
    assert!(page.contains(r#"<a href="/xend/domain/web1">web1</a>"#), "{page}");
    assert!(page.contains(r#"data-events="/xend/events?"#), "{page}");
    assert!(open(&daemon, "/xend/journal?kind=nosuch").text().contains("kind"));
}

#[test]
fn tasks_are_a_page_for_browsers_alone() {
    let daemon = Daemon::start(&[]);
    daemon.create(&guest("web1", ""));
    let begun = crate::http_json_support::post(
        &daemon,
        "/xend/domain/web1",
        "Prefer: respond-async\r\n",
        r#"{"op": "pause"}"#,
    );
    assert_eq!(begun.code, 202);
    daemon.until("the task has ended", |daemon| {
        parsed(&get(daemon, "/xend/task", ""))[0]["state"] == "succeeded"
    });
    let page = open(&daemon, "/xend/task").text();
    assert!(page.contains(">Pause</a>") && page.contains("succeeded"), "{page}");
    let plain = ask(
        &Listener::Tcp(daemon.tcp),
        b"GET /xend/task HTTP/1.1\r\nHost: localhost\r\nUser-Agent: curl/8\r\nAccept: */*\r\n\r\n",
    );
    assert_eq!(plain.header("content-type"), Some("application/json"));
    assert_eq!(perform(&daemon, "web1", &json!({"op": "unpause"})).0, 204);

    let (_, task) = begun.header("location").unwrap().split_once("localhost").unwrap();
    assert!(page.contains(&format!(r#"href="{task}""#)), "{page}");
    let own = open(&daemon, task);
    assert_eq!(own.code, 200, "{own:?}");
    let text = own.text();
    assert!(text.contains("<h1>Task: Pause web1</h1>") && text.contains("succeeded"), "{text}");
    assert!(text.contains(r#"<a href="/xend/domain/web1">web1</a>"#), "{text}");
    assert_eq!(parsed(&get(&daemon, task, ""))["state"], "succeeded");
    let missing = open(&daemon, "/xend/task/1");
    assert!(missing.code == 404 && missing.text().contains("No such task 1"), "{missing:?}");
    assert!(missing.header("content-type").unwrap().starts_with("text/html"), "{missing:?}");
}

#[test]
fn a_task_that_fails_says_why_on_its_page() {
    let daemon = Daemon::start(&[]);
    daemon.create(&guest("web1", ""));
    daemon.post("/xend/domain/web1", "op=unpause");
    let body = r#"{"op": "save", "file": "/nosuch/dir/web1"}"#;
    let begun = crate::http_json_support::post(
        &daemon,
        "/xend/domain/web1",
        "Prefer: respond-async\r\n",
        body,
    );
    let (_, task) = begun.header("location").unwrap().split_once("localhost").unwrap();
    daemon
        .until("the task has failed", |daemon| parsed(&get(daemon, task, ""))["state"] == "failed");
    let page = open(&daemon, task).text();
    assert!(page.contains("/nosuch/dir/web1") && page.contains("failed"), "{page}");
    assert!(!page.contains(r#"value="cancel""#), "{page}");
}

#[test]
fn bridges_with_odd_names_are_shown_as_they_are() {
    let daemon = Daemon::start(&[]);
    let odd = r#"a "b'/<i>&c"#;
    let vif = r#"(device (vif (bridge "a \"b'/<i>&c")))"#;
    let defined =
        daemon.post("/xend/domain", &format!("op=new&config={}", encoded(&guest("web1", vif))));
    assert_eq!(defined.code, 200, "{defined:?}");
    let all = parsed(&get(&daemon, "/xend/node/network", ""));
    assert!(all["bridges"].as_array().unwrap().iter().any(|one| one["name"] == odd), "{all}");
    let query = format!("q={}", encoded(odd));
    for target in [format!("/xend/node/network?{query}"), "/xend/domain/web1".to_owned()] {
        let page = open(&daemon, &target).text();
        assert!(page.contains("a &quot;b'/&lt;i&gt;&amp;c"), "{page}");
        assert!(!page.contains("<i>"), "{page}");
    }
    let form = format!(
        "op=create&type=pvh&name=web2&memory=64&vcpus=1&kernel=/boot/vmlinuz&disk=none&managed=1&\
         bridge={}",
        encoded(odd)
    );
    assert_eq!(send(&daemon, "/xend/new", &form).code, 303);
    daemon.until("it is defined", |daemon| {
        daemon.get("/xend/domain?state=halted").text() == "(web1 web2)"
    });
    let all = parsed(&get(&daemon, "/xend/node/network", ""));
    let bridge = all["bridges"].as_array().unwrap().iter().find(|one| one["name"] == odd);
    assert_eq!(bridge.unwrap()["domains"], json!(["web1", "web2"]));
}

#[test]
fn the_log_is_filtered_for_browsers_and_plain_for_others() {
    let daemon = Daemon::start(&[]);
    daemon.create(&guest("web1", ""));
    daemon.create(&guest("web2", ""));
    let page = open(&daemon, "/xend/node/log?level=info&q=domain%3D%22web2").text();
    assert!(page.contains("INFO") && page.contains("web2") && !page.contains("web1"), "{page}");
    assert!(page.contains("/log.js\""), "{page}");
    assert!(
        open(&daemon, "/xend/node/log?level=error").text().contains("No line of the log matches.")
    );
    for accept in ["*/*", "application/sxp", "application/json"] {
        let head = format!(
            "GET /xend/node/log HTTP/1.1\r\nHost: localhost\r\nUser-Agent: x\r\nAccept: {accept}\r\n\r\n"
        );
        let plain = ask(&Listener::Tcp(daemon.tcp), head.as_bytes());
        assert_eq!(plain.header("content-type"), Some("text/plain"), "{accept}");
        assert!(plain.text().contains("web1"));
    }
}

#[test]
fn the_message_buffer_is_cleared_by_its_button() {
    let daemon = Daemon::start(&[]);
    let page = open(&daemon, "/xend/node/dmesg").text();
    assert!(page.contains("(XEN)") && page.contains(r#"value="clear""#), "{page}");
    let cleared = send_and_follow(&daemon, "/xend/node/dmesg", "op=clear");
    assert!(cleared.contains("has been cleared.") && !cleared.contains("(XEN)"), "{cleared}");
    // An old client gets what it got.
    let old = daemon.post("/xend/node/dmesg", "op=clear");
    assert_eq!((old.status().as_str(), old.body.len()), ("200 OK", 0));
}

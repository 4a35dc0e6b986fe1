//! Tags of JSON answers, and tasks.

use crate::http_json_support::{config, create, get, parsed, perform, post};
use crate::http_support::{Daemon, Listener, ask};
use serde_json::{Value, json};

#[test]
fn an_answer_that_the_client_has_is_not_sent_again() {
    let daemon = Daemon::start(&[]);
    assert_eq!(create(&daemon, "web1").code, 201);
    let halted = json!({"op": "new", "config": config("web2")}).to_string();
    assert_eq!(post(&daemon, "/xend/domain", "", &halted).code, 204);
    for target in
        ["/xend/domain?state=all", "/xend/domain?detail=1&state=halted", "/xend/domain/web2"]
    {
        let first = get(&daemon, target, "");
        let tag = format!("If-None-Match: {}\r\n", first.header("etag").unwrap());
        let again = get(&daemon, target, &tag);
        assert_eq!((again.code, again.body.len()), (304, 0), "{target}");
        assert_eq!(again.header("etag"), first.header("etag"));
        assert_eq!(get(&daemon, target, "If-None-Match: \"other\"\r\n").code, 200);
        let renamed = json!({"op": "rename", "name": "web3"});
        assert_eq!(perform(&daemon, "web2", &renamed).0, 204);
        let changed = get(&daemon, &target.replace("web2", "web3"), &tag);
        assert_eq!(changed.code, 200, "{target}");
        let back = json!({"op": "rename", "name": "web2"});
        assert_eq!(perform(&daemon, "web3", &back).0, 204);
        assert_eq!(get(&daemon, target, &tag).code, 304, "{target}");
    }
}

/// The tag of a running domain does not change with its CPU time.
#[test]
fn figures_do_not_change_a_tag() {
    let daemon = Daemon::start(&[]);
    assert_eq!(create(&daemon, "busy1").code, 201);
    assert_eq!(perform(&daemon, "busy1", &json!({"op": "unpause"})).0, 204);
    for target in ["/xend/domain/busy1", "/xend/domain?detail=1"] {
        let seconds = |answer: &Value| {
            let list = answer.as_array();
            let busy =
                list.map_or(Some(answer), |all| all.iter().find(|one| one["name"] == "busy1"));
            busy.unwrap()["cpu_time_seconds"].as_f64().unwrap()
        };
        let mut tag = String::new();
        let mut earlier = 0.0;
        // What the guest reports after its start changes the tag.
        daemon.until("the figures alone change", |daemon| {
            let answer = get(daemon, target, "");
            let now = seconds(&parsed(&answer));
            let same = answer.header("etag") == Some(&tag);
            let is_later = same && now > earlier;
            (tag, earlier) = (answer.header("etag").unwrap().to_owned(), now);
            is_later
        });
        assert!(tag.starts_with("W/\""), "{tag}");
        let held = format!("If-None-Match: {tag}\r\n");
        assert_eq!(get(&daemon, target, &held).code, 304, "{target}");
        assert_eq!(perform(&daemon, "busy1", &json!({"op": "pause"})).0, 204);
        assert_eq!(get(&daemon, target, &held).code, 200, "{target}");
        assert_eq!(perform(&daemon, "busy1", &json!({"op": "unpause"})).0, 204);
    }
}

#[test]
fn a_long_operation_is_followed_as_a_task() {
    let daemon = Daemon::start(&[]);
    assert_eq!(create(&daemon, "web1").code, 201);
    let follow = |target: &str, body: &Value| {
        let begun = post(&daemon, target, "Prefer: respond-async\r\n", &body.to_string());
        assert_eq!(begun.status(), "202 Accepted", "{}", begun.text());
        assert_eq!(begun.header("preference-applied"), Some("respond-async"));
        let url = begun.header("location").unwrap().to_owned();
        let path = url.strip_prefix("http://localhost").unwrap().to_owned();
        let mut task = parsed(&begun);
        daemon.until("the task ends", |daemon| {
            task = parsed(&get(daemon, &path, ""));
            task["state"] != "running"
        });
        task
    };
    let unpaused = follow("/xend/domain/web1", &json!({"op": "unpause"}));
    assert_eq!(unpaused["state"], "succeeded", "{unpaused}");
    assert_eq!((&unpaused["op"], &unpaused["domain"]), (&json!("unpause"), &json!("web1")));
    assert_eq!((&unpaused["result"], &unpaused["progress_percent"]), (&Value::Null, &json!(100)));
    let created = follow("/xend/domain", &json!({"op": "create", "config": config("web2")}));
    assert_eq!(created["result"]["name"], "web2", "{created}");
    assert_eq!(created["domain"], "web2", "{created}");
    let failed = follow("/xend/domain/web1", &json!({"op": "save", "file": "/nosuch/dir/file"}));
    assert_eq!(failed["state"], "failed", "{failed}");
    assert!(failed["problem"]["code"].is_string() && failed["ended_at"].is_string(), "{failed}");
    assert_eq!(failed["problem"]["parameter"], "file", "{failed}");
    let all = parsed(&get(&daemon, "/xend/task", ""));
    assert_eq!(all.as_array().unwrap().len(), 3);
    // What cannot begin fails at once, and questions are answered at once.
    for (body, code) in [(r#"{"op": "nosuch"}"#, 422), (r#"{"op": "vcpuinfo"}"#, 200)] {
        let answer = post(&daemon, "/xend/domain/web1", "Prefer: respond-async\r\n", body);
        assert_eq!(answer.code, code, "{body}");
    }
}

#[test]
fn a_task_tells_its_domain_and_its_progress() {
    let daemon = Daemon::start(&[]);
    let begin = |target: &str, body: &Value| {
        let begun = post(&daemon, target, "Prefer: respond-async\r\n", &body.to_string());
        assert_eq!(begun.code, 202, "{}", begun.text());
        parsed(&begun)
    };
    let task =
        |id: &Value| parsed(&get(&daemon, &format!("/xend/task/{}", id.as_str().unwrap()), ""));
    let mut slow = config("saveslow1");
    slow["memory_mib"] = json!(512);
    let created = begin("/xend/domain", &json!({"op": "create", "config": slow}));
    assert_eq!(created["domain"], "saveslow1", "{created}");
    assert_eq!(created["progress_percent"], Value::Null, "{created}");
    daemon.until("it is there", |_| task(&created["id"])["state"] == "succeeded");
    assert_eq!(perform(&daemon, "saveslow1", &json!({"op": "unpause"})).0, 204);
    let file = daemon.dir.path().join("file");
    let save = begin("/xend/domain/saveslow1", &json!({"op": "save", "file": file}));
    assert_eq!((&save["domain"], &save["progress_percent"]), (&json!("saveslow1"), &json!(0)));
    let scrape = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let metrics = ask(&Listener::Unix(daemon.socket()), scrape).text();
    for line in [r#"xend_json_tasks{state="running"} 1"#, r#"xend_json_tasks{state="ended"} 1"#] {
        assert!(metrics.lines().any(|found| found == line), "{metrics}");
    }
    daemon.until("a part of it is saved", |_| {
        let percent = task(&save["id"])["progress_percent"].as_u64();
        (1..100).contains(&percent.unwrap())
    });
    assert_eq!(perform(&daemon, "saveslow1", &json!({"op": "cancel"})).0, 204);
    daemon.until("it ends", |_| task(&save["id"])["state"] == "failed");
    assert_eq!(task(&save["id"])["problem"]["code"], "cancelled");
    let restored = begin("/xend/domain", &json!({"op": "restore", "file": "/nosuch"}));
    assert_eq!((&restored["domain"], &restored["progress_percent"]), (&Value::Null, &json!(0)));
}

//! Queries and files that a program of today gets wrong; old clients get what they got.

use crate::http_json_support::{JSON, create, get, parsed, post};
use crate::http_support::{Daemon, Listener, ask};
use serde_json::{Value, json};

#[test]
fn a_parameter_that_the_page_does_not_have_is_named() {
    let daemon = Daemon::start(&[]);
    for (target, name, nearest) in [
        ("/xend/domain?detial=1", "detial", "detail"),
        ("/xend/domain?detail=1&stat=all", "stat", "state"),
        ("/xend/events?aftr=1", "aftr", "after"),
    ] {
        let answer = get(&daemon, target, "");
        let problem = parsed(&answer);
        assert_eq!(answer.code, 422, "{problem}");
        assert_eq!(
            (&problem["code"], &problem["parameter"]),
            (&json!("unknown_parameter"), &json!(name))
        );
        let wanted = format!("Unknown parameter {name}, did you mean {nearest}?");
        assert_eq!(problem["detail"], wanted);
        let allowed = problem["allowed"].as_array().unwrap();
        assert!(allowed.contains(&json!(nearest)), "{problem}");
    }
    let none = parsed(&get(&daemon, "/xend/node?x=%0a1", ""));
    assert_eq!((&none["parameter"], &none["allowed"]), (&json!("x"), &json!([])));
    for old in ["/xend/domain?detial=1", "/xend/node?x=1"] {
        assert_eq!(daemon.get(old).code, 200, "{old}");
    }
}

#[test]
fn a_parameter_that_the_operation_does_not_have_is_named() {
    let daemon = Daemon::start(&[]);
    assert_eq!(create(&daemon, "web1").code, 201);
    let form = |target: &str| {
        let head =
            format!("POST {target} HTTP/1.1\r\nHost: localhost\r\n{JSON}Content-Length: 0\r\n\r\n");
        ask(&Listener::Tcp(daemon.tcp), head.as_bytes())
    };
    let domain = "/xend/domain/web1";
    for (answer, text) in [
        (
            post(&daemon, &format!("{domain}?x=1"), "", r#"{"op": "pause"}"#),
            "Unknown parameter x: the parameters of an operation are members of the body",
        ),
        (
            form(&format!("{domain}?op=mem_target_set&taget=64")),
            "Unknown parameter taget, did you mean target?",
        ),
        (form(&format!("{domain}?op=pause&x=1")), "Unknown parameter x"),
    ] {
        let problem = parsed(&answer);
        assert_eq!(
            (answer.code, &problem["code"]),
            (422, &json!("unknown_parameter")),
            "{problem}"
        );
        assert_eq!(problem["detail"], text);
    }
    assert_eq!(form(&format!("{domain}?op=mem_target_set&target=64")).code, 204);
    // xend ignored it.
    assert_eq!(daemon.post(&format!("{domain}?x=1"), "op=pause").code, 200);
}

#[test]
fn flags_are_digits_or_words() {
    let daemon = Daemon::start(&[]);
    for (flag, detailed) in
        [("1", true), ("yes", true), ("on", true), ("0", false), ("false", false)]
    {
        let list = parsed(&get(&daemon, &format!("/xend/domain?detail={flag}"), ""));
        assert_eq!(list[0]["max_memory_mib"].is_number(), detailed, "{flag}: {list}");
    }
    let problem = parsed(&get(&daemon, "/xend/domain?detail=maybe", ""));
    assert_eq!((&problem["status"], &problem["parameter"]), (&json!(422), &json!("detail")));
}

#[test]
fn an_id_that_no_event_can_have_is_refused() {
    let daemon = Daemon::start(&[]);
    let answer = get(&daemon, "/xend/events?after=zz", "");
    let problem = parsed(&answer);
    assert_eq!((answer.code, &problem["parameter"]), (422, &json!("after")));
    assert!(problem["detail"].as_str().unwrap().contains("'zz' is not the id of an event"));
    let answer = get(&daemon, "/xend/events", "Last-Event-ID: zz\r\n");
    assert_eq!(answer.code, 422);
}

#[test]
fn a_saved_domain_that_is_not_there_or_is_none_names_the_parameter() {
    let daemon = Daemon::start(&[]);
    let other = daemon.dir.path().join("other");
    std::fs::write(&other, "no saved domain, but long enough for one").unwrap();
    for (file, code) in [("/nosuch", "missing_file"), (other.to_str().unwrap(), "invalid_value")] {
        let body = json!({"op": "restore", "file": file}).to_string();
        let refused = post(&daemon, "/xend/domain", "", &body);
        let begun = post(&daemon, "/xend/domain", "Prefer: respond-async\r\n", &body);
        assert_eq!((refused.code, begun.code), (422, 202));
        let path = format!("/xend/task/{}", parsed(&begun)["id"].as_str().unwrap());
        let mut task = Value::Null;
        daemon.until("the task ends", |daemon| {
            task = parsed(&get(daemon, &path, ""));
            task["state"] != "running"
        });
        let refused = parsed(&refused);
        assert_eq!((&refused["code"], &refused["parameter"]), (&json!(code), &json!("file")));
        assert_eq!(task["problem"], refused, "asynchronous or not");
    }
}

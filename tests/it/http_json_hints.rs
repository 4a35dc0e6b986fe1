//! What programs that ask for JSON can do instead: operations that the state permits, the type of a
//! body, pages with nearly the same name, and the pages that there are.

use crate::http_json_support::{JSON, config, create, get, parsed, perform, post};
use crate::http_support::{Answer, Daemon, Listener, ask};
use serde_json::{Value, json};

/// The names in a list.
fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect()
}

/// Brings a domain of this name into a state.
type Way<'a> = &'a dyn Fn(&str);

#[test]
fn what_a_wrong_state_allows_is_what_it_permits() {
    let daemon = Daemon::start(&[]);
    let save = daemon.dir.path().join("save").display().to_string();
    let requests = [
        json!({"op": "pause"}),
        json!({"op": "unpause"}),
        json!({"op": "shutdown", "reason": "poweroff"}),
        json!({"op": "destroy"}),
        json!({"op": "reset"}),
        json!({"op": "start"}),
        json!({"op": "delete"}),
        json!({"op": "suspend"}),
        json!({"op": "resume"}),
        json!({"op": "save", "file": save}),
        json!({"op": "migrate", "destination": "127.0.0.1", "port": daemon.tcp.port()}),
        json!({"op": "cancel"}),
        json!({"op": "sysrq", "key": 115}),
    ];
    let define = |name: &str| {
        let body = json!({"op": "new", "config": config(name)}).to_string();
        assert_eq!(post(&daemon, "/xend/domain", "", &body).code, 204);
    };
    let perform = |name: &str, op: &str| perform(&daemon, name, &json!({"op": op}));
    let create = |name: &str| assert_eq!(create(&daemon, name).code, 201);
    // How a domain gets into the state, and an operation that the state refuses.
    let states: [(&str, Way<'_>, &str); 5] = [
        ("paused", &create, "start"),
        (
            "running",
            &|name| {
                create(name);
                assert_eq!(perform(name, "unpause").0, 204);
            },
            "suspend",
        ),
        ("halted", &define, "pause"),
        (
            "managed",
            &|name| {
                define(name);
                assert_eq!(perform(name, "start").0, 204);
            },
            "cancel",
        ),
        (
            "suspended",
            &|name| {
                define(name);
                assert_eq!(perform(name, "start").0, 204);
                assert_eq!(perform(name, "suspend").0, 204);
            },
            "start",
        ),
    ];
    for (state, enter, refused) in states {
        for (number, request) in requests.iter().enumerate() {
            let op = request["op"].as_str().unwrap();
            // The one that is refused is not listed anyhow.
            if op == refused {
                continue;
            }
            let name = format!("{state}{number}");
            enter(&name);
            let (code, problem) = perform(&name, refused);
            assert_eq!((code, &problem["code"]), (409, &json!("wrong_state")), "{problem}");
            let is_allowed = names(&problem["allowed"]).contains(&op);
            let (_, answer) = crate::http_json_support::perform(&daemon, &name, request);
            let is_refused = answer["code"] == "wrong_state";
            assert_ne!(
                is_allowed, is_refused,
                "{op} of a domain that is {state}: {answer} {problem}"
            );
            for op in ["destroy", "delete"] {
                perform(&name, op);
            }
        }
    }
}

#[test]
fn a_body_in_json_that_does_not_say_so_is_told_how() {
    let daemon = Daemon::start(&[]);
    assert_eq!(create(&daemon, "web1").code, 201);
    let body = r#" {"op": "pause"} "#;
    let send = |headers: &str| -> Answer {
        let head = format!(
            "POST /xend/domain/web1 HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Length: {}\r\n\r\n",
            body.len()
        );
        ask(&Listener::Tcp(daemon.tcp), (head + body).as_bytes())
    };
    let advice = "The body looks like JSON: send it with Content-Type: application/json";
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    for (headers, status, parameter) in [
        (format!("{JSON}{form}"), 422, json!("op")),
        (format!("{JSON}Content-Type: text/plain\r\n"), 415, Value::Null),
        (JSON.to_owned(), 415, Value::Null),
    ] {
        let answer = send(&headers);
        let problem = parsed(&answer);
        assert_eq!((answer.code, &problem["parameter"]), (status, &parameter), "{problem}");
        assert!(problem["detail"].as_str().unwrap().ends_with(advice), "{problem}");
    }
    for headers in [form, "User-Agent: curl/8\r\nAccept: */*\r\n"] {
        let answer = send(headers);
        assert_eq!(answer.status(), "406 Invalid request");
        assert!(answer.text().contains(advice), "{}", answer.text());
    }
    // xend's answer to a form without an operation.
    assert_eq!(daemon.post("/xend/domain/web1", "a=1").text(), "''");
}

#[test]
fn a_page_with_nearly_the_name_is_suggested() {
    let daemon = Daemon::start(&[]);
    for (target, text) in [
        ("/xend/domian", "Not found: domian, did you mean domain?"),
        ("/domain/web1", "Not found: domain, did you mean /xend/domain?"),
        ("/xend/node/storge", "Not found: storge, did you mean storage?"),
        ("/xend/elsewhere", "Not found: elsewhere"),
    ] {
        let problem = parsed(&get(&daemon, target, ""));
        assert_eq!((&problem["detail"], &problem["code"]), (&json!(text), &json!("not_found")));
    }
    let old = daemon.get("/xend/domian");
    assert_eq!((old.code, old.text().trim_end()), (404, "Not found: domian"));
}

#[test]
fn the_lists_of_pages_are_complete() {
    let daemon = Daemon::start(&[]);
    let list = |target: &str| parsed(&get(&daemon, target, ""));
    assert_eq!(list("/"), json!(["xend"]));
    let document = list("/xend/openapi.json");
    let all = list("/xend");
    let mut listed = names(&all);
    listed.sort_unstable();
    let mut documented: Vec<&str> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .filter(|(_, page)| page["get"].is_object())
        .filter_map(|(path, _)| path.strip_prefix("/xend/"))
        .filter(|name| !name.contains('/'))
        .collect();
    documented.sort_unstable();
    assert_eq!(listed, documented);
    assert!(listed.contains(&"events") && listed.contains(&"task"), "{listed:?}");
    assert_eq!(daemon.get("/xend").text(), "(ls node domain vnet)");
}

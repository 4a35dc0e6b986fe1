//! What programs that ask for JSON can do instead: operations that the state permits, the type of a
//! body, pages with nearly the same name, and the pages that there are.

use crate::http_json_support::{config, create, perform, post};
use crate::http_support::Daemon;
use serde_json::{Value, json};

/// The names in a list.
fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect()
}

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
    let states: [(&str, &dyn Fn(&str), &str); 5] = [
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

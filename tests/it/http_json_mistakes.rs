//! What programs that ask for JSON are told: statuses, codes, the parameter at fault.

use crate::http_json_support::{JSON, config, create, get, parsed, perform, post};
use crate::http_support::{Answer, Daemon, Listener, ask, connect, guest};
use crate::ports::free_address;
use serde_json::{Value, json};

/// The detail of a problem.
fn detail(answer: &Value) -> &str {
    answer["detail"].as_str().unwrap_or_else(|| panic!("{answer}"))
}

/// The answer to a request with this method.
fn send(daemon: &Daemon, method: &str, target: &str) -> Answer {
    let head =
        format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n{JSON}Content-Length: 0\r\n\r\n");
    ask(&Listener::Tcp(daemon.tcp), head.as_bytes())
}

#[test]
fn failures_are_problems_with_true_statuses() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("xend-config.sxp");
    std::fs::write(&config, "(xend-max-body 20000)").unwrap();
    let daemon = Daemon::start_with_config(dir, &config, &[]);
    assert_eq!(create(&daemon, "web1").code, 201);
    let domain = "/xend/domain/web1";
    let large = format!(r#"{{"op": "{}"}}"#, "x".repeat(30_000));
    for (target, body, code, problem, parameter) in [
        (domain, "{", 400, "malformed_request", None),
        (domain, "[]", 400, "malformed_request", None),
        (domain, "{}", 422, "missing_parameter", Some("op")),
        (domain, r#"{"op": 1}"#, 422, "invalid_value", Some("op")),
        (domain, r#"{"op": "pause", "op": "destroy"}"#, 400, "malformed_request", None),
        ("/xend/domain/0", r#"{"op": "pause"}"#, 403, "privileged_domain", None),
        ("/xend/domain/nosuch", r#"{"op": "pause"}"#, 404, "no_such_domain", None),
        (domain, r#"{"op": "start"}"#, 409, "wrong_state", None),
        (domain, large.as_str(), 413, "too_large", None),
        (domain, r#"{"op": "paus"}"#, 422, "unknown_operation", Some("op")),
        (domain, r#"{"op": "maxmem_set"}"#, 422, "missing_parameter", Some("memory_mib")),
        (
            domain,
            r#"{"op": "maxmem_set", "memory_mib": "2G"}"#,
            422,
            "invalid_value",
            Some("memory_mib"),
        ),
        (domain, r#"{"op": "maxmem_set", "memory": 64}"#, 422, "unknown_parameter", Some("memory")),
        (
            domain,
            r#"{"op": "domain_sched_credit_set", "weight": 70000}"#,
            422,
            "invalid_value",
            Some("weight"),
        ),
        (domain, r#"{"op": "domain_sched_credit_set"}"#, 422, "missing_parameter", Some("weight")),
        (domain, r#"{"op": "rename", "name": "a b"}"#, 422, "invalid_value", Some("name")),
        (domain, r#"{"op": "shutdown", "reason": "x"}"#, 422, "invalid_value", Some("reason")),
        (
            "/xend/domain",
            r#"{"op": "create", "config": {"name": "a", "memory_mib": 0}}"#,
            422,
            "invalid_value",
            Some("config.memory_mib"),
        ),
        (
            "/xend/domain",
            r#"{"op": "create", "config": {"name": "a b", "memory_mib": 64}}"#,
            422,
            "invalid_value",
            Some("config.name"),
        ),
        (
            "/xend/domain",
            r#"{"op": "create", "config": {"name": "a", "memory": 64}}"#,
            422,
            "unknown_parameter",
            Some("config.memory"),
        ),
        ("/xend/help", r#"{"op": "pause"}"#, 405, "method_not_allowed", None),
    ] {
        let answer = post(&daemon, target, "", body);
        let shown = answer.text();
        assert_eq!(answer.code, code, "{target} {body}: {shown}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{shown}");
        let found = parsed(&answer);
        assert_eq!(found["status"], code, "{shown}");
        assert_eq!(found["code"], problem, "{target} {body}: {shown}");
        assert_eq!(found["parameter"].as_str(), parameter, "{target} {body}: {shown}");
        assert!(found["type"].as_str().unwrap().ends_with(problem), "{shown}");
        assert!(!found["title"].as_str().unwrap().is_empty() && found["detail"].is_string());
    }
    let (_, wrong) = perform(&daemon, "web1", &json!({"op": "start"}));
    assert!(wrong["allowed"].as_array().unwrap().contains(&json!("unpause")), "{wrong}");
    let (_, wrong) = perform(&daemon, "web1", &json!({"op": "shutdown", "reason": "x"}));
    assert_eq!(wrong["allowed"][0], "poweroff");
    for (target, code) in [
        ("/nosuch", "not_found"),
        ("/xend/domain/nosuch", "no_such_domain"),
        ("/xend/vnet/7", "no_such_vnet"),
        ("/xend/task/7", "no_such_task"),
    ] {
        let answer = get(&daemon, target, "");
        assert_eq!((answer.code, &parsed(&answer)["code"]), (404, &json!(code)), "{target}");
    }
    let head = "POST /xend/domain HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n";
    let text = format!("{head}{JSON}Content-Type: text/plain\r\n\r\n{{}}");
    assert_eq!(ask(&Listener::Tcp(daemon.tcp), text.as_bytes()).code, 415);
}

#[test]
fn what_the_state_or_the_configuration_forbids_is_no_wrong_value() {
    let daemon = Daemon::start(&[]);
    assert_eq!(create(&daemon, "web1").code, 201);
    assert_eq!(perform(&daemon, "web1", &json!({"op": "unpause"})).0, 204);
    let closed = free_address();
    let attach = |device: Value| json!({"op": "device_create", "config": device});
    let disk = |dev: &str, path: &str| {
        let mode = "w";
        attach(json!({"vbd": {"dev": dev, "uname": format!("phy:/dev/vg0/{path}"), "mode": mode}}))
    };
    let detach = |dev: &str| json!({"op": "device_destroy", "type": "vif", "dev": dev});
    for (body, code, problem) in [
        (json!({"op": "cancel"}), 409, "wrong_state"),
        (
            json!({"op": "migrate", "destination": "127.0.0.1", "port": closed.port()}),
            502,
            "other_host_failed",
        ),
        (
            json!({"op": "migrate", "destination": "127.0.0.1", "port": daemon.tcp.port()}),
            502,
            "other_host_failed",
        ),
        (disk("xvda", "other"), 409, "already_exists"),
        (disk("xvdb", "web1"), 409, "already_exists"),
        (disk("xvdb", "hotplugerror"), 500, "device_failed"),
        (detach("7"), 404, "no_such_device"),
        // What can never be is a wrong value.
        (detach("eth0"), 422, "invalid_value"),
        (json!({"op": "migrate", "destination": "a b"}), 422, "invalid_value"),
        (json!({"op": "migrate", "destination": "x", "ssl": true}), 422, "invalid_value"),
    ] {
        let (found, answer) = perform(&daemon, "web1", &body);
        assert_eq!((found, &answer["code"]), (code, &json!(problem)), "{body}: {answer}");
    }
    let two = json!([{"dev": "xvda", "uname": "phy:/a"}, {"dev": "xvda", "uname": "phy:/b"}]);
    let mut twice = config("web2");
    twice["devices"]["vbd"] = two;
    let body = json!({"op": "create", "config": twice}).to_string();
    assert_eq!(post(&daemon, "/xend/domain", "", &body).code, 422);
    let off = post(&daemon, "/xend/node", "", r#"{"op": "shutdown"}"#);
    let answer = parsed(&off);
    assert_eq!((off.code, &answer["code"]), (403, &json!("forbidden_by_configuration")));
    assert!(detail(&answer).contains("xend-node-shutdown"), "{answer}");
    assert_eq!(get(&daemon, "/xend/domain/0/console", "").code, 403);
}

#[test]
fn a_request_without_an_operation_is_told_which_there_are() {
    let daemon = Daemon::start(&[]);
    assert_eq!(create(&daemon, "web1").code, 201);
    for (body, text) in [
        ("{}", "Missing parameter: op"),
        (r#"{"op": 1}"#, "Invalid value for op: a string is expected, not a number"),
        (r#"{"op": ["pause"]}"#, "Invalid value for op: a string is expected, not a list"),
    ] {
        let answer = parsed(&post(&daemon, "/xend/domain/web1", "", body));
        assert_eq!(detail(&answer), text);
        assert!(answer["allowed"].as_array().unwrap().contains(&json!("pause")), "{answer}");
    }
    let empty = parsed(&send(&daemon, "POST", "/xend/domain/web1"));
    assert_eq!(detail(&empty), "Missing parameter: op");
    let twice = parsed(&send(&daemon, "POST", "/xend/domain/web1?op=pause&op=unpause"));
    assert_eq!((detail(&twice), &twice["status"]), ("Too many values for op", &json!(422)));
    let other_case = parsed(&post(&daemon, "/xend/domain/web1", "", r#"{"op": "PAUSE"}"#));
    assert_eq!(detail(&other_case), "There is no operation PAUSE here: did you mean pause?");
    // An old client reads what xend said.
    let head = "POST /xend/domain/web1 HTTP/1.1\r\nHost: localhost\r\n";
    let old = format!("{head}Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}");
    let old = ask(&Listener::Tcp(daemon.tcp), old.as_bytes());
    assert_eq!((old.status(), old.text()), ("406 Invalid request".into(), "''".into()));
}

#[test]
fn an_operation_by_get_is_told_to_be_done_by_post() {
    let daemon = Daemon::start(&[]);
    assert_eq!(create(&daemon, "web1").code, 201);
    let how = |op: &str| {
        format!(
            "GET does no operation: send {{\"op\": \"{op}\"}} by POST, with Content-Type: \
             application/json"
        )
    };
    for (target, text) in [
        ("/xend/domain/web1?op=unpause", how("unpause")),
        ("/xend/domain?detail=1&op=create", how("create")),
        ("/xend/help?op=pause", "GET does no operation, and this page has none".to_owned()),
    ] {
        let answer = get(&daemon, target, "");
        let problem = parsed(&answer);
        assert_eq!((answer.code, &problem["parameter"]), (422, &json!("op")), "{problem}");
        assert_eq!(detail(&problem), text, "{target}");
    }
    let vcpus = get(&daemon, "/xend/domain/web1?op=vcpuinfo", "");
    assert_eq!((vcpus.code, parsed(&vcpus)["vcpus"].as_array().unwrap().len()), (200, 2));
    // xend ignored it.
    assert_eq!(daemon.get("/xend/domain/web1?op=unpause").code, 200);
    assert_eq!(parsed(&get(&daemon, "/xend/domain/web1", ""))["state"], "paused");
}

#[test]
fn pages_say_which_methods_they_have() {
    let daemon = Daemon::start(&[]);
    assert_eq!(create(&daemon, "web1").code, 201);
    let vnet = json!({"op": "create", "config": {"id": "1"}}).to_string();
    assert_eq!(post(&daemon, "/xend/vnet", "", &vnet).code, 204);
    let document = parsed(&get(&daemon, "/xend/openapi.json", ""));
    let mut targets: Vec<(String, bool)> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .filter(|(_, page)| page["get"].is_object())
        .map(|(path, page)| {
            let target = path.replace("{domain}", "web1").replace("{id}", "1");
            (target, page["post"].is_object())
        })
        .collect();
    targets.extend(
        ["/xend/new", "/xend/domain/web1/confirm", "/xend/assets/1/xend.css"]
            .map(|target| (target.to_owned(), false)),
    );
    assert!(targets.len() > 17, "{targets:?}");
    let upload = send(&daemon, "GET", "/xend/node/storage/upload");
    assert_eq!((upload.code, upload.header("allow")), (405, Some("POST")));
    for (target, has_operations) in targets {
        let methods = if has_operations { "GET, HEAD, POST" } else { "GET, HEAD" };
        let mut others = vec!["DELETE", "PUT", "OPTIONS"];
        if !has_operations {
            others.push("POST");
        }
        for method in others {
            let answer = send(&daemon, method, &target);
            assert_eq!(answer.code, 405, "{method} {target}");
            assert_eq!(answer.header("allow"), Some(methods), "{method} {target}");
            let problem = parsed(&answer);
            assert_eq!(problem["code"], "method_not_allowed");
            assert_eq!(problem["allowed"].as_array().unwrap().len(), methods.split(", ").count());
        }
    }
    for method in ["GET", "POST", "PUT", "DELETE"] {
        let answer = send(&daemon, method, "/xend/nosuch");
        assert_eq!((answer.code, &parsed(&answer)["code"]), (404, &json!("not_found")), "{method}");
    }
}

/// Checks that a body is refused because of this parameter, with a text that begins so.
fn assert_refused(daemon: &Daemon, target: &str, body: &Value, parameter: &str, text: &str) {
    let answer = post(daemon, target, "", &body.to_string());
    let problem = parsed(&answer);
    assert_eq!((answer.code, &problem["parameter"]), (422, &json!(parameter)), "{problem}");
    let expected = format!("Invalid value for {parameter}: {text}");
    assert!(detail(&problem).starts_with(&expected), "{problem}");
}

/// A refusal names the path of the parameter, in words of JSON, with ranges and words.
#[test]
fn refusals_of_configurations_speak_of_json() {
    let daemon = Daemon::start(&[]);
    assert_eq!(create(&daemon, "web1").code, 201);
    let with = |key: &str, value: Value| {
        let mut config = config("web2");
        config[key] = value;
        json!({"op": "create", "config": config})
    };
    let vifs = |vif: Value| with("devices", json!({"vif": [{}, vif]}));
    let disk = |disk: Value| with("devices", json!({"vbd": [disk]}));
    for (target, body, parameter, text) in [
        (
            "/xend/domain",
            json!({"op": "create", "config": 7}),
            "config",
            "an object is expected, not a number",
        ),
        (
            "/xend/domain",
            with("cpu_weight", json!(0)),
            "config.cpu_weight",
            "a whole number from 1 to 65535 is expected",
        ),
        (
            "/xend/domain",
            with("memory_mib", json!("64")),
            "config.memory_mib",
            "a whole number from 1 to 4294967296 is expected, not a string",
        ),
        (
            "/xend/domain",
            vifs(json!({"mac": 7})),
            "config.devices.vif[1].mac",
            "a string is expected, not a number",
        ),
        ("/xend/domain", vifs(json!({"mac": "7"})), "config.devices.vif[1].mac", "\"7\" is not"),
        (
            "/xend/domain",
            vifs(json!([])),
            "config.devices.vif[1]",
            "an object is expected, not a list",
        ),
        (
            "/xend/domain",
            disk(json!({"dev": "xvda", "mode": "rw"})),
            "config.devices.vbd[0].mode",
            "one of r, w, w! is expected",
        ),
        (
            "/xend/domain",
            disk(json!({"dev": "hdc:cdrom"})),
            "config.devices.vbd[0].dev",
            "the type has a key of its own, write \"dev\": \"hdc\", \"type\": \"cdrom\"",
        ),
        (
            "/xend/domain",
            with("settings", json!({"a": {"b": 1}})),
            "config.settings.a",
            "a number, a string, true, false, null, a list, or",
        ),
        (
            "/xend/domain",
            with("max_memory_mib", json!(1)),
            "config.max_memory_mib",
            "1 MiB is less than memory, 64 MiB",
        ),
    ] {
        assert_refused(&daemon, target, &body, parameter, text);
    }
    let body = disk(json!({"dev": "xvda"})).to_string();
    let no_source = parsed(&post(&daemon, "/xend/domain", "", &body));
    let text = "Invalid value for config.devices.vbd[0].uname: a source like phy:/dev/vg0/root is";
    assert!(detail(&no_source).starts_with(text), "{no_source}");
    // An old client sends zero in an S-expression.
    let old = daemon.create(&guest("old", "(cpu_weight 0)"));
    assert_eq!(old.code, 500);
    assert!(old.text().contains("cpu_weight: 0 is out of range, 1 to 65535"), "{}", old.text());
}

#[test]
fn refusals_of_parameters_speak_of_json() {
    let daemon = Daemon::start(&[]);
    assert_eq!(create(&daemon, "web1").code, 201);
    for (target, body, parameter, text) in [
        (
            "/xend/domain/web1",
            json!({"op": "device_create", "config": {"vif": {"mac": "x"}}}),
            "config.vif.mac",
            "\"x\" is not",
        ),
        (
            "/xend/domain/web1",
            json!({"op": "device_create", "config": {}}),
            "config",
            "give exactly one device, like {\"vif\": {}}",
        ),
        (
            "/xend/domain/web1",
            json!({"op": "maxmem_set", "memory_mib": "2G"}),
            "memory_mib",
            "a whole number (MiB) is expected, not a string",
        ),
        (
            "/xend/domain/web1",
            json!({"op": "sysrq", "key": -1}),
            "key",
            "'-1' is out of range, 0 to 255",
        ),
        (
            "/xend/domain/web1",
            json!({"op": "dump", "file": "/nosuch/a/b", "live": 1}),
            "live",
            "true or false is expected, not a number",
        ),
        (
            "/xend/domain/web1",
            json!({"op": "shutdown", "reason": 1}),
            "reason",
            "one of poweroff, reboot, halt, suspend, crash is expected, not a number",
        ),
        (
            "/xend/vnet",
            json!({"op": "create", "config": {"id": 1}}),
            "config.id",
            "a string is expected, not a number",
        ),
        (
            "/xend/vnet",
            json!({"op": "create", "config": {"id": ""}}),
            "config.id",
            "1 to 255 characters",
        ),
    ] {
        assert_refused(&daemon, target, &body, parameter, text);
    }
    // What an operation refuses itself has the name that the request has for it.
    let timeout = json!({"op": "agent_version", "timeout_seconds": 0});
    let text = "'0' is not a whole number from 1 to 600";
    assert_refused(&daemon, "/xend/domain/web1", &timeout, "timeout_seconds", text);
    let form = "op=agent_version&timeout=0";
    let length = form.len();
    let form = format!(
        "POST /xend/domain/web1 HTTP/1.1\r\nHost: localhost\r\n{JSON}Content-Length: {length}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\n{form}"
    );
    let refused = parsed(&ask(&Listener::Tcp(daemon.tcp), form.as_bytes()));
    assert_eq!(refused["parameter"], "timeout", "{refused}");
    assert_eq!(detail(&refused), format!("Invalid value for timeout: {text}"));
    // The parameter that the text of an operation begins with.
    let (code, full) = perform(&daemon, "web1", &json!({"op": "dump", "file": "/nosuch/a/b"}));
    assert_eq!((code, &full["parameter"]), (422, &json!("file")), "{full}");
}

/// The client has not sent its body yet: it is answered instead of being told to send it.
#[test]
fn a_body_that_is_too_large_is_refused_before_it_is_sent() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("xend-config.sxp");
    std::fs::write(&config, "(xend-max-body 20000)").unwrap();
    let daemon = Daemon::start_with_config(dir, &config, &[]);
    let head = |accept: &str, length: usize| {
        format!(
            "POST /xend/domain HTTP/1.1\r\nHost: localhost\r\n{accept}Expect: 100-continue\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        )
    };
    for accept in [JSON, ""] {
        let answer = ask(&Listener::Tcp(daemon.tcp), head(accept, 30_000).as_bytes());
        assert_eq!(answer.code, 413, "{answer:?}");
    }
    // A smaller one is asked for.
    let mut stream = connect(&Listener::Tcp(daemon.tcp));
    stream.write_all(head(JSON, 2).as_bytes()).unwrap();
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"{}").unwrap();
    let mut start = [0; 12];
    stream.read_exact(&mut start).unwrap();
    assert_eq!(&start, b"HTTP/1.1 422");
}

#[test]
fn the_reference_has_flags() {
    let daemon = Daemon::start(&[]);
    let help = parsed(&get(&daemon, "/xend/help", ""));
    let pages = help["help"]["page"].as_array().unwrap_or_else(|| panic!("{help}"));
    let save = pages.iter().flat_map(|page| page["op"].as_array().unwrap());
    let save = save.into_iter().find(|op| op["name"] == "save").unwrap();
    assert_eq!(save["param"][0]["required"], json!(true), "{save}");
}

/// A listener refuses requests before a page sees them.
#[test]
fn refusals_of_listeners_are_problems() {
    let daemon = Daemon::start(&[]);
    let ask = |headers: &str| {
        let head = format!("POST /xend/domain HTTP/1.1\r\nContent-Length: 0\r\n{headers}\r\n");
        ask(&Listener::Tcp(daemon.tcp), head.as_bytes())
    };
    for (headers, code, text) in [
        ("Host: evil.example\r\n", "foreign_host", "This server is not 'evil.example'"),
        (
            "Host: localhost\r\nOrigin: http://evil.example\r\n",
            "foreign_page",
            "A page of another site",
        ),
    ] {
        let answer = ask(&format!("{headers}{JSON}"));
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{answer:?}");
        let problem = parsed(&answer);
        assert_eq!((answer.code, &problem["code"]), (403, &json!(code)));
        assert!(detail(&problem).starts_with(text), "{problem}");
        let old = ask(headers);
        assert_eq!(
            (old.code, old.header("content-type")),
            (403, Some("text/plain; charset=utf-8"))
        );
        assert!(old.text().starts_with(text), "{old:?}");
    }
}

#[test]
fn a_zero_byte_is_refused_with_its_place() {
    let daemon = Daemon::start(&[]);
    for (body, parameter) in [
        (
            r#"{"op": "create", "config": {"name": "a", "memory_mib": 64, "description": "a\u0000"}}"#,
            "config.description",
        ),
        (
            r#"{"op": "create", "config": {"name": "a", "memory_mib": 64, "bootloader": "/b\u0000"}}"#,
            "config.bootloader",
        ),
        (r#"{"op": "restore", "file": "/a\u0000b"}"#, "file"),
    ] {
        let answer = post(&daemon, "/xend/domain", "", body);
        let problem = parsed(&answer);
        assert_eq!((answer.code, &problem["parameter"]), (422, &parameter.into()), "{problem}");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("a zero byte is in it"), "{detail}");
    }
}

//! The JSON interface: bodies, statuses, problems, and the OpenAPI document.

use crate::http_json_support::{JSON, config, create, get, parsed, perform, post};
use crate::http_support::{Answer, Daemon, Listener, ask, guest};
use serde_json::{Value, json};

#[test]
fn a_domain_is_created_changed_and_destroyed() {
    let daemon = Daemon::start(&[]);
    let created = create(&daemon, "web1");
    assert_eq!(created.status(), "201 Created", "{}", created.text());
    assert!(created.header("location").unwrap().ends_with("/xend/domain/web1"));
    let domain = parsed(&created);
    assert_eq!((&domain["state"], &domain["memory_mib"]), (&json!("paused"), &json!(64)));
    assert_eq!(domain["devices"]["vbd"][0]["mode"], "w");
    // An old client sees the same domain.
    assert_eq!(daemon.value("web1", "memory"), "64");

    assert_eq!(perform(&daemon, "web1", &json!({"op": "unpause"})), (204, Value::Null));
    let (code, attached) = perform(
        &daemon,
        "web1",
        &json!({"op": "device_create", "config": {"vif": {"bridge": "xenbr1"}}}),
    );
    assert_eq!((code, &attached["class"], &attached["number"]), (200, &json!("vif"), &json!(1)));
    let (_, devices) = perform(&daemon, "web1", &json!({"op": "devices", "type": "vif"}));
    assert_eq!((&devices[1]["number"], &devices[1]["state"]), (&json!(1), &json!("connected")));
    let set = json!({"op": "domain_sched_credit_set", "weight": 512, "cap_percent": 50});
    assert_eq!(perform(&daemon, "web1", &set).0, 204);
    let (_, credit) = perform(&daemon, "web1", &json!({"op": "domain_sched_credit_get"}));
    assert_eq!(credit, json!({"weight": 512, "cap_percent": 50}));

    // An answer is a configuration.
    let shown = parsed(&get(&daemon, "/xend/domain/web1", ""));
    let defined = json!({"op": "new", "config": shown});
    assert_eq!(post(&daemon, "/xend/domain", "", &defined.to_string()).code, 204);
    assert_eq!(perform(&daemon, "web1", &json!({"op": "destroy"})), (204, Value::Null));
    let halted = parsed(&get(&daemon, "/xend/domain/web1", ""));
    assert_eq!((&halted["state"], &halted["domid"]), (&json!("halted"), &Value::Null));
    for key in ["uuid", "devices", "cpu_weight", "image", "on_crash"] {
        let without_numbers = |domain: &Value| match &domain[key] {
            Value::Object(devices) if key == "devices" => json!([devices["vif"], devices["vbd"]]),
            other => other.clone(),
        };
        assert_eq!(without_numbers(&halted), without_numbers(&shown), "{key}");
    }
}

/// A client that does not ask for JSON gets xend's answers, whatever it sends.
#[test]
fn old_formats_stay() {
    let daemon = Daemon::start(&[]);
    daemon.create(&guest("web1", ""));
    let body = r#"{"op": "unpause"}"#;
    let head = |op: &str| {
        let body = body.replace("unpause", op);
        let length = body.len();
        format!(
            "POST /xend/domain/web1 HTTP/1.1\r\nHost: localhost\r\nPrefer: respond-async\r\n\
             If-None-Match: *\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        )
    };
    let post = |op: &str| ask(&Listener::Tcp(daemon.tcp), head(op).as_bytes());
    assert_eq!(
        (post("unpause").status(), post("unpause").text()),
        ("200 OK".into(), String::new())
    );
    let failed = post("maxmem_set");
    assert_eq!(failed.status(), "500 Request failed: maxmem_set");
    assert_eq!(failed.text(), "(xend.err 'Missing parameter: memory_mib')");
    let list = daemon.get("/xend/domain");
    assert!(list.header("etag").is_none() && list.text() == "(Domain-0 web1)");
}

/// Pages of other sites change nothing: their browsers say so, and JSON needs its media type.
#[test]
fn foreign_pages_change_nothing() {
    let daemon = Daemon::start(&[]);
    assert_eq!(create(&daemon, "web1").code, 201);
    let body = r#"{"op": "destroy"}"#;
    for headers in [
        "Origin: http://evil.example\r\n",
        "Sec-Fetch-Site: cross-site\r\n",
        "Referer: http://evil.example/\r\n",
        "Origin: null\r\n",
    ] {
        assert_eq!(post(&daemon, "/xend/domain/web1", headers, body).code, 403, "{headers}");
    }
    // What a form can send without asking is not read as JSON.
    for media in ["text/plain", "application/x-www-form-urlencoded", ""] {
        let head = format!(
            "POST /xend/domain/web1 HTTP/1.1\r\nHost: localhost\r\n{JSON}Content-Type: {media}\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        assert!(ask(&Listener::Tcp(daemon.tcp), head.as_bytes()).code >= 400, "{media}");
    }
    assert_eq!(get(&daemon, "/xend/domain/web1", "").code, 200);
}

/// Whether a value has what its schema requires, and the types that it names, at all depths.
fn check(document: &Value, schema: &Value, value: &Value, place: &str) -> Result<(), String> {
    if let Some(reference) = schema["$ref"].as_str() {
        return check(document, document.pointer(&reference[1..]).unwrap(), value, place);
    }
    if let Some(any) = schema["anyOf"].as_array().or(schema["oneOf"].as_array()) {
        let failures: Vec<_> =
            any.iter().filter_map(|one| check(document, one, value, place).err()).collect();
        return if failures.len() < any.len() { Ok(()) } else { Err(failures.join("; ")) };
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => return Ok(()),
    };
    let own = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(n) if n.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let fits = types.contains(&own) || (own == "integer" && types.contains(&"number"));
    if !fits {
        return Err(format!("{place} is {own}, not {types:?}"));
    }
    if let Some(words) = schema["enum"].as_array().filter(|words| !words.contains(value)) {
        return Err(format!("{place} is {value}, not one of {words:?}"));
    }
    match value {
        Value::Object(members) => {
            for key in schema["required"].as_array().into_iter().flatten() {
                if !members.contains_key(key.as_str().unwrap()) {
                    return Err(format!("{place} has no {key}"));
                }
            }
            for (key, value) in members {
                check(document, &schema["properties"][key], value, &format!("{place}.{key}"))?;
            }
            Ok(())
        }
        Value::Array(items) => items
            .iter()
            .try_for_each(|item| check(document, &schema["items"], item, &format!("{place}[]"))),
        _ => Ok(()),
    }
}

#[test]
fn answers_have_what_their_schemas_require() {
    let daemon = Daemon::start(&[]);
    let document = parsed(&get(&daemon, "/xend/openapi.json", ""));
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(create(&daemon, "web1").code, 201);
    assert_eq!(perform(&daemon, "web1", &json!({"op": "unpause"})).0, 204);
    let vnet = json!({"op": "create", "config": {"id": "1", "settings": {"vnetif": "v1"}}});
    assert_eq!(post(&daemon, "/xend/vnet", "", &vnet.to_string()).code, 204);
    let check_answer = |path: &str, method: &str, answer: &Answer| {
        let response = &document["paths"][path][method]["responses"];
        let code = answer.code.to_string();
        let response =
            if response[&code].is_null() { &response["default"] } else { &response[&code] };
        let Some(content) = response["content"].as_object() else {
            assert!(answer.body.is_empty(), "{method} {path}: {answer:?}");
            return;
        };
        let media = answer.header("content-type").unwrap();
        let schema = &content.get(media).unwrap_or_else(|| panic!("{path}: {media}"))["schema"];
        if media.ends_with("json") {
            let checked = check(&document, schema, &parsed(answer), "");
            checked.unwrap_or_else(|error| panic!("{method} {path}: {error}: {}", answer.text()));
        }
    };
    let made = post(&daemon, "/xend/node/storage", "", r#"{"op": "create", "size_mib": 1}"#);
    let image = made.header("location").unwrap().rsplit('/').next().unwrap().to_owned();
    let filled = |path: &str| {
        let path = path.replace("/storage/{id}", &format!("/storage/{image}"));
        path.replace("{domain}", "web1").replace("{id}", "1")
    };
    let mut pages = 0;
    for (path, entry) in document["paths"].as_object().unwrap() {
        // Images are sent there, and nothing is read.
        if path == "/xend/node/storage/upload" {
            assert!(entry["get"].is_null());
            continue;
        }
        if path != "/xend/events" {
            pages += 1;
            check_answer(path, "get", &get(&daemon, &filled(path), ""));
        }
        assert!(entry["get"]["operationId"].is_string());
    }
    assert!(pages > 12, "{pages}");
    for target in ["/xend/domain?detail=1", "/xend/domain?state=all"] {
        check_answer("/xend/domain", "get", &get(&daemon, target, ""));
    }
    // Operations in an order in which they succeed; what ends the domain comes last.
    let web1 = "/xend/domain/{domain}";
    let mut done = Vec::new();
    for (path, body) in [
        (web1, json!({"op": "vcpuinfo"})),
        (web1, json!({"op": "devices", "type": "vbd"})),
        (web1, json!({"op": "device_create", "config": {"vif": {}}})),
        (web1, json!({"op": "device_destroy", "type": "vif", "dev": "1", "force": true})),
        (web1, json!({"op": "cpu_sedf_get"})),
        (web1, json!({"op": "domain_sched_credit_get"})),
        (web1, json!({"op": "agent_version"})),
        (web1, json!({"op": "agent_features", "timeout_seconds": 30})),
        (web1, json!({"op": "set_password", "password": "Secret1"})),
        (web1, json!({"op": "inject_file", "file": "/etc/motd", "contents": "Welcome"})),
        (web1, json!({"op": "reset_network", "address": "203.0.113.10/24"})),
        (web1, json!({"op": "mem_target_set", "target_mib": 64})),
        (web1, json!({"op": "maxmem_set", "memory_mib": 64})),
        (web1, json!({"op": "set_vcpus", "vcpus": 1})),
        (web1, json!({"op": "pincpu", "vcpu": "all", "cpumap": "0"})),
        (web1, json!({"op": "sysrq", "key": 115})),
        (web1, json!({"op": "send_trigger", "trigger": "nmi"})),
        (web1, json!({"op": "wait_for_devices"})),
        (web1, json!({"op": "pause"})),
        (web1, json!({"op": "unpause"})),
        (web1, json!({"op": "reset"})),
        (web1, json!({"op": "destroy"})),
        ("/xend/domain", json!({"op": "list"})),
        ("/xend/domain", json!({"op": "new", "config": config("web1")})),
        (web1, json!({"op": "devices", "type": "vbd"})),
        (web1, json!({"op": "start", "paused": false})),
        (web1, json!({"op": "suspend"})),
        (web1, json!({"op": "resume"})),
        (web1, json!({"op": "shutdown", "reason": "halt"})),
        ("/xend/node/dmesg", json!({"op": "clear"})),
        ("/xend/node/storage", json!({"op": "create", "size_mib": 1, "name": "root"})),
        ("/xend/node/storage/{id}", json!({"op": "resize", "size_mib": 2})),
        ("/xend/node/storage/{id}", json!({"op": "clone"})),
        ("/xend/node/storage/{id}", json!({"op": "delete"})),
        ("/xend/vnet/{id}", json!({"op": "delete"})),
    ] {
        let answer = post(&daemon, &filled(path), "", &body.to_string());
        assert!(answer.code < 300, "{path} {body}: {answer:?} {}", answer.text());
        check_answer(path, "post", &answer);
        done.push(body["op"].as_str().unwrap().to_owned());
    }
    assert!(done.len() > 30);
    let refused = post(&daemon, "/xend/domain", "", "{}");
    check_answer("/xend/domain", "post", &refused);
}

#[test]
fn events_have_the_keys_of_their_schema() {
    use crate::http_events::EventClient;
    let daemon = Daemon::start(&[]);
    let document = parsed(&get(&daemon, "/xend/openapi.json", ""));
    let content = &document["paths"]["/xend/events"]["get"]["responses"]["200"]["content"];
    let schema = &content["application/x-ndjson"]["schema"]["properties"]["event"];
    let mut events = EventClient::new(&daemon, "/xend/events", JSON);
    assert_eq!(create(&daemon, "web1").code, 201);
    loop {
        let event = events.event().unwrap();
        check(&document, schema, &event, "event").unwrap();
        for key in event.as_object().unwrap().keys() {
            assert!(schema["properties"].get(key).is_some(), "{key}");
        }
        if event["kind"] == "done" {
            break;
        }
    }
}

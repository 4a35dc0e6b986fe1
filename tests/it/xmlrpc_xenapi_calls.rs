//! Every call of the Xen-API: with right parameters on a host that has everything
//! (`sexpr-fixtures/xmlrpc/session.jsonl`), waited for and as a task; with a wrong count, a bad
//! session and a bad reference.
//!
//! A line of the session is a call and what must come of it: `as` names the answer for later lines,
//! `at` takes one element of it, `is` is what it must be, `has` members that it must have, `hasnt`
//! those that it must not, `err` what it must begin with if it fails.

use crate::xenapi_support::{Client, Said, members, strings, text};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use xend::wire::xmlrpc::Value;

/// Fields that move while one looks.
const MOVING: &[&str] = &[
    "last_updated",
    "last_active",
    "VCPUs_utilisation",
    "VCPUs_CPU",
    "VCPUs_flags",
    "state",
    "memory_free",
    "utilisation",
    "io_read_kbs",
    "io_write_kbs",
    "runtime_properties",
    "physical_utilisation",
    "physical_size",
];

struct Play {
    client: Client,
    /// Whether everything that can be is a task.
    later: bool,
    named: BTreeMap<String, Value>,
    /// Methods that were called with right parameters.
    called: BTreeSet<String>,
    methods: BTreeSet<String>,
}

impl Play {
    fn new(later: bool) -> Self {
        let client = Client::new();
        let methods =
            strings(&client.call("host.list_methods", &[]).unwrap()).into_iter().collect();
        let mut named = BTreeMap::new();
        named.insert("session".to_owned(), client.session.clone());
        named.insert("dir".to_owned(), text(client.daemon.dir.path().to_str().unwrap()));
        Self { client, later, named, called: BTreeSet::new(), methods }
    }

    fn value(&self, json: &Json) -> Value {
        match json {
            Json::Null => Value::Nil,
            Json::Bool(on) => Value::Bool(*on),
            Json::Number(n) => Value::Int(n.as_i64().unwrap()),
            Json::Array(all) => Value::Array(all.iter().map(|one| self.value(one)).collect()),
            Json::Object(map) => {
                Value::Struct(map.iter().map(|(key, one)| (key.clone(), self.value(one))).collect())
            }
            Json::String(word) => match word.strip_prefix('$') {
                None => text(word),
                Some(name) => match (name.split_once('/'), self.named.get(name)) {
                    (Some((name, rest)), _) => {
                        let Value::Text(dir) = &self.named[name] else { panic!() };
                        text(&format!("{dir}/{rest}"))
                    }
                    (None, Some(value)) => value.clone(),
                    (None, None) => panic!("nothing is called {name}"),
                },
            },
        }
    }

    /// Makes a call, by way of a task if it can be one.
    fn call(&mut self, method: &str, params: &[Value]) -> Said {
        let task = format!("Async.{method}");
        // Of a task that looks at tasks nothing is left when its answer is there.
        if !self.later || method.starts_with("task.") || !self.methods.contains(&task) {
            self.called.insert(method.to_owned());
            return self.client.call(method, params);
        }
        self.called.insert(task.clone());
        let task = self.client.call(&task, params)?;
        let mut record = BTreeMap::new();
        self.client.daemon.until("the task ends", |_| {
            let said = self.client.call("task.get_record", std::slice::from_ref(&task)).unwrap();
            record = members(said);
            record["status"] != text("pending")
        });
        self.client.call("task.destroy", &[task]).unwrap();
        match &record["error_info"] {
            Value::Array(none) if none.is_empty() => Ok(record["result"].clone()),
            failed => Err(strings(failed)),
        }
    }

    fn play(&mut self, line: &Json) {
        let method = line["c"].as_str().unwrap();
        let params: Vec<Value> =
            line["p"].as_array().unwrap().iter().map(|one| self.value(one)).collect();
        match method {
            "*getters" => return self.look_at_everything(),
            "*until" => {
                let vm = params[0].clone();
                let state = params[1].clone();
                return self.client.daemon.until("the VM gets there", |_| {
                    self.client.call("VM.get_power_state", std::slice::from_ref(&vm))
                        == Ok(state.clone())
                });
            }
            _ => {}
        }
        let said = self.call(method, &params);
        let wanted = line.get("err").map(|err| strings(&self.value(err)));
        match (said, wanted) {
            (Ok(said), None) => {
                let said = match (line.get("at"), said) {
                    (Some(at), Value::Array(mut all)) => {
                        all.swap_remove(usize::try_from(at.as_u64().unwrap()).unwrap())
                    }
                    (_, said) => said,
                };
                if let Some(wanted) = line.get("is") {
                    assert_eq!(sorted(said.clone()), sorted(self.value(wanted)), "{line}");
                }
                if let Some(wanted) = line.get("has") {
                    let said = members(said.clone());
                    for (key, wanted) in members(self.value(wanted)) {
                        assert_eq!(said.get(&key), Some(&wanted), "{line}");
                    }
                }
                for key in line.get("hasnt").and_then(Json::as_array).into_iter().flatten() {
                    assert!(!members(said.clone()).contains_key(key.as_str().unwrap()), "{line}");
                }
                if let Some(name) = line.get("as") {
                    self.named.insert(name.as_str().unwrap().to_owned(), said);
                }
            }
            (Err(said), Some(wanted)) => {
                let same = wanted == ["*"] || said.starts_with(&wanted);
                assert!(same, "{line}: {said:?}");
                if said[0] == "VALUE_NOT_SUPPORTED" {
                    assert!(
                        said.len() == 4 && !said[1].is_empty() && !said[3].is_empty(),
                        "{line}: {said:?}"
                    );
                }
                assert!(!said.concat().contains("secret"));
            }
            (said, _) => panic!("{line}: {said:?}"),
        }
    }

    /// Each getter of each object of each class, and its record.
    fn look_at_everything(&mut self) {
        let classes: BTreeSet<String> = self
            .methods
            .iter()
            .filter_map(|method| method.strip_suffix(".get_record"))
            .filter(|class| !class.starts_with("Async."))
            .map(str::to_owned)
            .collect();
        for class in classes {
            let all = strings(&self.call(&format!("{class}.get_all"), &[]).unwrap());
            if class != "session" {
                let records = members(self.call(&format!("{class}.get_all_records"), &[]).unwrap());
                assert_eq!(records.len(), all.len(), "{class}");
            }
            let none =
                ["task", "event", "XSPolicy", "ACMPolicy", "debug"].contains(&class.as_str());
            assert!(none || !all.is_empty(), "there is no {class}");
            for reference in all {
                let one = [text(&reference)];
                let record = members(self.call(&format!("{class}.get_record"), &one).unwrap());
                for field in fields_of_416(&class) {
                    assert!(record.contains_key(&field), "{class}'s record has no {field}");
                }
                assert!(!format!("{record:?}").contains("secret"), "{class}");
                for (field, value) in record {
                    let got = self.call(&format!("{class}.get_{field}"), &one).unwrap();
                    let same = MOVING.contains(&field.as_str()) || got == value;
                    assert!(same, "{class}.{field}: {got:?} and not {value:?}");
                }
                assert_eq!(self.call(&format!("{class}.get_by_uuid"), &one), Ok(one[0].clone()));
                if self.methods.contains(&format!("{class}.get_name_label")) {
                    let label = self.client.call(&format!("{class}.get_name_label"), &one).unwrap();
                    let found = self.call(&format!("{class}.get_by_name_label"), &[label]).unwrap();
                    assert!(strings(&found).contains(&reference), "{class}");
                }
            }
        }
    }
}

/// Members of a struct have an order that is nobody's business here.
fn sorted(value: Value) -> Value {
    match value {
        Value::Struct(mut members) => {
            members.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Struct(members)
        }
        other => other,
    }
}

fn session() -> Vec<Json> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("sexpr-fixtures/xmlrpc/session.jsonl");
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Calls that other tests make.
fn is_elsewhere(method: &str) -> bool {
    let class = method.split('.').next().unwrap();
    // What a task or a debug object has is there while there is one; there is no policy.
    let getters =
        ["task", "debug", "XSPolicy", "ACMPolicy"].contains(&class) && method.contains(".get_");
    getters
        || ["task", "event"].contains(&class)
        || method.starts_with("session.log")
        || method == "session.local_logout"
}

fn every_call_once(later: bool) {
    let mut play = Play::new(later);
    for line in session() {
        play.play(&line);
    }
    let missing: Vec<&String> = play
        .methods
        .iter()
        .filter(|method| {
            method.starts_with("Async.") == later
                && !is_elsewhere(method.trim_start_matches("Async."))
        })
        .filter(|method| !play.called.contains(*method))
        .collect();
    assert!(missing.is_empty(), "nobody called {missing:#?}");
    assert!(!play.client.daemon.log().contains("secret"));
}

#[test]
fn every_call_with_right_parameters() {
    every_call_once(false);
}

#[test]
fn every_call_as_a_task() {
    every_call_once(true);
}

/// A wrong count, a session that is none, a reference that is none, and nonsense for everything
/// else.
#[test]
fn every_call_checks_what_it_gets() {
    let client = Client::populated();
    let methods = strings(&client.call("host.list_methods", &[]).unwrap());
    for method in &methods {
        if method.starts_with("session.log")
            || method == "session.local_logout"
            || method == "event.next"
        {
            continue;
        }
        let mismatch = client.bare(method, &[]).unwrap_err();
        assert_eq!(mismatch[..2], ["MESSAGE_PARAMETER_COUNT_MISMATCH", method.as_str()]);
        let count: usize = mismatch[2].parse().unwrap();
        let mut params = vec![text("nonsense"); count];
        assert_eq!(client.bare(method, &params).unwrap_err()[0], "SESSION_INVALID", "{method}");
        params[0] = client.session.clone();
        if !method.starts_with("Async.") {
            match client.bare(method, &params) {
                Ok(_) => assert!(count == 1 || is_about_nothing(method), "{method}"),
                Err(said) => {
                    let fine =
                        ["HANDLE_INVALID", "VALUE_NOT_SUPPORTED", "SECURITY_ERROR", "DEBUG_FAIL"];
                    assert!(fine.contains(&said[0].as_str()), "{method}: {said:?}");
                    if said[0] == "VALUE_NOT_SUPPORTED" {
                        assert_eq!(
                            (said.len(), said[2].as_str()),
                            (4, "nonsense"),
                            "{method}: {said:?}"
                        );
                        assert!(!said[1].is_empty() && said[1] != "value", "{method}: {said:?}");
                    }
                    if said[0] == "HANDLE_INVALID" {
                        assert_eq!(
                            (said.len(), said[2].as_str()),
                            (3, "nonsense"),
                            "{method}: {said:?}"
                        );
                    }
                }
            }
        }
        params.push(Value::Nil);
        assert_eq!(
            client.bare(method, &params).unwrap_err()[0],
            "MESSAGE_PARAMETER_COUNT_MISMATCH"
        );
    }
    assert_eq!(client.call("VM.fly", &[]).unwrap_err(), ["MESSAGE_METHOD_UNKNOWN", "VM.fly"]);
    assert_eq!(client.call("fly", &[]).unwrap_err(), ["MESSAGE_METHOD_UNKNOWN", "fly"]);
    assert_eq!(
        client.call("Async.VM.fly", &[]).unwrap_err(),
        ["MESSAGE_METHOD_UNKNOWN", "Async.VM.fly"]
    );
    assert!(!client.daemon.log().contains("panic"));
}

/// How an error shows what was sent.
fn shown(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::Int(n) => n.to_string(),
        Value::Bool(on) => on.to_string(),
        Value::Double(n) => n.to_string(),
        other => other.kind().to_owned(),
    }
}

/// A value of each kind that some place does not take.
fn wrong_values() -> [Value; 6] {
    [
        Value::Nil,
        Value::Struct(vec![("a".to_owned(), Value::Nil)]),
        Value::Array(vec![Value::Nil]),
        Value::Bool(true),
        Value::Double(1.5),
        text("nonsense"),
    ]
}

fn assert_says_what_was_sent(said: &Said, place: &str, sent: &[Value], what: &str) {
    let Err(said) = said else { return };
    // What another host says is none of this host's doing.
    assert!(said[0] != "INTERNAL_ERROR" || what.starts_with("VM.migrate"), "{what}: {said:?}");
    if said[0] != "VALUE_NOT_SUPPORTED" {
        return;
    }
    assert!(
        said.len() == 4 && !said[1].is_empty() && said[1] != "value" && !said[3].is_empty(),
        "{what}: {said:?}"
    );
    assert!(place.is_empty() || said[1] == place, "{what}: {said:?}");
    assert!(sent.iter().any(|value| shown(value) == said[2]), "{what}: {said:?}");
}

/// An error about a value has what was sent in it, wherever the value is.
#[test]
fn every_error_about_a_value_says_what_was_sent() {
    let client = Client::populated();
    let vm = client.vm("web");
    let methods = strings(&client.call("host.list_methods", &[]).unwrap());
    for method in methods.iter().filter(|method| !method.starts_with("Async.")) {
        if method.starts_with("session.log")
            || method == "session.local_logout"
            || method == "event.next"
        {
            continue;
        }
        let class = method.split('.').next().unwrap();
        let all = strings(&client.call(&format!("{class}.get_all"), &[]).unwrap());
        let one = if class == "VM" {
            vm.clone()
        } else {
            text(all.first().map_or("none", String::as_str))
        };
        let count: usize = client.bare(method, &[]).unwrap_err()[2].parse().unwrap();
        for at in 1..count {
            for wrong in wrong_values() {
                let mut params =
                    vec![client.session.clone(), one.clone(), text("7"), text("8"), text("9")];
                params.truncate(count);
                params[at] = wrong;
                let said = client.bare(method, &params);
                assert_says_what_was_sent(
                    &said,
                    "",
                    &params[1..],
                    &format!("{method}{:?}", &params[1..]),
                );
            }
        }
    }
    assert!(!client.daemon.log().contains("panic"));
}

/// The same of the members of records.
#[test]
fn every_error_about_a_member_says_what_was_sent() {
    let client = Client::populated();
    let made = |class: &str, record: &[(&str, Value)]| {
        let record =
            record.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        client.call(&format!("{class}.create"), &[Value::Struct(record)]).unwrap()
    };
    let vm =
        made("VM", &[("name_label", text("halted")), ("memory_dynamic_max", text("67108864"))]);
    let vdi = made("VDI", &[("SR", client.sr()), ("virtual_size", text("1048576"))]);
    let first = |class: &str| match &client.call(&format!("{class}.get_all"), &[]).unwrap() {
        Value::Array(all) => all.first().cloned().unwrap_or(Value::Nil),
        other => panic!("{other:?}"),
    };
    for class in [
        "VM", "VDI", "VBD", "VIF", "VTPM", "console", "DPCI", "DSCSI", "PBD", "network", "cpu_pool",
    ] {
        let needed = [
            ("name_label", text("new")),
            ("memory_dynamic_max", text("67108864")),
            ("VM", vm.clone()),
            ("VDI", vdi.clone()),
            ("SR", client.sr()),
            ("network", first("network")),
            ("host", first("host")),
            ("PPCI", first("PPCI")),
            ("PSCSI", first("PSCSI")),
            ("virtual_HCTL", text("0:0:0:0")),
            ("virtual_size", text("1048576")),
            ("device", text("xvdz")),
            ("protocol", text("vt100")),
        ];
        let model = first(class);
        let mut fields: BTreeSet<String> = fields_of_416(class).into_iter().collect();
        if model != Value::Nil {
            fields.extend(
                members(client.call(&format!("{class}.get_record"), &[model]).unwrap()).into_keys(),
            );
        }
        for field in fields {
            for wrong in
                wrong_values().into_iter().chain([text("99999999999999999999"), text("-1")])
            {
                let others =
                    needed.iter().filter(|(name, value)| **name != field && *value != Value::Nil);
                let mut record: Vec<_> =
                    others.map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
                record.push((field.clone(), wrong.clone()));
                let said = client.call(&format!("{class}.create"), &[Value::Struct(record)]);
                assert_says_what_was_sent(
                    &said,
                    &field,
                    &[wrong],
                    &format!("{class}.create, {field}"),
                );
                if let Ok(made) = said {
                    let _ = client.call(&format!("{class}.destroy"), &[made]);
                }
            }
        }
    }
    assert!(!client.daemon.log().contains("panic"));
}

/// Errors from below the wire name the parameter as well.
#[test]
fn errors_from_the_core_name_the_parameter() {
    let client = Client::populated();
    let vm = client.vm("web");
    let params = |rest: &[Value]| [std::slice::from_ref(&vm), rest].concat();
    let none = || Value::Struct(vec![]);
    let far = "99999999999999999999";
    for (method, sent, wanted) in [
        (
            "VM.migrate",
            params(&[text("nohost.invalid"), Value::Bool(true), none()]),
            ["dest", "nohost.invalid"],
        ),
        ("VM.migrate", params(&[text("a b"), Value::Bool(true), none()]), ["dest", "a b"]),
        ("VM.add_to_VCPUs_params_live", params(&[text("cpumap9"), text("0")]), ["key", "cpumap9"]),
        ("VM.add_to_VCPUs_params", params(&[text("cpumapx"), text("0")]), ["key", "cpumapx"]),
        ("VM.add_to_VCPUs_params", params(&[text("cpumap0"), text("x")]), ["VCPUs_params", "x"]),
        ("VM.add_to_VCPUs_params", params(&[text("weight"), text("x")]), ["VCPUs_params", "x"]),
        ("VM.restore", vec![text("/etc/hostname"), Value::Bool(false)], ["file", "/etc/hostname"]),
        ("VM.restore", vec![text("hostname"), Value::Bool(false)], ["file", "hostname"]),
        ("VM.add_to_other_config", params(&[Value::Nil, text("x")]), ["key", "nil"]),
        ("VM.set_memory_dynamic_max_live", params(&[text("1")]), ["memory_dynamic_max", "1"]),
        ("VM.set_memory_dynamic_max", params(&[text("1")]), ["memory_dynamic_max", "1"]),
        ("VM.set_memory_dynamic_min_live", params(&[text("x")]), ["memory_dynamic_min", "x"]),
        ("VM.set_VCPUs_number_live", params(&[text(far)]), ["nvcpu", far]),
        ("VM.set_VCPUs_max", params(&[text(far)]), ["VCPUs_max", far]),
        ("VM.set_other_config", vec![Value::Nil, none()], ["self", "nil"]),
        ("host.set_name_label", vec![none(), text("x")], ["self", "a struct"]),
    ] {
        let said = client.call(method, &sent).unwrap_err();
        assert_eq!(
            (said[0].as_str(), &said[1..3]),
            ("VALUE_NOT_SUPPORTED", &wanted.map(str::to_owned)[..]),
            "{method}: {said:?}"
        );
        if wanted[1] == far {
            assert!(said[3].contains("out of range, 1 to "), "{method}: {said:?}");
        }
    }
    let secret = params(&[text("vncpasswd"), none()]);
    assert!(!client.call("VM.add_to_platform", &secret).unwrap_err().concat().contains("secret"));
}

/// Whether what it takes is a label or a resource that nobody has.
fn is_about_nothing(method: &str) -> bool {
    method.ends_with("get_by_name_label") || method == "XSPolicy.get_resource_label"
}

/// A table of classes: `field` has a getter, `field=` a setter, too, `field{}` is a map whose texts
/// can be set one by one, `method()` is called as it is.
fn table(file: &str) -> Vec<(String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("sexpr-fixtures/xmlrpc").join(file);
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let names = lines.flat_map(|line| {
        let (class, names) = line.split_once(':').unwrap();
        names.split_whitespace().map(|name| (class.to_owned(), name.to_owned()))
    });
    names.collect()
}

/// The fields that a class's records had.
fn fields_of_416(class: &str) -> Vec<String> {
    let own = table("xend-4.1.6.txt")
        .into_iter()
        .filter(|(of, name)| of == class && !name.ends_with("()"));
    own.map(|(_, name)| name.trim_end_matches('=').to_owned()).collect()
}

/// The calls that a name in a table stands for.
fn calls(class: &str, name: &str) -> Vec<String> {
    let plain = name.trim_end_matches(['=', '{', '}', '(', ')']);
    let mut wanted = vec![];
    if name.ends_with("()") {
        wanted.push(plain.to_owned());
    } else {
        wanted.push(format!("get_{plain}"));
    }
    if name.ends_with('=') || name.ends_with("{}") {
        wanted.push(format!("set_{plain}"));
    }
    if name.ends_with("{}") {
        wanted.extend([format!("add_to_{plain}"), format!("remove_from_{plain}")]);
    }
    wanted.into_iter().map(|name| format!("{class}.{name}")).collect()
}

/// What is documented is there, and whatever xend 4.1.6 had, as a task as well.
#[test]
fn the_table_is_complete() {
    let client = Client::new();
    let methods: BTreeSet<String> =
        strings(&client.call("host.list_methods", &[]).unwrap()).into_iter().collect();
    let mut wanted: Vec<String> =
        table("classes.txt").iter().flat_map(|(class, name)| calls(class, name)).collect();
    let of_416 = table("xend-4.1.6.txt");
    for (class, name) in &of_416 {
        let calls = calls(class, name);
        if name.ends_with("()") && name != "login_with_password()" {
            wanted.extend(calls.iter().map(|call| format!("Async.{call}")));
        }
        wanted.extend(calls);
    }
    let missing: Vec<&String> = wanted.iter().filter(|call| !methods.contains(*call)).collect();
    assert!(missing.is_empty(), "{missing:#?}");
    let tasks = methods.iter().filter(|method| method.starts_with("Async.")).count();
    println!("{} calls, {tasks} of them as tasks", methods.len());
}

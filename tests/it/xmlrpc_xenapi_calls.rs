//! Every call of the Xen-API with right parameters, on a host that has everything
//! (`sexpr-fixtures/xmlrpc/session.jsonl`), waited for and as a task.
//!
//! A line of the session is a call and its expected outcome: `as` names the answer for later lines,
//! `at` takes one element of it, `is` is the whole answer, `has` members that it must have, `hasnt`
//! members that it must not have, `err` the beginning of the error.

use crate::xenapi_support::{CallResult, Client, fields_of_416, members, strings, table, text};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use xend::wire::xmlrpc::Value;

/// Fields that change by themselves.
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

struct Replay {
    client: Client,
    /// Whether every call that can be a task is one.
    as_tasks: bool,
    named: BTreeMap<String, Value>,
    /// Methods that were called with right parameters.
    called: BTreeSet<String>,
    methods: BTreeSet<String>,
}

impl Replay {
    fn new(as_tasks: bool) -> Self {
        let client = Client::new();
        let methods =
            strings(&client.call("host.list_methods", &[]).unwrap()).into_iter().collect();
        let mut named = BTreeMap::new();
        named.insert("session".to_owned(), client.session.clone());
        named.insert("dir".to_owned(), text(client.daemon.dir.path().to_str().unwrap()));
        Self { client, as_tasks, named, called: BTreeSet::new(), methods }
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

    /// Makes a call, as a task if it can be one.
    fn call(&mut self, method: &str, params: &[Value]) -> CallResult {
        let task = format!("Async.{method}");
        // A task that destroys tasks can destroy itself.
        if !self.as_tasks || method.starts_with("task.") || !self.methods.contains(&task) {
            self.called.insert(method.to_owned());
            return self.client.call(method, params);
        }
        self.called.insert(task.clone());
        let task = self.client.call(&task, params)?;
        let mut record = BTreeMap::new();
        self.client.daemon.until("the task ends", |_| {
            let answer = self.client.call("task.get_record", std::slice::from_ref(&task)).unwrap();
            record = members(answer);
            record["status"] != text("pending")
        });
        self.client.call("task.destroy", &[task]).unwrap();
        match &record["error_info"] {
            Value::Array(none) if none.is_empty() => Ok(record["result"].clone()),
            failed => Err(strings(failed)),
        }
    }

    fn perform(&mut self, line: &Json) {
        let method = line["c"].as_str().unwrap();
        let params: Vec<Value> =
            line["p"].as_array().unwrap().iter().map(|one| self.value(one)).collect();
        match method {
            "*getters" => return self.read_everything(),
            "*until" => {
                let vm = params[0].clone();
                let state = params[1].clone();
                return self.client.daemon.until("the VM has the power state", |_| {
                    self.client.call("VM.get_power_state", std::slice::from_ref(&vm))
                        == Ok(state.clone())
                });
            }
            _ => {}
        }
        let answer = self.call(method, &params);
        let wanted = line.get("err").map(|err| strings(&self.value(err)));
        match (answer, wanted) {
            (Ok(answer), None) => {
                let answer = match (line.get("at"), answer) {
                    (Some(at), Value::Array(mut all)) => {
                        all.swap_remove(usize::try_from(at.as_u64().unwrap()).unwrap())
                    }
                    (_, answer) => answer,
                };
                if let Some(wanted) = line.get("is") {
                    assert_eq!(sorted(answer.clone()), sorted(self.value(wanted)), "{line}");
                }
                if let Some(wanted) = line.get("has") {
                    let answer = members(answer.clone());
                    for (key, wanted) in members(self.value(wanted)) {
                        assert_eq!(answer.get(&key), Some(&wanted), "{line}");
                    }
                }
                for key in line.get("hasnt").and_then(Json::as_array).into_iter().flatten() {
                    assert!(!members(answer.clone()).contains_key(key.as_str().unwrap()), "{line}");
                }
                if let Some(name) = line.get("as") {
                    self.named.insert(name.as_str().unwrap().to_owned(), answer);
                }
            }
            (Err(answer), Some(wanted)) => {
                let same = wanted == ["*"] || answer.starts_with(&wanted);
                assert!(same, "{line}: {answer:?}");
                if answer[0] == "VALUE_NOT_SUPPORTED" {
                    assert!(
                        answer.len() == 4 && !answer[1].is_empty() && !answer[3].is_empty(),
                        "{line}: {answer:?}"
                    );
                }
                assert!(!answer.concat().contains("secret"));
            }
            (answer, _) => panic!("{line}: {answer:?}"),
        }
    }

    /// Reads every field of every object of every class, alone and in records.
    fn read_everything(&mut self) {
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
            let can_be_empty =
                ["task", "event", "XSPolicy", "ACMPolicy", "debug"].contains(&class.as_str());
            assert!(can_be_empty || !all.is_empty(), "there is no {class}");
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

/// Sorts the members of a struct, so that their order does not count.
fn sorted(value: Value) -> Value {
    match value {
        Value::Struct(mut members) => {
            members.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Struct(members)
        }
        other => other,
    }
}

/// The lines of the session.
fn session() -> Vec<Json> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("sexpr-fixtures/xmlrpc/session.jsonl");
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Calls that other tests make.
fn has_tests_elsewhere(method: &str) -> bool {
    let class = method.split('.').next().unwrap();
    // The session has no tasks and debug objects left to read, and there are no policies.
    let getters =
        ["task", "debug", "XSPolicy", "ACMPolicy"].contains(&class) && method.contains(".get_");
    getters
        || ["task", "event"].contains(&class)
        || method.starts_with("session.log")
        || method == "session.local_logout"
}

fn every_call_once(as_tasks: bool) {
    let mut replay = Replay::new(as_tasks);
    for line in session() {
        replay.perform(&line);
    }
    let missing: Vec<&String> = replay
        .methods
        .iter()
        .filter(|method| {
            method.starts_with("Async.") == as_tasks
                && !has_tests_elsewhere(method.trim_start_matches("Async."))
        })
        .filter(|method| !replay.called.contains(*method))
        .collect();
    assert!(missing.is_empty(), "no line of the session calls {missing:#?}");
    let log = replay.client.daemon.log();
    assert!(!log.contains("secret"));
    // A field or call of the table must declare the facts that it reads.
    assert!(!log.contains("does not declare"), "{log}");
}

#[test]
fn every_call_with_right_parameters() {
    every_call_once(false);
}

#[test]
fn every_call_as_a_task() {
    every_call_once(true);
}

/// The methods that a name in a table stands for.
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

/// All documented methods exist, and all methods of xend 4.1.6, as tasks as well.
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
    println!("{} methods, {tasks} of them tasks", methods.len());
}

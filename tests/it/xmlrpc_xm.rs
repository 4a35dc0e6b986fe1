//! What xm 4.1.6 sends in its Xen-API mode, call by call as it was recorded against the real xend, and whether what comes back is
//! what it can read: the same outcome, the same members of the same types.
//!
//! UUIDs are another host's: one that was told there stands for the one that is told in its place here. What is answered
//! otherwise is in `sexpr-fixtures/xmlrpc/xenapi.EXCEPT`, with the reason.

use crate::xenapi_support::{Client, Said, strings, text};
use std::collections::HashMap;
use std::path::Path;
use xend::core::model::Uuid;
use xend::wire::xmlrpc::Value;
use xend::wire::xmlrpc::codec::{self, Limits};

fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("sexpr-fixtures/xmlrpc").join(name);
    std::fs::read_to_string(path).unwrap()
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36 && Uuid::try_parse(text).is_ok()
}

/// What was said, of the struct that every answer is.
fn outcome(answer: &str) -> Said {
    let Ok(Value::Struct(members)) = codec::read_answer(answer, &Limits::default()).unwrap() else {
        panic!()
    };
    if members[0].1 == text("Success") { Ok(members[1].1.clone()) } else { Err(strings(&members[1].1)) }
}

/// UUIDs of the recorded host, and what stands for them here.
#[derive(Default)]
struct Names(HashMap<String, String>);

impl Names {
    fn here(&self, value: &Value) -> Value {
        match value {
            Value::Text(there) if is_uuid(there) => {
                Value::text(self.0.get(there).cloned().unwrap_or_else(|| there.clone()))
            }
            Value::Text(path) if path.starts_with("/opt/legacy/tmp/") => {
                text(&path.replace("/opt/legacy/tmp", &self.0["dir"]))
            }
            Value::Array(all) => Value::Array(all.iter().map(|one| self.here(one)).collect()),
            Value::Struct(members) => {
                Value::Struct(members.iter().map(|(key, one)| (key.clone(), self.here(one))).collect())
            }
            other => other.clone(),
        }
    }

    /// Learns from what was told there and what is told here in its place.
    fn learn(&mut self, there: &Value, here: &Value) {
        match (there, here) {
            (Value::Text(there), Value::Text(here)) if is_uuid(there) && is_uuid(here) => {
                self.0.entry(there.clone()).or_insert_with(|| here.clone());
            }
            (Value::Array(there), Value::Array(here)) => {
                for (there, here) in there.iter().zip(here) {
                    self.learn(there, here);
                }
            }
            (Value::Struct(there), Value::Struct(here)) => {
                // Records: the one with the same label is the one.
                for (uuid, there) in there.iter().filter(|(key, _)| is_uuid(key)) {
                    let same =
                        here.iter().find(|(_, here)| label(there).is_some() && label(there) == label(here));
                    let only = here.first().filter(|_| here.len() == 1);
                    if let Some((here, _)) = same.or(only) {
                        self.0.entry(uuid.clone()).or_insert_with(|| here.clone());
                    }
                }
                for (key, there) in there {
                    if let Some((_, here)) = here.iter().find(|(name, _)| name == key) {
                        self.learn(there, here);
                    }
                }
            }
            _ => {}
        }
    }
}

fn label(record: &Value) -> Option<&Value> {
    let Value::Struct(members) = record else { return None };
    members.iter().find(|(key, _)| key == "name_label").map(|(_, label)| label)
}

/// Whether what is told here has what was told there, as far as a client reads it.
fn like(there: &Value, here: &Value, at: &str) -> Result<(), String> {
    match (there, here) {
        (Value::Struct(there), Value::Struct(here)) => {
            let by_uuid =
                there.iter().all(|(key, _)| is_uuid(key)) && here.iter().all(|(key, _)| is_uuid(key));
            if by_uuid {
                // Records: each of them is like those there.
                let Some((_, like_this)) = there.first() else { return Ok(()) };
                return here.iter().try_for_each(|(_, here)| like(like_this, here, at));
            }
            for (key, there) in there {
                let at = format!("{at}.{key}");
                let free =
                    ["runtime_properties", "platform", "software_version", "other_config", "HVM_boot_params"];
                match here.iter().find(|(name, _)| name == key) {
                    Some((_, here)) => like(there, here, &at)?,
                    // Nodes of XenStore, settings, VCPUs: what there is of them is the host's and the moment's.
                    None if free.iter().any(|one| at.contains(one)) || key.parse::<u32>().is_ok() => {}
                    None if key.starts_with("cpumap") => {}
                    None => return Err(format!("{at} is missing")),
                }
            }
            Ok(())
        }
        (Value::Array(there), Value::Array(here)) => match (there.first(), here.first()) {
            (Some(there), Some(here)) => like(there, here, &format!("{at}[0]")),
            _ => Ok(()),
        },
        _ if std::mem::discriminant(there) == std::mem::discriminant(here) => Ok(()),
        _ => Err(format!("{at} is {} and not {}", here.kind(), there.kind())),
    }
}

#[test]
fn xm_reads_every_answer_as_it_read_the_real_xends() {
    let client = Client::new();
    let mut names = Names::default();
    names.0.insert("dir".to_owned(), client.daemon.dir.path().to_str().unwrap().to_owned());
    let excepted = fixture("xenapi.EXCEPT");
    let excepted: HashMap<usize, &str> = excepted
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| line.split_once(' ').unwrap())
        .map(|(number, reason)| (number.parse().unwrap(), reason))
        .collect();
    let mut wrong = Vec::new();
    let mut same = 0;
    for (number, line) in fixture("xenapi.jsonl").lines().enumerate() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let part = |key: &str| line[key].as_str().unwrap().to_owned();
        let (method, there) = (part("method"), outcome(&part("answer")));
        let call = codec::read_call(part("request").as_bytes(), &Limits::default()).unwrap();
        let params: Vec<Value> = call.params.iter().map(|param| names.here(param)).collect();
        // A legacy call within a session of the Xen-API: xm passes its fault on.
        if method.starts_with("xend.") {
            continue;
        }
        let here = client.bare(&method, &params);
        let verdict = match (&there, &here) {
            (Ok(there), Ok(here)) => {
                names.learn(there, here);
                like(there, here, &method)
            }
            (Err(there), Err(here)) if there[0] == here[0] => Ok(()),
            (there, here) => Err(format!("{method}: {here:?} and not {there:?}")),
        };
        match (verdict, excepted.get(&number)) {
            (Ok(()), None) => same += 1,
            (Ok(()), Some(_)) => wrong.push(format!("{number} {method} is not answered otherwise any more")),
            (Err(_), Some(reason)) => assert!(reason.starts_with(&method), "{number}: {reason}"),
            (Err(reason), None) => wrong.push(format!("{number} {reason}")),
        }
    }
    println!("{same} answers like the real xend's, {} otherwise", excepted.len());
    assert!(wrong.is_empty(), "{wrong:#?}");
}

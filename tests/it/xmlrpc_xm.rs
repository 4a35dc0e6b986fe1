//! The calls of xm 4.1.6 in its Xen-API mode, as they were recorded against the real xend. xm must
//! be able to read the answers: the same outcome, with the same members of the same types.
//!
//! UUIDs in the recording are the other host's: each stands for the UUID in its place in the
//! answers here. Other differences are in `sexpr-fixtures/xmlrpc/xenapi.EXCEPT`, with their
//! reasons.

use crate::recorded_support::{Exceptions, differences, fixture, is_uuid};
use crate::xenapi_support::{CallResult, Client, strings, text};
use std::collections::HashMap;
use xend::wire::xmlrpc::Value;
use xend::wire::xmlrpc::codec::{self, XmlLimits};

/// The outcome in the struct that every answer is.
fn outcome(answer: &str) -> CallResult {
    let Ok(Value::Struct(members)) = codec::read_answer(answer, &XmlLimits::default()).unwrap()
    else {
        panic!()
    };
    if members[0].1 == text("Success") {
        Ok(members[1].1.clone())
    } else {
        Err(strings(&members[1].1))
    }
}

/// UUIDs of this host, by those of the recorded host.
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
            Value::Struct(members) => Value::Struct(
                members.iter().map(|(key, one)| (key.clone(), self.here(one))).collect(),
            ),
            other => other.clone(),
        }
    }

    /// Learns UUIDs from an answer there and the same answer here.
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
                // Records with the same label belong together.
                for (uuid, there) in there.iter().filter(|(key, _)| is_uuid(key)) {
                    let same = here
                        .iter()
                        .find(|(_, here)| label(there).is_some() && label(there) == label(here));
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

#[test]
fn xm_can_read_every_answer() {
    let client = Client::new();
    let mut names = Names::default();
    names.0.insert("dir".to_owned(), client.daemon.dir.path().to_str().unwrap().to_owned());
    let mut except = Exceptions::read("xenapi.EXCEPT");
    let mut shutting_down = false;
    for (number, line) in fixture("xenapi.jsonl").lines().enumerate() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let part = |key: &str| line[key].as_str().unwrap().to_owned();
        let method = part("method");
        let there = outcome(&part("answer"));
        let call = codec::read_call(part("request").as_bytes(), &XmlLimits::default()).unwrap();
        let params: Vec<Value> = call.params.iter().map(|param| names.here(param)).collect();
        let here = if method.starts_with("xend.") {
            client.raw(&method, &params).map_err(|(_, reason)| vec![reason])
        } else {
            client.bare(&method, &params)
        };
        // xm waited for the guest to shut down.
        shutting_down |= method == "VM.clean_shutdown";
        if shutting_down && method == "session.logout" {
            shutting_down = false;
            std::thread::sleep(std::time::Duration::from_millis(1500));
        }
        let differ = match (&there, &here) {
            (Ok(there), Ok(here)) => {
                names.learn(there, here);
                differences(there, here)
            }
            (Err(there), Err(here)) if there[0] == here[0] => vec![],
            (there, here) => vec![format!("{here:?} and not {there:?}")],
        };
        except.judge(number, &method, differ);
    }
    except.finish();
}

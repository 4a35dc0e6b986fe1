//! Compares answers with those recorded from the real xend: types of values, names of members, keys
//! of records. The values themselves depend on the host and the time. Intended differences are in
//! `sexpr-fixtures/xmlrpc/*.EXCEPT`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use xend::core::model::Uuid;
use xend::wire::xmlrpc::Value;

pub(crate) fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("sexpr-fixtures/xmlrpc").join(name);
    std::fs::read_to_string(path).unwrap()
}

pub(crate) fn is_uuid(text: &str) -> bool {
    text.len() == 36 && Uuid::try_parse(text).is_ok()
}

/// Intended differences: `NUMBER METHOD REASON` for a whole answer, `/PATH: DIFFERENCE # REASON`
/// for one difference in any answer.
pub(crate) struct Exceptions {
    answers: BTreeMap<usize, String>,
    anywhere: BTreeSet<String>,
    used: BTreeSet<String>,
    wrong: Vec<String>,
    agree: usize,
}

impl Exceptions {
    pub(crate) fn read(name: &str) -> Self {
        let text = fixture(name);
        let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        let mut answers = BTreeMap::new();
        let mut anywhere = BTreeSet::new();
        for line in lines {
            if line.starts_with('/') {
                let (difference, _reason) = line.split_once(" # ").unwrap();
                anywhere.insert(difference.to_owned());
            } else {
                let (number, rest) = line.split_once(' ').unwrap();
                answers.insert(number.parse().unwrap(), rest.to_owned());
            }
        }
        Self { answers, anywhere, used: BTreeSet::new(), wrong: Vec::new(), agree: 0 }
    }

    /// Records the differences of an answer.
    pub(crate) fn judge(&mut self, number: usize, method: &str, differences: Vec<String>) {
        let mut left = Vec::new();
        for difference in differences {
            if self.anywhere.contains(&difference) {
                self.used.insert(difference);
            } else {
                left.push(difference);
            }
        }
        match (left.is_empty(), self.answers.get(&number)) {
            (true, None) => self.agree += 1,
            (false, Some(reason)) => {
                assert!(reason.starts_with(method), "{number} is {method}, the list has {reason}");
            }
            (false, None) => {
                self.wrong.push(format!("{number} {method}: {:.400}", left.join("; ")));
            }
            (true, Some(_)) => {
                self.wrong.push(format!("{number} {method} agrees, take it off the list"));
            }
        }
    }

    pub(crate) fn finish(mut self) {
        let unused = self.anywhere.difference(&self.used);
        self.wrong.extend(
            unused.map(|difference| format!("{difference}: nowhere, take it off the list")),
        );
        assert!(
            self.wrong.is_empty(),
            "{} agree, these do not:\n{}",
            self.agree,
            self.wrong.join("\n")
        );
        println!("{} agree, {} are on the list", self.agree, self.answers.len());
    }
}

/// All differences, each as `PATH: DIFFERENCE`.
pub(crate) fn differences(theirs: &Value, ours: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare(theirs, ours, "", &mut found);
    found
}

fn compare(theirs: &Value, ours: &Value, at: &str, found: &mut Vec<String>) {
    match (theirs, ours) {
        (Value::Struct(theirs), Value::Struct(ours)) => {
            let member = |(key, value): &(String, Value)| (key.clone(), value.clone());
            compare_by_key(
                theirs.iter().map(member).collect(),
                ours.iter().map(member).collect(),
                at,
                found,
            );
        }
        (Value::Array(theirs), Value::Array(ours)) => compare_lists(theirs, ours, at, found),
        _ if std::mem::discriminant(theirs) == std::mem::discriminant(ours) => {}
        _ => found.push(format!("{at}: {} and not {}", ours.kind(), theirs.kind())),
    }
}

fn is_leaf(value: &Value) -> bool {
    !matches!(value, Value::Array(_) | Value::Struct(_))
}

fn compare_lists(theirs: &[Value], ours: &[Value], at: &str, found: &mut Vec<String>) {
    let (their_head, their_rest) = head(theirs);
    let (our_head, our_rest) = head(ours);
    match (their_head, our_head) {
        (Some(theirs), Some(ours)) if theirs != ours && !(is_uuid(theirs) && is_uuid(ours)) => {
            return found.push(format!("{at}: {ours} and not {theirs}"));
        }
        _ => {}
    }
    let at = their_head
        .filter(|head| !is_uuid(head))
        .map_or_else(|| at.to_owned(), |head| format!("{at}/{head}"));
    match (entries(their_rest), entries(our_rest)) {
        (Some(theirs), Some(ours)) if their_head.is_some() == our_head.is_some() => {
            compare_by_key(theirs, ours, &at, found);
        }
        _ => compare_unkeyed(theirs, ours, &at, found),
    }
}

/// The name in front of a record, and the rest.
fn head(list: &[Value]) -> (Option<&str>, &[Value]) {
    match list {
        [Value::Text(head), rest @ ..] if matches!(rest.first(), Some(Value::Array(_))) => {
            (Some(head), rest)
        }
        _ => (None, list),
    }
}

/// The entries of a list of `[key, value...]`; `None` for any other list. The key of a device
/// includes its class.
fn entries(list: &[Value]) -> Option<Vec<(String, Value)>> {
    let entry = |one: &Value| match one {
        Value::Array(parts) => match parts.as_slice() {
            [Value::Text(_), Value::Array(_), Value::Array(_), ..] => {
                Some((String::new(), one.clone()))
            }
            [Value::Text(key), Value::Array(device)] if key == "device" => {
                match device.split_first() {
                    Some((Value::Text(class), rest)) => {
                        Some((format!("device {class}"), Value::Array(rest.to_vec())))
                    }
                    _ => None,
                }
            }
            [Value::Text(key), value] => Some((key.clone(), value.clone())),
            [Value::Text(key), rest @ ..] => Some((key.clone(), Value::Array(rest.to_vec()))),
            _ => None,
        },
        _ => None,
    };
    if list.is_empty() { None } else { list.iter().map(entry).collect() }
}

/// A member's name in a path. UUIDs and numbers are replaced: they depend on the host.
fn name(key: &str) -> String {
    match key.trim_end_matches(|c: char| c.is_ascii_digit()) {
        _ if is_uuid(key) => "UUID".to_owned(),
        "" if !key.is_empty() => "N".to_owned(),
        "cpumap" => "cpumapN".to_owned(),
        _ => key.to_owned(),
    }
}

/// Compares members by name. Each of ours must match one of theirs with that name.
fn compare_by_key(
    theirs: Vec<(String, Value)>,
    ours: Vec<(String, Value)>,
    at: &str,
    found: &mut Vec<String>,
) {
    if let [(status, _), ..] = theirs.as_slice() {
        if status == "Status" && ours.first().is_none_or(|(key, _)| key != "Status") {
            found.push(format!("{at}: Status is not first"));
        }
    }
    let grouped = |all: Vec<(String, Value)>| {
        let mut groups: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for (key, value) in all {
            groups.entry(name(&key)).or_default().push(value);
        }
        groups
    };
    let theirs = grouped(theirs);
    let mut ours = grouped(ours);
    for (key, theirs) in theirs {
        let at = if key.is_empty() { at.to_owned() } else { format!("{at}/{key}") };
        let Some(ours) = ours.remove(&key) else {
            found.push(format!("{at}: missing"));
            continue;
        };
        if theirs.len() != ours.len() && !["UUID", "N", "cpumapN"].contains(&key.as_str()) {
            found.push(format!("{at}: {} times and not {}", ours.len(), theirs.len()));
        }
        for (n, ours) in ours.iter().enumerate() {
            let against = |theirs: &Value| {
                let mut found = Vec::new();
                compare(theirs, ours, &at, &mut found);
                found
            };
            let beside = against(&theirs[n.min(theirs.len() - 1)]);
            if !beside.is_empty() && theirs.iter().all(|theirs| !against(theirs).is_empty()) {
                found.extend(beside);
            }
        }
    }
    found.extend(ours.into_keys().map(|key| format!("{at}/{key}: added")));
}

/// Compares lists without keys. The number of plain values depends on the host and the time.
fn compare_unkeyed(theirs: &[Value], ours: &[Value], at: &str, found: &mut Vec<String>) {
    if theirs.len() != ours.len() && !(theirs.iter().all(is_leaf) && ours.iter().all(is_leaf)) {
        found.push(format!("{at}: {} elements and not {}", ours.len(), theirs.len()));
    }
    let like = theirs.iter().chain(theirs.last().into_iter().cycle());
    for (theirs, ours) in like.zip(ours) {
        compare(theirs, ours, at, found);
    }
}

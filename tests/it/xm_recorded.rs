//! The recorded sessions of xm 3.0.0 and xm 4.1.6 (`sexpr-fixtures/xm/`): our xm has the same exit
//! statuses and prints the same, but for what the lists of differences name with their reasons.
//! UUIDs, times, and the CPUs on which VCPUs happen to be are masked.

use crate::http_support::{Daemon, fixture};
use crate::xm_support::{PV, Xm};
use regex::Regex;
use serde_json::Value;
use std::collections::BTreeSet;

/// A listed difference: `COMMAND: DIFFERENCE # REASON`. The difference is a line that xm printed
/// (`-line`), a line that we print instead (`+line`), `status N`, or `*` for any text.
#[derive(Debug)]
struct Exception {
    command: String,
    difference: String,
}

fn exceptions(name: &str) -> Vec<Exception> {
    let text = std::fs::read_to_string(fixture(name)).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with("# ") && !line.is_empty());
    lines
        .map(|line| {
            let (what, reason) = line.rsplit_once(" # ").unwrap_or_else(|| panic!("{line}"));
            assert!(!reason.trim().is_empty(), "{line}");
            let (command, difference) = what.split_once(": ").unwrap_or_else(|| panic!("{line}"));
            Exception { command: command.to_owned(), difference: difference.trim_end().to_owned() }
        })
        .collect()
}

/// Replaces what differs from run to run. A number keeps its width, and its place in its column.
fn masked(command: &str, text: &str, work: &str) -> String {
    let uuid = Regex::new("[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){2}-?(?:[0-9a-f]{4}-?){2}[0-9a-f]{8}");
    let uuid = uuid.unwrap();
    let seconds = Regex::new(r" *\b[0-9]+\.[0-9]+\b").unwrap();
    let clock = Regex::new(r"(?:[0-9]+ days?, )?[ 0-9][0-9]:[0-9]{2}:[0-9]{2}").unwrap();
    let placement = Regex::new(r"^(.{44}) ..... ").unwrap();
    let line = |line: &str| {
        let line = line.replace(work, "WORK");
        let line = uuid.replace_all(&line, "UUID");
        if command.starts_with("info") {
            return of_host(&line);
        }
        if line.contains('"') {
            return line.into_owned();
        }
        if line.trim_start().starts_with('(') {
            return Regex::new(r"(time) [0-9.]+").unwrap().replace_all(&line, "$1 T").into_owned();
        }
        let line = if command.starts_with("vcpu-list") {
            placement.replace(&line, "$1     ~ ").into_owned()
        } else {
            line.into_owned()
        };
        let line = clock.replace_all(&line, "H:MM:SS");
        let wide = |captures: &regex::Captures<'_>| "~".repeat(captures[0].len());
        seconds.replace_all(&line, wide).into_owned()
    };
    text.lines().map(|one| line(one).trim_end().to_owned() + "\n").collect()
}

/// Masks the values of `xm info` that tell one host and one version of Xen from another.
fn of_host(line: &str) -> String {
    let values = [
        "release",
        "hw_caps",
        "xen_major",
        "xen_minor",
        "xen_extra",
        "xen_caps",
        "xen_changeset",
        "xen_commandline",
        "cc_compiler",
        "cc_compile_domain",
        "cc_compile_date",
    ];
    match line.split_once(':') {
        Some((key, _)) if values.contains(&key.trim()) => format!("{key}: VALUE"),
        _ => line.to_owned(),
    }
}

/// The lines of one text that are not in the other, in order and as often as they are missing.
fn missing<'a>(from: &'a str, in_other: &str) -> Vec<&'a str> {
    let mut other: Vec<&str> = in_other.lines().collect();
    let mut missing = Vec::new();
    for line in from.lines() {
        if let Some(at) = other.iter().position(|one| *one == line) {
            other.remove(at);
        } else {
            missing.push(line);
        }
    }
    missing
}

/// Plays a session, and compares what each command prints.
fn play(name: &str) {
    let listed = exceptions(&format!("xm/{name}.EXCEPT"));
    let mut used = BTreeSet::new();
    let text = std::fs::read_to_string(fixture(&format!("xm/{name}.json"))).unwrap();
    let recorded: Vec<Value> = serde_json::from_str(&text).unwrap();
    let daemon = Daemon::start(&[]);
    let work = daemon.dir.path().to_str().unwrap();
    let xm = Xm(&daemon);
    xm.write("pv.cfg", PV);
    let mut wrong = Vec::new();
    for one in &recorded {
        let command = one["cmd"].as_str().unwrap();
        let printed = xm.run(command);
        let mut differences = Vec::new();
        if Some(i64::from(printed.status)) != one["rc"].as_i64() {
            differences.push(format!("status {}", printed.status));
        }
        let theirs = masked(command, one["out"].as_str().unwrap(), work);
        let ours = masked(command, &(printed.out + &printed.err), work);
        differences.extend(missing(&theirs, &ours).iter().map(|line| format!("-{line}")));
        differences.extend(missing(&ours, &theirs).iter().map(|line| format!("+{line}")));
        for difference in differences {
            let known = listed.iter().position(|exception| {
                let is_any = exception.difference == "*" && !difference.starts_with("status");
                exception.command == command && (is_any || exception.difference == difference)
            });
            if let Some(at) = known {
                used.insert(at);
            } else {
                wrong.push(format!("{command}: {difference}"));
            }
        }
        settle(&daemon, command);
    }
    let unused = listed.iter().enumerate().filter(|(at, _)| !used.contains(at));
    wrong.extend(unused.map(|(_, one)| format!("{one:?} does not occur, take it off the list")));
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}

/// The recorded host was one whose guests need no time for what they are told.
fn settle(daemon: &Daemon, command: &str) {
    let is_there = daemon.domain("oldvm").is_some_and(|domain| domain.value("domid").is_some());
    let starts = command.starts_with("create") || command == "start oldvm";
    if is_there && starts && !command.contains("-p") {
        daemon.until("the guest boots", |daemon| {
            daemon.value("oldvm", "online_vcpus") == "2"
                && daemon.value("oldvm", "state") == "-b----"
        });
    }
    for (set, key, value) in [
        ("vcpu-set oldvm 1", "online_vcpus", "1"),
        ("vcpu-set oldvm 2", "online_vcpus", "2"),
        ("mem-set oldvm 80", "memory", "80"),
    ] {
        if command == set {
            daemon.until(set, |daemon| daemon.value("oldvm", key) == value);
        }
    }
    if command.starts_with("restore") || command == "resume oldvm" {
        daemon.until("the guest goes on", |d| d.value("oldvm", "state") == "-b----");
    }
}

#[test]
fn the_session_of_xm_300_plays() {
    play("xm-3.0.0");
}

#[test]
fn the_session_of_xm_416_plays() {
    play("xm-4.1.6");
}

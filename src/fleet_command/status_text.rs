//! The status of a fleet, printed.

use crate::fleet::{AwayStatus, Examination, FleetStatus, MemberStatus, Way};
use serde::Serialize;
use std::fmt::Write as _;

/// The characters that are shown of a fingerprint: 8 bytes.
const SHOWN_OF_FINGERPRINT: usize = 23;

/// JSON, for programs.
pub(super) fn json(told: &impl Serialize) -> String {
    // There is nothing in it that JSON cannot have.
    let mut text = serde_json::to_string_pretty(told).unwrap_or_default();
    text.push('\n');
    text
}

/// Lines for people: what there is, then what is wrong and what to do about it.
pub(super) fn text(status: &FleetStatus) -> String {
    lines(status, &[])
}

/// The same with what the doctor has found out.
pub(super) fn doctor(examined: &Examination) -> String {
    let Examination { status, etcd_read_ms, ways } = examined;
    let read = etcd_read_ms.map(|ms| format!("etcd answers a read within {ms} ms."));
    let ways = ways.iter().map(|Way { host, answer_ms, .. }| match answer_ms {
        Some(ms) => format!("{host} answers this host within {ms} ms."),
        None => format!("{host} does not answer this host."),
    });
    lines(status, &read.into_iter().chain(ways).collect::<Vec<_>>())
}

/// `found` is what is told before what is wrong.
fn lines(status: &FleetStatus, found: &[String]) -> String {
    let mut text = String::new();
    let mut line = |line: &str| {
        text.push_str(line.trim_end());
        text.push('\n');
    };
    let FleetStatus { fleet, host, uuid, is_member, etcd, members, takers, protected, problems } =
        status;
    let membership = match is_member {
        Some(true) => "a member",
        Some(false) => "no member",
        None => "membership unknown",
    };
    line(&format!("fleet  {fleet}"));
    line(&format!("host   {host} ({uuid}), {membership}"));
    for (number, server) in etcd.iter().enumerate() {
        let label = if number == 0 { "etcd" } else { "" };
        let state = match (&server.version, &server.error) {
            (Some(version), _) => version,
            (None, Some(error)) => error,
            (None, None) => "unknown",
        };
        line(&format!("{label:<5}  {}  {state}", server.endpoint));
    }
    if !members.is_empty() {
        line("");
        for row in table(members) {
            line(&row);
        }
    }
    line("");
    let watch = watching(takers, *protected);
    let aways: Vec<String> = members.iter().filter_map(absence).collect();
    for one in watch.iter().chain(&aways).chain(found) {
        line(one);
    }
    if watch.is_some() || !aways.is_empty() || !found.is_empty() {
        line("");
    }
    if problems.is_empty() {
        line("All is well.");
    }
    for problem in problems {
        line(&format!("{}: {}", problem.what, problem.advice));
    }
    text
}

/// Which hosts watch for hosts that die; `None` if nobody has asked for it.
fn watching(takers: &[String], protected: usize) -> Option<String> {
    let verb = if takers.len() == 1 { "watches" } else { "watch" };
    let hosts = if takers.is_empty() { "No hosts".to_owned() } else { takers.join(", ") };
    (!takers.is_empty() || protected > 0).then(|| {
        format!("{hosts} {verb} for hosts that die. Domains that are protected: {protected}.")
    })
}

/// Since when a host is away, and until when.
fn absence(member: &MemberStatus) -> Option<String> {
    let AwayStatus { is_wanted, since, until, .. } = member.away.as_ref()?;
    let name = &member.name;
    let why = if *is_wanted { "an operator wants it" } else { "its xend was stopped" };
    Some(format!("{name} is away from {since} until {until}: {why}."))
}

/// A line for each member, in columns.
fn table(members: &[MemberStatus]) -> Vec<String> {
    let head =
        ["HOST", "STATE", "VERSION", "DOMAINS", "RELOCATION", "CERTIFICATE"].map(str::to_owned);
    let rows = members.iter().map(|member| {
        let state = match (&member.away, member.is_alive) {
            (Some(_), _) => "away",
            (None, true) => "alive",
            (None, false) => "silent",
        };
        let known = |text: &str| if text.is_empty() { "-" } else { text }.to_owned();
        [
            member.name.clone(),
            state.to_owned(),
            known(&member.version),
            member.domains.to_string(),
            known(member.relocation.as_deref().unwrap_or_default()),
            member.fingerprint.as_deref().map_or_else(|| "-".to_owned(), beginning),
        ]
    });
    let rows: Vec<[String; 6]> = [head].into_iter().chain(rows).collect();
    let widths: [usize; 6] =
        std::array::from_fn(|column| rows.iter().map(|row| row[column].len()).max().unwrap_or(0));
    let print = |row: &[String; 6]| {
        row.iter().zip(widths).fold(String::new(), |mut line, (cell, width)| {
            // Writing to a text does not fail.
            write!(line, "{cell:<width$}  ").ok();
            line
        })
    };
    rows.iter().map(print).collect()
}

/// The beginning of a fingerprint, by which a person tells certificates. JSON has all of it.
fn beginning(fingerprint: &str) -> String {
    fingerprint.chars().take(SHOWN_OF_FINGERPRINT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::{EtcdStatus, Problem};
    use uuid::Uuid;

    fn status() -> FleetStatus {
        let member = |name: &str, is_alive: bool, relocation: Option<&str>| MemberStatus {
            name: name.to_owned(),
            is_alive,
            away: None,
            version: if is_alive { "0.1.0".to_owned() } else { String::new() },
            relocation: relocation.map(str::to_owned),
            fingerprint: relocation.map(|_| ["AB"; 32].join(":")),
            domains: 12,
        };
        FleetStatus {
            fleet: "lab".to_owned(),
            host: "xen1".to_owned(),
            uuid: Uuid::nil(),
            is_member: Some(true),
            etcd: vec![
                EtcdStatus {
                    endpoint: "http://a:1".to_owned(),
                    version: Some("3.5.16".to_owned()),
                    error: None,
                },
                EtcdStatus {
                    endpoint: "http://b:1".to_owned(),
                    version: None,
                    error: Some("no answer within 2 s".to_owned()),
                },
            ],
            members: vec![member("xen1", true, Some("xen1:8002")), member("x", false, None)],
            takers: Vec::new(),
            protected: 0,
            problems: vec![Problem {
                what: "x is silent".to_owned(),
                advice: "look at it".to_owned(),
            }],
        }
    }

    #[test]
    fn people_read_lines() {
        let wanted = "\
fleet  lab
host   xen1 (00000000-0000-0000-0000-000000000000), a member
etcd   http://a:1  3.5.16
       http://b:1  no answer within 2 s

HOST  STATE   VERSION  DOMAINS  RELOCATION  CERTIFICATE
xen1  alive   0.1.0    12       xen1:8002   AB:AB:AB:AB:AB:AB:AB:AB
x     silent  -        12       -           -

x is silent: look at it
";
        assert_eq!(text(&status()), wanted);
        let well = FleetStatus { problems: Vec::new(), ..status() };
        assert!(text(&well).ends_with("\n\nAll is well.\n"));
        let takers = vec!["xen1".to_owned(), "x".to_owned()];
        let watched = text(&FleetStatus { takers, protected: 2, ..well });
        let line = "xen1, x watch for hosts that die. Domains that are protected: 2.";
        assert!(watched.ends_with(&format!("\n\n{line}\n\nAll is well.\n")), "{watched}");
    }

    #[test]
    fn programs_read_json() {
        let value: serde_json::Value = serde_json::from_str(&json(&status())).unwrap();
        assert_eq!(value["members"][1]["is_alive"], false);
        assert_eq!(value["members"][0]["fingerprint"], ["AB"; 32].join(":"));
        assert_eq!(value["etcd"][0]["version"], "3.5.16");
        assert_eq!(value["problems"][0]["advice"], "look at it");
    }
}

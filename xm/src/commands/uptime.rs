//! `xm uptime`

use crate::cli::command;
use crate::cli::option::{ANY, JSON, flag};
use crate::cli::words::Words;
use crate::context::Context;
use crate::domain::Domain;
use crate::failure::{Failure, reason};
use crate::output::{print, print_json};
use serde::Serialize;
use std::fmt::Write as _;
use std::fs;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

pub(super) static COMMANDS: [command::Command; 1] = [command::Command::new(
    "uptime",
    "[-s] [Domain, ...]",
    "Print how long domains have been up.",
    (0, ANY),
    run,
)
.common()
.with(&[flag('s', "short", "One line a domain, as uptime(1) prints it"), JSON])];

/// How long a domain has been up.
#[derive(Serialize)]
struct Up<'a> {
    name: &'a str,
    domid: Option<u32>,
    /// `None` if the domain is not on the host.
    #[serde(rename = "uptime_seconds")]
    seconds: Option<u64>,
}

fn run(context: &Context, words: &Words) -> Result<(), Failure> {
    let domains = match words.arguments() {
        [] => context.gateway.domains("all")?,
        names => {
            let each = names.iter().map(|name| context.gateway.domain(name));
            each.collect::<Result<_, _>>()?
        }
    };
    let now = now();
    let all: Vec<Up<'_>> = domains
        .iter()
        .map(|domain| Up {
            name: domain.name(),
            domid: domain.domid(),
            seconds: seconds(domain, now, context.gateway.is_local()),
        })
        .collect();
    if words.has("json") {
        return print_json(&all);
    }
    print(if words.has("short") { short(&all, &time_of_day()?) } else { table(&all) })
}

#[allow(clippy::disallowed_methods, reason = "a command is run once, and has no ports")]
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// Domain-0 has been up as long as this machine, if it is its host.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a time that is clamped, in seconds"
)]
fn seconds(domain: &Domain, now: f64, is_local: bool) -> Option<u64> {
    let up = match domain.domid()? {
        0 if is_local => machine_uptime(),
        _ => domain.number("start_time").map(|start: f64| now - start),
    };
    up.map(|seconds| seconds.max(0.0).round() as u64)
}

fn machine_uptime() -> Option<f64> {
    let text = fs::read_to_string("/proc/uptime").ok()?;
    text.split(' ').next()?.parse().ok()
}

fn table(all: &[Up<'_>]) -> String {
    let mut out = format!("{:<33} {:>4} Uptime \n", "Name", "ID");
    for up in all {
        let domid = up.domid.map(|domid| domid.to_string()).unwrap_or_default();
        let seconds = up.seconds.unwrap_or_default();
        let _ = writeln!(
            out,
            "{:<32} {domid:>5} {}:{:02}",
            up.name,
            hours_and_minutes(seconds),
            seconds % 60
        );
    }
    out
}

fn short(all: &[Up<'_>], time: &str) -> String {
    let mut out = String::new();
    for up in all {
        let domid = up.domid.map(|domid| domid.to_string()).unwrap_or_default();
        let hours = hours_and_minutes(up.seconds.unwrap_or_default());
        let _ = writeln!(out, " {time} up {hours}, {} ({domid})", up.name);
    }
    out
}

/// `2 days,  1:36`
fn hours_and_minutes(seconds: u64) -> String {
    let days = match seconds / 86_400 {
        0 => String::new(),
        1 => "1 day, ".to_owned(),
        days => format!("{days} days, "),
    };
    format!("{days}{:2}:{:02}", seconds / 3600 % 24, seconds / 60 % 60)
}

/// The local time of day, as date(1) knows it: the rules of time zones are not worth a library.
fn time_of_day() -> Result<String, Failure> {
    let date = Command::new("date").arg("+%H:%M:%S").output();
    let date = date.map_err(|error| Failure::new(format!("date: {}", reason(&error))))?;
    Ok(String::from_utf8_lossy(&date.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use xend_sxp::{Limits, read_one};

    #[test]
    fn a_domain_that_is_off_has_no_uptime() {
        let domain =
            |text: &str| Domain::read(read_one(text.as_bytes(), &Limits::DEFAULT).unwrap());
        let off = domain("(domain (name a) (start_time 90.0))").unwrap();
        assert_eq!(seconds(&off, 100.0, true), None);
        let on = domain("(domain (name a) (domid 2) (start_time 90.0))").unwrap();
        assert_eq!(seconds(&on, 100.0, true), Some(10));
        let up = Up { name: "a", domid: None, seconds: None };
        assert!(serde_json::to_value(up).unwrap()["uptime_seconds"].is_null());
    }

    #[test]
    fn lines_are_those_of_xm() {
        let all = [
            Up { name: "Domain-0", domid: Some(0), seconds: Some(5802) },
            Up { name: "a", domid: None, seconds: None },
            Up { name: "b", domid: Some(3), seconds: Some(2 * 86_400 + 61) },
        ];
        let xm = "Name                                ID Uptime \n\
            Domain-0                             0  1:36:42\n\
            a                                       0:00:00\n\
            b                                    3 2 days,  0:01:01\n";
        assert_eq!(table(&all), xm);
        assert_eq!(short(&all[..1], "10:00:01"), " 10:00:01 up  1:36, Domain-0 (0)\n");
    }
}

//! `xm sched-sedf`. Today's Xen has no such scheduler; xend sets the closest values of the one that
//! the host has.

use super::device_list::column;
use crate::cli::command::Command;
use crate::cli::option::{JSON, option};
use crate::cli::words::{Words, invalid, number};
use crate::context::Context;
use crate::domain::Domain;
use crate::failure::Failure;
use crate::output::{print, print_json};
use serde::Serialize;
use std::fmt::Write as _;
use xend_sxp::Sxp;

pub(super) static COMMANDS: [Command; 1] = [Command::new(
    "sched-sedf",
    "[<Domain> [options]]",
    "Show or set real-time parameters; xm 3.0's five numbers (in ns) are taken, too.",
    (0, 6),
    run,
)
.with(&[
    option('p', "period", "MS", "The length of a period"),
    option('s', "slice", "MS", "The CPU time in each period"),
    option('l', "latency", "MS", "The longest delay after the guest wakes"),
    option('e', "extratime", "FLAG", "1 if it may use idle CPU time"),
    option('w', "weight", "WEIGHT", "A share instead of a slice, a whole number"),
    JSON,
])];

/// The names of the values, in the order of xm 3.0's command line.
const KEYS: [&str; 5] = ["period", "slice", "latency", "extratime", "weight"];

/// The parameters of a domain; times in nanoseconds.
#[derive(Debug, Serialize)]
struct Sedf {
    name: String,
    domid: Option<u32>,
    #[serde(rename = "period_ns")]
    period: Option<i64>,
    #[serde(rename = "slice_ns")]
    slice: Option<i64>,
    #[serde(rename = "latency_ns")]
    latency: Option<i64>,
    extratime: Option<i64>,
    weight: Option<i64>,
}

impl Sedf {
    fn read(context: &Context, domain: &Domain) -> Self {
        let answer = context.gateway.ask_about(domain.name(), "cpu_sedf_get", &[]).ok().flatten();
        let number = |key: &str| {
            let text = answer.as_ref().and_then(|answer| answer.value(key)).and_then(Sxp::as_str);
            text.and_then(|text| text.parse().ok())
        };
        Self {
            name: domain.name().to_owned(),
            domid: domain.domid(),
            period: number("period"),
            slice: number("slice"),
            latency: number("latency"),
            extratime: number("extratime"),
            weight: number("weight"),
        }
    }

    fn row(&self) -> String {
        #[allow(clippy::cast_precision_loss, reason = "shown with one digit behind the point")]
        let ms = |ns: Option<i64>| column(ns) as f64 / 1e6;
        format!(
            "{:<32} {:>5} {:>9.1} {:>9.1} {:>7.1} {:>6} {:>6}",
            self.name,
            self.domid.map(|domid| domid.to_string()).unwrap_or_default(),
            ms(self.period),
            ms(self.slice),
            ms(self.latency),
            column(self.extratime),
            column(self.weight)
        )
    }
}

fn run(context: &Context, words: &Words) -> Result<(), Failure> {
    let is_setting = KEYS.iter().any(|key| words.has(key));
    match words.arguments() {
        [] if is_setting => Err(Failure::new("No domain given.")),
        [] => show(context, words, &context.gateway.domains("running")?),
        [name] => {
            let domain = context.gateway.domain(name)?;
            if !is_setting {
                return show(context, words, &[domain]);
            }
            let now = Sedf::read(context, &domain);
            let now = [now.period, now.slice, now.latency, now.extratime, now.weight];
            let mut values = now.map(|value| value.unwrap_or(0).max(0).to_string());
            for (value, key) in values.iter_mut().zip(KEYS) {
                if let Some(given) = words.value(key) {
                    let name = format!("--{key}");
                    *value = match key {
                        "weight" => number::<u32>(&name, "a whole number", given)?.to_string(),
                        "extratime" => number::<u32>(&name, "1 or 0", given)?.to_string(),
                        _ => nanoseconds(&name, given)?.to_string(),
                    };
                }
            }
            set(context, domain.name(), &values)
        }
        [name, values @ ..] if values.len() == KEYS.len() && !is_setting => {
            for (value, key) in values.iter().zip(KEYS) {
                let meaning = match key {
                    "weight" => "a whole number",
                    "extratime" => "1 or 0",
                    _ => "a time in ns",
                };
                number::<u64>(&format!("<{key}>"), meaning, value)?;
            }
            set(context, name, values)
        }
        _ => Err(Failure::new(
            "The domain and options are expected, or xm 3.0's <Domain> <period> <slice> <latency> \
             <extratime> <weight>",
        )),
    }
}

fn show(context: &Context, words: &Words, domains: &[Domain]) -> Result<(), Failure> {
    let all: Vec<Sedf> = domains.iter().map(|domain| Sedf::read(context, domain)).collect();
    if words.has("json") {
        return print_json(&all);
    }
    let mut out = format!(
        "{:<33} {:>4} {:<4} {:<4} {:<7} {:<5} {:<6}\n",
        "Name", "ID", "Period(ms)", "Slice(ms)", "Lat(ms)", "Extra", "Weight"
    );
    for sedf in &all {
        let _ = writeln!(out, "{}", sedf.row());
    }
    print(out)
}

fn set(context: &Context, domain: &str, values: &[String]) -> Result<(), Failure> {
    let parameters: Vec<(&str, &str)> =
        KEYS.iter().copied().zip(values.iter().map(String::as_str)).collect();
    context.gateway.operate_on(domain, "cpu_sedf_set", &parameters).map(drop)
}

/// Nanoseconds of an option's time in milliseconds.
fn nanoseconds(option: &str, text: &str) -> Result<u64, Failure> {
    const MEANING: &str = "a time in ms";
    let ms: f64 = number(option, MEANING, text)?;
    let ns = ms * 1e6;
    if !(0.0..=1e18).contains(&ns) {
        return Err(invalid(option, MEANING, text));
    }
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "its range is checked above"
    )]
    let ns = ns as u64;
    Ok(ns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_in_milliseconds() {
        assert_eq!(nanoseconds("--slice", "20").unwrap(), 20_000_000);
        assert_eq!(nanoseconds("--slice", "0.5").unwrap(), 500_000);
        for text in ["-1", "x", "1e30", "nan"] {
            let message = format!("Invalid argument: --slice is a time in ms, not '{text}'.");
            assert_eq!(nanoseconds("--slice", text).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn rows_are_those_of_xm() {
        let sedf = Sedf {
            name: "Domain-0".to_owned(),
            domid: Some(0),
            period: Some(20_000_000),
            slice: Some(15_000_000),
            latency: Some(0),
            extratime: Some(1),
            weight: Some(0),
        };
        let xm = "Domain-0                             0      20.0      15.0     0.0      1      0";
        assert_eq!(sedf.row(), xm);
    }
}

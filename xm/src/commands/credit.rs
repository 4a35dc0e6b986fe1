//! `xm sched-credit` and `xm sched-credit2`.

use super::device_list::column;
use crate::cli::command::Command;
use crate::cli::option::{JSON, option};
use crate::cli::words::Words;
use crate::context::Context;
use crate::domain::Domain;
use crate::failure::Failure;
use crate::output::{print, print_json};
use serde::Serialize;
use std::fmt::Write as _;
use xend_sxp::Sxp;

pub(super) static COMMANDS: [Command; 2] = [
    Command::new(
        "sched-credit2",
        "[-d <Domain> [-w[=WEIGHT]]",
        "Show or set shares in the credit2 scheduler.",
        (0, 0),
        |context, words| run(context, words, "credit2"),
    )
    .with(&[
        option('d', "domain", "DOMAIN", "The domain"),
        option('w', "weight", "WEIGHT", "Its weight"),
        JSON,
    ]),
    Command::new(
        "sched-credit",
        "[-d <Domain> [-w[=WEIGHT]|-c[=CAP]]]",
        "Show or set shares in the credit scheduler.",
        (0, 0),
        |context, words| run(context, words, "credit"),
    )
    .with(&[
        option('d', "domain", "DOMAIN", "The domain"),
        option('w', "weight", "WEIGHT", "Its weight"),
        option('c', "cap", "CAP", "Its limit in percent of a CPU"),
        JSON,
    ]),
];

/// The share of a domain.
#[derive(Serialize)]
struct Share {
    name: String,
    domid: Option<u32>,
    weight: Option<i64>,
    /// `None` as well for credit2, which has none.
    #[serde(rename = "cap_percent", skip_serializing_if = "Option::is_none")]
    cap: Option<i64>,
}

fn run(context: &Context, words: &Words, scheduler: &str) -> Result<(), Failure> {
    check_scheduler(context, scheduler)?;
    let weight = words.number::<u16>("weight", "a share from 1 to 65535")?;
    let weight = weight.map(|weight| weight.to_string());
    let cap = words.number::<u16>("cap", "a limit in percent of a CPU, 0 for none")?;
    let cap = cap.map(|cap| cap.to_string());
    if weight.is_none() && cap.is_none() {
        return show(context, words, scheduler);
    }
    let Some(domain) = words.value("domain") else {
        return Err(Failure::new("No domain given."));
    };
    let given = [("weight", weight.as_deref()), ("cap", cap.as_deref())];
    let parameters: Vec<_> =
        given.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    let op = format!("domain_sched_{scheduler}_set");
    context.gateway.operate_on(domain, &op, &parameters).map(drop)
}

/// Fails on a host with another scheduler.
fn check_scheduler(context: &Context, scheduler: &str) -> Result<(), Failure> {
    let node = context.gateway.page("/xend/node")?;
    let current = node.value("xen_scheduler").and_then(Sxp::as_str).unwrap_or("unknown");
    if current == scheduler {
        return Ok(());
    }
    Err(Failure::new(format!("Xen is running with the {current} scheduler")))
}

fn show(context: &Context, words: &Words, scheduler: &str) -> Result<(), Failure> {
    let domains = match words.value("domain") {
        Some(name) => vec![context.gateway.domain(name)?],
        None => context.gateway.domains("all")?,
    };
    let with_cap = scheduler == "credit";
    let shares: Vec<Share> =
        domains.iter().map(|domain| share(context, domain, scheduler, with_cap)).collect();
    if words.has("json") {
        return print_json(&shares);
    }
    let mut out = format!("{:<33} {:>4} {:>6}", "Name", "ID", "Weight");
    if with_cap {
        let _ = write!(out, " {:>4}", "Cap");
    }
    out.push('\n');
    for Share { name, domid, weight, cap } in &shares {
        let domid = domid.map(|domid| domid.to_string()).unwrap_or_default();
        let _ = write!(out, "{name:<32} {domid:>5} {:>6}", column(*weight));
        if with_cap {
            let _ = write!(out, " {:>4}", column(*cap));
        }
        out.push('\n');
    }
    print(out)
}

/// The share of a domain.
fn share(context: &Context, domain: &Domain, scheduler: &str, with_cap: bool) -> Share {
    let op = format!("domain_sched_{scheduler}_get");
    let answer = context.gateway.ask_about(domain.name(), &op, &[]).ok().flatten();
    let number = |key: &str| {
        let text = answer.as_ref().and_then(|answer| answer.value(key)).and_then(Sxp::as_str);
        text.and_then(|text| text.parse().ok())
    };
    Share {
        name: domain.name().to_owned(),
        domid: domain.domid(),
        weight: number("weight"),
        cap: if with_cap { number("cap") } else { None },
    }
}

//! `xm list`

use super::fleet_domains;
use super::pools::name_of_pool;
use crate::cli::command::Command;
use crate::cli::option::{ANY, JSON, LONG, flag, long_flag, long_option};
use crate::cli::words::Words;
use crate::context::Context;
use crate::domain::Domain;
use crate::failure::Failure;
use crate::output::{
    bold, clear_screen, has_colours, note, print_json, print_pretty, print_styled, shown,
};
use crate::wire::xmlrpc::Value;
use serde_json::Value as Json;
use std::fmt::Write as _;
use xend_spelling::nearest;

pub(super) static COMMANDS: [Command; 1] = [Command::new(
    "list",
    "[options] [Domain, ...]",
    "List domains, or some of them.",
    (0, ANY),
    run,
)
.common()
.with(&[
    LONG,
    long_flag("label", "Add a column of security labels"),
    long_flag("all", "List the domains of all hosts of the fleet"),
    long_option("state", "STATE", "List the domains in this state alone").of(&STATES),
    long_option("pool", "POOL", "List the domains in this CPU pool alone"),
    flag('v', "vcpus", "Show VCPUs, like xm vcpu-list"),
    JSON,
    long_flag("watch", "List again whenever a domain changes"),
])];

/// What `--state` can be: the states of xend's list.
const STATES: [&str; 6] = ["all", "running", "paused", "halted", "suspended", "crashed"];

fn run(context: &Context, words: &Words) -> Result<(), Failure> {
    let state = state(words);
    if !STATES.contains(&state.as_str()) {
        let hint = nearest(&state, STATES).map(|near| format!(", {near} is one"));
        let states = STATES.join(", ");
        let hint = hint.unwrap_or_else(|| format!(": give one of {states}"));
        return Err(Failure::new(format!("There is no state '{state}'{hint}")));
    }
    let has_names = !words.arguments().is_empty();
    for option in ["state", "pool"] {
        if has_names && words.has(option) {
            return Err(Failure::new(format!(
                "--{option} and names of domains exclude each other"
            )));
        }
    }
    if words.has("all") {
        return all(context, words);
    }
    if words.has("vcpus") {
        note("xm list -v is xm vcpu-list today");
        return super::vcpus::list(context, words);
    }
    if words.has("watch") { watch(context, words) } else { show(context, words) }
}

/// What shows more than a fleet knows of a domain.
const OF_ONE_HOST: [&str; 5] = ["long", "label", "pool", "vcpus", "watch"];

/// Lists the domains of all hosts.
fn all(context: &Context, words: &Words) -> Result<(), Failure> {
    if !words.arguments().is_empty() {
        return Err(Failure::new("--all and names of domains exclude each other"));
    }
    if let Some(option) = OF_ONE_HOST.iter().find(|option| words.has(option)) {
        return Err(Failure::new(format!(
            "--all and --{option} exclude each other: ask the host that has the domain, with -H HOST"
        )));
    }
    let domains = context.gateway.fleet_domains(&state(words))?;
    if words.has("json") { print_json(&domains) } else { fleet_domains::print(&domains) }
}

fn show(context: &Context, words: &Words) -> Result<(), Failure> {
    if words.has("json") {
        return print_json(&selected_json(context, words)?);
    }
    let domains = selected(context, words)?;
    if words.has("long") {
        return domains.iter().try_for_each(|domain| print_pretty(domain.description()));
    }
    print_styled(if words.has("label") { labels(&domains) } else { brief(&domains) })
}

/// Lists again whenever xend reports a change, until it ends.
fn watch(context: &Context, words: &Words) -> Result<(), Failure> {
    let mut events = context.gateway.events(None)?;
    loop {
        clear_screen()?;
        show(context, words)?;
        let mut is_changed = false;
        while !is_changed || events.has_more() {
            is_changed |= is_change(&events.next()?);
        }
    }
}

/// Whether an event can change the list.
fn is_change(line: &[u8]) -> bool {
    let line = String::from_utf8_lossy(line);
    let kinds = ["appeared", "gone", "state", "renamed", "configured", "lost", "done"];
    kinds.iter().any(|kind| line.contains(&format!("(kind {kind})")))
}

/// The state that `--state` selects.
fn state(words: &Words) -> String {
    words.value("state").unwrap_or("all").to_ascii_lowercase()
}

fn selected(context: &Context, words: &Words) -> Result<Vec<Domain>, Failure> {
    if !words.arguments().is_empty() {
        return words.arguments().iter().map(|name| context.gateway.domain(name)).collect();
    }
    let mut domains = context.gateway.domains(&state(words))?;
    if let Some(pool) = words.value("pool") {
        domains.retain(|domain| domain.text("pool_name") == Some(pool));
        if domains.is_empty() {
            check_pool(context, pool)?;
        }
    }
    Ok(domains)
}

fn selected_json(context: &Context, words: &Words) -> Result<Json, Failure> {
    if !words.arguments().is_empty() {
        let each = words.arguments().iter().map(|name| context.gateway.domain_json(name));
        return Ok(Json::Array(each.collect::<Result<_, _>>()?));
    }
    let mut all = context.gateway.domains_json(&state(words))?;
    if let (Some(pool), Json::Array(domains)) = (words.value("pool"), &mut all) {
        domains.retain(|domain| domain.get("pool").and_then(Json::as_str) == Some(pool));
        if domains.is_empty() {
            check_pool(context, pool)?;
        }
    }
    Ok(all)
}

/// Fails if there is no such pool.
fn check_pool(context: &Context, pool: &str) -> Result<(), Failure> {
    let pools = context.gateway.query("xend.cpu_pool.list", &[Value::Array(Vec::new())])?;
    let pools: Vec<String> = pools.items().iter().map(name_of_pool).collect();
    if pools.iter().any(|known| known == pool) {
        return Ok(());
    }
    let near = nearest(pool, pools.iter().map(String::as_str));
    let hint = near.map_or_else(
        || "xm cpupool-list lists those of the host".to_owned(),
        |near| format!("did you mean {near}?"),
    );
    Err(Failure::new(format!("Pool '{pool}' does not exist: {hint}")))
}

fn brief(domains: &[Domain]) -> String {
    let mut out = bold(&header());
    out.push('\n');
    for domain in domains {
        out.push_str(&row(domain));
        out.push('\n');
    }
    out
}

fn labels(domains: &[Domain]) -> String {
    let mut out = format!("{} {:<10}\n", header(), "Label");
    let label =
        |domain: &Domain| shown(domain.text("security_label").unwrap_or_default()).into_owned();
    let mut rows: Vec<_> = domains.iter().map(|domain| (label(domain), row(domain))).collect();
    rows.sort_by_key(|(label, _)| label.to_lowercase());
    for (label, row) in rows {
        let _ = writeln!(out, "{row} {label:>10}");
    }
    out
}

fn header() -> String {
    format!(
        "{:<40} {:>5} {:>5} {:>5} {:>10} {:>9}",
        "Name", "ID", "Mem", "VCPUs", "State", "Time(s)"
    )
}

fn row(domain: &Domain) -> String {
    format!(
        "{:<40} {:>5} {:>5} {:>5} {} {:>8.1}",
        shown(domain.name()),
        shown(domain.domid_text()),
        domain.memory(),
        domain.vcpus(),
        coloured_state(domain.state()),
        domain.cpu_time()
    )
}

/// The state's letters in their column, in green for a running and in red for a crashed domain.
fn coloured_state(state: &str) -> String {
    let text = format!("{:>10}", shown(state));
    let colour = if state.contains('c') {
        31
    } else if state.contains('p') {
        33
    } else if state.contains(['r', 'b']) {
        32
    } else {
        0
    };
    if colour == 0 || !has_colours() { text } else { format!("\x1b[{colour}m{text}\x1b[0m") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use xend_sxp::{Limits, read_one};

    fn domain(text: &str) -> Domain {
        Domain::read(read_one(text.as_bytes(), &Limits::DEFAULT).unwrap()).unwrap()
    }

    #[test]
    fn columns_are_those_of_xm() {
        let domains = [
            domain(
                "(domain (domid 0) (name Domain-0) (memory 1024) (online_vcpus 2) \
                 (state r-----) (cpu_time 1234.56789012))",
            ),
            domain("(domain (name halted) (memory 96) (vcpus 1))"),
        ];
        let list = brief(&domains);
        let lines: Vec<&str> = list.lines().collect();
        let xm = [
            "Name                                        ID   Mem VCPUs      State   Time(s)",
            "Domain-0                                     0  1024     2     r-----   1234.6",
            "halted                                            96     1                 0.0",
        ];
        assert_eq!(lines, xm);
    }

    #[test]
    fn labels_are_a_further_column() {
        let list = labels(&[domain("(domain (domid 1) (name a) (memory 1) (vcpus 1))")]);
        assert!(list.starts_with("Name ") && list.contains("Time(s) Label     \n"), "{list}");
        assert!(list.ends_with("     0.0           \n"), "{list}");
    }

    #[test]
    fn changes_are_told_from_other_events() {
        assert!(is_change(b"(event (id a-1) (kind state) (domain x))"));
        for line in ["", "(event (id a-1) (kind listening))", "(event (kind progress))"] {
            assert!(!is_change(line.as_bytes()), "{line}");
        }
    }
}

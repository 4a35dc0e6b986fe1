//! What is checked when faults have ended.

use crate::checker::{Run, doubled, gaps, runs};
use crate::clients::Changed;
use crate::definitions::possible;
use crate::fleet::{Domain, Fleet, GENEROUS, now, wait_for};
use std::time::Duration;

/// All that is wrong.
pub(crate) fn violations(fleet: &Fleet, changed: &[Changed]) -> Vec<String> {
    let mut wrong = unfinished(fleet, changed);
    let all = all_runs(fleet);
    for (one, other) in doubled(&all) {
        wrong.push(format!("P1: {one:?} and {other:?}"));
    }
    wrong
}

pub(crate) fn all_runs(fleet: &Fleet) -> Vec<Run> {
    let of = |machine: &crate::machine::Machine| runs(&machine.name, &machine.history()).unwrap();
    fleet.machines.iter().flat_map(of).collect()
}

/// What is not as it is to be at the end, after time for takeovers has passed.
fn unfinished(fleet: &Fleet, changed: &[Changed]) -> Vec<String> {
    let mut wrong = Vec::new();
    let has_settled = wait_for(GENEROUS, || {
        wrong.clear();
        if fleet.alive() != Some(fleet.machines.len()) {
            wrong.push("not all hosts are alive".to_owned());
        }
        wrong.extend(changed.iter().filter_map(|one| wrong_definition(fleet, one)));
        let all = all_runs(fleet);
        let protected = fleet.domains.iter().filter(|domain| domain.policy.is_some());
        wrong.extend(protected.filter_map(|domain| not_running(&all, domain)));
        wrong.is_empty()
    });
    if !has_settled {
        let status = fleet.machines[0].host.fleet(&["status"]);
        wrong.push(format!("the status: {}{}", status.out, status.err));
    }
    wrong
}

fn wrong_definition(fleet: &Fleet, changed: &Changed) -> Option<String> {
    let possible = possible(&changed.changes);
    let Some(found) = changed.found(fleet) else { return Some("a host is not asked".to_owned()) };
    let is_right = match found.as_slice() {
        [] => possible.contains(&None),
        [one] => possible.contains(&Some(one.clone())),
        _ => false,
    };
    (!is_right).then(|| {
        let (uuid, asked_for) = (changed.uuid(), &changed.changes);
        format!("P2: {uuid} is {found:?}, which {asked_for:?} cannot have come to")
    })
}

/// A protected domain that has run since anybody stopped it runs on exactly one host.
fn not_running(all: &[Run], domain: &Domain) -> Option<String> {
    let uuid = domain.uuid();
    let own: Vec<_> = all.iter().filter(|run| run.domain == uuid).collect();
    let since = domain.stopped_until();
    let is_wanted = own.iter().any(|run| run.from > since);
    let running = own.iter().filter(|run| run.to.is_none()).count();
    let is_right = running == 1 || (running == 0 && !is_wanted);
    (!is_right).then(|| format!("P5: {} ({uuid}) runs on {running} hosts", domain.name))
}

/// How it was.
pub(crate) fn summary(fleet: &Fleet) -> String {
    let mut lines = Vec::new();
    for (what, number) in fleet.tally() {
        lines.push(format!("{number:6}  {what}"));
    }
    for (what, text) in [
        ("fences", "is silent and is fenced"),
        ("takeovers", "A domain of a host that has ended runs here now"),
        ("protected domains that were started again", "A protected domain runs again"),
    ] {
        let in_log = |log: &str| log.matches(text).count();
        let number: usize = fleet.machines.iter().map(|machine| in_log(&machine.log())).sum();
        lines.push(format!("{number:6}  {what}"));
    }
    let resets = fleet.machines.iter().map(|machine| &machine.resets);
    let resets: usize =
        resets.map(|resets| resets.load(std::sync::atomic::Ordering::Relaxed)).sum();
    lines.push(format!("{resets:6}  resets by a watchdog"));
    let all = all_runs(fleet);
    lines.push(format!("{:6}  runs of domains", all.len()));
    let end = now();
    let of = |domain: &Domain| longest_gap(&all, &domain.uuid(), end);
    let unstopped =
        fleet.domains.iter().filter(|one| one.policy.is_some() && !one.may_be_stopped());
    let longest = unstopped.map(of).max().unwrap_or_default().as_secs();
    lines.push(format!("{longest:5} s  the longest time that a protected domain was off"));
    lines.join("\n")
}

fn longest_gap(all: &[Run], uuid: &str, end: u64) -> Duration {
    let gaps = gaps(all, uuid, end).into_iter();
    gaps.map(|(from, to)| Duration::from_nanos(to - from)).max().unwrap_or_default()
}

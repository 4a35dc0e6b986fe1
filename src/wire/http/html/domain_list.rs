//! The page with the list of domains.

use super::parts::{domain_path, domain_segment, frame, progress, state_letters};
use crate::core::lifecycle::State;
use crate::core::rights::{Access, OpKind};
use crate::core::samples::SampleRound;
use crate::core::snapshot::{DomainView, Snapshot};
use crate::shape;
use crate::wire::http::list_query::{ListQuery, cpu_percent, vcpu_count};
use crate::wire::http::operation::Operation;
use crate::wire::http::operations::by_page::DOMAIN_OPERATIONS;
use crate::wire::http::request::RequestInfo;
use std::time::SystemTime;
use xend_templates::{Action, DomainList, DomainRow, StateTab, Uptime};

/// The tabs: the value of `state`, and a label.
const STATES: [(Option<&str>, &str); 7] = [
    (None, "On the host"),
    (Some("all"), "All"),
    (Some("running"), "Running"),
    (Some("paused"), "Paused"),
    (Some("halted"), "Halted"),
    (Some("suspended"), "Suspended"),
    (Some("crashed"), "Crashed"),
];

pub(crate) fn page(
    request: &RequestInfo,
    follow: String,
    query: &ListQuery,
    snapshot: &Snapshot,
    round: &SampleRound,
    now: SystemTime,
) -> String {
    let tab = |(state, label): (Option<&str>, &str)| StateTab {
        state: state.map(str::to_owned),
        label: label.to_owned(),
        count: snapshot.domains().filter(|view| shape::is_in_state(view, state)).count(),
    };
    let access = request.access();
    DomainList {
        frame: frame(request),
        follow,
        url: request.url(),
        path: request.path.clone(),
        states: STATES.map(tab).to_vec(),
        contains: query.contains.clone(),
        state: query.state.map(str::to_owned),
        sort: query.sort,
        rows: query
            .select(snapshot, round)
            .into_iter()
            .map(|view| row(&access, view, cpu_percent(round, view), now))
            .collect(),
        can_create: access.may(OpKind::CreateDomain),
    }
    .render()
}

fn row(access: &Access, view: &DomainView, cpu: Option<f64>, now: SystemTime) -> DomainRow {
    DomainRow {
        name: view.name().to_string(),
        id: view.domid().map(|domid| domid.0),
        memory_mib: view.config.memory,
        memory_now_mib: view
            .facts
            .as_ref()
            .map_or(view.config.memory, |facts| facts.memory_kib / 1024),
        letters: state_letters(view),
        state: shape::state_word(view).to_owned(),
        vcpus: vcpu_count(view),
        cpu,
        uptime: uptime(view, now),
        addresses: addresses(view),
        devices: devices(view),
        progress: progress(view)
            .map(|progress| format!("{} {} %", progress.operation, progress.percent)),
        actions: actions(access, view, &domain_path(view)),
        segment: domain_segment(view),
    }
}

/// The devices in short: `2 vbd, 1 vif`. Every guest has a console, so it is left out.
fn devices(view: &DomainView) -> String {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for device in view.config.devices.iter().filter(|device| device.class() != "console") {
        match counts.iter_mut().find(|(class, _)| *class == device.class()) {
            Some((_, count)) => *count += 1,
            None => counts.push((device.class(), 1)),
        }
    }
    let counts: Vec<String> =
        counts.iter().map(|(class, count)| format!("{count} {class}")).collect();
    counts.join(", ")
}

/// The addresses that the guest reports and other hosts can reach.
fn addresses(view: &DomainView) -> Vec<String> {
    let reachable = view.report.iter().flat_map(|report| report.reachable());
    reachable.map(|address| address.to_string()).collect()
}

/// The time since a domain was started. `None` for Domain-0, which came with the host.
fn uptime(view: &DomainView, now: SystemTime) -> Option<Uptime> {
    let started = view.facts.as_ref()?.start_time?;
    let since = started.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
    Some(Uptime { seconds: now.duration_since(started).unwrap_or_default().as_secs(), since })
}

/// The most frequent operations in a domain's state that the caller may do. Those that can lose
/// data lead to a confirmation.
pub(super) fn actions(access: &Access, view: &DomainView, href: &str) -> Vec<Action> {
    let names: &[&str] = match view.state() {
        _ if view.is_privileged() => &[],
        State::Running => &["pause", "shutdown", "destroy"],
        State::Paused => &["unpause", "destroy"],
        State::Stopped(_) => &["destroy"],
        State::Halted => &["start", "delete"],
        State::Suspended => &["resume", "destroy"],
        State::Building | State::Dying | State::Gone => &[],
    };
    let action = |operation: &&Operation| Action {
        op: operation.name.to_owned(),
        label: match operation.data_loss {
            Some(_) => format!("{}…", operation.label),
            None => operation.label.to_owned(),
        },
        confirm: operation.data_loss.map(|_| format!("{href}/confirm?op={}", operation.name)),
    };
    let operation =
        |name: &&str| DOMAIN_OPERATIONS.iter().find(|operation| operation.name == *name);
    let operations = names.iter().filter_map(operation);
    operations.filter(|operation| operation.is_offered_on(access, view)).map(action).collect()
}

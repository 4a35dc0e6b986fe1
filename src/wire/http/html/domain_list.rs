//! The page with the list of domains.

use super::parts::{action, domain_path, domain_segment, frame, state_letters};
use crate::core::lifecycle::State;
use crate::core::rights::{Access, OpKind};
use crate::core::samples::SampleRound;
use crate::core::snapshot::{DomainView, Snapshot};
use crate::shape;
use crate::wire::http::list_query::{ListQuery, PageOfDomains, ROWS};
use crate::wire::http::list_values::{cpu_percent, memory_mib, shown_state, type_word, vcpu_count};
use crate::wire::http::obstacles::obstacle;
use crate::wire::http::operations::by_page::DOMAIN_OPERATIONS;
use crate::wire::http::request::RequestInfo;
use crate::wire::http::selected;
use std::time::SystemTime;
use xend_templates::{
    Action, DomainList, DomainRow, Paging, PlainLine, PlainList, StateTab, Uptime,
};

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
    let access = request.access();
    let PageOfDomains { views, page, total } = query.select_page(snapshot, round, now);
    // Scripts of 2006 ask for the list as it was: all of it.
    let is_for_script = !request.is_navigation && query.page.is_none();
    let plain = || PlainList {
        url: request.url(),
        lines: query.select(snapshot, round, now).into_iter().filter_map(|it| line(it)).collect(),
    };
    let bulk = selected::operations().filter(|operation| operation.is_offered(&access));
    DomainList {
        frame: frame(request),
        follow,
        path: request.path.clone(),
        states: tabs(snapshot),
        filter: query.q.clone(),
        filter_error: query.filter.as_ref().err().map(ToString::to_string),
        state: query.state.map(str::to_owned),
        sort: query.sort,
        rows: views
            .into_iter()
            .map(|view| row(&access, view, cpu_percent(round, view), now))
            .collect(),
        paging: Paging { page, rows: ROWS, total },
        bulk: bulk
            .map(|operation| (operation.name.to_owned(), operation.label.to_owned()))
            .collect(),
        plain: is_for_script.then(plain),
        can_create: access.may(OpKind::CreateDomain),
    }
    .render()
}

/// The tabs with their counts.
fn tabs(snapshot: &Snapshot) -> Vec<StateTab> {
    let mut counts = [0; STATES.len()];
    for view in snapshot.domains() {
        for ((state, _), count) in STATES.iter().zip(&mut counts) {
            *count += usize::from(shape::is_in_state(view, *state));
        }
    }
    let tab = |((state, label), count): (&(Option<&str>, &str), usize)| StateTab {
        state: state.map(str::to_owned),
        label: (*label).to_owned(),
        count,
    };
    STATES.iter().zip(counts).map(tab).collect()
}

/// The line of a domain on the host, for monitors.
fn line(view: &DomainView) -> Option<PlainLine> {
    Some(PlainLine {
        name: view.name().to_string(),
        segment: domain_segment(view),
        id: view.domid()?.0,
        memory_mib: view.config.memory,
    })
}

fn row(access: &Access, view: &DomainView, cpu: Option<f64>, now: SystemTime) -> DomainRow {
    DomainRow {
        name: view.name().to_string(),
        id: view.domid().map(|domid| domid.0),
        memory_now_mib: memory_mib(view),
        letters: state_letters(view),
        state: shown_state(view).into_owned(),
        percent: view.progress.map(|progress| progress.percent()),
        kind: if view.is_privileged() { "Domain-0" } else { type_word(view) }.to_owned(),
        vcpus: vcpu_count(view),
        cpu,
        uptime: uptime(view, now),
        addresses: addresses(view),
        devices: devices(view),
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
    let operation =
        |name: &&str| DOMAIN_OPERATIONS.iter().find(|operation| operation.name == *name);
    let operations = names.iter().filter_map(operation);
    let offered = operations.filter(|operation| {
        obstacle(operation.name, view).is_none() && operation.is_offered_on(access, view)
    });
    let confirm = format!("{href}/confirm");
    offered.map(|operation| action(operation, &confirm)).collect()
}

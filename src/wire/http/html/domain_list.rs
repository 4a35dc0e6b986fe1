//! The list of domains.

use super::{crumbs, letters, segment, under_way, uptime};
use crate::core::lifecycle::State;
use crate::core::samples::Round;
use crate::core::snapshot::{DomainView, Snapshot};
use crate::shape;
use crate::wire::http::list_query::{Selection, cpu, vcpus};
use crate::wire::http::operations::{self, Operation};
use crate::wire::http::request::Place;
use std::sync::Arc;
use std::time::SystemTime;
use xend_templates::{Action, DomainList, DomainRow, StateTab};

/// The states that can be asked for.
const STATES: [(Option<&str>, &str); 7] = [
    (None, "On the host"),
    (Some("all"), "All"),
    (Some("running"), "Running"),
    (Some("paused"), "Paused"),
    (Some("halted"), "Halted"),
    (Some("suspended"), "Suspended"),
    (Some("crashed"), "Crashed"),
];

pub(in crate::wire::http) fn page(
    place: &Place,
    events: String,
    selection: &Selection,
    snapshot: &Snapshot,
    round: &Round,
    now: SystemTime,
) -> String {
    let tab = |(state, label): (Option<&str>, &str)| StateTab {
        state: state.map(str::to_owned),
        label: label.to_owned(),
        count: snapshot.domains().filter(|view| shape::is_in_state(view, state)).count(),
    };
    DomainList {
        crumbs: crumbs(place),
        events,
        url: place.url(),
        path: place.path.clone(),
        states: STATES.map(tab).to_vec(),
        wanted: selection.contains.clone(),
        state: selection.state.map(str::to_owned),
        sort: selection.sort,
        rows: selection
            .domains(snapshot, round)
            .into_iter()
            .map(|view| row(view, cpu(round, view), now))
            .collect(),
    }
    .render()
}

fn row(view: &Arc<DomainView>, cpu: Option<f64>, now: SystemTime) -> DomainRow {
    let segment = segment(view);
    DomainRow {
        name: view.name().to_string(),
        id: view.domid().map(|domid| domid.0),
        memory_mib: view.config.memory,
        memory_now_mib: view
            .facts
            .as_ref()
            .map_or(view.config.memory, |facts| facts.memory_kib / 1024),
        letters: letters(view),
        state: shape::state_word(view).to_owned(),
        vcpus: vcpus(view),
        cpu,
        uptime: uptime(view, now),
        devices: devices(view),
        under_way: under_way(view).map(|one| format!("{} {} %", one.what, one.percent)),
        actions: actions(view, &format!("/xend/domain/{segment}")),
        segment,
    }
}

/// `2 vbd, 1 vif`; each guest has a console.
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

/// What is done most with a domain where it is, each with one press of a button, or two if
/// something can be lost.
pub(super) fn actions(view: &DomainView, href: &str) -> Vec<Action> {
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
        label: match operation.loses {
            Some(_) => format!("{}…", operation.label),
            None => operation.label.to_owned(),
        },
        confirm: operation.loses.map(|_| format!("{href}/confirm?op={}", operation.name)),
    };
    let operation =
        |name: &&str| operations::ON_DOMAIN.iter().find(|operation| operation.name == *name);
    names.iter().filter_map(operation).map(action).collect()
}

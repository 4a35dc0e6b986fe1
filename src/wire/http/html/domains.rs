//! The list of domains.

use super::{crumbs, letters, segment, under_way, uptime};
use crate::core::lifecycle::State;
use crate::core::samples::Round;
use crate::core::snapshot::{DomainView, Snapshot};
use crate::shape;
use crate::wire::http::ops::{self, Operation};
use crate::wire::http::params::Params;
use crate::wire::http::place::Place;
use std::cmp::Ordering;
use std::sync::Arc;
use std::time::SystemTime;
use xend_templates::{Action, Column, DomainList, DomainRow, Sorting, StateTab};

/// What a query asks of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::wire::http) struct Wish {
    /// In which state domains are to be; those with a domid if none.
    pub(in crate::wire::http) state: Option<String>,
    /// What their names are to contain.
    contains: String,
    /// The one domain that is wanted: the script's way to one row.
    name: Option<String>,
    sort: Sorting,
}

impl Wish {
    pub(in crate::wire::http) fn of(query: &Params) -> Self {
        let text = |key: &str| query.all(key).last().map(|value| String::from_utf8_lossy(value).into_owned());
        let by = text("sort").and_then(|key| Column::ALL.into_iter().find(|column| column.key() == key));
        Self {
            state: text("state").map(|state| state.to_ascii_lowercase()),
            contains: text("q").unwrap_or_default(),
            name: text("name"),
            sort: Sorting {
                by: by.unwrap_or(Column::Name),
                descending: text("desc").is_some_and(|desc| desc == "1"),
            },
        }
    }

    fn wants(&self, view: &DomainView) -> bool {
        let name = view.name().as_str();
        shape::is_in_state(view, self.state.as_deref())
            && self.name.as_deref().is_none_or(|wanted| wanted == name)
            && name.to_lowercase().contains(&self.contains.trim().to_lowercase())
    }
}

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
    wish: &Wish,
    snapshot: &Snapshot,
    round: &Round,
    now: SystemTime,
) -> String {
    let tab = |(state, label): (Option<&str>, &str)| StateTab {
        state: state.map(str::to_owned),
        label: label.to_owned(),
        count: snapshot.domains().filter(|view| shape::is_in_state(view, state)).count(),
    };
    let mut views: Vec<_> = snapshot.domains().filter(|view| wish.wants(view)).collect();
    let cpu = |view: &DomainView| round.domains.get(&view.uuid).map(|sample| f64::from(sample.cpu));
    views.sort_by(|a, b| ordered(wish.sort, a, b, cpu));
    DomainList {
        crumbs: crumbs(place),
        events,
        url: place.url(),
        path: place.path.clone(),
        states: STATES.map(tab).to_vec(),
        wanted: wish.contains.clone(),
        state: wish.state.clone(),
        sort: wish.sort,
        rows: views.into_iter().map(|view| row(view, cpu(view), now)).collect(),
    }
    .render()
}

/// Those that have no such figure come last, whichever way round.
fn ordered(
    sort: Sorting,
    a: &DomainView,
    b: &DomainView,
    cpu: impl Fn(&DomainView) -> Option<f64>,
) -> Ordering {
    let turned = |order: Ordering| if sort.descending { order.reverse() } else { order };
    let known = |a: Option<u64>, b: Option<u64>| match (a, b) {
        (Some(a), Some(b)) => turned(a.cmp(&b)),
        (a, b) => b.is_some().cmp(&a.is_some()),
    };
    let seconds = |view: &DomainView| {
        let started = view.facts.as_ref()?.start_time?;
        let since = started.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        Some(u64::MAX - since.as_secs())
    };
    match sort.by {
        Column::Name => turned(a.name().cmp(b.name())),
        Column::Id => known(a.domid().map(|id| id.0.into()), b.domid().map(|id| id.0.into())),
        Column::State => turned(shape::state_word(a).cmp(shape::state_word(b))),
        Column::Memory => turned(a.config.memory.cmp(&b.config.memory)),
        Column::Vcpus => turned(vcpus(a).cmp(&vcpus(b))),
        Column::Cpu => match (cpu(a), cpu(b)) {
            (Some(a), Some(b)) => turned(a.total_cmp(&b)),
            (a, b) => b.is_some().cmp(&a.is_some()),
        },
        Column::Uptime => known(seconds(a), seconds(b)),
    }
}

fn vcpus(view: &DomainView) -> u32 {
    view.facts.as_ref().map_or(view.config.vcpus, |facts| facts.online_vcpus)
}

fn row(view: &Arc<DomainView>, cpu: Option<f64>, now: SystemTime) -> DomainRow {
    let segment = segment(view);
    DomainRow {
        name: view.name().to_string(),
        id: view.domid().map(|domid| domid.0),
        memory_mib: view.config.memory,
        memory_now_mib: view.facts.as_ref().map_or(view.config.memory, |facts| facts.memory_kib / 1024),
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
    let counts: Vec<String> = counts.iter().map(|(class, count)| format!("{count} {class}")).collect();
    counts.join(", ")
}

/// What is done most with a domain where it is, each with one press of a button, or two if something can be lost.
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
    let operation = |name: &&str| ops::ON_DOMAIN.iter().find(|operation| operation.name == *name);
    names.iter().filter_map(operation).map(action).collect()
}

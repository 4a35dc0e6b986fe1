//! The host's page.

use super::domain::mib;
use super::{crumbs, fact, page_of, tree};
use crate::core::model::{HostFigures, HostInfo};
use crate::core::samples::Round;
use crate::core::snapshot::{DomainView, Snapshot};
use crate::shape;
use crate::wire::http::request::Place;
use std::sync::Arc;
use xend_templates::{Fact, Link, NodePage, Share, Shares, User};

pub(in crate::wire::http) fn page(
    place: &Place,
    events: String,
    info: &HostInfo,
    figures: &HostFigures,
    snapshot: &Snapshot,
    round: &Round,
) -> String {
    let tree = tree(|sink| shape::node(sink, info, figures));
    let mut users: Vec<_> = snapshot
        .domains()
        .filter_map(|view| Some((view, view.facts.as_ref()?.memory_kib, cpu(view, round))))
        .collect();
    // Domain-0 is the first, and has a colour of its own.
    users.sort_by_key(|(view, memory, _)| (!view.is_privileged(), std::cmp::Reverse(*memory)));
    let share = |name: &Arc<DomainView>, amount| Share { name: name.name().to_string(), amount };
    let cpus = f64::from(info.topology.cpus);
    NodePage {
        crumbs: crumbs(place),
        events,
        host: info.uname[1].clone(),
        summary: summary(info, figures),
        facts: tree.tail().iter().filter_map(fact).collect(),
        memory: Shares {
            name: "Memory".to_owned(),
            total: mib(info.total_memory * 1024),
            unit: "MiB".to_owned(),
            parts: users.iter().map(|(view, memory, _)| share(view, mib(*memory))).collect(),
        },
        cpu: Shares {
            name: "CPU".to_owned(),
            total: cpus * 100.0,
            unit: "%".to_owned(),
            parts: users.iter().map(|(view, _, cpu)| share(view, *cpu)).collect(),
        },
        users: users
            .iter()
            .map(|(view, memory, cpu)| User {
                domain: page_of(view),
                memory_mib: memory / 1024,
                cpu: *cpu,
            })
            .collect(),
        links: vec![
            Link::new("Xen dmesg output", "/xend/node/dmesg"),
            Link::new("Xend log", "/xend/node/log"),
            Link::new("Events", "/xend/events"),
        ],
    }
    .render()
}

fn cpu(view: &DomainView, round: &Round) -> f64 {
    round.domains.get(&view.uuid).map_or(0.0, |sample| f64::from(sample.cpu))
}

fn summary(info: &HostInfo, figures: &HostFigures) -> Vec<Fact> {
    let [system, _, release, _, machine] = &info.uname;
    let topology = &info.topology;
    let virt = if info.virt_caps.is_empty() { "paravirtual guests alone" } else { &info.virt_caps };
    vec![
        Fact::new("Xen", format!("{}.{}{}", info.xen_major, info.xen_minor, info.xen_extra)),
        Fact::new("Scheduler", info.scheduler.to_string()),
        Fact::new("Domain-0", format!("{system} {release} {machine}")),
        Fact::new(
            "CPUs",
            format!(
                "{} at {} MHz, {} NUMA node(s)",
                topology.cpus,
                topology.khz / 1000,
                topology.nodes
            ),
        ),
        Fact::new("Memory", format!("{} MiB, {} MiB free", info.total_memory, figures.free_memory)),
        Fact::new("Virtualisation", virt.to_owned()),
        Fact::new("Guests", info.xen_caps.clone()),
    ]
}

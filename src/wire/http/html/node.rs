//! The host's page.

use super::parts::{domain_link, facts, frame, mib, tree};
use crate::core::model::{HostFigures, HostInfo};
use crate::core::rights::OpKind;
use crate::core::samples::SampleRound;
use crate::core::snapshot::{DomainView, Snapshot};
use crate::shape;
use crate::wire::http::list_values::cpu_percent;
use crate::wire::http::request::RequestInfo;
use std::sync::Arc;
use xend_templates::{DomainUsage, Fact, Link, NodePage, Share, Shares};

/// Related pages, and what they need.
const LINKS: [(&str, &str, OpKind); 4] = [
    ("History of use", "/xend/node/history", OpKind::ShowHost),
    ("Xen dmesg output", "/xend/node/dmesg", OpKind::ReadDmesg),
    ("Xend log", "/xend/node/log", OpKind::ReadLog),
    ("Events", "/xend/events", OpKind::ReadEvents),
];

pub(crate) fn page(
    request: &RequestInfo,
    follow: String,
    info: &HostInfo,
    figures: &HostFigures,
    snapshot: &Snapshot,
    round: &SampleRound,
) -> String {
    let tree = tree(|sink| shape::node(sink, info, figures));
    let mut users: Vec<_> = snapshot
        .domains()
        .filter_map(|view| {
            Some((view, view.facts.as_ref()?.memory_kib, cpu_percent(round, view).unwrap_or(0.0)))
        })
        .collect();
    // Domain-0 comes first: it has a colour of its own.
    users.sort_by_key(|(view, memory, _)| (!view.is_privileged(), std::cmp::Reverse(*memory)));
    let share = |view: &Arc<DomainView>, amount| Share { name: view.name().to_string(), amount };
    let cpus = f64::from(info.topology.cpus);
    let access = request.access();
    let memory = Shares {
        name: "Memory".to_owned(),
        total: mib(info.total_memory * 1024),
        unit: "MiB".to_owned(),
        parts: users.iter().map(|(view, memory, _)| share(view, mib(*memory))).collect(),
    };
    let cpu = Shares {
        name: "CPU".to_owned(),
        total: cpus * 100.0,
        unit: "%".to_owned(),
        parts: users.iter().map(|(view, _, cpu)| share(view, *cpu)).collect(),
    };
    NodePage {
        frame: frame(request),
        follow,
        host: info.uname[1].clone(),
        summary: summary(info, figures),
        facts: facts(tree.tail()),
        // The rest of a bar is free only if it has all domains.
        shares: if access.operator { vec![memory, cpu] } else { Vec::new() },
        domains: users
            .iter()
            .map(|(view, memory, cpu)| DomainUsage {
                domain: domain_link(view),
                memory_mib: memory / 1024,
                cpu: *cpu,
            })
            .collect(),
        links: LINKS
            .iter()
            .filter(|(.., kind)| access.may(*kind))
            .map(|(name, href, _)| Link::new(*name, *href))
            .collect(),
    }
    .render()
}

fn summary(info: &HostInfo, figures: &HostFigures) -> Vec<Fact> {
    let [system, _, release, _, machine] = &info.uname;
    let topology = &info.topology;
    let virt = if info.virt_caps.is_empty() { "none" } else { &info.virt_caps };
    vec![
        Fact::new("Xen", format!("{}.{}{}", info.xen_major, info.xen_minor, info.xen_extra)),
        Fact::new("Scheduler", info.scheduler.to_string()),
        Fact::new("Domain-0", format!("{system} {release} {machine}")),
        Fact::new(
            "CPUs",
            format!(
                "{} at {} MHz, NUMA nodes: {}",
                topology.cpus,
                topology.khz / 1000,
                topology.nodes
            ),
        ),
        Fact::new("Memory", format!("{} MiB, {} MiB free", info.total_memory, figures.free_memory)),
        Fact::new("Hardware virtualisation", virt.to_owned()),
        Fact::new("Guest types", info.xen_caps.clone()),
    ]
}

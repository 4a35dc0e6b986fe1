//! The host's page.

use super::parts::{domain_path, facts, frame, mib, tree};
use crate::core::model::{HostFigures, HostInfo};
use crate::core::rights::OpKind;
use crate::core::samples::SampleRound;
use crate::core::snapshot::{DomainView, Snapshot};
use crate::shape;
use crate::wire::http::list_values::cpu_percent;
use crate::wire::http::request::RequestInfo;
use xend_templates::{
    Consumer, ConsumerKind, Fact, HostTotals, HostUse, Link, MAX_NAMED_CONSUMERS, NodePage,
};

/// Related pages, and what they need.
const LINKS: [(&str, &str, OpKind); 4] = [
    ("History", "/xend/node/history", OpKind::ShowHost),
    ("Messages of Xen", "/xend/node/dmesg", OpKind::ReadDmesg),
    ("Log", "/xend/node/log", OpKind::ReadLog),
    ("Events", "/xend/journal", OpKind::ReadEvents),
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
    let access = request.access();
    NodePage {
        frame: frame(request),
        follow,
        host: info.uname[1].clone(),
        summary: summary(info),
        facts: facts(tree.tail()),
        usage: host_use(access.operator, info, figures, snapshot, round),
        links: LINKS
            .iter()
            .filter(|(.., kind)| access.may(*kind))
            .map(|(name, href, _)| Link::new(*name, *href))
            .collect(),
    }
    .render()
}

/// Domain-0, the largest domains, the others together, and the hypervisor.
fn host_use(
    sees_all: bool,
    info: &HostInfo,
    figures: &HostFigures,
    snapshot: &Snapshot,
    round: &SampleRound,
) -> HostUse {
    let total_memory = mib(info.total_memory * 1024).max(1.0);
    let total_cpu = (f64::from(info.topology.cpus) * 100.0).max(1.0);
    let on_host = snapshot.domains().filter(|view| view.facts.is_some());
    let mut consumers: Vec<_> = on_host.map(|view| consumer(view, round)).collect();
    // Whoever has the larger share of either comes first.
    let share = |one: &Consumer| {
        (mib(one.memory_mib * 1024) / total_memory).max(one.cpu.unwrap_or(0.0) / total_cpu)
    };
    consumers.sort_by(|a, b| {
        let is_domain = |one: &Consumer| one.kind != ConsumerKind::Domain0;
        is_domain(a).cmp(&is_domain(b)).then(share(b).total_cmp(&share(a)))
    });
    let first = consumers.iter().take_while(|one| one.kind == ConsumerKind::Domain0).count();
    let others = consumers.split_off(consumers.len().min(first + MAX_NAMED_CONSUMERS));
    if !others.is_empty() {
        consumers.push(Consumer {
            kind: ConsumerKind::Others,
            name: format!("{} others", others.len()),
            href: Some("/xend/domain".to_owned()),
            memory_mib: others.iter().map(|one| one.memory_mib).sum(),
            cpu: Some(others.iter().filter_map(|one| one.cpu).sum()),
        });
    }
    let of_domains: u64 = consumers.iter().map(|one| one.memory_mib).sum();
    let of_xen = info.total_memory.saturating_sub(figures.free_memory + of_domains);
    if sees_all && of_xen > 0 {
        consumers.push(Consumer {
            kind: ConsumerKind::Xen,
            name: "Xen".to_owned(),
            href: None,
            memory_mib: of_xen,
            cpu: None,
        });
    }
    let totals = sees_all.then_some(HostTotals {
        memory_mib: info.total_memory,
        free_memory_mib: figures.free_memory,
        cpus: info.topology.cpus,
    });
    HostUse { consumers, totals }
}

fn consumer(view: &DomainView, round: &SampleRound) -> Consumer {
    let memory_kib = view.facts.as_ref().map_or(0, |facts| facts.memory_kib);
    Consumer {
        kind: if view.is_privileged() { ConsumerKind::Domain0 } else { ConsumerKind::Domain },
        name: view.name().to_string(),
        href: Some(domain_path(view)),
        memory_mib: memory_kib / 1024,
        cpu: Some(cpu_percent(round, view).unwrap_or(0.0)),
    }
}

fn summary(info: &HostInfo) -> Vec<Fact> {
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
        Fact::new("Memory", format!("{} MiB", info.total_memory)),
        Fact::new("Hardware virtualisation", virt.to_owned()),
        Fact::new("Guest types", info.xen_caps.clone()),
    ]
}

//! A domain's page.

use super::domain_list::actions;
use super::{crumbs, fact, forms, history, letters, page_of, tree, under_way, vcpu};
use crate::core::model::{Device as Configured, DeviceFacts};
use crate::core::op::Outcome;
use crate::core::samples::{self, Sample};
use crate::core::snapshot::DomainView;
use crate::shape;
use crate::sxp::Sxp;
use crate::wire::http::operations::create;
use crate::wire::http::request::Place;
use std::sync::Arc;
use xend_templates::{Chart, Device, DomainPage, Fact};

/// What there is to know of a domain beside its view. What could not be had is left out.
#[derive(Default)]
pub(in crate::wire::http) struct Seen {
    pub(in crate::wire::http) events: String,
    pub(in crate::wire::http) vcpus: Option<Outcome>,
    pub(in crate::wire::http) sedf: Option<Outcome>,
    pub(in crate::wire::http) devices: Option<Outcome>,
    pub(in crate::wire::http) console: Option<Outcome>,
    pub(in crate::wire::http) samples: Vec<Sample>,
    pub(in crate::wire::http) history: Vec<Arc<crate::core::journal::Event>>,
}

/// How many lines of a console are shown.
const CONSOLE_LINES: usize = 40;

pub(in crate::wire::http) fn page(place: &Place, view: &DomainView, seen: &Seen) -> String {
    let href = page_of(view).href;
    let found = match &seen.devices {
        Some(Outcome::Devices(devices)) => devices.as_slice(),
        _ => &[],
    };
    DomainPage {
        crumbs: crumbs(place),
        events: seen.events.clone(),
        name: view.name().to_string(),
        id: view.domid().map(|domid| domid.0),
        state: shape::state_word(view).to_owned(),
        letters: letters(view),
        actions: actions(view, &href),
        under_way: under_way(view),
        facts: facts(view),
        charts: if view.facts.is_some() { charts(view, &seen.samples) } else { Vec::new() },
        devices: view.config.devices.iter().map(|configured| device(configured, found)).collect(),
        vcpus: match &seen.vcpus {
            Some(Outcome::Vcpus(_, vcpus)) => vcpus.iter().map(vcpu).collect(),
            _ => Vec::new(),
        },
        console: match &seen.console {
            Some(Outcome::Text(text)) => Some(last_lines(&String::from_utf8_lossy(text))),
            _ => None,
        },
        history: seen.history.iter().map(|event| history(event)).collect(),
        operations: forms::of(view, seen.sedf.as_ref()),
        config_text: create::printed(view.definition.as_ref().unwrap_or(&view.config)),
        href,
    }
    .render()
}

/// What a person wants to know first.
fn facts(view: &DomainView) -> Vec<Fact> {
    let config = &view.config;
    let mut facts = vec![
        Fact::new("UUID", view.uuid.to_string()),
        Fact::new("Memory", format!("{} MiB of at most {} MiB", config.memory, config.maxmem)),
    ];
    if let Some(now) = &view.facts {
        facts.push(Fact::new("VCPUs", format!("{} of {} online", now.online_vcpus, config.vcpus)));
        facts.push(Fact::new("CPU time", format!("{:.1} s", now.cpu_time.as_secs_f64())));
        if let Some(started) =
            now.start_time.and_then(|start| jiff::Timestamp::try_from(start).ok())
        {
            facts.push(Fact::new("Started", started.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()));
        }
    } else {
        facts.push(Fact::new("VCPUs", config.vcpus.to_string()));
    }
    facts.push(Fact::new(
        "Managed",
        if view.managed() { "yes, its definition is stored" } else { "no" },
    ));
    if let Some(image) = &config.image {
        for (name, text) in [("Kernel", &image.kernel), ("Kernel arguments", &image.args)] {
            if !text.is_empty() {
                facts.push(Fact::new(name, text.to_string()));
            }
        }
    }
    if !config.description.is_empty() {
        facts.push(Fact::new("Description", config.description.to_string()));
    }
    for (name, then) in [
        ("On poweroff", config.on_poweroff),
        ("On reboot", config.on_reboot),
        ("On crash", config.on_crash),
    ] {
        facts.push(Fact::new(name, then.to_string()));
    }
    facts
}

fn charts(view: &DomainView, samples: &[Sample]) -> Vec<Chart> {
    let span = format!("{} min", samples::SPAN.as_secs() / 60);
    let chart = |name: &str, points: Vec<f64>, most: f64, unit: &str| Chart {
        name: name.to_owned(),
        points,
        width: samples::KEPT,
        most,
        unit: unit.to_owned(),
        span: span.clone(),
    };
    let cpu = samples.iter().map(|sample| f64::from(sample.cpu)).collect();
    let memory = samples.iter().map(|sample| mib(sample.memory_kib)).collect();
    let most = u32::try_from(view.config.maxmem.max(view.config.memory)).unwrap_or(u32::MAX);
    vec![
        chart("CPU", cpu, f64::from(view.config.vcpus.max(1)) * 100.0, "%"),
        chart("Memory", memory, f64::from(most), "MiB"),
    ]
}

pub(super) fn mib(kib: u64) -> f64 {
    u32::try_from(kib / 1024).map_or(f64::MAX, f64::from)
}

/// A device with what has become of it.
fn device(configured: &Configured, found: &[DeviceFacts]) -> Device {
    let tree = tree(|sink| shape::defined_devices(sink, std::slice::from_ref(configured)));
    // `((0 (vbd (dev xvda) ...)))`: with its number in front.
    let record = tree.as_list().and_then(|list| list.first()?.tail().first());
    let facts: Vec<Fact> = record.into_iter().flat_map(Sxp::tail).filter_map(fact).collect();
    let named =
        |name: &str| facts.iter().find(|fact| fact.name == name).map(|fact| fact.value.clone());
    let number = configured.id();
    let same = found.iter().find(|facts| {
        configured.is_of(&facts.class) && number.is_none_or(|number| number == facts.number)
    });
    let state = same.and_then(|facts| {
        let node = facts.nodes.iter().find(|node| node.key == "state")?;
        node.text().map(ToString::to_string)
    });
    Device {
        kind: configured.class().to_owned(),
        name: named("dev").or_else(|| named("mac")).unwrap_or_default(),
        state: state.map(|number| state_of_bus(&number).to_owned()).unwrap_or_default(),
        facts,
    }
}

/// The states of a device's connection, as `xen/include/public/io/xenbus.h` numbers them.
fn state_of_bus(number: &str) -> &str {
    match number {
        "1" => "initialising",
        "2" => "waiting",
        "3" => "initialised",
        "4" => "connected",
        "5" => "closing",
        "6" => "closed",
        "7" | "8" => "reconfiguring",
        other => other,
    }
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(CONSOLE_LINES)..].join("\n")
}

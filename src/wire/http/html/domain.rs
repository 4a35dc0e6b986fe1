//! A domain's page.

use super::domain_list::actions;
use super::operation_groups::groups;
use super::parts::{domain_path, frame, mib, progress, state_letters, vcpu};
use super::situation::Situation;
use super::usage::Scale;
use super::{devices, history};
use crate::core::journal::Event;
use crate::core::model::{
    DeviceFacts, GuestKind, GuestReport, HostInfo, Image, Scheduler, SedfParams, Span, VcpuFacts,
};
use crate::core::rights::{Access, OpKind};
use crate::core::samples::{self, Sample};
use crate::core::snapshot::DomainView;
use crate::shape;
use crate::wire::http::config_text;
use crate::wire::http::list_values::shown_state;
use crate::wire::http::operations::save::CANCEL;
use crate::wire::http::request::RequestInfo;
use std::sync::Arc;
use xend_templates::{Chart, DomainPage, Fact, OperationProgress};

/// The number of console lines on the page.
const CONSOLE_LINES: usize = 40;

/// The most addresses of a guest on the page.
const MAX_ADDRESSES: usize = 8;

/// Details of a domain beside its view. A detail that could not be read is empty.
#[derive(Default)]
pub(crate) struct Details {
    /// The query of `/xend/events` for the page's script.
    pub(crate) follow: String,
    /// The host, for the scale of charts.
    pub(crate) host: Arc<HostInfo>,
    pub(crate) vcpus: Vec<VcpuFacts>,
    /// The scheduler of the domain's pool, as far as its parameters can be read.
    pub(crate) scheduler: Option<Scheduler>,
    pub(crate) sedf: Option<SedfParams>,
    pub(crate) devices: Vec<DeviceFacts>,
    pub(crate) console: Option<Vec<u8>>,
    pub(crate) samples: Vec<Sample>,
    pub(crate) history: Vec<Arc<Event>>,
    /// The hosts of the fleet to which the caller may send the domain; `None` on a host in none.
    pub(crate) destinations: Option<Vec<String>>,
}

pub(crate) fn page(request: &RequestInfo, view: &DomainView, details: &Details) -> String {
    let href = domain_path(view);
    let access = request.access();
    let can_cancel = CANCEL.is_offered_on(&access, view);
    let progress = progress(view);
    let situation = Situation {
        access: &access,
        sedf: details.sedf.as_ref(),
        scheduler: details.scheduler,
        host_memory: details.host.total_memory,
        destinations: details.destinations.as_deref(),
    };
    let may_use_screen = access.may_on(OpKind::UseScreen, view.uuid, view.name().as_str());
    DomainPage {
        frame: frame(request),
        follow: details.follow.clone(),
        name: view.name().to_string(),
        id: view.domid().map(|domid| domid.0),
        state: shown_state(view).into_owned(),
        letters: state_letters(view),
        actions: actions(&access, view, &href),
        progress: progress.map(|progress| OperationProgress {
            can_be_cancelled: progress.can_be_cancelled && can_cancel,
            ..progress
        }),
        facts: summary(&access, view, &details.host),
        guest: view.report.as_ref().map(|report| guest_facts(report)).unwrap_or_default(),
        charts: if view.facts.is_some() { charts(view, details) } else { Vec::new() },
        devices: devices::devices(&access, view, &details.devices),
        vcpus: details.vcpus.iter().map(vcpu).collect(),
        console: details.console.as_ref().map(|text| last_lines(&String::from_utf8_lossy(text))),
        has_screen: view.screen_address().is_some() && may_use_screen,
        spans: Span::ALL.map(|span| span.name().to_owned()).to_vec(),
        history: details.history.iter().map(|event| history::shown(event)).collect(),
        operations: groups(view, &situation),
        config_text: config_text::print(view.definition.as_ref().unwrap_or(&view.config)),
        href,
    }
    .render()
}

/// The facts at the top of the page.
fn summary(access: &Access, view: &DomainView, host: &HostInfo) -> Vec<Fact> {
    let config = &view.config;
    let memory = match Scale::of_domain(view, host) {
        Scale { memory_mib, .. } if view.is_privileged() => {
            format!("{} of the host's {memory_mib} MiB", config.memory)
        }
        _ => format!("{} MiB, maximum {} MiB", config.memory, config.maxmem),
    };
    let mut facts = vec![Fact::new("Type", guest_type(view)), Fact::new("Memory", memory)];
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
    facts.push(Fact::new("Managed", if view.managed() { "yes" } else { "no" }));
    if let Some(image) = &config.image {
        for (name, text) in [("Kernel", &image.kernel), ("Kernel arguments", &image.args)] {
            if !text.is_empty() {
                facts.push(Fact::new(name, text.to_string()));
            }
        }
        if image.kind == GuestKind::Hvm {
            facts.extend(virtual_machine(image));
        }
    }
    let may_use_screen = access.may_on(OpKind::UseScreen, view.uuid, view.name().as_str());
    if let Some(address) = view.screen_address().filter(|_| may_use_screen) {
        facts.push(Fact::new("VNC", address));
    }
    if !config.description.is_empty() {
        facts.push(Fact::new("Description", config.description.to_string()));
    }
    for (name, action) in [
        ("On poweroff", config.on_poweroff),
        ("On reboot", config.on_reboot),
        ("On crash", config.on_crash),
    ] {
        facts.push(Fact::new(name, action.to_string()));
    }
    facts.push(Fact::new("UUID", view.uuid.to_string()));
    facts
}

fn guest_type(view: &DomainView) -> &'static str {
    match view.config.image.as_ref().map(|image| image.kind) {
        _ if view.is_privileged() => "Domain-0",
        Some(GuestKind::Hvm) => "HVM, fully virtualised",
        Some(GuestKind::Pvh) => "PVH",
        // The boot loader chooses a kernel.
        Some(GuestKind::Pv) | None => "PV, paravirtualised",
    }
}

/// The firmware and the boot order of an HVM guest.
fn virtual_machine(image: &Image) -> [Fact; 2] {
    let loader = image.loader.as_ref().filter(|loader| !loader.is_empty());
    let loader = loader.map_or_else(|| Image::LOADER.to_owned(), ToString::to_string);
    // Xen's own default.
    let order = image.setting("boot").map_or_else(|| "cda".to_owned(), ToString::to_string);
    [Fact::new("Firmware", loader), Fact::new("Boot order", boot_order(&order))]
}

/// `dc` in words.
fn boot_order(letters: &str) -> String {
    let device = |letter: char| match letter {
        'a' => "floppy disk".to_owned(),
        'c' => "hard disk".to_owned(),
        'd' => "CD-ROM".to_owned(),
        'n' => "network".to_owned(),
        other => other.to_string(),
    };
    letters.chars().map(device).collect::<Vec<_>>().join(", ")
}

/// What the guest reports about itself.
fn guest_facts(report: &GuestReport) -> Vec<Fact> {
    let mut facts: Vec<Fact> = Vec::new();
    let mut add = |name: &str, value: Option<String>| {
        facts.extend(value.map(|value| Fact::new(name, value)));
    };
    add("Name", report.host_name.clone());
    let os = |key: &str| report.os.get(key).filter(|text| !text.is_empty()).cloned();
    add("Operating system", os("name").or_else(|| os("distro")));
    add("Kernel", os("uname"));
    let (shown, more) = report.addresses.split_at(report.addresses.len().min(MAX_ADDRESSES));
    let mut vifs: Vec<u32> = shown.iter().map(|one| one.vif).collect();
    vifs.dedup();
    let last = vifs.last().copied();
    for vif in vifs {
        let own = shown.iter().filter(|one| one.vif == vif);
        let addresses: Vec<String> = own.map(|one| one.address.to_string()).collect();
        let addresses = addresses.join(", ");
        let text = match more.len() {
            count @ 1.. if Some(vif) == last => format!("{addresses} and {count} more"),
            _ => addresses,
        };
        add(&format!("Addresses of vif{vif}"), Some(text));
    }
    add(
        "Memory in use",
        report.memory.as_ref().map(|memory| {
            format!("{} of {} MiB", shape::used_mib(memory), memory.total_kib / 1024)
        }),
    );
    add("Agent", shape::agent_version(report));
    let updated = jiff::Timestamp::try_from(report.updated).ok();
    add("Reported", updated.map(|at| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()));
    facts
}

fn charts(view: &DomainView, details: &Details) -> Vec<Chart> {
    let samples = &details.samples;
    let scale = Scale::of_domain(view, &details.host);
    let span = format!("{} min", samples::SAMPLES_SPAN.as_secs() / 60);
    let chart = |name: &str, points: Vec<f64>, max: f64, unit: &str| Chart {
        name: name.to_owned(),
        points,
        width: samples::MAX_SAMPLES,
        max,
        unit: unit.to_owned(),
        span: span.clone(),
    };
    let cpu = samples.iter().map(|sample| f64::from(sample.cpu)).collect();
    let memory = samples.iter().map(|sample| mib(sample.memory_kib)).collect();
    vec![
        chart("CPU", cpu, scale.cpu, "%"),
        chart("Memory", memory, f64::from(scale.memory_mib), "MiB"),
    ]
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(CONSOLE_LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::GuestAddress;
    use std::collections::BTreeMap;
    use std::net::{IpAddr, Ipv4Addr};
    use std::time::SystemTime;

    fn addresses(vifs: &[u32]) -> Vec<(String, String)> {
        let numbered = vifs.iter().zip(0..);
        let address = |(vif, index): (&u32, u8)| GuestAddress {
            vif: *vif,
            index: index.into(),
            address: IpAddr::V4(Ipv4Addr::new(10, 0, 0, index)),
        };
        let report = GuestReport {
            host_name: None,
            os: BTreeMap::new(),
            agent_version: BTreeMap::new(),
            addresses: numbered.map(address).collect(),
            memory: None,
            other: BTreeMap::new(),
            updated: SystemTime::UNIX_EPOCH,
        };
        let facts = guest_facts(&report).into_iter().map(|fact| (fact.name, fact.value));
        facts.filter(|(name, _)| name.starts_with("Addresses")).collect()
    }

    #[test]
    fn a_boot_order_is_told_in_words() {
        assert_eq!(boot_order("dcn"), "CD-ROM, hard disk, network");
        assert_eq!(boot_order("x"), "x");
    }

    #[test]
    fn a_guest_has_at_most_8_addresses_on_its_page() {
        let eight: Vec<String> = (0..8).map(|index| format!("10.0.0.{index}")).collect();
        let eight = eight.join(", ");
        let row = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        assert_eq!(addresses(&[0; 8]), [row("Addresses of vif0", &eight)]);
        let more = format!("{eight} and 2 more");
        assert_eq!(addresses(&[0; 10]), [row("Addresses of vif0", &more)]);
        let of_many: Vec<u32> = (0..100).collect();
        let rows = addresses(&of_many);
        assert_eq!(rows.len(), 8);
        assert_eq!(rows[7], row("Addresses of vif7", "10.0.0.7 and 92 more"));
        assert!(addresses(&[]).is_empty());
    }
}

//! Outcomes as pages of `templates`.

pub(super) mod create;
pub(super) mod domain;
pub(super) mod domain_list;
mod forms;
pub(super) mod node;

use super::path::segment_of;
use super::request::Place;
use crate::core::journal::{Event, What};
use crate::core::lifecycle::State;
use crate::core::model::{DeviceFacts, VcpuFacts, Vnet};
use crate::core::op::Outcome;
use crate::core::snapshot::DomainView;
use crate::shape::{self, TreeSink};
use crate::sxp::{Sxp, pretty};
use std::time::SystemTime;
use xend_templates::{
    ConsolePage, CreatedPage, Directory, Fact, HistoryEntry, Link, MessagePage, Moment, RecordPage,
    TextPage, UnderWay, Uptime, Vcpu, VcpuPage, VnetList, VnetPage,
};

/// `/ xend/ domain/ pv1/`: the way to a page.
pub(super) fn crumbs(place: &Place) -> Vec<Link> {
    let mut crumbs = vec![Link::new("/", "/")];
    let mut href = String::from("/");
    for segment in place.path.split('/').filter(|segment| !segment.is_empty()) {
        href.push_str(segment);
        href.push('/');
        let name = percent_encoding::percent_decode_str(segment).decode_utf8_lossy().into_owned();
        crumbs.push(Link::new(name, href.clone()));
    }
    crumbs
}

/// The last segment of a domain's path: its name, unless that means something else in a path, as it
/// can of another toolstack's.
fn segment(view: &DomainView) -> String {
    match view.name().as_str() {
        "." | ".." => view.uuid.to_string(),
        name => segment_of(name),
    }
}

/// A domain's page.
fn page_of(view: &DomainView) -> Link {
    Link::new(view.name().to_string(), format!("/xend/domain/{}", segment(view)))
}

/// The page that an operation was asked for on.
pub(super) fn back(place: &Place) -> Link {
    let name = place.names.last().cloned().unwrap_or_else(|| place.path.clone());
    Link::new(name, place.path.clone())
}

pub(super) fn directory(place: &Place, entries: &[&str]) -> String {
    let base = place.url();
    let base = base.trim_end_matches('/');
    // xend listed nothing at the root; a person wants to get on.
    let shown: &[&str] = if entries.is_empty() { &["xend"] } else { entries };
    let entries = shown.iter().map(|entry| Link::new(*entry, format!("{base}/{entry}"))).collect();
    Directory { crumbs: crumbs(place), entries }.render()
}

fn letters(view: &DomainView) -> String {
    let letters = view.facts.as_ref().map(|facts| shape::state_letters(&facts.flags).to_vec());
    String::from_utf8(letters.unwrap_or_default()).unwrap_or_default()
}

/// How long a domain has been on the host; Domain-0 came with it.
fn uptime(view: &DomainView, now: SystemTime) -> Option<Uptime> {
    let started = view.facts.as_ref()?.start_time?;
    let since = started.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
    Some(Uptime { seconds: now.duration_since(started).unwrap_or_default().as_secs(), since })
}

fn under_way(view: &DomainView) -> Option<UnderWay> {
    let progress = view.progress?;
    let mib = |bytes: u64| bytes / (1 << 20);
    let amount = format!("{} of {} MiB", mib(progress.done), mib(progress.total));
    let (what, percent) = (progress.what.to_owned(), progress.percent());
    Some(UnderWay {
        what,
        percent,
        amount,
        can_be_stopped: !matches!(progress.what, "Restoring" | "Dumping"),
    })
}

/// Something that happened, in words.
fn history(event: &Event) -> HistoryEntry {
    let at = jiff::Timestamp::try_from(event.at).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let (what, caller, failed) = match &event.what {
        What::Appeared(state) => (format!("is there, {}", shape::state_name(*state)), "", false),
        What::Gone => ("has gone".to_owned(), "", false),
        What::State { from, to } => {
            (format!("{} → {}", shape::state_name(*from), shape::state_name(*to)), "", false)
        }
        What::Renamed { from } => (format!("was called {from}"), "", false),
        What::Configured => ("configuration changed".to_owned(), "", false),
        What::Progress(_) => ("under way".to_owned(), "", false),
        What::Done { op, caller } => ((*op).to_owned(), caller.as_str(), false),
        What::Failed { op, caller, error } => (format!("{op}: {error}"), caller.as_str(), true),
    };
    let moment = Moment {
        iso: at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        text: at.strftime("%Y-%m-%d %H:%M:%S").to_string(),
    };
    HistoryEntry { at: moment, what, caller: caller.to_owned(), failed }
}

fn fact(item: &Sxp) -> Option<Fact> {
    let values: Vec<String> = item.tail().iter().map(plain).collect();
    Some(Fact::new(item.head()?.to_owned(), values.join(" ")))
}

/// A word as it is, a list as an S-expression.
fn plain(item: &Sxp) -> String {
    item.as_bytes()
        .map_or_else(|| item.to_string(), |text| String::from_utf8_lossy(text).into_owned())
}

fn vcpu(vcpu: &VcpuFacts) -> Vcpu {
    Vcpu {
        number: vcpu.number,
        online: vcpu.online,
        blocked: vcpu.blocked,
        running: vcpu.running,
        cpu_time_s: vcpu.cpu_time.as_secs_f64(),
        cpu: vcpu.cpu,
        cpumap: vcpu.affinity.iter().collect(),
    }
}

pub(super) fn text(place: &Place, title: &str, text: String) -> String {
    TextPage { crumbs: crumbs(place), title: title.to_owned(), text }.render()
}

/// The end of a guest's console, followed.
pub(super) fn console(place: &Place, events: String, name: &str, text: String) -> String {
    let domain = Link::new(name, format!("/xend/domain/{}", segment_of(name)));
    ConsolePage { crumbs: crumbs(place), events, domain, text }.render()
}

pub(super) fn created(place: &Place, view: &DomainView, href: &str, config_text: String) -> String {
    CreatedPage {
        crumbs: crumbs(place),
        name: view.name().to_string(),
        href: href.to_owned(),
        paused: view.state() == State::Paused,
        config_text,
    }
    .render()
}

/// An operation was done that has nothing to tell.
pub(super) fn done(place: &Place, op: &str) -> String {
    let name = place.names.last().map_or("", String::as_str);
    let message = match op {
        "pause" => format!("Domain {name} is paused."),
        "unpause" => format!("Domain {name} runs."),
        "destroy" => format!("Domain {name} has been destroyed."),
        "shutdown" => format!("The guest of domain {name} has been asked to stop."),
        "wait_for_devices" => format!("All devices of domain {name} are connected."),
        "rename" => format!("Domain {name} has another name now."),
        "start" => format!("Domain {name} has been started."),
        "resume" => format!("Domain {name} goes on."),
        "reset" => format!("Domain {name} has been built anew."),
        "suspend" => format!("Domain {name} is suspended, its memory is kept."),
        "save" => format!("Domain {name} has been saved."),
        "migrate" => format!("Domain {name} has moved to the other host."),
        "dump" => format!("The memory of domain {name} has been written."),
        "new" => "The domain is defined.".to_owned(),
        "create" => "The virtual network is known.".to_owned(),
        "delete" => format!("The definition of {name} has been deleted."),
        "cancel" => format!("What is under way with domain {name} is stopped."),
        "clear" => "Xen's messages have been cleared.".to_owned(),
        _ => format!("Done: {op} of domain {name}."),
    };
    // The domain may have gone, or have another name.
    let back = match op {
        "destroy" | "rename" | "save" | "migrate" => {
            Link::new("all domains", format!("{}/xend/domain/", place.origin))
        }
        _ => back(place),
    };
    MessagePage { crumbs: crumbs(place), title: "Done".to_owned(), message, back }.render()
}

/// An outcome that has a page of its own.
pub(super) fn outcome(place: &Place, outcome: &Outcome) -> String {
    match outcome {
        // The host's page and the list show what is used, too: see `pages`.
        Outcome::Done
        | Outcome::Domains(_)
        | Outcome::Host(..)
        | Outcome::Verdict(_)
        | Outcome::Saved(_)
        | Outcome::Hardware(_)
        | Outcome::Interfaces(_)
        | Outcome::Pools(_)
        | Outcome::Storage(_)
        | Outcome::Extents(_) => done(place, ""),
        Outcome::Domain(view) => domain::page(place, view, &domain::Seen::default()),
        Outcome::Text(bytes) => text(place, "", String::from_utf8_lossy(bytes).into_owned()),
        Outcome::Vcpus(view, vcpus) => {
            let domain = Link::new(view.name().to_string(), place.url());
            VcpuPage { crumbs: crumbs(place), domain, vcpus: vcpus.iter().map(vcpu).collect() }
                .render()
        }
        Outcome::Devices(devices) => {
            let row = |device: &DeviceFacts| {
                let nodes: Vec<String> = device
                    .nodes
                    .iter()
                    .map(|n| format!("{} = {}", n.key, n.text().cloned().unwrap_or_default()))
                    .collect();
                Fact::new(format!("{} {}", device.class, device.number), nodes.join("\n"))
            };
            let facts = devices.iter().map(row).collect();
            RecordPage {
                crumbs: crumbs(place),
                title: "Devices".to_owned(),
                facts,
                back: back(place),
            }
            .render()
        }
        Outcome::DefinedDevices(devices) => {
            let tree = tree(|sink| shape::defined_devices(sink, devices));
            let facts = tree.as_list().unwrap_or_default().iter().filter_map(fact).collect();
            RecordPage {
                crumbs: crumbs(place),
                title: "Devices".to_owned(),
                facts,
                back: back(place),
            }
            .render()
        }
        Outcome::Attached { class, id, .. } => {
            let message = format!("Device {class} {id} is plugged in.");
            MessagePage {
                crumbs: crumbs(place),
                title: "Done".to_owned(),
                message,
                back: back(place),
            }
            .render()
        }
        Outcome::Vnets(vnets) => {
            let url = place.url();
            let link =
                |vnet: &Vnet| Link::new(vnet.id.clone(), format!("{url}/{}", segment_of(&vnet.id)));
            VnetList { crumbs: crumbs(place), vnets: vnets.iter().map(link).collect(), url }
                .render()
        }
        Outcome::Vnet(vnet) => {
            let tree = tree(|sink| shape::vnet(sink, vnet));
            VnetPage {
                crumbs: crumbs(place),
                id: vnet.id.clone(),
                href: place.url(),
                facts: tree.tail().iter().filter_map(fact).collect(),
                config_text: pretty(&tree, 100),
            }
            .render()
        }
        Outcome::Sched(view, params) => {
            let tree = tree(|sink| shape::sched(sink, params));
            let title = format!("Scheduler parameters of {}", view.name());
            let facts = tree.tail().iter().filter_map(fact).collect();
            RecordPage { crumbs: crumbs(place), title, facts, back: back(place) }.render()
        }
        Outcome::Sedf(view, params) => {
            let tree = tree(|sink| shape::sedf(sink, view, params));
            let title = format!("SEDF parameters of {}", view.name());
            let facts = tree.tail().iter().filter_map(fact).collect();
            RecordPage { crumbs: crumbs(place), title, facts, back: back(place) }.render()
        }
    }
}

fn tree(tell: impl FnOnce(&mut TreeSink)) -> Sxp {
    let mut sink = TreeSink::default();
    tell(&mut sink);
    sink.into_values().pop().unwrap_or_else(|| Sxp::list([]))
}

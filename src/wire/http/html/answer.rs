//! Pages for answers of the engine to operations.

use super::parts::{device_name, facts, frame, page_link, tree, vcpu};
use super::{domain, message};
use crate::core::model::DeviceFacts;
use crate::core::op::{GuestAnswer, Outcome};
use crate::core::view::DomainDevices;
use crate::shape;
use crate::wire::http::engine_request::EngineAnswer;
use crate::wire::http::params::Params;
use crate::wire::http::request::RequestInfo;
use xend_templates::{Fact, Link, RecordPage, VcpuPage};

pub(crate) fn page(request: &RequestInfo, op: &str, answer: &EngineAnswer) -> String {
    match answer {
        EngineAnswer::Changed(Outcome::Done | Outcome::Verdict(_))
        | EngineAnswer::DevicesConnected => message::done(request, "", &Params::default()),
        EngineAnswer::Changed(Outcome::Domain(view)) => {
            domain::page(request, view, &domain::Details::default())
        }
        EngineAnswer::Changed(Outcome::Attached { class, id, .. }) => {
            message::attached(request, class, *id)
        }
        EngineAnswer::Changed(Outcome::Guest(answer)) => agent_answer(request, op, answer),
        EngineAnswer::Vcpus(view, vcpus) => VcpuPage {
            frame: frame(request),
            domain: Link::new(view.name().to_string(), request.url()),
            vcpus: vcpus.iter().map(vcpu).collect(),
        }
        .render(),
        EngineAnswer::Devices(DomainDevices::Connected(devices)) => {
            record(request, "Devices".to_owned(), devices.iter().map(device).collect())
        }
        EngineAnswer::Devices(DomainDevices::Defined(devices)) => {
            let tree = tree(|sink| shape::defined_devices(sink, devices));
            let devices = tree.as_list().unwrap_or_default();
            record(request, "Devices".to_owned(), facts(devices))
        }
        EngineAnswer::Sched(view, params) => {
            let tree = tree(|sink| shape::sched(sink, params));
            let title = format!("Scheduler parameters of {}", view.name());
            record(request, title, facts(tree.tail()))
        }
        EngineAnswer::Sedf(view, params) => {
            let tree = tree(|sink| shape::sedf(sink, view, params));
            let title = format!("SEDF parameters of {}", view.name());
            record(request, title, facts(tree.tail()))
        }
    }
}

/// What the agent in a guest answered. Most answers are empty.
fn agent_answer(request: &RequestInfo, op: &str, answer: &GuestAnswer) -> String {
    let words = String::from_utf8_lossy(shape::agent_message(answer));
    let title = || format!("Agent of {}", request.name());
    match op {
        "agent_version" => record(request, title(), vec![Fact::new("Version", words)]),
        "agent_features" => {
            let commands: Vec<&str> = words.split(',').map(str::trim).collect();
            record(request, title(), vec![Fact::new("Commands", commands.join(", "))])
        }
        _ => message::done_by_agent(request, op, &words),
    }
}

fn record(request: &RequestInfo, title: String, facts: Vec<Fact>) -> String {
    RecordPage { frame: frame(request), title, facts, back: page_link(request) }.render()
}

/// A device with its nodes in XenStore.
fn device(device: &DeviceFacts) -> Fact {
    let nodes: Vec<String> = device
        .nodes
        .iter()
        .map(|node| format!("{} = {}", node.key, node.text().cloned().unwrap_or_default()))
        .collect();
    let name = device_name(&device.class, device.number);
    Fact::new(format!("{} {name}", device.class), nodes.join("\n"))
}

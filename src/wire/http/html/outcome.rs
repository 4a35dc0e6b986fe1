//! Pages for outcomes that need nothing else.

use super::parts::{crumbs, facts, page_link, tree, vcpu};
use super::{domain, message, text};
use crate::core::model::{DeviceFacts, Vnet};
use crate::core::op::Outcome;
use crate::shape;
use crate::sxp::pretty;
use crate::wire::http::path::encode_segment;
use crate::wire::http::request::RequestInfo;
use xend_templates::{Fact, Link, RecordPage, VcpuPage, VnetList, VnetPage};

pub(crate) fn page(request: &RequestInfo, outcome: &Outcome) -> String {
    match outcome {
        // The list of domains and the host have pages with more than the outcome, and no page asks
        // for the others.
        Outcome::Done
        | Outcome::Domains(_)
        | Outcome::Host(..)
        | Outcome::Verdict(_)
        | Outcome::Saved(_)
        | Outcome::Hardware(_)
        | Outcome::Interfaces(_)
        | Outcome::Pools(_)
        | Outcome::Storage(_)
        | Outcome::Extents(_) => message::done(request, ""),
        Outcome::Domain(view) => domain::page(request, view, &domain::Details::default()),
        Outcome::Text(bytes) => {
            text::page(request, "", String::from_utf8_lossy(bytes).into_owned())
        }
        Outcome::Vcpus(view, vcpus) => VcpuPage {
            crumbs: crumbs(request),
            domain: Link::new(view.name().to_string(), request.url()),
            vcpus: vcpus.iter().map(vcpu).collect(),
        }
        .render(),
        Outcome::Devices(devices) => {
            record(request, "Devices".to_owned(), devices.iter().map(device).collect())
        }
        Outcome::DefinedDevices(devices) => {
            let tree = tree(|sink| shape::defined_devices(sink, devices));
            let devices = tree.as_list().unwrap_or_default();
            record(request, "Devices".to_owned(), facts(devices))
        }
        Outcome::Attached { class, id, .. } => message::attached(request, class, *id),
        Outcome::Vnets(vnets) => vnet_list(request, vnets),
        Outcome::Vnet(vnet) => vnet_page(request, vnet),
        Outcome::Sched(view, params) => {
            let tree = tree(|sink| shape::sched(sink, params));
            let title = format!("Scheduler parameters of {}", view.name());
            record(request, title, facts(tree.tail()))
        }
        Outcome::Sedf(view, params) => {
            let tree = tree(|sink| shape::sedf(sink, view, params));
            let title = format!("SEDF parameters of {}", view.name());
            record(request, title, facts(tree.tail()))
        }
    }
}

fn record(request: &RequestInfo, title: String, facts: Vec<Fact>) -> String {
    RecordPage { crumbs: crumbs(request), title, facts, back: page_link(request) }.render()
}

/// A device with its nodes in XenStore.
fn device(device: &DeviceFacts) -> Fact {
    let nodes: Vec<String> = device
        .nodes
        .iter()
        .map(|node| format!("{} = {}", node.key, node.text().cloned().unwrap_or_default()))
        .collect();
    Fact::new(format!("{} {}", device.class, device.number), nodes.join("\n"))
}

fn vnet_list(request: &RequestInfo, vnets: &[Vnet]) -> String {
    let url = request.url();
    let link =
        |vnet: &Vnet| Link::new(vnet.id.clone(), format!("{url}/{}", encode_segment(&vnet.id)));
    let vnets = vnets.iter().map(link).collect();
    VnetList { crumbs: crumbs(request), vnets, url }.render()
}

fn vnet_page(request: &RequestInfo, vnet: &Vnet) -> String {
    let tree = tree(|sink| shape::vnet(sink, vnet));
    VnetPage {
        crumbs: crumbs(request),
        id: vnet.id.clone(),
        href: request.url(),
        facts: facts(tree.tail()),
        config_text: pretty(&tree, 100),
    }
    .render()
}

//! Outcomes of the engine in the format of the answer.

use super::html;
use super::request::RequestInfo;
use super::response::Content;
use crate::core::op::Outcome;
use crate::core::ports::Verdict;
use crate::shape::{self, Sink};

/// An outcome in the format that the request asks for.
pub(super) fn content(request: &RequestInfo, outcome: &Outcome) -> Content {
    if request.format.is_html() {
        return Content::Html(html::outcome::page(request, outcome));
    }
    Content::serialized(request.format, |sink| write(sink, outcome), |sink| write(sink, outcome))
}

fn write(sink: &mut impl Sink, outcome: &Outcome) {
    match outcome {
        // No page asks for the host's hardware and its inventory.
        Outcome::Done
        | Outcome::Saved(_)
        | Outcome::Hardware(_)
        | Outcome::Interfaces(_)
        | Outcome::Pools(_)
        | Outcome::Storage(_)
        | Outcome::Extents(_) => {}
        Outcome::Domains(snapshot) => {
            sink.begin_list();
            snapshot
                .domains()
                .filter(|view| view.facts.is_some())
                .for_each(|view| shape::domain(sink, view));
            sink.end_list();
        }
        Outcome::Domain(view) => shape::domain(sink, view),
        Outcome::Host(info, figures) => shape::node(sink, info, figures),
        Outcome::Text(text) => sink.text(text),
        Outcome::Vcpus(view, vcpus) => shape::vcpus(sink, view, vcpus),
        Outcome::Sedf(view, params) => shape::sedf(sink, view, params),
        Outcome::Sched(_, params) => shape::sched(sink, params),
        Outcome::Devices(devices) => shape::devices(sink, devices),
        Outcome::DefinedDevices(devices) => shape::defined_devices(sink, devices),
        Outcome::Attached { class, id, domid } => shape::attached(sink, class, *domid, *id),
        Outcome::Vnets(vnets) => {
            sink.begin_list();
            for vnet in vnets {
                sink.text(vnet.id.as_bytes());
            }
            sink.end_list();
        }
        Outcome::Vnet(vnet) => shape::vnet(sink, vnet),
        Outcome::Verdict(verdict) => {
            sink.text(if *verdict == Verdict::Taken { b"taken" } else { b"not-taken" });
        }
    }
}

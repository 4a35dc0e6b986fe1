//! Answers of the engine in the format that a request asks for.

use super::engine_request::EngineAnswer;
use super::html;
use super::request::RequestInfo;
use super::response::Content;
use crate::core::op::Outcome;
use crate::core::ports::Verdict;
use crate::core::view::DomainDevices;
use crate::shape::{self, Sink};

/// An answer to an operation in the format that the request asks for.
pub(super) fn content(request: &RequestInfo, op: &str, answer: &EngineAnswer) -> Content {
    if request.format.is_html() {
        return Content::Html(html::answer::page(request, op, answer));
    }
    Content::serialized(request.format, |sink| write(sink, answer), |sink| write(sink, answer))
}

fn write(sink: &mut impl Sink, answer: &EngineAnswer) {
    match answer {
        EngineAnswer::Changed(Outcome::Done) | EngineAnswer::DevicesConnected => {}
        EngineAnswer::Changed(Outcome::Domain(view)) => shape::domain(sink, view),
        EngineAnswer::Changed(Outcome::Attached { class, id, domid }) => {
            shape::attached(sink, class, *domid, *id);
        }
        EngineAnswer::Changed(Outcome::Verdict(verdict)) => {
            sink.text(if *verdict == Verdict::Taken { b"taken" } else { b"not-taken" });
        }
        EngineAnswer::Changed(Outcome::Guest(answer)) => shape::agent_answer(sink, answer),
        EngineAnswer::Vcpus(view, vcpus) => shape::vcpus(sink, view, vcpus),
        EngineAnswer::Devices(DomainDevices::Connected(devices)) => shape::devices(sink, devices),
        EngineAnswer::Devices(DomainDevices::Defined(devices)) => {
            shape::defined_devices(sink, devices);
        }
        EngineAnswer::Sedf(view, params) => shape::sedf(sink, view, params),
        EngineAnswer::Sched(_, params) => shape::sched(sink, params),
    }
}

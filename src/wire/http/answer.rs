//! Answers of the engine in the format that a request asks for.

use super::engine_request::EngineAnswer;
use super::format::Format;
use super::html;
use super::json::answers::{Agent, Attached, Credit, DeviceState, Rtds, Sedf, Vcpus};
use super::json::domain::Domain;
use super::request::RequestInfo;
use super::response::Content;
use crate::core::model::SchedParams;
use crate::core::op::Outcome;
use crate::core::ports::Verdict;
use crate::core::view::DomainDevices;
use crate::shape::{self, Sink, SxpSink};
use serde::{Serialize, Serializer as _};

/// An answer to an operation in the format that the request asks for.
pub(super) fn content(request: &RequestInfo, op: &str, answer: &EngineAnswer) -> Content {
    match request.format {
        Format::Html { .. } => Content::Html(html::answer::page(request, op, answer)),
        Format::Json => json(answer).map_or(Content::Empty, |json| Content::Json(json.into())),
        Format::Sxp => {
            let mut sink = SxpSink::default();
            write(&mut sink, answer);
            Content::Sxp(sink.into_bytes().into())
        }
    }
}

/// An answer as JSON; `None` if it is only that the operation was done.
pub(super) fn json(answer: &EngineAnswer) -> Option<Vec<u8>> {
    Some(match answer {
        EngineAnswer::Changed(Outcome::Done | Outcome::Verdict(_))
        | EngineAnswer::DevicesConnected => return None,
        EngineAnswer::Changed(Outcome::Domain(view)) => print(&Domain::of(view)),
        EngineAnswer::Changed(Outcome::Attached { class, id, domid }) => {
            print(&Attached::new(class, *id, *domid))
        }
        EngineAnswer::Changed(Outcome::Guest(answer)) => print(&Agent::of(answer)),
        EngineAnswer::Vcpus(view, vcpus) => print(&Vcpus::of(view, vcpus)),
        EngineAnswer::Devices(DomainDevices::Connected(devices)) => {
            print_list(devices.iter().map(DeviceState::connected))
        }
        EngineAnswer::Devices(DomainDevices::Defined(devices)) => {
            print_list(devices.iter().map(DeviceState::defined))
        }
        EngineAnswer::Sedf(_, params) => print(&Sedf::of(params)),
        EngineAnswer::Sched(_, params) => match params {
            SchedParams::Credit { weight, cap } | SchedParams::Credit2 { weight, cap } => {
                print(&Credit { weight: *weight, cap_percent: *cap })
            }
            SchedParams::Sedf(params) => print(&Sedf::of(params)),
            SchedParams::Rtds(params) => print(&Rtds::of(params)),
        },
    })
}

/// Prints a value as JSON. The types of `json/` can be printed: their keys are strings.
pub(super) fn print(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

/// Prints values as a list, each before the next one is made.
pub(super) fn print_list<T: Serialize>(values: impl Iterator<Item = T>) -> Vec<u8> {
    let mut text = Vec::new();
    match serde_json::Serializer::new(&mut text).collect_seq(values) {
        Ok(()) => text,
        Err(_) => Vec::new(),
    }
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

//! Where a request is answered, and in which form.

use super::format::Format;
use super::html;
use super::path::{Asked, origin};
use super::response::{Content, data};
use crate::core::caller::Caller;
use crate::core::op::Outcome;
use crate::core::ports::Verdict;
use crate::shape::{self, JsonSink, Sink, SxpSink};
use axum::extract::Request;
use axum::http::header::UPGRADE_INSECURE_REQUESTS;

/// Where a request is answered, and how.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// `http://host:port`
    pub(super) origin: String,
    /// The path as it was asked for.
    asked: String,
    /// The canonical path.
    pub(super) path: String,
    /// The names in it.
    pub(super) names: Vec<String>,
    pub(super) format: Format,
    /// Whether a browser goes to a page, which it then shows: it says so
    /// (`Upgrade-Insecure-Requests`), and no old client does.
    pub(super) navigates: bool,
}

impl Place {
    pub(super) fn of(request: &Request, names: &[&str], format: Format) -> Self {
        let path = request.uri().path().to_owned();
        let asked = request
            .extensions()
            .get::<Asked>()
            .map_or_else(|| path.clone(), |asked| asked.0.clone());
        let names = names.iter().map(|&name| name.to_owned()).collect();
        let navigates = request.headers().contains_key(UPGRADE_INSECURE_REQUESTS);
        Self { origin: origin(request), asked, path, names, format, navigates }
    }

    /// The same place, answered in another form.
    pub(super) fn in_format(&self, format: Format) -> Self {
        Self { format, ..self.clone() }
    }

    /// The page's own URL.
    pub(super) fn url(&self) -> String {
        format!("{}{}", self.origin, self.path)
    }

    /// xend's `Location` after an operation on a domain: `URL/..`
    pub(super) fn parent(&self) -> String {
        format!("{}{}/..", self.origin, self.asked.trim_end_matches('/'))
    }

    /// Writes something down in the format that was asked for, unless that is HTML.
    pub(super) fn write(
        &self,
        to_sxp: impl FnOnce(&mut SxpSink),
        to_json: impl FnOnce(&mut JsonSink),
    ) -> Content {
        data(self.format, written(self.format, to_sxp, to_json))
    }

    /// An outcome in the format that was asked for.
    pub(super) fn show(&self, outcome: &Outcome) -> Content {
        if let Format::Html { .. } = self.format {
            return Content::Html(html::outcome(self, outcome));
        }
        self.write(|sink| tell(sink, outcome), |sink| tell(sink, outcome))
    }
}

/// What is written down, as JSON if that was asked for and as an S-expression otherwise.
pub(super) fn written(
    format: Format,
    to_sxp: impl FnOnce(&mut SxpSink),
    to_json: impl FnOnce(&mut JsonSink),
) -> Vec<u8> {
    if format == Format::Json {
        let mut sink = JsonSink::default();
        to_json(&mut sink);
        return sink.into_bytes();
    }
    let mut sink = SxpSink::default();
    to_sxp(&mut sink);
    sink.into_bytes()
}

fn tell(sink: &mut impl Sink, outcome: &Outcome) {
    match outcome {
        // No page asks for what the host has beside domains.
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

pub(super) fn caller(request: &Request) -> Caller {
    request.extensions().get::<Caller>().cloned().unwrap_or_else(Caller::internal)
}

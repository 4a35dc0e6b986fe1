//! What is done with POST: `op=NAME` and its parameters.
//!
//! Each page has one table; an operation is an entry in it and nowhere else. An entry turns parameters into an
//! [`Op`], and says how success is told. Whatever fails is told in one place, [`failed`].

mod create;
mod credit;
mod devices;
mod memory;
mod power;
mod rename;
mod sedf;
mod sysrq;
mod vcpus;

use super::accept::Format;
use super::body::{self, Refused};
use super::params::Params;
use super::path::{Asked, origin};
use super::reply::{Content, answer, data, located, not_found, ok};
use super::{Http, html};
use crate::core::caller::Caller;
use crate::core::error::Error;
use crate::core::model::{DomainRef, Invalid};
use crate::core::op::{Change, Op, Outcome};
use crate::shape::{self, JsonSink, Sink, SxpSink};
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use xend_templates::ErrorPage;

/// An operation on a domain.
struct Operation {
    /// What `op` is.
    name: &'static str,
    /// How success is told.
    success: Success,
    /// Makes an operation of the parameters.
    op: fn(DomainRef, &Params) -> Result<Op, Invalid>,
}

/// How xend told the success of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Success {
    /// `202 Accepted`, `Location: URL/..`, no body. Failures have the Location as well.
    Accepted,
    /// `200 OK`, no body.
    Empty,
    /// `200 OK` and the `0` that a Python function returned.
    Zero,
    /// `200 OK` and an answer.
    Answer,
}

/// All operations on a domain.
static ON_DOMAIN: [&Operation; 19] = [
    &power::PAUSE,
    &power::UNPAUSE,
    &power::DESTROY,
    &power::SHUTDOWN,
    &power::WAIT_FOR_DEVICES,
    &rename::RENAME,
    &sedf::SET,
    &sedf::GET,
    &credit::GET,
    &credit::SET,
    &credit::GET2,
    &credit::SET2,
    &vcpus::VCPUINFO,
    &vcpus::SET_VCPUS,
    &vcpus::PINCPU,
    &sysrq::SYSRQ,
    &devices::DEVICES,
    &memory::MEM_TARGET_SET,
    &memory::MAXMEM_SET,
];

/// `POST /xend/domain`
pub(super) async fn on_domains(
    State(http): State<Http>,
    format: Format,
    request: Request,
) -> Result<Response, Response> {
    let place = Place::of(&request, &[], format);
    let caller = caller(&request);
    let params = params(&http, request, &place).await?;
    let op = params.op().ok_or_else(|| invalid_request(&place))?;
    Ok(match op.as_ref() {
        "create" => create::create(&http, &caller, &place, &params).await,
        "list" => super::pages::detailed_list(&http, &caller, &place).await,
        unknown => not_implemented(&place, unknown),
    })
}

/// `POST /xend/domain/NAME`
pub(super) async fn on_domain(
    State(http): State<Http>,
    Path(name): Path<String>,
    format: Format,
    request: Request,
) -> Result<Response, Response> {
    let place = Place::of(&request, &[&name], format);
    let caller = caller(&request);
    let params = params(&http, request, &place).await?;
    let domain = DomainRef::new(name);
    if http.0.engine.snapshot().find(&domain).is_none() {
        return Err(no_such_domain(domain.as_str()));
    }
    let op = params.op().ok_or_else(|| invalid_request(&place))?;
    Ok(match ON_DOMAIN.iter().find(|operation| operation.name == op) {
        Some(operation) => perform(&http, &caller, &place, operation, domain, &params).await,
        None => not_implemented(&place, &op),
    })
}

/// Performs an operation on a domain and tells what became of it.
pub(super) async fn perform_named(
    http: &Http,
    caller: &Caller,
    place: &Place,
    name: &str,
    domain: DomainRef,
) -> Response {
    match ON_DOMAIN.iter().find(|operation| operation.name == name) {
        Some(operation) => perform(http, caller, place, operation, domain, &Params::default()).await,
        None => not_implemented(place, name),
    }
}

async fn perform(
    http: &Http,
    caller: &Caller,
    place: &Place,
    operation: &Operation,
    domain: DomainRef,
    params: &Params,
) -> Response {
    let outcome = match (operation.op)(domain, params) {
        Ok(op) => http.0.engine.execute(caller, op).await,
        Err(invalid) => Err(Error::Invalid(invalid)),
    };
    let response = match outcome {
        Ok(outcome) => succeeded(place, operation, &outcome),
        Err(Error::NoSuchDomain(name)) => return no_such_domain(&name),
        Err(error) => failed(place, operation.name, &error.to_string()),
    };
    match operation.success {
        Success::Accepted => located(response, &place.parent()),
        Success::Empty | Success::Zero | Success::Answer => response,
    }
}

fn succeeded(place: &Place, operation: &Operation, outcome: &Outcome) -> Response {
    let named_html = place.format == Format::Html { named: true };
    match operation.success {
        Success::Answer => ok(place.show(outcome)),
        // Somebody who looks at pages is told; a script that did not ask for one gets what it always got.
        Success::Accepted if named_html => {
            answer(202, "Accepted", Content::Html(html::done(place, operation.name)))
        }
        Success::Empty | Success::Zero if named_html => ok(Content::Html(html::done(place, operation.name))),
        Success::Accepted => answer(202, "Accepted", Content::Empty),
        Success::Empty => ok(Content::Empty),
        Success::Zero => ok(data(place.format, b"0".to_vec())),
    }
}

/// `POST /xend/node`
pub(super) async fn on_node(
    State(http): State<Http>,
    format: Format,
    request: Request,
) -> Result<Response, Response> {
    let place = Place::of(&request, &[], format);
    let params = params(&http, request, &place).await?;
    let op = params.op().ok_or_else(|| invalid_request(&place))?;
    Ok(match op.as_ref() {
        // xend answered 0 and did nothing.
        op @ ("shutdown" | "reboot") if http.settings().node_shutdown => {
            failed(&place, op, "The simulated host cannot be switched off")
        }
        op @ ("shutdown" | "reboot") => {
            failed(&place, op, "Not allowed, set (xend-node-shutdown yes) in xend-config.sxp to allow it")
        }
        unknown => not_implemented(&place, unknown),
    })
}

/// `POST /xend/node/dmesg`
pub(super) async fn on_dmesg(
    State(http): State<Http>,
    format: Format,
    request: Request,
) -> Result<Response, Response> {
    let place = Place::of(&request, &[], format);
    let caller = caller(&request);
    let params = params(&http, request, &place).await?;
    let op = params.op().ok_or_else(|| invalid_request(&place))?;
    Ok(match op.as_ref() {
        "clear" => match http.0.engine.execute(&caller, Change::ClearDmesg).await {
            Ok(_) => ok(Content::Empty),
            Err(error) => failed(&place, "clear", &error.to_string()),
        },
        // A page of text answers as text.
        unknown => not_implemented(&Place { format: Format::Html { named: false }, ..place }, unknown),
    })
}

/// `POST /xend/vnet` and below.
pub(super) async fn on_vnets(
    State(http): State<Http>,
    format: Format,
    request: Request,
) -> Result<Response, Response> {
    let place = Place::of(&request, &[], format);
    let params = params(&http, request, &place).await?;
    let op = params.op().ok_or_else(|| invalid_request(&place))?;
    Ok(not_implemented(&place, &op))
}

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
}

impl Place {
    pub(super) fn of(request: &Request, names: &[&str], format: Format) -> Self {
        let path = request.uri().path().to_owned();
        let asked = request.extensions().get::<Asked>().map_or_else(|| path.clone(), |asked| asked.0.clone());
        let names = names.iter().map(|&name| name.to_owned()).collect();
        Self { origin: origin(request), asked, path, names, format }
    }

    /// The page's own URL.
    pub(super) fn url(&self) -> String {
        format!("{}{}", self.origin, self.path)
    }

    /// xend's `Location` after an operation on a domain: `URL/..`
    fn parent(&self) -> String {
        format!("{}{}/..", self.origin, self.asked.trim_end_matches('/'))
    }

    /// Writes something down in the format that was asked for, unless that is HTML.
    pub(super) fn write(
        &self,
        to_sxp: impl FnOnce(&mut SxpSink),
        to_json: impl FnOnce(&mut JsonSink),
    ) -> Content {
        if self.format == Format::Json {
            let mut sink = JsonSink::default();
            to_json(&mut sink);
            data(self.format, sink.into_bytes())
        } else {
            let mut sink = SxpSink::default();
            to_sxp(&mut sink);
            data(self.format, sink.into_bytes())
        }
    }

    /// An outcome in the format that was asked for.
    pub(super) fn show(&self, outcome: &Outcome) -> Content {
        if let Format::Html { .. } = self.format {
            return Content::Html(html::outcome(self, outcome));
        }
        self.write(|sink| tell(sink, outcome), |sink| tell(sink, outcome))
    }
}

fn tell(sink: &mut impl Sink, outcome: &Outcome) {
    match outcome {
        Outcome::Done => {}
        Outcome::Domains(snapshot) => {
            sink.begin_list();
            snapshot.domains().filter(|view| view.facts.is_some()).for_each(|view| shape::domain(sink, view));
            sink.end_list();
        }
        Outcome::Domain(view) => shape::domain(sink, view),
        Outcome::Host(info, figures) => shape::node(sink, info, figures),
        Outcome::Text(text) => sink.text(text),
        Outcome::Vcpus(view, vcpus) => shape::vcpus(sink, view, vcpus),
        Outcome::Sedf(view, params) => shape::sedf(sink, view, params),
        Outcome::Sched(_, params) => shape::sched(sink, params),
        Outcome::Devices(devices) => shape::devices(sink, devices),
    }
}

pub(super) fn caller(request: &Request) -> Caller {
    request.extensions().get::<Caller>().cloned().unwrap_or_else(Caller::internal)
}

async fn params(http: &Http, request: axum::http::Request<Body>, place: &Place) -> Result<Params, Response> {
    body::params(request, http.settings().max_body).await.map_err(|refused| match refused {
        Refused::TooLarge => {
            let limit = http.settings().max_body;
            let text = format!("The body is larger than {limit} bytes, see xend-max-body in xend-config.sxp");
            answer(413, "Request entity too large", Content::Text(text.into()))
        }
        Refused::Malformed(reason) => not_a_request(place, &reason),
    })
}

/// No operation, or several: `406 Invalid request`, with the empty string as xend's body.
pub(super) fn invalid_request(place: &Place) -> Response {
    not_a_request(place, "Exactly one operation is expected, give op=NAME once")
}

fn not_a_request(place: &Place, reason: &str) -> Response {
    let content = match place.format {
        Format::Sxp => Content::Sxp("''".into()),
        Format::Html { .. } => Content::Html(error_page(place, "Invalid request", reason)),
        Format::Json => json_error(reason),
    };
    answer(406, "Invalid request", content)
}

/// An operation that nobody knows. xend told S-expression clients so in plain words under the type
/// `application/sxp`, and they read them.
pub(super) fn not_implemented(place: &Place, op: &str) -> Response {
    let text = format!("Operation not implemented: {op}");
    let content = match place.format {
        Format::Sxp => Content::Sxp(text.clone().into()),
        Format::Html { named: true } => Content::Html(error_page(place, "Operation not implemented", &text)),
        Format::Html { named: false } => Content::Text(text.clone().into()),
        Format::Json => json_error(&text),
    };
    answer(501, &text, content)
}

/// An operation that failed, a bad parameter included: clients show the bodies of 500 and 404 only.
pub(super) fn failed(place: &Place, op: &str, message: &str) -> Response {
    let content = match place.format {
        Format::Html { .. } => Content::Html(error_page(place, &format!("{op} failed"), message)),
        Format::Sxp => {
            let mut sink = SxpSink::default();
            sink.text_field("xend.err", message.as_bytes());
            Content::Sxp(sink.into_bytes().into())
        }
        Format::Json => json_error(message),
    };
    answer(500, &format!("Request failed: {op}"), content)
}

fn json_error(message: &str) -> Content {
    Content::Json(serde_json::json!({ "xend.err": message }).to_string().into())
}

fn error_page(place: &Place, title: &str, message: &str) -> String {
    ErrorPage {
        crumbs: html::crumbs(place),
        title: title.to_owned(),
        message: message.to_owned(),
        hint: None,
        back: html::back(place),
    }
    .render()
}

/// `404 Not found`; xend's text was `<Fault 3: 'nosuch'>`.
pub(super) fn no_such_domain(name: &str) -> Response {
    not_found(&format!("No such domain {name}"))
}

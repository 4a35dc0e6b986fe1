//! What is done with POST: `op=NAME` and its parameters.
//!
//! Each page has a table; an operation is an entry in it and nowhere else. An entry says what it takes, turns parameters
//! into an [`Op`](crate::core::op::Op), and says how success is told. Whatever fails is told in one place, [`failed`].

pub(super) mod create;
mod credit;
mod devices;
mod managed;
mod memory;
mod migrate;
mod node;
mod power;
mod rename;
mod save;
mod sedf;
mod sysrq;
mod table;
#[cfg(test)]
mod tests;
mod vcpus;
mod vnet;

pub(super) use table::{Needed, Operation, Param, Stage, Success, Takes};

use super::accept::Format;
use super::body::{self, Refused};
use super::params::Params;
use super::path::{Asked as AskedPath, origin, segment_of};
use super::reply::{Content, answer, data, located, not_found, ok};
use super::site::Page;
use super::{Http, html};
use crate::core::caller::Caller;
use crate::core::error::{Error, ErrorKind};
use crate::core::model::DomainRef;
use crate::core::op::Outcome;
use crate::core::ports::Verdict;
use crate::shape::{self, JsonSink, Sink, SxpSink};
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::UPGRADE_INSECURE_REQUESTS;
use axum::response::Response;
use table::Asked;
use xend_templates::ErrorPage;

/// On all domains.
pub(super) static ON_DOMAINS: [&Operation; 4] =
    [&create::CREATE, &create::NEW, &save::RESTORE, &create::LIST];

/// On a domain.
pub(super) static ON_DOMAIN: [&Operation; 31] = [
    &power::PAUSE,
    &power::UNPAUSE,
    &power::SHUTDOWN,
    &power::DESTROY,
    &power::RESET,
    &power::WAIT_FOR_DEVICES,
    &managed::START,
    &managed::DELETE,
    &managed::SUSPEND,
    &managed::RESUME,
    &save::SAVE,
    &save::DUMP,
    &migrate::MIGRATE,
    &rename::RENAME,
    &memory::MEM_TARGET_SET,
    &memory::MAXMEM_SET,
    &vcpus::SET_VCPUS,
    &vcpus::PINCPU,
    &vcpus::VCPUINFO,
    &sedf::SET,
    &sedf::GET,
    &credit::SET,
    &credit::GET,
    &credit::SET2,
    &credit::GET2,
    &devices::DEVICES,
    &devices::CREATE,
    &devices::CONFIGURE,
    &devices::DESTROY,
    &sysrq::SYSRQ,
    &sysrq::SEND_TRIGGER,
];

/// On the host.
pub(super) static ON_NODE: [&Operation; 2] = [&node::SHUTDOWN, &node::REBOOT];

/// On Xen's messages.
pub(super) static ON_DMESG: [&Operation; 1] = [&node::CLEAR];

/// On all virtual networks.
pub(super) static ON_VNETS: [&Operation; 1] = [&vnet::CREATE];

/// On a virtual network.
pub(super) static ON_VNET: [&Operation; 1] = [&vnet::DELETE];

/// `POST` to a page. `name` is the last segment of its path, where that is a name.
pub(super) async fn on(
    page: &'static Page,
    http: Http,
    name: Option<String>,
    format: Format,
    request: Request,
) -> Result<Response, Response> {
    let names: Vec<&str> = name.as_deref().into_iter().collect();
    let place = Place::of(&request, &names, format);
    if page.ops.is_empty() {
        let text = format!("Not implemented: {} has no operations", place.path);
        return Err(answer(501, "Not implemented", Content::Text(text.into())));
    }
    let caller = caller(&request);
    let params = params(&http, request, &place).await?;
    if page.is_domain() {
        let domain = DomainRef::new(name.unwrap_or_default());
        if http.0.engine.snapshot().find(&domain).is_none() {
            return Err(no_such_domain(&place, domain.as_str()));
        }
    }
    let op = params.op().ok_or_else(|| invalid_request(&place))?;
    Ok(match page.ops.iter().find(|operation| operation.name == op) {
        Some(operation) => perform(&http, &caller, &place, operation, &params).await,
        // A page of text answers as text.
        None if page.is_text => {
            not_implemented(&Place { format: Format::Html { named: false }, ..place }, &op)
        }
        None => not_implemented(&place, &op),
    })
}

/// `GET` of a domain performs one operation.
pub(super) async fn vcpuinfo(http: &Http, caller: &Caller, place: &Place) -> Response {
    perform(http, caller, place, &vcpus::VCPUINFO, &Params::default()).await
}

/// Performs an operation and tells what became of it.
async fn perform(
    http: &Http,
    caller: &Caller,
    place: &Place,
    operation: &Operation,
    params: &Params,
) -> Response {
    let name = place.names.last().map_or("", String::as_str);
    let outcome = match (operation.op)(&Asked { name, params, settings: http.settings() }) {
        Ok(op) => http.0.engine.execute(caller, op).await,
        Err(invalid) => Err(Error::Invalid(invalid)),
    };
    let response = match outcome {
        Ok(Outcome::Domains(snapshot)) if place.format == Format::Sxp => {
            ok(Content::Sxp(http.0.cache.details(&snapshot).await))
        }
        Ok(outcome) => succeeded(place, operation, &outcome),
        Err(Error::NoSuchDomain(name)) => return no_such_domain(place, &name),
        Err(error @ Error::NoSuchVnet(_)) => return not_found_at(place, &error.to_string()),
        Err(error) if matches!(place.format, Format::Html { named: true }) && operation.makes_a_domain() => {
            return not_created(place, operation.name, params, &error);
        }
        Err(error) => failed(place, operation.name, &error),
    };
    match operation.success {
        Success::Accepted => located(response, &place.parent()),
        Success::Created | Success::Empty | Success::Zero | Success::Answer => response,
    }
}

fn succeeded(place: &Place, operation: &Operation, outcome: &Outcome) -> Response {
    let named_html = place.format == Format::Html { named: true };
    match operation.success {
        Success::Answer => ok(place.show(outcome)),
        Success::Created => created(place, outcome),
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

/// `201 created`, where the domain is, and the domain.
fn created(place: &Place, outcome: &Outcome) -> Response {
    let Outcome::Domain(view) = outcome else { return ok(place.show(outcome)) };
    let url = format!("{}/xend/domain/{}", place.origin, segment_of(view.name().as_str()));
    let content = match place.format {
        Format::Html { .. } => Content::Html(html::created(place, view, &url, create::printed(&view.config))),
        Format::Sxp | Format::Json => place.show(outcome),
    };
    located(answer(201, "created", content), &url)
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
    /// Whether a browser goes to a page, which it then shows: it says so (`Upgrade-Insecure-Requests`), and no old client does.
    navigates: bool,
}

impl Place {
    pub(super) fn of(request: &Request, names: &[&str], format: Format) -> Self {
        let path = request.uri().path().to_owned();
        let asked =
            request.extensions().get::<AskedPath>().map_or_else(|| path.clone(), |asked| asked.0.clone());
        let names = names.iter().map(|&name| name.to_owned()).collect();
        let navigates = request.headers().contains_key(UPGRADE_INSECURE_REQUESTS);
        Self { origin: origin(request), asked, path, names, format, navigates }
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
        Format::Html { .. } => Content::Html(error_page(
            place,
            "Invalid request",
            reason,
            Some("The reference says what a page takes."),
        )),
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
        Format::Html { named: true } => Content::Html(error_page(
            place,
            "Operation not implemented",
            &text,
            Some("The reference has all operations."),
        )),
        Format::Html { named: false } => Content::Text(text.clone().into()),
        Format::Json => json_error(&text),
    };
    answer(501, &text, content)
}

/// An operation that failed, a bad parameter included: clients show the bodies of 500 and 404 only.
pub(super) fn failed(place: &Place, op: &str, error: &Error) -> Response {
    let message = error.to_string();
    let content = match place.format {
        Format::Html { .. } => {
            Content::Html(error_page(place, &format!("{op} failed"), &message, Some(hint(error))))
        }
        Format::Sxp => {
            let mut sink = SxpSink::default();
            sink.text_field("xend.err", message.as_bytes());
            Content::Sxp(sink.into_bytes().into())
        }
        Format::Json => json_error(&message),
    };
    answer(500, &format!("Request failed: {op}"), content)
}

/// A domain that could not be made, for a person: what they wrote is not lost.
fn not_created(place: &Place, op: &str, params: &Params, error: &Error) -> Response {
    let text = params.one("config").unwrap_or_default();
    let (at, message) = match create::fault(text) {
        Some((at, message)) => (Some(at), message),
        None => (None, error.to_string()),
    };
    let page = html::create::failed(place, text, &message, hint(error), at);
    answer(500, &format!("Request failed: {op}"), Content::Html(page))
}

/// What a person can do about a failure.
fn hint(error: &Error) -> &'static str {
    match error {
        Error::NoMemory { .. } => "Give it less memory, or free some: the host's page shows who has it.",
        Error::Exists { .. } | Error::NameTaken { .. } => "Give it another name.",
        Error::Missing { .. } => "The path is one on the host, not on this computer.",
        Error::Busy(_) | Error::Stopping => "Nothing was done. Try again in a moment.",
        Error::Timeout { .. } => {
            "It may still happen: look at the domain before you try again. The log says how the hypervisor does."
        }
        _ => match error.kind() {
            ErrorKind::NotFound => "It may have gone, or have another name now: look at the list.",
            ErrorKind::Conflict => {
                "Look at the state that the domain is in: its page offers what is possible there."
            }
            ErrorKind::Denied => "Domain-0 controls the host and is not treated like a guest.",
            ErrorKind::Invalid => {
                "Go back, mend what is named, and send it again. The reference says what is expected."
            }
            ErrorKind::Unsupported => {
                "This host has nothing of the kind. Its page says what scheduler and which guests it has."
            }
            ErrorKind::Backend => "The log (on the host's page) may say more.",
        },
    }
}

fn json_error(message: &str) -> Content {
    Content::Json(serde_json::json!({ "xend.err": message }).to_string().into())
}

fn error_page(place: &Place, title: &str, message: &str, hint: Option<&str>) -> String {
    ErrorPage {
        crumbs: html::crumbs(place),
        title: title.to_owned(),
        message: message.to_owned(),
        hint: hint.map(str::to_owned),
        back: html::back(place),
    }
    .render()
}

/// `404 Not found`; xend's text was `<Fault 3: 'nosuch'>`.
pub(super) fn no_such_domain(place: &Place, name: &str) -> Response {
    not_found_at(place, &format!("No such domain {name}"))
}

/// `404 Not found`: a page in a browser's window, plain text for everybody else, as xend had it.
pub(super) fn not_found_at(place: &Place, text: &str) -> Response {
    if !place.navigates {
        return not_found(text);
    }
    let page = ErrorPage {
        crumbs: html::crumbs(place),
        title: "Not found".to_owned(),
        message: text.to_owned(),
        hint: Some("It may have gone, or have another name now.".to_owned()),
        back: xend_templates::Link::new("the host", "/xend/node"),
    };
    answer(404, "Not found", Content::Html(page.render()))
}

//! What is done with POST: `op=NAME` and its parameters.
//!
//! Each page has a table; an operation is an entry in it and nowhere else. An entry says what it
//! takes, turns parameters into an [`Op`](crate::core::op::Op), and says how success is told.
//! Whatever fails is told in one place, [`failed`](super::failed).

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

use super::body::{self, Refused};
use super::errors::{
    failed, invalid_request, no_such_domain, not_a_request, not_created, not_implemented,
};
use super::format::Format;
use super::get::{following, list_page};
use super::list_query::Selection;
use super::pages::Page;
use super::params::Params;
use super::path::segment_of;
use super::request::{Place, caller};
use super::response::{Content, answer, data, located, ok};
use super::{Http, html};
use crate::core::caller::Caller;
use crate::core::error::Error;
use crate::core::model::DomainRef;
use crate::core::op::Outcome;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use table::Asked;

/// On all domains.
pub(super) static ON_DOMAINS: [&Operation; 4] =
    [&create::CREATE, &create::NEW, &save::RESTORE, &create::LIST];

/// On a domain.
pub(super) static ON_DOMAIN: [&Operation; 32] = [
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
    &save::CANCEL,
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
            not_implemented(&place.in_format(Format::Html { named: false }), &op)
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
    // A field of a page's form that was left empty is sent all the same.
    let filled = (place.format == (Format::Html { named: true }))
        .then(|| params.without_blank(operation.params));
    let params = filled.as_ref().unwrap_or(params);
    let events = following(http, place.format);
    let outcome = match (operation.op)(&Asked { name, params, settings: http.settings() }) {
        Ok(op) => http.0.engine.execute(caller, op).await,
        Err(invalid) => Err(Error::Invalid(invalid)),
    };
    let response = match outcome {
        Ok(Outcome::Domains(snapshot)) if place.format == Format::Sxp => {
            ok(Content::Sxp(http.0.cache.details(&snapshot).await))
        }
        Ok(Outcome::Domains(snapshot)) if matches!(place.format, Format::Html { .. }) => {
            match Selection::of(params) {
                Ok(selection) => ok(list_page(http, place, events, &selection, &snapshot)),
                Err(invalid) => failed(place, operation.name, &invalid.into()),
            }
        }
        Ok(outcome) => succeeded(place, operation, &outcome),
        // Of what is not there there is no Location.
        Err(error @ (Error::NoSuchDomain(_) | Error::NoSuchVnet(_))) => {
            return failed(place, operation.name, &error);
        }
        Err(error)
            if matches!(place.format, Format::Html { named: true })
                && operation.reads_a_domain() =>
        {
            return not_created(place, operation.name, params, &error);
        }
        Err(error) => failed(place, operation.name, &error),
    };
    match operation.success {
        Success::Accepted => located(response, &place.parent()),
        Success::Created | Success::Restored | Success::Empty | Success::Zero | Success::Answer => {
            response
        }
    }
}

fn succeeded(place: &Place, operation: &Operation, outcome: &Outcome) -> Response {
    let named_html = place.format == Format::Html { named: true };
    match operation.success {
        Success::Answer => ok(place.show(outcome)),
        Success::Created | Success::Restored => created(place, operation, outcome),
        // Somebody who looks at pages is told; a script that did not ask for one gets what it
        // always got.
        Success::Accepted if named_html => {
            answer(202, "Accepted", Content::Html(html::done(place, operation.name)))
        }
        Success::Empty | Success::Zero if named_html => {
            ok(Content::Html(html::done(place, operation.name)))
        }
        Success::Accepted => answer(202, "Accepted", Content::Empty),
        Success::Empty => ok(Content::Empty),
        Success::Zero => ok(data(place.format, b"0".to_vec())),
    }
}

/// `201`, where the domain is, and the domain.
fn created(place: &Place, operation: &Operation, outcome: &Outcome) -> Response {
    let Outcome::Domain(view) = outcome else { return ok(place.show(outcome)) };
    let url = format!("{}/xend/domain/{}", place.origin, segment_of(view.name().as_str()));
    let content = match place.format {
        Format::Html { .. } => {
            Content::Html(html::created(place, view, &url, create::printed(&view.config)))
        }
        Format::Sxp if operation.success == Success::Restored => Content::Empty,
        Format::Sxp | Format::Json => place.show(outcome),
    };
    // xend's own phrase for what it created, and HTTP's for what it restored.
    let phrase = if operation.success == Success::Restored { "Created" } else { "created" };
    located(answer(201, phrase, content), &url)
}

async fn params(
    http: &Http,
    request: axum::http::Request<Body>,
    place: &Place,
) -> Result<Params, Response> {
    body::params(request, http.settings().max_body).await.map_err(|refused| match refused {
        Refused::TooLarge => {
            let limit = http.settings().max_body;
            let text = format!(
                "The body is larger than {limit} bytes, see xend-max-body in xend-config.sxp"
            );
            answer(413, "Request entity too large", Content::Text(text.into()))
        }
        Refused::Malformed(reason) => not_a_request(place, &reason),
    })
}

//! How failures are told. Clients show the bodies of 500 and 404 only, so whatever fails is one of
//! the two.

use super::format::Format;
use super::html;
use super::operations::create;
use super::params::Params;
use super::request::Place;
use super::response::{Content, answer, not_found};
use crate::core::error::{Error, ErrorKind};
use crate::shape::{Sink, SxpSink};
use axum::response::Response;
use xend_templates::{ErrorPage, Link};

/// No operation, or several: `406 Invalid request`, with the empty string as xend's body.
pub(super) fn invalid_request(place: &Place) -> Response {
    not_a_request(place, "Exactly one operation is expected, give op=NAME once")
}

pub(super) fn not_a_request(place: &Place, reason: &str) -> Response {
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
    if let Error::NoSuchDomain(_) | Error::NoSuchVnet(_) = error {
        return not_found_at(place, &message);
    }
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
pub(super) fn not_created(place: &Place, op: &str, params: &Params, error: &Error) -> Response {
    let written = params.one("config").ok();
    let fault = written.filter(|_| error.kind() == ErrorKind::Invalid).and_then(create::fault);
    let (at, message) = match fault {
        Some((at, message)) => (Some(at), message),
        None => (None, error.to_string()),
    };
    let text = written.unwrap_or_default();
    let page = html::create::failed(place, text, &message, hint(error), at);
    answer(500, &format!("Request failed: {op}"), Content::Html(page))
}

/// What a person can do about a failure.
fn hint(error: &Error) -> &'static str {
    match error {
        Error::NoMemory { .. } => {
            "Give it less memory, or free some: the host's page shows who has it."
        }
        Error::Exists { .. } | Error::NameTaken { .. } | Error::NameMeansDomain { .. } => {
            "Give it another name."
        }
        Error::UuidTaken { .. } => "Give it another UUID, or none: then xend makes one up.",
        Error::NoRoom(_) => "Make some room on the host's disk, and send it again.",
        Error::DeviceBusy { .. } => "Shut the guest down, or unplug the device by force.",
        Error::Missing { .. } => "The path is one on the host, not on this computer.",
        Error::Busy(_) | Error::Stopping => "Nothing was done. Try again in a moment.",
        Error::Timeout { .. } | Error::Stalled { .. } => {
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
        back: Link::new("the host", "/xend/node"),
    };
    answer(404, "Not found", Content::Html(page.render()))
}

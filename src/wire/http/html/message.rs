//! Pages with one message: an operation that succeeded, or an error.

use super::parts::{device_name, frame, page_link};
use crate::core::rights::OpKind;
use crate::wire::http::operations::by_page::operation_on;
use crate::wire::http::operations::save::RESTORE;
use crate::wire::http::params::Params;
use crate::wire::http::request::RequestInfo;
use xend_templates::{ErrorPage, Field, Link, MessagePage, OperationForm, TargetForm};

/// The page after an operation that has no result. `params` are those of the request.
pub(crate) fn done(request: &RequestInfo, op: &str, params: &Params) -> String {
    // After these what the page was about is not there, or has another name.
    let back = match op {
        "destroy" | "rename" | "save" | "migrate" | "delete" => list_link(request),
        _ => page_link(request),
    };
    let mut message = effect(request, op);
    let file = match op {
        "save" | "dump" => params.text("file"),
        _ => Ok(None),
    };
    if let Ok(Some(file)) = &file {
        message.extend([" The file is ", file, "."]);
    } else if op == "save" && file.is_err() {
        message.push_str(" The name of the file is not UTF-8, so that no page can restore it.");
    }
    let file = file.ok().flatten();
    let next = file.filter(|_| op == "save").and_then(|file| restore(request, &file));
    let title = "Done".to_owned();
    MessagePage { frame: frame(request), title, message, next, back }.render()
}

/// The form that restores a domain from the file to which it was saved, for those who may.
fn restore(request: &RequestInfo, file: &str) -> Option<TargetForm> {
    if !RESTORE.is_offered(&request.access()) {
        return None;
    }
    Some(TargetForm {
        href: "/xend/domain".to_owned(),
        operation: OperationForm {
            op: RESTORE.name.to_owned(),
            label: RESTORE.label.to_owned(),
            about: "The domain can go on where it stopped, now or later.".to_owned(),
            danger: false,
            fields: vec![Field::fixed("file", file)],
        },
    })
}

/// The page after an operation of the agent in a guest, with the agent's own words.
pub(super) fn done_by_agent(request: &RequestInfo, op: &str, words: &str) -> String {
    let mut message = effect(request, op);
    if !words.is_empty() {
        message.extend([" The agent says: ", words]);
    }
    page(request, message, page_link(request))
}

/// The effect of an operation in a sentence.
fn effect(request: &RequestInfo, op: &str) -> String {
    let name = request.name();
    match (op, request.name.is_some()) {
        ("pause", _) => format!("Domain {name} is paused."),
        ("unpause", _) => format!("Domain {name} is running."),
        ("destroy", _) => format!("Domain {name} has been destroyed."),
        ("shutdown", true) => format!("Domain {name} has been asked to shut down."),
        ("shutdown", false) => "The host is shutting down.".to_owned(),
        ("reboot", _) => "The host is rebooting.".to_owned(),
        ("wait_for_devices", _) => format!("All devices of domain {name} are connected."),
        ("rename", _) => format!("Domain {name} has been renamed."),
        ("start", _) => format!("Domain {name} has been started."),
        ("resume", _) => format!("Domain {name} has been resumed."),
        ("reset", _) => format!("Domain {name} has been reset."),
        ("suspend", _) => format!("Domain {name} has been suspended."),
        ("save", _) => format!("Domain {name} has been saved."),
        ("migrate", _) => format!("Domain {name} has been migrated."),
        ("dump", _) => format!("The memory of domain {name} has been dumped."),
        ("new", _) => "The domain has been defined.".to_owned(),
        ("create", _) => "The virtual network has been created.".to_owned(),
        ("delete", _) => format!("{name} has been deleted."),
        ("cancel", _) => format!("The operation on domain {name} has been cancelled."),
        ("set_password", _) => format!("The password has been set in domain {name}."),
        ("inject_file", _) => format!("The file has been written in domain {name}."),
        ("reset_network", _) => format!("Domain {name} has applied its network settings."),
        _ => {
            let label = operation_on(&request.path, op).map_or(op, |operation| operation.label);
            match name {
                "" => format!("Done: {label}."),
                name => format!("Done: {label} on domain {name}."),
            }
        }
    }
}

/// The page after a device was attached.
pub(super) fn attached(request: &RequestInfo, class: &str, id: u32) -> String {
    let device = device_name(class, id);
    page(request, format!("Device {class} {device} is attached."), page_link(request))
}

fn page(request: &RequestInfo, message: String, back: Link) -> String {
    let title = "Done".to_owned();
    MessagePage { frame: frame(request), title, message, next: None, back }.render()
}

pub(crate) fn error(request: &RequestInfo, title: &str, message: &str, hint: &str) -> String {
    ErrorPage {
        frame: frame(request),
        title: title.to_owned(),
        message: message.to_owned(),
        hint: hint.to_owned(),
        back: Some(page_link(request)),
    }
    .render()
}

/// The page for a visitor who is not let in.
pub(crate) fn refused(request: &RequestInfo, title: &str, message: &str) -> String {
    ErrorPage {
        frame: frame(request),
        title: title.to_owned(),
        message: message.to_owned(),
        hint: String::new(),
        back: None,
    }
    .render()
}

/// The page for a user whose account does not have a right.
pub(crate) fn not_permitted(request: &RequestInfo, message: &str, hint: &str) -> String {
    let back = if request.name.is_some() { page_link(request) } else { other_page(request) };
    ErrorPage {
        frame: frame(request),
        title: "Not allowed".to_owned(),
        message: message.to_owned(),
        hint: hint.to_owned(),
        back: Some(back),
    }
    .render()
}

pub(crate) fn not_found(request: &RequestInfo, message: &str) -> String {
    missing(request, "Not found", message, "It may have been removed or renamed.")
}

/// The page about something that is not there: no link leads back to it.
pub(crate) fn missing(request: &RequestInfo, title: &str, message: &str, hint: &str) -> String {
    ErrorPage {
        frame: frame(request),
        title: title.to_owned(),
        message: message.to_owned(),
        hint: hint.to_owned(),
        back: Some(match list_of(request) {
            Some((name, path, kind)) if request.access().may(kind) => Link::new(name, path),
            _ => other_page(request),
        }),
    }
    .render()
}

/// The lists of what has pages of its own: what they are called, their paths, and what they need.
const LISTS: [(&str, &str, OpKind); 5] = [
    ("the virtual networks", "/xend/vnet", OpKind::ShowVnets),
    ("the storage", "/xend/node/storage", OpKind::ShowStorage),
    ("the tasks", "/xend/task", OpKind::ListDomains),
    ("the saved domains", "/xend/saved", OpKind::ReadSavedConfig),
    ("new domain", "/xend/new", OpKind::CreateDomain),
];

/// The list that the page's object is in; `None` for a domain.
fn list_of(request: &RequestInfo) -> Option<(&'static str, &'static str, OpKind)> {
    let is_in = |path: &str| request.path.starts_with(path);
    LISTS.into_iter().find(|(_, path, _)| is_in(path))
}

/// A link to the list that the page's object is in.
fn list_link(request: &RequestInfo) -> Link {
    let (name, path) = match list_of(request) {
        Some((name, path, _)) => (name, path),
        None => ("all domains", "/xend/domain"),
    };
    Link::new(name, path)
}

/// A link to a page that every caller who sees it may open.
fn other_page(request: &RequestInfo) -> Link {
    if request.access().may(OpKind::ShowHost) {
        Link::new("the host", "/xend/node")
    } else {
        Link::new("the reference", "/xend/help")
    }
}

//! The parts of an error's text that depend on what is known.

use super::model::{BlockClass, VirtualDevice};
use super::place::Place;
use super::rights::Right;
use std::path::Path;

pub(super) fn in_brackets(detail: &str) -> String {
    if detail.is_empty() { String::new() } else { format!(" ({detail})") }
}

pub(super) fn agent_failed(returncode: &str) -> String {
    format!("The agent in the guest failed{}", in_brackets(returncode))
}

pub(super) fn after_colon(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": {text}") }
}

/// The class of a device, with its name if nobody knows the disk by its number: `vbd xvdz` for
/// 268441856. Others have had their number alone in this message since xend.
pub(super) fn with_name(class: &str, device: u32) -> String {
    let number = VirtualDevice(device);
    let is_disk = BlockClass::includes(class) && number.is_extended();
    let name = if is_disk { number.name() } else { None };
    name.map_or_else(|| class.to_owned(), |name| format!("{class} {name}"))
}

pub(super) fn describe_agent_failure(message: &str, returncode: &str) -> String {
    match (message, returncode) {
        ("", "") => "The agent gave neither a reason nor a return code".to_owned(),
        ("", code) => format!("The agent gave no reason, only its return code {code}"),
        (message, code) => format!("The agent in the guest says: {message}{}", in_brackets(code)),
    }
}

pub(super) fn of_place(place: Option<&Path>) -> String {
    place.map_or_else(String::new, |place| format!(" of {}", place.display()))
}

pub(super) fn describe_refusal(op: &str, target: &str, right: Option<Right>) -> String {
    match right {
        None => format!("{op} is for operators of the host"),
        Some(right) if target.is_empty() => format!("{op} needs the right {right}"),
        Some(right) => format!("{op} needs the right {right} on {target}"),
    }
}

pub(super) fn and_free(free_kib: Option<u64>) -> String {
    free_kib.map_or_else(String::new, |free| format!(" and {free} KiB are free"))
}

/// The end of a message about a domain; empty for one that is defined on this host. `prefix` is
/// before a domid.
pub(super) fn with_place(prefix: &str, at: &Place) -> String {
    match at {
        Place::Here(None) => String::new(),
        Place::Here(Some(domid)) => format!("{prefix}{domid}"),
        Place::Host(host) => format!(" on {host}"),
        Place::NoHost => " in the fleet, without a host".to_owned(),
    }
}

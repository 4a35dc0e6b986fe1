//! Errors in the words of pages: labels of buttons and fields instead of the names that programs
//! send, and no words of other interfaces.

use super::plain_form::label;
use crate::core::error::Error;
use crate::core::model::Invalid;
use crate::wire::http::operation::Operation;
use crate::wire::http::operations::by_page::operation_on;
use crate::wire::http::request::RequestInfo;

/// The heading of a page about `op` that failed. What is no operation has no label.
pub(crate) fn title(request: &RequestInfo, op: &str) -> String {
    match operation_on(&request.path, op) {
        Some(operation) => format!("{} failed", operation.label),
        None => "The request failed".to_owned(),
    }
}

/// The text of an error about `op`.
pub(crate) fn text(request: &RequestInfo, op: &str, error: &Error) -> String {
    let operation = operation_on(&request.path, op);
    match error {
        Error::Invalid(refusal) => of_refusal(operation, refusal),
        Error::NotPermitted { target, right, .. } => {
            let what = operation.map_or("This page", |operation| operation.label);
            match right {
                None => format!("{what} is for operators of the host"),
                Some(right) if target.is_empty() => format!("{what} needs the right {right}"),
                Some(right) => format!("{what} needs the right {right} on {target}"),
            }
        }
        _ => plain(error),
    }
}

/// The text of an error without the names of parameters.
pub(crate) fn plain(error: &Error) -> String {
    match error {
        Error::NoMemory { needed_kib, free_kib } => {
            let free = free_kib.map(|free| format!(" and {} MiB are free", free / 1024));
            let needed = needed_kib.div_ceil(1024);
            let free = free.unwrap_or_default();
            format!("Not enough free memory: {needed} MiB are needed{free}")
        }
        Error::InUse { what: "VDI", by } => format!("The image is used by {by}"),
        Error::NoSuchObject { class: "VDI", name } => format!("No such image {name}"),
        Error::NoSuchObject { class: "cpu_pool", name } => format!("No such CPU pool {name}"),
        Error::NoSuchVnet(id) => format!("No such virtual network {id}"),
        Error::VnetExists(id) => format!("Virtual network {id} already exists"),
        _ => error.to_string(),
    }
}

/// A refusal, with the labels of the operation's fields.
fn of_refusal(operation: Option<&Operation>, refusal: &Invalid) -> String {
    let text = refusal.to_string();
    let Some(operation) = operation else { return text };
    let has = |name: &str| operation.params.iter().any(|param| param.name == name);
    if let Some(name) = text.strip_prefix("Missing parameter: ").filter(|name| has(name)) {
        // Each of the two is optional, one is enough.
        let is_share =
            matches!(operation.name, "domain_sched_credit_set" | "domain_sched_credit2_set");
        return match operation.params {
            [first, second] if is_share => {
                format!("Fill in {} or {}", label(first.name), label(second.name))
            }
            _ => format!("Fill in {}", label(name)),
        };
    }
    if let Some(reason) = text.strip_prefix("virtual_size: ").filter(|_| has("size")) {
        return format!("{}: {}", label("size"), in_mib(reason));
    }
    let value = text.strip_prefix("Invalid value for ");
    let place = value.unwrap_or(&text).split_once(": ").filter(|(name, _)| has(name));
    let Some((name, reason)) = place else { return text };
    let reason = reason.strip_prefix("Invalid VM Name: ").unwrap_or(reason);
    let reason = reason.replace(" (force=1, xm save -f)", "");
    match value {
        Some(_) => format!("Invalid value for {}: {reason}", label(name)),
        None => format!("{}: {reason}", label(name)),
    }
}

/// A text about bytes in MiB, which the field has.
fn in_mib(text: &str) -> String {
    let word = |word: &str| {
        let (number, rest) = word.split_at(word.find(':').unwrap_or(word.len()));
        match number.parse::<u64>() {
            Ok(bytes) => format!("{}{rest}", bytes.div_ceil(1 << 20)),
            Err(_) => word.replace("bytes", "MiB"),
        }
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::http::params::bad_value;

    fn said(path: &str, op: &str, refusal: &Invalid) -> String {
        of_refusal(operation_on(path, op), refusal)
    }

    #[test]
    fn fields_have_their_labels() {
        let domain = "/xend/domain/web1";
        let both = "domain_sched_credit_set";
        assert_eq!(said(domain, both, &Invalid::missing("weight")), "Fill in Weight or Limit");
        assert_eq!(said(domain, "rename", &Invalid::missing("name")), "Fill in Name");
        let name = bad_value("name", "Invalid VM Name: ' ' is not allowed");
        assert_eq!(said(domain, "rename", &name), "Invalid value for Name: ' ' is not allowed");
        let memory = bad_value("target", "'x' is no number");
        let text = said(domain, "mem_target_set", &memory);
        assert_eq!(text, "Invalid value for Memory: 'x' is no number");
        let file = "file: /x exists: name another file, or replace it (force=1, xm save -f)";
        let text = said(domain, "save", &Invalid::new(file));
        assert_eq!(text, "File: /x exists: name another file, or replace it");
        let size = Invalid::new("virtual_size: 1048575998951424 is above 17592186044416 bytes");
        let text = said("/xend/node/storage", "create", &size);
        assert_eq!(text, "Size: 999999999 is above 16777216 MiB");
        // No field of the form.
        assert_eq!(said(domain, "pause", &memory), memory.to_string());
        assert_eq!(said("/xend/selection", "selection", &memory), memory.to_string());
    }

    #[test]
    fn memory_is_in_mib_and_images_are_no_vdis() {
        let error = Error::NoMemory { needed_kib: 61_440_000, free_kib: Some(2048) };
        let text = "Not enough free memory: 60000 MiB are needed and 2 MiB are free";
        assert_eq!(plain(&error), text);
        let used = Error::InUse { what: "VDI", by: "dbl".to_owned() };
        assert_eq!(plain(&used), "The image is used by dbl");
        let missing = Error::NoSuchObject { class: "VDI", name: "f14a".to_owned() };
        assert_eq!(plain(&missing), "No such image f14a");
    }
}

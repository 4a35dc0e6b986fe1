//! Absolute paths of nodes.

use crate::error::Refusal;
use crate::path::{MAX_RELATIVE_PATH, check_path, check_watch_path};

/// A domain's directory.
pub(crate) fn of_domain(domid: u32) -> String {
    format!("/local/domain/{domid}")
}

/// The absolute path that a domain means.
pub(crate) fn resolve(domid: u32, path: &str) -> Result<String, Refusal> {
    check_path(path).map_err(|_| Refusal::Invalid)?;
    absolute(domid, path)
}

/// The absolute or special path that a domain watches.
pub(crate) fn resolve_watched(domid: u32, path: &str) -> Result<String, Refusal> {
    check_watch_path(path).map_err(|_| Refusal::Invalid)?;
    absolute(domid, path)
}

/// Whether a watch on this path gets events with relative paths.
pub(crate) fn is_relative(path: &str) -> bool {
    !path.starts_with(['/', '@'])
}

/// Whether a path names no node but what is watched to hear of domains.
pub(crate) fn is_special(path: &str) -> bool {
    path.starts_with('@')
}

fn absolute(domid: u32, path: &str) -> Result<String, Refusal> {
    let path =
        if is_relative(path) { format!("{}/{path}", of_domain(domid)) } else { path.to_owned() };
    // What follows the domain's directory counts.
    if after_domain(&path).unwrap_or(&path).len() > MAX_RELATIVE_PATH {
        return Err(Refusal::Invalid);
    }
    Ok(path)
}

fn after_domain(path: &str) -> Option<&str> {
    let (domid, rest) = path.strip_prefix("/local/domain/")?.split_once('/')?;
    let is_domid =
        (1..=5).contains(&domid.len()) && domid.bytes().all(|byte| byte.is_ascii_digit());
    is_domid.then_some(rest)
}

/// The path of the node above; none for `/`.
pub(crate) fn parent(path: &str) -> Option<&str> {
    match path.rsplit_once('/')? {
        (_, "") => None,
        ("", _) => Some("/"),
        (parent, _) => Some(parent),
    }
}

/// The last name of a path.
pub(crate) fn name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// The path of a child.
pub(crate) fn child(path: &str, name: &str) -> String {
    if path == "/" { format!("/{name}") } else { format!("{path}/{name}") }
}

/// Whether a path is another one or below it.
pub(crate) fn is_at_or_below(path: &str, above: &str) -> bool {
    above == "/"
        || path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

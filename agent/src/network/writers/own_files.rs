//! Files that the agent has made by itself, one an interface.

use crate::network::files::{NewFile, list, read_text};
use crate::network::lines::Lines;
use crate::root::Root;
use std::io;

/// The first line of files that are the agent's own.
pub(super) const HEADER: &str =
    "# Written by xend-guest-agent, and again whenever the host sets the network.";

/// The files in `directory` that the agent has made under another name of an interface: their names
/// begin with `prefix`, and one of their lines is `line`. They are to go.
pub(super) fn outdated(
    root: &Root,
    directory: &str,
    prefix: &str,
    line: &str,
    current: &[NewFile],
) -> io::Result<Vec<NewFile>> {
    let mut outdated = Vec::new();
    for name in list(root, directory)?.iter().filter(|name| name.starts_with(prefix)) {
        let path = format!("{directory}/{name}");
        if current.iter().any(|file| file.path == path) {
            continue;
        }
        let text = read_text(root, &path)?.unwrap_or_default();
        if text.starts_with(HEADER) && text.lines().any(|other| other == line) {
            outdated.push(NewFile::removed(path));
        }
    }
    Ok(outdated)
}

/// A file of these lines. Without lines one of ours is to go, and another one stays.
pub(super) fn own_or_none(root: &Root, path: String, lines: Lines) -> io::Result<Option<NewFile>> {
    let text = lines.into_text();
    if !text.is_empty() {
        return Ok(Some(NewFile::new(path, format!("{HEADER}\n{text}"))));
    }
    let old = read_text(root, &path)?.unwrap_or_default();
    Ok(old.starts_with(HEADER).then(|| NewFile::removed(path)))
}

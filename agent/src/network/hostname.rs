//! The guest's name: which are possible, in the files of all distributions, and in the running
//! system.

use super::assignments;
use super::files::{NewFile, file_type, read_text};
use super::writer::Guest;
use crate::root::Root;
use rustix::fs::FileType;
use std::io;
use std::net::Ipv4Addr;
use thiserror::Error;
use xend_guest_protocol::hostname::{Hostname, MAX_HOSTNAME};

/// What our line in `/etc/hosts` ends with.
const OURS: &str = "# xend-guest-agent";

/// The longest part of a name between dots, in bytes.
const MAX_PART: usize = 63;

/// Why a guest cannot have a name: the rules of hostname(7), and what programs would take for an
/// address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BadName {
    #[error("The host name is longer than {MAX_HOSTNAME} bytes")]
    Long,
    #[error("The host name has other characters than letters, digits, hyphens and dots")]
    Characters,
    #[error("The host name begins or ends with a dot, or has two dots in a row")]
    EmptyPart,
    #[error("A part of the host name is longer than {MAX_PART} bytes")]
    LongPart,
    #[error("A part of the host name begins or ends with a hyphen")]
    Hyphen,
    #[error("The host name is an IP address")]
    Address,
}

/// Reads a name. White space around it does not count. Linux itself would take nearly any.
pub(super) fn parse(text: &str) -> Result<Hostname, BadName> {
    let name = text.trim();
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    if name.len() > MAX_HOSTNAME {
        return Err(BadName::Long);
    }
    if !name.bytes().all(is_allowed) {
        return Err(BadName::Characters);
    }
    for part in name.split('.') {
        if part.is_empty() {
            return Err(BadName::EmptyPart);
        }
        if part.len() > MAX_PART {
            return Err(BadName::LongPart);
        }
        if part.starts_with('-') || part.ends_with('-') {
            return Err(BadName::Hyphen);
        }
    }
    if name.parse::<Ipv4Addr>().is_ok() {
        return Err(BadName::Address);
    }
    // All that hosts know of names is checked now.
    Hostname::new(name).map_err(|_| BadName::Characters)
}

/// The files that hold the name.
pub(super) fn files(root: &Root, name: &Hostname) -> io::Result<Vec<NewFile>> {
    let mut files = vec![NewFile::new("/etc/hostname", format!("{}\n", name.as_str()))];
    // SUSE's of old.
    if root.exists("/etc/HOSTNAME") {
        files.push(NewFile::new("/etc/HOSTNAME", format!("{}\n", name.as_str())));
    }
    // OpenRC's on Gentoo, and Red Hat's of old, which is no file of its own.
    for (path, key) in
        [("/etc/conf.d/hostname", "hostname"), ("/etc/sysconfig/network", "HOSTNAME")]
    {
        // On SUSE the latter is a directory.
        if file_type(root, path)? != Some(FileType::RegularFile) {
            continue;
        }
        let old = read_text(root, path)?.unwrap_or_default();
        if assignments::value(&old, key).is_some() {
            let value = format!("\"{}\"", name.as_str());
            let text = assignments::edit(&old, &[(key.to_owned(), value)], |_| false);
            files.push(NewFile::new(path, text));
        }
    }
    // A symbolic link to a file that is written anyway, as SUSE has it.
    files.retain(|file| file.path == "/etc/hostname" || !is_link(root, file));
    files.push(hosts(root, name)?);
    Ok(files)
}

fn is_link(root: &Root, file: &NewFile) -> bool {
    root.file_type(&file.path).is_ok_and(|kind| kind == Some(FileType::Symlink))
}

/// What the running system is called; `None` if the kernel does not tell.
pub(super) fn current(root: &Root) -> Option<String> {
    let name = read_text(root, "/proc/sys/kernel/hostname").ok()??;
    Some(name.trim().to_owned())
}

/// Renames the running system, unless it has the name.
pub(super) fn set(guest: &Guest<'_>, name: &str) -> io::Result<()> {
    if current(guest.root).as_deref() == Some(name) {
        return Ok(());
    }
    guest.kernel.set_hostname(guest.root, name)
}

/// `/etc/hosts` with a line for the name, unless another one is there already.
fn hosts(root: &Root, name: &Hostname) -> io::Result<NewFile> {
    const PATH: &str = "/etc/hosts";
    let old = read_text(root, PATH)?.unwrap_or_default();
    let is_ours = |line: &str| line.trim_end().ends_with(OURS);
    let names_us = |line: &str| {
        let entry = line.split('#').next().unwrap_or_default();
        entry.split_ascii_whitespace().skip(1).any(|alias| alias == name.as_str())
    };
    let full = name.as_str();
    let line = match name.short() {
        short if short == full => format!("127.0.1.1\t{full} {OURS}\n"),
        short => format!("127.0.1.1\t{full} {short} {OURS}\n"),
    };
    let mut needs_line = !old.lines().any(|other| !is_ours(other) && names_us(other));
    let mut text = String::with_capacity(old.len() + line.len());
    for other in old.split_inclusive('\n') {
        if !is_ours(other) {
            text.push_str(other);
        } else if needs_line {
            // Where it stood.
            text.push_str(&line);
            needs_line = false;
        }
    }
    if needs_line {
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        text.push_str(&line);
    }
    Ok(NewFile::new(PATH, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_manual() {
        let long = "a".repeat(MAX_PART);
        let longest = format!("{}.b", "a".repeat(62));
        let good = ["web1", "RESCUE-web1", "web1.example.org", "1", "1.2.3", "1.2.3.4a"];
        for name in good.into_iter().chain([long.as_str(), &longest]) {
            assert_eq!(parse(name).unwrap().as_str(), name);
        }
        assert_eq!(parse(" web1\n").unwrap().as_str(), "web1");
        for name in ["a_b", "a b", "a\nb", "a/b", "\u{e9}", "a\0"] {
            assert_eq!(parse(name), Err(BadName::Characters), "{name:?}");
        }
        for name in ["a..b", ".a", "a.", "", "."] {
            assert_eq!(parse(name), Err(BadName::EmptyPart), "{name:?}");
        }
        for name in ["-a", "bad-", "bad-.example.org", "example.-bad", "-"] {
            assert_eq!(parse(name), Err(BadName::Hyphen), "{name}");
        }
        assert_eq!(parse(&"a".repeat(MAX_PART + 1)), Err(BadName::LongPart));
        assert_eq!(parse(&"a".repeat(MAX_HOSTNAME + 1)), Err(BadName::Long));
        assert_eq!(parse("1.2.3.4"), Err(BadName::Address));
    }
}

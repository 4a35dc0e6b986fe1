//! The guest's name: in the files of all distributions, and in the running system.

use super::assignments;
use super::files::{NewFile, read_text};
use super::writer::{Failed, Guest};
use crate::root::Root;
use rustix::fs::FileType;
use std::io;
use xend_guest_protocol::hostname::Hostname;

/// What our line in `/etc/hosts` ends with.
const OURS: &str = "# xend-guest-agent";

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
        if root.file_type(path)? != Some(FileType::RegularFile) {
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

/// Renames the running system.
pub(super) fn apply(guest: &Guest<'_>, name: &str) -> Result<(), Failed> {
    if guest.has("hostname") {
        return guest.run("hostname", &[name]);
    }
    guest.run("hostnamectl", &["set-hostname", name])
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

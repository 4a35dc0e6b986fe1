//! `/etc/resolv.conf`, for systems where no program writes it.

use super::files::{NewFile, file_type, read_text};
use super::lines::Lines;
use super::plan::Interface;
use crate::root::Root;
use rustix::fs::FileType;
use std::io;
use std::net::IpAddr;

const PATH: &str = "/etc/resolv.conf";

/// The file with the name servers of all interfaces, and its other lines as they were. None if
/// there are no name servers, or if it is a symbolic link: then a program writes it.
pub(super) fn files(root: &Root, interfaces: &[Interface]) -> io::Result<Vec<NewFile>> {
    let servers = servers(interfaces);
    if servers.is_empty() || file_type(root, PATH)? == Some(FileType::Symlink) {
        return Ok(Vec::new());
    }
    let old = read_text(root, PATH)?.unwrap_or_default();
    let is_server = |line: &&str| line.split_ascii_whitespace().next() == Some("nameserver");
    let mut lines = Lines::default();
    for line in old.lines().filter(|line| !is_server(line)) {
        lines.add(line);
    }
    for server in servers {
        lines.add(format_args!("nameserver {server}"));
    }
    Ok(vec![NewFile::new(PATH, lines.into_text())])
}

/// The name servers of all interfaces, each once.
pub(super) fn servers(interfaces: &[Interface]) -> Vec<IpAddr> {
    let mut servers = Vec::new();
    for server in interfaces.iter().flat_map(|interface| &interface.dns) {
        if !servers.contains(server) {
            servers.push(*server);
        }
    }
    servers
}

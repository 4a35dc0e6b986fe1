//! The guest's network interfaces, found by their MAC: names change from kernel to kernel.

use super::error::ResetError;
use super::files::{list, read_text};
use crate::root::Root;
use std::io;
use xend_guest_protocol::network::Mac;

const DIRECTORY: &str = "/sys/class/net";

/// An interface of the running system.
struct Found {
    name: String,
    mac: Mac,
    rank: u8,
}

/// The guest's interfaces.
pub(super) struct Interfaces(Vec<Found>);

impl Interfaces {
    /// Those that the kernel shows below `/sys`.
    pub(super) fn read(root: &Root) -> io::Result<Self> {
        let mut found = Vec::new();
        for name in list(root, DIRECTORY)? {
            let path = |file: &str| format!("{DIRECTORY}/{name}/{file}");
            // An interface can go away, and some have no address.
            let Ok(Some(text)) = read_text(root, &path("address")) else { continue };
            let Some(mac) = Mac::parse(text.trim()) else { continue };
            // Bridges, bonds and VLANs have the MAC of the interface below them. What is part of
            // a bridge or bond has no address itself; what is no device is above one.
            let rank = match (root.exists(&path("master")), root.exists(&path("device"))) {
                (false, true) => 0,
                (false, false) => 1,
                (true, _) => 2,
            };
            found.push(Found { name, mac, rank });
        }
        Ok(Self(found))
    }

    /// The name of the interface with this MAC.
    pub(super) fn name(&self, mac: Mac) -> Result<String, ResetError> {
        let with_mac = || self.0.iter().filter(|interface| interface.mac == mac);
        let best = with_mac().map(|interface| interface.rank).min();
        let mut candidates = with_mac().filter(|interface| Some(interface.rank) == best);
        let interface = candidates.next().ok_or(ResetError::UnknownMac(mac))?;
        if candidates.next().is_some() {
            return Err(ResetError::AmbiguousMac(mac));
        }
        if !is_plain(&interface.name) {
            return Err(ResetError::OddName(mac));
        }
        Ok(interface.name.clone())
    }
}

/// Whether a name can stand in any file. The kernel allows nearly any byte, and a program in the
/// guest can rename interfaces.
fn is_plain(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    !name.is_empty() && !name.starts_with(['.', '-']) && name.bytes().all(is_allowed)
}

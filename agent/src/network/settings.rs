//! What the host wants the guest's network to be: the nodes `vm-data/hostname` and
//! `vm-data/networking/MAC`.

use super::error::ResetError;
use super::hostname;
use crate::exchange::GuestData;
use xend_guest_protocol::hostname::Hostname;
use xend_guest_protocol::network::Interface;
use xend_guest_protocol::nodes::{HOSTNAME, NETWORKING};

/// The most interfaces that are read.
const MAX_INTERFACES: usize = 64;

/// What the host wants.
#[derive(Debug)]
pub(super) struct Settings {
    /// `None`: the name stays as it is.
    pub(super) hostname: Option<Hostname>,
    /// One for each MAC, in the order of the nodes' names.
    pub(super) interfaces: Vec<Interface>,
}

impl Settings {
    /// Reads all of it. A host that asks for a reset has written something.
    pub(super) fn read(data: &mut dyn GuestData) -> Result<Self, ResetError> {
        let settings = Self { hostname: read_hostname(data)?, interfaces: read_interfaces(data)? };
        if settings.hostname.is_none() && settings.interfaces.is_empty() {
            return Err(ResetError::NoSettings);
        }
        Ok(settings)
    }
}

fn read_hostname(data: &mut dyn GuestData) -> Result<Option<Hostname>, ResetError> {
    let Some(name) = data.read(HOSTNAME).map_err(ResetError::Settings)? else {
        return Ok(None);
    };
    let name = String::from_utf8_lossy(&name);
    if name.trim().is_empty() {
        return Ok(None);
    }
    Ok(Some(hostname::parse(&name).map_err(ResetError::Hostname)?))
}

fn read_interfaces(data: &mut dyn GuestData) -> Result<Vec<Interface>, ResetError> {
    let mut names = data.list(NETWORKING).map_err(ResetError::Settings)?;
    names.sort();
    let mut interfaces: Vec<Interface> = Vec::new();
    for name in names {
        let path = format!("{NETWORKING}/{name}");
        // The host may remove it at any time.
        let Some(json) = data.read(&path).map_err(ResetError::Settings)? else { continue };
        if json.trim_ascii().is_empty() {
            return Err(ResetError::EmptyInterface(name));
        }
        let interface = Interface::parse_node(&name, &json)
            .map_err(|error| ResetError::BadInterface { node: name, error })?;
        // In capitals and in small letters: one of both is old, and nobody knows which.
        match interfaces.iter().find(|other| other.mac == interface.mac) {
            Some(other) if *other == interface => continue,
            Some(_) => return Err(ResetError::TwoNodes(interface.mac)),
            None => {}
        }
        if interfaces.len() == MAX_INTERFACES {
            return Err(ResetError::TooManyInterfaces(MAX_INTERFACES));
        }
        interfaces.push(interface);
    }
    Ok(interfaces)
}

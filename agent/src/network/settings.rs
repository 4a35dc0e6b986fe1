//! What the host wants the guest's network to be: the nodes `vm-data/hostname` and
//! `vm-data/networking/MAC`.

use super::error::ResetError;
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
    pub(super) fn read(data: &mut dyn GuestData) -> Result<Self, ResetError> {
        Ok(Self { hostname: read_hostname(data)?, interfaces: read_interfaces(data)? })
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
    let name = Hostname::new(&name).map_err(|error| ResetError::Hostname(error.to_string()))?;
    Ok(Some(name))
}

fn read_interfaces(data: &mut dyn GuestData) -> Result<Vec<Interface>, ResetError> {
    let mut names = data.list(NETWORKING).map_err(ResetError::Settings)?;
    // Capitals come first: hosts write them, so they win over the same MAC in small letters.
    names.sort();
    let mut interfaces: Vec<Interface> = Vec::new();
    for name in names {
        let path = format!("{NETWORKING}/{name}");
        // The host may remove it at any time.
        let Some(json) = data.read(&path).map_err(ResetError::Settings)? else { continue };
        if json.is_empty() {
            continue;
        }
        let interface = Interface::parse_node(&name, &json)
            .map_err(|error| ResetError::BadInterface { node: name, error })?;
        if interfaces.iter().any(|other| other.mac == interface.mac) {
            continue;
        }
        if interfaces.len() == MAX_INTERFACES {
            return Err(ResetError::TooManyInterfaces(MAX_INTERFACES));
        }
        interfaces.push(interface);
    }
    Ok(interfaces)
}

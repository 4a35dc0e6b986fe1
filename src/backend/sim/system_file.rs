//! A guest's system as S-expressions of its record.

use super::fields::{RecordError, entry, invalid, list, parse, read_entry};
use super::system::System;
use crate::core::op::Content;
use crate::sxp::Sxp;
use std::net::IpAddr;
use xend_guest_protocol::hostname::Hostname;
use xend_guest_protocol::network::Mac;

pub(super) fn print_system(system: &System) -> Vec<Sxp> {
    let mut fields = Vec::new();
    if let Some(name) = &system.host_name {
        fields.push(list("host-name", [name.as_str().to_owned()]));
    }
    if !system.addresses.is_empty() {
        let of_interface = |(mac, addresses): (&Mac, &Vec<IpAddr>)| {
            list(&mac.to_string(), addresses.iter().map(IpAddr::to_string))
        };
        let interfaces = system.addresses.iter().map(of_interface);
        fields.push(Sxp::list([Sxp::atom("addresses")].into_iter().chain(interfaces)));
    }
    if !system.files.is_empty() {
        let files = system.files.iter().map(|(path, Content(bytes))| entry(path, bytes));
        fields.push(Sxp::list([Sxp::atom("files")].into_iter().chain(files)));
    }
    fields
}

/// Reads the system from the fields of a guest. An earlier version wrote none of them.
pub(super) fn read_system(guest: &Sxp) -> Result<System, RecordError> {
    let items = |key| guest.get(key).map(Sxp::tail).unwrap_or_default();
    let host_name = guest.value("host-name").map(|name| {
        let name = name.as_str().ok_or_else(|| invalid("host-name", "a word expected"))?;
        Hostname::new(name).map_err(|bad| invalid("host-name", bad))
    });
    let interfaces = items("addresses").iter().map(read_interface);
    let files = items("files").iter().map(|file| read_entry("files", file));
    let files = files.map(|file| file.map(|(path, bytes)| (path, Content(bytes))));
    Ok(System {
        host_name: host_name.transpose()?,
        addresses: interfaces.collect::<Result<_, _>>()?,
        files: files.collect::<Result<_, _>>()?,
    })
}

fn read_interface(interface: &Sxp) -> Result<(Mac, Vec<IpAddr>), RecordError> {
    const FIELD: &str = "addresses";
    let mac = interface.head().and_then(Mac::parse);
    let mac = mac.ok_or_else(|| invalid(FIELD, "a MAC address expected"))?;
    let addresses = interface.tail().iter().map(|address| parse(FIELD, address));
    Ok((mac, addresses.collect::<Result<_, _>>()?))
}

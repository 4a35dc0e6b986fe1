//! Virtual networks: one file for all of them.

use crate::core::model::Vnet;
use crate::durable;
use crate::shape;
use crate::sxp::{Limits, Reader};
use std::io;
use std::path::Path;

/// Reads the virtual networks. A damaged file is set aside as a whole.
pub(super) fn load(path: &Path) -> io::Result<Vec<Vnet>> {
    let Some(text) = durable::read(path)? else { return Ok(Vec::new()) };
    match read(&text) {
        Ok(vnets) => Ok(vnets),
        Err(reason) => durable::set_aside(path, &reason).map(|()| Vec::new()),
    }
}

fn read(text: &[u8]) -> Result<Vec<Vnet>, String> {
    let mut reader = Reader::new(text, &Limits::STORED);
    let mut vnets = Vec::new();
    while let Some(tree) = reader.next().map_err(|reason| format!("{reason:#}"))? {
        vnets.push(shape::read_vnet(&tree).map_err(|reason| reason.to_string())?);
    }
    Ok(vnets)
}

/// Stores the virtual networks, replacing the earlier ones.
pub(super) fn save(path: &Path, vnets: &[Vnet]) -> io::Result<()> {
    let mut text = Vec::new();
    for vnet in vnets {
        text.extend(shape::stored_vnet(vnet).to_bytes());
        text.push(b'\n');
    }
    durable::replace(path, &text)
}

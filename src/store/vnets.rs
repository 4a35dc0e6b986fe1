//! Virtual networks: one file for all of them.

use crate::core::model::Vnet;
use crate::durable;
use crate::shape;
use crate::state_file;
use crate::sxp::{Limits, Reader};
use std::io;
use std::path::Path;

/// Reads the virtual networks. A damaged file is set aside as a whole.
pub(super) fn load(path: &Path) -> io::Result<Vec<Vnet>> {
    Ok(state_file::load(path, read)?.sound().unwrap_or_default())
}

fn read(text: &[u8]) -> Result<Vec<Vnet>, String> {
    let mut reader = Reader::new(text, &Limits::STORED);
    let mut vnets = Vec::new();
    while let Some(tree) = reader.next().map_err(|reason| format!("{reason:#}"))? {
        vnets.push(shape::read_vnet(&tree).map_err(|reason| reason.to_string())?);
    }
    if vnets.is_empty() { Err("it is empty".to_owned()) } else { Ok(vnets) }
}

/// Stores the virtual networks, replacing the earlier ones. Without any there is no file: an empty
/// one is damaged.
pub(super) fn save(path: &Path, vnets: &[Vnet]) -> io::Result<()> {
    if vnets.is_empty() {
        return durable::remove(path);
    }
    let mut text = Vec::new();
    for vnet in vnets {
        text.extend(shape::stored_vnet(vnet).to_bytes());
        text.push(b'\n');
    }
    durable::replace(path, &text)
}

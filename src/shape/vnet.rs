//! Virtual networks: `(vnet (id 1) (vnetif v1))`.

use super::error::ShapeError;
use super::fields::Fields;
use super::sink::Sink;
use super::tree_sink::TreeSink;
use crate::core::model::{Invalid, Vnet};
use crate::sxp::Sxp;

/// Longest id in bytes; an id is a segment of a path.
const MAX_ID: usize = 255;

/// Reads a virtual network.
pub fn read_vnet(sxp: &Sxp) -> Result<Vnet, ShapeError> {
    if sxp.head() != Some("vnet") {
        return Err(ShapeError::new(
            "vnet",
            "a list like (vnet (id 1) (vnetif v1)) is expected",
            sxp,
        ));
    }
    let mut fields = Fields::new("vnet", sxp.tail())?;
    let id = fields.checked("id", |text| {
        if text.is_empty() || text.len() > MAX_ID || text.contains(char::is_control) {
            return Err(Invalid::new(format!("1 to {MAX_ID} characters are expected")));
        }
        Ok(text.to_owned())
    })?;
    let id = id.ok_or_else(|| ShapeError::new("vnet id", "missing", sxp))?;
    Ok(Vnet { id, rest: fields.rest() })
}

/// Writes a virtual network.
pub fn vnet(sink: &mut impl Sink, vnet: &Vnet) {
    sink.begin_record("vnet");
    sink.text_field("id", vnet.id.as_bytes());
    sink.properties(vnet.rest.iter());
    sink.end_record();
}

/// A virtual network as a tree, for a file.
pub fn stored_vnet(network: &Vnet) -> Sxp {
    let mut sink = TreeSink::default();
    vnet(&mut sink, network);
    sink.into_values().pop().unwrap_or_else(|| Sxp::list([]))
}

//! Virtual networks.

use super::property::Property;

/// A virtual network. xend 3.0 had a kernel module for these, which is long gone: they are stored
/// and listed, and have no effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vnet {
    /// The id that the client chose.
    pub id: String,
    /// The other keys: `vnetif`, `security`, ...
    pub rest: Vec<Property>,
}

//! Virtual networks.

use super::Property;

/// A virtual network, as it was made known. xend 3.0 had a kernel module for them that is long
/// gone: they are kept and listed, and carry nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vnet {
    /// Its id, as it was given.
    pub id: String,
    /// What else was said of it: `vnetif`, `security`, ...
    pub rest: Vec<Property>,
}

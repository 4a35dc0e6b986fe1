//! What commands act on: the files and the programs of the guest.

use crate::root::Root;
use crate::runner::Runner;
use std::path::PathBuf;

/// The guest, as commands change it.
pub struct System {
    pub root: Root,
    pub runner: Box<dyn Runner>,
    /// Where passwords are; `/etc/shadow` below the root if `None`.
    pub shadow: Option<PathBuf>,
}

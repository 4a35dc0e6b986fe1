//! What the host has written for the guest, as files.

use crate::exchange::GuestData;
use crate::root::Root;
use std::io;

/// A directory in which `vm-data` is.
#[derive(Debug)]
pub(super) struct DataFiles(pub(super) Root);

impl GuestData for DataFiles {
    fn read(&mut self, path: &str) -> io::Result<Option<Vec<u8>>> {
        self.0.read(&format!("/{path}"))
    }

    fn list(&mut self, path: &str) -> io::Result<Vec<String>> {
        self.0.list(&format!("/{path}"))
    }
}

//! Which disks a guest boots from.

use crate::core::model::Device;
use std::mem;

/// Tells which disks are bootable: the marked ones, or else the first disk.
pub struct BootDisk {
    /// Whether the next disk is bootable unless its configuration says otherwise.
    next: bool,
}

impl BootDisk {
    /// The bootable disks among these devices, which are asked for in this order.
    pub fn of(devices: &[Device]) -> Self {
        let is_marked =
            |device: &Device| device.as_block().is_some_and(|block| block.bootable == Some(true));
        Self { next: !devices.iter().any(is_marked) }
    }

    /// Whether a disk is bootable; `None` for other devices.
    pub fn is_bootable(&mut self, device: &Device) -> Option<bool> {
        let block = device.as_block()?;
        // The first disk ends the search even when it is marked as not bootable.
        let default = mem::take(&mut self.next);
        Some(block.bootable.unwrap_or(default))
    }
}

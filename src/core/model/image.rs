//! What a domain boots.

use super::{Property, Text};

/// The kind of guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GuestKind {
    /// A paravirtualised guest: `(image (linux ...))`.
    Pv,
    /// A fully virtualised guest: `(image (hvm ...))`.
    Hvm,
    /// A guest on virtual hardware without a device model: `(image (pvh ...))`, which xend never had.
    Pvh,
}

/// What a domain boots, and on what machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The kind of guest.
    pub kind: GuestKind,
    /// The word that named the kind: `linux`, `hvm`, `pvh`; others that old builders had (`netbsd`) are kept.
    pub builder: Text,
    /// The kernel's path; empty where a boot loader chooses it, or for an HVM guest without direct boot.
    pub kernel: Text,
    /// The initial RAM disk's path.
    pub ramdisk: Option<Text>,
    /// The kernel's command line, `root=` and `ip=` included.
    pub args: Text,
    /// An HVM guest's firmware. Before Xen 3.3 it was what `kernel` named, and old configurations still say so.
    pub loader: Option<Text>,
    /// The device model's path.
    pub device_model: Option<Text>,
    /// Everything else, in order: `boot`, `acpi`, `serial`, `usbdevice`, ... and keys that nobody knows.
    pub rest: Vec<Property>,
}

impl Image {
    /// The value of a key in [`rest`](Self::rest), if it is a single word.
    pub fn setting(&self, key: &str) -> Option<&Text> {
        self.rest.iter().find(|p| p.key == key).and_then(Property::text)
    }

    /// Whether a switch in [`rest`](Self::rest) is on: present, and neither `0` nor empty.
    pub fn switched_on(&self, key: &str) -> bool {
        self.setting(key).is_some_and(|value| !matches!(value.as_slice(), b"" | b"0"))
    }
}

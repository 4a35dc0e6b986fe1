//! What a domain boots.

use super::{Property, Text};

/// The kind of guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GuestKind {
    /// A paravirtualised guest: `(image (linux ...))`.
    Pv,
    /// A fully virtualised guest: `(image (hvm ...))`.
    Hvm,
    /// A guest on virtual hardware without a device model: `(image (pvh ...))`, which xend never
    /// had.
    Pvh,
}

/// What a domain boots, and on what machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The kind of guest.
    pub kind: GuestKind,
    /// The word that named the kind: `linux`, `hvm`, `pvh`; others that old builders had (`netbsd`)
    /// are kept.
    pub builder: Text,
    /// The kernel's path; empty where a boot loader chooses it, or for an HVM guest without direct
    /// boot.
    pub kernel: Text,
    /// The initial RAM disk's path.
    pub ramdisk: Option<Text>,
    /// The kernel's command line, `root=` and `ip=` included.
    pub args: Text,
    /// An HVM guest's firmware. Before Xen 3.3 it was what `kernel` named, and old configurations
    /// still say so.
    pub loader: Option<Text>,
    /// The device model's path.
    pub device_model: Option<Text>,
    /// Everything else, in order: `boot`, `acpi`, `serial`, `usbdevice`, ... and keys that nobody
    /// knows.
    pub rest: Vec<Property>,
}

/// What xend set by itself for each guest whose configuration said nothing.
const DEFAULTS: [(&str, &str); 3] = [("superpages", "0"), ("nomigrate", "0"), ("tsc_mode", "0")];

/// The same for an HVM guest.
const HVM_DEFAULTS: [(&str, &str); 6] = [
    ("hpet", "0"),
    ("xen_platform_pci", "1"),
    ("rtc_timeoffset", "0"),
    ("timer_mode", "1"),
    ("vpt_align", "1"),
    ("viridian", "0"),
];

impl Image {
    /// The firmware of an HVM guest whose configuration names none.
    pub const LOADER: &str = "/usr/lib/xen/boot/hvmloader";

    /// The device model of a guest that needs one and whose configuration names none.
    pub const DEVICE_MODEL: &str = "/usr/lib/xen/bin/qemu-dm";

    /// Settings that the configuration leaves open, with xend's defaults for them.
    pub fn defaults(&self) -> impl Iterator<Item = (&'static str, &'static str)> + '_ {
        let hvm = if self.kind == GuestKind::Hvm { HVM_DEFAULTS.as_slice() } else { &[] };
        let open =
            |(key, _): &(&'static str, &'static str)| !self.rest.iter().any(|p| p.key == *key);
        DEFAULTS.iter().chain(hvm).copied().filter(open)
    }

    /// The value of a key in [`rest`](Self::rest), if it is a single word.
    pub fn setting(&self, key: &str) -> Option<&Text> {
        self.rest.iter().find(|p| p.key == key).and_then(Property::text)
    }

    /// Whether a switch in [`rest`](Self::rest) is on: present, and neither `0` nor empty.
    pub fn switched_on(&self, key: &str) -> bool {
        self.setting(key).is_some_and(|value| !matches!(value.as_slice(), b"" | b"0"))
    }
}

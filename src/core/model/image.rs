//! The image that a domain boots.

use super::property::Property;
use super::text::Text;

/// The kind of guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GuestKind {
    /// A paravirtualised guest: `(image (linux ...))`.
    Pv,
    /// A fully virtualised guest: `(image (hvm ...))`.
    Hvm,
    /// A guest on virtual hardware without a device model: `(image (pvh ...))`. xend never had
    /// these.
    Pvh,
}

/// The kernel or firmware of a domain, and the virtual machine that it runs on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Image {
    pub kind: GuestKind,
    /// The word that the configuration has for the kind: `linux`, `hvm`, `pvh`. Words of old
    /// builders (`netbsd`) are kept.
    pub builder: Text,
    /// The kernel's path; empty if a boot loader chooses the kernel, or for an HVM guest without
    /// direct boot.
    pub kernel: Text,
    /// The path of the initial RAM disk.
    pub ramdisk: Option<Text>,
    /// The kernel's command line, including `root=` and `ip=`.
    pub args: Text,
    /// The firmware of an HVM guest. Before Xen 3.3, `kernel` named the firmware, and old
    /// configurations still do.
    pub loader: Option<Text>,
    /// A path.
    pub device_model: Option<Text>,
    /// The other keys in order: `boot`, `acpi`, `serial`, `usbdevice`, ..., and uninterpreted ones.
    pub rest: Vec<Property>,
}

/// xend's settings for a guest whose configuration leaves them open.
const DEFAULTS: [(&str, &str); 3] = [("superpages", "0"), ("nomigrate", "0"), ("tsc_mode", "0")];

/// xend's additional settings for an HVM guest.
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

    /// The device model of a guest whose configuration names none.
    pub const DEVICE_MODEL: &str = "/usr/lib/xen/bin/qemu-dm";

    /// xend's defaults for the settings that the configuration leaves open.
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

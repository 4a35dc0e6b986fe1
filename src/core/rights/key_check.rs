//! The keys that users may set, with their values.
//!
//! The toolstack hands many values on to programs that root runs, some of which read options and
//! paths from them. So a key is allowed together with the form of its value.

use crate::core::model::Property;

/// A key that users may set.
#[derive(Debug)]
pub(super) struct KeyRule {
    pub(super) key: &'static str,
    /// Whether a value is allowed.
    allows: fn(&[u8]) -> bool,
    /// What is expected, for the error.
    pub(super) expected: &'static str,
}

impl KeyRule {
    /// Whether the property is the key with at most one word, and an allowed one.
    pub(super) fn allows(&self, property: &Property) -> bool {
        match property.values.as_slice() {
            [] => true,
            [value] => value.as_text().is_some_and(|text| (self.allows)(text)),
            _ => false,
        }
    }
}

/// Keys of a domain that concern the guest alone, or nobody.
pub(super) const DOMAIN: &[KeyRule] = &[
    plain("is_a_template"),
    plain("localtime"),
    plain("machine_address_size"),
    plain("nomigrate"),
    plain("oos"),
    plain("s3_integrity"),
    plain("superpages"),
    plain("tsc_mode"),
    plain("user_version"),
    plain("xenapi"),
];

/// Keys of an image that concern the guest alone.
pub(super) const IMAGE: &[KeyRule] = &[
    plain("acpi"),
    plain("apic"),
    KeyRule { key: "boot", allows: is_boot_order, expected: "up to four of a, c, d and n" },
    plain("guest_os_type"),
    plain("hap"),
    plain("hpet"),
    plain("isa"),
    KeyRule { key: "keymap", allows: is_keymap, expected: KEYMAP },
    plain("localtime"),
    plain("machine_address_size"),
    plain("nomigrate"),
    plain("nx"),
    plain("oos"),
    plain("pae"),
    plain("rtc_timeoffset"),
    plain("s3_integrity"),
    KeyRule { key: "serial", allows: is_serial, expected: "pty or none" },
    plain("stdvga"),
    plain("superpages"),
    plain("suppress_spurious_page_faults"),
    plain("timer_mode"),
    plain("tsc_mode"),
    plain("vhpt"),
    KeyRule { key: "videoram", allows: is_video_memory, expected: VIDEO_MEMORY },
    plain("viridian"),
    plain("vnc"),
    plain("vncconsole"),
    KeyRule { key: "vncpasswd", allows: is_password, expected: "up to 64 printable characters" },
    plain("vncunused"),
    plain("vpt_align"),
    plain("xen_extended_power_mgmt"),
    plain("xen_platform_pci"),
];

/// Keys of a frame buffer that open nothing on the host but a display for VNC on a free port.
pub(super) const VFB: &[KeyRule] = &[
    KeyRule { key: "keymap", allows: is_keymap, expected: KEYMAP },
    KeyRule { key: "type", allows: |value| value == b"vnc", expected: "vnc" },
    KeyRule { key: "videoram", allows: is_video_memory, expected: VIDEO_MEMORY },
    plain("vnc"),
    KeyRule { key: "vncpasswd", allows: is_password, expected: "up to 64 printable characters" },
    plain("vncunused"),
];

/// The password of a frame buffer, which answers do not have.
pub(super) const VFB_PASSWORDS: &[KeyRule] =
    &[KeyRule { key: "vncpasswd", allows: is_password, expected: "up to 64 printable characters" }];

/// Keys of a network interface that concern the guest alone.
pub(super) const VIF: &[KeyRule] = &[
    KeyRule { key: "model", allows: is_model, expected: "e1000, rtl8139, ne2k_pci or netfront" },
    KeyRule { key: "rate", allows: is_rate, expected: "a rate like 10Mb/s@20ms" },
    KeyRule { key: "type", allows: is_vif_type, expected: "ioemu or netfront" },
];

const VIDEO_MEMORY: &str = "a number up to 64 (MiB)";
const KEYMAP: &str = "the name of a keymap, like de or en-us";

/// A key whose value is a number or a switch.
const fn plain(key: &'static str) -> KeyRule {
    KeyRule { key, allows: is_plain, expected: "a number or a word is expected" }
}

fn is_plain(value: &[u8]) -> bool {
    value.len() <= 32
        && value.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_-+".contains(byte))
}

/// Memory that the limits of the account do not count.
fn is_video_memory(value: &[u8]) -> bool {
    std::str::from_utf8(value).is_ok_and(|text| text.parse::<u8>().is_ok_and(|mib| mib <= 64))
}

fn is_boot_order(value: &[u8]) -> bool {
    value.len() <= 4 && value.iter().all(|byte| b"acdn".contains(byte))
}

fn is_keymap(value: &[u8]) -> bool {
    value.len() <= 16 && value.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
}

fn is_serial(value: &[u8]) -> bool {
    matches!(value, b"" | b"none" | b"pty")
}

fn is_password(value: &[u8]) -> bool {
    value.len() <= 64 && value.iter().all(|byte| (b' '..=b'~').contains(byte))
}

fn is_model(value: &[u8]) -> bool {
    const MODELS: [&[u8]; 10] = [
        b"e1000",
        b"e1000e",
        b"i82551",
        b"i82557b",
        b"i82559er",
        b"ne2k_pci",
        b"netfront",
        b"pcnet",
        b"rtl8139",
        b"virtio-net",
    ];
    MODELS.contains(&value)
}

fn is_rate(value: &[u8]) -> bool {
    value.len() <= 32
        && value.iter().all(|byte| byte.is_ascii_alphanumeric() || b"/@.".contains(byte))
}

fn is_vif_type(value: &[u8]) -> bool {
    matches!(value, b"ioemu" | b"netfront" | b"vif" | b"paravirtualised")
}

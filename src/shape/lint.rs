//! Warnings about configurations that are accepted and probably wrong: unknown keys, or a domain
//! without anything to boot.

use super::error::ShapeError;
use super::read::TRANSIENT;
use crate::sxp::Sxp;
use xend_spelling::nearest;

/// Keys of a domain other than [`TRANSIENT`].
#[rustfmt::skip]
const DOMAIN_KEYS: &[&str] = &[
    "access_control", "backend", "bootloader", "bootloader_args", "console", "cpu", "cpu_cap",
    "cpu_weight", "cpuid", "cpuid_check", "cpus", "description", "device", "features",
    "fleet_apart", "fleet_hosts", "fleet_storages", "image",
    "is_a_template", "localtime", "machine_address_size", "maxmem", "memory", "memory_dynamic_max",
    "memory_dynamic_min", "memory_sharing", "memory_static_max", "memory_static_min", "name",
    "nomigrate", "on_crash", "on_poweroff", "on_reboot", "on_xend_start", "on_xend_stop", "oos",
    "other_config", "platform", "pool_name", "restart", "s3_integrity", "security",
    "security_label", "sedf", "shadow_memory", "ssidref", "superpages",
    "suppress_spurious_page_faults", "target", "tsc_mode", "user_version", "uuid", "vcpu_avail",
    "vcpus", "vcpus_params", "vncpasswd", "xenapi",
];

/// Keys of an image of any builder.
#[rustfmt::skip]
const IMAGE_KEYS: &[&str] = &[
    "acpi", "apic", "args", "bios", "boot", "cdrom", "cpuid", "cpuid_check", "device_model",
    "display", "fda", "fdb", "gfx_passthru", "guest_os_type", "hap", "hpet", "ip", "isa", "kernel",
    "keymap", "loader", "localtime", "machine_address_size", "memory_sharing", "monitor",
    "monitor_path", "nics", "nographic", "nomigrate", "notes", "oos", "opengl", "pae", "parallel",
    "pci", "pci_msitranslate", "pci_power_mgmt", "ramdisk", "root", "rtc_timeoffset",
    "s3_integrity", "sdl", "serial", "shadow_memory", "soundhw", "stdvga", "superpages",
    "suppress_spurious_page_faults", "timer_mode", "tsc_mode", "usb", "usbdevice", "vcpus", "vhpt",
    "videoram", "viridian", "vnc", "vncconsole", "vncdisplay", "vnclisten", "vncpasswd",
    "vncunused", "vpt_align", "xauthority", "xen_extended_power_mgmt", "xen_platform_pci",
];

/// Keys of a device class; `None` for a class that xend does not interpret.
#[rustfmt::skip]
fn device_keys(class: &str) -> Option<&'static [&'static str]> {
    Some(match class {
        "vbd" | "tap" | "tap2" => &[
            "VDI", "access_control", "backend", "bootable", "dev", "devid", "driver", "mode",
            "policy", "label", "protocol", "security_label", "type", "uname", "uuid",
        ],
        "vif" => &[
            "accel", "backend", "bridge", "devid", "handle", "ip", "label", "mac", "model",
            "network", "policy", "rate", "script", "security_label", "type", "uuid", "vifname",
        ],
        "vfb" => &[
            "backend", "devid", "display", "keymap", "location", "monitor", "opengl", "protocol",
            "sdl", "serial", "type", "uuid", "vfb_uuid", "videoram", "vnc", "vncdisplay",
            "vnclisten", "vncpasswd", "vncunused", "xauthority",
        ],
        "vkbd" => &["backend", "devid", "type", "uuid"],
        "console" => &["devid", "location", "other_config", "protocol", "uuid"],
        "pci" => &["backend", "dev", "devid", "msitranslate", "power_mgmt", "state", "uuid"],
        _ => return None,
    })
}

/// Keys of a PCI function.
const PCI_FUNCTION_KEYS: &[&str] = &[
    "bus",
    "domain",
    "func",
    "key",
    "opts",
    "requested_vslot",
    "slot",
    "state",
    "uuid",
    "vdevfn",
    "vslot",
];

/// The probable mistakes in a configuration that `read_config` accepts, in the order of the text.
pub fn lint(config: &Sxp) -> Vec<ShapeError> {
    let mut found = Vec::new();
    let known = || DOMAIN_KEYS.iter().chain(&TRANSIENT).copied();
    unknown_keys("", config.tail(), known, &mut found);
    if config.value("name").is_none() {
        found.push(ShapeError::new("name", "missing, the domain is called Domain-Unnamed", config));
    }
    lint_boot(config, &mut found);
    for device in
        config.tail().iter().filter(|item| item.head() == Some("device")).flat_map(Sxp::tail)
    {
        lint_device(device, &mut found);
    }
    found.sort_by_key(ShapeError::offset);
    found
}

/// Finds mistakes in what a domain boots.
fn lint_boot(config: &Sxp, found: &mut Vec<ShapeError>) {
    let has =
        |tree: &Sxp, key: &str| tree.value(key).is_some_and(|value| value.as_bytes() != Some(b""));
    let has_bootloader = has(config, "bootloader");
    match config.value("image").filter(|image| image.head().is_some()) {
        Some(image) => {
            unknown_keys("image", image.tail(), || IMAGE_KEYS.iter().copied(), found);
            let has_firmware = matches!(image.head(), Some("hvm" | "vmx"));
            if !has_firmware && !has_bootloader && !has(image, "kernel") {
                found.push(ShapeError::new(
                    "image kernel",
                    "missing, and there is no bootloader",
                    image,
                ));
            }
        }
        None if has_bootloader => {}
        None => {
            found.push(ShapeError::new("image", "missing, the domain has nothing to boot", config));
        }
    }
}

fn lint_device(device: &Sxp, found: &mut Vec<ShapeError>) {
    let Some((class, known)) = device.head().and_then(|class| Some((class, device_keys(class)?)))
    else {
        return;
    };
    unknown_keys(class, device.tail(), || known.iter().copied(), found);
    for item in device.tail() {
        match (class, item.head()) {
            ("pci", Some("dev")) => {
                unknown_keys("pci dev", item.tail(), || PCI_FUNCTION_KEYS.iter().copied(), found);
            }
            ("vbd" | "tap" | "tap2", Some("mode")) => {
                let right = match item.tail().first().and_then(Sxp::as_str) {
                    Some("rw") => "w",
                    Some("ro") => "r",
                    _ => continue,
                };
                found.push(ShapeError::new(
                    format!("{class} mode"),
                    format!("xend's word for this is {right}"),
                    item,
                ));
            }
            _ => {}
        }
    }
}

/// Reports unknown keys, each with the known key that is spelled most alike.
fn unknown_keys<'a, K: Iterator<Item = &'a str>>(
    scope: &str,
    items: &[Sxp],
    known: impl Fn() -> K,
    found: &mut Vec<ShapeError>,
) {
    for item in items {
        let Some(key) = item.head().filter(|key| !known().any(|other| other == *key)) else {
            continue;
        };
        let name = if scope.is_empty() { key.to_owned() } else { format!("{scope} {key}") };
        let reason = match nearest(key, known()) {
            Some(other) => format!("unknown key, {other} is one"),
            None => "unknown key".to_owned(),
        };
        found.push(ShapeError::new(name, reason, item));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sxp::{Limits, read_one};

    fn warnings(text: &str) -> Vec<String> {
        lint(&read_one(text.as_bytes(), &Limits::default()).unwrap())
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn the_page_about_configurations_has_every_key() {
        let page = include_str!("../../docs/configurations.md");
        let devices = ["vbd", "vif", "vfb", "vkbd", "console", "pci"];
        let devices = devices.iter().filter_map(|class| device_keys(class)).flatten();
        for key in DOMAIN_KEYS.iter().chain(IMAGE_KEYS).chain(PCI_FUNCTION_KEYS).chain(devices) {
            let is_there = page.contains(&format!("`{key}`")) || page.contains(&format!("({key} "));
            assert!(is_there, "{key}");
        }
    }

    #[test]
    fn probable_mistakes_are_reported() {
        for (text, wanted) in [
            ("(vm (name a) (vcpsu 4) (image (hvm)))", "vcpsu: unknown key, vcpus is one"),
            ("(vm (name a) (vcpu 2) (image (hvm)))", "vcpu: unknown key, vcpus is one"),
            ("(vm (name a) (mode rw) (image (hvm)))", "mode: unknown key"),
            (
                "(vm (name a) (image (linux (kernle /k) (kernel /k))))",
                "image kernle: unknown key, kernel is one",
            ),
            (
                "(vm (name a) (image (hvm)) (device (vbd (dev xvda) (mod r))))",
                "vbd mod: unknown key, mode is one",
            ),
            (
                "(vm (name a) (image (hvm)) (device (vbd (mode rw))))",
                "vbd mode: xend's word for this is w",
            ),
            (
                "(vm (name a) (image (hvm)) (device (vif (brigde b))))",
                "vif brigde: unknown key, bridge is one",
            ),
            (
                "(vm (name a) (image (hvm)) (device (pci (dev (sl0t 1)))))",
                "pci dev sl0t: unknown key, slot is one",
            ),
            ("(vm (name a) (image (linux)))", "image kernel: missing, and there is no bootloader"),
            (
                "(vm (name a) (image (linux (kernel ''))))",
                "image kernel: missing, and there is no bootloader",
            ),
            ("(vm (name a))", "image: missing, the domain has nothing to boot"),
            ("(vm (image (hvm)))", "name: missing, the domain is called Domain-Unnamed"),
        ] {
            assert_eq!(warnings(text), [wanted], "{text}");
        }
        assert_eq!(
            warnings("(vm (name a) (bootloader pygrub) (image (linux)) (device (vusb (any 1))))"),
            [""; 0]
        );
    }
}

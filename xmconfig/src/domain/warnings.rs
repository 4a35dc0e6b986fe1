//! Variables that are probably mistakes.

use crate::error::Fault;
use crate::language::{Data, Variables};
use xend_spelling::nearest;

/// The variables that have an effect on a domain.
#[rustfmt::skip]
const KNOWN: &[&str] = &[
    "access_control", "acpi", "apic", "bios", "blkif", "boot", "bootargs", "bootloader",
    "bootloader_args", "builder", "cap", "cdrom", "cmdline", "cpu", "cpu_cap", "cpu_weight", "cpuid",
    "cpuid_check", "cpus", "description", "device_model", "device_model_override", "dhcp", "disk",
    "display", "extid", "extra", "fda", "fdb", "features", "firmware", "gateway", "gfx_passthru",
    "guest_os_type", "hap", "hostname", "hpet", "interface", "ioports", "ip", "irq", "irqs", "isa",
    "kernel", "keymap", "loader", "localtime", "machine_address_size", "maxmem", "maxvcpus",
    "memory", "memory_sharing", "monitor", "monitor_path", "name", "netif", "netmask",
    "nfs_root", "nfs_server", "nics", "nographic", "nomigrate", "on_crash", "on_poweroff",
    "on_reboot", "on_xend_start", "on_xend_stop", "oos", "opengl", "pae", "parallel", "pci",
    "pci_msitranslate", "pci_power_mgmt", "pool", "pvh", "ramdisk", "restart", "root",
    "rtc_timeoffset", "s3_integrity", "sdl", "serial", "shadow_memory", "soundhw", "stdvga",
    "superpages", "suppress_spurious_page_faults", "target", "timer_mode", "tpmif", "tsc_mode",
    "type", "usb", "usbdevice", "uuid", "vcpus", "vfb", "vga", "vhpt", "videoram", "vif", "vif2",
    "viridian", "vnc", "vncconsole", "vncdisplay", "vnclisten", "vncpasswd", "vncunused",
    "vpt_align", "vscsi", "vtpm", "vusb", "xauthority", "xen_extended_power_mgmt",
    "xen_platform_pci",
];

/// Variables of xm and xl that an S-expression has no place for.
#[rustfmt::skip]
const WITHOUT_EFFECT: &[&str] = &[
    "acpi_firmware", "actmem", "altp2m", "bootentry", "channel", "claim_mode", "cpus_soft",
    "device_model_args", "device_model_stubdomain_override", "device_model_version", "device_tree",
    "dm_restrict", "driver_domain", "dtdev", "e820_host", "hdtype", "init_seclabel", "iomem",
    "macaddr", "max_event_channels", "max_grant_frames", "max_maptrack_frames", "memmap",
    "mmio_hole", "ms_vm_genid", "ne2000",
    "nestedhvm", "on_soft_reset", "on_watchdog", "p9", "passthrough", "pci_permissive", "pci_seize",
    "pvcalls", "pvshim", "rdm", "seclabel", "smbios_firmware", "spice", "spicehost", "spicepasswd",
    "spiceport", "spicetls_port", "ssidref", "tee", "usbctrl", "usbdev", "vcpu_avail", "vdispl", "vkb",
    "vncviewer", "vnuma", "vpmu", "vsnd", "watchdog", "watchdog_action", "xenpaging_extra",
    "xenpaging_file",
];

/// The most variables that are compared with the known ones.
const MAX_COMPARED: usize = 200;

/// Adds the variables that nothing uses and whose names are nearly those of settings, and settings
/// whose values xm ignored or that have no effect.
pub(crate) fn unusual(variables: &Variables, warnings: &mut Vec<Fault>) {
    let mut compared = 0;
    for variable in variables.iter() {
        let name = variable.name();
        let reason = if KNOWN.contains(&name) {
            match variable.value().data {
                Data::Bool(on) => {
                    format!("{name}: xm ignored True and False, here it counts as {}", u8::from(on))
                }
                _ => continue,
            }
        } else if WITHOUT_EFFECT.contains(&name) {
            format!("{name}: has no effect")
        } else if variable.is_used() || compared == MAX_COMPARED {
            continue;
        } else {
            compared += 1;
            match nearest(name, KNOWN.iter().chain(WITHOUT_EFFECT).copied()) {
                Some(known) => format!("{name}: unknown variable, {known} is one"),
                None => continue,
            }
        };
        warnings.push(Fault::new(variable.offset(), reason));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::OPTIONS;

    #[test]
    fn each_option_is_a_known_variable_once() {
        let mut names: Vec<&str> = OPTIONS.iter().map(|option| option.name).collect();
        for name in &names {
            assert!(KNOWN.contains(name) != WITHOUT_EFFECT.contains(name), "{name}");
        }
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn an_option_without_effect_says_so() {
        for option in OPTIONS {
            let has_none = WITHOUT_EFFECT.contains(&option.name);
            assert_eq!(option.help.contains("no effect"), has_none, "{}", option.name);
        }
    }
}

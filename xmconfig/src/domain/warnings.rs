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
    "acpi_firmware", "acpi_laptop_slate", "acpi_s3", "acpi_s4", "actmem", "altp2m", "altp2m_count",
    "altp2mhvm", "arm_sci", "assisted_x2apic", "assisted_xapic", "bios_path_override", "bootentry",
    "bootloader_restrict", "bootloader_user", "channel", "claim_mode", "cpus_soft",
    "device_model_args", "device_model_args_hvm", "device_model_args_pv",
    "device_model_stubdomain_override", "device_model_stubdomain_seclabel", "device_model_user",
    "device_model_version", "device_tree", "dm_restrict", "driver_domain", "dtdev", "e820_host",
    "gic_version", "hdtype", "hvm_pirq", "init_seclabel", "iomem", "llc_colors", "macaddr",
    "max_event_channels", "max_grant_frames", "max_grant_version", "max_maptrack_frames",
    "mca_caps", "memmap", "mmio_hole", "ms_vm_genid", "msr_relaxed", "ne2000", "nestedhvm",
    "nr_spis", "nx", "on_soft_reset", "on_watchdog", "p9", "passthrough", "pci_permissive",
    "pci_seize", "pvcalls", "pvshim", "pvshim_cmdline", "pvshim_extra", "pvshim_path", "rdm",
    "rdm_mem_boundary", "seclabel", "smbios", "smbios_firmware", "spice", "spice_clipboard_sharing",
    "spice_image_compression", "spice_streaming_video", "spiceagent_mouse",
    "spicedisable_ticketing", "spicehost", "spicepasswd", "spiceport", "spicetls_port",
    "spiceusbredirection", "spicevdagent", "ssidref", "stubdomain_cmdline", "stubdomain_kernel",
    "stubdomain_memory", "stubdomain_ramdisk", "sve", "tee", "trap_unmapped_accesses", "usbctrl",
    "usbdev", "usbversion", "vcpu_avail", "vdispl", "vendor_device", "virtio", "vkb", "vkb_device",
    "vmtrace_buf_kb", "vncviewer", "vnuma", "vpmu", "vsnd", "vuart", "watchdog", "watchdog_action",
    "xen_platform_pci_bar_uc", "xend_suspend_evtchn_compat", "xenpaging_extra", "xenpaging_file",
    "xenstore_feature_mask", "xenstore_quota",
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
    fn no_variable_of_xl_vanishes() {
        let reason = |name: &str| {
            let text = format!("name = 'a'\n{name} = '1'\n");
            let variables = crate::read_variables(text.as_bytes()).unwrap();
            let mut warnings = Vec::new();
            unusual(&variables, &mut warnings);
            warnings.len()
        };
        for name in [
            "acpi_s3",
            "acpi_s4",
            "acpi_laptop_slate",
            "vendor_device",
            "stubdomain_memory",
            "usbversion",
            "device_model_user",
            "vmtrace_buf_kb",
            "max_grant_version",
        ] {
            assert_eq!(reason(name), 1, "{name}");
        }
        for name in WITHOUT_EFFECT {
            assert!(!KNOWN.contains(name) && reason(name) == 1, "{name}");
        }
    }

    #[test]
    fn an_option_without_effect_says_so() {
        for option in OPTIONS {
            let has_none = WITHOUT_EFFECT.contains(&option.name);
            assert_eq!(option.help.contains("no effect"), has_none, "{}", option.name);
        }
    }
}

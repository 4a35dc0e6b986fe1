//! The image: kernel, firmware and virtual hardware.

use super::cpuid::cpuid;
use super::defaults::Defaults;
use super::pci::{self, PciFunction};
use super::settings::Settings;
use super::tree;
use crate::error::Fault;
use xend_sxp::Sxp;

/// Xen's own firmware of HVM guests, which is found without a path.
const FIRMWARE: &str = "hvmloader";

/// The middle of NFS's place in the command line if there is no server.
const NO_NFS_SERVER: &str = "127.0.255.255";

/// What a setting of an HVM guest is if the file leaves it open.
enum IfUnset {
    /// Left out.
    Missing,
    Text(&'static str),
    /// [`Defaults::display`]
    Display,
    /// [`Defaults::xauthority`]
    XAuthority,
    /// The masks of `cpuid`, an empty list if there are none.
    Cpuid,
    /// The functions of `pci`, whether there are any or not.
    Pci,
}

/// The settings of an HVM guest in xm's order.
#[rustfmt::skip]
const HVM_SETTINGS: [(&str, IfUnset); 43] = [
    ("acpi", IfUnset::Text("1")),
    ("apic", IfUnset::Text("1")),
    ("boot", IfUnset::Text("c")),
    ("cpuid", IfUnset::Cpuid),
    ("cpuid_check", IfUnset::Cpuid),
    ("device_model", IfUnset::Missing),
    ("display", IfUnset::Display),
    ("fda", IfUnset::Text("")),
    ("fdb", IfUnset::Text("")),
    ("gfx_passthru", IfUnset::Missing),
    ("guest_os_type", IfUnset::Text("default")),
    ("hap", IfUnset::Text("1")),
    ("hpet", IfUnset::Text("0")),
    ("isa", IfUnset::Text("0")),
    ("keymap", IfUnset::Text("")),
    ("localtime", IfUnset::Text("0")),
    ("nographic", IfUnset::Text("0")),
    ("opengl", IfUnset::Missing),
    ("oos", IfUnset::Text("1")),
    ("pae", IfUnset::Text("1")),
    ("pci", IfUnset::Pci),
    ("pci_msitranslate", IfUnset::Text("1")),
    ("pci_power_mgmt", IfUnset::Text("0")),
    ("rtc_timeoffset", IfUnset::Text("0")),
    ("sdl", IfUnset::Missing),
    ("soundhw", IfUnset::Text("")),
    ("stdvga", IfUnset::Text("0")),
    ("timer_mode", IfUnset::Text("1")),
    ("usb", IfUnset::Text("0")),
    ("usbdevice", IfUnset::Text("")),
    ("vcpus", IfUnset::Text("1")),
    ("vnc", IfUnset::Missing),
    ("vncconsole", IfUnset::Missing),
    ("vncdisplay", IfUnset::Missing),
    ("vnclisten", IfUnset::Missing),
    ("vncunused", IfUnset::Text("1")),
    ("viridian", IfUnset::Text("0")),
    ("vpt_align", IfUnset::Text("1")),
    ("xauthority", IfUnset::XAuthority),
    ("xen_extended_power_mgmt", IfUnset::Missing),
    ("xen_platform_pci", IfUnset::Text("1")),
    ("memory_sharing", IfUnset::Text("0")),
    ("vncpasswd", IfUnset::Missing),
];

/// `(image (linux ...))`; `None` if the builder is empty.
pub(super) fn image(
    settings: &Settings<'_>,
    defaults: &Defaults<'_>,
    pci: &[PciFunction],
) -> Result<Option<Sxp>, Fault> {
    let builder = settings.text("builder", "linux");
    if builder.is_empty() {
        return Ok(None);
    }
    let is_hvm = builder == b"hvm";
    let mut image = Image { settings, defaults, fields: vec![Sxp::atom(&builder)] };
    image.files(is_hvm);
    image.command_line_begin();
    image.add_true("videoram", "4");
    image.add_true("parallel", "");
    image.add_true("serial", "");
    if image.add_true("monitor_path", "") {
        image.fields.push(tree::text_field("monitor", "1", 0));
    } else {
        image.add_true("monitor", "");
    }
    image.command_line_end()?;
    image.add_true("superpages", "");
    if is_hvm {
        image.hvm(pci)?;
    }
    if settings.get("vhpt").is_some_and(|value| value.data.to_text() != b"0") {
        image.add("vhpt", "");
    }
    image.add_true("machine_address_size", "");
    image.add_true("suppress_spurious_page_faults", "");
    image.add("tsc_mode", "0");
    image.add("nomigrate", "0");
    let offset = settings.get("builder").map_or(0, |value| value.offset);
    let image = tree::list(image.fields, offset);
    Ok(Some(tree::list(["image".into(), image], offset)))
}

struct Image<'a> {
    settings: &'a Settings<'a>,
    defaults: &'a Defaults<'a>,
    fields: Vec<Sxp>,
}

impl Image<'_> {
    /// Adds a setting, or its default.
    fn add(&mut self, name: &str, default: &str) {
        self.fields.push(match self.settings.get(name) {
            Some(value) => tree::field(name, value),
            None => tree::text_field(name, default, 0),
        });
    }

    /// Adds a setting that Python takes for true, or its default unless that is empty. Whether it
    /// was added.
    fn add_true(&mut self, name: &str, default: &str) -> bool {
        match self.settings.get(name) {
            Some(value) if value.data.is_true() => self.fields.push(tree::field(name, value)),
            None if !default.is_empty() => self.fields.push(tree::text_field(name, default, 0)),
            _ => return false,
        }
        true
    }

    fn files(&mut self, is_hvm: bool) {
        let has_bootloader = self.settings.get_true("bootloader").is_some();
        for name in ["kernel", "ramdisk", "loader"] {
            if let Some(value) = self.settings.get_true(name) {
                let path = value.data.to_text();
                // The boot loader looks for its kernels by itself.
                let is_found = has_bootloader && name != "loader";
                let path = if is_found { path } else { self.absolute(path) };
                self.fields.push(tree::text_field(name, path, value.offset));
            }
        }
        // xend took the kernel of an HVM guest without a loader for its firmware; xl boots it.
        let kernel = self.settings.text("kernel", "");
        let file = kernel.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        let is_kernel = !kernel.is_empty() && !file.starts_with(FIRMWARE.as_bytes());
        if is_hvm && is_kernel && self.settings.get_true("loader").is_none() {
            self.fields.push(tree::text_field("loader", FIRMWARE, 0));
        }
    }

    fn absolute(&self, path: Vec<u8>) -> Vec<u8> {
        match self.defaults.directory {
            Some(directory) if !path.starts_with(b"/") && path != FIRMWARE.as_bytes() => {
                let path = path.strip_prefix(b"./").unwrap_or(&path);
                [directory.trim_end_matches('/').as_bytes(), b"/", path].concat()
            }
            _ => path,
        }
    }

    /// Adds `ip` and `root`.
    fn command_line_begin(&mut self) {
        let text = |name: &str, default: &str| self.settings.text(name, default);
        let address = text("ip", "");
        let dhcp = text("dhcp", "off");
        if !address.is_empty() || dhcp != b"off" {
            let mut server = text("nfs_server", "");
            if server.is_empty() {
                server = NO_NFS_SERVER.into();
            }
            let (gateway, mask, host) =
                (text("gateway", ""), text("netmask", ""), text("hostname", ""));
            let line =
                [address, server, gateway, mask, host, text("interface", "eth0"), dhcp].join(&b':');
            let line = line.strip_prefix(b"ip=").unwrap_or(&line).to_vec();
            let at = self.settings.get("ip").or_else(|| self.settings.get("dhcp"));
            let offset = at.map_or(0, |value| value.offset);
            self.fields.push(tree::text_field("ip", line, offset));
        }
        if let Some(root) = self.settings.get_true("root") {
            let text = root.data.to_text();
            let device = text.strip_prefix(b"root=").unwrap_or(&text);
            self.fields.push(tree::text_field("root", device, root.offset));
        }
    }

    /// Adds the rest of the command line.
    fn command_line_end(&mut self) -> Result<(), Fault> {
        let mut line = self.settings.text("extra", "");
        let mut offset = self.settings.get("extra").map_or(0, |value| value.offset);
        if let Some(root) = self.settings.get_true("nfs_root") {
            let Some(server) = self.settings.get_true("nfs_server") else {
                return Err(Fault::new(root.offset, "nfs_root: nfs_server is missing"));
            };
            let server = server.data.to_text();
            let path = root.data.to_text();
            line = [b"nfsroot=", server.as_slice(), b":", &path, b" ", &line].concat();
            offset = root.offset;
        }
        if !line.is_empty() {
            self.fields.push(tree::text_field("args", line, offset));
        }
        Ok(())
    }

    fn hvm(&mut self, pci: &[PciFunction]) -> Result<(), Fault> {
        for (name, default) in HVM_SETTINGS {
            let default = match default {
                IfUnset::Cpuid => {
                    let masks = cpuid(self.settings, name)?.unwrap_or_else(|| Sxp::list([]));
                    let offset = masks.offset();
                    self.fields.push(tree::list([name.into(), masks], offset));
                    continue;
                }
                IfUnset::Pci => {
                    self.fields.push(pci::image_field(pci));
                    continue;
                }
                IfUnset::Missing => None,
                IfUnset::Text(text) => Some(text),
                IfUnset::Display => self.defaults.display,
                IfUnset::XAuthority => self.defaults.xauthority,
            };
            match (self.settings.get(name), default) {
                (Some(value), _) => self.fields.push(tree::field(name, value)),
                (None, Some(text)) => self.fields.push(tree::text_field(name, text, 0)),
                (None, None) => {}
            }
        }
        // A key of Xen 3.0's xm only.
        if let Some(image) = self.settings.get_true("cdrom") {
            self.fields.push(tree::field("cdrom", image));
        }
        // A key of xl's only.
        if let Some(firmware) = self.settings.get_true("bios") {
            self.fields.push(tree::field("bios", firmware));
        }
        Ok(())
    }
}

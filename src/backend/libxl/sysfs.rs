//! Hardware and network interfaces, read from `/sys` and `/proc`.
//!
//! Values that cannot be read are left out or zero: devices come and go.

use crate::core::model::{
    CpuModel, Hardware, Hctl, Interface, InterfaceKind, PciAddress, PciFacts, ScsiFacts,
};
use std::fs;
use std::path::{Path, PathBuf};

/// The files of Linux about the machine.
pub(super) struct Sysfs {
    /// `/`, or another directory in tests.
    root: PathBuf,
}

fn text(dir: &Path, file: &str) -> String {
    fs::read_to_string(dir.join(file)).unwrap_or_default().trim().to_owned()
}

fn number(dir: &Path, file: &str) -> u64 {
    text(dir, file).parse().unwrap_or(0)
}

/// The number in a file like `0x8086`.
fn hex(dir: &Path, file: &str) -> u32 {
    u32::from_str_radix(text(dir, file).trim_start_matches("0x"), 16).unwrap_or(0)
}

/// The file name that a symbolic link leads to.
fn target(dir: &Path, link: &str) -> Option<String> {
    let to = fs::read_link(dir.join(link)).ok()?;
    Some(to.file_name()?.to_string_lossy().into_owned())
}

fn low(number: u32) -> u16 {
    u16::try_from(number & 0xffff).unwrap_or_default()
}

/// The names in a directory, sorted.
fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Reads `0000:03:00.0`.
fn address(name: &str) -> Option<PciAddress> {
    let hex = |text: &str| u32::from_str_radix(text, 16).ok();
    let (slot, func) = name.split_once('.')?;
    let mut parts = slot.split(':').map(hex);
    PciAddress::new(parts.next()??, parts.next()??, parts.next()??, hex(func)?).ok()
}

impl Sysfs {
    pub(super) fn of_this_machine() -> Self {
        Self { root: "/".into() }
    }

    pub(super) fn hardware(&self) -> Hardware {
        Hardware { cpu: self.cpu(), pci: self.pci(), scsi: self.scsi() }
    }

    fn cpu(&self) -> CpuModel {
        let cpuinfo = text(&self.root, "proc/cpuinfo");
        let first = cpuinfo.split("\n\n").next().unwrap_or_default();
        let field = |wanted: &str| {
            let line = first.lines().filter_map(|line| line.split_once(':'));
            line.into_iter()
                .find(|(key, _)| key.trim() == wanted)
                .map(|(_, value)| value.trim().to_owned())
        };
        CpuModel {
            vendor: field("vendor_id").unwrap_or_default(),
            name: field("model name").unwrap_or_default(),
            stepping: field("stepping").and_then(|text| text.parse().ok()).unwrap_or(0),
            flags: field("flags").unwrap_or_default(),
        }
    }

    fn pci(&self) -> Vec<PciFacts> {
        let devices = self.root.join("sys/bus/pci/devices");
        let read = |name: &String| {
            let dir = devices.join(name);
            Some(PciFacts {
                address: address(name)?,
                vendor: low(hex(&dir, "vendor")),
                device: low(hex(&dir, "device")),
                class: hex(&dir, "class"),
                revision: u8::try_from(hex(&dir, "revision")).unwrap_or(0),
                subsystem_vendor: low(hex(&dir, "subsystem_vendor")),
                subsystem: low(hex(&dir, "subsystem_device")),
                driver: target(&dir, "driver").unwrap_or_default(),
            })
        };
        names(&devices).iter().filter_map(read).collect()
    }

    fn scsi(&self) -> Vec<ScsiFacts> {
        let devices = self.root.join("sys/bus/scsi/devices");
        let read = |name: &String| {
            let dir = devices.join(name);
            let first =
                |below: &str| names(&dir.join(below)).into_iter().next().unwrap_or_default();
            Some(ScsiFacts {
                at: name.parse::<Hctl>().ok()?,
                vendor: text(&dir, "vendor"),
                model: text(&dir, "model"),
                kind: u32::try_from(number(&dir, "type")).unwrap_or(0),
                node: first("block"),
                generic: first("scsi_generic"),
                revision: text(&dir, "rev"),
                level: text(&dir, "scsi_level"),
            })
        };
        let mut found: Vec<ScsiFacts> = names(&devices).iter().filter_map(read).collect();
        found.sort_by_key(|device| device.at);
        found
    }

    pub(super) fn interfaces(&self) -> Vec<Interface> {
        let interfaces = self.root.join("sys/class/net");
        let read = |name: String| {
            let dir = interfaces.join(&name);
            let kind = if dir.join("bridge").exists() {
                InterfaceKind::Bridge
            } else if text(&dir, "uevent").lines().any(|line| line == "DEVTYPE=vlan") {
                self.vlan(&dir, &name)?
            } else if dir.join("device").exists() && !is_backend(&dir) {
                InterfaceKind::Physical
            } else {
                return None;
            };
            let statistics = dir.join("statistics");
            Some(Interface {
                kind,
                mac: text(&dir, "address").parse().ok(),
                mtu: u32::try_from(number(&dir, "mtu")).unwrap_or(0),
                bridge: target(&dir, "master"),
                io: (number(&statistics, "rx_bytes"), number(&statistics, "tx_bytes")),
                name,
            })
        };
        names(&interfaces).into_iter().filter_map(read).collect()
    }

    /// The bytes that a guest has read and written through a device, or received and sent, as the
    /// backend counts them.
    pub(super) fn io_bytes(&self, class: &str, domid: u32, devid: u32) -> Option<(u64, u64)> {
        let (dir, read, written, unit) = if class == "vif" {
            (format!("sys/class/net/vif{domid}.{devid}/statistics"), "tx_bytes", "rx_bytes", 1)
        } else {
            let dir = format!("sys/bus/xen-backend/devices/vbd-{domid}-{devid}/statistics");
            (dir, "rd_sect", "wr_sect", 512)
        };
        let dir = self.root.join(dir);
        dir.exists().then(|| (number(&dir, read) * unit, number(&dir, written) * unit))
    }

    fn vlan(&self, dir: &Path, name: &str) -> Option<InterfaceKind> {
        let device =
            names(dir).iter().find_map(|entry| entry.strip_prefix("lower_").map(str::to_owned))?;
        let about = text(&self.root, &format!("proc/net/vlan/{name}"));
        let tag = about.split_whitespace().skip_while(|word| *word != "VID:").nth(1)?;
        Some(InterfaceKind::Vlan { device, tag: tag.parse().ok()? })
    }
}

/// Whether an interface is the backend of a guest's interface, which has a device as well.
fn is_backend(dir: &Path) -> bool {
    target(dir, "device/subsystem").is_some_and(|bus| bus == "xen-backend")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn hardware_and_interfaces_are_read() {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            path
        };
        let write = |path: &str, text: &str| fs::write(at(path), text).unwrap();
        write(
            "proc/cpuinfo",
            "processor\t: 0\nvendor_id\t: AuthenticAMD\nmodel name\t: EPYC\nstepping\t: 2\nflags\t\t: fpu vme\n\nprocessor\t: 1\nstepping: 9\n",
        );
        for (file, word) in [
            ("vendor", "0x8086"),
            ("device", "0x10d3"),
            ("class", "0x020000"),
            ("revision", "0x02"),
        ] {
            write(&format!("sys/bus/pci/devices/0000:03:00.0/{file}"), word);
        }
        symlink(
            "../../../../bus/pci/drivers/pciback",
            at("sys/bus/pci/devices/0000:03:00.0/driver"),
        )
        .unwrap();
        write("sys/bus/scsi/devices/2:0:1:0/vendor", "ATA     \n");
        write("sys/bus/scsi/devices/2:0:1:0/block/sda/size", "1");
        write("sys/bus/scsi/devices/host2/uevent", "");
        write("sys/class/net/eth0/device/x", "");
        write("sys/class/net/eth0/address", "00:16:3e:00:00:01\n");
        write("sys/class/net/eth0/statistics/rx_bytes", "17\n");
        symlink("../xenbr0", at("sys/class/net/eth0/master")).unwrap();
        write("sys/class/net/xenbr0/bridge/x", "");
        write("sys/class/net/eth0.7/uevent", "DEVTYPE=vlan\n");
        write("sys/class/net/eth0.7/lower_eth0/x", "");
        write("proc/net/vlan/eth0.7", "eth0.7  VID: 7\t REORDER_HDR: 1\n");
        write("sys/class/net/vif1.0/device/x", "");
        symlink("../../bus/xen-backend", at("sys/class/net/vif1.0/device/subsystem")).unwrap();
        write("sys/class/net/lo/mtu", "65536");

        write("sys/class/net/vif1.0/statistics/tx_bytes", "7");
        write("sys/bus/xen-backend/devices/vbd-1-51712/statistics/wr_sect", "2");

        let sysfs = Sysfs { root: root.path().to_owned() };
        assert_eq!(sysfs.io_bytes("vif", 1, 0), Some((7, 0)));
        assert_eq!(sysfs.io_bytes("vbd", 1, 51712), Some((0, 1024)));
        assert_eq!(sysfs.io_bytes("vbd", 1, 51728), None);
        let hardware = sysfs.hardware();
        assert_eq!(
            (hardware.cpu.vendor.as_str(), hardware.cpu.stepping, hardware.cpu.flags.as_str()),
            ("AuthenticAMD", 2, "fpu vme")
        );
        let [card] = hardware.pci.as_slice() else { panic!("{:?}", hardware.pci) };
        assert_eq!(
            (card.address.to_string().as_str(), card.vendor, card.class, card.driver.as_str()),
            ("0000:03:00.0", 0x8086, 0x02_0000, "pciback")
        );
        let [disk] = hardware.scsi.as_slice() else { panic!("{:?}", hardware.scsi) };
        assert_eq!(
            (disk.at.0, disk.vendor.as_str(), disk.node.as_str()),
            ([2, 0, 1, 0], "ATA", "sda")
        );
        let interfaces = sysfs.interfaces();
        let seen: Vec<_> =
            interfaces.iter().map(|one| (one.name.as_str(), &one.kind, one.io.0)).collect();
        let vlan = InterfaceKind::Vlan { device: "eth0".into(), tag: 7 };
        assert_eq!(
            seen,
            [
                ("eth0", &InterfaceKind::Physical, 17),
                ("eth0.7", &vlan, 0),
                ("xenbr0", &InterfaceKind::Bridge, 0)
            ]
        );
        assert_eq!(interfaces[0].bridge.as_deref(), Some("xenbr0"));
    }
}

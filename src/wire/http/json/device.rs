//! Devices, as lists by their classes.

use super::fields::Fields;
use super::pci_device::PciDevice;
use super::settings::{Settings, lossy};
use crate::core::model::{
    Block, BlockClass, Device, DomainConfig, DomainFacts, Invalid, Property, Vif,
};
use crate::shape::BootDisk;
use crate::sxp::Sxp;
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

/// Declares the classes of devices once: a domain's lists, and a single device.
macro_rules! device_classes {
    ($($class:ident: $type:ty, $about:literal;)*) => {
        /// The devices of a domain, by their classes.
        #[derive(Clone, Default, Serialize, Deserialize, JsonSchema)]
        #[serde(default, deny_unknown_fields)]
        pub(crate) struct Devices {
            $(
                #[doc = $about]
                #[serde(skip_serializing_if = "Vec::is_empty")]
                $class: Vec<$type>,
            )*
        }

        impl Devices {
            /// Whether there is such a class.
            pub(super) fn has_class(class: &str) -> bool {
                [$(stringify!($class)),*].contains(&class)
            }

            /// Adds each device to a configuration: `(device (vbd ...))`.
            pub(super) fn write(&self, fields: &mut Fields) {
                $(
                    for device in &self.$class {
                        fields.list("device", [device.to_sxp(stringify!($class))]);
                    }
                )*
            }
        }

        /// One device, below the name of its class.
        #[derive(Default, Deserialize, JsonSchema)]
        #[serde(default, deny_unknown_fields)]
        #[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
        pub(crate) struct DeviceConfig {
            $(
                #[doc = $about]
                $class: Option<$type>,
            )*
        }

        impl DeviceConfig {
            /// The device: `(vbd ...)`.
            pub(super) fn to_sxp(&self) -> Result<Sxp, Invalid> {
                let mut devices = Vec::new();
                $(
                    devices.extend(self.$class.as_ref().map(|it| it.to_sxp(stringify!($class))));
                )*
                match (devices.pop(), devices.is_empty()) {
                    (Some(device), true) => Ok(device),
                    _ => Err(Invalid::new("give exactly one device, like {\"vif\": {}}")),
                }
            }
        }
    };
}

device_classes! {
    vbd: Disk, "Disks and CD-ROM drives.";
    tap: Disk, "Disks that blktap served in old configurations.";
    tap2: Disk, "Disks that blktap2 served in old configurations.";
    vif: NetworkInterface, "Network interfaces.";
    vfb: OtherDevice, "Frame buffers.";
    vkbd: OtherDevice, "Keyboards and mice.";
    pci: PciDevice, "PCI functions that are passed through to the guest.";
    console: OtherDevice, "Consoles.";
    vtpm: OtherDevice, "Virtual TPMs.";
    vscsi: OtherDevice, "SCSI devices.";
    vusb: OtherDevice, "USB controllers.";
    ioports: OtherDevice, "I/O ports.";
    irq: OtherDevice, "Interrupts.";
    pcidev: OtherDevice, "PCI devices of old configurations.";
}

impl Devices {
    /// The devices of a configuration; `facts` are those of a domain on the host.
    pub(super) fn of(config: &DomainConfig, facts: Option<&DomainFacts>) -> Self {
        let mut devices = Self::default();
        let mut boot_disk = BootDisk::of(&config.devices);
        for device in &config.devices {
            let bootable = boot_disk.is_bootable(device);
            match device {
                Device::Block(block) => {
                    devices.disks(block.class).push(Disk::of(block, bootable));
                }
                Device::Vif(vif) => devices.vif.push(NetworkInterface::of(vif)),
                Device::Pci(pci) => devices.pci.push(PciDevice::of(pci)),
                Device::Vfb(_) | Device::Vkbd(_) | Device::Console(_) | Device::Generic(_) => {
                    let location = facts.and_then(|facts| facts.location(config, device));
                    if let Some(list) = devices.others(device.class()) {
                        list.push(OtherDevice::of(device, location));
                    }
                }
            }
        }
        devices
    }

    const fn disks(&mut self, class: BlockClass) -> &mut Vec<Disk> {
        match class {
            BlockClass::Vbd => &mut self.vbd,
            BlockClass::Tap => &mut self.tap,
            BlockClass::Tap2 => &mut self.tap2,
        }
    }

    fn others(&mut self, class: &str) -> Option<&mut Vec<OtherDevice>> {
        Some(match class {
            "vfb" => &mut self.vfb,
            "vkbd" => &mut self.vkbd,
            "console" => &mut self.console,
            "vtpm" => &mut self.vtpm,
            "vscsi" => &mut self.vscsi,
            "vusb" => &mut self.vusb,
            "ioports" => &mut self.ioports,
            "irq" => &mut self.irq,
            "pcidev" => &mut self.pcidev,
            _ => return None,
        })
    }
}

/// A disk or CD-ROM drive.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Disk {
    /// Name in the guest: `xvda`. The type is not a part of it, as in xend's `hdc:cdrom`.
    #[serde(deserialize_with = "name_alone")]
    #[schemars(extend("pattern" = "^[^:]+$"))]
    dev: String,
    /// Source of the data: `phy:/dev/vg0/root`, `file:/images/a.img`. A CD-ROM drive without a
    /// medium has none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    uname: String,
    /// `r` (read-only), `w` (read-write), or `w!` (read-write, even if another domain uses it).
    #[serde(default = "read_only")]
    #[schemars(extend("enum" = ["r", "w", "w!"]))]
    mode: String,
    #[serde(default = "disk", rename = "type")]
    #[schemars(extend("enum" = ["disk", "cdrom"]))]
    kind: String,
    /// Whether the guest boots from it. By default, the first disk is the bootable one.
    #[serde(skip_serializing_if = "Option::is_none")]
    bootable: Option<bool>,
    /// Domain that serves it; Domain-0 if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    backend: Option<String>,
    /// Disk image of the Xen-API, by its UUID.
    #[serde(skip_serializing_if = "Option::is_none")]
    vdi: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uuid: Option<String>,
    /// Number by which xend's clients know the device. Requests need none.
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<u32>,
    /// Keys that xend does not interpret.
    #[serde(default, skip_serializing_if = "Settings::is_empty")]
    settings: Settings,
}

/// Deserializes the name of a disk, without what xend wrote beside it.
fn name_alone<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let dev = String::deserialize(deserializer)?;
    let bare = dev.strip_prefix("ioemu:").unwrap_or(&dev);
    match bare.split_once(':') {
        Some((name, kind @ ("disk" | "cdrom"))) => Err(D::Error::custom(format!(
            r#"the type has a key of its own, write "dev": {name:?}, "type": {kind:?}"#
        ))),
        Some(_) => Err(D::Error::custom("a name like xvda is expected")),
        None if bare.len() < dev.len() => {
            Err(D::Error::custom(format!(r#"ioemu: has no meaning here, write "dev": {bare:?}"#)))
        }
        None => Ok(dev),
    }
}

fn read_only() -> String {
    "r".to_owned()
}

fn disk() -> String {
    "disk".to_owned()
}

impl Disk {
    fn of(block: &Block, bootable: Option<bool>) -> Self {
        Self {
            dev: block.dev.clone(),
            uname: lossy(&block.uname),
            mode: block.mode.name().to_owned(),
            kind: block.kind.name().to_owned(),
            bootable,
            backend: block.backend.as_ref().map(|backend| lossy(&backend.0)),
            vdi: block.vdi.map(|vdi| vdi.to_string()),
            uuid: block.uuid.map(|uuid| uuid.to_string()),
            number: Some(block.number.0),
            settings: Settings::shown(&block.rest),
        }
    }

    fn to_sxp(&self, class: &str) -> Sxp {
        let mut fields = Fields::default();
        fields.optional("uuid", self.uuid.as_deref());
        fields.word("dev", format!("{}:{}", self.dev, self.kind));
        fields.text("uname", &self.uname);
        fields.word("mode", &self.mode);
        if let Some(bootable) = self.bootable {
            fields.word("bootable", u8::from(bootable));
        }
        fields.optional("backend", self.backend.as_deref());
        fields.optional("VDI", self.vdi.as_deref());
        self.settings.write(&mut fields);
        fields.headed(class)
    }
}

/// A network interface.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NetworkInterface {
    /// Address of the guest; a new one if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    mac: Option<String>,
    /// Bridge in the backend domain.
    #[serde(skip_serializing_if = "Option::is_none")]
    bridge: Option<String>,
    /// Hotplug script.
    #[serde(skip_serializing_if = "Option::is_none")]
    script: Option<String>,
    /// IP addresses of the guest, for rules against spoofing.
    #[serde(skip_serializing_if = "Option::is_none")]
    ip: Option<String>,
    /// Domain that serves it; Domain-0 if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    backend: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uuid: Option<String>,
    /// Number by which xend's clients know the device. Requests need none.
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<u32>,
    /// Keys that xend does not interpret, such as `model` and `rate`.
    #[serde(default, skip_serializing_if = "Settings::is_empty")]
    settings: Settings,
}

impl NetworkInterface {
    fn of(vif: &Vif) -> Self {
        Self {
            mac: vif.mac.map(|mac| mac.to_string()),
            bridge: vif.bridge.as_ref().map(lossy),
            script: vif.script.as_ref().map(lossy),
            ip: vif.ip.as_ref().map(lossy),
            backend: vif.backend.as_ref().map(|backend| lossy(&backend.0)),
            uuid: vif.uuid.map(|uuid| uuid.to_string()),
            number: vif.id,
            settings: Settings::shown(&vif.rest),
        }
    }

    fn to_sxp(&self, class: &str) -> Sxp {
        let mut fields = Fields::default();
        fields.optional("uuid", self.uuid.as_deref());
        fields.optional("mac", self.mac.as_deref());
        fields.optional("bridge", self.bridge.as_deref());
        fields.optional("script", self.script.as_deref());
        fields.optional("ip", self.ip.as_deref());
        fields.optional("backend", self.backend.as_deref());
        self.settings.write(&mut fields);
        fields.headed(class)
    }
}

/// A device of which xend interprets little.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct OtherDevice {
    #[serde(skip_serializing_if = "Option::is_none")]
    uuid: Option<String>,
    /// Number by which xend's clients know the device. Requests need none.
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<u32>,
    /// Address of a frame buffer, or port of a console, of a domain on the host. Requests need
    /// none.
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<String>,
    /// All other keys.
    #[serde(default, skip_serializing_if = "Settings::is_empty")]
    settings: Settings,
}

impl OtherDevice {
    fn of(device: &Device, location: Option<String>) -> Self {
        let mut properties = device.rest().to_vec();
        match device {
            Device::Vkbd(vkbd) => {
                let backend = vkbd.backend.as_ref().map(|backend| backend.0.clone());
                properties.extend(backend.map(|backend| Property::new("backend", backend)));
            }
            Device::Console(console) => {
                properties.push(Property::new("protocol", console.protocol.clone()));
            }
            _ => {}
        }
        Self {
            uuid: device.uuid().map(|uuid| uuid.to_string()),
            number: device.id(),
            location,
            settings: Settings::shown(&properties),
        }
    }

    fn to_sxp(&self, class: &str) -> Sxp {
        let mut fields = Fields::default();
        fields.optional("uuid", self.uuid.as_deref());
        self.settings.write(&mut fields);
        fields.headed(class)
    }
}

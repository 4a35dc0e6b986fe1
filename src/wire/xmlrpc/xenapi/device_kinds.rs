//! The Xen-API's classes of devices.

use crate::core::model::Device;

pub(crate) fn is_block(device: &Device) -> bool {
    matches!(device, Device::Block(_))
}

pub(crate) fn is_vif(device: &Device) -> bool {
    matches!(device, Device::Vif(_))
}

/// A text console, or a screen.
pub(crate) fn is_console(device: &Device) -> bool {
    matches!(device, Device::Console(_) | Device::Vfb(_))
}

pub(crate) fn is_vtpm(device: &Device) -> bool {
    device.class() == "vtpm"
}

pub(crate) fn is_dpci(device: &Device) -> bool {
    matches!(device, Device::Pci(_))
}

pub(crate) fn is_dscsi(device: &Device) -> bool {
    device.class() == "vscsi" && !is_dscsi_hba(device)
}

/// A whole SCSI adapter is a `vscsi` device with `feature-host`.
pub(crate) fn is_dscsi_hba(device: &Device) -> bool {
    device.class() == "vscsi" && device.rest().iter().any(|property| property.key == "feature-host")
}

/// The class of a device; `device` for one that the Xen-API has no class for.
pub(crate) fn class_of(device: &Device) -> &'static str {
    match device {
        Device::Block(_) => "VBD",
        Device::Vif(_) => "VIF",
        Device::Pci(_) => "DPCI",
        Device::Console(_) | Device::Vfb(_) => "console",
        device if is_vtpm(device) => "VTPM",
        device if is_dscsi_hba(device) => "DSCSI_HBA",
        device if is_dscsi(device) => "DSCSI",
        _ => "device",
    }
}

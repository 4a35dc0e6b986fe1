//! Disk images (VDIs). Every disk of a VM has one: an image of the inventory, or an implied one
//! that is there for as long as a VM uses it.

use crate::core::model::{Block, Text, Uuid, Vdi, VdiKind};
use crate::core::ports::DiskUsage;
use crate::wire::xmlrpc::xenapi::failure::Failure;
use crate::wire::xmlrpc::xenapi::host_view::{self, HostView};
use crate::wire::xmlrpc::xenapi::index::implied_vdi;
use crate::wire::xmlrpc::xenapi::references::find_object;

/// An image of the inventory, or an implied one.
pub(crate) fn vdi(host: &HostView, uuid: Uuid) -> Result<Vdi, Failure> {
    if let Some((_, vdi)) = host.inventory.vdi(&uuid) {
        return Ok(vdi.clone());
    }
    let location = implied_uname(host, uuid).ok_or_else(|| Failure::no_object("VDI", &uuid))?;
    Ok(Vdi {
        location: location.clone(),
        size: 0,
        kind: VdiKind::System,
        own: false,
        sharable: false,
        read_only: false,
    })
}

/// The `uname` behind an implied image.
fn implied_uname(host: &HostView, uuid: Uuid) -> Option<&Text> {
    let uname = host.index.uname_of_implied_vdi(uuid)?;
    host.vdi_index.vdi(uname).is_none().then_some(uname)
}

/// The VDI that a reference names.
pub(crate) fn find_vdi(host: &HostView, reference: &str) -> Result<Uuid, Failure> {
    find_object("VDI", reference, |uuid| vdi(host, uuid))
}

/// The images of the inventory, then the implied ones.
pub(crate) fn all_vdis(host: &HostView) -> Vec<Uuid> {
    let stored = host.inventory.vdis().map(|(item, _)| item.uuid);
    let implied = host.index.implied_vdis();
    let implied = implied.filter(|(_, uname)| host.vdi_index.vdi(uname).is_none());
    stored.chain(implied.map(|(uuid, _)| uuid)).collect()
}

/// The VDI of a disk; `None` for a drive without a medium.
pub(crate) fn vdi_of_disk(host: &HostView, block: &Block) -> Option<Uuid> {
    let named = block.vdi.filter(|vdi| host.inventory.vdi(vdi).is_some());
    let by_uname = || {
        let uname = Some(&block.uname).filter(|uname| !uname.is_empty())?;
        let stored = host.vdi_index.vdi(uname);
        Some(stored.unwrap_or_else(|| implied_vdi(host.host, uname)))
    };
    named.or_else(by_uname)
}

/// The disks that use a VDI.
pub(crate) fn disks_of_vdi(host: &HostView, uuid: Uuid) -> Result<Vec<Uuid>, Failure> {
    let uname = vdi(host, uuid)?.uname();
    let vms = host.index.vms_with_vdi(uuid).chain(host.index.vms_with_uname(&uname));
    let disks = host.sorted_vms(vms).into_iter().flat_map(host_view::devices);
    let own = disks.filter(|found| {
        found.device.as_block().is_some_and(|block| vdi_of_disk(host, block) == Some(uuid))
    });
    Ok(own.filter_map(|found| found.device.uuid()).collect())
}

/// The `uname`s of all images.
pub(crate) fn all_unames(host: &HostView) -> Vec<Text> {
    let implied = host.index.unames().filter(|uname| host.vdi_index.vdi(uname).is_none());
    host.vdi_index.unames().chain(implied).cloned().collect()
}

/// The size of an image; 0 bytes for an empty drive's.
pub(crate) fn image_size(host: &HostView, vdi: &Vdi) -> Result<DiskUsage, Failure> {
    match vdi.uname() {
        uname if uname.is_empty() => Ok(DiskUsage::default()),
        uname => host.fetched.image_size(&uname),
    }
}

/// The size that was asked for; otherwise that of the image.
pub(crate) fn virtual_size(host: &HostView, vdi: &Vdi) -> Result<u64, Failure> {
    if vdi.size > 0 { Ok(vdi.size) } else { Ok(image_size(host, vdi)?.size) }
}

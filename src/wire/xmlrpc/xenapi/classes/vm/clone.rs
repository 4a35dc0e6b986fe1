//! `VM.clone`: another definition of a halted VM, with images of its own.

use crate::core::model::{Block, BlockMode, Device, DomName, DomainConfig, Item, Text, Uuid, Vdi};
use crate::core::op::{Change, ImageContent};
use crate::wire::xmlrpc::args::Args;
use crate::wire::xmlrpc::xenapi::failure::{Failure, FailureContext};
use crate::wire::xmlrpc::xenapi::host_view::HostView;
use crate::wire::xmlrpc::xenapi::objects::disks::vdi_of_disk;
use crate::wire::xmlrpc::xenapi::objects::vms::{vm, vm_context};
use crate::wire::xmlrpc::xenapi::schema::Action;

/// How many names are tried for a clone without a name.
const MAX_NAMES: u32 = 1000;

pub(super) fn clone(host: &HostView, uuid: Uuid, args: &Args<'_>) -> Result<Action, Failure> {
    let original = vm(host, uuid)?;
    if original.facts.is_some() {
        let context = FailureContext { wanted_state: "Halted", ..vm_context(original) };
        return Err(Failure::power_state(&context));
    }
    let name = match args.optional_text(2)? {
        Some(name) => name,
        None => free_name(host, original.name().as_str()),
    };
    let name = DomName::new(&name).map_err(|invalid| Failure::value("new_name", &invalid))?;
    let new = host.uuid_of_new_vm();
    let mut config = DomainConfig::clone(&original.config);
    config.name = name.clone();
    config.uuid = new;
    let mut changes = Vec::new();
    for device in &mut config.devices {
        *device.uuid_mut() = None;
        match device {
            Device::Vif(vif) => vif.mac = None,
            Device::Block(block) => changes.extend(copy_image(host, block)?),
            _ => {}
        }
    }
    changes.push(Change::Define(Box::new(config)));
    let object = new.map(|uuid| uuid.to_string()).unwrap_or_default();
    let context = FailureContext { object, ..FailureContext::default() };
    Ok(Action::Define { changes, context, name })
}

/// Gives a disk of the clone an image of its own; `None` if both VMs can share the image.
fn copy_image(host: &HostView, block: &mut Block) -> Result<Option<Change>, Failure> {
    let image = vdi_of_disk(host, block).and_then(|uuid| host.inventory.vdi(&uuid));
    if let Some((item, vdi)) = image.filter(|(_, vdi)| vdi.own && !vdi.read_only) {
        return Ok(Some(copy_of(host, block, item, vdi)));
    }
    let is_shared = image.is_some_and(|(_, vdi)| vdi.read_only || vdi.sharable);
    if block.mode == BlockMode::ReadOnly || is_shared {
        return Ok(None);
    }
    let reason =
        format!("Disk {} is no image of the local storage and cannot be copied", block.dev);
    Err(Failure::not_allowed(&reason))
}

fn copy_of(host: &HostView, block: &mut Block, item: &Item, vdi: &Vdi) -> Change {
    let uuid = host.state.new_uuid();
    let path = String::from_utf8_lossy(&vdi.location);
    block.vdi = Some(uuid);
    block.uname = path.replace(&item.uuid.to_string(), &uuid.to_string()).into();
    let vdi = Box::new(Vdi { location: Text::default(), ..vdi.clone() });
    let client_data = item.client_data.clone();
    Change::CreateVdi { uuid, vdi, client_data, content: ImageContent::CopyOf(item.uuid) }
}

fn free_name(host: &HostView, original: &str) -> String {
    let first = format!("{original}-clone");
    let others = (1..MAX_NAMES).map(|n| format!("{first}-{n}"));
    let is_free =
        |name: &String| DomName::new(name).is_ok_and(|name| host.vm_by_name(&name).is_none());
    std::iter::once(first.clone()).chain(others).find(is_free).unwrap_or(first)
}

//! Storage repositories.

use crate::core::model::{Uuid, Vdi};
use crate::wire::xmlrpc::value::Value;
use crate::wire::xmlrpc::xenapi::failure::Failure;
use crate::wire::xmlrpc::xenapi::fetched::Need;
use crate::wire::xmlrpc::xenapi::host_view::HostView;
use crate::wire::xmlrpc::xenapi::objects::disks::{image_size, virtual_size};
use crate::wire::xmlrpc::xenapi::objects::storage::{Repository, pbds_of_sr, vdis_of_sr};
use crate::wire::xmlrpc::xenapi::schema::{Action, Class, ClassCall, DataType, Field};
use crate::wire::xmlrpc::xenapi::values::{refs, text, texts};

/// The sum over the images that xend made in a repository.
fn sum(
    host: &HostView,
    sr: Uuid,
    size: fn(&HostView, &Vdi) -> Result<u64, Failure>,
) -> Result<Value, Failure> {
    let mut sum = 0_u64;
    for (_, vdi) in vdis_of_sr(host, sr).filter(|(_, vdi)| vdi.own) {
        sum += size(host, &vdi)?;
    }
    Ok(text(&sum))
}

pub(super) static SR: Class = Class {
    name: "SR",
    all: |host| Ok(Repository::ALL.map(|one| one.uuid(host)).into()),
    check: |host, uuid| Repository::get(host, uuid).map(drop),
    fields: &[
        Field::read("uuid", |_, uuid| Ok(text(&uuid))),
        Field::client_data("name_label", DataType::Text, |host, uuid| {
            Ok(text(Repository::get(host, uuid)?.label()))
        }),
        Field::client_data("name_description", DataType::Text, |_, _| {
            Ok(text("Disk images of this host"))
        }),
        Field::read("VDIs", |host, uuid| Ok(refs(vdis_of_sr(host, uuid).map(|(vdi, _)| vdi)))),
        Field::read("PBDs", |host, uuid| Ok(refs(pbds_of_sr(host, uuid)))),
        Field::read("virtual_allocation", |host, uuid| sum(host, uuid, virtual_size))
            .needing(&[Need::ImageSizes]),
        Field::read("physical_utilisation", |host, uuid| {
            sum(host, uuid, |host, vdi| Ok(image_size(host, vdi)?.used))
        })
        .needing(&[Need::ImageSizes]),
        Field::read("physical_size", |host, _| Ok(text(&host.fetched.storage()?.size)))
            .needing(&[Need::Storage]),
        Field::read("type", |host, uuid| Ok(text(Repository::get(host, uuid)?.kind()))),
        Field::read("content_type", |_, _| Ok(text(""))),
    ],
    calls: &[ClassCall::on_class("get_supported_types", &["session"], |_, _, _| {
        let types = Repository::ALL.map(|one| one.kind().to_owned());
        Ok(Action::Answer(texts(types)))
    })],
    ..Class::EMPTY
};

//! Disk images.

use super::security::{LABEL_PARAMS, no_module};
use crate::core::model::{Text, Uuid, Vdi, VdiKind, VdiSetting};
use crate::core::op::{Change, ImageContent};
use crate::core::rights::OpKind;
use crate::wire::xmlrpc::args::Args;
use crate::wire::xmlrpc::value::Value;
use crate::wire::xmlrpc::xenapi::failure::{CodeOverride, Failure, FailureContext};
use crate::wire::xmlrpc::xenapi::fetched::Need;
use crate::wire::xmlrpc::xenapi::host_view::HostView;
use crate::wire::xmlrpc::xenapi::inputs::{ImageInputs, Inputs};
use crate::wire::xmlrpc::xenapi::new_record::NewRecord;
use crate::wire::xmlrpc::xenapi::objects::disks::{
    all_vdis, disks_of_vdi, image_size, vdi, virtual_size,
};
use crate::wire::xmlrpc::xenapi::objects::storage::{Repository, data_in_sr};
use crate::wire::xmlrpc::xenapi::schema::{Action, Class, ClassCall, DataType, Field};
use crate::wire::xmlrpc::xenapi::values::{map, refs, text};

fn context(uuid: Uuid) -> FailureContext {
    let code = Some(CodeOverride::WithObject("VDI_ERROR", uuid.to_string()));
    FailureContext { code, ..FailureContext::default() }
}

/// Changes an image of the inventory. An implied one cannot change.
fn change(host: &HostView, uuid: Uuid, op: Change) -> Result<Action, Failure> {
    if host.inventory.vdi(&uuid).is_none() {
        let reason = "The VDI was not created: it exists while a VM uses it, and cannot change";
        return Err(Failure::new("VDI_ERROR", [reason, uuid.to_string().as_str()]));
    }
    Ok(Action::execute(vec![op], context(uuid)))
}

fn set(host: &HostView, uuid: Uuid, setting: VdiSetting) -> Result<Action, Failure> {
    change(host, uuid, Change::SetVdi(uuid, setting))
}

fn create(host: &HostView, _: Uuid, args: &Args<'_>) -> Result<Action, Failure> {
    let record = NewRecord::from_args("VDI", args)?;
    let sr = record.object("SR", "SR", |uuid| Repository::get(host, uuid))?;
    let location = record.map("other_config")?.remove("location");
    // xm creates a VDI for a drive without a medium, too.
    let is_empty_drive = location.as_deref() == Some("");
    let location = location.unwrap_or_default();
    Vdi::check_location(location.as_bytes())
        .map_err(|invalid| Failure::value("other_config.location", &invalid).sent("", &location))?;
    let location = Text::from(location);
    // xm sends -1 or 0 for an image elsewhere.
    let size = record.number::<i64>("virtual_size")?;
    let size = size.and_then(|size| u64::try_from(size).ok()).filter(|size| *size > 0);
    let is_new_image = location.is_empty() && !is_empty_drive;
    if size.is_none() && is_new_image {
        return Err(Failure::value("virtual_size", "a number of bytes above 0 is expected"));
    }
    let vdi = Box::new(Vdi {
        location,
        size: size.unwrap_or(0),
        kind: record.parsed("type")?.unwrap_or(VdiKind::System),
        own: false,
        sharable: record.flag("sharable")?,
        read_only: record.flag("read_only")?,
    });
    let uuid = host.state.new_uuid();
    let client_data = data_in_sr(&record, VDI.fields, sr)?;
    let changes = vec![Change::CreateVdi { uuid, vdi, client_data, content: ImageContent::Empty }];
    Ok(Action::create(changes, context(uuid), uuid))
}

pub(super) static VDI: Class = Class {
    name: "VDI",
    all: |host| Ok(all_vdis(host)),
    check: |host, uuid| vdi(host, uuid).map(drop),
    inputs: Some(|host, uuid| {
        let usage = image_size(host, &vdi(host, uuid)?)?;
        let disks = disks_of_vdi(host, uuid)?;
        let item = host.inventory.get(&uuid).cloned();
        Ok(Inputs::Image(ImageInputs { item, disks, usage }))
    }),
    fields: &[
        Field::read("uuid", |_, uuid| Ok(text(&uuid))),
        Field::client_data("name_label", DataType::Text, |host, uuid| {
            Ok(text(&vdi(host, uuid)?.location))
        }),
        Field::client_data("name_description", DataType::Text, |_, _| Ok(text(""))),
        Field::read("SR", |host, uuid| {
            Ok(text(&Repository::of_vdi(host, uuid, &vdi(host, uuid)?).uuid(host)))
        }),
        Field::read("VBDs", |host, uuid| Ok(refs(disks_of_vdi(host, uuid)?))),
        Field::read_write(
            "virtual_size",
            |host, uuid| Ok(text(&virtual_size(host, &vdi(host, uuid)?)?)),
            |host, uuid, args| set(host, uuid, VdiSetting::Size(args.number(2)?)),
        )
        .needing(&[Need::ImageSizes]),
        Field::read("physical_utilisation", |host, uuid| {
            Ok(text(&image_size(host, &vdi(host, uuid)?)?.used))
        })
        .needing(&[Need::ImageSizes]),
        Field::read("type", |host, uuid| Ok(text(&vdi(host, uuid)?.kind))),
        Field::read_write(
            "sharable",
            |host, uuid| Ok(Value::Bool(vdi(host, uuid)?.sharable)),
            |host, uuid, args| set(host, uuid, VdiSetting::Sharable(args.flag(2, false)?)),
        ),
        Field::read_write(
            "read_only",
            |host, uuid| Ok(Value::Bool(vdi(host, uuid)?.read_only)),
            |host, uuid, args| set(host, uuid, VdiSetting::ReadOnly(args.flag(2, false)?)),
        ),
        Field::read("security_label", |_, _| Ok(text(""))),
        // xm finds an image by its location here.
        Field::facts_and_client_data("other_config", |host, uuid| {
            Ok(map([("location", vdi(host, uuid)?.location.to_string())]))
        }),
    ],
    calls: &[
        ClassCall::on_class("create", &["session", "record"], create).requiring(OpKind::CreateVdi),
        ClassCall::on_object("set_security_label", LABEL_PARAMS, |_, _, _| Err(no_module())),
        ClassCall::on_object("destroy", &["session", "vdi"], |host, uuid, _| {
            change(host, uuid, Change::DestroyVdi(uuid))
        })
        .requiring(OpKind::DestroyVdi),
    ],
    ..Class::EMPTY
};

//! Attachments of storage repositories. Those of the local storage are there by themselves; xend
//! only stores the others.

use crate::core::model::Uuid;
use crate::core::op::Change;
use crate::core::rights::OpKind;
use crate::wire::xmlrpc::args::Args;
use crate::wire::xmlrpc::value::Value;
use crate::wire::xmlrpc::xenapi::failure::{Failure, FailureContext};
use crate::wire::xmlrpc::xenapi::fetched::Need;
use crate::wire::xmlrpc::xenapi::host_view::HostView;
use crate::wire::xmlrpc::xenapi::new_record::NewRecord;
use crate::wire::xmlrpc::xenapi::objects::host::check_host;
use crate::wire::xmlrpc::xenapi::objects::storage::{
    Repository, all_pbds, check_pbd, data_in_sr, find_sr, pbds_of_sr, sr_of_pbd,
};
use crate::wire::xmlrpc::xenapi::schema::{Action, Class, ClassCall, DataType, Field};
use crate::wire::xmlrpc::xenapi::values::{map, refs, text};

fn create(host: &HostView, _: Uuid, args: &Args<'_>) -> Result<Action, Failure> {
    let record = NewRecord::from_args("PBD", args)?;
    record.object("host", "host", |uuid| check_host(host, uuid))?;
    let sr = record.object("SR", "SR", |uuid| Repository::get(host, uuid))?;
    let uuid = host.state.new_uuid();
    let client_data = data_in_sr(&record, PBD.fields, sr)?;
    let changes = vec![Change::CreatePbd { uuid, client_data }];
    Ok(Action::create(changes, FailureContext::default(), uuid))
}

fn destroy(host: &HostView, uuid: Uuid) -> Result<Action, Failure> {
    if Repository::of_host_pbd(host, uuid).is_some() {
        return Err(Failure::not_allowed("The local storage stays attached while the host is up"));
    }
    Ok(Action::execute(vec![Change::DestroyPbd(uuid)], FailureContext::default()))
}

pub(super) static PBD: Class = Class {
    name: "PBD",
    all: |host| Ok(all_pbds(host)),
    check: check_pbd,
    fields: &[
        Field::read("uuid", |_, uuid| Ok(text(&uuid))),
        Field::read("host", |host, _| Ok(host.host_ref())),
        Field::read("SR", |host, uuid| Ok(text(&sr_of_pbd(host, uuid)))),
        Field::client_data("device_config", DataType::Map, |host, _| {
            Ok(map([("location", host.fetched.storage()?.dir.display().to_string())]))
        })
        .fixed()
        .needing(&[Need::Storage]),
        Field::read("currently_attached", |host, uuid| {
            Ok(Value::Bool(Repository::of_host_pbd(host, uuid).is_some()))
        }),
    ],
    calls: &[
        ClassCall::on_class("create", &["session", "record"], create).requiring(OpKind::CreatePbd),
        ClassCall::on_object("destroy", &["session", "self"], |host, uuid, _| destroy(host, uuid))
            .requiring(OpKind::DestroyPbd),
        ClassCall::on_class("get_by_SR", &["session", "sr"], |host, _, args| {
            let sr = find_sr(host, &args.text(1)?)?;
            Ok(Action::Answer(refs(pbds_of_sr(host, sr))))
        }),
    ],
    ..Class::EMPTY
};

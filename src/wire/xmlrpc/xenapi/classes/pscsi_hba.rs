//! SCSI adapters of the host.

use crate::core::model::Uuid;
use crate::wire::xmlrpc::xenapi::failure::Failure;
use crate::wire::xmlrpc::xenapi::fetched::Need;
use crate::wire::xmlrpc::xenapi::host_view::HostView;
use crate::wire::xmlrpc::xenapi::objects::hardware::{adapter, all_pscsi_hbas, pscsi_uuid};
use crate::wire::xmlrpc::xenapi::schema::{Class, Field};
use crate::wire::xmlrpc::xenapi::values::{refs, text};

/// The SCSI devices on an adapter.
fn devices(host: &HostView, uuid: Uuid) -> Result<Vec<Uuid>, Failure> {
    let adapter = adapter(host, uuid)?;
    let all = host.fetched.hardware()?.scsi.iter();
    let own = all.filter(|facts| facts.at.0[0] == adapter);
    Ok(own.map(|facts| pscsi_uuid(host, facts.at)).collect())
}

pub(super) static PSCSI_HBA: Class = Class {
    name: "PSCSI_HBA",
    all: all_pscsi_hbas,
    check: |host, uuid| adapter(host, uuid).map(drop),
    needs: &[Need::Hardware],
    fields: &[
        Field::read("uuid", |_, uuid| Ok(text(&uuid))),
        Field::read("host", |host, _| Ok(host.host_ref())),
        Field::read("physical_host", |host, uuid| Ok(text(&adapter(host, uuid)?))),
        Field::read("PSCSIs", |host, uuid| Ok(refs(devices(host, uuid)?))),
    ],
    ..Class::EMPTY
};

//! The local storage: two repositories (SRs) on one directory, and how they are attached (PBDs).

use super::disks::{all_vdis, vdi};
use crate::core::model::{ClientData, ClientValue, ObjectKind, Uuid, Vdi};
use crate::wire::xmlrpc::xenapi::client_data;
use crate::wire::xmlrpc::xenapi::failure::Failure;
use crate::wire::xmlrpc::xenapi::host_view::HostView;
use crate::wire::xmlrpc::xenapi::new_record::NewRecord;
use crate::wire::xmlrpc::xenapi::references::find_object;
use crate::wire::xmlrpc::xenapi::schema::Field;

/// The storage repositories that xend had, which clients find by their types. New images of either
/// are sparse files; an image elsewhere is in the repository of its format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repository {
    Local,
    Qcow,
}

impl Repository {
    pub(crate) const ALL: [Self; 2] = [Self::Local, Self::Qcow];

    /// Its type in the Xen-API.
    pub(crate) const fn kind(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Qcow => "qcow_file",
        }
    }

    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Local => "Local",
            Self::Qcow => "QCoW",
        }
    }

    pub(crate) fn uuid(self, host: &HostView) -> Uuid {
        host.host_object(&format!("SR {}", self.kind()))
    }

    /// The PBD that the host has by itself.
    pub(crate) fn pbd(self, host: &HostView) -> Uuid {
        host.host_object(&format!("PBD {}", self.kind()))
    }

    fn by_uuid(host: &HostView, uuid: Uuid) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.uuid(host) == uuid)
    }

    pub(crate) fn get(host: &HostView, uuid: Uuid) -> Result<Self, Failure> {
        Self::by_uuid(host, uuid).ok_or_else(|| Failure::no_object("SR", &uuid))
    }

    /// The repository that a PBD of the host attaches; `None` for a PBD of a client's.
    pub(crate) fn of_host_pbd(host: &HostView, pbd: Uuid) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.pbd(host) == pbd)
    }

    /// The repository that an object was created in; `None` if that is not known.
    fn of_object(host: &HostView, object: Uuid) -> Option<Self> {
        let reference = host.client_data(object).text(SR_KEY)?.parse().ok()?;
        Self::by_uuid(host, reference)
    }

    pub(crate) fn of_vdi(host: &HostView, uuid: Uuid, vdi: &Vdi) -> Self {
        let path = vdi.location.iter().position(|byte| *byte == b'/').unwrap_or(vdi.location.len());
        let mut formats = vdi.location[..path].split(|byte| *byte == b':');
        let by_format = || {
            if formats.any(|format| format.starts_with(b"qcow")) { Self::Qcow } else { Self::Local }
        };
        Self::of_object(host, uuid).unwrap_or_else(by_format)
    }
}

/// The repository that a reference names.
pub(crate) fn find_sr(host: &HostView, reference: &str) -> Result<Uuid, Failure> {
    find_object("SR", reference, |uuid| Repository::get(host, uuid))
}

/// The client data in which the repository of a VDI or PBD is stored.
const SR_KEY: &str = "SR";

/// The client data of a new object in a repository.
pub(crate) fn data_in_sr(
    record: &NewRecord<'_>,
    fields: &[Field],
    sr: Uuid,
) -> Result<ClientData, Failure> {
    let mut client_data = client_data::from_record(record, fields)?;
    client_data
        .set(SR_KEY, Some(ClientValue::Text(sr.to_string())))
        .map_err(|invalid| Failure::value(SR_KEY, &invalid))?;
    Ok(client_data)
}

/// The images in a repository.
pub(crate) fn vdis_of_sr(host: &HostView, sr: Uuid) -> impl Iterator<Item = (Uuid, Vdi)> {
    let all = all_vdis(host).into_iter();
    let all = all.filter_map(move |uuid| Some((uuid, vdi(host, uuid).ok()?)));
    all.filter(move |(uuid, vdi)| Repository::of_vdi(host, *uuid, vdi).uuid(host) == sr)
}

/// The PBDs of the host, then those that clients created.
pub(crate) fn all_pbds(host: &HostView) -> Vec<Uuid> {
    if host.is_other() {
        return Vec::new();
    }
    let created = host.inventory.items().filter(|item| item.kind == ObjectKind::Pbd);
    let own = Repository::ALL.map(|one| one.pbd(host));
    own.into_iter().chain(created.map(|item| item.uuid)).collect()
}

pub(crate) fn check_pbd(host: &HostView, uuid: Uuid) -> Result<(), Failure> {
    let is_created = || host.inventory.get(&uuid).is_some_and(|item| item.kind == ObjectKind::Pbd);
    if Repository::of_host_pbd(host, uuid).is_some() || is_created() {
        return Ok(());
    }
    Err(Failure::no_object("PBD", &uuid))
}

/// The repository that a PBD attaches.
pub(crate) fn sr_of_pbd(host: &HostView, pbd: Uuid) -> Uuid {
    let created_for = || Repository::of_object(host, pbd).unwrap_or(Repository::Local);
    Repository::of_host_pbd(host, pbd).unwrap_or_else(created_for).uuid(host)
}

pub(crate) fn pbds_of_sr(host: &HostView, sr: Uuid) -> Vec<Uuid> {
    let all = all_pbds(host).into_iter();
    all.filter(|pbd| sr_of_pbd(host, *pbd) == sr).collect()
}

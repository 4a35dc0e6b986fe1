//! Objects of the host beside its domains.

use super::client_data::ClientData;
use super::ids::Uuid;
use super::network::{Network, Vlan};
use super::pool::Pool;
use super::vdi::Vdi;

/// The kind of an [`Item`], with its data.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ObjectKind {
    /// A disk image.
    Vdi(Vdi),
    /// A network that a client created.
    Network(Network),
    /// A VLAN that a client created.
    Vlan(Vlan),
    /// A CPU pool.
    Pool(Pool),
    /// A record of another attachment of the local storage, without any effect.
    Pbd,
    /// Client data on an object that the host has by itself.
    DataOnly,
}

/// An object of the host beside its domains. It outlives the daemon and a reboot of the host.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Item {
    pub uuid: Uuid,
    pub kind: ObjectKind,
    /// `name_label`, `other_config`, ...
    pub client_data: ClientData,
}

//! Values that cannot be invalid: the constructor is the validation.
//!
//! Memory is in MiB unless a name says otherwise, times are [`std::time::Duration`] and
//! [`std::time::SystemTime`].

mod block;
mod config;
mod cpus;
mod defaults;
mod device;
mod host;
mod ids;
mod image;
mod item;
mod machine;
mod nearest;
mod notes;
mod pci;
mod property;
mod sched;
mod setting;
mod vnet;

pub use block::{Block, BlockClass, BlockKind, BlockMode};
pub use config::{DomainConfig, MAX_VCPUS, OnEvent, OnXendStart, OnXendStop};
pub use cpus::{CpuSet, MAX_CPUS};
pub use defaults::{DeviceDefaults, Password};
pub use device::{Backend, Console, Device, Generic, Vfb, Vif, Vkbd};
pub use host::{
    DeviceFacts, DomainFacts, HostFigures, HostInfo, RunFlags, ShutdownReason, Topology, Trigger,
    VcpuFacts,
};
pub use ids::{DomId, DomName, DomainRef, Mac, Uuid, VirtualDevice, parse_uuid};
pub use image::{GuestKind, Image};
pub use item::{Item, Network, Pool, PoolSetting, Thing, Vdi, VdiKind, VdiSetting, Vlan};
pub use machine::{
    CpuModel, Hardware, Hctl, Interface, InterfaceChange, InterfaceKind, NetworkChange, PciFacts,
    PoolChange, PoolFacts, ScsiFacts,
};
pub use nearest::nearest;
pub use notes::{Note, NoteChange, Notes};
pub use pci::{PciAddress, PciDevice, PciFunction};
pub use property::{Property, Value};
pub use sched::{Rtds, SchedParams, Scheduler, SedfParams};
pub use setting::Setting;
pub use vnet::Vnet;

use std::fmt;

/// Bytes that are usually UTF-8 text: paths, kernel arguments, descriptions.
///
/// xend never looked at the encoding of what it was given, and what was written in Latin-1 in 2006
/// has to come back unharmed, so free text is kept as the bytes it came in.
pub type Text = bstr::BString;

/// Why a value was refused. The text names the value and says what would be right; the field's name
/// is added by whoever read the field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid(String);

impl Invalid {
    /// A refusal that says `reason`.
    pub fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Invalid {}

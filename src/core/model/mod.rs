//! Values that cannot be invalid: the constructor is the validation.
//!
//! Memory is in MiB unless a name says otherwise; times are [`std::time::Duration`] and
//! [`std::time::SystemTime`].

mod actions;
mod backend;
mod block;
mod client_data;
mod complete;
mod config;
mod cpu_set;
mod defaults;
mod device;
mod devices;
mod facts;
mod guest;
mod hardware;
mod host;
mod ids;
mod image;
mod invalid;
mod item;
mod named;
mod network;
mod number;
mod password;
mod pci;
mod policy;
mod pool;
mod property;
mod sched;
mod setting;
mod shutdown;
mod store_path;
mod text;
mod trigger;
mod usage;
mod vdi;
mod vnet;
mod xenstore_data;

pub use actions::{ActionOnShutdown, OnXendStart, OnXendStop};
pub use backend::Backend;
pub use block::{Block, BlockClass, BlockKind, BlockMode};
pub use client_data::{ClientData, ClientDataChange, ClientValue};
#[cfg(test)]
pub(crate) use complete::tests::{Counter, completed};
pub use complete::{CompleteConfig, complete_device};
pub use config::{DomainConfig, MAX_VCPUS};
pub use cpu_set::{CpuSet, MAX_CPUS};
pub use defaults::DeviceDefaults;
pub use device::{Console, Device, Generic, Vfb, Vif, Vkbd};
pub use facts::{DeviceFacts, DomainFacts, RunFlags, VcpuFacts};
pub use guest::{GuestAddress, GuestMemory, GuestReport};
pub use hardware::{CpuModel, Hardware, Hctl, PciFacts, ScsiFacts};
pub use host::{HostFigures, HostInfo, HostLoad, Topology};
pub use ids::{DomId, DomName, DomainRef, Mac, Uuid, VirtualDevice, parse_uuid};
pub use image::{GuestKind, Image};
pub use invalid::Invalid;
pub use item::{Item, ObjectKind};
pub use network::{Interface, InterfaceChange, InterfaceKind, Network, NetworkChange, Vlan};
pub use number::{Unit, WholeNumber, is_whole_number};
pub use password::Password;
pub use pci::{PciAddress, PciDevice, PciFunction};
pub use policy::{DomainLookup, Policy, RelocationDefaults};
pub use pool::{Pool, PoolChange, PoolFacts, PoolSetting};
pub use property::{Property, Value};
pub use sched::{Rtds, SchedParams, Scheduler, SedfParams};
pub use setting::Setting;
pub use shutdown::ShutdownReason;
pub use store_path::StorePath;
pub use text::Text;
pub use trigger::Trigger;
pub use usage::{Level, Resource, Span, Sums, Usage, UsageHistory, UsageOf};
pub use vdi::{Vdi, VdiKind, VdiSetting};
pub use vnet::Vnet;
pub use xenstore_data::{XenstoreData, XenstoreDataChange};

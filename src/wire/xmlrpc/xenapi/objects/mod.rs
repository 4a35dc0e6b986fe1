//! Lookups of objects, by class: where a class's objects come from, and what they refer to.
//!
//! ```text
//! vms           VMs and their metrics
//! devices       devices of VMs
//! disks         disk images (VDIs)
//! storage       storage repositories and how they are attached (SRs, PBDs)
//! networks      networks and the host's cards (PIFs)
//! pools         CPU pools
//! hardware      PCI and SCSI devices of the host
//! host          the host's CPUs and metrics
//! ```

pub(super) mod devices;
pub(super) mod disks;
pub(super) mod hardware;
pub(super) mod host;
pub(super) mod networks;
pub(super) mod pools;
pub(super) mod storage;
pub(super) mod vms;

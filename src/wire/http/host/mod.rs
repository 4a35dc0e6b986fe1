//! Pages about what the host has: storage, networks, CPU pools, PCI devices, saved domains, tasks,
//! events, accounts, the log; and about the hosts of a fleet. Long lists are paged, and each list
//! has a form in JSON.

pub(super) mod accounts;
pub(super) mod fleet;
pub(super) mod fleet_domains;
pub(super) mod fleet_host;
pub(super) mod hosts;
pub(super) mod journal;
pub(super) mod listing;
pub(super) mod log;
pub(super) mod networks;
pub(super) mod pci;
pub(super) mod pools;
pub(super) mod saved;
pub(super) mod storage;
pub(super) mod tasks;
pub(super) mod upload;
pub(super) mod usage;

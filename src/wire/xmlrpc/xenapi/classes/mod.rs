//! The classes, one file a class: fields with their getters and setters, and calls. `table` lists
//! them.

mod console;
mod cpu_pool;
mod debug;
mod dpci;
mod dscsi;
mod dscsi_hba;
mod event;
mod host;
mod host_cpu;
mod host_metrics;
mod network;
mod pbd;
mod pif;
mod pif_metrics;
mod pool;
mod ppci;
mod pscsi;
mod pscsi_hba;
mod rates;
mod security;
mod session;
mod sr;
pub(super) mod table;
mod task;
mod vbd;
mod vbd_metrics;
mod vdi;
mod vif;
mod vif_metrics;
mod vm;
mod vtpm;

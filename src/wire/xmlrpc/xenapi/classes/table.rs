//! The table of classes.

use super::console::CONSOLE;
use super::cpu_pool::CPU_POOL;
use super::debug::DEBUG;
use super::dpci::DPCI;
use super::dscsi::DSCSI;
use super::dscsi_hba::DSCSI_HBA;
use super::event::EVENT;
use super::host::HOST;
use super::host_cpu::HOST_CPU;
use super::host_metrics::HOST_METRICS;
use super::network::NETWORK;
use super::pbd::PBD;
use super::pif::PIF;
use super::pif_metrics::PIF_METRICS;
use super::pool::POOL;
use super::ppci::PPCI;
use super::pscsi::PSCSI;
use super::pscsi_hba::PSCSI_HBA;
use super::security::{ACMPOLICY, XSPOLICY};
use super::session::SESSION;
use super::sr::SR;
use super::task::TASK;
use super::vbd::VBD;
use super::vbd_metrics::VBD_METRICS;
use super::vdi::VDI;
use super::vif::VIF;
use super::vif_metrics::VIF_METRICS;
use super::vm::class::VM;
use super::vm::guest_metrics::VM_GUEST_METRICS;
use super::vm::metrics::VM_METRICS;
use super::vtpm::VTPM;
use crate::wire::xmlrpc::xenapi::schema::Class;

/// All classes, in the order of `host.list_methods`.
pub(crate) static CLASSES: [&Class; 32] = [
    &SESSION,
    &TASK,
    &EVENT,
    &HOST,
    &HOST_CPU,
    &HOST_METRICS,
    &POOL,
    &VM,
    &VM_METRICS,
    &VM_GUEST_METRICS,
    &VBD,
    &VBD_METRICS,
    &VIF,
    &VIF_METRICS,
    &VTPM,
    &CONSOLE,
    &NETWORK,
    &PIF,
    &PIF_METRICS,
    &SR,
    &VDI,
    &PBD,
    &PPCI,
    &DPCI,
    &PSCSI,
    &PSCSI_HBA,
    &DSCSI,
    &DSCSI_HBA,
    &CPU_POOL,
    &XSPOLICY,
    &ACMPOLICY,
    &DEBUG,
];

/// The class with this name.
pub(crate) fn class(name: &str) -> Option<&'static Class> {
    CLASSES.into_iter().find(|class| class.name == name)
}

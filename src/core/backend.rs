//! Parts that the implementations of [`Hypervisor`](super::ports::Hypervisor) share.

use super::error::Error;
use super::model::{CpuSet, Device, DomId, Invalid, Property};
use super::ports::DomainChanged;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc;

/// The sending side of [`subscribe`](super::ports::Hypervisor::subscribe).
pub type ChangeSender = DomainSender<DomainChanged>;

/// The sending side of [`subscribe_reports`](super::ports::GuestStore::subscribe_reports).
pub type ReportSender = DomainSender<DomId>;

/// Sends messages about domains to one receiver.
#[derive(Debug)]
pub struct DomainSender<T>(Mutex<Option<mpsc::UnboundedSender<T>>>);

impl<T> Default for DomainSender<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T: From<DomId>> DomainSender<T> {
    /// Makes a receiver, which replaces the one before it.
    pub fn subscribe(&self) -> mpsc::UnboundedReceiver<T> {
        let (sender, receiver) = mpsc::unbounded_channel();
        *self.sender() = Some(sender);
        receiver
    }

    /// Sends a message about a domain, if there is a receiver.
    pub fn send(&self, domid: DomId) {
        if let Some(sender) = self.sender().as_ref() {
            // Without a receiver nothing needs the message.
            let _ = sender.send(domid.into());
        }
    }

    fn sender(&self) -> MutexGuard<'_, Option<mpsc::UnboundedSender<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Refuses affinities that name a CPU which the host does not have.
pub fn check_affinity(affinity: &[CpuSet], host_cpus: u32) -> Result<(), Invalid> {
    let host = CpuSet::first(host_cpus);
    match affinity.iter().find_map(|set| set.difference(&host).lowest()) {
        None => Ok(()),
        Some(cpu) => {
            let last = host_cpus.saturating_sub(1);
            let reason = format!("cpus: CPU {cpu} is not there, this host has 0 to {last}");
            Err(Invalid::new(reason))
        }
    }
}

/// A domain without a screen.
pub fn no_screen() -> Error {
    let reason = "The domain has no screen: give it (device (vfb (vnc 1))), and start it again";
    Error::Unsupported(reason.to_owned())
}

/// The number of the host's CPUs that are in no pool.
pub fn free_cpus<'a>(host_cpus: u32, pools: impl IntoIterator<Item = &'a CpuSet>) -> u32 {
    let free = pools.into_iter().fold(CpuSet::first(host_cpus), |free, pool| free.difference(pool));
    u32::try_from(free.len()).unwrap_or(0)
}

/// The nodes of a device's frontend in XenStore that describe the device itself. `number` is the
/// device's number in its class.
pub fn frontend_nodes(device: &Device, number: u32) -> Vec<Property> {
    match device {
        Device::Block(block) => vec![
            Property::new("virtual-device", number.to_string()),
            Property::new("device-type", block.kind.name()),
        ],
        Device::Vif(vif) => vec![
            Property::new("mac", vif.mac.map(|mac| mac.to_string()).unwrap_or_default()),
            Property::new("handle", number.to_string()),
        ],
        _ => Vec::new(),
    }
}

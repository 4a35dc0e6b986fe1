//! PCI and SCSI devices of the host.

use crate::core::model::{Hctl, PciFacts, ScsiFacts, Uuid};
use crate::wire::xmlrpc::xenapi::failure::Failure;
use crate::wire::xmlrpc::xenapi::host_view::HostView;

/// A PCI device's UUID follows from its address.
pub(crate) fn ppci_uuid(host: &HostView, facts: &PciFacts) -> Uuid {
    host.host_object(&format!("PPCI {}", facts.address))
}

pub(crate) fn ppci(host: &HostView, uuid: Uuid) -> Result<&PciFacts, Failure> {
    let mut all = host.fetched.hardware()?.pci.iter();
    let found = all.find(|facts| ppci_uuid(host, facts) == uuid);
    found.ok_or_else(|| Failure::no_object("PPCI", &uuid))
}

pub(crate) fn all_ppcis(host: &HostView) -> Result<Vec<Uuid>, Failure> {
    let all = host.fetched.hardware()?.pci.iter();
    Ok(all.map(|facts| ppci_uuid(host, facts)).collect())
}

/// A SCSI device's UUID follows from its four numbers.
pub(crate) fn pscsi_uuid(host: &HostView, at: Hctl) -> Uuid {
    host.host_object(&format!("PSCSI {at}"))
}

pub(crate) fn pscsi(host: &HostView, uuid: Uuid) -> Result<&ScsiFacts, Failure> {
    let mut all = host.fetched.hardware()?.scsi.iter();
    let found = all.find(|facts| pscsi_uuid(host, facts.at) == uuid);
    found.ok_or_else(|| Failure::no_object("PSCSI", &uuid))
}

pub(crate) fn all_pscsis(host: &HostView) -> Result<Vec<Uuid>, Failure> {
    let all = host.fetched.hardware()?.scsi.iter();
    Ok(all.map(|facts| pscsi_uuid(host, facts.at)).collect())
}

/// A SCSI adapter's UUID follows from its number.
pub(crate) fn pscsi_hba_uuid(host: &HostView, adapter: u32) -> Uuid {
    host.host_object(&format!("PSCSI_HBA {adapter}"))
}

/// The numbers of the host's SCSI adapters.
pub(crate) fn adapters(host: &HostView) -> Result<Vec<u32>, Failure> {
    let all = host.fetched.hardware()?.scsi.iter();
    let mut adapters: Vec<u32> = all.map(|facts| facts.at.0[0]).collect();
    adapters.dedup();
    Ok(adapters)
}

pub(crate) fn adapter(host: &HostView, uuid: Uuid) -> Result<u32, Failure> {
    let mut all = adapters(host)?.into_iter();
    let found = all.find(|adapter| pscsi_hba_uuid(host, *adapter) == uuid);
    found.ok_or_else(|| Failure::no_object("PSCSI_HBA", &uuid))
}

pub(crate) fn all_pscsi_hbas(host: &HostView) -> Result<Vec<Uuid>, Failure> {
    let all = adapters(host)?.into_iter();
    Ok(all.map(|adapter| pscsi_hba_uuid(host, adapter)).collect())
}

//! Fetching facts of the host for a call.

use super::failure::{Failure, FailureContext};
use super::fetched::Need;
use super::host_view::HostView;
use super::objects::disks::{all_unames, vdi};
use crate::core::error::Error;
use crate::core::model::{DomainRef, Text, Uuid};
use crate::core::view::View;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// Fetches facts from the engine into a host view. Facts about the host are empty for a caller who
/// may not read them.
pub(crate) struct Fetcher<'a> {
    pub(crate) view: &'a View,
}

impl Fetcher<'_> {
    /// Fetches facts that the host view does not have yet: those of the VM or image that the call
    /// is about, or all if it is about neither.
    pub(crate) async fn fetch(
        &self,
        host: &mut HostView,
        need: Need,
        object: Option<Uuid>,
    ) -> Result<(), Failure> {
        let fetched = &mut host.fetched;
        match need {
            Need::Vcpus => return self.fetch_vcpus(host, object).await,
            Need::Devices => return self.fetch_devices(host, object).await,
            Need::ImageSizes => return self.fetch_image_sizes(host, object).await,
            Need::Interfaces if fetched.interfaces.is_none() => {
                fetched.interfaces = Some(unless_hidden(self.view.interfaces().await)?);
            }
            Need::Pools if fetched.pools.is_none() => {
                fetched.pools = Some(unless_hidden(self.view.pools().await)?);
            }
            Need::Hardware if fetched.hardware.is_none() => {
                fetched.hardware = Some(unless_hidden(self.view.hardware().await)?);
            }
            Need::Storage if fetched.storage.is_none() => {
                fetched.storage = Some(unless_hidden(self.view.storage().await)?);
            }
            Need::Interfaces | Need::Pools | Need::Hardware | Need::Storage => {}
        }
        Ok(())
    }

    async fn fetch_vcpus(&self, host: &mut HostView, object: Option<Uuid>) -> Result<(), Failure> {
        // A caller may see no VM at all.
        host.fetched.vcpus.get_or_insert_default();
        for vm in vms(host, object) {
            if host.fetched.vcpus.get_or_insert_default().contains_key(&vm) {
                continue;
            }
            let fetched = match on_host(host, vm) {
                Some(domain) => unless_gone(self.view.vcpus(&domain).await.map(|(_, all)| all))?,
                None => vec![],
            };
            host.fetched.vcpus.get_or_insert_default().insert(vm, fetched);
        }
        Ok(())
    }

    async fn fetch_devices(
        &self,
        host: &mut HostView,
        object: Option<Uuid>,
    ) -> Result<(), Failure> {
        host.fetched.devices.get_or_insert_default();
        for vm in vms(host, object) {
            if host.fetched.devices.get_or_insert_default().contains_key(&vm) {
                continue;
            }
            let fetched = match on_host(host, vm) {
                Some(domain) => unless_gone(self.view.all_devices(&domain).await)?,
                None => vec![],
            };
            host.fetched.devices.get_or_insert_default().insert(vm, fetched);
        }
        Ok(())
    }

    async fn fetch_image_sizes(
        &self,
        host: &mut HostView,
        object: Option<Uuid>,
    ) -> Result<(), Failure> {
        let of_object = object.and_then(|object| vdi(host, object).ok());
        let mut unames = match of_object {
            Some(vdi) => vec![vdi.uname()],
            None => all_unames(host),
        };
        let sizes = host.fetched.image_sizes.get_or_insert_default();
        unames.retain(|uname| !uname.is_empty() && !sizes.contains_key(uname));
        let paths: Vec<_> = unames.iter().map(path_of).collect();
        let extents = self.view.extents(&paths).await.map_err(failed)?;
        sizes.extend(unames.into_iter().zip(extents));
        Ok(())
    }
}

fn failed(error: Error) -> Failure {
    Failure::from_error(error, &FailureContext::default())
}

/// Facts about the host; none for a caller who may not read them.
fn unless_hidden<T: Default>(facts: Result<T, Error>) -> Result<T, Failure> {
    match facts {
        Err(Error::NotPermitted { .. }) => Ok(T::default()),
        facts => facts.map_err(failed),
    }
}

/// A VM that is on the host, for the engine; `None` for another VM.
fn on_host(host: &HostView, vm: Uuid) -> Option<DomainRef> {
    let is_on_host = host.vm(vm).is_some_and(|vm| vm.facts.is_some());
    is_on_host.then(|| DomainRef::new(vm.to_string()))
}

/// Facts of a VM; empty when the VM has left the host meanwhile.
fn unless_gone<T>(facts: Result<Vec<T>, Error>) -> Result<Vec<T>, Failure> {
    match facts {
        Err(Error::NoSuchDomain(_) | Error::Gone(_) | Error::NotStarted(_)) => Ok(vec![]),
        facts => facts.map_err(failed),
    }
}

/// The VM that an object belongs to, or all VMs.
fn vms(host: &HostView, object: Option<Uuid>) -> Vec<Uuid> {
    match object.and_then(|object| host.vm_of_object(object)) {
        Some(vm) => vec![vm.uuid],
        None => host.vms().map(|vm| vm.uuid).collect(),
    }
}

/// The path of the file or device behind a disk: `/dev/sda1` for `phy:sda1`.
fn path_of(uname: &Text) -> PathBuf {
    let path = uname.rsplit(|byte| *byte == b':').next().unwrap_or_default();
    Path::new("/dev").join(OsStr::from_bytes(path))
}

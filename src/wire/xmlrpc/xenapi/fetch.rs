//! Fetching facts of the host for a call.

use super::failure::{Failure, FailureContext};
use super::fetched::{DeviceTable, Need, PoolTable};
use super::host_view::HostView;
use super::objects::disks::{all_unames, vdi};
use crate::core::error::Error;
use crate::core::model::{DomainRef, Text, Uuid, VcpuFacts};
use crate::core::snapshot::DomainView;
use crate::core::view::View;
use std::collections::hash_map::Entry;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::task::yield_now;

/// After how many VMs other tasks have their turn.
const VMS_AT_A_TIME: usize = 64;

/// Fetches facts from the engine into a host view. Facts about the host are empty for a caller who
/// may not read them.
pub(crate) struct Fetcher<'a> {
    pub(crate) view: &'a View,
    /// Whether facts of VMs will do that were fetched for another call since the last sweep. A call
    /// about one object reads the present ones.
    pub(crate) reuses: bool,
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
                let pools = unless_hidden(self.view.pools().await)?;
                fetched.pools = Some(Arc::new(PoolTable::new(pools)));
            }
            Need::PoolsOfVms if fetched.pools.is_none() => {
                host.fetched.pools = Some(self.pools_of_vms(host).await?);
            }
            Need::Hardware if fetched.hardware.is_none() => {
                fetched.hardware = Some(unless_hidden(self.view.hardware().await)?);
            }
            Need::Storage if fetched.storage.is_none() => {
                fetched.storage = Some(unless_hidden(self.view.storage().await)?);
            }
            Need::Interfaces | Need::Pools | Need::PoolsOfVms | Need::Hardware | Need::Storage => {}
        }
        Ok(())
    }

    async fn fetch_vcpus(&self, host: &mut HostView, object: Option<Uuid>) -> Result<(), Failure> {
        // A caller may see no VM at all.
        let mut fetched = host.fetched.vcpus.take().unwrap_or_default();
        for (at, vm) in vms(host, object).into_iter().enumerate() {
            if let Entry::Vacant(place) = fetched.entry(vm.uuid) {
                place.insert(self.vcpus(host, &vm).await?);
            }
            let_others_run(at).await;
        }
        host.fetched.vcpus = Some(fetched);
        Ok(())
    }

    async fn vcpus(
        &self,
        host: &HostView,
        vm: &Arc<DomainView>,
    ) -> Result<Arc<[VcpuFacts]>, Failure> {
        let Some(domain) = on_host(vm) else { return Ok(Arc::default()) };
        let swept = host.version.swept;
        let kept = self.reuses.then_some(&host.kept_facts.vcpus);
        if let Some(facts) = kept.and_then(|kept| kept.get(swept, vm)) {
            return Ok(facts);
        }
        let facts = unless_gone(self.view.vcpus(&domain).await.map(|(_, all)| all))?;
        let facts: Arc<[VcpuFacts]> = facts.into();
        if let Some(kept) = kept {
            kept.keep(swept, vm, facts.clone());
        }
        Ok(facts)
    }

    async fn fetch_devices(
        &self,
        host: &mut HostView,
        object: Option<Uuid>,
    ) -> Result<(), Failure> {
        let mut fetched = host.fetched.devices.take().unwrap_or_default();
        for (at, vm) in vms(host, object).into_iter().enumerate() {
            if let Entry::Vacant(place) = fetched.entry(vm.uuid) {
                place.insert(self.devices(host, &vm).await?);
            }
            let_others_run(at).await;
        }
        host.fetched.devices = Some(fetched);
        Ok(())
    }

    async fn devices(
        &self,
        host: &HostView,
        vm: &Arc<DomainView>,
    ) -> Result<Arc<DeviceTable>, Failure> {
        let Some(domain) = on_host(vm) else { return Ok(Arc::default()) };
        let swept = host.version.swept;
        let kept = self.reuses.then_some(&host.kept_facts.devices);
        if let Some(facts) = kept.and_then(|kept| kept.get(swept, vm)) {
            return Ok(facts);
        }
        let facts = unless_gone(self.view.all_devices(&domain).await)?;
        let facts = Arc::new(DeviceTable::new(facts));
        if let Some(kept) = kept {
            kept.keep(swept, vm, facts.clone());
        }
        Ok(facts)
    }

    /// The pools are those that other calls have fetched, if that was for a view of the host that
    /// is at least as new.
    async fn pools_of_vms(&self, host: &HostView) -> Result<Arc<PoolTable>, Failure> {
        if let Some(pools) = host.kept_facts.pools(&host.version) {
            return Ok(pools);
        }
        let pools = Arc::new(PoolTable::new(unless_hidden(self.view.pools().await)?));
        host.kept_facts.keep_pools(host.version, pools.clone());
        Ok(pools)
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
fn on_host(vm: &DomainView) -> Option<DomainRef> {
    vm.facts.is_some().then(|| DomainRef::new(vm.uuid.to_string()))
}

/// Facts of a VM; empty when the VM has left the host meanwhile.
fn unless_gone<T>(facts: Result<Vec<T>, Error>) -> Result<Vec<T>, Failure> {
    match facts {
        Err(Error::NoSuchDomain(_) | Error::Gone(_) | Error::NotStarted(_)) => Ok(vec![]),
        facts => facts.map_err(failed),
    }
}

/// The VM that an object belongs to, or all VMs.
fn vms(host: &HostView, object: Option<Uuid>) -> Vec<Arc<DomainView>> {
    match object.and_then(|object| host.vm_of_object(object)) {
        Some(vm) => vec![vm.clone()],
        None => host.vms().cloned().collect(),
    }
}

/// Gives other tasks their turn now and then. Facts of some hypervisors are there without a wait.
async fn let_others_run(at: usize) {
    if (at + 1) % VMS_AT_A_TIME == 0 {
        yield_now().await;
    }
}

/// The path of the file or device behind a disk: `/dev/sda1` for `phy:sda1`.
fn path_of(uname: &Text) -> PathBuf {
    let path = uname.rsplit(|byte| *byte == b':').next().unwrap_or_default();
    Path::new("/dev").join(OsStr::from_bytes(path))
}

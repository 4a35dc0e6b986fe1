//! Fetching facts of the host for a call.

use super::failure::{Failure, FailureContext};
use super::fetched::Need;
use super::host_view::HostView;
use super::objects::disks::{all_unames, vdi};
use crate::core::caller::Caller;
use crate::core::engine::Engine;
use crate::core::error::Error;
use crate::core::model::{DomainRef, Text, Uuid};
use crate::core::op::{Outcome, Query};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// Fetches facts from the engine into a view.
pub(crate) struct Fetcher<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) caller: &'a Caller,
}

impl Fetcher<'_> {
    async fn ask(&self, query: Query) -> Result<Outcome, Failure> {
        let outcome = self.engine.execute(self.caller, query).await;
        outcome.map_err(|error| Failure::from_error(error, &FailureContext::default()))
    }

    /// Fetches facts that the view does not have yet: those of the VM or image that the call is
    /// about, or all if it is about neither.
    pub(crate) async fn fetch(
        &self,
        host: &mut HostView,
        need: Need,
        object: Option<Uuid>,
    ) -> Result<(), Failure> {
        match need {
            Need::Vcpus => self.fetch_vcpus(host, object).await,
            Need::Devices => self.fetch_devices(host, object).await,
            Need::ImageSizes => self.fetch_image_sizes(host, object).await,
            Need::Interfaces if host.fetched.interfaces.is_none() => {
                if let Outcome::Interfaces(interfaces) = self.ask(Query::Interfaces).await? {
                    host.fetched.interfaces = Some(interfaces);
                }
                Ok(())
            }
            Need::Pools if host.fetched.pools.is_none() => {
                if let Outcome::Pools(pools) = self.ask(Query::Pools).await? {
                    host.fetched.pools = Some(pools);
                }
                Ok(())
            }
            Need::Hardware if host.fetched.hardware.is_none() => {
                if let Outcome::Hardware(hardware) = self.ask(Query::Hardware).await? {
                    host.fetched.hardware = Some(hardware);
                }
                Ok(())
            }
            Need::Storage if host.fetched.storage.is_none() => {
                if let Outcome::Storage(storage) = self.ask(Query::Storage).await? {
                    host.fetched.storage = Some(storage);
                }
                Ok(())
            }
            Need::Interfaces | Need::Pools | Need::Hardware | Need::Storage => Ok(()),
        }
    }

    async fn fetch_vcpus(&self, host: &mut HostView, object: Option<Uuid>) -> Result<(), Failure> {
        for vm in vms(host, object) {
            let is_on_host = host.vm(vm).is_some_and(|vm| vm.facts.is_some());
            let vcpus = host.fetched.vcpus.get_or_insert_default();
            if vcpus.contains_key(&vm) {
                continue;
            }
            let fetched = match self.ask_vm(is_on_host, Query::Vcpus, vm).await? {
                Some(Outcome::Vcpus(_, fetched)) => fetched,
                _ => vec![],
            };
            vcpus.insert(vm, fetched);
        }
        Ok(())
    }

    async fn fetch_devices(
        &self,
        host: &mut HostView,
        object: Option<Uuid>,
    ) -> Result<(), Failure> {
        for vm in vms(host, object) {
            let is_on_host = host.vm(vm).is_some_and(|vm| vm.facts.is_some());
            let devices = host.fetched.devices.get_or_insert_default();
            if devices.contains_key(&vm) {
                continue;
            }
            let fetched = match self.ask_vm(is_on_host, Query::AllDevices, vm).await? {
                Some(Outcome::Devices(fetched)) => fetched,
                _ => vec![],
            };
            devices.insert(vm, fetched);
        }
        Ok(())
    }

    /// Asks about a VM; `None` if it is not on the host, or not any more.
    async fn ask_vm(
        &self,
        is_on_host: bool,
        query: fn(DomainRef) -> Query,
        vm: Uuid,
    ) -> Result<Option<Outcome>, Failure> {
        if !is_on_host {
            return Ok(None);
        }
        let query = query(DomainRef::new(vm.to_string()));
        match self.engine.execute(self.caller, query).await {
            Ok(outcome) => Ok(Some(outcome)),
            Err(Error::NoSuchDomain(_) | Error::Gone(_) | Error::NotStarted(_)) => Ok(None),
            Err(error) => Err(Failure::from_error(error, &FailureContext::default())),
        }
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
        let paths = unames.iter().map(path_of).collect();
        if let Outcome::Extents(extents) = self.ask(Query::Extents(paths)).await? {
            sizes.extend(unames.into_iter().zip(extents));
        }
        Ok(())
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

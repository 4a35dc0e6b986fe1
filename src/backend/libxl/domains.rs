//! What several calls of the port have in common.

use super::convert;
use super::facts::DomInfo;
use super::ffi::{Class, Plug};
use super::{Inner, failed, of_domain};
use crate::core::error::Error;
use crate::core::model::{Device, DeviceFacts, DomainConfig, DomainFacts, Property};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::time::SystemTime;

pub(super) fn parse<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    serde_json::from_str(text)
        .map_err(|error| Error::backend("libxl's answer makes no sense", error))
}

impl Inner {
    pub(super) fn info_of(&self, domid: u32) -> Result<Option<DomInfo>, Error> {
        match self.libxl.domain(domid) {
            Ok(text) => parse(&text).map(Some),
            Err(failure) => match of_domain(domid, "Reading a domain", failure) {
                Error::NoSuchDomain(_) => Ok(None),
                error => Err(error),
            },
        }
    }

    pub(super) fn facts(&self, info: &DomInfo) -> DomainFacts {
        let known = self.about(info.domid, info.uuid);
        info.facts(&known.name, known.started, known.ports)
    }

    /// The same for a sweep over all domains, whose names are not asked for each time.
    pub(super) fn figures(&self, info: &DomInfo) -> DomainFacts {
        let known = self.lately(info.domid, info.uuid);
        info.facts(&known.name, known.started, known.ports)
    }

    /// What is done with a domain that was just built: it is watched, and its configuration is kept
    /// with it.
    pub(super) fn settle_in(
        &self,
        domid: u32,
        config: &DomainConfig,
    ) -> Result<DomainFacts, Error> {
        let settled = self.keep(domid, config, Some(SystemTime::now())).and_then(|()| {
            // A sweep can have asked before there was a note.
            self.forget(domid);
            self.libxl.watch(domid).map_err(|failure| failed("Watching the domain", failure))?;
            self.info_of(domid)?.ok_or_else(|| Error::Gone(config.name.to_string()))
        });
        match settled {
            Ok(info) => Ok(self.facts(&info)),
            Err(error) => {
                let _ = self.libxl.destroy(domid);
                Err(error)
            }
        }
    }

    /// Plugs a device in, or out.
    pub(super) fn plug(
        &self,
        domid: u32,
        device: &Device,
        plug: Plug,
        what: &str,
    ) -> Result<(), Error> {
        if matches!(device, Device::Console(_)) {
            return Err(Error::Unsupported("A console cannot be plugged in or out".to_owned()));
        }
        for (list, value) in convert::device(device, self.password.as_ref())? {
            let class = match list {
                "disks" => Class::Disk,
                "nics" => Class::Nic,
                "vfbs" => Class::Vfb,
                "vkbs" => Class::Vkb,
                _ => Class::Pci,
            };
            let done = self.libxl.plug(domid, class, plug, &value.to_string());
            done.map_err(|failure| match plug {
                Plug::Add => Error::Device {
                    device: device.id().unwrap_or_default(),
                    class: device.class().to_owned(),
                    reason: failure.to_string(),
                },
                Plug::Remove | Plug::Destroy => of_domain(domid, what, failure),
            })?;
        }
        Ok(())
    }

    /// Devices that libxl has no word of, as the guest's XenStore shows them.
    pub(super) fn other_devices(
        &self,
        domid: u32,
        config: &DomainConfig,
    ) -> Result<Vec<DeviceFacts>, Error> {
        let mut facts = Vec::new();
        for device in &config.devices {
            let (Device::Vfb(_) | Device::Vkbd(_) | Device::Pci(_)) = device else { continue };
            let (class, number) = (device.class(), device.id().unwrap_or_default());
            let nodes = self.libxl.nodes(&format!("/local/domain/{domid}/device/{class}/{number}"));
            let nodes = nodes.map_err(|failure| of_domain(domid, "Reading devices", failure))?;
            if !nodes.is_empty() {
                let nodes =
                    nodes.into_iter().map(|(key, value)| Property::new(key, value)).collect();
                facts.push(DeviceFacts { class: class.to_owned(), number, nodes, io: None });
            }
        }
        Ok(facts)
    }
}

pub(super) fn vcpus_of(inner: &Inner, domid: u32) -> Result<u32, Error> {
    let text =
        inner.libxl.vcpus(domid).map_err(|failure| of_domain(domid, "Reading VCPUs", failure))?;
    let all: Vec<Value> = parse(&text)?;
    Ok(u32::try_from(all.len()).unwrap_or(1).max(1))
}

//! Devices that come and go while the guest runs.

use super::devices::{self, Fate};
use super::{Sim, create};
use crate::core::error::Error;
use crate::core::model::{Device, DomId};
use std::sync::Arc;

impl Sim {
    /// Plugs a device in and waits for its hotplug script. What does not get connected is taken
    /// away again.
    pub(super) async fn attach(&self, domid: DomId, device: &Device) -> Result<(), Error> {
        create::check_backends(&self.host, [device])?;
        let link = devices::link(device, self.host.now(), &self.host.settings);
        let (added, new) = (link.clone(), device.clone());
        self.change(domid, move |record, _| {
            record.links.push(added);
            Arc::make_mut(&mut record.config).devices.push(new);
            Ok(())
        })
        .await?;
        let (_, gone) = self.host.watched(domid)?;
        let remaining = link.remaining(self.host.now(), self.host.settings.device_patience);
        let outcome = tokio::select! {
            biased;
            () = gone.cancelled() => return Err(Error::Gone(domid.to_string())),
            () = tokio::time::sleep(remaining) => link.outcome(),
        };
        if outcome.is_err() {
            self.unplug(domid, device).await?;
        }
        outcome
    }

    /// Unplugs a device. A guest that is deaf does not let go of it, unless it is not asked.
    pub(super) async fn detach(
        &self,
        domid: DomId,
        device: &Device,
        force: bool,
    ) -> Result<(), Error> {
        let (record, gone) = self.host.watched(domid)?;
        let settings = &self.host.settings;
        let stuck = record.life.nature.deaf && !force;
        let takes = if stuck { settings.device_patience } else { settings.other_connect };
        tokio::select! {
            biased;
            () = gone.cancelled() => return Err(Error::Gone(domid.to_string())),
            () = tokio::time::sleep(takes) => {}
        }
        if stuck {
            let (device, class) = (device.id().unwrap_or_default(), device.class().to_owned());
            return Err(Error::DeviceBusy { device, class });
        }
        self.unplug(domid, device).await
    }

    async fn unplug(&self, domid: DomId, device: &Device) -> Result<(), Error> {
        let (class, id) = (device.class().to_owned(), device.id());
        self.change(domid, move |record, _| {
            record.links.retain(|link| link.class != class || Some(link.number) != id);
            let devices = &mut Arc::make_mut(&mut record.config).devices;
            devices.retain(|device| device.class() != class || device.id() != id);
            Ok(())
        })
        .await
    }

    /// Changes what is behind a device.
    pub(super) async fn configure(&self, domid: DomId, device: &Device) -> Result<(), Error> {
        let link = devices::link(device, self.host.now(), &self.host.settings);
        if link.fate != Fate::Connects {
            link.outcome()?;
        }
        let device = device.clone();
        self.change(domid, move |record, _| {
            let same =
                |other: &Device| other.class() == device.class() && other.id() == device.id();
            if let Some(old) =
                Arc::make_mut(&mut record.config).devices.iter_mut().find(|old| same(old))
            {
                *old = device.clone();
            }
            for old in &mut record.links {
                if old.class == link.class && old.number == link.number {
                    *old = link.clone();
                }
            }
            Ok(())
        })
        .await
    }
}

//! Devices that are attached and detached while the guest runs.

use super::create;
use super::devices;
use super::handle::Sim;
use crate::core::error::Error;
use crate::core::model::{Device, DomId};
use std::sync::Arc;
use tokio::time;

impl Sim {
    /// Plugs a device in and waits for its hotplug script. If that fails, the device is unplugged.
    pub(super) async fn attach(&self, domid: DomId, device: &Device) -> Result<(), Error> {
        create::check_backends(self.host(), [device])?;
        let link = devices::link(device, self.host().now(), &self.host().settings);
        let new_link = link.clone();
        let new_device = device.clone();
        self.change(domid, move |record, now| {
            record.links.push(new_link);
            Arc::make_mut(&mut record.config).devices.push(new_device);
            record.wake_agent(now);
            Ok(())
        })
        .await?;
        let (_, destroyed) = self.host().record_and_token(domid)?;
        let remaining = link.remaining(self.host().now(), self.host().settings.hotplug_timeout);
        let result = tokio::select! {
            biased;
            () = destroyed.cancelled() => return Err(Error::Gone(domid.to_string())),
            () = time::sleep(remaining) => link.result(),
        };
        if result.is_err() {
            self.unplug(domid, device).await?;
        }
        result
    }

    /// Unplugs a device. A deaf guest does not release it, unless `force` is set.
    pub(super) async fn detach(
        &self,
        domid: DomId,
        device: &Device,
        force: bool,
    ) -> Result<(), Error> {
        let (record, destroyed) = self.host().record_and_token(domid)?;
        let settings = &self.host().settings;
        let is_kept = record.guest.behaviour.deaf && !force;
        let delay = if is_kept { settings.hotplug_timeout } else { settings.other_connect };
        tokio::select! {
            biased;
            () = destroyed.cancelled() => return Err(Error::Gone(domid.to_string())),
            () = time::sleep(delay) => {}
        }
        if is_kept {
            return Err(Error::DeviceBusy {
                device: device.id().unwrap_or_default(),
                class: device.class().to_owned(),
            });
        }
        self.unplug(domid, device).await
    }

    async fn unplug(&self, domid: DomId, device: &Device) -> Result<(), Error> {
        let class = device.class().to_owned();
        let id = device.id();
        self.change(domid, move |record, now| {
            record.wake_agent(now);
            record.links.retain(|link| link.class != class || Some(link.number) != id);
            let devices = &mut Arc::make_mut(&mut record.config).devices;
            devices.retain(|device| device.class() != class || device.id() != id);
            Ok(())
        })
        .await
    }

    /// Replaces a device by one of the same class and number.
    pub(super) async fn configure(&self, domid: DomId, device: &Device) -> Result<(), Error> {
        let link = devices::link(device, self.host().now(), &self.host().settings);
        link.result()?;
        let device = device.clone();
        self.change(domid, move |record, now| {
            record.wake_agent(now);
            let is_replaced =
                |old: &Device| old.class() == device.class() && old.id() == device.id();
            let config = Arc::make_mut(&mut record.config);
            if let Some(old) = config.devices.iter_mut().find(|old| is_replaced(old)) {
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

//! How domains come in: created, defined, restored.

use super::Core;
use crate::core::driver::{Driver, Handle};
use crate::core::error::Error;
use crate::core::model::{Console, Device, DomName, DomainConfig, DomainRef, Invalid, Mac, Uuid};
use crate::core::op::{Arrival, DomainOp, Once, Outcome};
use crate::core::registry::Taken;
use crate::core::snapshot::DomainView;
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::oneshot;

impl Core {
    /// Builds a domain and leaves it paused. A defined domain that is not on the host is built with
    /// this configuration in place of the stored one.
    pub(super) async fn create(
        self: &Arc<Self>,
        mut config: DomainConfig,
    ) -> Result<Outcome, Error> {
        if let Some(view) = self.halted_namesake(&config) {
            config.uuid = Some(view.uuid);
            self.complete(&mut config, Role::Running);
            config.check()?;
            return self.ask(&view, DomainOp::CreateFrom(Box::new(config))).await;
        }
        let uuid = self.complete(&mut config, Role::Running);
        config.check()?;
        self.check_new_name(uuid, &config.name)?;
        self.admit(uuid, config.name.clone(), |mut driver| async move {
            let built = driver.build(Arc::new(config)).await.map(Outcome::Domain);
            (driver, built)
        })
        .await
    }

    /// The defined domain that a configuration without a UUID, or with this one, means by its name.
    fn halted_namesake(&self, config: &DomainConfig) -> Option<Arc<DomainView>> {
        let board = self.board.current();
        let view = match config.uuid {
            Some(uuid) => board.by_uuid(&uuid)?,
            None => board.by_name(&config.name)?,
        };
        // One that is neither on the host nor defined is being built.
        (view.facts.is_none() && view.managed() && view.config.name == config.name)
            .then(|| view.clone())
    }

    /// Stores a definition. A domain of the same UUID and name is redefined, and goes on as it is
    /// if it runs: libvirt's autostart sends the answer about a running domain back with one word
    /// changed.
    pub(super) async fn define(
        self: &Arc<Self>,
        mut config: DomainConfig,
    ) -> Result<Outcome, Error> {
        let known = config.uuid.and_then(|uuid| self.board.current().by_uuid(&uuid).cloned());
        let uuid = self.complete(&mut config, Role::Defined);
        config.check()?;
        if let Some(view) = known {
            return self.ask(&view, DomainOp::Define(Box::new(config))).await;
        }
        self.check_new_name(uuid, &config.name)?;
        self.admit(uuid, config.name.clone(), |mut driver| async move {
            let defined = driver.define_anew(config).await;
            (driver, defined)
        })
        .await
    }

    /// Builds a domain from a file, and lets it run unless it is to stay paused.
    pub(super) async fn restore(
        self: &Arc<Self>,
        file: PathBuf,
        paused: bool,
    ) -> Result<Outcome, Error> {
        let (mut config, stream) = self.limited("Opening the file", self.store.open(&file)).await?;
        let uuid = self.complete(&mut config, Role::Running);
        config.check()?;
        self.renew_devices(uuid, [&mut config]);
        if let Some(view) = self.halted_namesake(&config) {
            // The domain is managed: it is the one that was saved, or was defined under the same
            // name since.
            let stream = Once::new(stream);
            let op = DomainOp::RestoreFrom { config: Box::new(config), stream, paused };
            return self.ask(&view, op).await;
        }
        self.check_new_name(uuid, &config.name)?;
        self.admit(uuid, config.name.clone(), move |mut driver| async move {
            let restored = driver.restore(Arc::new(config), stream, paused).await;
            (driver, restored)
        })
        .await
    }

    /// Takes in a domain that comes from another host.
    pub(super) async fn receive(self: &Arc<Self>, mut arrival: Arrival) -> Result<Outcome, Error> {
        let mut config = DomainConfig::clone(&arrival.parcel.config);
        let uuid = config.uuid.ok_or_else(|| Invalid::new("uuid: missing"))?;
        config.check()?;
        let mut definition = arrival.parcel.definition.as_deref().cloned();
        self.renew_devices(uuid, std::iter::once(&mut config).chain(&mut definition));
        arrival.parcel.definition = definition.map(Arc::new);
        let config = Arc::new(config);
        arrival.parcel.config = config.clone();
        if let Some(view) = self.halted_namesake(&config) {
            return self.ask(&view, DomainOp::Arrive(arrival)).await;
        }
        self.check_new_name(uuid, &config.name)?;
        if let Some(definition) = &arrival.parcel.definition {
            self.check_new_name(uuid, &definition.name)?;
        }
        self.admit(uuid, config.name.clone(), |mut driver| async move {
            let arrived = driver.arrive(arrival).await;
            (driver, arrived)
        })
        .await
    }

    /// Takes in a new domain: `begin` brings it where it is to be, and its driver minds it from
    /// then on. In a task of its own: a client that hangs up does not leave half a domain.
    async fn admit<F, R>(
        self: &Arc<Self>,
        uuid: Uuid,
        name: DomName,
        begin: F,
    ) -> Result<Outcome, Error>
    where
        F: FnOnce(Driver) -> R + Send + 'static,
        R: Future<Output = (Driver, Result<Outcome, Error>)> + Send,
    {
        let (handle, inbox) = Handle::new();
        self.reserve(uuid, &name, handle)?;
        let driver = Driver::new(self.clone(), inbox, uuid, name);
        let (answer, answered) = oneshot::channel();
        tokio::spawn(async move {
            let (driver, outcome) = begin(driver).await;
            let _ = answer.send(outcome);
            driver.run().await;
        });
        answered.await.unwrap_or(Err(Error::Stopping))
    }

    /// Takes a name and a UUID for a new domain, or says what is in the way.
    pub(in crate::core) fn reserve(
        &self,
        uuid: Uuid,
        name: &DomName,
        handle: Handle,
    ) -> Result<(), Error> {
        self.registry.reserve(uuid, name, handle).map_err(|taken| match taken {
            Taken::Uuid(owner) if owner != *name => {
                Error::UuidTaken { uuid, owner: owner.to_string(), domid: self.domid_of(&uuid) }
            }
            Taken::Uuid(_) => Error::Exists { name: name.to_string(), domid: self.domid_of(&uuid) },
            Taken::Name(owner) => {
                Error::Exists { name: name.to_string(), domid: self.domid_of(&owner) }
            }
        })
    }

    /// Refuses a name that nobody may give to a domain, and one by which clients already reach a
    /// domain: the domid of one that runs, or the UUID of another one.
    pub(in crate::core) fn check_new_name(&self, uuid: Uuid, name: &DomName) -> Result<(), Error> {
        name.check()?;
        let board = self.board.current();
        let asked = DomainRef::new(name.as_str());
        let by_domid =
            asked.domid().and_then(|domid| board.by_domid(domid)).map(|view| ("domid", view));
        let other = asked.uuid().filter(|other| *other != uuid);
        let by_uuid = || other.and_then(|other| board.by_uuid(&other)).map(|view| ("UUID", view));
        match by_domid.or_else(by_uuid) {
            None => Ok(()),
            Some((what, view)) => Err(Error::NameMeansDomain {
                name: name.to_string(),
                what,
                owner: view.name().to_string(),
            }),
        }
    }

    /// Refuses PCI functions that another domain on the host has.
    pub(in crate::core) fn check_functions<'a>(
        &self,
        uuid: Uuid,
        devices: impl IntoIterator<Item = &'a Device>,
    ) -> Result<(), Error> {
        let board = self.board.current();
        for pci in devices.into_iter().filter_map(Device::as_pci) {
            for view in board.domains().filter(|view| view.uuid != uuid && view.facts.is_some()) {
                let mut others = view.config.devices.iter().filter_map(Device::as_pci);
                if let Some(address) = others.find_map(|other| pci.shared_with(other)) {
                    let reason = format!("{address} is handed through to {} already", view.name());
                    let device = pci.id.unwrap_or_default();
                    return Err(Error::Device { device, class: "pci".to_owned(), reason });
                }
            }
        }
        Ok(())
    }

    /// Gives those devices new UUIDs whose UUID a device of another domain has: a save file can be
    /// a copy that was edited. The same device has the same new UUID in each configuration.
    fn renew_devices<'a>(
        &self,
        uuid: Uuid,
        configs: impl IntoIterator<Item = &'a mut DomainConfig>,
    ) {
        let board = self.board.current();
        let others = board.domains().filter(|view| view.uuid != uuid);
        let taken: HashSet<Uuid> = others
            .flat_map(|view| view.configs())
            .flat_map(|config| config.devices.iter().filter_map(Device::uuid))
            .collect();
        let mut renewed: HashMap<Uuid, Uuid> = HashMap::new();
        for device in configs.into_iter().flat_map(|config| &mut config.devices) {
            if let Some(uuid) = device.uuid_mut().as_mut().filter(|uuid| taken.contains(uuid)) {
                *uuid = *renewed.entry(*uuid).or_insert_with(|| self.entropy.uuid());
            }
        }
    }

    /// Makes up what a configuration leaves open: UUIDs, MAC addresses, numbers of devices, and for
    /// a domain that is to run a console and what the operator wants devices to have.
    pub(in crate::core) fn complete(&self, config: &mut DomainConfig, role: Role) -> Uuid {
        let uuid = *config.uuid.get_or_insert_with(|| self.entropy.uuid());
        let console = |device: &Device| matches!(device, Device::Console(_));
        if role == Role::Running && !config.devices.iter().any(console) {
            config
                .devices
                .push(Device::Console(Console { protocol: "vt100".into(), ..Console::default() }));
        }
        let policy = self.policy();
        for device in &mut config.devices {
            self.complete_device(device);
            if role == Role::Running {
                policy.devices.complete(device, config.image.as_ref());
            }
        }
        config.number_devices();
        uuid
    }

    /// The same for one device, apart from its number.
    pub(in crate::core) fn complete_device(&self, device: &mut Device) {
        device.uuid_mut().get_or_insert_with(|| self.entropy.uuid());
        if let Device::Vif(vif) = device {
            vif.mac.get_or_insert_with(|| {
                let mut random = [0; 3];
                self.entropy.fill(&mut random);
                Mac::in_xen_range(random)
            });
        }
    }
}

/// What a configuration is completed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::core) enum Role {
    /// To be stored.
    Defined,
    /// To be built.
    Running,
}

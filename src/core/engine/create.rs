//! New domains: created, defined, restored from a file, or received from another host.

use crate::core::caller::Caller;
use crate::core::context::Core;
use crate::core::driver::Driver;
use crate::core::error::Error;
use crate::core::mailbox::mailbox;
use crate::core::model::{CompleteConfig, Device, DomainConfig, Invalid, Uuid};
use crate::core::op::{Arrival, DomainOp, Once, Outcome};
use crate::core::ports::Entropy;
use crate::core::snapshot::DomainView;
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::oneshot;

impl Core {
    /// Builds a domain and leaves it paused. A halted domain of the same name is built with this
    /// configuration in place of its definition.
    pub(super) async fn create(
        self: &Arc<Self>,
        caller: &Caller,
        mut config: DomainConfig,
    ) -> Result<Outcome, Error> {
        config.check_shared()?;
        let _claim = self.authorize_config(caller, &mut config)?;
        if let Some(view) = self.halted_domain(&config) {
            config.uuid = Some(view.uuid);
            let config = Arc::new(self.complete_for_build(config)?);
            return self.request(&view, DomainOp::CreateFrom(config)).await;
        }
        let config = Arc::new(self.complete_for_build(config)?);
        self.check_new_name(config.uuid(), &config.name)?;
        self.start_driver("create", config.clone(), |mut driver| async move {
            let built = driver.build(config).await.map(Outcome::Domain);
            (driver, built)
        })
        .await
    }

    /// The halted domain that a configuration means: by its UUID and name, or without a UUID by its
    /// name alone.
    fn halted_domain(&self, config: &DomainConfig) -> Option<Arc<DomainView>> {
        let snapshot = self.snapshot();
        let view = match config.uuid {
            Some(uuid) => snapshot.by_uuid(&uuid)?,
            None => snapshot.by_name(&config.name)?,
        };
        // A domain that is neither on the host nor defined is being built.
        (view.facts.is_none() && view.managed() && view.config.name == config.name)
            .then(|| view.clone())
    }

    /// Stores a definition. A domain of the same UUID and name gets it as its new definition, and
    /// goes on if it runs: libvirt's autostart sends the answer about a running domain back with
    /// one word changed.
    pub(super) async fn define(
        self: &Arc<Self>,
        caller: &Caller,
        mut config: DomainConfig,
    ) -> Result<Outcome, Error> {
        config.check_shared()?;
        let _claim = self.authorize_config(caller, &mut config)?;
        let known = config.uuid.and_then(|uuid| self.snapshot().by_uuid(&uuid).cloned());
        let config = Arc::new(self.complete_definition(config)?);
        if let Some(view) = known {
            return self.request(&view, DomainOp::Define(config)).await;
        }
        self.check_new_name(config.uuid(), &config.name)?;
        self.start_driver("new", config.clone(), |mut driver| async move {
            let defined = driver.define_new(config).await;
            (driver, defined)
        })
        .await
    }

    /// Builds a domain from a configuration that an operator keeps in a file, and lets it run.
    pub(super) async fn start_from_file(
        self: &Arc<Self>,
        config: DomainConfig,
    ) -> Result<Outcome, Error> {
        config.check_shared()?;
        let config = Arc::new(self.complete_for_build(config)?);
        self.check_new_name(config.uuid(), &config.name)?;
        self.start_driver("start", config.clone(), |mut driver| async move {
            let started = driver.build_and_unpause(config).await;
            (driver, started)
        })
        .await
    }

    /// Restores a domain from a file, and unpauses it unless it is to stay `paused`.
    pub(super) async fn restore(
        self: &Arc<Self>,
        caller: &Caller,
        file: PathBuf,
        paused: bool,
    ) -> Result<Outcome, Error> {
        let (config, stream) = self.limited("Opening the file", self.store.open(&file)).await?;
        let mut config = DomainConfig::from(config);
        if config.uuid.is_some_and(|uuid| !self.may_have_uuid(caller, uuid)) {
            // The saved domain is gone, or the file is a copy: the domain gets a UUID of its own.
            config.uuid = None;
        }
        let rights = caller.access().rights_on(config.uuid, config.name.as_str());
        if rights.is_empty() {
            return Err(Error::BeyondLimits("file: it has no domain of the account".to_owned()));
        }
        let _claim = self.authorize_config(caller, &mut config)?;
        let config = self.complete_for_build(config)?;
        let config = Arc::new(self.device_uuids(config.uuid()).renew(&config)?);
        if let Some(view) = self.halted_domain(&config) {
            // The managed domain that was saved, or one that was defined under its name since.
            let stream = Once::new(stream);
            let op = DomainOp::RestoreFrom { config, stream, paused };
            return self.request(&view, op).await;
        }
        self.check_new_name(config.uuid(), &config.name)?;
        self.start_driver("restore", config.clone(), move |mut driver| async move {
            let restored = driver.restore(config, stream, paused).await;
            (driver, restored)
        })
        .await
    }

    /// Receives a domain from another host.
    pub(super) async fn receive(self: &Arc<Self>, mut arrival: Arrival) -> Result<Outcome, Error> {
        let uuid = arrival.migrated.config.uuid();
        let mut device_uuids = self.device_uuids(uuid);
        let config = Arc::new(device_uuids.renew(&arrival.migrated.config)?);
        arrival.migrated.config = config.clone();
        if let Some(definition) = &mut arrival.migrated.definition {
            // The definition is stored under the domain's UUID, whatever the other host sent.
            let same_uuid = definition.with(|definition| definition.uuid = Some(uuid))?;
            *definition = Arc::new(device_uuids.renew(&same_uuid)?);
        }
        if let Some(view) = self.halted_domain(&config) {
            return self.request(&view, DomainOp::Arrive(arrival)).await;
        }
        self.check_new_name(uuid, &config.name)?;
        if let Some(definition) = &arrival.migrated.definition {
            self.check_new_name(uuid, &definition.name)?;
        }
        self.start_driver("receive", config, |mut driver| async move {
            let received = driver.receive(arrival).await;
            (driver, received)
        })
        .await
    }

    /// Starts the driver of a new domain with its first operation, `begin`. In a task of its own: a
    /// client that hangs up does not leave half a domain.
    pub(super) async fn start_driver<F, R>(
        self: &Arc<Self>,
        op: &'static str,
        config: Arc<CompleteConfig>,
        begin: F,
    ) -> Result<Outcome, Error>
    where
        F: FnOnce(Driver) -> R + Send + 'static,
        R: Future<Output = (Driver, Result<Outcome, Error>)> + Send,
    {
        let (handle, inbox) = mailbox();
        self.reserve(config.uuid(), &config.name, handle)?;
        let driver = Driver::new(self.clone(), inbox, config);
        let (answer, answered) = oneshot::channel();
        self.tasks.spawn(async move {
            let operation = driver.operation(op);
            let (driver, outcome) = begin(driver).await;
            drop(operation);
            let _ = answer.send(outcome);
            driver.run().await;
        });
        answered.await.unwrap_or(Err(Error::Stopping))
    }

    /// The UUIDs that devices of the domain `uuid` cannot have.
    fn device_uuids(&self, uuid: Uuid) -> DeviceUuids<'_> {
        let snapshot = self.snapshot();
        let others = snapshot.domains().filter(|view| view.uuid != uuid);
        let taken = others
            .flat_map(|view| view.configs())
            .flat_map(|config| config.devices.iter().filter_map(Device::uuid))
            .collect();
        DeviceUuids { taken, renewed: HashMap::new(), entropy: &*self.entropy }
    }
}

/// UUIDs of the devices of a domain that comes from a file or another host.
struct DeviceUuids<'a> {
    /// UUIDs of other domains' devices: a save file can be a copy that was edited.
    taken: HashSet<Uuid>,
    /// The new UUIDs by the old ones: a device gets the same one in each configuration.
    renewed: HashMap<Uuid, Uuid>,
    entropy: &'a dyn Entropy,
}

impl DeviceUuids<'_> {
    /// The configuration with new UUIDs in place of those that are taken.
    fn renew(&mut self, config: &CompleteConfig) -> Result<CompleteConfig, Invalid> {
        config.with(|config| {
            let uuids = config.devices.iter_mut().filter_map(|device| device.uuid_mut().as_mut());
            for uuid in uuids.filter(|uuid| self.taken.contains(uuid)) {
                *uuid = *self.renewed.entry(*uuid).or_insert_with(|| self.entropy.uuid());
            }
        })
    }
}

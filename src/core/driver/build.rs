//! Building and destroying a domain, and its stored definition.

use super::state::Driver;
use crate::core::error::{Error, Place};
use crate::core::lifecycle::{State, Transition};
use crate::core::model::{
    CompleteConfig, DomId, DomName, DomainConfig, DomainFacts, Invalid, Setting,
};
use crate::core::op::Outcome;
use crate::core::snapshot::DomainView;
use std::sync::Arc;
use tracing::{error, info, warn};

impl Driver {
    /// Builds the domain and leaves it paused.
    pub(in crate::core) async fn build(
        &mut self,
        config: Arc<CompleteConfig>,
    ) -> Result<Arc<DomainView>, Error> {
        self.claim(&config.name).await?;
        self.state = State::Building;
        let _memory = self.core.reserve_memory(&config).await;
        let created = match self.core.check_pci_functions(self.uuid, &config.devices) {
            Ok(()) => {
                let create = |transfer| self.core.hypervisor.create(&config, transfer);
                self.core.long_call("Create", create).await
            }
            Err(conflict) => Err(conflict),
        };
        let view = self.build_done(config, created)?;
        self.confirm_build().await?;
        Ok(view)
    }

    /// Asks for the domain before it is built. Without it, the domain stays off the host.
    pub(super) async fn claim(&mut self, name: &DomName) -> Result<(), Error> {
        let claimed = match self.core.arrivals.check_decided(self.uuid) {
            Ok(()) => self.core.settings.ownership.claim(self.uuid, name).await,
            Err(undecided) => Err(undecided),
        };
        claimed.inspect_err(|_| self.left_host())
    }

    /// Asks to let the domain run that is built. Without leave it is destroyed.
    pub(super) async fn confirm_build(&mut self) -> Result<(), Error> {
        let Err(error) = self.core.settings.ownership.run(self.uuid).await else { return Ok(()) };
        if let Err(error) = self.destroy().await {
            error!(domain = %self.config.name, %error, "A domain without leave to run is still here");
            self.core.settings.ownership.hold(self.uuid, &self.config.name);
        }
        Err(error)
    }

    /// Builds the domain and lets it run.
    pub(in crate::core) async fn build_and_unpause(
        &mut self,
        config: Arc<CompleteConfig>,
    ) -> Result<Outcome, Error> {
        let view = self.build(config).await?;
        self.wait_and_unpause(false).await?;
        Ok(Outcome::Domain(self.current_view().unwrap_or(view)))
    }

    /// Publishes a domain that was built, or its failure.
    pub(super) fn build_done(
        &mut self,
        config: Arc<CompleteConfig>,
        built: Result<DomainFacts, Error>,
    ) -> Result<Arc<DomainView>, Error> {
        match built {
            Ok(facts) => {
                self.config = config;
                self.domid = Some(facts.domid);
                self.advance(Transition::Built);
                Ok(self.publish(Some(facts), None))
            }
            Err(error) => {
                self.left_host();
                Err(error)
            }
        }
    }

    /// Waits for the devices of a domain that was just built, and unpauses it unless it is to stay
    /// `paused`. If the devices fail, the domain is destroyed.
    pub(super) async fn wait_and_unpause(&mut self, paused: bool) -> Result<(), Error> {
        let domid = self.on_host()?;
        if let Err(error) = self.core.hypervisor.wait_for_devices(domid).await {
            self.destroy().await?;
            return Err(error);
        }
        if !paused {
            self.core.hypervisor.unpause(domid).await?;
        }
        self.refresh().await.map(drop)
    }

    pub(super) async fn destroy(&mut self) -> Result<(), Error> {
        self.tear_down().await?;
        // Before any answer: later reads must not find the domain.
        self.left_host();
        self.core.settings.ownership.released(self.uuid).await;
        Ok(())
    }

    /// Has the hypervisor destroy the domain. Freeing the memory of a large domain takes minutes.
    async fn tear_down(&mut self) -> Result<(), Error> {
        let domid = self.on_host()?;
        self.advance(Transition::Destroy);
        let destroy = |transfer| self.core.hypervisor.destroy(domid, transfer);
        match self.core.long_call("Destroy", destroy).await {
            Ok(()) | Err(Error::NoSuchDomain(_)) => Ok(()),
            Err(error) => {
                // The domain is still there: publish its state.
                let _ = self.refresh().await;
                Err(error)
            }
        }
    }

    /// Clears away a domain that somebody else has destroyed: a guard does so without a toolstack,
    /// and what that has of the domain keeps it from going. Another toolstack that is just
    /// destroying it is done or almost so.
    pub(super) async fn clear_away(&mut self, domid: DomId) {
        match self.tear_down().await {
            Ok(()) => {
                info!(domain = %self.config.name, %domid, "Domain was destroyed by others");
                self.left_host();
            }
            Err(error) => {
                warn!(
                    domain = %self.config.name, %domid, %error,
                    "What is left of a destroyed domain could not be cleared away"
                );
            }
        }
    }

    /// Has the hypervisor's toolstack clear away what it has of a domain that is gone: a guard
    /// leaves it.
    pub(super) async fn clear_remains(&self, domid: DomId) {
        match self.core.hypervisor.destroy(domid, Arc::default()).await {
            Ok(()) | Err(Error::NoSuchDomain(_)) => {}
            Err(error) => {
                warn!(domain = %self.config.name, %domid, %error, "A domain may be left in part");
            }
        }
    }

    /// Destroys the domain, and builds and unpauses it with the same configuration and a new domid.
    pub(super) async fn restart(&mut self) -> Result<(), Error> {
        let config = self.restarted_config()?;
        self.tear_down().await?;
        self.build_again(config).await
    }

    /// The running configuration with one more restart.
    pub(super) fn restarted_config(&self) -> Result<CompleteConfig, Invalid> {
        self.config.with(|config| config.restarts = config.restarts.saturating_add(1))
    }

    /// Builds and unpauses a domain that has stopped.
    pub(super) async fn build_again(&mut self, config: CompleteConfig) -> Result<(), Error> {
        self.build(Arc::new(config)).await?;
        self.wait_and_unpause(false).await?;
        info!(domain = %self.config.name, domid = ?self.domid, "Domain was restarted");
        Ok(())
    }

    /// Adopts the domain if another toolstack has started it.
    pub(super) async fn adopt_if_started(&mut self) {
        let Ok(domains) = self.core.hypervisor.domains().await else { return };
        let is_it = |facts: &DomainFacts| facts.uuid == self.uuid && !facts.flags.dying;
        let Some(facts) = domains.into_iter().find(is_it) else { return };
        let read = self.core.hypervisor.config(facts.domid).await;
        let complete = |config: DomainConfig| {
            let name = self.config.name.clone();
            let uuid = Some(self.uuid);
            self.core.complete_definition(DomainConfig { name, uuid, ..config })
        };
        match read.and_then(|config| Ok(complete(config)?)) {
            Ok(config) => {
                info!(
                    domain = %self.config.name, domid = %facts.domid,
                    "Domain was started by another toolstack"
                );
                self.core.settings.ownership.hold(self.uuid, &facts.name);
                self.config = Arc::new(config);
                self.domid = Some(facts.domid);
                self.state = State::from_flags(&facts.flags);
                self.follow_name(&facts).await;
                self.publish(Some(facts), None);
            }
            Err(error) => {
                warn!(
                    domain = %self.config.name, domid = %facts.domid, %error,
                    "Could not read a domain's configuration"
                );
            }
        }
    }

    /// Starts a defined domain.
    pub(super) async fn start_defined(&mut self, paused: bool) -> Result<Outcome, Error> {
        self.check("start", Transition::Start)?;
        let config = self.core.complete_for_build(DomainConfig::clone(&self.config))?;
        self.build(Arc::new(config)).await?;
        self.wait_and_unpause(paused).await?;
        if self.config.is_transient() {
            let pending = self.core.settings.ownership.delete(self.uuid).await?;
            self.delete_definition().await?;
            let refreshed = self.refresh().await;
            pending.done();
            return refreshed;
        }
        Ok(Outcome::Done)
    }

    /// Builds a defined domain with a configuration other than its definition, which stays.
    pub(super) async fn create_from(
        &mut self,
        config: Arc<CompleteConfig>,
    ) -> Result<Outcome, Error> {
        if self.domid.is_some() {
            return Err(self.exists(&config.name));
        }
        if config.name != self.config.name {
            let reason = format!("name: the domain is defined as {}", self.config.name);
            return Err(Invalid::new(reason).into());
        }
        self.check("create", Transition::Start)?;
        self.build(config).await.map(Outcome::Domain)
    }

    /// Defines a new domain.
    pub(in crate::core) async fn define_new(
        &mut self,
        config: Arc<CompleteConfig>,
    ) -> Result<Outcome, Error> {
        let defined = async {
            // The definition that came with it is still to be removed.
            self.core.arrivals.check_decided(self.uuid)?;
            let pending = self.core.settings.ownership.define(&config).await?;
            self.store_definition(config).await?;
            Ok(pending)
        };
        match defined.await {
            Ok(pending) => {
                self.state = State::Halted;
                let refreshed = self.refresh().await;
                pending.done();
                refreshed
            }
            Err(error) => {
                self.left_host();
                Err(error)
            }
        }
    }

    /// Replaces the definition, which a domain on the host uses from its next start on.
    pub(super) async fn define(&mut self, config: &CompleteConfig) -> Result<Outcome, Error> {
        if config.name != self.config.name {
            // A copied configuration can still have this domain's UUID, and is for another domain.
            return Err(Error::UuidTaken {
                uuid: self.uuid,
                owner: self.config.name.to_string(),
                at: Place::Here(self.domid),
            });
        }
        if self.state == State::Suspended {
            return Err(self.bad_state("define"));
        }
        let earlier = self.definition.as_ref().unwrap_or(&self.config);
        let mut new = DomainConfig::clone(config);
        new.uuid = Some(self.uuid);
        new.inherit_missing(earlier)?;
        let new = Arc::new(CompleteConfig::try_from(new)?);
        let pending = self.core.settings.ownership.define(&new).await?;
        self.store_definition(new).await?;
        let refreshed = self.refresh().await;
        pending.done();
        refreshed
    }

    pub(super) async fn delete(&mut self) -> Result<Outcome, Error> {
        self.check("delete", Transition::Delete)?;
        let pending = self.core.settings.ownership.delete(self.uuid).await?;
        self.delete_definition().await?;
        self.core.remove_history(self.uuid).await;
        self.left_host();
        pending.done();
        Ok(Outcome::Done)
    }

    /// Changes a setting in the configuration and leaves the running domain alone.
    pub(super) async fn set(&mut self, setting: &Setting) -> Result<Outcome, Error> {
        if self.state != State::Halted && setting.is_for_halted() {
            return Err(self.bad_state("change"));
        }
        // The definition can have a device that the running configuration has not, or the other way
        // round.
        let both = || [Some(&self.config), self.definition.as_ref()].into_iter().flatten();
        let neither = !both().any(|config| setting.concerns(config));
        for config in both().filter(|config| neither || setting.concerns(config)) {
            let mut changed = DomainConfig::clone(config);
            setting.apply(&mut changed)?;
            CompleteConfig::try_from(changed)?;
        }
        let change = |config: &mut DomainConfig| {
            let _ = setting.apply(config);
        };
        self.reconfigure(change).await?;
        self.refresh().await
    }
}

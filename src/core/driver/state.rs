//! The state of a driver, and the steps that its operations share.

use super::incoming::Incoming;
use crate::core::context::Core;
use crate::core::error::{Error, Place};
use crate::core::lifecycle::{State, Transition};
use crate::core::mailbox::{Inbox, OperationGuard};
use crate::core::model::{CompleteConfig, DomId, DomName, DomainConfig, DomainFacts, Uuid};
use crate::core::op::Outcome;
use crate::core::ports::{Definition, Handover};
use crate::core::publisher::DomainUpdate;
use crate::core::snapshot::DomainView;
use crate::core::transfer::Progress;
use std::sync::Arc;

/// The driver of one domain.
pub(in crate::core) struct Driver {
    pub(super) core: Arc<Core>,
    pub(super) inbox: Inbox,
    pub(super) uuid: Uuid,
    /// `None` while the domain is not on the host.
    pub(super) domid: Option<DomId>,
    pub(super) state: State,
    /// The running configuration; the definition if the domain is not on the host.
    pub(super) config: Arc<CompleteConfig>,
    /// The stored definition of a managed domain. It can differ from the running configuration.
    pub(super) definition: Option<Arc<CompleteConfig>>,
    /// A migration whose outcome only the other host knows.
    pub(super) in_doubt: Option<Handover>,
    /// A domain that another host has handed over, and that this host has not taken.
    pub(super) incoming: Option<Incoming>,
    /// The domid under which the memory of the stopped domain has been dumped.
    pub(super) dumped: Option<DomId>,
    unregistered: bool,
}

impl Driver {
    /// The driver of a domain that is about to be built or defined, under a name that is reserved
    /// already.
    pub(in crate::core) fn new(core: Arc<Core>, inbox: Inbox, config: Arc<CompleteConfig>) -> Self {
        Self::off_host(core, inbox, State::Building, config, None)
    }

    /// The driver of a domain that is on the host already.
    pub(in crate::core) fn running(
        core: Arc<Core>,
        inbox: Inbox,
        config: Arc<CompleteConfig>,
        facts: DomainFacts,
        definition: Option<Definition>,
    ) -> Self {
        let driver = Self {
            core,
            inbox,
            uuid: facts.uuid,
            domid: Some(facts.domid),
            state: State::from_flags(&facts.flags),
            config,
            definition: definition.map(|definition| Arc::new(definition.config)),
            in_doubt: None,
            incoming: None,
            // A domain that crashed earlier was dumped at that time.
            dumped: facts.flags.shutdown.map(|_| facts.domid),
            unregistered: false,
        };
        driver.publish(Some(facts), None);
        driver
    }

    /// The driver of a domain that is stored and not on the host. [`update`](Self::update) is to
    /// be published before it starts.
    pub(in crate::core) fn halted(core: Arc<Core>, inbox: Inbox, definition: Definition) -> Self {
        let state = if definition.suspended { State::Suspended } else { State::Halted };
        let config = Arc::new(definition.config);
        Self::off_host(core, inbox, state, config.clone(), Some(config))
    }

    fn off_host(
        core: Arc<Core>,
        inbox: Inbox,
        state: State,
        config: Arc<CompleteConfig>,
        definition: Option<Arc<CompleteConfig>>,
    ) -> Self {
        Self {
            core,
            inbox,
            uuid: config.uuid(),
            domid: None,
            state,
            config,
            definition,
            in_doubt: None,
            incoming: None,
            dumped: None,
            unregistered: false,
        }
    }

    /// Shows which operation the driver carries out, until the guard is dropped.
    pub(in crate::core) fn operation(&self, name: &'static str) -> OperationGuard {
        self.inbox.operation(name)
    }

    /// The domid, for operations that need one.
    pub(super) fn on_host(&self) -> Result<DomId, Error> {
        self.domid.ok_or_else(|| Error::NotStarted(self.config.name.to_string()))
    }

    /// Fails if the transition is impossible in the domain's state. `verb` names the operation.
    pub(super) fn check(&self, verb: &'static str, transition: Transition) -> Result<(), Error> {
        self.state.after(transition).map(drop).ok_or_else(|| self.bad_state(verb))
    }

    pub(super) fn bad_state(&self, verb: &'static str) -> Error {
        Error::BadState { verb, name: self.config.name.to_string(), state: self.state.name() }
    }

    /// The error of an operation that is for a domain which is not on the host.
    pub(super) fn exists(&self, name: &DomName) -> Error {
        Error::Exists { name: name.to_string(), at: Place::Here(self.domid) }
    }

    pub(super) fn advance(&mut self, transition: Transition) {
        if let Some(next) = self.state.after(transition) {
            self.state = next;
        }
    }

    pub(super) fn publish(
        &self,
        facts: Option<DomainFacts>,
        progress: Option<Progress>,
    ) -> Arc<DomainView> {
        let update = DomainUpdate { facts, progress, ..self.update() };
        self.core.publisher.publish(self.uuid, update)
    }

    /// What is published of the domain while it is off the host.
    pub(in crate::core) fn update(&self) -> DomainUpdate {
        DomainUpdate {
            config: self.config.clone(),
            facts: None,
            definition: self.definition.clone(),
            suspended: self.state == State::Suspended,
            progress: None,
        }
    }

    /// Reads the domain from the hypervisor and publishes it.
    pub(super) async fn refresh(&mut self) -> Result<Outcome, Error> {
        let Some(domid) = self.domid else {
            self.publish(None, None);
            return Ok(Outcome::Done);
        };
        let Some(facts) = self.core.hypervisor.domain(domid).await? else {
            let name = self.config.name.to_string();
            self.left_host();
            return Err(Error::Gone(name));
        };
        self.state = State::from_flags(&facts.flags);
        self.follow_name(&facts).await;
        self.publish(Some(facts), None);
        Ok(Outcome::Done)
    }

    /// Records that the domain has left the host, or did not get there. A managed domain is
    /// halted then, another one is gone.
    pub(super) fn left_host(&mut self) {
        self.domid = None;
        self.core.settings.ownership.release(self.uuid);
        self.arrival_left_host();
        if let Some(definition) = &self.definition {
            self.config = definition.clone();
            self.state = State::Halted;
            self.publish(None, None);
        } else {
            self.state = State::Gone;
            self.unregister();
        }
    }

    /// Removes the domain from the snapshot, and frees its name and UUID. Once: another domain can
    /// have them right after.
    pub(super) fn unregister(&mut self) {
        if !std::mem::replace(&mut self.unregistered, true) {
            self.core.publisher.remove(&self.uuid);
            self.core.registry.release(&self.uuid);
        }
    }

    /// Changes the configuration: the running one, which outlives the daemon on the hypervisor, and
    /// the definition.
    pub(super) async fn reconfigure(
        &mut self,
        change: impl Fn(&mut DomainConfig),
    ) -> Result<(), Error> {
        self.reconfigure_running(&change).await?;
        if let Some(definition) = &self.definition {
            let definition = definition.with(change)?;
            self.change_definition(definition).await?;
        }
        Ok(())
    }

    /// Changes the definition here. A fleet is told, and does not have to answer.
    pub(super) async fn change_definition(
        &mut self,
        definition: CompleteConfig,
    ) -> Result<(), Error> {
        let definition = Arc::new(definition);
        self.store_definition(definition.clone()).await?;
        self.core.settings.ownership.changed(self.uuid, Some(&definition));
        Ok(())
    }

    /// Changes the running configuration alone.
    pub(super) async fn reconfigure_running(
        &mut self,
        change: impl FnOnce(&mut DomainConfig),
    ) -> Result<(), Error> {
        if let Some(domid) = self.domid {
            let config = self.config.with(change)?;
            self.core.hypervisor.store_config(domid, &config).await?;
            self.config = Arc::new(config);
        }
        Ok(())
    }

    /// Stores a definition.
    pub(super) async fn store_definition(
        &mut self,
        definition: Arc<CompleteConfig>,
    ) -> Result<(), Error> {
        let stored = self.core.store.save(&definition);
        self.core.limited("Storing the definition", stored).await?;
        if self.domid.is_none() {
            self.config = definition.clone();
        }
        self.definition = Some(definition);
        Ok(())
    }

    /// Deletes the stored definition.
    pub(super) async fn delete_definition(&mut self) -> Result<(), Error> {
        let removed = self.core.store.remove(self.uuid);
        self.core.limited("Deleting the definition", removed).await?;
        self.definition = None;
        Ok(())
    }
}

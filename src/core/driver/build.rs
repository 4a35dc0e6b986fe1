//! How a domain comes to the host and leaves it, and what is stored of it.

use super::{Driver, Inbox};
use crate::core::engine::{Core, Role};
use crate::core::error::Error;
use crate::core::lifecycle::{Event, State};
use crate::core::model::{DomName, DomainConfig, DomainFacts, Invalid, Setting, Uuid};
use crate::core::op::Outcome;
use crate::core::watchdog::while_it_gets_on;
use crate::core::ports::Definition;
use crate::core::snapshot::DomainView;
use crate::core::transfer::Transfer;
use std::sync::Arc;
use tracing::{info, warn};

impl Driver {
    /// Waits for a long call for as long as it gets on.
    async fn patient<T, F: Future<Output = Result<T, Error>>>(
        &self,
        what: &'static str,
        call: impl FnOnce(Arc<Transfer>) -> F,
    ) -> Result<T, Error> {
        let transfer = Arc::new(Transfer::default());
        while_it_gets_on(what, self.core.patience(), &transfer, call(transfer.clone()), || ()).await
    }

    /// Has the hypervisor take the domain apart. The memory of a large one is freed for minutes.
    pub(super) async fn take_down(&mut self) -> Result<(), Error> {
        let domid = self.on_host()?;
        self.advance(Event::Destroy);
        match self
            .patient("Destroy", |transfer| self.core.hypervisor.destroy(domid, transfer))
            .await
        {
            Ok(()) | Err(Error::NoSuchDomain(_)) => Ok(()),
            Err(error) => {
                // It is still there in some state: show which.
                let _ = self.refresh().await;
                Err(error)
            }
        }
    }

    /// The driver of a domain that is about to be built, or defined, under a name that is reserved
    /// already.
    pub(in crate::core) fn new(core: Arc<Core>, inbox: Inbox, uuid: Uuid, name: DomName) -> Self {
        let config = Arc::new(DomainConfig::new(name, 1));
        Self::off_host(core, inbox, uuid, State::Building, config, None)
    }

    /// The driver of a domain that is not on the host.
    fn off_host(
        core: Arc<Core>,
        inbox: Inbox,
        uuid: Uuid,
        state: State,
        config: Arc<DomainConfig>,
        definition: Option<Arc<DomainConfig>>,
    ) -> Self {
        Self {
            core,
            inbox,
            uuid,
            domid: None,
            state,
            config,
            definition,
            in_doubt: None,
            dumped: None,
            left: false,
        }
    }

    /// Minds a domain that is on the host already.
    pub(in crate::core) fn adopt(
        core: Arc<Core>,
        inbox: Inbox,
        config: Arc<DomainConfig>,
        facts: DomainFacts,
        definition: Option<Definition>,
    ) -> Self {
        let driver = Self {
            core,
            inbox,
            uuid: facts.uuid,
            domid: Some(facts.domid),
            state: State::observed(&facts.flags),
            config,
            definition: definition.map(|definition| Arc::new(definition.config)),
            in_doubt: None,
            // One that has crashed long ago was dumped then.
            dumped: facts.flags.shutdown.map(|_| facts.domid),
            left: false,
        };
        driver.publish(Some(facts), None);
        driver
    }

    /// Minds a domain that is stored and not on the host.
    pub(in crate::core) fn halted(
        core: Arc<Core>,
        inbox: Inbox,
        uuid: Uuid,
        config: DomainConfig,
        suspended: bool,
    ) -> Self {
        let config = Arc::new(config);
        let definition = Some(config.clone());
        let state = if suspended { State::Suspended } else { State::Halted };
        let driver = Self::off_host(core, inbox, uuid, state, config, definition);
        driver.publish(None, None);
        driver
    }

    /// Builds it and leaves it paused.
    pub(in crate::core) async fn build(
        &mut self,
        config: Arc<DomainConfig>,
    ) -> Result<Arc<DomainView>, Error> {
        self.state = State::Building;
        let _room = self.core.make_room(&config).await;
        let create = |transfer| self.core.hypervisor.create(&config, transfer);
        let created = match self.core.check_functions(self.uuid, &config.devices) {
            Ok(()) => self.patient("Create", create).await,
            Err(taken) => Err(taken),
        };
        self.built(config, created)
    }

    /// Takes note of what has become of building it.
    pub(super) fn built(
        &mut self,
        config: Arc<DomainConfig>,
        created: Result<DomainFacts, Error>,
    ) -> Result<Arc<DomainView>, Error> {
        match created {
            Ok(facts) => {
                self.config = config;
                self.domid = Some(facts.domid);
                self.advance(Event::Built);
                Ok(self.publish(Some(facts), None))
            }
            Err(error) => {
                self.fall();
                Err(error)
            }
        }
    }

    /// Waits for the devices of a domain that was just built, and lets it run. If that fails, it is
    /// taken apart.
    pub(super) async fn let_run(&mut self, paused: bool) -> Result<(), Error> {
        let domid = self.on_host()?;
        if let Err(error) =
            limited!(self, "Waiting for devices", self.core.hypervisor.wait_for_devices(domid))
        {
            self.destroy().await?;
            return Err(error);
        }
        if !paused {
            limited!(self, "Unpause", self.core.hypervisor.unpause(domid))?;
        }
        self.refresh().await.map(drop)
    }

    /// It is not on the host any more, or did not get there. A managed domain falls back on its
    /// definition, another one is gone.
    pub(super) fn fall(&mut self) {
        self.domid = None;
        if let Some(definition) = &self.definition {
            self.config = definition.clone();
            self.state = State::Halted;
            self.publish(None, None);
        } else {
            self.state = State::Gone;
            self.leave();
        }
    }

    /// Somebody else may have started the domain.
    pub(super) async fn look_for_it(&mut self) {
        let Ok(domains) = limited!(self, "Reading the domains", self.core.hypervisor.domains())
        else {
            return;
        };
        let Some(facts) =
            domains.into_iter().find(|facts| facts.uuid == self.uuid && !facts.flags.dying)
        else {
            return;
        };
        match limited!(self, "Reading a configuration", self.core.hypervisor.config(facts.domid)) {
            Ok(mut config) => {
                self.core.complete(&mut config, Role::Defined);
                info!(domain = %self.config.name, domid = %facts.domid, "Domain was started by somebody else");
                config.name = self.config.name.clone();
                self.config = Arc::new(config);
                self.domid = Some(facts.domid);
                self.state = State::observed(&facts.flags);
                self.follow_name(&facts).await;
                self.publish(Some(facts), None);
            }
            Err(error) => {
                warn!(domain = %self.config.name, domid = %facts.domid, %error, "Could not look at the domain");
            }
        }
    }

    pub(super) async fn start_defined(&mut self, paused: bool) -> Result<Outcome, Error> {
        self.check("start", Event::Start)?;
        let mut config = DomainConfig::clone(&self.config);
        self.core.complete(&mut config, Role::Running);
        self.build(Arc::new(config)).await?;
        self.let_run(paused).await?;
        if self.config.is_transient() {
            limited!(self, "Deleting the definition", self.core.store.remove(self.uuid))?;
            self.definition = None;
            return self.refresh().await;
        }
        Ok(Outcome::Done)
    }

    /// Changes the configuration, and nothing of what runs.
    pub(super) async fn set(&mut self, setting: &Setting) -> Result<Outcome, Error> {
        if self.state != State::Halted && setting.is_for_halted() {
            return Err(self.bad_state("change"));
        }
        // What is stored can differ from what runs: each can have a device that the other one has
        // not.
        let both = || [Some(&self.config), self.definition.as_ref()].into_iter().flatten();
        let neither = !both().any(|config| setting.concerns(config));
        for config in both().filter(|config| neither || setting.concerns(config)) {
            setting.apply(&mut DomainConfig::clone(config))?;
        }
        let change = |config: &mut DomainConfig| {
            let _ = setting.apply(config);
        };
        self.reconfigure(change).await?;
        self.refresh().await
    }

    /// Builds a defined domain with another configuration than the stored one, which stays as it
    /// is.
    pub(super) async fn create_from(&mut self, config: DomainConfig) -> Result<Outcome, Error> {
        if self.domid.is_some() {
            return Err(Error::Exists { name: config.name.to_string(), domid: self.domid });
        }
        if config.name != self.config.name {
            let reason = format!("name: the domain is defined as {}", self.config.name);
            return Err(Invalid::new(reason).into());
        }
        self.check("create", Event::Start)?;
        self.build(Arc::new(config)).await.map(Outcome::Domain)
    }

    /// Defines a domain that is new.
    pub(in crate::core) async fn define_anew(
        &mut self,
        config: DomainConfig,
    ) -> Result<Outcome, Error> {
        match self.keep(config).await {
            Ok(()) => {
                self.state = State::Halted;
                self.refresh().await
            }
            Err(error) => {
                self.fall();
                Err(error)
            }
        }
    }

    /// Defines a domain that is there already. If it is on the host, the definition counts when it
    /// next starts.
    pub(super) async fn define(&mut self, mut config: DomainConfig) -> Result<Outcome, Error> {
        if config.name != self.config.name {
            // Whoever copied a configuration and left its UUID did not mean this domain.
            let (uuid, owner) = (self.uuid, self.config.name.to_string());
            return Err(Error::UuidTaken { uuid, owner, domid: self.domid });
        }
        if self.state == State::Suspended {
            return Err(self.bad_state("define"));
        }
        config.keep_unsaid(self.definition.as_ref().unwrap_or(&self.config));
        self.keep(config).await?;
        self.refresh().await
    }

    pub(super) async fn delete(&mut self) -> Result<Outcome, Error> {
        self.check("delete", Event::Delete)?;
        limited!(self, "Deleting the definition", self.core.store.remove(self.uuid))?;
        self.definition = None;
        self.fall();
        Ok(Outcome::Done)
    }

    /// Stores a definition.
    pub(super) async fn keep(&mut self, mut definition: DomainConfig) -> Result<(), Error> {
        definition.uuid = Some(self.uuid);
        limited!(self, "Storing the definition", self.core.store.save(self.uuid, &definition))?;
        let definition = Arc::new(definition);
        if self.domid.is_none() {
            self.config = definition.clone();
        }
        self.definition = Some(definition);
        Ok(())
    }
}

//! One task a domain: what happens to one domain is ordered, and no domain waits for another.
//!
//! The driver asks [`super::lifecycle`] whether something can be done, asks the hypervisor to do it, looks at what has
//! become of the domain and publishes that before it answers. So a read that starts after the answer sees the effect.

/// Something on the hypervisor, with the limit that everything there has.
macro_rules! limited {
    ($self:ident, $what:literal, $call:expr) => {
        $self.core.limited($what, $call).await
    };
}

mod aftermath;
mod cpu;
mod memory;

use super::engine::Core;
use super::error::Error;
use super::lifecycle::{Event, State};
use super::model::{DomId, DomName, DomainConfig, DomainFacts, Uuid};
use super::op::{DomainOp, Outcome};
use super::registry::Taken;
use super::snapshot::DomainView;
use std::sync::Arc;
use tokio::sync::{Notify, mpsc, oneshot};
use tracing::{debug, info, warn};

/// How many requests may wait for one domain.
const QUEUE: usize = 64;

/// The other side of a driver.
#[derive(Clone)]
pub(super) struct Handle {
    requests: mpsc::Sender<Request>,
    changed: Arc<Notify>,
}

struct Request {
    op: DomainOp,
    answer: oneshot::Sender<Result<Outcome, Error>>,
}

/// What a driver is made from: made before it starts, so that the registry knows the handle first.
pub(super) struct Inbox {
    requests: mpsc::Receiver<Request>,
    changed: Arc<Notify>,
}

impl Handle {
    pub(super) fn new() -> (Self, Inbox) {
        let (sender, requests) = mpsc::channel(QUEUE);
        let changed = Arc::new(Notify::new());
        (Self { requests: sender, changed: changed.clone() }, Inbox { requests, changed })
    }

    /// Queues an operation and waits for its answer. It is carried out even if nobody waits any more.
    pub(super) async fn ask(&self, name: &str, op: DomainOp) -> Result<Outcome, Error> {
        let (answer, answered) = oneshot::channel();
        self.requests.try_send(Request { op, answer }).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => Error::Busy(name.to_owned()),
            mpsc::error::TrySendError::Closed(_) => Error::NoSuchDomain(name.to_owned()),
        })?;
        // Somebody whose turn came earlier took the domain away.
        answered.await.unwrap_or_else(|_| Err(Error::NoSuchDomain(name.to_owned())))
    }

    /// Tells the driver to look at its domain again.
    pub(super) fn changed(&self) {
        self.changed.notify_one();
    }
}

pub(super) struct Driver {
    core: Arc<Core>,
    inbox: Inbox,
    uuid: Uuid,
    domid: DomId,
    state: State,
    config: Arc<DomainConfig>,
    left: bool,
}

impl Driver {
    /// Builds a domain under a name that is reserved already, and minds it from then on.
    pub(super) async fn build(
        core: Arc<Core>,
        inbox: Inbox,
        uuid: Uuid,
        config: Arc<DomainConfig>,
    ) -> Result<(Self, Arc<DomainView>), Error> {
        let state = State::Building;
        match core.limited("Create", core.hypervisor.create(&config)).await {
            Ok(facts) => {
                let mut driver = Self { core, inbox, uuid, domid: facts.domid, state, config, left: false };
                driver.advance(Event::Built);
                let view = driver.publish(facts);
                Ok((driver, view))
            }
            Err(error) => {
                core.registry.release(&uuid);
                Err(error)
            }
        }
    }

    /// Minds a domain that is there already.
    pub(super) fn adopt(
        core: Arc<Core>,
        inbox: Inbox,
        config: Arc<DomainConfig>,
        facts: DomainFacts,
    ) -> Self {
        let state = State::observed(&facts.flags);
        let driver = Self { core, inbox, uuid: facts.uuid, domid: facts.domid, state, config, left: false };
        driver.publish(facts);
        driver
    }

    /// Lets it run in a task of its own. The type hides the future's, which would contain itself: a driver starts another
    /// one when it keeps a stopped domain under a new name.
    fn start(self) {
        let run: std::pin::Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(self.run());
        tokio::spawn(run);
    }

    /// Serves requests and changes until the domain has gone or the daemon stops. Domains outlive the daemon: stopping
    /// a driver does nothing to its domain.
    pub(super) async fn run(mut self) {
        let stopping = self.core.stopping.clone();
        // What happened while nobody looked (a guest that stopped while the daemon was down) is dealt with first.
        self.look().await;
        while self.state != State::Gone {
            tokio::select! {
                () = stopping.cancelled() => return,
                () = self.inbox.changed.notified() => self.look().await,
                request = self.inbox.requests.recv() => {
                    let Some(Request { op, answer }) = request else { return };
                    let outcome = self.perform(op).await;
                    // The caller may have gone; the operation is done all the same.
                    let _ = answer.send(outcome);
                }
            }
        }
        self.leave();
        debug!(domain = %self.config.name, domid = %self.domid, "Domain has gone");
    }

    /// Takes the domain off the board and gives its name and UUID free. Once: somebody else can have them right after.
    fn leave(&mut self) {
        if !std::mem::replace(&mut self.left, true) {
            self.core.board.remove(&self.uuid);
            self.core.registry.release(&self.uuid);
        }
    }

    async fn perform(&mut self, op: DomainOp) -> Result<Outcome, Error> {
        if self.domid == DomId::ZERO {
            refuse_dom0(&op)?;
        }
        match op {
            DomainOp::Pause => {
                self.check("pause", Event::Pause)?;
                limited!(self, "Pause", self.core.hypervisor.pause(self.domid))?;
                self.refresh().await
            }
            DomainOp::Unpause => {
                self.check("unpause", Event::Unpause)?;
                limited!(self, "Unpause", self.core.hypervisor.unpause(self.domid))?;
                self.refresh().await
            }
            DomainOp::Destroy => {
                self.check("destroy", Event::Destroy)?;
                self.destroy().await?;
                self.advance(Event::Destroyed);
                // Before the answer: whoever reads next must not find it.
                self.leave();
                Ok(Outcome::Done)
            }
            DomainOp::Shutdown(reason) => {
                self.check("shut down", Event::AskToStop)?;
                limited!(self, "Shutdown", self.core.hypervisor.shutdown(self.domid, reason))?;
                let outcome = self.refresh().await;
                self.look().await;
                outcome
            }
            DomainOp::Rename(name) => self.rename(name).await,
            DomainOp::SetSedf(params) => self.set_sedf(params).await,
            DomainOp::SetShare { scheduler, weight, cap } => self.set_share(scheduler, weight, cap).await,
            DomainOp::SetMemory(mib) => self.set_memory(mib).await,
            DomainOp::SetMaxMemory(mib) => self.set_max_memory(mib).await,
            DomainOp::SetVcpus(count) => self.set_vcpus(count).await,
            DomainOp::Pin { vcpu, cpus } => self.pin(vcpu, &cpus).await,
            DomainOp::Sysrq(key) => {
                self.check("press a key of", Event::AskToStop)?;
                limited!(self, "SysRq", self.core.hypervisor.send_sysrq(self.domid, key))?;
                // Some keys crash the guest, or reboot it.
                self.look().await;
                Ok(Outcome::Done)
            }
        }
    }

    async fn rename(&mut self, name: DomName) -> Result<Outcome, Error> {
        let old = self.config.name.clone();
        if name == old {
            return Ok(Outcome::Done);
        }
        self.core.registry.rename(self.uuid, &old, &name).map_err(|Taken(owner)| Error::NameTaken {
            name: name.to_string(),
            domid: self.core.domid_of(&owner),
        })?;
        if let Err(error) = limited!(self, "Rename", self.core.hypervisor.rename(self.domid, &name, None)) {
            // Nobody else could take the old name meanwhile but a new domain; then the new name stays reserved too.
            let _ = self.core.registry.rename(self.uuid, &name, &old);
            return Err(error);
        }
        self.reconfigure(|config| config.name = name).await?;
        self.refresh().await
    }

    /// Changes the configuration and keeps it where it outlives the daemon.
    async fn reconfigure(&mut self, change: impl FnOnce(&mut DomainConfig)) -> Result<(), Error> {
        let mut config = DomainConfig::clone(&self.config);
        change(&mut config);
        limited!(self, "Storing the configuration", self.core.hypervisor.store_config(self.domid, &config))?;
        self.config = Arc::new(config);
        Ok(())
    }

    fn check(&self, verb: &'static str, event: Event) -> Result<(), Error> {
        match self.state.after(event) {
            Some(_) => Ok(()),
            None => {
                Err(Error::BadState { verb, name: self.config.name.to_string(), state: self.state.name() })
            }
        }
    }

    fn advance(&mut self, event: Event) {
        if let Some(next) = self.state.after(event) {
            self.state = next;
        }
    }

    fn publish(&self, facts: DomainFacts) -> Arc<DomainView> {
        self.core.board.publish(self.uuid, self.config.clone(), Some(facts))
    }

    /// Looks at the domain and publishes what it is now.
    async fn refresh(&mut self) -> Result<Outcome, Error> {
        let facts = limited!(self, "Reading the domain", self.core.hypervisor.domain(self.domid))?;
        let Some(facts) = facts else {
            self.state = State::Gone;
            return Err(Error::Gone(self.config.name.to_string()));
        };
        self.state = State::observed(&facts.flags);
        self.publish(facts);
        Ok(Outcome::Done)
    }

    /// Looks at the domain, and does what its configuration says if the guest has stopped.
    async fn look(&mut self) {
        let before = self.state;
        match self.refresh().await {
            Ok(_) => {}
            Err(Error::Gone(_)) => {
                if before != State::Gone {
                    info!(domain = %self.config.name, domid = %self.domid, "Domain was destroyed from outside");
                }
                return;
            }
            Err(error) => {
                warn!(domain = %self.config.name, domid = %self.domid, %error, "Could not look at the domain");
                return;
            }
        }
        if let State::Stopped(reason) = self.state {
            if self.domid != DomId::ZERO {
                self.obey_policy(reason).await;
            }
        }
    }

    async fn destroy(&mut self) -> Result<(), Error> {
        self.advance(Event::Destroy);
        match limited!(self, "Destroy", self.core.hypervisor.destroy(self.domid)) {
            Ok(()) | Err(Error::NoSuchDomain(_)) => Ok(()),
            Err(error) => {
                // It is still there in some state: show which.
                let _ = self.refresh().await;
                Err(error)
            }
        }
    }
}

/// Domain-0 goes with its host.
fn refuse_dom0(op: &DomainOp) -> Result<(), Error> {
    match op {
        DomainOp::Pause => Err(Error::Privileged("pause")),
        DomainOp::Unpause => Err(Error::Privileged("unpause")),
        DomainOp::Destroy => Err(Error::Privileged("destroy")),
        DomainOp::Shutdown(_) => Err(Error::Dom0Shutdown),
        DomainOp::Rename(_)
        | DomainOp::SetSedf(_)
        | DomainOp::SetShare { .. }
        | DomainOp::SetMemory(_)
        | DomainOp::SetMaxMemory(_)
        | DomainOp::SetVcpus(_)
        | DomainOp::Pin { .. }
        | DomainOp::Sysrq(_) => Ok(()),
    }
}

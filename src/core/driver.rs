//! One task a domain: what happens to one domain is ordered, and no domain waits for another.
//!
//! The driver asks [`super::lifecycle`] whether something can be done, asks the hypervisor to do
//! it, looks at what has become of the domain and publishes that before it answers. So a read that
//! starts after the answer sees the effect.

/// Something on the hypervisor, with the limit that everything there has.
macro_rules! limited {
    ($self:ident, $what:literal, $call:expr) => {
        $self.core.limited($what, $call).await
    };
}

mod aftermath;
mod cpu;
mod devices;
mod memory;
mod migrate;
mod name;
mod parts;
mod presence;
mod save;

use super::engine::Core;
use super::error::Error;
use super::lifecycle::{Event, State};
use super::model::{DomId, DomainConfig, DomainFacts, ShutdownReason, Uuid};
use super::op::{DomainOp, Outcome};
use super::ports::Handover;
use super::snapshot::{DomainView, Shown};
use super::transfer::{Progress, Transfer};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Notify, mpsc, oneshot};
use tracing::{debug, info, warn};

/// How many requests may wait for one domain.
const QUEUE: usize = 64;

/// The other side of a driver.
#[derive(Clone)]
pub(super) struct Handle {
    requests: mpsc::Sender<Request>,
    changed: Arc<Notify>,
    sending: Sending,
}

/// What is being written somewhere, and can be stopped.
type Sending = Arc<Mutex<Option<Arc<Transfer>>>>;

struct Request {
    op: DomainOp,
    answer: oneshot::Sender<Result<Outcome, Error>>,
}

/// What a driver is made from: made before it starts, so that the registry knows the handle first.
pub(super) struct Inbox {
    requests: mpsc::Receiver<Request>,
    changed: Arc<Notify>,
    sending: Sending,
}

impl Handle {
    pub(super) fn new() -> (Self, Inbox) {
        let (sender, requests) = mpsc::channel(QUEUE);
        let (changed, sending) = (Arc::new(Notify::new()), Sending::default());
        let handle = Self { requests: sender, changed: changed.clone(), sending: sending.clone() };
        (handle, Inbox { requests, changed, sending })
    }

    /// Queues an operation and waits for its answer. It is carried out even if nobody waits any
    /// more.
    pub(super) async fn ask(&self, name: &str, op: DomainOp) -> Result<Outcome, Error> {
        let (answer, answered) = oneshot::channel();
        self.requests.try_send(Request { op, answer }).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => Error::Busy(name.to_owned()),
            mpsc::error::TrySendError::Closed(_) => Error::NoSuchDomain(name.to_owned()),
        })?;
        // Somebody whose turn came earlier took the domain away.
        answered.await.unwrap_or_else(|_| Err(Error::NoSuchDomain(name.to_owned())))
    }

    /// Stops the domain's being saved or sent, if it is; it goes on then.
    pub(super) fn cancel(&self) -> Result<(), Error> {
        let sending = self.sending.lock().unwrap_or_else(PoisonError::into_inner);
        let none =
            || Error::Unsupported("Nothing is under way with it that can be stopped".to_owned());
        sending.as_ref().map(|transfer| transfer.cancel()).ok_or_else(none)
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
    /// None while it is not on the host.
    domid: Option<DomId>,
    state: State,
    /// What it runs with; what is stored if it is not on the host.
    config: Arc<DomainConfig>,
    /// What is stored, if it is managed. It can differ from what runs.
    definition: Option<Arc<DomainConfig>>,
    /// It was handed over to another host, and nobody here knows whether that one has it.
    in_doubt: Option<Handover>,
    /// Its memory has been written down since it stopped under this domid.
    dumped: Option<DomId>,
    left: bool,
}

impl Driver {
    /// Lets it run in a task of its own. The type hides the future's, which would contain itself: a
    /// driver starts another one when it keeps a stopped domain under a new name.
    fn start(self) {
        let run: std::pin::Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(self.run());
        tokio::spawn(run);
    }

    /// Serves requests and changes until the domain has gone or the daemon stops. Domains outlive
    /// the daemon: stopping a driver does nothing to its domain.
    pub(super) async fn run(mut self) {
        let stopping = self.core.stopping.clone();
        // What happened while nobody looked (a guest that stopped while the daemon was down) is
        // dealt with first.
        if self.domid.is_some() {
            self.look().await;
        }
        while self.state != State::Gone {
            tokio::select! {
                () = stopping.cancelled() => return,
                () = self.inbox.changed.notified() => self.look().await,
                () = tokio::time::sleep(migrate::ASK_AGAIN), if self.in_doubt.is_some() => {
                    // Not being able to ask is nothing new: it is asked again.
                    let _ = self.ask_once().await;
                }
                request = self.inbox.requests.recv() => {
                    let Some(Request { op, answer }) = request else { return };
                    let outcome = self.perform(op).await;
                    // The caller may have gone; the operation is done all the same.
                    let _ = answer.send(outcome);
                }
            }
        }
        self.leave();
        debug!(domain = %self.config.name, "Domain has gone");
    }

    /// Takes the domain off the board and gives its name and UUID free. Once: somebody else can
    /// have them right after.
    fn leave(&mut self) {
        if !std::mem::replace(&mut self.left, true) {
            self.core.board.remove(&self.uuid);
            self.core.registry.release(&self.uuid);
        }
    }

    async fn perform(&mut self, op: DomainOp) -> Result<Outcome, Error> {
        if self.domid == Some(DomId::ZERO) {
            refuse_dom0(&op)?;
        }
        match op {
            DomainOp::Pause => {
                let domid = self.on_host()?;
                self.check("pause", Event::Pause)?;
                limited!(self, "Pause", self.core.hypervisor.pause(domid))?;
                self.refresh().await
            }
            DomainOp::Unpause => {
                let domid = self.on_host()?;
                self.check("unpause", Event::Unpause)?;
                limited!(self, "Unpause", self.core.hypervisor.unpause(domid))?;
                self.refresh().await
            }
            DomainOp::Destroy if self.state == State::Suspended => self.discard_memory().await,
            DomainOp::Destroy => {
                self.on_host()?;
                self.check("destroy", Event::Destroy)?;
                self.destroy().await?;
                if self.in_doubt.take().is_some() {
                    self.forget_note().await;
                }
                Ok(Outcome::Done)
            }
            DomainOp::Shutdown(reason) => self.shut_down(reason).await,
            DomainOp::Rename(name) => self.rename(name).await,
            DomainOp::SetSedf(params) => self.set_sedf(params).await,
            DomainOp::SetShare { scheduler, weight, cap } => {
                self.set_share(scheduler, weight, cap).await
            }
            DomainOp::SetMemory(mib) => self.set_memory(mib).await,
            DomainOp::SetMaxMemory(mib) => self.set_max_memory(mib).await,
            DomainOp::SetVcpus(count) => self.set_vcpus(count).await,
            DomainOp::MoveToPool(pool) => self.move_to_pool(pool).await,
            DomainOp::Pin { vcpu, cpus } => self.pin(vcpu, &cpus).await,
            DomainOp::Sysrq(key) => {
                let domid = self.on_host()?;
                self.check("press a key of", Event::AskToStop)?;
                limited!(self, "SysRq", self.core.hypervisor.send_sysrq(domid, key))?;
                // Some keys crash the guest, or reboot it.
                self.look().await;
                Ok(Outcome::Done)
            }
            DomainOp::Trigger(trigger, vcpu) => {
                let domid = self.on_host()?;
                self.check("interrupt", Event::AskToStop)?;
                self.vcpu_slot(vcpu)?;
                limited!(self, "Trigger", self.core.hypervisor.send_trigger(domid, trigger, vcpu))?;
                self.look().await;
                Ok(Outcome::Done)
            }
            DomainOp::Reset => {
                self.on_host()?;
                self.check("reset", Event::Destroy)?;
                self.restart().await?;
                Ok(Outcome::Done)
            }
            DomainOp::Start { paused } => self.start_defined(paused).await,
            DomainOp::CreateFrom(config) => self.create_from(*config).await,
            DomainOp::Define(config) => self.define(*config).await,
            DomainOp::Delete => self.delete().await,
            DomainOp::Set(setting) => self.set(&setting).await,
            DomainOp::Suspend => self.suspend().await,
            DomainOp::Resume { paused } => self.resume(paused).await,
            DomainOp::Save { file, checkpoint } => self.save(&file, checkpoint).await,
            DomainOp::RestoreFrom { config, stream, paused } => {
                self.restore_defined(*config, stream, paused).await
            }
            DomainOp::Migrate { to, live } => self.migrate(to, live).await,
            DomainOp::Arrive(arrival) => self.arrive_defined(arrival).await,
            DomainOp::Dump { file, live, then } => self.dump(file, live, then).await,
            DomainOp::AttachDevice(device) => self.attach(*device).await,
            DomainOp::PlugDevice(uuid) => self.plug(uuid).await,
            DomainOp::ConfigureDevice { device, to } => self.configure(&device, *to).await,
            DomainOp::DetachDevice { class, device, force, forget } => {
                self.detach(&class, &device, force, forget).await
            }
        }
    }

    async fn shut_down(&mut self, reason: ShutdownReason) -> Result<Outcome, Error> {
        let domid = self.on_host()?;
        self.check("shut down", Event::AskToStop)?;
        limited!(self, "Shutdown", self.core.hypervisor.shutdown(domid, reason))?;
        let outcome = self.refresh().await;
        self.look().await;
        outcome
    }

    /// Changes the configuration: that of the running domain, kept where it outlives the daemon,
    /// and the stored one.
    async fn reconfigure(&mut self, change: impl Fn(&mut DomainConfig)) -> Result<(), Error> {
        if let Some(domid) = self.domid {
            let mut config = DomainConfig::clone(&self.config);
            change(&mut config);
            limited!(
                self,
                "Storing the configuration",
                self.core.hypervisor.store_config(domid, &config)
            )?;
            self.config = Arc::new(config);
        }
        if let Some(definition) = &self.definition {
            let mut definition = DomainConfig::clone(definition);
            change(&mut definition);
            self.keep(definition).await?;
        }
        Ok(())
    }

    fn check(&self, verb: &'static str, event: Event) -> Result<(), Error> {
        self.state.after(event).map(drop).ok_or_else(|| self.bad_state(verb))
    }

    fn bad_state(&self, verb: &'static str) -> Error {
        Error::BadState { verb, name: self.config.name.to_string(), state: self.state.name() }
    }

    fn advance(&mut self, event: Event) {
        if let Some(next) = self.state.after(event) {
            self.state = next;
        }
    }

    /// Its number on the host, for what cannot be done without it.
    fn on_host(&self) -> Result<DomId, Error> {
        self.domid.ok_or_else(|| Error::NotStarted(self.config.name.to_string()))
    }

    fn publish(&self, facts: Option<DomainFacts>, progress: Option<Progress>) -> Arc<DomainView> {
        let shown = Shown {
            config: self.config.clone(),
            facts,
            definition: self.definition.clone(),
            suspended: self.state == State::Suspended,
            progress,
        };
        self.core.board.publish(self.uuid, shown)
    }

    /// Looks at the domain and publishes what it is now.
    async fn refresh(&mut self) -> Result<Outcome, Error> {
        let Some(domid) = self.domid else {
            self.publish(None, None);
            return Ok(Outcome::Done);
        };
        let facts = limited!(self, "Reading the domain", self.core.hypervisor.domain(domid))?;
        let Some(facts) = facts else {
            let name = self.config.name.to_string();
            self.fall();
            return Err(Error::Gone(name));
        };
        self.state = State::observed(&facts.flags);
        self.follow_name(&facts).await;
        self.publish(Some(facts), None);
        Ok(Outcome::Done)
    }

    /// Looks at the domain, and does what its configuration says if the guest has stopped.
    async fn look(&mut self) {
        let Some(domid) = self.domid else { return self.look_for_it().await };
        match self.refresh().await {
            Ok(_) => {}
            Err(Error::Gone(_)) => {
                info!(domain = %self.config.name, %domid, "Domain was destroyed from outside");
                return;
            }
            Err(error) => {
                warn!(domain = %self.config.name, %domid, %error, "Could not look at the domain");
                return;
            }
        }
        if let State::Stopped(reason) = self.state {
            if domid != DomId::ZERO {
                self.obey_policy(domid, reason).await;
            }
        }
    }

    /// Takes the domain off the host.
    async fn destroy(&mut self) -> Result<(), Error> {
        self.take_down().await?;
        // Before any answer: whoever reads next must not find it.
        self.fall();
        Ok(())
    }
}

/// Domain-0 goes with its host.
fn refuse_dom0(op: &DomainOp) -> Result<(), Error> {
    match op {
        DomainOp::Pause => Err(Error::Privileged("pause")),
        DomainOp::Unpause => Err(Error::Privileged("unpause")),
        DomainOp::Destroy => Err(Error::Privileged("destroy")),
        DomainOp::Shutdown(_) => Err(Error::Dom0Shutdown),
        DomainOp::Reset => Err(Error::Privileged("reset")),
        DomainOp::Suspend => Err(Error::Privileged("suspend")),
        DomainOp::Save { .. } => Err(Error::Privileged("save")),
        DomainOp::Dump { .. } => Err(Error::Privileged("dump")),
        DomainOp::Migrate { .. } => Err(Error::Privileged("migrate")),
        DomainOp::Define(_) => Err(Error::Privileged("define")),
        DomainOp::Trigger(..) => Err(Error::Privileged("interrupt")),
        DomainOp::MoveToPool(_) => Err(Error::Privileged("move")),
        DomainOp::Rename(_)
        | DomainOp::SetSedf(_)
        | DomainOp::SetShare { .. }
        | DomainOp::SetMemory(_)
        | DomainOp::SetMaxMemory(_)
        | DomainOp::SetVcpus(_)
        | DomainOp::Pin { .. }
        | DomainOp::Sysrq(_)
        | DomainOp::Start { .. }
        | DomainOp::CreateFrom(_)
        | DomainOp::Delete
        | DomainOp::Set(_)
        | DomainOp::Resume { .. }
        | DomainOp::RestoreFrom { .. }
        | DomainOp::Arrive(_)
        | DomainOp::AttachDevice(_)
        | DomainOp::PlugDevice(_)
        | DomainOp::ConfigureDevice { .. }
        | DomainOp::DetachDevice { .. } => Ok(()),
    }
}

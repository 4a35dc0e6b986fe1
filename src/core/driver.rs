//! One driver task for each domain: operations on one domain run in order, and no domain waits for
//! another.
//!
//! The driver checks an operation against [`super::lifecycle`], has the hypervisor carry it out,
//! and publishes the domain's new state before it answers: a read that starts after the answer sees
//! the effect.

mod arrive;
mod build;
mod copy;
mod cpu;
mod destination;
mod devices;
mod doubts;
mod incoming;
mod memory;
mod migrate;
mod name;
mod parts;
mod save;
mod state;
mod stopped;

pub(super) use incoming::Incoming;
pub(super) use state::Driver;

use super::error::Error;
use super::lifecycle::{State, Transition};
use super::mailbox::{Message, Request};
use super::model::{DomId, Setting, ShutdownReason};
use super::op::{DomainOp, Outcome};
use std::pin::Pin;
use tracing::{debug, info, warn};

impl Driver {
    /// Runs the driver in a task of its own. The box hides the type of the future, which would
    /// contain itself: a driver starts another one when it keeps a stopped domain under a new name.
    pub(super) fn start(self) {
        let tasks = self.core.tasks.clone();
        let run: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(self.run());
        tasks.spawn(run);
    }

    /// Serves requests and changes until the domain is gone or the engine stops. Domains outlive
    /// the daemon: a driver that stops does nothing to its domain.
    ///
    /// What it does has boxes of its own: the task of an idle domain stays small.
    pub(super) async fn run(mut self) {
        let stopping = self.core.stopping.clone();
        // A guest can have stopped while no daemon was running.
        if self.domid.is_some() && !stopping.is_cancelled() {
            Box::pin(self.observe()).await;
        }
        while self.state != State::Gone {
            if stopping.is_cancelled() {
                self.inbox.refuse_all().await;
                return;
            }
            tokio::select! {
                () = stopping.cancelled() => {}
                message = self.inbox.next() => match message {
                    Some(Message::Changed) => Box::pin(self.observe()).await,
                    Some(Message::Request(request)) => match *request {
                        Request::Operation { op, answer } => {
                            let _operation = self.operation(op.name());
                            let outcome = Box::pin(self.perform(op)).await;
                            // The caller may have gone. The operation counts all the same.
                            let _ = answer.send(outcome);
                        }
                        Request::Copy { change, answer } => {
                            let _operation = self.operation("fleet");
                            let _ = answer.send(Box::pin(self.change_copy(change)).await);
                        }
                    },
                    None => return,
                },
                () = tokio::time::sleep(migrate::RETRY_INTERVAL), if self.in_doubt.is_some() => {
                    let _operation = self.operation("migrate");
                    // Without an answer the question is repeated.
                    let _ = Box::pin(self.ask_destination()).await;
                }
                () = tokio::time::sleep(migrate::RETRY_INTERVAL), if self.incoming.is_some() => {
                    let _operation = self.operation("receive");
                    let _ = Box::pin(self.decide_arrival()).await;
                }
            }
        }
        self.unregister();
        debug!(domain = %self.config.name, "Domain has gone");
    }

    async fn perform(&mut self, op: DomainOp) -> Result<Outcome, Error> {
        if self.domid == Some(DomId::ZERO) {
            refuse_dom0(&op)?;
        }
        self.check_doubts(&op).await?;
        match op {
            DomainOp::Pause => {
                let domid = self.on_host()?;
                self.check("pause", Transition::Pause)?;
                self.core.hypervisor.pause(domid).await?;
                self.refresh().await
            }
            DomainOp::Unpause => {
                let domid = self.on_host()?;
                self.check("unpause", Transition::Unpause)?;
                self.core.hypervisor.unpause(domid).await?;
                self.refresh().await
            }
            DomainOp::Destroy if self.state == State::Suspended => self.discard_memory().await,
            DomainOp::Destroy if self.in_doubt.is_some() && self.domid.is_none() => {
                self.give_up_handover().await
            }
            DomainOp::Destroy => {
                self.on_host()?;
                self.check("destroy", Transition::Destroy)?;
                self.destroy().await?;
                if self.in_doubt.take().is_some() {
                    self.clear_transfer_record().await;
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
                self.check("press a key of", Transition::RequestShutdown)?;
                self.core.hypervisor.send_sysrq(domid, key).await?;
                // Some keys crash the guest, or reboot it.
                self.observe().await;
                Ok(Outcome::Done)
            }
            DomainOp::Trigger(trigger, vcpu) => {
                let domid = self.on_host()?;
                self.check("interrupt", Transition::RequestShutdown)?;
                self.vcpu_index(vcpu)?;
                self.core.hypervisor.send_trigger(domid, trigger, vcpu).await?;
                self.observe().await;
                Ok(Outcome::Done)
            }
            DomainOp::Reset => {
                self.on_host()?;
                self.check("reset", Transition::Destroy)?;
                self.restart().await?;
                Ok(Outcome::Done)
            }
            DomainOp::Start { paused } => self.start_defined(paused).await,
            DomainOp::CreateFrom(config) => self.create_from(config).await,
            DomainOp::Define(config) => self.define(&config).await,
            DomainOp::Delete => self.delete().await,
            DomainOp::Set(setting) => self.set(&setting).await,
            DomainOp::Suspend => self.suspend().await,
            DomainOp::Resume { paused } => self.resume(paused).await,
            DomainOp::Save { file, checkpoint, replace } => {
                self.save(&file, checkpoint, replace).await
            }
            DomainOp::RestoreFrom { config, stream, paused } => {
                self.restore_defined(config, stream, paused).await
            }
            DomainOp::Migrate { to, live } => self.migrate(to, live).await,
            DomainOp::Arrive(arrival) => self.receive_defined(arrival).await,
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
        self.check("shut down", Transition::RequestShutdown)?;
        self.core.hypervisor.shutdown(domid, reason).await?;
        let outcome = self.refresh().await;
        self.observe().await;
        outcome
    }

    /// Reads the domain, and acts on a guest that has stopped.
    async fn observe(&mut self) {
        let _operation = self.operation("refresh");
        let Some(domid) = self.domid else { return self.adopt_if_started().await };
        match self.refresh().await {
            Ok(_) => {}
            Err(Error::Gone(_)) => {
                info!(
                    domain = %self.config.name, %domid,
                    "Domain was destroyed by another toolstack"
                );
                self.clear_remains(domid).await;
                return;
            }
            Err(error) => {
                warn!(domain = %self.config.name, %domid, %error, "Could not read the domain");
                return;
            }
        }
        if let State::Stopped(reason) = self.state {
            // Another host may have the domain: it is not restarted here.
            let is_certain = self.in_doubt.is_none() && self.incoming.is_none();
            if domid != DomId::ZERO && is_certain {
                self.handle_stop(domid, reason).await;
            }
        }
        if self.state == State::Dying {
            self.clear_away(domid).await;
        }
    }
}

/// Refuses operations that Domain-0 does not survive, or that mean nothing for it.
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
        // It is written when a domain starts.
        DomainOp::Set(Setting::XenstoreData(_)) => Err(Error::Privileged("set xenstore_data of")),
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

//! A fleet that notes what it is asked, and answers what a test wants.

use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use tokio::sync::watch;
use tokio::time::sleep;
use xend::core::error::Error;
use xend::core::fleet::{ClusterName, HostName};
use xend::core::model::{CompleteConfig, DomName, Uuid};
use xend::core::ports::{Alone, Arrived, Disputes, Handover, Leave, Ownership, PendingCopy};

/// What is said of a domain that another host has handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Says {
    #[default]
    Granted,
    Refused,
    /// It cannot be asked.
    Nothing,
}

#[derive(Debug, Default)]
pub(crate) struct NotedFleet {
    asked: Mutex<Vec<&'static str>>,
    pub(crate) refuses_claims: AtomicBool,
    pub(crate) refuses_runs: AtomicBool,
    pub(crate) has_lost: AtomicBool,
    /// Whether it is not known yet if the host is a member.
    pub(crate) is_silent: AtomicBool,
    pub(crate) says: Mutex<Says>,
    /// Domains of which it says nothing until they are removed.
    pub(crate) stuck: watch::Sender<Vec<Uuid>>,
    /// The fleet that the sender of a domain has named.
    pub(crate) named: Mutex<Option<ClusterName>>,
    disputes: watch::Sender<Disputes>,
}

fn away() -> Error {
    Error::FleetUnavailable { reason: "The fleet is away".to_owned() }
}

impl NotedFleet {
    /// A fleet of which it is not known yet whether the host is a member.
    pub(crate) fn silent() -> Self {
        Self { is_silent: true.into(), ..Self::default() }
    }

    pub(crate) fn note(&self, what: &'static str) {
        self.asked.lock().unwrap().push(what);
    }

    fn answer(&self, what: &'static str, refuses: &AtomicBool) -> Result<(), Error> {
        self.note(what);
        if refuses.load(Ordering::Relaxed) { Err(away()) } else { Ok(()) }
    }

    /// What it was asked since it was looked at last.
    pub(crate) fn asked(&self) -> Vec<&'static str> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }

    pub(crate) fn say(&self, says: Says) {
        *self.says.lock().unwrap() = says;
    }

    /// The domain belongs to another host.
    pub(crate) fn dispute(&self, domain: Uuid, owner: &str) {
        let owner: HostName = owner.parse().unwrap();
        self.disputes.send_replace(BTreeMap::from([(domain, owner)]).into());
    }
}

#[async_trait]
impl Ownership for NotedFleet {
    async fn ready(&self) {
        while self.is_silent.load(Ordering::Relaxed) {
            sleep(Duration::from_secs(1)).await;
        }
    }
    async fn check(&self) -> Result<(), Error> {
        Ok(())
    }
    async fn claim(&self, _domain: Uuid, _name: &DomName) -> Result<(), Error> {
        self.answer("claim", &self.refuses_claims)
    }
    async fn run(&self, _domain: Uuid) -> Result<(), Error> {
        self.answer("run", &self.refuses_runs)
    }
    fn hold(&self, _domain: Uuid, _name: &DomName) {
        self.note("hold");
    }
    fn renamed(&self, _domain: Uuid, _name: &DomName) {
        self.note("renamed");
    }
    fn release(&self, _domain: Uuid) {
        self.note("release");
    }
    async fn released(&self, _domain: Uuid) {}
    async fn check_dispute(&self, domain: Uuid) -> Result<(), Error> {
        match self.disputes.borrow().get(&domain) {
            Some(owner) => Err(Error::OwnedElsewhere { domain, host: owner.to_string() }),
            None => Ok(()),
        }
    }
    fn disputes(&self) -> watch::Receiver<Disputes> {
        self.disputes.subscribe()
    }
    async fn hand_over(
        &self,
        _domain: Uuid,
        _handover: &Handover,
    ) -> Result<Option<ClusterName>, Error> {
        self.note("hand over");
        Ok(Some("lab".parse().unwrap()))
    }
    fn doubt(&self, _domain: Uuid) {
        self.note("doubt");
    }
    async fn take_back(&self, _domain: Uuid, is_refused: bool) -> Result<bool, Error> {
        self.note(if is_refused { "take back what is refused" } else { "take back" });
        Ok(!self.has_lost.load(Ordering::Relaxed))
    }
    async fn receive(
        &self,
        arrived: Arrived<'_>,
        _name: &DomName,
        _definition: Option<&Arc<CompleteConfig>>,
    ) -> Result<Leave, Error> {
        let Arrived { domain, fleet, .. } = arrived;
        self.note("receive");
        *self.named.lock().unwrap() = fleet.cloned();
        let mut stuck = self.stuck.subscribe();
        stuck.wait_for(|stuck| !stuck.contains(&domain)).await.unwrap();
        match *self.says.lock().unwrap() {
            Says::Granted => Ok(Leave::Granted),
            Says::Refused => Ok(Leave::Refused(away())),
            Says::Nothing => Err(away()),
        }
    }
    async fn renounce(&self, _arrived: Arrived<'_>) -> Result<(), Error> {
        self.note("renounce");
        if *self.says.lock().unwrap() == Says::Nothing { Err(away()) } else { Ok(()) }
    }
    async fn define(
        &self,
        definition: &Arc<CompleteConfig>,
    ) -> Result<Box<dyn PendingCopy>, Error> {
        self.note("define");
        Alone.define(definition).await
    }
    async fn rename(
        &self,
        domain: Uuid,
        name: &DomName,
        definition: Option<&Arc<CompleteConfig>>,
    ) -> Result<Box<dyn PendingCopy>, Error> {
        self.note("rename");
        Alone.rename(domain, name, definition).await
    }
    async fn delete(&self, domain: Uuid) -> Result<Box<dyn PendingCopy>, Error> {
        self.note("delete");
        Alone.delete(domain).await
    }
    fn changed(&self, _domain: Uuid, definition: Option<&Arc<CompleteConfig>>) {
        self.note(if definition.is_some() { "changed" } else { "gone" });
    }
    async fn go_away(&self, _now: SystemTime, _until: SystemTime) -> Result<(), Error> {
        self.note("go away");
        Ok(())
    }
    async fn come_back(&self) -> Result<(), Error> {
        self.note("come back");
        Ok(())
    }
}

//! Which host of the fleet gets a new domain, and which ones get those of a host that is left.

use super::View;
use crate::core::caller::Via;
use crate::core::error::Error;
use crate::core::fleet::{FleetView, HostName};
use crate::core::lifecycle::State;
use crate::core::model::DomainConfig;
use crate::core::placement::{HostRoom, Leaving, Plan, Wanted, evacuate, place};
use crate::core::rights::OpKind;
use crate::core::snapshot::DomainView;
use std::sync::Arc;
use tokio::time::Instant;

/// Why no host gets a domain.
#[derive(Debug, thiserror::Error)]
pub enum NotPlaced {
    /// The request came from another host, which should have chosen.
    #[error("A request of the host {0} is for this host: it chooses no other one")]
    PassedOnBefore(HostName),
    /// It fits nowhere, or says in a strange way what it needs.
    #[error("No host of the fleet fits: {0}")]
    NoHost(String),
    /// Nothing is known of the fleet.
    #[error(transparent)]
    Failed(#[from] Error),
}

/// What becomes of the domains on a host when all of them are to leave it.
#[derive(Debug)]
pub struct Evacuation {
    pub plan: Plan,
    /// Why each of the others cannot be moved, in words that name it.
    pub fixed: Vec<String>,
}

impl View {
    /// The host of the fleet for a new domain with this configuration: the one that has a domain of
    /// this name or UUID already, or else the best by [`place`]. It is a guess by what the hosts
    /// have told: the host that gets the domain checks rights, names and memory itself. It is for
    /// operators, since which host is chosen tells of the domains of others.
    pub async fn host_for(&self, config: &DomainConfig) -> Result<HostName, NotPlaced> {
        if let Via::Peer { host: from, .. } = &self.caller.via {
            return Err(NotPlaced::PassedOnBefore(from.clone()));
        }
        if !self.caller.is_operator() {
            let reason = "host: auto is for operators, name a host".to_owned();
            return Err(Error::BeyondLimits(reason).into());
        }
        let wanted =
            Wanted::of(config).map_err(|invalid| Error::Invalid(invalid.about("config")))?;
        let view = self.fresh_fleet("name a host").await?;
        let choose = || match host_with(&view, config) {
            Some(host) => Ok(host),
            None => place(&wanted, &HostRoom::all(&view)).map(|host| host.name.clone()),
        };
        // All domains are looked at.
        let chosen = self.core.offload.print(view.domains.size() * 32, choose).await;
        chosen.map_err(|unplaced| NotPlaced::NoHost(unplaced.to_string()))
    }

    /// Where the domains on this host go when all of them leave it, by what the hosts have told.
    /// Definitions of domains that do not run stay.
    pub async fn evacuation(&self) -> Result<Evacuation, NotPlaced> {
        self.require(OpKind::PlanEvacuation, "evacuate")?;
        let view = self.fresh_fleet("name a host for each domain").await?;
        let snapshot = self.domains().await?;
        let plan = || {
            let mut rooms = HostRoom::all(&view);
            rooms.retain(|room| room.name != view.own);
            let (mut domains, mut fixed) = (Vec::new(), Vec::new());
            let on_host = snapshot.domains().filter(|domain| domain.domid().is_some());
            for domain in on_host.filter(|domain| !domain.is_privileged()) {
                match leaving(domain) {
                    Ok(domain) => domains.push(domain),
                    Err(reason) => fixed.push(reason),
                }
            }
            Evacuation { plan: evacuate(&domains, &rooms), fixed }
        };
        Ok(self.core.offload.print(view.domains.size() * 32, plan).await)
    }

    /// The fleet, as far as it is known well enough to choose hosts; else `instead` is to be done.
    async fn fresh_fleet(&self, instead: &str) -> Result<Arc<FleetView>, NotPlaced> {
        let fleet = self.core.settings.fleet.as_ref();
        let fleet =
            fleet.ok_or_else(|| NotPlaced::NoHost("this host is in no fleet".to_owned()))?;
        let view = fleet.view().await?;
        if view.is_stale(Instant::now()) {
            let age = view.heard.elapsed().as_secs();
            let message = format!("etcd was last heard of {age} s ago, {instead}");
            return Err(Error::Unreachable { message, source: None }.into());
        }
        Ok(view)
    }
}

/// A domain that leaves this host, or why it cannot.
fn leaving(domain: &DomainView) -> Result<Leaving, String> {
    let name = domain.name();
    if domain.state() != State::Running {
        let state = domain.state().name();
        return Err(format!("{name}: it is {state}, and only running domains migrate"));
    }
    Leaving::of(&domain.config).map_err(|invalid| format!("{name}: {invalid}"))
}

/// The host that has a domain of this name or UUID.
fn host_with(view: &FleetView, config: &DomainConfig) -> Option<HostName> {
    let mut domains = view.domains.iter();
    let found = domains
        .find(|((_, uuid), domain)| config.uuid == Some(*uuid) || domain.name == config.name);
    found.map(|((host, _), _)| host.clone())
}

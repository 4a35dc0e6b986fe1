//! Which host of the fleet gets a new domain.

use super::View;
use crate::core::caller::Via;
use crate::core::error::Error;
use crate::core::fleet::{FleetView, HostName};
use crate::core::model::DomainConfig;
use crate::core::placement::{HostRoom, Wanted, place};

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
        let fleet = self.core.settings.fleet.as_ref();
        let fleet =
            fleet.ok_or_else(|| NotPlaced::NoHost("this host is in no fleet".to_owned()))?;
        let wanted =
            Wanted::of(config).map_err(|invalid| Error::Invalid(invalid.about("config")))?;
        let view = fleet.view().await?;
        let age = view.heard.elapsed();
        if age > FleetView::FRESH_FOR {
            let message = format!("etcd was last heard of {} s ago, name a host", age.as_secs());
            return Err(Error::Unreachable { message, source: None }.into());
        }
        let choose = || match host_with(&view, config) {
            Some(host) => Ok(host),
            None => place(&wanted, &HostRoom::all(&view)).map(|host| host.name.clone()),
        };
        // All domains are looked at.
        let chosen = self.core.offload.print(view.domains.size() * 32, choose).await;
        chosen.map_err(|unplaced| NotPlaced::NoHost(unplaced.to_string()))
    }
}

/// The host that has a domain of this name or UUID.
fn host_with(view: &FleetView, config: &DomainConfig) -> Option<HostName> {
    let mut domains = view.domains.iter();
    let found = domains
        .find(|((_, uuid), domain)| config.uuid == Some(*uuid) || domain.name == config.name);
    found.map(|((host, _), _)| host.clone())
}

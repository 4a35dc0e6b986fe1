//! The hosts of the fleet.

use super::View;
use crate::core::error::Error;
use crate::core::fleet::{DomainSummary, FleetView, HostName, Member, Presence};
use crate::core::model::Uuid;
use crate::core::rights::OpKind;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// How long a page waits for what it can do without.
const MOMENT: Duration = Duration::from_millis(300);
/// The most hosts that a form offers.
const MOST_OFFERED: usize = 500;

impl View {
    /// Whether this host has joined a fleet.
    pub fn has_fleet(&self) -> bool {
        self.core.settings.fleet.is_some()
    }

    /// The names of the other hosts of the fleet that take domains now, as far as the caller may
    /// name them; `None` on a host in no fleet. A fleet that is not known at once has none.
    pub async fn destinations(&self) -> Option<Vec<String>> {
        let fleet = self.core.settings.fleet.as_ref()?;
        let Ok(Ok(view)) = timeout(MOMENT, fleet.view()).await else { return Some(Vec::new()) };
        let access = self.caller.access();
        let takes_domains = |name: &HostName, member: &Member| {
            *name != view.own
                && member.presence == Presence::Alive
                && member.relocation.is_some()
                && member.fingerprint.is_some()
        };
        let may_be_named = |name: &str| {
            access.operator || access.limits.hosts.iter().any(|allowed| allowed == name)
        };
        let members = view.members.iter().filter(|(name, member)| takes_domains(name, member));
        let names = members.map(|(name, _)| name.to_string()).filter(|name| may_be_named(name));
        Some(names.take(MOST_OFFERED).collect())
    }

    /// The hosts of the fleet, with the domains that the caller sees; `None` on a host in no fleet.
    pub async fn fleet(&self) -> Result<Option<Arc<FleetView>>, Error> {
        self.require(OpKind::ShowFleet, "the fleet")?;
        let Some(fleet) = &self.core.settings.fleet else { return Ok(None) };
        let view = fleet.view().await?;
        if self.caller.is_operator() {
            return Ok(Some(view));
        }
        let access = self.caller.access();
        let sees = |((_, uuid), domain): &(&(HostName, Uuid), &Arc<DomainSummary>)| {
            access.may_on(OpKind::ShowDomain, *uuid, domain.name.as_str())
        };
        let domains = view.domains.iter().filter(sees);
        let domains = domains.map(|(key, domain)| (key.clone(), domain.clone())).collect();
        Ok(Some(Arc::new(FleetView { domains, ..FleetView::clone(&view) })))
    }
}

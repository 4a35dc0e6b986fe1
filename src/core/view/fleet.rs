//! The hosts of the fleet.

use super::View;
use crate::core::error::Error;
use crate::core::fleet::{DomainSummary, FleetView, HostName};
use crate::core::model::Uuid;
use crate::core::rights::OpKind;
use std::sync::Arc;

impl View {
    /// Whether this host has joined a fleet.
    pub fn has_fleet(&self) -> bool {
        self.core.settings.fleet.is_some()
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

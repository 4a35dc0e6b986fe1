//! The other hosts of the fleet, which this one asks and which ask it.

use super::View;
use crate::core::caller::{OnBehalf, Via};
use crate::core::error::Error;
use crate::core::fingerprint::Fingerprint;
use crate::core::fleet::{DomainSummary, HostName, Member};
use crate::core::model::{DomainRef, Uuid};
use crate::core::ports::{HostStream, PeerRefusal};
use crate::core::rights::OpKind;

/// A host of the fleet.
#[derive(Debug, Clone)]
pub enum FleetHost {
    /// The host that answers.
    Own,
    /// Another one.
    Other(Box<(HostName, Member)>),
}

/// Why another host is not asked.
#[derive(Debug, thiserror::Error)]
pub enum NotAsked {
    /// The request came from another host: requests are passed on once.
    #[error("A request of the host {from} is not passed on to {to}: ask {to} itself")]
    PassedOnBefore { from: HostName, to: HostName },
    /// It cannot be reached.
    #[error(transparent)]
    Failed(#[from] Error),
}

impl View {
    /// The name of this host in its fleet; `None` on a host in no fleet.
    pub fn own_host(&self) -> Option<HostName> {
        self.core.settings.fleet.as_ref().map(|fleet| fleet.own())
    }

    /// The host of the fleet with this name; `None` if there is none. Whoever may ask this host may
    /// ask the others: each checks the rights itself.
    pub async fn fleet_host(&self, name: &str) -> Result<Option<FleetHost>, Error> {
        let Some(fleet) = &self.core.settings.fleet else { return Ok(None) };
        let Ok(name) = name.parse::<HostName>() else { return Ok(None) };
        if name == fleet.own() {
            return Ok(Some(FleetHost::Own));
        }
        let member = fleet.member(&name).await?;
        Ok(member.map(|member| FleetHost::Other(Box::new((name, member)))))
    }

    /// The other hosts of the fleet that have a domain of this name or UUID, as far as the caller
    /// sees it, sorted. A domid is a number on each host and means none of theirs. For a request
    /// that another host has passed on there is none: it is not passed on again.
    pub async fn hosts_of(&self, domain: &DomainRef) -> Result<Vec<HostName>, Error> {
        let (name, uuid) = (domain.as_str(), domain.uuid());
        let is_number = name.bytes().all(|byte| byte.is_ascii_digit());
        let is_passed_on = matches!(self.caller.via, Via::Peer { .. });
        let fleet = self.core.settings.fleet.as_ref().filter(|_| !is_number && !is_passed_on);
        let Some(fleet) = fleet else { return Ok(Vec::new()) };
        let view = fleet.view().await?;
        let access = self.caller.access();
        let is_meant = |of: Uuid, summary: &DomainSummary| {
            let own = summary.name.as_str();
            (own == name || uuid == Some(of)) && access.may_on(OpKind::ShowDomain, of, own)
        };
        let find = || {
            let rows = view.domains.iter().filter(|((host, _), _)| *host != view.own);
            let found = rows.filter(|((_, uuid), summary)| is_meant(*uuid, summary));
            let mut hosts: Vec<HostName> = found.map(|((host, _), _)| host.clone()).collect();
            hosts.dedup();
            hosts
        };
        // All domains are looked at.
        Ok(self.core.offload.print(view.domains.size() * 32, find).await)
    }

    /// Connects to another host of the fleet, with those for whom it is asked.
    pub async fn ask_host(
        &self,
        host: &HostName,
        member: &Member,
    ) -> Result<(Box<dyn HostStream>, OnBehalf), NotAsked> {
        if let Via::Peer { host: from, .. } = &self.caller.via {
            return Err(NotAsked::PassedOnBefore { from: from.clone(), to: host.clone() });
        }
        // A caller who is nobody may do nothing here either.
        let on_behalf = self.caller.on_behalf();
        let on_behalf = on_behalf
            .ok_or_else(|| Error::not_permitted("host", OpKind::ListDomains.need(), ""))?;
        let peers = self.core.settings.peers.as_ref().ok_or_else(|| Error::Unreachable {
            message: format!("{host} cannot be asked: this host has no way to other hosts"),
            source: None,
        })?;
        Ok((peers.connect(host, member).await?, on_behalf))
    }

    /// Checks that the fleet has a host of this name with this certificate now. It is told to
    /// operators alone.
    pub async fn check_peer(
        &self,
        name: &HostName,
        certificate: &Fingerprint,
    ) -> Result<(), PeerRefusal> {
        let fleet = self.core.settings.fleet.as_ref().filter(|_| self.caller.is_operator());
        let fleet = fleet.ok_or(PeerRefusal::Stranger)?;
        let member = fleet.member_now(name).await.map_err(|_| PeerRefusal::FleetUnknown)?;
        let has_it = |member: &Member| member.fingerprint.as_ref() == Some(certificate);
        if member.as_ref().is_some_and(has_it) { Ok(()) } else { Err(PeerRefusal::Stranger) }
    }
}

//! The other hosts of the fleet, each as a view of its own with what the fleet knows of it.
//!
//! A domain of which two hosts tell, such as one that moves, is shown on one of them; one that is
//! here is shown here.

use super::failure::Failure;
use super::host_view::{HostView, OtherHost};
use super::hosts::XenApiHosts;
use super::objects::vms::{guest_metrics_uuid, metrics_uuid};
use super::schema::Class;
use super::service::XenApi;
use super::sessions::CallSession;
use crate::core::error::Error;
use crate::core::fleet::{DomainSummary, FleetView, HostName, Member, Presence};
use crate::core::model::{DomId, DomName, HostFigures, Uuid};
use crate::core::snapshot::Snapshot;
use crate::core::view::View;
use crate::wire::xmlrpc::object_ids::derived_uuid;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::SystemTime;
use tokio::time::Instant;

/// The fleet, if the Xen-API shows it and the caller may see it.
pub(crate) async fn read_fleet(
    api: &XenApi,
    view: &View,
) -> Result<Option<Arc<FleetView>>, Failure> {
    if api.hosts == XenApiHosts::Own {
        return Ok(None);
    }
    match view.fleet().await {
        Ok(fleet) => Ok(fleet),
        Err(Error::NotPermitted { .. }) => Ok(None),
        Err(error) => Err(Failure::not_allowed(&error.to_string())),
    }
}

/// About how much work it is to look at all domains of a fleet, in bytes of an answer.
pub(crate) fn work(fleet: &FleetView) -> usize {
    fleet.domains.size() * 64
}

/// The other hosts of the fleet, for one call. Making it looks at all domains.
pub(crate) struct OtherHosts<'a> {
    api: &'a XenApi,
    view: &'a View,
    session: &'a CallSession,
    fleet: &'a FleetView,
    /// In the order of their names.
    hosts: Vec<(&'a HostName, &'a Member)>,
    /// The host on which each VM is shown.
    homes: HashMap<Uuid, Home<'a>>,
    now: Instant,
}

struct Home<'a> {
    host: &'a HostName,
    /// Whether the host is alive, and whether the domain is on it: the greatest counts.
    rank: (bool, bool),
}

/// The reference of a VM: each host has a Domain-0 of the same UUID.
fn reference(member: &Member, uuid: Uuid, domain: &DomainSummary) -> Uuid {
    match domain.domid {
        Some(DomId::ZERO) => derived_uuid(member.uuid, DomName::DOMAIN_0),
        _ => uuid,
    }
}

impl<'a> OtherHosts<'a> {
    /// Those of a fleet beside this host, which has the domains `here`.
    pub(crate) fn of(
        api: &'a XenApi,
        view: &'a View,
        session: &'a CallSession,
        fleet: &'a FleetView,
        here: &Snapshot,
    ) -> Self {
        let mut known = HashSet::from([api.context.host()]);
        let others = fleet.members.iter().filter(|(name, _)| **name != fleet.own);
        // A machine that was joined twice is one host.
        let hosts: Vec<_> = others.filter(|(_, member)| known.insert(member.uuid)).collect();
        let mut homes: HashMap<Uuid, Home<'a>> = HashMap::new();
        for (host, member) in &hosts {
            for (uuid, domain) in fleet.domains_of(host) {
                let vm = reference(member, uuid, domain);
                if here.by_uuid(&vm).is_some() {
                    continue;
                }
                let rank = (member.presence == Presence::Alive, domain.domid.is_some());
                match homes.entry(vm) {
                    Entry::Occupied(mut home) if home.get().rank < rank => {
                        home.insert(Home { host, rank });
                    }
                    Entry::Occupied(_) => {}
                    Entry::Vacant(place) => {
                        place.insert(Home { host, rank });
                    }
                }
            }
        }
        Self { api, view, session, fleet, hosts, homes, now: Instant::now() }
    }

    /// All of them, one after the other.
    pub(crate) fn all(&self) -> impl Iterator<Item = HostView> {
        self.hosts.iter().map(|(name, member)| self.show(name, member, |_, _| true))
    }

    /// The same, each with those of its VMs alone that have this name.
    pub(crate) fn with_vms_named(&self, name: &DomName) -> impl Iterator<Item = HostView> {
        let is_named = move |_, domain: &DomainSummary| domain.name == *name;
        self.hosts.iter().map(move |(host, member)| self.show(host, member, is_named))
    }

    /// The host that has an object of a class.
    pub(crate) fn with(&self, class: &Class, object: Uuid) -> Option<HostView> {
        let is_host = |member: &Member| [member.uuid, metrics_uuid(member.uuid)].contains(&object);
        let host = self.hosts.iter().find(|(_, member)| is_host(member));
        let host = host.map(|(name, member)| self.show(name, member, |_, _| true));
        let host = host.or_else(|| {
            let is_of = |vm: Uuid| [metrics_uuid(vm), guest_metrics_uuid(vm)].contains(&object);
            let found = self.homes.get_key_value(&object);
            let (vm, home) = found.or_else(|| self.homes.iter().find(|(vm, _)| is_of(**vm)))?;
            let member = self.fleet.members.get(home.host)?;
            Some(self.show(home.host, member, |uuid, _| uuid == *vm))
        })?;
        (class.check)(&host, object).is_ok().then_some(host)
    }

    /// A host with the VMs that are wanted.
    fn show(
        &self,
        name: &HostName,
        member: &Member,
        is_wanted: impl Fn(Uuid, &DomainSummary) -> bool,
    ) -> HostView {
        let domains = self.fleet.domains_of(name).map(|(uuid, domain)| {
            let domain: &DomainSummary = domain;
            (reference(member, uuid, domain), domain)
        });
        let is_home = |vm: &Uuid| self.homes.get(vm).is_some_and(|home| home.host == name);
        let shown = domains.filter(|(vm, domain)| is_home(vm) && is_wanted(*vm, domain));
        let free_memory = self.fleet.free_mib(name, member);
        let figures = HostFigures { free_memory, ..HostFigures::default() };
        let age = self.fleet.age_of(member, self.now);
        let time = self.api.context.engine().now();
        let other = OtherHost {
            name: name.clone(),
            member: member.clone(),
            snapshot: Snapshot::of_fleet(shown, figures),
            is_enabled: member.presence == Presence::Alive && !self.fleet.is_stale(self.now),
            told: age.and_then(|age| time.checked_sub(age)).unwrap_or(SystemTime::UNIX_EPOCH),
        };
        HostView::of_other(self.api, self.view, self.session.clone(), other)
    }
}

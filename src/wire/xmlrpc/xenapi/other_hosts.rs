//! The other hosts of the fleet, each as a view of its own with what the fleet knows of it.
//!
//! A domain of which two hosts tell, such as one that moves, is shown on one of them; one that is
//! here is shown here.

use super::failure::Failure;
use super::host_view::HostView;
use super::host_view::other::OtherHost;
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

/// The other hosts of the fleet, for one call.
pub(crate) struct OtherHosts<'a> {
    api: &'a XenApi,
    view: &'a View,
    session: &'a CallSession,
    fleet: &'a FleetView,
    /// The domains of this host.
    here: &'a Snapshot,
    /// In the order of their names.
    hosts: Vec<Host<'a>>,
    now: Instant,
}

type Host<'a> = (&'a HostName, &'a Member);

/// Which of the hosts that tell of a VM has it: the greatest.
type Rank = (bool, bool);

/// Those that are alive come first, then those that the domain is on.
fn rank(member: &Member, domain: &DomainSummary) -> Rank {
    (member.presence == Presence::Alive, domain.domid.is_some())
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
        here: &'a Snapshot,
    ) -> Self {
        let mut known = HashSet::from([api.context.host()]);
        let others = fleet.members.iter().filter(|(name, _)| **name != fleet.own);
        // A machine that was joined twice is one host.
        let hosts = others.filter(|(_, member)| known.insert(member.uuid)).collect();
        Self { api, view, session, fleet, here, hosts, now: Instant::now() }
    }

    /// All of them, one after the other.
    pub(crate) fn all(&self) -> impl Iterator<Item = HostView> {
        let mut homes: HashMap<Uuid, (&HostName, Rank)> = HashMap::new();
        for host @ (name, member) in &self.hosts {
            for (vm, domain) in self.vms(host) {
                let rank = rank(member, domain);
                let home = homes.entry(vm).or_insert((name, rank));
                if home.1 < rank {
                    *home = (name, rank);
                }
            }
        }
        self.hosts.iter().map(move |host| {
            let vms = self.vms(host);
            let is_home = |vm: &Uuid| homes.get(vm).is_some_and(|(home, _)| *home == host.0);
            self.show(host, vms.filter(|(vm, _)| is_home(vm)))
        })
    }

    /// The same, each with those of its VMs alone that have this name.
    pub(crate) fn with_vms_named(&self, name: &DomName) -> impl Iterator<Item = HostView> {
        self.hosts.iter().map(move |host| {
            let named = self.vms(host).filter(move |(_, domain)| domain.name == *name);
            self.show(host, named.filter(|(vm, _)| self.is_home(host, *vm)))
        })
    }

    /// The host that has an object of a class.
    pub(crate) fn with(&self, class: &Class, object: Uuid) -> Option<HostView> {
        let is_of_host =
            |(_, member): &&Host<'_>| [member.uuid, metrics_uuid(member.uuid)].contains(&object);
        let host = if let Some(host) = self.hosts.iter().find(is_of_host) {
            self.show(host, self.vms(host).filter(|(vm, _)| self.is_home(host, *vm)))
        } else {
            let vm = if self.home(object).is_some() { object } else { self.vm_of_metrics(object)? };
            let host = self.home(vm)?;
            self.show(host, self.vms(host).filter(|(uuid, _)| *uuid == vm))
        };
        (class.check)(&host, object).is_ok().then_some(host)
    }

    /// The VMs of which a host tells, by their references, without those that are here.
    fn vms(&self, (name, member): &Host<'a>) -> impl Iterator<Item = (Uuid, &'a DomainSummary)> {
        let (here, member) = (self.here, *member);
        self.fleet
            .domains_of(name)
            .map(move |(uuid, domain)| (reference(member, uuid, domain), &**domain))
            .filter(move |(vm, _)| here.by_uuid(vm).is_none())
    }

    /// What a host tells of a VM.
    fn told(&self, (name, member): &Host<'a>, vm: Uuid) -> Option<&'a DomainSummary> {
        let domain = self.fleet.domains.get(&((*name).clone(), vm));
        let domain = domain.filter(|domain| reference(member, vm, domain) == vm);
        match domain {
            Some(domain) => Some(&**domain),
            // Its Domain-0 has another reference than UUID.
            None if vm == derived_uuid(member.uuid, DomName::DOMAIN_0) => {
                let mut domains = self.fleet.domains_of(name);
                domains.find(|(_, one)| one.domid == Some(DomId::ZERO)).map(|(_, one)| &**one)
            }
            None => None,
        }
    }

    /// The host on which a VM is shown.
    fn home(&self, vm: Uuid) -> Option<&Host<'a>> {
        let mut home: Option<(&Host<'a>, Rank)> = None;
        for host in self.hosts.iter().filter(|_| self.here.by_uuid(&vm).is_none()) {
            let Some(domain) = self.told(host, vm) else { continue };
            let rank = rank(host.1, domain);
            if home.is_none_or(|(_, known)| known < rank) {
                home = Some((host, rank));
            }
        }
        home.map(|(host, _)| host)
    }

    fn is_home(&self, host: &Host<'a>, vm: Uuid) -> bool {
        self.home(vm).is_some_and(|home| home.0 == host.0)
    }

    /// The VM that these are the metrics of, or the guest metrics. All are looked at.
    fn vm_of_metrics(&self, metrics: Uuid) -> Option<Uuid> {
        let mut vms = self.hosts.iter().flat_map(|host| self.vms(host));
        let is_of = |vm: Uuid| [metrics_uuid(vm), guest_metrics_uuid(vm)].contains(&metrics);
        vms.find(|(vm, _)| is_of(*vm)).map(|(vm, _)| vm)
    }

    /// A host with these VMs.
    fn show(
        &self,
        (name, member): &Host<'a>,
        vms: impl Iterator<Item = (Uuid, &'a DomainSummary)>,
    ) -> HostView {
        let free_memory = self.fleet.free_mib(name, member);
        let figures = HostFigures { free_memory, ..HostFigures::default() };
        let age = self.fleet.age_of(member, self.now);
        let time = self.api.context.engine().now();
        let other = OtherHost {
            name: (*name).clone(),
            member: (*member).clone(),
            snapshot: Snapshot::of_fleet(vms, figures),
            is_enabled: member.presence == Presence::Alive && !self.fleet.is_stale(self.now),
            told: age.and_then(|age| time.checked_sub(age)).unwrap_or(SystemTime::UNIX_EPOCH),
        };
        HostView::of_other(self.api, self.view, self.session.clone(), other)
    }
}

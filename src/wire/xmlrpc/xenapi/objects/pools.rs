//! CPU pools: the running ones, and those that are stored and do not run.

use super::vms::vm;
use crate::core::model::{Pool, PoolFacts, Scheduler, Uuid};
use crate::wire::xmlrpc::object_ids::{pool_names, pool_uuid};
use crate::wire::xmlrpc::value::Value;
use crate::wire::xmlrpc::xenapi::failure::Failure;
use crate::wire::xmlrpc::xenapi::host_view::HostView;
use crate::wire::xmlrpc::xenapi::references::find_object;
use crate::wire::xmlrpc::xenapi::values::refs;

/// A CPU pool.
pub(crate) struct CpuPool<'a> {
    /// `None` for a pool that does not run.
    pub(crate) facts: Option<&'a PoolFacts>,
    /// `None` for a pool that is not xend's, such as the first one.
    pub(crate) stored: Option<&'a Pool>,
}

impl CpuPool<'_> {
    pub(crate) fn name(&self) -> String {
        let facts = self.facts.map(|facts| &facts.name);
        facts.or(self.stored.map(|stored| &stored.name)).cloned().unwrap_or_default()
    }

    pub(crate) fn is_active(&self) -> bool {
        self.facts.is_some()
    }

    pub(crate) fn scheduler(&self) -> &'static str {
        let facts = self.facts.map(|facts| facts.scheduler);
        let scheduler = facts.or(self.stored.map(|stored| stored.scheduler));
        scheduler.map(Scheduler::name).unwrap_or_default()
    }
}

fn uuid_of(host: &HostView, name: &str) -> Uuid {
    pool_uuid(&host.inventory, host.host, name)
}

pub(crate) fn all_pools(host: &HostView) -> Result<Vec<Uuid>, Failure> {
    let names = pool_names(&host.inventory, host.fetched.pools()?);
    Ok(names.iter().map(|name| uuid_of(host, name)).collect())
}

pub(crate) fn pool(host: &HostView, uuid: Uuid) -> Result<CpuPool<'_>, Failure> {
    let stored = host.inventory.pools().find(|(item, _)| item.uuid == uuid).map(|(_, pool)| pool);
    let facts = host.fetched.pools()?.iter().find(|pool| uuid_of(host, &pool.name) == uuid);
    if stored.is_none() && facts.is_none() {
        return Err(Failure::no_object("cpu_pool", &uuid));
    }
    Ok(CpuPool { facts, stored })
}

/// The pool that a reference names.
pub(crate) fn find_pool<'a>(host: &'a HostView, reference: &str) -> Result<CpuPool<'a>, Failure> {
    pool(host, find_object("cpu_pool", reference, |uuid| pool(host, uuid))?)
}

/// The pool of a VM, or the one that it will be in.
pub(crate) fn pool_of_vm(host: &HostView, uuid: Uuid) -> Result<Option<Uuid>, Failure> {
    let vm = vm(host, uuid)?;
    let pools = host.fetched.pools_of_vms()?;
    let refs = host.pool_refs.get_or_init(|| {
        let names = pool_names(&host.inventory, pools.all());
        let with_uuid = |name: String| {
            let uuid = uuid_of(host, &name);
            (name, uuid)
        };
        names.into_iter().map(with_uuid).collect()
    });
    let running = vm.domid().and_then(|domid| pools.of_domain(domid));
    let name = running.map_or_else(|| vm.config.pool_name.to_string(), |pool| pool.name.clone());
    Ok(refs.get(&name).copied())
}

/// The pools that have CPUs of the host.
pub(crate) fn active_pools(host: &HostView) -> Result<Value, Failure> {
    Ok(refs(host.fetched.pools()?.iter().map(|pool| uuid_of(host, &pool.name))))
}

/// The pool of a CPU.
pub(crate) fn pool_of_cpu(host: &HostView, cpu: u32) -> Result<Value, Failure> {
    let pools = host.fetched.pools()?.iter().filter(|pool| pool.cpus.contains(cpu));
    Ok(refs(pools.map(|pool| uuid_of(host, &pool.name))))
}

//! CPU pools: those that the hypervisor has, and those that are stored and not started.

use super::failure::{About, Failure};
use super::host::{HOST_CPU, cpu_number, cpus};
use super::notes::{Kind, Shelf, of_record};
use super::record::{Record, find as find_object};
use super::table::{Call, Class, Field, Work};
use super::world::{Need, World, map, number, refs, text, texts};
use crate::core::model::{CpuSet, Pool, PoolFacts, PoolSetting, Scheduler, Uuid};
use crate::core::op::{Change, PoolOp};
use crate::wire::xmlrpc::args::Args;
use crate::wire::xmlrpc::object_ids::{pool_names, pool_uuid};
use crate::wire::xmlrpc::value::Value;

const POOLED: &[Need] = &[Need::Pools];

/// A pool: as it is, and as it is stored.
pub(super) struct Both<'a> {
    facts: Option<&'a PoolFacts>,
    stored: Option<&'a Pool>,
}

impl Both<'_> {
    pub(super) fn name(&self) -> String {
        let name = self.facts.map(|facts| &facts.name).or(self.stored.map(|stored| &stored.name));
        name.cloned().unwrap_or_default()
    }

    pub(super) fn is_active(&self) -> bool {
        self.facts.is_some()
    }

    fn scheduler(&self) -> &'static str {
        let scheduler =
            self.facts.map(|facts| facts.scheduler).or(self.stored.map(|stored| stored.scheduler));
        scheduler.map(Scheduler::name).unwrap_or_default()
    }
}

fn uuid_of(world: &World, name: &str) -> Uuid {
    pool_uuid(&world.inventory, world.host, name)
}

fn all(world: &World) -> Vec<Uuid> {
    let names = pool_names(&world.inventory, &world.seen.pools);
    names.iter().map(|name| uuid_of(world, name)).collect()
}

fn both(world: &World, uuid: Uuid) -> Option<Both<'_>> {
    let stored = world.inventory.pools().find(|(item, _)| item.uuid == uuid).map(|(_, pool)| pool);
    let facts = world.seen.pools.iter().find(|pool| uuid_of(world, &pool.name) == uuid);
    (stored.is_some() || facts.is_some()).then_some(Both { facts, stored })
}

/// The pool that a reference names.
pub(super) fn find<'a>(world: &'a World, reference: &str) -> Result<Both<'a>, Failure> {
    let uuid = find_object(world, &CPU_POOL, reference)?;
    both(world, uuid).ok_or_else(|| Failure::new("HANDLE_INVALID", ["cpu_pool", reference]))
}

/// The pool that a VM is in, or will be.
pub(super) fn of_vm(world: &World, uuid: Uuid) -> Option<Value> {
    let view = world.vm(uuid)?;
    let running = world
        .seen
        .pools
        .iter()
        .find(|pool| view.domid().is_some_and(|domid| pool.domains.contains(&domid)));
    let name = running.map_or_else(|| view.config.pool_name.to_string(), |pool| pool.name.clone());
    Some(refs([uuid_of(world, &name)].into_iter().filter(|uuid| both(world, *uuid).is_some())))
}

/// The pools that have CPUs of the host.
pub(super) fn active(world: &World) -> Value {
    refs(world.seen.pools.iter().map(|pool| uuid_of(world, &pool.name)))
}

/// The pool that a CPU is in.
pub(super) fn of_cpu(world: &World, cpu: u32) -> Value {
    let in_it = world.seen.pools.iter().filter(|pool| pool.cpus.contains(cpu));
    refs(in_it.map(|pool| uuid_of(world, &pool.name)))
}

fn about(uuid: Uuid) -> About {
    About { vm: uuid.to_string(), class: Some("cpu_pool"), ..About::default() }
}

fn does(world: &World, uuid: Uuid, op: PoolOp) -> Result<Work, Failure> {
    let gone = || Failure::new("HANDLE_INVALID", ["cpu_pool", &uuid.to_string()]);
    let name = both(world, uuid).ok_or_else(gone)?.name();
    Ok(Work::silent(vec![Change::Pool(name, op).into()], about(uuid)))
}

/// Sets something of a stored pool; the first one is not stored.
fn set(world: &World, uuid: Uuid, setting: PoolSetting) -> Result<Work, Failure> {
    let stored = both(world, uuid).and_then(|both| both.stored).is_some();
    if !stored {
        return Err(Failure::new("OPERATION_NOT_ALLOWED", ["The pool is not one of xend's"]));
    }
    does(world, uuid, PoolOp::Set(setting))
}

fn scheduler(word: &str) -> Result<Scheduler, Failure> {
    word.parse().map_err(|_| Failure::new("UNKOWN_SCHED_POLICY", []))
}

/// CPUs as the Xen-API counts them here: numbers as texts.
fn numbers(world: &World, texts: &[String]) -> Result<CpuSet, Failure> {
    let there = world.info.topology.cpus;
    let number = |text: &String| {
        let cpu: Option<u32> = text.trim().parse().ok().filter(|cpu| *cpu < there);
        let reason =
            || format!("proposed_CPUs: this host has CPUs 0 to {}", there.saturating_sub(1));
        cpu.ok_or_else(|| Failure::new("INVAILD_CPU", [reason().as_str()]))
    };
    texts.iter().map(number).collect::<Result<Vec<_>, _>>().map(|cpus| cpus.into_iter().collect())
}

fn ncpu(number: i64) -> Result<u32, Failure> {
    let count = u32::try_from(number).ok().filter(|count| *count > 0);
    count.ok_or_else(|| Failure::new("PARAMETER_ERROR", ["ncpu: 1 at least is expected"]))
}

fn create(world: &World, _: Uuid, args: &Args<'_>) -> Result<Work, Failure> {
    let record = Record::of("cpu_pool", args)?;
    let name = record.needed("name_label")?;
    Pool::check_name(&name)
        .map_err(|invalid| Failure::value("name_label", &invalid.to_string()))?;
    let scheduler = match record.text("sched_policy")?.as_str() {
        "" => world.info.scheduler,
        name => scheduler(name)?,
    };
    let proposed =
        record.args_of("proposed_CPUs").map(|member| member.args().list(0)).transpose()?;
    let pool = Pool {
        name: name.clone(),
        scheduler,
        cpus: numbers(world, &proposed.unwrap_or_default())?,
        ncpu: record.number::<i64>("ncpu")?.map_or(Ok(1), ncpu)?,
        auto_start: record.flag("auto_power_on")?,
    };
    let uuid = Uuid::new_v4();
    let notes = of_record(&record, CPU_POOL.fields)?;
    let op = PoolOp::Define { uuid, pool, notes };
    Ok(Work::makes(vec![Change::Pool(name, op).into()], about(uuid), uuid))
}

/// One of the host's CPUs comes, or goes.
fn live(
    world: &World,
    uuid: Uuid,
    args: &Args<'_>,
    op: fn(u32) -> PoolOp,
) -> Result<Work, Failure> {
    let cpu = find_object(world, &HOST_CPU, &args.text(2)?)?;
    let cpu = cpu_number(world, cpu).and_then(|cpu| u32::try_from(cpu).ok()).unwrap_or_default();
    does(world, uuid, op(cpu))
}

fn proposed(
    world: &World,
    uuid: Uuid,
    change: impl FnOnce(CpuSet) -> CpuSet,
) -> Result<Work, Failure> {
    let now = both(world, uuid).and_then(|both| both.stored).map(|stored| stored.cpus.clone());
    set(world, uuid, PoolSetting::Cpus(change(now.unwrap_or_default())))
}

pub(super) static CPU_POOL: Class = Class {
    name: "cpu_pool",
    all,
    needs: POOLED,
    shelf: Shelf::Inventory,
    fields: &[
        Field::read("uuid", |world, uuid| both(world, uuid).and_then(|_| text(uuid))),
        Field::written(
            "name_label",
            |world, uuid| text(both(world, uuid)?.name()),
            |world, uuid, args| set(world, uuid, PoolSetting::Name(args.text(2)?)),
        ),
        Field::noted("name_description", Kind::Text, |world, uuid| text(both(world, uuid)?.name())),
        Field::read("resident_on", |world, _| Some(world.host_ref())),
        Field::written(
            "auto_power_on",
            |world, uuid| {
                Some(Value::Bool(both(world, uuid)?.stored.is_some_and(|pool| pool.auto_start)))
            },
            |world, uuid, args| set(world, uuid, PoolSetting::AutoStart(args.flag(2, false)?)),
        ),
        Field::read("started_VMs", |world, uuid| {
            let domains =
                both(world, uuid)?.facts.map(|facts| facts.domains.clone()).unwrap_or_default();
            let views = domains.into_iter().filter_map(|domid| world.snapshot.by_domid(domid));
            Some(refs(views.map(|view| view.uuid)))
        }),
        Field::written(
            "ncpu",
            |world, uuid| {
                let both = both(world, uuid)?;
                let has = both.facts.map_or(0, |facts| facts.cpus.iter().count());
                Some(both.stored.map_or_else(|| number(has), |stored| number(stored.ncpu)))
            },
            |world, uuid, args| set(world, uuid, PoolSetting::Ncpu(ncpu(args.number(2)?)?)),
        ),
        Field::written(
            "sched_policy",
            |world, uuid| text(both(world, uuid)?.scheduler()),
            |world, uuid, args| {
                set(world, uuid, PoolSetting::Scheduler(scheduler(&args.text(2)?)?))
            },
        ),
        Field::written(
            "proposed_CPUs",
            |world, uuid| {
                let stored =
                    both(world, uuid)?.stored.map(|stored| stored.cpus.clone()).unwrap_or_default();
                Some(texts(stored.iter().map(|cpu| cpu.to_string())))
            },
            |world, uuid, args| {
                set(world, uuid, PoolSetting::Cpus(numbers(world, &args.list(2)?)?))
            },
        ),
        Field::read("host_CPUs", |world, uuid| {
            let has = both(world, uuid)?.facts.map(|facts| facts.cpus.clone()).unwrap_or_default();
            let all = cpus(world);
            Some(refs(has.iter().filter_map(|cpu| all.get(cpu as usize).copied())))
        }),
        Field::read("activated", |world, uuid| Some(Value::Bool(both(world, uuid)?.is_active()))),
        Field::noted("other_config", Kind::Map, |_, _| Some(map([]))),
    ],
    calls: &[
        Call::free("create", &["session", "record"], create),
        Call::one("destroy", &["session", "self"], |world, uuid, _| {
            does(world, uuid, PoolOp::Delete)
        }),
        Call::one("activate", &["session", "self"], |world, uuid, _| {
            does(world, uuid, PoolOp::Start)
        }),
        Call::one("deactivate", &["session", "self"], |world, uuid, _| {
            does(world, uuid, PoolOp::Stop)
        }),
        Call::one("add_host_CPU_live", &["session", "self", "host_cpu"], |world, uuid, args| {
            live(world, uuid, args, PoolOp::AddCpu)
        }),
        Call::one("remove_host_CPU_live", &["session", "self", "host_cpu"], |world, uuid, args| {
            live(world, uuid, args, PoolOp::RemoveCpu)
        }),
        Call::one("add_to_proposed_CPUs", &["session", "self", "cpu"], |world, uuid, args| {
            let more = numbers(world, &[args.text(2)?])?;
            proposed(world, uuid, |now| now.iter().chain(more.iter()).collect())
        }),
        Call::one("remove_from_proposed_CPUs", &["session", "self", "cpu"], |world, uuid, args| {
            let less = numbers(world, &[args.text(2)?])?;
            proposed(world, uuid, |now| now.iter().filter(|cpu| !less.contains(*cpu)).collect())
        }),
    ],
};

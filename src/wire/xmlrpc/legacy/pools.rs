//! CPU pools, by name.

use super::function::{CallContext, Function, Plan, Refusal, on_domain};
use crate::core::model::{ClientData, CpuSet, Invalid, Pool, PoolFacts, Scheduler, Uuid};
use crate::core::op::{Change, DomainOp, PoolOp};
use crate::core::snapshot::Snapshot;
use crate::sxp::Sxp;
use crate::wire::xmlrpc::args::Args;
use crate::wire::xmlrpc::object_ids::{cpu_uuid, pool_names, pool_uuid};
use crate::wire::xmlrpc::value::Value;
use std::collections::HashSet;
use std::sync::Arc;

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "xend.cpu_pool.new",
        params: &["config"],
        required: 1,
        plan: |args, call| define(args, call, false),
    },
    Function {
        name: "xend.cpu_pool.create",
        params: &["config"],
        required: 1,
        plan: |args, call| define(args, call, true),
    },
    Function {
        name: "xend.cpu_pool.start",
        params: &["pool"],
        required: 1,
        plan: |args, _| on_pool(args, PoolOp::Start),
    },
    Function { name: "xend.cpu_pool.list", params: &["names"], required: 0, plan: list },
    Function {
        name: "xend.cpu_pool.destroy",
        params: &["pool"],
        required: 1,
        plan: |args, _| on_pool(args, PoolOp::Stop),
    },
    Function {
        name: "xend.cpu_pool.delete",
        params: &["pool"],
        required: 1,
        plan: |args, _| on_pool(args, PoolOp::Delete),
    },
    Function {
        name: "xend.cpu_pool.cpu_add",
        params: &["pool", "cpu"],
        required: 2,
        plan: |args, _| on_pool(args, PoolOp::AddCpu(args.number(1)?)),
    },
    Function {
        name: "xend.cpu_pool.cpu_remove",
        params: &["pool", "cpu"],
        required: 2,
        plan: |args, _| on_pool(args, PoolOp::RemoveCpu(args.number(1)?)),
    },
    Function {
        name: "xend.cpu_pool.migrate",
        params: &["dom", "pool"],
        required: 2,
        plan: |args, _| Ok(Plan::none(on_domain(args, DomainOp::MoveToPool(args.text(1)?))?)),
    },
];

fn on_pool(args: &Args<'_>, op: PoolOp) -> Result<Plan, Refusal> {
    Ok(Plan::none(Change::Pool(args.text(0)?, op)))
}

/// A property's values, which may be in a nested list.
fn values_of(config: &Sxp, key: &str) -> Vec<String> {
    let flat = |item: &Sxp| match item.as_list() {
        Some(items) => items.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect(),
        None => item.as_str().map(str::to_owned).into_iter().collect::<Vec<_>>(),
    };
    let properties =
        config.as_list().unwrap_or_default().iter().filter(|item| item.head() == Some(key));
    properties.flat_map(|property| property.tail().iter().flat_map(flat)).collect()
}

/// Defines the pool `[[name_label, NAME], [sched_policy, credit], [ncpu, 1], [proposed_CPUs, [1,
/// 2]]]`. The list may begin with a word.
fn define(args: &Args<'_>, call: &CallContext<'_>, start: bool) -> Result<Plan, Refusal> {
    let config = args.sxp(0)?;
    let one = |key: &str| values_of(&config, key).into_iter().next();
    let invalid = |text: &str| Refusal::Invalid(Invalid::new(text));
    let name =
        one("name_label").or_else(|| one("name")).ok_or_else(|| invalid("name_label: missing"))?;
    Pool::check_name(&name)?;
    let scheduler = match one("sched_policy") {
        Some(word) => word.parse::<Scheduler>()?,
        None => call.view.host_info().scheduler,
    };
    let cpus = values_of(&config, "proposed_CPUs").join(",").parse::<CpuSet>();
    let cpus = cpus.map_err(|reason| Invalid::new(format!("proposed_CPUs: {reason}")))?;
    let ncpu = one("ncpu")
        .map_or(Ok(1), |text| text.parse())
        .map_err(|_| invalid("ncpu: a number is expected"))?;
    let auto_start = one("auto_power_on").is_some_and(|text| text == "1");
    let uuid = call.context.engine().new_uuid();
    let pool = Pool { name: name.clone(), scheduler, cpus, ncpu, auto_start };
    let define = PoolOp::Define { uuid, pool, client_data: ClientData::default() };
    Ok(Plan::new(move |engine, view| async move {
        engine.execute(view.caller(), Change::Pool(name.clone(), define)).await?;
        if start {
            let started = Change::Pool(name.clone(), PoolOp::Start);
            if let Err(error) = engine.execute(view.caller(), started).await {
                // The caller asked for a pool that runs, or for none.
                let _ = engine.execute(view.caller(), Change::Pool(name, PoolOp::Delete)).await;
                return Err(error);
            }
        }
        Ok(Value::text(uuid.to_string()))
    }))
}

fn pair(key: &str, values: impl IntoIterator<Item = Value>) -> Value {
    Value::Array(std::iter::once(Value::text(key)).chain(values).collect())
}

/// All pools, or the named ones: `[[UUID, [key, value...]...]...]`.
fn list(args: &Args<'_>, call: &CallContext<'_>) -> Result<Plan, Refusal> {
    let wanted: HashSet<String> =
        if args.values.is_empty() { HashSet::new() } else { args.list(0)?.into_iter().collect() };
    let host = call.context.host();
    Ok(Plan::read(move |view| async move {
        let inventory = view.inventory();
        let running = view.pools().await?;
        let domains = view.domains().await?;
        let mut names = pool_names(&inventory, &running);
        names.retain(|name| wanted.is_empty() || wanted.contains(name));
        let shown = names.iter().map(|name| {
            let uuid = pool_uuid(&inventory, host, name);
            let facts = running.iter().find(|pool| pool.name == *name);
            let stored =
                inventory.pools().find(|(_, pool)| pool.name == *name).map(|(_, pool)| pool);
            let mut fields = vec![Value::text(uuid.to_string())];
            fields.extend(pool_fields(name, uuid, host, facts, stored, &domains));
            Value::Array(fields)
        });
        Ok(Value::Array(shown.collect()))
    }))
}

/// The fields of a pool, in xend's order.
fn pool_fields(
    name: &str,
    uuid: Uuid,
    host: Uuid,
    facts: Option<&PoolFacts>,
    stored: Option<&Pool>,
    domains: &Arc<Snapshot>,
) -> Vec<Value> {
    let text = |text: &str| Value::text(text);
    let cpus: Vec<u32> = facts.map(|facts| facts.cpus.iter().collect()).unwrap_or_default();
    let inside = facts.map(|facts| facts.domains.clone()).unwrap_or_default();
    let inside: Vec<_> = inside.into_iter().filter_map(|domid| domains.by_domid(domid)).collect();
    let scheduler = facts.map(|facts| facts.scheduler).or(stored.map(|stored| stored.scheduler));
    let proposed: Vec<u32> = stored.map(|stored| stored.cpus.iter().collect()).unwrap_or_default();
    let ncpu = stored.map_or(1, |stored| i64::from(stored.ncpu));
    let auto_start = stored.is_some_and(|stored| stored.auto_start);
    let number = |cpu: &u32| Value::Int(i64::from(*cpu));
    vec![
        pair("uuid", [text(&uuid.to_string())]),
        pair("sched_policy", scheduler.map(|scheduler| text(scheduler.name()))),
        pair("started_VM_names", inside.iter().map(|view| text(view.name().as_str()))),
        pair("host_CPUs", cpus.iter().map(|cpu| text(&cpu_uuid(host, *cpu).to_string()))),
        pair("other_config", []),
        pair("name_label", [text(name)]),
        pair("activated", [Value::Bool(facts.is_some())]),
        pair("ncpu", [Value::Int(ncpu)]),
        pair("resident_on", [text(&host.to_string())]),
        pair("proposed_CPUs", proposed.iter().map(number)),
        pair("auto_power_on", [Value::Int(i64::from(auto_start))]),
        pair("name_description", [text(name)]),
        pair("host_CPU_numbers", cpus.iter().map(number)),
        pair("started_VMs", inside.iter().map(|view| text(&view.uuid.to_string()))),
    ]
}

//! CPU pools.

use crate::core::model::{CpuSet, Pool, PoolSetting, Scheduler, Uuid};
use crate::core::op::{Change, PoolOp};
use crate::core::rights::OpKind;
use crate::wire::xmlrpc::args::Args;
use crate::wire::xmlrpc::value::Value;
use crate::wire::xmlrpc::xenapi::client_data;
use crate::wire::xmlrpc::xenapi::failure::{Failure, FailureContext};
use crate::wire::xmlrpc::xenapi::fetched::Need;
use crate::wire::xmlrpc::xenapi::host_view::HostView;
use crate::wire::xmlrpc::xenapi::new_record::NewRecord;
use crate::wire::xmlrpc::xenapi::objects::host::{cpus, find_cpu};
use crate::wire::xmlrpc::xenapi::objects::pools::{all_pools, pool};
use crate::wire::xmlrpc::xenapi::schema::{Action, Class, ClassCall, DataType, Field};
use crate::wire::xmlrpc::xenapi::values::{map, refs, text, texts};

fn context(uuid: Uuid) -> FailureContext {
    let object = uuid.to_string();
    FailureContext { object, class: Some("cpu_pool"), ..FailureContext::default() }
}

fn execute(host: &HostView, uuid: Uuid, op: PoolOp) -> Result<Action, Failure> {
    let name = pool(host, uuid)?.name();
    Ok(Action::execute(vec![Change::Pool(name, op)], context(uuid)))
}

/// Changes a stored pool. The first pool is not stored.
fn set(host: &HostView, uuid: Uuid, setting: PoolSetting) -> Result<Action, Failure> {
    if pool(host, uuid)?.stored.is_none() {
        return Err(Failure::not_allowed("The pool is not one of xend's"));
    }
    execute(host, uuid, PoolOp::Set(setting))
}

fn parse_scheduler(name: &str) -> Result<Scheduler, Failure> {
    // xend spelled this code so.
    name.parse().map_err(|_| Failure::new("UNKOWN_SCHED_POLICY", []))
}

/// CPUs by their numbers as text.
fn parse_cpus(host: &HostView, texts: &[String]) -> Result<CpuSet, Failure> {
    let count = host.info.topology.cpus;
    let cpu = |text: &String| {
        let cpu: Option<u32> = text.trim().parse().ok().filter(|cpu| *cpu < count);
        let last = count.saturating_sub(1);
        let reason = || format!("proposed_CPUs: this host has CPUs 0 to {last}");
        // xend spelled this code so.
        cpu.ok_or_else(|| Failure::new("INVAILD_CPU", [reason().as_str()]))
    };
    texts.iter().map(cpu).collect::<Result<Vec<_>, _>>().map(|cpus| cpus.into_iter().collect())
}

fn parse_ncpu(number: i64) -> Result<u32, Failure> {
    let count = u32::try_from(number).ok().filter(|count| *count > 0);
    count.ok_or_else(|| Failure::new("PARAMETER_ERROR", ["ncpu: 1 at least is expected"]))
}

fn create(host: &HostView, _: Uuid, args: &Args<'_>) -> Result<Action, Failure> {
    let record = NewRecord::from_args("cpu_pool", args)?;
    let name = record.required_text("name_label")?;
    Pool::check_name(&name).map_err(|invalid| Failure::value("name_label", &invalid))?;
    let scheduler = match record.text("sched_policy")?.as_str() {
        "" => host.info.scheduler,
        name => parse_scheduler(name)?,
    };
    let cpus = record.member("proposed_CPUs").map(|member| member.args().list(0)).transpose()?;
    let pool = Pool {
        name: name.clone(),
        scheduler,
        cpus: parse_cpus(host, &cpus.unwrap_or_default())?,
        ncpu: record.number::<i64>("ncpu")?.map_or(Ok(1), parse_ncpu)?,
        auto_start: record.flag("auto_power_on")?,
    };
    let uuid = host.state.new_uuid();
    let client_data = client_data::from_record(&record, CPU_POOL.fields)?;
    let op = PoolOp::Define { uuid, pool, client_data };
    Ok(Action::create(vec![Change::Pool(name, op)], context(uuid), uuid))
}

/// Sets the CPUs that the pool is started with, as a function of those that it has now.
fn set_proposed(
    host: &HostView,
    uuid: Uuid,
    change: impl FnOnce(CpuSet) -> CpuSet,
) -> Result<Action, Failure> {
    let now = pool(host, uuid)?.stored.map(|stored| stored.cpus.clone()).unwrap_or_default();
    set(host, uuid, PoolSetting::Cpus(change(now)))
}

/// The VMs in a running pool.
fn started_vms(host: &HostView, uuid: Uuid) -> Result<Vec<Uuid>, Failure> {
    let domids = pool(host, uuid)?.facts.into_iter().flat_map(|facts| &facts.domains);
    Ok(domids.filter_map(|domid| host.vm_by_domid(*domid)).map(|vm| vm.uuid).collect())
}

/// The CPUs of a running pool.
fn host_cpus(host: &HostView, uuid: Uuid) -> Result<Vec<Uuid>, Failure> {
    let all = cpus(host);
    let own = pool(host, uuid)?.facts.map(|facts| facts.cpus.clone()).unwrap_or_default();
    Ok(own.iter().filter_map(|cpu| all.get(cpu as usize).copied()).collect())
}

/// The number of CPUs that the pool is started with; of one that is not stored, those it has.
fn ncpu(host: &HostView, uuid: Uuid) -> Result<Value, Failure> {
    let pool = pool(host, uuid)?;
    let has = pool.facts.map_or(0, |facts| facts.cpus.iter().count());
    Ok(pool.stored.map_or_else(|| text(&has), |stored| text(&stored.ncpu)))
}

pub(super) static CPU_POOL: Class = Class {
    name: "cpu_pool",
    all: all_pools,
    check: |host, uuid| pool(host, uuid).map(drop),
    needs: &[Need::Pools],
    fields: &[
        Field::read("uuid", |_, uuid| Ok(text(&uuid))),
        Field::read_write(
            "name_label",
            |host, uuid| Ok(text(&pool(host, uuid)?.name())),
            |host, uuid, args| set(host, uuid, PoolSetting::Name(args.text(2)?)),
        ),
        Field::client_data("name_description", DataType::Text, |host, uuid| {
            Ok(text(&pool(host, uuid)?.name()))
        }),
        Field::read("resident_on", |host, _| Ok(host.host_ref())),
        Field::read_write(
            "auto_power_on",
            |host, uuid| {
                let stored = pool(host, uuid)?.stored;
                Ok(Value::Bool(stored.is_some_and(|pool| pool.auto_start)))
            },
            |host, uuid, args| set(host, uuid, PoolSetting::AutoStart(args.flag(2, false)?)),
        ),
        Field::read("started_VMs", |host, uuid| Ok(refs(started_vms(host, uuid)?))),
        Field::read_write("ncpu", ncpu, |host, uuid, args| {
            set(host, uuid, PoolSetting::Ncpu(parse_ncpu(args.number(2)?)?))
        }),
        Field::read_write(
            "sched_policy",
            |host, uuid| Ok(text(pool(host, uuid)?.scheduler())),
            |host, uuid, args| {
                set(host, uuid, PoolSetting::Scheduler(parse_scheduler(&args.text(2)?)?))
            },
        ),
        Field::read_write(
            "proposed_CPUs",
            |host, uuid| {
                let stored = pool(host, uuid)?.stored;
                let cpus = stored.map(|stored| stored.cpus.clone()).unwrap_or_default();
                Ok(texts(cpus.iter().map(|cpu| cpu.to_string())))
            },
            |host, uuid, args| {
                set(host, uuid, PoolSetting::Cpus(parse_cpus(host, &args.list(2)?)?))
            },
        ),
        Field::read("host_CPUs", |host, uuid| Ok(refs(host_cpus(host, uuid)?))),
        Field::read("activated", |host, uuid| Ok(Value::Bool(pool(host, uuid)?.is_active()))),
        Field::client_data("other_config", DataType::Map, |_, _| Ok(map([]))),
    ],
    calls: &[
        ClassCall::on_class("create", &["session", "record"], create).requiring(OpKind::ChangePool),
        ClassCall::on_object("destroy", &["session", "self"], |host, uuid, _| {
            execute(host, uuid, PoolOp::Delete)
        }),
        ClassCall::on_object("activate", &["session", "self"], |host, uuid, _| {
            execute(host, uuid, PoolOp::Start)
        }),
        ClassCall::on_object("deactivate", &["session", "self"], |host, uuid, _| {
            execute(host, uuid, PoolOp::Stop)
        }),
        ClassCall::on_object(
            "add_host_CPU_live",
            &["session", "self", "host_cpu"],
            |host, uuid, args| execute(host, uuid, PoolOp::AddCpu(find_cpu(host, &args.text(2)?)?)),
        ),
        ClassCall::on_object(
            "remove_host_CPU_live",
            &["session", "self", "host_cpu"],
            |host, uuid, args| {
                execute(host, uuid, PoolOp::RemoveCpu(find_cpu(host, &args.text(2)?)?))
            },
        ),
        ClassCall::on_object(
            "add_to_proposed_CPUs",
            &["session", "self", "cpu"],
            |host, uuid, args| {
                let more = parse_cpus(host, &[args.text(2)?])?;
                set_proposed(host, uuid, |now| now.union(&more))
            },
        ),
        ClassCall::on_object(
            "remove_from_proposed_CPUs",
            &["session", "self", "cpu"],
            |host, uuid, args| {
                let less = parse_cpus(host, &[args.text(2)?])?;
                set_proposed(host, uuid, |now| now.difference(&less))
            },
        ),
    ],
    ..Class::EMPTY
};

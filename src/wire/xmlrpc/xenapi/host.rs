//! The host, its CPUs and metrics, and the pool that it is alone in.

use super::failure::{About, Failure};
use super::notes::{Kind, Shelf};
use super::table::{Call, Class, Field, Tell, Work};
use super::world::{Need, World, map, number, refs, texts};
use super::{cpu_pool, disks, hand, network};
use crate::core::model::{Note, NoteChange, Uuid};
use crate::core::op::{Change, Op, Outcome, Query};
use crate::core::snapshot::DomainView;
use crate::wire::xmlrpc::args::Args;
use crate::wire::xmlrpc::object_ids::{cpu_uuid, derived_uuid as derived};
use crate::wire::xmlrpc::value::Value;
use std::sync::Arc;

fn all_hosts(world: &World) -> Vec<Uuid> {
    vec![world.host]
}

fn metrics(world: &World) -> Uuid {
    derived(world.host, "metrics")
}

fn pool(world: &World) -> Uuid {
    derived(world.host, "pool")
}

pub(super) fn cpus(world: &World) -> Vec<Uuid> {
    (0..world.info.topology.cpus).map(|cpu| cpu_uuid(world.host, cpu)).collect()
}

pub(super) fn cpu_number(world: &World, uuid: Uuid) -> Option<usize> {
    cpus(world).iter().position(|cpu| *cpu == uuid)
}

#[allow(clippy::unnecessary_wraps, reason = "what a getter ends with")]
fn text(text: impl Into<String>) -> Option<Value> {
    Some(Value::text(text))
}

#[allow(clippy::unnecessary_wraps, reason = "what a getter ends with")]
fn nothing(_: &World, _: Uuid) -> Option<Value> {
    text("")
}

fn dmesg(outcomes: Vec<Outcome>) -> Value {
    match outcomes.into_iter().next() {
        Some(Outcome::Text(text)) => Value::text(String::from_utf8_lossy(&text)),
        _ => Value::text(""),
    }
}

fn power(world: &World, reboot: bool) -> Result<Work, Failure> {
    if !world.wire.settings().node_shutdown {
        let why = "The configuration does not allow it, see xend-node-shutdown";
        return Err(Failure::new("OPERATION_NOT_ALLOWED", [why]));
    }
    let guests =
        world.snapshot.domains().filter(|view| view.facts.is_some() && !view.is_privileged());
    if let count @ 1.. = guests.count() {
        let why = format!("{count} VMs run on the host: shut them down, or migrate them");
        return Err(Failure::new("EHOSTRUNNING", [why.as_str()]));
    }
    Ok(Work::silent(vec![Change::PowerHost { reboot }.into()], About::default()))
}

fn ask(ops: Vec<Op>, tell: fn(Vec<Outcome>) -> Value) -> Work {
    let tell: Tell = Box::new(tell);
    Work::Ask { ops, about: About::default(), tell }
}

/// Where it is noted that nothing is to be started here.
const DISABLED: &str = "disabled";

fn is_enabled(world: &World) -> bool {
    world.notes(world.host).text(DISABLED).is_none()
}

/// Whether something may be started.
pub(super) fn check_enabled(world: &World) -> Result<(), Failure> {
    if is_enabled(world) {
        return Ok(());
    }
    Err(Failure::new("OPERATION_NOT_ALLOWED", ["The host is disabled, see host.enable"]))
}

fn enable(world: &World, on: bool) -> Work {
    let note = (!on).then(|| Note::Text("true".to_owned()));
    let change = NoteChange::Field(DISABLED.to_owned(), note);
    Work::silent(vec![Change::Note(world.host, change).into()], About::default())
}

/// Transcendent memory, which today's Xen has no more.
fn no_tmem(_: &World, _: Uuid, _: &Args<'_>) -> Result<Work, Failure> {
    Err(Failure::new("EUNSUPPORTED", ["Today's Xen has no transcendent memory"]))
}

pub(super) static HOST: Class = Class {
    name: "host",
    all: all_hosts,
    needs: &[],
    shelf: Shelf::Inventory,
    fields: &[
        Field::read("uuid", |world, _| Some(world.host_ref())),
        Field::noted("name_label", Kind::Text, |world, _| text(&world.info.uname[1])),
        Field::noted("name_description", Kind::Text, nothing),
        Field::read("API_version_major", |_, _| text("1")),
        Field::read("API_version_minor", |_, _| text("0")),
        Field::read("API_version_vendor", |_, _| text("xenbits")),
        Field::read("API_version_vendor_implementation", |_, _| Some(map([]))),
        Field::read("enabled", |world, _| Some(Value::Bool(is_enabled(world)))),
        Field::read("software_version", software),
        // xm info reads these here.
        Field::beside("other_config", |world, _| {
            let info = &world.info;
            Some(map([
                ("xen_pagesize", info.pagesize.to_string()),
                ("platform_params", info.platform_params.clone()),
                ("xen_commandline", info.commandline.clone()),
            ]))
        }),
        Field::noted("logging", Kind::Map, |_, _| Some(map([]))),
        Field::read("capabilities", |world, _| {
            Some(texts(world.info.xen_caps.split_whitespace().map(str::to_owned)))
        }),
        Field::read("cpu_configuration", |world, _| {
            let topology = &world.info.topology;
            Some(map([
                ("nr_cpus", topology.cpus.to_string()),
                ("nr_nodes", topology.nodes.to_string()),
                ("cores_per_socket", topology.cores_per_socket.to_string()),
                ("threads_per_core", topology.threads_per_core.to_string()),
            ]))
        }),
        Field::read("sched_policy", |world, _| text(world.info.scheduler.name())),
        Field::read("supported_bootloaders", |_, _| Some(texts(["pygrub".to_owned()]))),
        Field::read("resident_VMs", |world, _| {
            let here = world.snapshot.domains().filter(|view| view.facts.is_some());
            Some(texts(here.map(|view: &Arc<DomainView>| view.uuid.to_string())))
        }),
        Field::read("host_CPUs", |world, _| Some(refs(cpus(world)))),
        Field::read("metrics", |world, _| text(metrics(world).to_string())),
        Field::read("PBDs", |world, _| Some(refs((disks::PBD.all)(world)))),
        Field::read("PIFs", |world, _| Some(refs(network::all_pifs(world))))
            .needing(&[Need::Interfaces]),
        Field::read("PPCIs", |world, _| Some(refs(hand::all_ppcis(world))))
            .needing(&[Need::Hardware]),
        Field::read("PSCSIs", |world, _| Some(refs(hand::all_pscsis(world))))
            .needing(&[Need::Hardware]),
        Field::read("PSCSI_HBAs", |world, _| Some(refs(hand::all_hbas(world))))
            .needing(&[Need::Hardware]),
        Field::read("resident_cpu_pools", |world, _| Some(cpu_pool::active(world)))
            .needing(&[Need::Pools]),
    ],
    calls: &[
        Call::one("enable", &["session", "host"], |world, _, _| Ok(enable(world, true))),
        Call::one("disable", &["session", "host"], |world, _, _| Ok(enable(world, false))),
        Call::one("dmesg", &["session", "host"], |_, _, _| {
            Ok(ask(vec![Query::Dmesg.into()], dmesg))
        }),
        Call::one("dmesg_clear", &["session", "host"], |_, _, _| {
            Ok(ask(vec![Query::Dmesg.into(), Change::ClearDmesg.into()], dmesg))
        }),
        Call::one("get_log", &["session", "host"], |world, _, _| {
            Ok(Work::Said(Value::text(world.wire.log())))
        }),
        Call::one("send_debug_keys", &["session", "host", "keys"], |_, _, args| {
            Ok(ask(vec![Change::DebugKeys(args.keys(2)?).into()], |_| Value::Nil))
        }),
        Call::one("shutdown", &["session", "host"], |world, _, _| power(world, false)),
        Call::one("reboot", &["session", "host"], |world, _, _| power(world, true)),
        Call::one("tmem_thaw", &["session", "host", "cli_id"], no_tmem),
        Call::one("tmem_freeze", &["session", "host", "cli_id"], no_tmem),
        Call::one("tmem_flush", &["session", "host", "cli_id", "pages"], no_tmem),
        Call::one("tmem_destroy", &["session", "host", "cli_id"], no_tmem),
        Call::one("tmem_list", &["session", "host", "cli_id", "use_long"], no_tmem),
        Call::one("tmem_set_weight", &["session", "host", "cli_id", "value"], no_tmem),
        Call::one("tmem_set_cap", &["session", "host", "cli_id", "value"], no_tmem),
        Call::one("tmem_set_compress", &["session", "host", "cli_id", "value"], no_tmem),
        Call::one("tmem_query_freeable_mb", &["session", "host"], no_tmem),
        Call::one("tmem_shared_auth", &["session", "host", "cli_id", "uuid_str", "auth"], no_tmem),
        Call::free("list_methods", &["session"], |_, _, _| {
            Ok(Work::Said(texts(super::doing::methods())))
        }),
    ],
};

#[allow(clippy::unnecessary_wraps, reason = "what a getter ends with")]
fn software(world: &World, _: Uuid) -> Option<Value> {
    let info = &world.info;
    let [system, host, release, version, machine] = &info.uname;
    let [compiler, by, domain, date] = &info.compiled;
    Some(map([
        ("Xen", format!("{}.{}", info.xen_major, info.xen_minor)),
        ("xen_major", info.xen_major.to_string()),
        ("xen_minor", info.xen_minor.to_string()),
        ("xen_extra", info.xen_extra.clone()),
        ("xen_changeset", info.changeset.clone()),
        ("xen_commandline", info.commandline.clone()),
        ("cc_compiler", compiler.clone()),
        ("cc_compile_by", by.clone()),
        ("cc_compile_domain", domain.clone()),
        ("cc_compile_date", date.clone()),
        ("system", system.clone()),
        ("host", host.clone()),
        ("release", release.clone()),
        ("version", version.clone()),
        ("machine", machine.clone()),
        ("xend_config_format", "4".to_owned()),
    ]))
}

pub(super) static HOST_METRICS: Class = Class {
    name: "host_metrics",
    all: |world| vec![metrics(world)],
    needs: &[],
    shelf: Shelf::Inventory,
    fields: &[
        Field::read("uuid", |world, _| text(metrics(world).to_string())),
        Field::read("memory_total", |world, _| {
            Some(number(u128::from(world.info.total_memory) << 20))
        }),
        Field::read("memory_free", |world, _| {
            Some(number(u128::from(world.figures.free_memory) << 20))
        }),
        Field::read("last_updated", |world, _| Some(World::time(world.now))),
    ],
    calls: &[],
};

pub(super) static HOST_CPU: Class = Class {
    name: "host_cpu",
    all: cpus,
    needs: &[],
    shelf: Shelf::Inventory,
    fields: &[
        Field::read("uuid", |world, uuid| {
            cpu_number(world, uuid).map(|_| Value::text(uuid.to_string()))
        }),
        Field::read("host", |world, _| Some(world.host_ref())),
        Field::read("number", |world, uuid| cpu_number(world, uuid).map(number)),
        Field::read("vendor", |world, _| text(&world.seen.hardware.cpu.vendor))
            .needing(&[Need::Hardware]),
        Field::read("speed", |world, _| Some(number(world.info.topology.khz / 1000))),
        Field::read("modelname", |world, _| text(&world.seen.hardware.cpu.name))
            .needing(&[Need::Hardware]),
        Field::read("stepping", |world, _| Some(number(world.seen.hardware.cpu.stepping)))
            .needing(&[Need::Hardware]),
        Field::read("flags", |world, _| text(&world.seen.hardware.cpu.flags))
            .needing(&[Need::Hardware]),
        Field::read("utilisation", |world, uuid| {
            Some(Value::Double(utilisation(world, cpu_number(world, uuid)?)))
        })
        .needing(&[Need::Vcpus]),
        Field::read("features", |world, _| text(&world.info.hw_caps)),
        Field::read("cpu_pool", |world, uuid| {
            let cpu = u32::try_from(cpu_number(world, uuid)?).ok()?;
            Some(cpu_pool::of_cpu(world, cpu))
        })
        .needing(&[Need::Pools]),
    ],
    calls: &[Call::free("get_unassigned_cpus", &["session"], |world, _, _| {
        let free = cpus(world)
            .into_iter()
            .zip(0..)
            .filter(|(_, cpu)| !world.seen.pools.iter().any(|pool| pool.cpus.contains(*cpu)));
        Ok(Work::Said(refs(free.map(|(uuid, _)| uuid))))
    })
    .needing(&[Need::Pools])],
};

/// How much of a CPU the VCPUs use that are on it now: each as it has been since its VM was
/// started.
fn utilisation(world: &World, cpu: usize) -> f64 {
    let share = |uuid: &Uuid, time: std::time::Duration| {
        let started = world.vm(*uuid).and_then(|view| view.facts.as_ref()?.start_time);
        let up = started.and_then(|started| world.now.duration_since(started).ok());
        up.map_or(0.0, |up| time.as_secs_f64() / up.as_secs_f64().max(1e-9))
    };
    let on = world
        .seen
        .vcpus
        .iter()
        .flat_map(|(uuid, vcpus)| vcpus.iter().map(move |vcpu| (uuid, vcpu)));
    let on = on.filter(|(_, vcpu)| vcpu.online && vcpu.cpu.is_some_and(|on| on as usize == cpu));
    on.map(|(uuid, vcpu)| share(uuid, vcpu.cpu_time)).sum::<f64>().min(1.0)
}

/// xend knew no pool of hosts. The maintained clients ask for the version of the API through it.
pub(super) static POOL: Class = Class {
    name: "pool",
    all: |world| vec![pool(world)],
    needs: &[],
    shelf: Shelf::Inventory,
    fields: &[
        Field::read("uuid", |world, _| text(pool(world).to_string())),
        Field::noted("name_label", Kind::Text, nothing),
        Field::noted("name_description", Kind::Text, nothing),
        Field::read("master", |world, _| Some(world.host_ref())),
        Field::noted("other_config", Kind::Map, |_, _| Some(map([]))),
    ],
    calls: &[],
};

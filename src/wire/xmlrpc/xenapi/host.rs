//! The host, its CPUs and metrics, and the pool that it is alone in.

use super::failure::{About, Failure};
use super::table::{Call, Class, Field, Work};
use super::world::{World, derived, map, number, texts};
use crate::core::model::Uuid;
use crate::core::op::{Change, Op, Outcome, Query};
use crate::core::snapshot::DomainView;
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

fn cpus(world: &World) -> Vec<Uuid> {
    (0..world.info.topology.cpus).map(|cpu| derived(world.host, &format!("cpu{cpu}"))).collect()
}

fn cpu_number(world: &World, uuid: Uuid) -> Option<usize> {
    cpus(world).iter().position(|cpu| *cpu == uuid)
}

#[allow(clippy::unnecessary_wraps, reason = "what a getter ends with")]
fn text(text: impl Into<String>) -> Option<Value> {
    Some(Value::text(text))
}

#[allow(clippy::unnecessary_wraps, reason = "what a getter ends with")]
fn none(_: &World, _: Uuid) -> Option<Value> {
    Some(Value::Array(vec![]))
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
    let ops = vec![Change::PowerHost { reboot }.into()];
    Ok(Work::Ask { ops, about: About::default(), tell: |_| Value::Nil })
}

fn ask(ops: Vec<Op>, tell: fn(Vec<Outcome>) -> Value) -> Work {
    Work::Ask { ops, about: About::default(), tell }
}

pub(super) static HOST: Class = Class {
    name: "host",
    all: all_hosts,
    fields: &[
        Field::read("uuid", |world, _| Some(world.host_ref())),
        Field::read("name_label", |world, _| text(&world.info.uname[1])),
        Field::read("name_description", nothing),
        Field::read("API_version_major", |_, _| text("1")),
        Field::read("API_version_minor", |_, _| text("0")),
        Field::read("API_version_vendor", |_, _| text("xenbits")),
        Field::read("API_version_vendor_implementation", |_, _| Some(map([]))),
        Field::read("enabled", |_, _| Some(Value::Bool(true))),
        Field::read("software_version", software),
        Field::read("other_config", |_, _| Some(map([]))),
        Field::read("logging", |_, _| Some(map([]))),
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
        Field::read("host_CPUs", |world, _| Some(texts(cpus(world).iter().map(ToString::to_string)))),
        Field::read("metrics", |world, _| text(metrics(world).to_string())),
        Field::read("PBDs", none),
        Field::read("PIFs", none),
        Field::read("PPCIs", none),
        Field::read("PSCSIs", none),
        Field::read("PSCSI_HBAs", none),
    ],
    calls: &[
        Call {
            name: "dmesg",
            takes: &["session", "host"],
            one: true,
            make: |_, _, _| Ok(ask(vec![Query::Dmesg.into()], dmesg)),
        },
        Call {
            name: "dmesg_clear",
            takes: &["session", "host"],
            one: true,
            make: |_, _, _| Ok(ask(vec![Query::Dmesg.into(), Change::ClearDmesg.into()], dmesg)),
        },
        Call {
            name: "get_log",
            takes: &["session", "host"],
            one: true,
            make: |world, _, _| Ok(Work::Said(Value::text(world.wire.log()))),
        },
        Call {
            name: "send_debug_keys",
            takes: &["session", "host", "keys"],
            one: true,
            make: |_, _, args| {
                let keys = args.keys(2)?;
                Ok(ask(vec![Change::DebugKeys(keys).into()], |_| Value::Nil))
            },
        },
        Call {
            name: "shutdown",
            takes: &["session", "host"],
            one: true,
            make: |world, _, _| power(world, false),
        },
        Call {
            name: "reboot",
            takes: &["session", "host"],
            one: true,
            make: |world, _, _| power(world, true),
        },
        Call {
            name: "list_methods",
            takes: &["session"],
            one: false,
            make: |_, _, _| Ok(Work::Said(texts(super::table::methods()))),
        },
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
    fields: &[
        Field::read("uuid", |world, _| text(metrics(world).to_string())),
        Field::read("memory_total", |world, _| Some(number(u128::from(world.info.total_memory) << 20))),
        Field::read("memory_free", |world, _| Some(number(u128::from(world.figures.free_memory) << 20))),
        Field::read("last_updated", |world, _| Some(World::time(world.now))),
    ],
    calls: &[],
};

pub(super) static HOST_CPU: Class = Class {
    name: "host_cpu",
    all: cpus,
    fields: &[
        Field::read("uuid", |world, uuid| cpu_number(world, uuid).map(|_| Value::text(uuid.to_string()))),
        Field::read("host", |world, _| Some(world.host_ref())),
        Field::read("number", |world, uuid| cpu_number(world, uuid).map(number)),
        Field::read("speed", |world, _| Some(number(world.info.topology.khz / 1000))),
        Field::read("features", |world, _| text(&world.info.hw_caps)),
    ],
    calls: &[],
};

/// xend knew no pool of hosts. The maintained clients ask for the version of the API through it.
pub(super) static POOL: Class = Class {
    name: "pool",
    all: |world| vec![pool(world)],
    fields: &[
        Field::read("uuid", |world, _| text(pool(world).to_string())),
        Field::read("name_label", nothing),
        Field::read("name_description", nothing),
        Field::read("master", |world, _| Some(world.host_ref())),
        Field::read("other_config", |_, _| Some(map([]))),
    ],
    calls: &[],
};

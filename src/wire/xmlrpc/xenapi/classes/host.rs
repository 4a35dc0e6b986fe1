//! The host.

use crate::core::model::{ClientData, ClientDataChange, ClientValue, Uuid};
use crate::core::op::Change;
use crate::core::rights::OpKind;
use crate::wire::xmlrpc::args::Args;
use crate::wire::xmlrpc::value::Value;
use crate::wire::xmlrpc::xenapi::failure::{Failure, FailureContext};
use crate::wire::xmlrpc::xenapi::fetched::Need;
use crate::wire::xmlrpc::xenapi::host_view::HostView;
use crate::wire::xmlrpc::xenapi::hosts::ShownHost;
use crate::wire::xmlrpc::xenapi::objects::hardware::{all_ppcis, all_pscsi_hbas, all_pscsis};
use crate::wire::xmlrpc::xenapi::objects::host::{check_host, cpus, host_metrics};
use crate::wire::xmlrpc::xenapi::objects::networks::all_pifs;
use crate::wire::xmlrpc::xenapi::objects::pools::active_pools;
use crate::wire::xmlrpc::xenapi::objects::storage::all_pbds;
use crate::wire::xmlrpc::xenapi::plugins;
use crate::wire::xmlrpc::xenapi::schema::{Action, Class, ClassCall, DataType, Field};
use crate::wire::xmlrpc::xenapi::values::{map, refs, text, texts};

/// Versions of Xen and of the kernel.
fn software_version(host: &HostView) -> Value {
    let info = &host.info;
    if let ShownHost::Other { name, version } = &host.shown {
        return map([
            ("host", name.to_string()),
            ("xend_hypervisor", info.hypervisor().to_owned()),
            ("xend_version", version.clone()),
        ]);
    }
    let [system, node, release, version, machine] = &info.uname;
    let [compiler, by, domain, date] = &info.compiled;
    map([
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
        ("host", node.clone()),
        ("release", release.clone()),
        ("version", version.clone()),
        ("machine", machine.clone()),
        ("xend_config_format", "4".to_owned()),
        ("xend_hypervisor", info.hypervisor().to_owned()),
    ])
}

fn cpu_configuration(host: &HostView) -> Value {
    let topology = &host.info.topology;
    if host.is_other() {
        return map([("nr_cpus", topology.cpus.to_string())]);
    }
    map([
        ("nr_cpus", topology.cpus.to_string()),
        ("nr_nodes", topology.nodes.to_string()),
        ("cores_per_socket", topology.cores_per_socket.to_string()),
        ("threads_per_core", topology.threads_per_core.to_string()),
    ])
}

/// The name of a host until a client gives it another one.
fn name_label(host: &HostView) -> Value {
    host.name_in_fleet().map_or_else(|| text(&host.info.uname[1]), text)
}

fn set_enabled(host: &HostView, enabled: bool) -> Action {
    let value = (!enabled).then(|| ClientValue::Text("true".to_owned()));
    let change = ClientDataChange::Field(ClientData::DISABLED.to_owned(), value);
    Action::execute(vec![Change::SetClientData(host.host, change)], FailureContext::default())
}

fn power(host: &HostView, reboot: bool) -> Result<Action, Failure> {
    if !host.policy.node_shutdown {
        let reason = "The configuration does not allow it, see xend-node-shutdown";
        return Err(Failure::not_allowed(reason));
    }
    let guests = host.vms().filter(|vm| vm.facts.is_some() && !vm.is_privileged());
    if let count @ 1.. = guests.count() {
        let reason = format!("{count} VMs run on the host: shut them down, or migrate them");
        return Err(Failure::new("EHOSTRUNNING", [reason.as_str()]));
    }
    Ok(Action::execute(vec![Change::PowerHost { reboot }], FailureContext::default()))
}

/// Calls of transcendent memory, which today's Xen does not have.
fn no_tmem(_: &HostView, _: Uuid, _: &Args<'_>) -> Result<Action, Failure> {
    Err(Failure::new("EUNSUPPORTED", ["Today's Xen has no transcendent memory"]))
}

pub(super) static HOST: Class = Class {
    name: "host",
    all: |host| Ok(vec![host.host]),
    check: check_host,
    fields: &[
        Field::read("uuid", |host, _| Ok(host.host_ref())).in_fleet(),
        Field::client_data("name_label", DataType::Text, |host, _| Ok(name_label(host))).in_fleet(),
        Field::client_data("name_description", DataType::Text, |_, _| Ok(text(""))),
        Field::read("API_version_major", |_, _| Ok(text("1"))).in_fleet(),
        Field::read("API_version_minor", |_, _| Ok(text("0"))).in_fleet(),
        Field::read("API_version_vendor", |_, _| Ok(text("xenbits"))).in_fleet(),
        Field::read("API_version_vendor_implementation", |_, _| Ok(map([]))).in_fleet(),
        Field::read("enabled", |host, _| Ok(Value::Bool(host.is_enabled))).in_fleet(),
        Field::read("software_version", |host, _| Ok(software_version(host))).in_fleet(),
        // xm info reads these here.
        Field::facts_and_client_data("other_config", |host, _| {
            Ok(map([
                ("xen_pagesize", host.info.pagesize.to_string()),
                ("platform_params", host.info.platform_params.clone()),
                ("xen_commandline", host.info.commandline.clone()),
            ]))
        }),
        Field::client_data("logging", DataType::Map, |_, _| Ok(map([]))),
        Field::read("capabilities", |host, _| {
            Ok(texts(host.info.xen_caps.split_whitespace().map(str::to_owned)))
        }),
        Field::read("cpu_configuration", |host, _| Ok(cpu_configuration(host))).in_fleet(),
        Field::read("sched_policy", |host, _| Ok(text(host.info.scheduler.name()))),
        Field::read("supported_bootloaders", |_, _| Ok(texts(["pygrub".to_owned()]))),
        Field::read("resident_VMs", |host, _| {
            Ok(refs(host.vms().filter(|vm| vm.facts.is_some()).map(|vm| vm.uuid)))
        })
        .in_fleet(),
        Field::read("host_CPUs", |host, _| Ok(refs(cpus(host)))),
        Field::read("metrics", |host, _| Ok(text(&host_metrics(host)))).in_fleet(),
        Field::read("PBDs", |host, _| Ok(refs(all_pbds(host)))),
        Field::read("PIFs", |host, _| Ok(refs(all_pifs(host)?))).needing(&[Need::Interfaces]),
        Field::read("PPCIs", |host, _| Ok(refs(all_ppcis(host)?))).needing(&[Need::Hardware]),
        Field::read("PSCSIs", |host, _| Ok(refs(all_pscsis(host)?))).needing(&[Need::Hardware]),
        Field::read("PSCSI_HBAs", |host, _| Ok(refs(all_pscsi_hbas(host)?)))
            .needing(&[Need::Hardware]),
        Field::read("resident_cpu_pools", |host, _| active_pools(host)).needing(&[Need::Pools]),
    ],
    calls: &[
        ClassCall::on_object("enable", &["session", "host"], |host, _, _| {
            Ok(set_enabled(host, true))
        })
        .requiring(OpKind::SetClientData),
        ClassCall::on_object("disable", &["session", "host"], |host, _, _| {
            Ok(set_enabled(host, false))
        })
        .requiring(OpKind::SetClientData),
        ClassCall::on_object("dmesg", &["session", "host"], |_, _, _| {
            Ok(Action::ReadDmesg { clear: false })
        })
        .requiring(OpKind::ReadDmesg),
        ClassCall::on_object("dmesg_clear", &["session", "host"], |_, _, _| {
            Ok(Action::ReadDmesg { clear: true })
        })
        .requiring(OpKind::ClearDmesg),
        ClassCall::on_object("get_log", &["session", "host"], |_, _, _| Ok(Action::ReadLog))
            .requiring(OpKind::ReadLog),
        ClassCall::on_object("send_debug_keys", &["session", "host", "keys"], |_, _, args| {
            let change = Change::DebugKeys(args.keys(2)?);
            Ok(Action::execute(vec![change], FailureContext::default()))
        })
        .requiring(OpKind::DebugKeys),
        ClassCall::on_object("shutdown", &["session", "host"], |host, _, _| power(host, false))
            .requiring(OpKind::PowerHost),
        ClassCall::on_object("reboot", &["session", "host"], |host, _, _| power(host, true))
            .requiring(OpKind::PowerHost),
        ClassCall::on_object("evacuate", &["session", "host"], |_, _, _| Ok(Action::Evacuate))
            .requiring(OpKind::PlanEvacuation)
            .of_fleet(),
        ClassCall::on_object("tmem_thaw", &["session", "host", "cli_id"], no_tmem),
        ClassCall::on_object("tmem_freeze", &["session", "host", "cli_id"], no_tmem),
        ClassCall::on_object("tmem_flush", &["session", "host", "cli_id", "pages"], no_tmem),
        ClassCall::on_object("tmem_destroy", &["session", "host", "cli_id"], no_tmem),
        ClassCall::on_object("tmem_list", &["session", "host", "cli_id", "use_long"], no_tmem),
        ClassCall::on_object("tmem_set_weight", &["session", "host", "cli_id", "value"], no_tmem),
        ClassCall::on_object("tmem_set_cap", &["session", "host", "cli_id", "value"], no_tmem),
        ClassCall::on_object("tmem_set_compress", &["session", "host", "cli_id", "value"], no_tmem),
        ClassCall::on_object("tmem_query_freeable_mb", &["session", "host"], no_tmem),
        ClassCall::on_object(
            "tmem_shared_auth",
            &["session", "host", "cli_id", "uuid_str", "auth"],
            no_tmem,
        ),
        ClassCall::on_object(
            "call_plugin",
            &["session", "host", "plugin", "fn", "args"],
            |_, _, args| {
                let call = plugins::find(&args.text(2)?, &args.text(3)?, &args.map(4)?)?;
                Ok(Action::CallPlugin(call))
            },
        ),
        ClassCall::on_class("list_methods", &["session"], |_, _, _| Ok(Action::ListMethods)),
    ],
    ..Class::EMPTY
};

//! The host, and answers about a domain other than its record.

use super::record::{RecordKind, properties};
use super::sink::Sink;
use crate::core::model::{
    DeviceFacts, DomId, HostFigures, HostInfo, SchedParams, SedfParams, Topology, VcpuFacts,
};
use crate::core::snapshot::DomainView;
use std::fmt::Write;

/// Version of xend's configuration format. Below 4, libvirt has neither `define` nor `list --all`.
const CONFIG_FORMAT: u32 = 4;

/// Writes `(node ...)`.
pub fn node(sink: &mut impl Sink, info: &HostInfo, figures: &HostFigures) {
    sink.begin_record("node");
    for (key, value) in ["system", "host", "release", "version", "machine"].iter().zip(&info.uname)
    {
        sink.text_field(key, value.as_bytes());
    }
    let topology = &info.topology;
    sink.uint_field("nr_cpus", topology.cpus);
    sink.uint_field("nr_nodes", topology.nodes);
    sink.uint_field("cores_per_socket", topology.cores_per_socket);
    sink.uint_field("threads_per_core", topology.threads_per_core);
    sink.uint_field("cpu_mhz", topology.khz / 1000);
    sink.text_field("hw_caps", info.hw_caps.as_bytes());
    sink.text_field("virt_caps", info.virt_caps.as_bytes());
    sink.uint_field("total_memory", info.total_memory);
    sink.uint_field("free_memory", figures.free_memory);
    sink.uint_field("free_cpus", figures.free_cpus);
    sink.text_field("cpu_topology", cpu_topology(topology).as_bytes());
    sink.text_field("numa_info", b"none");
    sink.uint_field("xen_major", info.xen_major);
    sink.uint_field("xen_minor", info.xen_minor);
    sink.text_field("xen_extra", info.xen_extra.as_bytes());
    sink.text_field("xen_caps", info.xen_caps.as_bytes());
    sink.text_field("xen_scheduler", info.scheduler.name().as_bytes());
    sink.uint_field("xen_pagesize", info.pagesize);
    sink.text_field("platform_params", info.platform_params.as_bytes());
    sink.text_field("xen_changeset", info.changeset.as_bytes());
    sink.text_field("xen_commandline", info.commandline.as_bytes());
    for (key, value) in ["cc_compiler", "cc_compile_by", "cc_compile_domain", "cc_compile_date"]
        .iter()
        .zip(&info.compiled)
    {
        sink.text_field(key, value.as_bytes());
    }
    sink.uint_field("xend_config_format", CONFIG_FORMAT);
    // xend had no such key. Clients look keys up, and `xm info` prints all.
    sink.text_field("xend_hypervisor", info.hypervisor().as_bytes());
    sink.end_record();
}

/// The table of CPUs that `xm info` prints.
fn cpu_topology(topology: &Topology) -> String {
    let threads = topology.threads_per_core.max(1);
    let per_socket = (topology.cores_per_socket.max(1) * threads).max(1);
    let per_node = topology.cpus.div_ceil(topology.nodes.max(1)).max(1);
    let mut table = String::from("\ncpu:    core    socket     node");
    for cpu in 0..topology.cpus {
        let core = cpu % per_socket / threads;
        let socket = cpu / per_socket;
        let node = cpu / per_node;
        // Writing to a string cannot fail.
        let _ = write!(table, "\n{cpu:3}:{core:8}{socket:9}{node:9}");
    }
    table
}

/// Writes `(domain (domid 1) (name pv1) (vcpu_count 2) (vcpu ...) ...)`.
pub fn vcpus(sink: &mut impl Sink, view: &DomainView, vcpus: &[VcpuFacts]) {
    sink.begin_record("domain");
    match view.domid() {
        Some(domid) => sink.uint_field("domid", domid.0),
        None => sink.none_field("domid"),
    }
    sink.text_field("name", view.name().as_str().as_bytes());
    sink.uint_field("vcpu_count", u128::try_from(vcpus.len()).unwrap_or(u128::MAX));
    sink.begin_many("vcpu");
    for vcpu in vcpus {
        sink.begin_fields_item("vcpu");
        sink.uint_field("number", vcpu.number);
        sink.uint_field("online", vcpu.online);
        sink.uint_field("blocked", vcpu.blocked);
        sink.uint_field("running", vcpu.running);
        sink.float_field("cpu_time", vcpu.cpu_time.as_secs_f64());
        sink.begin_field("cpu");
        sink.int(vcpu.cpu.map_or(-1, i64::from));
        sink.end_field();
        sink.begin_field("cpumap");
        sink.begin_list();
        vcpu.affinity.iter().for_each(|cpu| sink.int(i64::from(cpu)));
        sink.end_list();
        sink.end_field();
        sink.end_fields_item();
    }
    sink.end_many();
    sink.end_record();
}

/// Writes `((2049 ((virtual-device 2049) (state 4) ...)) ...)`.
pub fn devices(sink: &mut impl Sink, devices: &[DeviceFacts]) {
    sink.begin_list();
    for device in devices {
        sink.begin_list();
        sink.uint(u128::from(device.number));
        sink.begin_fields();
        properties(sink, &device.nodes, RecordKind::Configured);
        sink.end_fields();
        sink.end_list();
    }
    sink.end_list();
}

/// Writes `(vbd (dom 1 id 2064))`, the answer to attaching a device. `dom` is missing when the
/// domain is not on the host.
pub fn attached(sink: &mut impl Sink, class: &str, domid: Option<DomId>, id: u32) {
    sink.begin_record(class);
    match domid {
        Some(domid) => sink.joined_fields(&[("dom", domid.0), ("id", id)]),
        None => sink.uint_field("id", id),
    }
    sink.end_record();
}

/// Writes `(sedf (domid 0) (period 20000000) ...)`, with times in nanoseconds.
pub fn sedf(sink: &mut impl Sink, view: &DomainView, params: &SedfParams) {
    sink.begin_record("sedf");
    if let Some(domid) = view.domid() {
        sink.uint_field("domid", domid.0);
    }
    sedf_fields(sink, params);
    sink.end_record();
}

/// Writes `(sched_credit (weight 256) (cap 0))`. xend printed a Python dictionary here.
pub fn sched(sink: &mut impl Sink, params: &SchedParams) {
    match params {
        SchedParams::Credit { weight, cap } | SchedParams::Credit2 { weight, cap } => {
            sink.begin_record("sched_credit");
            sink.uint_field("weight", *weight);
            sink.uint_field("cap", *cap);
        }
        SchedParams::Sedf(params) => {
            sink.begin_record("sedf");
            sedf_fields(sink, params);
        }
        SchedParams::Rtds(params) => {
            sink.begin_record("rtds");
            sink.uint_field("period", params.period.as_micros());
            sink.uint_field("budget", params.budget.as_micros());
        }
    }
    sink.end_record();
}

pub(super) fn sedf_fields(sink: &mut impl Sink, params: &SedfParams) {
    sink.uint_field("period", params.period.as_nanos());
    sink.uint_field("slice", params.slice.as_nanos());
    sink.uint_field("latency", params.latency.as_nanos());
    sink.uint_field("extratime", params.extratime);
    sink.uint_field("weight", params.weight);
}

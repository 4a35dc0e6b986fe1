//! Answers other than domains.

use super::fields::Fields;
use super::settings::{Settings, lossy};
use crate::core::model::{
    Device, DeviceFacts, DomId, HostFigures, HostInfo, Rtds as RtdsParams, SedfParams, VcpuFacts,
    Vnet as ModelVnet,
};
use crate::core::op::GuestAnswer;
use crate::core::snapshot::DomainView;
use crate::shape;
use crate::sxp::Sxp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The VCPUs of a domain.
#[derive(Serialize, JsonSchema)]
#[allow(clippy::struct_field_names, reason = "the keys of JSON")]
pub(crate) struct Vcpus {
    name: String,
    /// Number on the host; null while it is not there.
    domid: Option<u32>,
    vcpus: Vec<Vcpu>,
}

/// A VCPU.
#[derive(Serialize, JsonSchema)]
#[allow(clippy::struct_excessive_bools, reason = "facts of Xen, independent of each other")]
struct Vcpu {
    number: u32,
    online: bool,
    blocked: bool,
    running: bool,
    cpu_time_seconds: f64,
    /// CPU on which it runs or ran last; null if there is none.
    cpu: Option<u32>,
    /// CPUs on which it may run.
    cpus: Vec<u32>,
}

impl Vcpus {
    pub(crate) fn of(view: &DomainView, vcpus: &[VcpuFacts]) -> Self {
        let vcpu = |vcpu: &VcpuFacts| Vcpu {
            number: vcpu.number,
            online: vcpu.online,
            blocked: vcpu.blocked,
            running: vcpu.running,
            cpu_time_seconds: vcpu.cpu_time.as_secs_f64(),
            cpu: vcpu.cpu,
            cpus: vcpu.affinity.iter().collect(),
        };
        Self {
            name: view.name().to_string(),
            domid: view.domid().map(|domid| domid.0),
            vcpus: vcpus.iter().map(vcpu).collect(),
        }
    }
}

/// A device of a domain. The devices of a domain that is not on the host have no state.
#[derive(Serialize, JsonSchema)]
pub(crate) struct DeviceState {
    class: String,
    /// Number by which xend's clients know the device.
    number: u32,
    /// State of the connection to the guest; null while the domain is not on the host.
    #[schemars(extend("enum" = [
        "initialising", "init_wait", "initialised", "connected", "closing", "closed",
        "reconfiguring", "reconfigured", "unknown", null
    ]))]
    state: Option<&'static str>,
    /// Nodes of XenStore.
    nodes: Settings,
}

impl DeviceState {
    /// A device of a domain on the host.
    pub(crate) fn connected(device: &DeviceFacts) -> Self {
        let state = device.nodes.iter().find(|node| node.key == "state");
        let state = state.and_then(|node| node.text()).map(lossy);
        Self {
            class: device.class.clone(),
            number: device.number,
            state: Some(match state.as_deref() {
                Some("1") => "initialising",
                Some("2") => "init_wait",
                Some("3") => "initialised",
                Some("4") => "connected",
                Some("5") => "closing",
                Some("6") => "closed",
                Some("7") => "reconfiguring",
                Some("8") => "reconfigured",
                _ => "unknown",
            }),
            nodes: Settings::shown(&device.nodes),
        }
    }

    /// A device of another domain.
    pub(crate) fn defined(device: &Device) -> Self {
        Self {
            class: device.class().to_owned(),
            number: device.id().unwrap_or_default(),
            state: None,
            nodes: Settings::default(),
        }
    }
}

/// A device that was attached.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Attached {
    class: String,
    /// Number by which xend's clients know the device.
    number: u32,
    /// Number of the domain on the host; null while it is not there.
    domid: Option<u32>,
}

impl Attached {
    pub(crate) fn new(class: &str, number: u32, domid: Option<DomId>) -> Self {
        Self { class: class.to_owned(), number, domid: domid.map(|domid| domid.0) }
    }
}

/// Parameters of the SEDF scheduler, or their closest equivalents.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Sedf {
    period_ns: u64,
    /// Guaranteed CPU time per period.
    slice_ns: u64,
    latency_ns: u64,
    /// Whether the domain may use idle CPU time.
    extratime: bool,
    weight: u32,
}

impl Sedf {
    pub(crate) fn of(params: &SedfParams) -> Self {
        let ns = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        Self {
            period_ns: ns(params.period),
            slice_ns: ns(params.slice),
            latency_ns: ns(params.latency),
            extratime: params.extratime,
            weight: params.weight,
        }
    }
}

/// Parameters of a credit scheduler.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Credit {
    /// CPU share relative to other domains.
    pub(crate) weight: u16,
    /// CPU limit in percent of one CPU; 0 for none.
    pub(crate) cap_percent: u16,
}

/// Parameters of the RTDS scheduler.
#[derive(Serialize)]
pub(crate) struct Rtds {
    period_ns: u128,
    budget_ns: u128,
}

impl Rtds {
    pub(crate) fn of(params: &RtdsParams) -> Self {
        Self { period_ns: params.period.as_nanos(), budget_ns: params.budget.as_nanos() }
    }
}

/// Answer of the agent in a guest.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Agent {
    message: String,
}

impl Agent {
    pub(crate) fn of(answer: &GuestAnswer) -> Self {
        Self { message: String::from_utf8_lossy(shape::agent_message(answer)).into_owned() }
    }
}

/// The host.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Node {
    /// The hypervisor of this xend: `xen`, or `sim` for a simulated host.
    xend_hypervisor: &'static str,
    /// Operating system of Domain-0.
    system: String,
    /// Name of the host.
    host: String,
    /// Release of Domain-0's kernel.
    release: String,
    /// Version of Domain-0's kernel.
    version: String,
    machine: String,
    cpus: u32,
    /// CPUs on which no VCPU is.
    free_cpus: u32,
    numa_nodes: u32,
    cores_per_socket: u32,
    threads_per_core: u32,
    cpu_mhz: u64,
    /// Feature words of the CPUs, in hexadecimal.
    hw_caps: String,
    /// `hvm`, `hvm_directio`
    virt_caps: Vec<String>,
    total_memory_mib: u64,
    free_memory_mib: u64,
    /// Version of Xen: `4.17.3`.
    xen_version: String,
    /// Types of guests that Xen can run.
    xen_caps: Vec<String>,
    xen_changeset: String,
    xen_commandline: String,
    scheduler: &'static str,
    page_size_bytes: u64,
}

impl Node {
    pub(crate) fn of(info: &HostInfo, figures: &HostFigures) -> Self {
        let [system, host, release, version, machine] = info.uname.clone();
        let topology = &info.topology;
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect();
        Self {
            xend_hypervisor: info.hypervisor(),
            system,
            host,
            release,
            version,
            machine,
            cpus: topology.cpus,
            free_cpus: figures.free_cpus,
            numa_nodes: topology.nodes,
            cores_per_socket: topology.cores_per_socket,
            threads_per_core: topology.threads_per_core,
            cpu_mhz: topology.khz / 1000,
            hw_caps: info.hw_caps.clone(),
            virt_caps: words(&info.virt_caps),
            total_memory_mib: info.total_memory,
            free_memory_mib: figures.free_memory,
            xen_version: format!("{}.{}{}", info.xen_major, info.xen_minor, info.xen_extra),
            xen_caps: words(&info.xen_caps),
            xen_changeset: info.changeset.clone(),
            xen_commandline: info.commandline.clone(),
            scheduler: info.scheduler.name(),
            page_size_bytes: info.pagesize,
        }
    }
}

/// A virtual network.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Vnet {
    id: String,
    /// Keys that xend does not interpret, such as `vnetif`.
    #[serde(default)]
    settings: Settings,
}

impl Vnet {
    pub(crate) fn of(vnet: &ModelVnet) -> Self {
        Self { id: vnet.id.clone(), settings: Settings::shown(&vnet.rest) }
    }

    /// The configuration as an S-expression, which the reader checks.
    pub(super) fn to_sxp(&self) -> Sxp {
        let mut fields = Fields::default();
        fields.word("id", &self.id);
        self.settings.write(&mut fields);
        fields.headed("vnet")
    }
}

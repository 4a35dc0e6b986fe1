//! Configurations of domains.

use super::device::Devices;
use super::fields::Fields;
use super::settings::{Settings, lossy};
use crate::core::model::{DomainConfig as Config, DomainFacts, Image as ModelImage, MAX_VCPUS};
use crate::sxp::Sxp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The configuration of a domain. What is left out has a default. The keys of an answer that tell
/// of the domain's present state are ignored: an answer can be sent back as a configuration.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DomainConfig {
    /// Letters, digits and _ - . : +
    name: String,
    /// A new one if left out.
    #[serde(default)]
    uuid: String,
    #[serde(default)]
    description: String,
    /// Memory target, in MiB.
    #[schemars(range(min = 1, max = Config::MAX_MEMORY))]
    memory_mib: u64,
    /// Largest memory target while the domain runs, in MiB; 0 for `memory_mib`.
    #[serde(default)]
    #[schemars(range(max = Config::MAX_MEMORY))]
    max_memory_mib: u64,
    /// Memory for shadow page tables, in MiB.
    #[serde(default)]
    #[schemars(range(max = Config::MAX_MEMORY))]
    shadow_memory_mib: u64,
    /// Number of VCPUs.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = MAX_VCPUS))]
    vcpus: u32,
    /// Numbers of the VCPUs that are online at the start; all if empty.
    #[serde(default)]
    #[schemars(inner(range(max = MAX_VCPUS - 1)))]
    vcpus_at_start: Vec<u32>,
    /// CPUs on which each VCPU may run. An empty list is for any CPU.
    #[serde(default)]
    cpus: Vec<Vec<u32>>,
    /// CPU share relative to other domains.
    #[serde(default = "default_weight")]
    #[schemars(range(min = 1, max = u16::MAX))]
    cpu_weight: u16,
    /// CPU limit in percent of one CPU; 0 for none.
    #[serde(default)]
    cpu_cap_percent: u16,
    /// CPU pool; the host's first one if empty.
    #[serde(default)]
    pool: String,
    /// Path of a boot loader on the host.
    #[serde(default)]
    bootloader: String,
    #[serde(default)]
    bootloader_args: String,
    /// Features that the guest's kernel must have.
    #[serde(default)]
    features: String,
    /// Action after the guest has shut down.
    #[serde(default = "destroy")]
    #[schemars(extend("enum" = ON_SHUTDOWN))]
    on_poweroff: String,
    /// Action after the guest has asked for a reboot.
    #[serde(default = "restart")]
    #[schemars(extend("enum" = ON_SHUTDOWN))]
    on_reboot: String,
    /// Action after the guest has crashed.
    #[serde(default = "restart")]
    #[schemars(extend("enum" = ON_SHUTDOWN))]
    on_crash: String,
    /// Action when xend starts.
    #[serde(default = "ignore")]
    #[schemars(extend("enum" = ["ignore", "start"]))]
    on_xend_start: String,
    /// Action when the host stops.
    #[serde(default = "ignore")]
    #[schemars(extend("enum" = ["ignore", "shutdown", "suspend"]))]
    on_xend_stop: String,
    /// What the domain boots. A boot loader needs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    image: Option<Image>,
    #[serde(default)]
    devices: Devices,
    /// Nodes of XenStore below `vm-data` that are written before the guest starts.
    #[serde(default)]
    xenstore_data: BTreeMap<String, String>,
    /// Keys that xend does not interpret.
    #[serde(default)]
    settings: Settings,
}

/// The actions after a guest has stopped.
const ON_SHUTDOWN: [&str; 6] =
    ["destroy", "restart", "preserve", "rename-restart", "coredump-destroy", "coredump-restart"];

const fn one() -> u32 {
    1
}

const fn default_weight() -> u16 {
    Config::DEFAULT_WEIGHT
}

fn destroy() -> String {
    "destroy".to_owned()
}

fn restart() -> String {
    "restart".to_owned()
}

fn ignore() -> String {
    "ignore".to_owned()
}

impl DomainConfig {
    /// A configuration without its passwords; `facts` are those of a domain on the host.
    pub(super) fn of(config: &Config, facts: Option<&DomainFacts>) -> Self {
        let available = |vcpu: &u32| config.vcpu_avail >> *vcpu & 1 == 1;
        let nodes = config.xenstore_data.shown();
        Self {
            name: config.name.to_string(),
            uuid: config.uuid.map(|uuid| uuid.to_string()).unwrap_or_default(),
            description: lossy(&config.description),
            memory_mib: config.memory,
            max_memory_mib: config.maxmem,
            shadow_memory_mib: config.shadow_memory,
            vcpus: config.vcpus,
            vcpus_at_start: (0..config.vcpus).filter(available).collect(),
            cpus: config.cpus.iter().map(|cpus| cpus.iter().collect()).collect(),
            cpu_weight: config.cpu_weight,
            cpu_cap_percent: config.cpu_cap,
            pool: lossy(&config.pool_name),
            bootloader: lossy(&config.bootloader),
            bootloader_args: lossy(&config.bootloader_args),
            features: lossy(&config.features),
            on_poweroff: config.on_poweroff.name().to_owned(),
            on_reboot: config.on_reboot.name().to_owned(),
            on_crash: config.on_crash.name().to_owned(),
            on_xend_start: config.on_xend_start.name().to_owned(),
            on_xend_stop: config.on_xend_stop.name().to_owned(),
            image: config.image.as_ref().map(Image::of),
            devices: Devices::of(config, facts),
            xenstore_data: nodes.map(|(path, text)| (path.to_string(), lossy(text))).collect(),
            settings: Settings::shown(&config.rest),
        }
    }

    /// The configuration as the S-expression `(vm ...)`, which the reader checks.
    pub(super) fn to_sxp(&self) -> Sxp {
        let mut fields = Fields::default();
        fields.word("name", &self.name);
        fields.text("uuid", &self.uuid);
        fields.text("description", &self.description);
        fields.word("memory", self.memory_mib);
        fields.word("maxmem", self.max_memory_mib);
        fields.word("shadow_memory", self.shadow_memory_mib);
        fields.word("vcpus", self.vcpus);
        if !self.vcpus_at_start.is_empty() {
            let bit = |vcpu: &u32| 1_u128.checked_shl(*vcpu).unwrap_or_default();
            let mask = self.vcpus_at_start.iter().map(bit).fold(0, |mask, bit| mask | bit);
            fields.word("vcpu_avail", mask);
        }
        if !self.cpus.is_empty() {
            let cpus =
                |cpus: &Vec<u32>| cpus.iter().map(|cpu| Sxp::atom(cpu.to_string())).collect();
            fields.list("cpus", [self.cpus.iter().map(cpus).collect()]);
        }
        fields.word("cpu_weight", self.cpu_weight);
        fields.word("cpu_cap", self.cpu_cap_percent);
        fields.text("pool_name", &self.pool);
        fields.text("bootloader", &self.bootloader);
        fields.text("bootloader_args", &self.bootloader_args);
        fields.text("features", &self.features);
        fields.word("on_poweroff", &self.on_poweroff);
        fields.word("on_reboot", &self.on_reboot);
        fields.word("on_crash", &self.on_crash);
        fields.word("on_xend_start", &self.on_xend_start);
        fields.word("on_xend_stop", &self.on_xend_stop);
        if let Some(image) = &self.image {
            fields.list("image", [image.to_sxp()]);
        }
        self.devices.write(&mut fields);
        if !self.xenstore_data.is_empty() {
            let pair = |(path, value): (&String, &String)| {
                [path, value].map(Sxp::atom).into_iter().collect()
            };
            fields.list("xenstore_data", [self.xenstore_data.iter().map(pair).collect()]);
        }
        self.settings.write(&mut fields);
        fields.headed("vm")
    }
}

/// What a domain boots.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Image {
    /// Kind of guest: `linux` for a paravirtualised one, `hvm`, `pvh`. Words of old configurations
    /// (`netbsd`, `vmx`) are kept.
    #[serde(rename = "type")]
    kind: String,
    /// Path of the kernel on the host.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    kernel: String,
    /// Path of the initial RAM disk on the host.
    #[serde(skip_serializing_if = "Option::is_none")]
    ramdisk: Option<String>,
    /// Command line of the kernel.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    args: String,
    /// Firmware of an HVM guest.
    #[serde(skip_serializing_if = "Option::is_none")]
    loader: Option<String>,
    /// Path of a device model.
    #[serde(skip_serializing_if = "Option::is_none")]
    device_model: Option<String>,
    /// Other keys: `boot`, `acpi`, `serial`, ...
    #[serde(default, skip_serializing_if = "Settings::is_empty")]
    settings: Settings,
}

impl Image {
    fn of(image: &ModelImage) -> Self {
        Self {
            kind: lossy(&image.builder),
            kernel: lossy(&image.kernel),
            ramdisk: image.ramdisk.as_ref().map(lossy),
            args: lossy(&image.args),
            loader: image.loader.as_ref().map(lossy),
            device_model: image.device_model.as_ref().map(lossy),
            settings: Settings::shown(&image.rest),
        }
    }

    fn to_sxp(&self) -> Sxp {
        let mut fields = Fields::default();
        fields.text("kernel", &self.kernel);
        fields.optional("ramdisk", self.ramdisk.as_deref());
        fields.text("args", &self.args);
        fields.optional("loader", self.loader.as_deref());
        fields.optional("device_model", self.device_model.as_deref());
        self.settings.write(&mut fields);
        fields.headed(&self.kind)
    }
}

//! An example for each parameter of the tables.

use super::value::Value;

/// A value of an example.
#[derive(Debug, Clone)]
pub(super) enum Example {
    Text(&'static str),
    Number(i64),
    Flag(bool),
    List(&'static [Example]),
    Map(&'static [(&'static str, Example)]),
    /// The reference of an object of this class, as a variable of the shell.
    Object(String),
}

use Example::{Flag, List, Map, Number, Text};

impl From<&Example> for Value {
    fn from(example: &Example) -> Self {
        match example {
            Text(text) => Self::text(*text),
            Number(number) => Self::Int(*number),
            Flag(on) => Self::Bool(*on),
            List(values) => Self::Array(values.iter().map(Self::from).collect()),
            Map(entries) => Self::Struct(
                entries.iter().map(|(key, value)| ((*key).to_owned(), value.into())).collect(),
            ),
            Example::Object(class) => Self::Text(format!("${}", variable(class))),
        }
    }
}

impl From<Example> for Value {
    fn from(example: Example) -> Self {
        Self::from(&example)
    }
}

/// The variable of the shell for an object of this class.
pub(super) fn variable(class: &str) -> String {
    class.to_ascii_uppercase()
}

/// A call whose answer has the reference of an object, or begins with it, and which object that is.
pub(super) struct ObjectSource {
    pub(super) method: String,
    pub(super) parameters: Vec<Example>,
    pub(super) about: String,
}

/// Where the examples of a class get their object from. The first VM of a host is Domain-0: no
/// example is about it, nor about what belongs to a VM that nobody has named. `None` for the
/// session, which the login gives.
pub(super) fn source(class: &str) -> Option<ObjectSource> {
    let set = |what: String| format!("Sets ${} for the lines below: {what}.", variable(class));
    let by_label = |label: &'static str| ObjectSource {
        method: format!("{class}.get_by_name_label"),
        parameters: vec![Text("$SESSION"), Text(label)],
        about: set(format!("the {class} with the name {label}; write that of yours")),
    };
    let of_vm = |field: String, what: String| ObjectSource {
        method: format!("VM.get_{field}"),
        parameters: vec![Text("$SESSION"), Text("$VM")],
        about: set(format!("{what} of $VM, which a line of the class VM sets")),
    };
    match class {
        "session" => None,
        "VM" => Some(by_label("web1")),
        "VDI" => Some(by_label("root")),
        "VM_metrics" => Some(of_vm("metrics".to_owned(), "the metrics".to_owned())),
        "VM_guest_metrics" => {
            Some(of_vm("guest_metrics".to_owned(), "the metrics by the guest".to_owned()))
        }
        "VBD" | "VIF" | "VTPM" | "console" | "DPCI" | "DSCSI" | "DSCSI_HBA" => {
            Some(of_vm(format!("{class}s"), format!("the first {class}")))
        }
        _ => Some(ObjectSource {
            method: format!("{class}.get_all"),
            parameters: vec![Text("$SESSION")],
            about: set(format!("the first {class} of the host")),
        }),
    }
}

/// The configuration of a domain, as xm sends it.
const DOMAIN: Example = List(&[
    Text("vm"),
    List(&[Text("name"), Text("web1")]),
    List(&[Text("memory"), Number(128)]),
    List(&[Text("image"), List(&[Text("linux"), List(&[Text("kernel"), Text("/boot/vmlinuz")])])]),
]);

/// The configuration of a network interface.
const DEVICE: Example = List(&[Text("vif"), List(&[Text("bridge"), Text("xenbr0")])]);

/// A disk in another mode.
const CHANGED_DEVICE: Example = List(&[
    Text("vbd"),
    List(&[Text("uname"), Text("phy:/dev/vg0/web1")]),
    List(&[Text("dev"), Text("xvda")]),
    List(&[Text("mode"), Text("r")]),
]);

const POOL: Example = List(&[List(&[Text("name_label"), Text("fast")])]);

/// A value for a parameter of `xend.*` or `system.*`.
pub(super) fn of_legacy(function: &str, parameter: &str) -> Example {
    match (function, parameter) {
        ("xend.cpu_pool.create" | "xend.cpu_pool.new", "config") => POOL,
        ("xend.domain.device_create", "config") => DEVICE,
        ("xend.domain.device_configure", "config") => CHANGED_DEVICE,
        ("xend.domain.getDeviceSxprs", "class") => Text("vbd"),
        ("xend.domain.destroyDevice", "dev") | (_, "vcpu" | "cpumap") => Text("0"),
        ("xend.domain.send_sysrq", "key") => Text("s"),
        (_, "config") => DOMAIN,
        (_, "dom") => Text("web1"),
        (_, "pool") => Text("Pool-0"),
        (_, "name") => Text("web2"),
        (_, "dev") => Text("xvda"),
        (_, "class") => Text("vif"),
        (_, "file") => Text("/var/lib/xen/save/web1"),
        (_, "dst") => Text("host2.example.com"),
        (_, "reason") => Text("poweroff"),
        (_, "state") => Text("all"),
        (_, "trigger") => Text("nmi"),
        (_, "keys") => Text("h"),
        (_, "method") => Text("xend.domain.pause"),
        (_, "resource") => Text("phy:/dev/vg0/web1"),
        (_, "memory" | "target") => Number(128),
        (_, "period") => Number(20_000_000),
        (_, "slice") => Number(5_000_000),
        (_, "vcpus" | "cpu" | "first") => Number(1),
        (_, "last") => Number(2),
        (_, "latency" | "weight" | "flags") => Number(0),
        (_, "detail" | "extratime" | "overwrite") => Flag(false),
        (_, _) => Text(""),
    }
}

/// A value for a parameter of a method of the Xen-API: `VM.set_name_label`, `value`.
pub(super) fn of_xen_api(method: &str, parameter: &str) -> Example {
    let (class, call) = method.split_once('.').unwrap_or(("", method));
    match (parameter, call) {
        ("session", _) => Text("$SESSION"),
        ("self" | "uuid", _) => Example::Object(class.to_owned()),
        ("label", "get_by_name_label") => Text("web1"),
        (
            "cpu_pool" | "host" | "host_cpu" | "network" | "sr" | "task" | "vbd" | "vdi" | "vm",
            _,
        ) => Example::Object(class_of(parameter).to_owned()),
        ("record", _) => record(class),
        ("value", _) => new_value(call),
        ("key", "send_sysrq") => Text("s"),
        ("key", _) => entry(call).0,
        ("uname", _) => Text("root"),
        ("file", _) => Text("/var/lib/xen/save/web1"),
        (
            "start_paused" | "force" | "checkpoint" | "live" | "flag" | "use_long" | "overwrite",
            _,
        ) => Flag(false),
        ("options", _) => Map(&[("live", Text("true"))]),
        ("dest", _) => Text("host2.example.com"),
        ("other_config", _) => Map(&[("port", Text("8002"))]),
        ("trigger", _) => Text("nmi"),
        ("cpu" | "nvcpu", _) => Text("1"),
        ("vcpu" | "seconds" | "cli_id" | "pages" | "auth" | "flags" | "mode", _) => Text("0"),
        ("device", _) => Text("eth0"),
        ("VLAN", _) => Text("7"),
        ("keys", _) => Text("h"),
        ("classes", _) => List(&[Text("VM")]),
        ("plugin", _) => Text("agent.py"),
        ("fn", _) => Text("version"),
        ("args", _) => Map(&[("id", Text("1")), ("dom_id", Text("1"))]),
        ("resource", _) => Text("phy:/dev/vg0/web1"),
        (_, _) => Text(""),
    }
}

/// The class of the objects that a parameter of this name has.
fn class_of(parameter: &str) -> &str {
    match parameter {
        "host_cpu" => "host_cpu",
        "sr" => "SR",
        "vbd" => "VBD",
        "vdi" => "VDI",
        "vm" => "VM",
        other => other,
    }
}

/// A record to create an object of a class.
fn record(class: &str) -> Example {
    match class {
        "VM" => Map(&[
            ("name_label", Text("web2")),
            ("memory_static_max", Text("134217728")),
            ("memory_dynamic_max", Text("134217728")),
            ("PV_kernel", Text("/boot/vmlinuz")),
        ]),
        "VBD" => Map(&[
            ("VM", Text("$VM")),
            ("VDI", Text("$VDI")),
            ("device", Text("xvdb")),
            ("mode", Text("RO")),
            ("bootable", Flag(false)),
        ]),
        "VIF" => Map(&[
            ("VM", Text("$VM")),
            ("network", Text("$NETWORK")),
            ("MAC", Text("")),
            ("device", Text("1")),
        ]),
        "VTPM" => Map(&[("VM", Text("$VM"))]),
        "VDI" => Map(&[
            ("SR", Text("$SR")),
            ("name_label", Text("root")),
            ("virtual_size", Text("1073741824")),
            ("type", Text("system")),
            ("sharable", Flag(false)),
            ("read_only", Flag(false)),
            ("other_config", Map(&[])),
        ]),
        "console" => {
            Map(&[("VM", Text("$VM")), ("protocol", Text("rfb")), ("other_config", Map(&[]))])
        }
        "PBD" => Map(&[
            ("host", Text("$HOST")),
            ("SR", Text("$SR")),
            ("device_config", Map(&[("location", Text("/mnt"))])),
        ]),
        "DPCI" => Map(&[("VM", Text("$VM")), ("PPCI", Text("$PPCI")), ("hotplug_slot", Text("0"))]),
        "DSCSI" => Map(&[
            ("VM", Text("$VM")),
            ("PSCSI", Text("$PSCSI")),
            ("virtual_HCTL", Text("0:0:0:1")),
        ]),
        "DSCSI_HBA" => Map(&[
            ("VM", Text("$VM")),
            ("PSCSI_HBA", Text("$PSCSI_HBA")),
            ("virtual_host", Text("1")),
            ("assignment_mode", Text("HOST")),
        ]),
        _ => Map(&[("name_label", Text("fast"))]),
    }
}

/// A value for a setter.
fn new_value(call: &str) -> Example {
    let field = call.trim_start_matches("set_").trim_end_matches("_live");
    match field {
        _ if call.starts_with("add_to_") => entry(call).1,
        "bootable" | "read_only" | "sharable" | "auto_power_on" | "is_a_template" => Flag(true),
        "logging" => Map(&[("level", Text("debug"))]),
        "other_config" => Map(&[("owner", Text("ann"))]),
        "HVM_boot_params" => Map(&[("order", Text("cd"))]),
        "VCPUs_params" => Map(&[("weight", Text("256"))]),
        "platform" => Map(&[("acpi", Text("1"))]),
        "xenstore_data" => Map(&[("vm-data/role", Text("web"))]),
        "proposed_CPUs" => List(&[Text("2"), Text("3")]),
        "name_label" => Text("www"),
        "name_description" => Text("serves pages"),
        "mode" => Text("RO"),
        "device" => Text("xvdb"),
        "MAC" => Text("00:16:3e:00:00:07"),
        "MTU" => Text("1500"),
        "virtual_size" => Text("2147483648"),
        "memory_static_max" => Text("536870912"),
        "memory_dynamic_max" | "memory_dynamic_min" => Text("134217728"),
        "memory_static_min" => Text("1048576"),
        "VCPUs_max" => Text("2"),
        "actions_after_shutdown" | "actions_after_suspend" => Text("destroy"),
        "actions_after_reboot" | "actions_after_crash" => Text("restart"),
        "HVM_boot_policy" => Text("BIOS order"),
        "PV_kernel" => Text("/boot/vmlinuz"),
        "PV_ramdisk" => Text("/boot/initrd"),
        "PV_bootloader" => Text("/usr/bin/pygrub"),
        "PV_bootloader_args" => Text("-q"),
        "PV_args" => Text("ro"),
        "sched_policy" => Text("credit"),
        "pool_name" => Text("Pool-0"),
        "default_gateway" => Text("10.0.0.1"),
        "default_netmask" => Text("255.255.255.0"),
        _ => Text("1"),
    }
}

/// A key and a value for an entry of a map.
fn entry(call: &str) -> (Example, Example) {
    let field = ["add_to_", "remove_from_"].iter().find_map(|prefix| call.strip_prefix(prefix));
    let (key, value) = match field.unwrap_or(call).trim_end_matches("_live") {
        "HVM_boot_params" => ("order", "cd"),
        "VCPUs_params" => ("weight", "256"),
        "platform" => ("acpi", "1"),
        "xenstore_data" => ("vm-data/role", "web"),
        "logging" => ("level", "debug"),
        _ => ("owner", "ann"),
    };
    (Text(key), Text(value))
}

//! Our configuration to libxl's JSON, and libxl's JSON to our facts.
//!
//! libxl takes unknown keys and text in the place of numbers in silence, and leaves out what is zero or false in its answers.
//! So what goes in is made from values that have been checked, and what is not in an answer has its default.

use crate::core::error::Error;
use crate::core::model::{
    Block, BlockClass, BlockKind, BlockMode, CpuSet, Device, DeviceFacts, DomId, DomName, DomainConfig,
    DomainFacts, GuestKind, Image, Invalid, MAX_VCPUS, OnEvent, PciDevice, Property, Rtds, RunFlags,
    SchedParams, Scheduler, ShutdownReason, Uuid, VcpuFacts, Vfb, Vif, VirtualDevice,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// A domain's configuration as libxl takes it. `cpus` are the host's.
pub(super) fn domain(config: &DomainConfig, cpus: u32) -> Result<Value, Error> {
    let image = config.image.as_ref();
    let kind = image.map_or(GuestKind::Pv, |image| image.kind);
    let online: Vec<u32> = (0..MAX_VCPUS).filter(|vcpu| config.vcpu_avail >> vcpu & 1 == 1).collect();
    let affinity: Vec<Vec<u32>> = config.cpus.iter().map(|set| allowed(set, cpus)).collect();
    let mut build = json!({
        "max_vcpus": config.vcpus,
        "avail_vcpus": online,
        "vcpu_hard_affinity": affinity,
        "max_memkb": config.maxmem.max(config.memory) * 1024,
        "target_memkb": config.memory * 1024,
        "sched_params": { "weight": config.cpu_weight, "cap": config.cpu_cap },
    });
    let set = |build: &mut Value, key: &str, text: &[u8]| {
        if !text.is_empty() {
            build[key] = Value::from(String::from_utf8_lossy(text));
        }
    };
    set(&mut build, "bootloader", &config.bootloader);
    if !config.bootloader_args.is_empty() {
        let args = String::from_utf8_lossy(&config.bootloader_args);
        build["bootloader_args"] = args.split_whitespace().collect();
    }
    if let Some(image) = image {
        if kind != GuestKind::Hvm {
            set(&mut build, "kernel", &image.kernel);
        }
        set(&mut build, "ramdisk", image.ramdisk.as_deref().map_or(&[], Vec::as_slice));
        set(&mut build, "cmdline", &image.args);
    }
    match kind {
        GuestKind::Pv => build["type.pv"] = json!({}),
        GuestKind::Pvh => build["type.pvh"] = json!({}),
        GuestKind::Hvm => {
            build["device_model_version"] = "qemu_xen".into();
            build["type.hvm"] = hvm(config, image);
        }
    }
    let word = match kind {
        GuestKind::Pv => "pv",
        GuestKind::Pvh => "pvh",
        GuestKind::Hvm => "hvm",
    };
    let mut all = json!({
        "c_info": { "type": word, "name": config.name.as_str(), "uuid": config.uuid.unwrap_or_default().to_string() },
        "b_info": build,
    });
    if !config.pool_name.is_empty() && config.pool_name != "Pool-0" {
        all["c_info"]["pool_name"] = Value::from(config.pool_name.to_string());
    }
    for one in &config.devices {
        let Some((list, value)) = device(one)? else { continue };
        match all[list].as_array_mut() {
            Some(values) => values.push(value),
            None => all[list] = json!([value]),
        }
    }
    Ok(all)
}

/// The CPUs that an affinity allows: all of them if it names none.
fn allowed(set: &CpuSet, cpus: u32) -> Vec<u32> {
    if set.is_empty() { (0..cpus).collect() } else { set.iter().collect() }
}

fn hvm(config: &DomainConfig, image: Option<&Image>) -> Value {
    let mut hvm = Map::new();
    let setting = |key: &str| image.and_then(|image| image.setting(key)).map(ToString::to_string);
    if let Some(boot) = setting("boot") {
        hvm.insert("boot".into(), boot.into());
    }
    for key in ["apic", "acpi", "pae", "viridian", "hpet"] {
        if let Some(value) = setting(key) {
            hvm.insert(key.into(), if value == "0" { "False" } else { "True" }.into());
        }
    }
    if let Some(device) = setting("usbdevice") {
        hvm.insert("usb".into(), "True".into());
        hvm.insert("usbdevice".into(), device.into());
    }
    if let Some(Device::Vfb(frame)) = config.devices.iter().find(|d| matches!(d, Device::Vfb(_))) {
        hvm.insert("vnc".into(), vnc(frame));
    }
    Value::Object(hvm)
}

/// A device, and the list of libxl's configuration that it belongs to; none if libxl makes it by itself.
pub(super) fn device(device: &Device) -> Result<Option<(&'static str, Value)>, Error> {
    Ok(Some(match device {
        Device::Block(block) => ("disks", disk(block)?),
        Device::Vif(interface) => ("nics", nic(interface)),
        Device::Vfb(frame) => ("vfbs", json!({ "devid": frame.id.unwrap_or(0), "vnc": vnc(frame) })),
        Device::Vkbd(keyboard) => ("vkbs", json!({ "devid": keyboard.id.unwrap_or(0) })),
        Device::Pci(functions) => ("pcidevs", pci(functions).into_iter().next().unwrap_or_default()),
        Device::Console(_) => return Ok(None),
        Device::Generic(other) => {
            let reason = format!("Today's Xen has no devices of the class {}", other.class);
            return Err(Error::Unsupported(reason));
        }
    }))
}

/// The functions of a PCI device, as libxl has them: one by one.
pub(super) fn pci(device: &PciDevice) -> Vec<Value> {
    let function = |f: &crate::core::model::PciFunction| {
        let address = f.address;
        json!({ "domain": address.domain, "bus": address.bus, "dev": address.slot, "func": address.func })
    };
    device.functions.iter().map(function).collect()
}

/// `phy:` and `file:` are served by blkback, which looks by itself whether it is a device; a format that the kernel does not
/// know is for QEMU.
pub(super) fn disk(block: &Block) -> Result<Value, Error> {
    let uname = String::from_utf8_lossy(&block.uname);
    let words: Vec<&str> = uname.split(':').collect();
    let format = match words.as_slice() {
        [] | [""] => "empty",
        [.., "qcow", _] => "qcow",
        [.., "qcow2", _] => "qcow2",
        [.., "vhd", _] => "vhd",
        ["phy" | "file" | "tap" | "tap2" | "aio", _] | ["tap" | "tap2", "aio", _] => "raw",
        [kind, ..] => {
            return Err(
                Invalid::new(format!("Block device type \"{kind}\" is not served by today's Xen")).into()
            );
        }
    };
    let mut path = String::from_utf8_lossy(block.path()).into_owned();
    if words.first() == Some(&"phy") && !path.starts_with('/') {
        path.insert_str(0, "/dev/");
    }
    let mut disk = json!({
        "vdev": block.dev,
        "format": format,
        "readwrite": u8::from(block.mode != BlockMode::ReadOnly),
        "is_cdrom": u8::from(block.kind == BlockKind::Cdrom),
        "removable": u8::from(block.kind == BlockKind::Cdrom),
    });
    if format != "empty" {
        disk["pdev_path"] = path.into();
    }
    if ["qcow", "qcow2", "vhd"].contains(&format) {
        disk["backend"] = "qdisk".into();
    } else if format == "raw" && block.kind == BlockKind::Disk {
        disk["backend"] = "phy".into();
    }
    if let Some(backend) = block.backend.as_ref().filter(|backend| !backend.is_dom0()) {
        disk["backend_domname"] = backend.0.to_string().into();
    }
    Ok(disk)
}

fn nic(vif: &Vif) -> Value {
    let mut nic = json!({ "devid": vif.id.unwrap_or(0) });
    let mut set = |key: &str, text: Option<String>| {
        if let Some(text) = text {
            nic[key] = text.into();
        }
    };
    set("mac", vif.mac.map(|mac| mac.to_string()));
    set("bridge", vif.bridge.as_ref().map(ToString::to_string));
    set("script", vif.script.as_ref().map(ToString::to_string));
    set("ip", vif.ip.as_ref().map(ToString::to_string));
    let rest = |key: &str| {
        let property = vif.rest.iter().find(|property| property.key == key);
        property.and_then(Property::text).map(ToString::to_string)
    };
    set("model", rest("model"));
    set("ifname", rest("vifname"));
    if let Some(backend) = vif.backend.as_ref().filter(|backend| !backend.is_dom0()) {
        nic["backend_domname"] = backend.0.to_string().into();
    }
    if rest("type").is_some_and(|kind| kind == "ioemu") {
        nic["nictype"] = "vif_ioemu".into();
    }
    nic
}

fn vnc(frame: &Vfb) -> Value {
    let get = |key: &str| {
        let property = frame.rest.iter().find(|property| property.key == key);
        property.and_then(Property::text).map(ToString::to_string)
    };
    let mut vnc = json!({ "enable": if get("vnc").is_some_and(|v| v != "0") { "True" } else { "False" } });
    for (key, name) in [("vnclisten", "listen"), ("vncpasswd", "passwd")] {
        if let Some(value) = get(key) {
            vnc[name] = value.into();
        }
    }
    if let Some(display) = get("vncdisplay").and_then(|display| display.parse::<u32>().ok()) {
        vnc["display"] = display.into();
    }
    if let Some(unused) = get("vncunused") {
        vnc["findunused"] = if unused == "0" { "False" } else { "True" }.into();
    }
    vnc
}

/// What libxl says of a domain.
#[derive(Debug, Deserialize)]
#[serde(default)]
#[derive(Default)]
#[allow(clippy::struct_excessive_bools, reason = "libxl's")]
pub(super) struct DomInfo {
    pub uuid: Uuid,
    pub domid: u32,
    running: bool,
    blocked: bool,
    paused: bool,
    shutdown: bool,
    dying: bool,
    shutdown_reason: Reason,
    pub current_memkb: u64,
    cpu_time: u64,
    vcpu_online: u32,
}

/// Why a guest has stopped: libxl leaves out the first, gives others by name, and in other places by number.
#[derive(Debug, Deserialize, Default)]
#[serde(untagged)]
enum Reason {
    #[default]
    None,
    Number(i64),
    Name(String),
}

impl Reason {
    fn read(&self) -> ShutdownReason {
        match self {
            Self::None | Self::Number(0) => ShutdownReason::Poweroff,
            Self::Number(1) => ShutdownReason::Reboot,
            Self::Number(2) => ShutdownReason::Suspend,
            Self::Name(name) => match name.as_str() {
                "poweroff" => ShutdownReason::Poweroff,
                "reboot" | "soft_reset" => ShutdownReason::Reboot,
                "suspend" => ShutdownReason::Suspend,
                _ => ShutdownReason::Crash,
            },
            // A watchdog that bit, and whatever comes to be.
            Self::Number(_) => ShutdownReason::Crash,
        }
    }
}

impl DomInfo {
    /// As the engine has it, with what libxl does not say.
    pub(super) fn facts(&self, name: &str, start_time: Option<SystemTime>) -> DomainFacts {
        let reason = self.shutdown_reason.read();
        DomainFacts {
            domid: DomId(self.domid),
            uuid: self.uuid,
            name: DomName::adopted(name),
            flags: RunFlags {
                running: self.running,
                blocked: self.blocked,
                paused: self.paused,
                shutdown: self.shutdown.then_some(reason),
                dying: self.dying,
            },
            cpu_time: Duration::from_nanos(self.cpu_time),
            memory_kib: self.current_memkb,
            online_vcpus: self.vcpu_online,
            start_time,
            store_mfn: None,
            console_mfn: None,
            console_port: None,
            notes: Arc::default(),
        }
    }
}

/// What libxl says of a VCPU.
#[derive(Debug, Deserialize, Default)]
#[serde(default)]
pub(super) struct VcpuInfo {
    vcpuid: u32,
    cpu: i64,
    online: bool,
    blocked: bool,
    running: bool,
    vcpu_time: u64,
    cpumap: Vec<u32>,
}

impl VcpuInfo {
    pub(super) fn facts(self) -> VcpuFacts {
        VcpuFacts {
            number: self.vcpuid,
            online: self.online,
            blocked: self.blocked,
            running: self.running,
            cpu_time: Duration::from_nanos(self.vcpu_time),
            cpu: u32::try_from(self.cpu).ok().filter(|_| self.online),
            affinity: self.cpumap.into_iter().collect(),
        }
    }
}

/// What libxl says of a disk or network interface.
#[derive(Debug, Deserialize, Default)]
#[serde(default)]
pub(super) struct DeviceInfo {
    backend: String,
    backend_id: u32,
    devid: u32,
    state: i64,
    evtch: i64,
    rref: Option<i64>,
    rref_tx: Option<i64>,
    rref_rx: Option<i64>,
}

impl DeviceInfo {
    pub(super) fn devid(&self) -> u32 {
        self.devid
    }

    /// As the guest's XenStore shows it; `class` is xend's.
    pub(super) fn facts(self, class: &str, device: Option<&Device>) -> DeviceFacts {
        let mut nodes = Vec::new();
        let mut node = |key: &str, value: String| nodes.push(Property::new(key, value));
        match device {
            Some(Device::Block(block)) => {
                node("virtual-device", self.devid.to_string());
                node("device-type", block.kind.name().to_owned());
            }
            Some(Device::Vif(vif)) => {
                node("mac", vif.mac.map(|mac| mac.to_string()).unwrap_or_default());
                node("handle", self.devid.to_string());
            }
            _ => {}
        }
        node("backend-id", self.backend_id.to_string());
        node("state", self.state.to_string());
        node("backend", self.backend);
        if self.evtch > 0 {
            node("event-channel", self.evtch.to_string());
        }
        let rings = [("ring-ref", self.rref), ("tx-ring-ref", self.rref_tx), ("rx-ring-ref", self.rref_rx)];
        for (key, value) in
            rings.into_iter().filter_map(|(key, value)| Some((key, value.filter(|v| *v > 0)?)))
        {
            node(key, value.to_string());
        }
        DeviceFacts { class: class.to_owned(), number: self.devid, nodes }
    }
}

/// Parameters of a scheduler, as libxl takes them.
pub(super) fn sched(params: SchedParams) -> Result<Value, Error> {
    Ok(match params {
        SchedParams::Credit { weight, cap } => json!({ "sched": "credit", "weight": weight, "cap": cap }),
        SchedParams::Credit2 { weight, cap } => json!({ "sched": "credit2", "weight": weight, "cap": cap }),
        SchedParams::Rtds(Rtds { period, budget }) => {
            json!({ "sched": "rtds", "period": micros(period), "budget": micros(budget) })
        }
        SchedParams::Sedf(_) => {
            return Err(Error::Unsupported("Xen has no SEDF scheduler any more".to_owned()));
        }
    })
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// The opposite.
pub(super) fn read_sched(value: &Value) -> Result<SchedParams, Error> {
    let number = |key: &str| value[key].as_u64().unwrap_or(0);
    let small = |key: &str| u16::try_from(number(key)).unwrap_or(u16::MAX);
    match scheduler(value["sched"].as_str().unwrap_or_default())? {
        Scheduler::Credit => Ok(SchedParams::Credit { weight: small("weight"), cap: small("cap") }),
        Scheduler::Credit2 => Ok(SchedParams::Credit2 { weight: small("weight"), cap: small("cap") }),
        Scheduler::Rtds => Ok(SchedParams::Rtds(Rtds {
            period: Duration::from_micros(number("period")),
            budget: Duration::from_micros(number("budget")),
        })),
        Scheduler::Sedf => Err(Error::Unsupported("Xen has no SEDF scheduler any more".to_owned())),
    }
}

/// A scheduler by libxl's name.
pub(super) fn scheduler(name: &str) -> Result<Scheduler, Error> {
    name.parse().map_err(|_| Error::Unsupported(format!("The scheduler {name:?} is not known here")))
}

/// The configuration of a domain that another toolstack built, as far as it matters here. What happens when it stops is
/// that toolstack's business.
pub(super) fn foreign(value: &Value, uuid: Uuid, memory_kib: u64) -> DomainConfig {
    let (create, build) = (&value["c_info"], &value["b_info"]);
    let mib = |key: &str| build[key].as_u64().map(|kib| (kib / 1024).max(1));
    let text = |key: &str| build[key].as_str().unwrap_or_default();
    let memory = mib("target_memkb").unwrap_or((memory_kib / 1024).max(1));
    let name = DomName::adopted(create["name"].as_str().unwrap_or("unknown"));
    let mut config = DomainConfig::new(name, memory);
    config.uuid = Some(uuid);
    config.maxmem = mib("max_memkb").unwrap_or(memory).max(memory);
    let vcpus = build["max_vcpus"].as_u64().and_then(|count| u32::try_from(count).ok());
    config.set_vcpus(vcpus.unwrap_or(1));
    (config.on_poweroff, config.on_reboot, config.on_crash) =
        (OnEvent::Preserve, OnEvent::Preserve, OnEvent::Preserve);
    let (kind, builder) = match create["type"].as_str() {
        Some("hvm") => (GuestKind::Hvm, "hvm"),
        Some("pvh") => (GuestKind::Pvh, "pvh"),
        _ => (GuestKind::Pv, "linux"),
    };
    config.image = Some(Image {
        kind,
        builder: builder.into(),
        kernel: text("kernel").into(),
        ramdisk: Some(text("ramdisk")).filter(|path| !path.is_empty()).map(Into::into),
        args: text("cmdline").into(),
        loader: None,
        device_model: None,
        rest: vec![],
    });
    let list = |key: &str| value[key].as_array().cloned().unwrap_or_default();
    config.devices.extend(list("nics").iter().map(foreign_nic));
    config.devices.extend(list("disks").iter().filter_map(foreign_disk));
    config.number_devices();
    config
}

fn foreign_nic(nic: &Value) -> Device {
    let text = |key: &str| nic[key].as_str().map(Into::into);
    Device::Vif(Vif {
        mac: nic["mac"].as_str().and_then(|mac| mac.parse().ok()),
        bridge: text("bridge"),
        script: text("script"),
        ip: text("ip"),
        id: Some(nic["devid"].as_u64().and_then(|id| u32::try_from(id).ok()).unwrap_or(0)),
        ..Vif::default()
    })
}

fn foreign_disk(disk: &Value) -> Option<Device> {
    let dev = disk["vdev"].as_str()?;
    let path = disk["pdev_path"].as_str().unwrap_or_default();
    let kind = if disk["is_cdrom"].as_i64().unwrap_or(0) == 1 { BlockKind::Cdrom } else { BlockKind::Disk };
    let scheme = if path.starts_with("/dev/") { "phy" } else { "file" };
    Some(Device::Block(Block {
        class: BlockClass::Vbd,
        uname: if path.is_empty() { "".into() } else { format!("{scheme}:{path}").into() },
        dev: dev.to_owned(),
        number: VirtualDevice::parse(dev).ok()?,
        kind,
        mode: if disk["readwrite"].as_i64() == Some(1) { BlockMode::ReadWrite } else { BlockMode::ReadOnly },
        bootable: None,
        backend: None,
        uuid: None,
        rest: vec![],
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::read_config;
    use crate::sxp::{Limits, read_one};

    fn config(text: &str) -> DomainConfig {
        let mut config = read_config(&read_one(text.as_bytes(), &Limits::default()).unwrap()).unwrap();
        config.number_devices();
        config
    }

    #[test]
    fn a_paravirtual_guest() {
        let config = config(
            "(vm (name a) (memory 64) (maxmem 128) (vcpus 2) (cpus ((0) ())) (cpu_weight 300) (image (linux (kernel /k) \
             (args quiet))) (device (vbd (uname phy:vg0/a) (dev xvda) (mode w))) (device (tap (uname tap:qcow2:/b) \
             (dev xvdb) (mode r))) (device (vif (mac 00:16:3e:01:02:03) (bridge xenbr0))))",
        );
        let value = domain(&config, 2).unwrap();
        assert_eq!(value["c_info"]["type"], "pv");
        let build = &value["b_info"];
        assert_eq!((&build["max_memkb"], &build["target_memkb"]), (&json!(131_072), &json!(65_536)));
        assert_eq!(build["vcpu_hard_affinity"], json!([[0], [0, 1]]));
        assert_eq!(build["type.pv"], json!({}), "libxl refuses a domain without it");
        assert_eq!(value["disks"][0]["pdev_path"], "/dev/vg0/a");
        assert_eq!(
            (&value["disks"][1]["backend"], &value["disks"][1]["readwrite"]),
            (&json!("qdisk"), &json!(0))
        );
        assert_eq!(value["nics"][0]["mac"], "00:16:3e:01:02:03");
    }

    #[test]
    fn what_is_left_out_is_zero() {
        let info: DomInfo = serde_json::from_str(r#"{"running": true, "current_memkb": 1048576}"#).unwrap();
        let facts = info.facts("Domain-0", None);
        assert_eq!((facts.domid, facts.flags.shutdown, facts.uuid), (DomId::ZERO, None, Uuid::nil()));
        for (told, reason) in [
            ("", ShutdownReason::Poweroff),
            (r#", "shutdown_reason": "poweroff""#, ShutdownReason::Poweroff),
            (r#", "shutdown_reason": "suspend""#, ShutdownReason::Suspend),
            (r#", "shutdown_reason": "crash""#, ShutdownReason::Crash),
            (r#", "shutdown_reason": 1"#, ShutdownReason::Reboot),
        ] {
            let text = format!(r#"{{"domid": 3, "shutdown": true{told}}}"#);
            let off: DomInfo = serde_json::from_str(&text).unwrap();
            assert_eq!(off.facts("a", None).flags.shutdown, Some(reason), "{text}");
        }
    }

    #[test]
    fn schedulers_read_back() {
        for params in
            [SchedParams::Credit { weight: 256, cap: 50 }, SchedParams::Credit2 { weight: 777, cap: 0 }]
        {
            assert_eq!(read_sched(&sched(params).unwrap()).unwrap(), params);
        }
    }

    #[test]
    fn another_toolstacks_domain_is_left_to_it() {
        let value = json!({ "c_info": { "type": "pv", "name": "jpv" }, "b_info": { "max_vcpus": 2, "max_memkb": 131_072,
            "target_memkb": 65_536, "kernel": "/k" }, "disks": [{ "pdev_path": "/tmp/d", "vdev": "xvda", "readwrite": 1 }] });
        let config = foreign(&value, Uuid::nil(), 0);
        assert_eq!((config.memory, config.maxmem, config.vcpus), (64, 128, 2));
        assert_eq!(config.on_reboot, OnEvent::Preserve);
        assert_eq!(config.devices[0].as_block().unwrap().uname, "file:/tmp/d");
    }
}

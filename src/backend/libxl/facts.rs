//! libxl's JSON to our facts.
//!
//! It leaves out what is zero or false: what is not in an answer has its default.

use super::Ports;
use crate::core::error::Error;
use crate::core::model::{
    Block, BlockClass, BlockKind, BlockMode, Device, DeviceFacts, DomId, DomName, DomainConfig,
    DomainFacts, GuestKind, Image, OnEvent, Property, Rtds, RunFlags, SchedParams, Scheduler,
    ShutdownReason, Uuid, VcpuFacts, Vif, VirtualDevice,
};
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

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

/// Why a guest has stopped: libxl leaves out the first, gives others by name, and in other places
/// by number.
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
    /// Whether the domain is being taken apart.
    pub(super) fn is_dying(&self) -> bool {
        self.dying
    }

    /// As the engine has it, with what libxl does not say.
    pub(super) fn facts(
        &self,
        name: &str,
        start_time: Option<SystemTime>,
        ports: Ports,
    ) -> DomainFacts {
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
            console_port: ports.console,
            vnc_port: ports.vnc,
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
        let rings =
            [("ring-ref", self.rref), ("tx-ring-ref", self.rref_tx), ("rx-ring-ref", self.rref_rx)];
        for (key, value) in
            rings.into_iter().filter_map(|(key, value)| Some((key, value.filter(|v| *v > 0)?)))
        {
            node(key, value.to_string());
        }
        DeviceFacts { class: class.to_owned(), number: self.devid, nodes, io: None }
    }
}

/// Parameters of a scheduler.
pub(super) fn read_sched(value: &Value) -> Result<SchedParams, Error> {
    let number = |key: &str| value[key].as_u64().unwrap_or(0);
    let small = |key: &str| u16::try_from(number(key)).unwrap_or(u16::MAX);
    match scheduler(value["sched"].as_str().unwrap_or_default())? {
        Scheduler::Credit => Ok(SchedParams::Credit { weight: small("weight"), cap: small("cap") }),
        Scheduler::Credit2 => {
            Ok(SchedParams::Credit2 { weight: small("weight"), cap: small("cap") })
        }
        Scheduler::Rtds => Ok(SchedParams::Rtds(Rtds {
            period: Duration::from_micros(number("period")),
            budget: Duration::from_micros(number("budget")),
        })),
        Scheduler::Sedf => Err(Error::Unsupported("Xen has no SEDF scheduler any more".to_owned())),
    }
}

/// A scheduler by libxl's name.
pub(super) fn scheduler(name: &str) -> Result<Scheduler, Error> {
    name.parse()
        .map_err(|_| Error::Unsupported(format!("The scheduler {name:?} is not known here")))
}

/// The configuration of a domain that another toolstack built, as far as it matters here. What
/// happens when it stops is that toolstack's business.
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
    let kind = if disk["is_cdrom"].as_i64().unwrap_or(0) == 1 {
        BlockKind::Cdrom
    } else {
        BlockKind::Disk
    };
    let script = disk["script"]
        .as_str()
        .and_then(|script| script.rsplit('/').next()?.strip_prefix("block-"));
    let scheme = script.unwrap_or(if path.starts_with("/dev/") { "phy" } else { "file" });
    Some(Device::Block(Block {
        class: BlockClass::Vbd,
        uname: if path.is_empty() { "".into() } else { format!("{scheme}:{path}").into() },
        dev: dev.to_owned(),
        number: VirtualDevice::parse(dev).ok()?,
        kind,
        mode: if disk["readwrite"].as_i64() == Some(1) {
            BlockMode::ReadWrite
        } else {
            BlockMode::ReadOnly
        },
        bootable: None,
        backend: None,
        vdi: None,
        uuid: None,
        rest: vec![],
    }))
}

#[cfg(test)]
mod tests {
    use super::super::convert::sched;
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_left_out_is_zero() {
        let info: DomInfo =
            serde_json::from_str(r#"{"running": true, "current_memkb": 1048576}"#).unwrap();
        let facts = info.facts("Domain-0", None, Ports::default());
        assert_eq!(
            (facts.domid, facts.flags.shutdown, facts.uuid),
            (DomId::ZERO, None, Uuid::nil())
        );
        for (told, reason) in [
            ("", ShutdownReason::Poweroff),
            (r#", "shutdown_reason": "poweroff""#, ShutdownReason::Poweroff),
            (r#", "shutdown_reason": "suspend""#, ShutdownReason::Suspend),
            (r#", "shutdown_reason": "crash""#, ShutdownReason::Crash),
            (r#", "shutdown_reason": 1"#, ShutdownReason::Reboot),
        ] {
            let text = format!(r#"{{"domid": 3, "shutdown": true{told}}}"#);
            let off: DomInfo = serde_json::from_str(&text).unwrap();
            assert_eq!(
                off.facts("a", None, Ports::default()).flags.shutdown,
                Some(reason),
                "{text}"
            );
        }
    }

    #[test]
    fn schedulers_read_back() {
        for params in [
            SchedParams::Credit { weight: 256, cap: 50 },
            SchedParams::Credit2 { weight: 777, cap: 0 },
        ] {
            assert_eq!(read_sched(&sched(params).unwrap()).unwrap(), params);
        }
    }

    #[test]
    fn another_toolstacks_domain_is_left_to_it() {
        let value = json!({ "c_info": { "type": "pv", "name": "jpv" }, "b_info": { "max_vcpus": 2, "max_memkb": 131_072,
            "target_memkb": 65_536, "kernel": "/k" }, "disks": [{ "pdev_path": "/tmp/d", "vdev": "xvda", "readwrite": 1 },
                { "pdev_path": "10.0.0.1:7000", "vdev": "xvdb", "readwrite": 1, "script": "/etc/xen/scripts/block-nbd" }] });
        let config = foreign(&value, Uuid::nil(), 0);
        assert_eq!((config.memory, config.maxmem, config.vcpus), (64, 128, 2));
        assert_eq!(config.on_reboot, OnEvent::Preserve);
        assert_eq!(config.devices[0].as_block().unwrap().uname, "file:/tmp/d");
        assert_eq!(config.devices[1].as_block().unwrap().uname, "nbd:10.0.0.1:7000");
    }
}

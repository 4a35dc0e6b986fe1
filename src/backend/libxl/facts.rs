//! libxl's JSON as facts of the port.
//!
//! libxl leaves out members that are zero or false: every member has a default.

use super::sched;
use crate::core::backend::frontend_nodes;
use crate::core::model::{
    Device, DeviceFacts, DomId, DomName, DomainFacts, PoolFacts, Property, RunFlags,
    ShutdownReason, Uuid, VcpuFacts,
};
use serde::Deserialize;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// The ports of a domain's consoles.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ConsolePorts {
    /// The event channel of the text console.
    pub(super) console: Option<u32>,
    /// The TCP port of the screen.
    pub(super) vnc: Option<u16>,
}

/// A `libxl_dominfo`.
#[derive(Debug, Deserialize, Default)]
#[serde(default)]
#[allow(clippy::struct_excessive_bools, reason = "libxl's structure")]
pub(super) struct DomInfo {
    pub(super) uuid: Uuid,
    pub(super) domid: u32,
    running: bool,
    blocked: bool,
    paused: bool,
    shutdown: bool,
    dying: bool,
    shutdown_reason: Reason,
    pub(super) current_memkb: u64,
    cpu_time: u64,
    vcpu_online: u32,
    cpupool: u32,
}

/// A `libxl_shutdown_reason`. libxl leaves out the first one, and gives the others by name or, in
/// some places, by number.
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
            // A crash, a watchdog, or a reason of a later Xen.
            Self::Number(_) => ShutdownReason::Crash,
        }
    }
}

impl DomInfo {
    /// Whether the domain is being destroyed.
    pub(super) fn is_dying(&self) -> bool {
        self.dying
    }

    pub(super) fn is_paused(&self) -> bool {
        self.paused
    }

    /// Why the guest has stopped; `None` if it has not.
    pub(super) fn shutdown(&self) -> Option<ShutdownReason> {
        self.shutdown.then(|| self.shutdown_reason.read())
    }

    /// The domain's facts, together with those that libxl does not have.
    pub(super) fn facts(
        &self,
        name: &str,
        start_time: Option<SystemTime>,
        ports: ConsolePorts,
    ) -> DomainFacts {
        DomainFacts {
            domid: DomId(self.domid),
            uuid: self.uuid,
            name: DomName::adopted(name),
            flags: RunFlags {
                running: self.running,
                blocked: self.blocked,
                paused: self.paused,
                shutdown: self.shutdown(),
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

/// A `libxl_vcpuinfo`.
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

/// A `libxl_diskinfo` or `libxl_nicinfo`.
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

    /// The device with the nodes that its frontend has in XenStore; `class` is xend's.
    pub(super) fn facts(self, class: &str, device: Option<&Device>) -> DeviceFacts {
        let mut nodes = device.map(|device| frontend_nodes(device, self.devid)).unwrap_or_default();
        let mut node = |key: &str, value: String| nodes.push(Property::new(key, value));
        node("backend-id", self.backend_id.to_string());
        node("state", self.state.to_string());
        node("backend", self.backend);
        let channels = [
            ("event-channel", Some(self.evtch)),
            ("ring-ref", self.rref),
            ("tx-ring-ref", self.rref_tx),
            ("rx-ring-ref", self.rref_rx),
        ];
        for (key, number) in channels {
            if let Some(number) = number.filter(|number| *number > 0) {
                node(key, number.to_string());
            }
        }
        DeviceFacts { class: class.to_owned(), number: self.devid, nodes, io: None }
    }
}

/// A `libxl_cpupoolinfo`.
#[derive(Debug, Deserialize, Default)]
#[serde(default)]
pub(super) struct PoolInfo {
    poolid: u32,
    pool_name: Option<String>,
    sched: Option<String>,
    cpumap: Vec<u32>,
}

impl PoolInfo {
    /// `None` if the pool has no name, or an unknown scheduler.
    pub(super) fn facts(self, domains: &[DomInfo]) -> Option<PoolFacts> {
        let members = domains.iter().filter(|domain| domain.cpupool == self.poolid);
        Some(PoolFacts {
            domains: members.map(|domain| DomId(domain.domid)).collect(),
            name: self.pool_name?,
            scheduler: sched::scheduler(&self.sched?).ok()?,
            cpus: self.cpumap.into_iter().collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::Scheduler;

    #[test]
    fn a_member_that_is_left_out_has_its_default() {
        let info: DomInfo =
            serde_json::from_str(r#"{"running": true, "current_memkb": 1048576}"#).unwrap();
        let facts = info.facts("Domain-0", None, ConsolePorts::default());
        assert_eq!(
            (facts.domid, facts.flags.shutdown, facts.uuid),
            (DomId::ZERO, None, Uuid::nil())
        );
        for (member, reason) in [
            ("", ShutdownReason::Poweroff),
            (r#", "shutdown_reason": "poweroff""#, ShutdownReason::Poweroff),
            (r#", "shutdown_reason": "suspend""#, ShutdownReason::Suspend),
            (r#", "shutdown_reason": "crash""#, ShutdownReason::Crash),
            (r#", "shutdown_reason": 1"#, ShutdownReason::Reboot),
        ] {
            let text = format!(r#"{{"domid": 3, "shutdown": true{member}}}"#);
            let off: DomInfo = serde_json::from_str(&text).unwrap();
            assert_eq!(
                off.facts("a", None, ConsolePorts::default()).flags.shutdown,
                Some(reason),
                "{text}"
            );
        }
    }

    #[test]
    fn a_pool_has_the_domains_with_its_id() {
        let domains: Vec<DomInfo> =
            serde_json::from_str(r#"[{"domid": 0, "cpupool": 0}, {"domid": 7, "cpupool": 1}]"#)
                .unwrap();
        let facts = |json: &str| serde_json::from_str::<PoolInfo>(json).unwrap().facts(&domains);
        let pool = r#"{"poolid": 1, "pool_name": "new", "sched": "credit2", "n_dom": 1,
            "cpumap": [1, 3]}"#;
        let expected = PoolFacts {
            name: "new".into(),
            scheduler: Scheduler::Credit2,
            cpus: "1,3".parse().unwrap(),
            domains: vec![DomId(7)],
        };
        assert_eq!(facts(pool), Some(expected));
        let empty = r#"{"poolid": 1, "pool_name": "new", "sched": "credit2"}"#;
        assert!(facts(empty).unwrap().cpus.is_empty());
        let first = r#"{"pool_name": "Pool-0", "sched": "credit", "n_dom": 1, "cpumap": [0]}"#;
        assert_eq!(facts(first).unwrap().domains, [DomId(0)]);
        assert_eq!(facts(r#"{"pool_name": null, "sched": "credit"}"#), None);
    }
}

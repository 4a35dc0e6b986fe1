//! Domains, as answers show them.

use super::config::DomainConfig;
use super::figures::WithFigures;
use super::settings::Settings;
use super::task::moment;
use crate::core::model::GuestReport;
use crate::core::snapshot::DomainView;
use crate::shape::{self, STATE_NAMES};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// The keys of [`Domain`] that tell of its present state and are no part of its configuration.
pub(super) const STATUS_KEYS: [&str; 9] = [
    "domid",
    "state",
    "managed",
    "online_vcpus",
    "cpu_time_seconds",
    "started_at",
    "notes",
    "progress",
    "guest",
];

/// A domain: its present state, and the configuration that it runs with or is defined with.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Domain {
    /// Number on the host; null while it is not there.
    domid: Option<u32>,
    #[schemars(extend("enum" = STATE_NAMES))]
    state: &'static str,
    /// Whether the domain has a stored definition, by which it can be started again.
    managed: bool,
    /// Number of VCPUs that the guest uses; null while the domain is not on the host.
    online_vcpus: Option<u32>,
    /// CPU time since the start; null while the domain is not on the host.
    cpu_time_seconds: Option<f64>,
    /// Time of the start (RFC 3339).
    started_at: Option<String>,
    #[serde(flatten)]
    config: DomainConfig,
    /// Notes of the guest's kernel about itself.
    #[serde(skip_serializing_if = "Settings::is_empty")]
    notes: Settings,
    /// Long operation in progress.
    #[serde(skip_serializing_if = "Option::is_none")]
    progress: Option<Progress>,
    /// What an agent in the guest reports.
    #[serde(skip_serializing_if = "Option::is_none")]
    guest: Option<Guest>,
}

/// A domain in a list. With `detail=1`, it has all keys of a domain.
#[derive(Serialize, JsonSchema)]
pub(crate) struct DomainSummary<'a> {
    name: &'a str,
    uuid: String,
    /// Number on the host; null while it is not there.
    domid: Option<u32>,
    #[schemars(extend("enum" = STATE_NAMES))]
    state: &'static str,
    /// Whether the domain has a stored definition, by which it can be started again.
    managed: bool,
    /// Memory target, in MiB.
    memory_mib: u64,
    /// Number of VCPUs.
    vcpus: u32,
}

/// A long operation in progress.
#[derive(Serialize, JsonSchema)]
struct Progress {
    /// `Saving`, `Restoring`, ...
    what: &'static str,
    percent: u8,
    done_bytes: u64,
    /// Expected in all, as far as known.
    total_bytes: u64,
}

/// What an agent in the guest reports.
#[derive(Serialize, JsonSchema)]
struct Guest {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// `name`, `distro`, `uname`, ...
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    os: BTreeMap<String, String>,
    addresses: Vec<GuestAddress>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<GuestMemory>,
    /// Version of the agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<String>,
    /// Time of the report (RFC 3339).
    updated_at: String,
}

/// An address of a network interface.
#[derive(Serialize, JsonSchema)]
struct GuestAddress {
    /// Number of the interface.
    vif: u32,
    address: String,
}

/// Memory as the guest sees it.
#[derive(Serialize, JsonSchema)]
struct GuestMemory {
    total_mib: u64,
    /// In use by programs.
    used_mib: u64,
}

impl Domain {
    /// A domain without its passwords.
    pub(crate) fn of(view: &DomainView) -> Self {
        let facts = view.facts.as_ref();
        Self {
            domid: view.domid().map(|domid| domid.0),
            state: shape::state_word(view),
            managed: view.managed(),
            online_vcpus: facts.map(|facts| facts.online_vcpus),
            cpu_time_seconds: facts.map(|facts| facts.cpu_time.as_secs_f64()),
            started_at: facts.and_then(|facts| facts.start_time).map(moment),
            config: DomainConfig::of(&view.config, facts),
            notes: facts.map(|facts| Settings::shown(&facts.notes)).unwrap_or_default(),
            progress: view.progress.map(|progress| Progress {
                what: progress.what,
                percent: progress.percent(),
                done_bytes: progress.done,
                total_bytes: progress.total,
            }),
            guest: view.report.as_deref().map(Guest::of),
        }
    }
}

impl WithFigures for Domain {
    fn blank_figures(&mut self) {
        self.cpu_time_seconds = None;
        if let Some(guest) = &mut self.guest {
            guest.memory = None;
            guest.updated_at.clear();
        }
    }
}

impl<'a> DomainSummary<'a> {
    /// The line of a domain in a list.
    pub(crate) fn of(view: &'a DomainView) -> Self {
        Self {
            name: view.name().as_str(),
            uuid: view.uuid.to_string(),
            domid: view.domid().map(|domid| domid.0),
            state: shape::state_word(view),
            managed: view.managed(),
            memory_mib: view.config.memory,
            vcpus: view.config.vcpus,
        }
    }
}

impl Guest {
    fn of(report: &GuestReport) -> Self {
        let addresses = report.addresses.iter();
        Self {
            name: report.host_name.clone(),
            os: report.os.clone(),
            addresses: addresses
                .map(|one| GuestAddress { vif: one.vif, address: one.address.to_string() })
                .collect(),
            memory: report.memory.map(|memory| GuestMemory {
                total_mib: memory.total_kib / 1024,
                used_mib: shape::used_mib(&memory),
            }),
            agent: shape::agent_version(report),
            updated_at: moment(report.updated),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::DomainConfig as Config;
    use crate::core::snapshot::fixtures::running;
    use crate::shape::read_config;
    use crate::sxp::{Limits, read_one};
    use serde_json::{Value, json};

    const EVERYTHING: &str = "(vm (name all) (uuid 11111111-2222-3333-4444-555555550001) (memory 128) (maxmem 256) \
        (vcpus 3) (vcpu_avail 5) (cpus ((0 2) () (1 2))) (cpu_weight 300) (cpu_cap 20) (on_crash coredump-restart) \
        (on_xend_start start) (description 'a (b)') (localtime 0) (unknown (a (b)) c) (twice 1) (twice (2)) (none) \
        (xenstore_data (vm-data/a 1)) \
        (image (hvm (kernel /k) (loader /l) (boot cda) (vnc 1) (acpi 1) (serial (none /dev/ttyS1)))) \
        (device (vif (type ioemu) (mac 00:16:3e:01:00:01) (bridge xenbr0))) \
        (device (vbd (dev hdc:cdrom) (mode r))) \
        (device (tap (uname tap:qcow:/a.img) (dev hda) (mode 'w!') (backend 3))) \
        (device (vfb (vnc 1))) (device (vkbd (backend 2))) (device (console (protocol vt100))) \
        (device (pci (dev (domain 0x0001)(bus 0x0c)(slot 0x1b)(func 0x2)) (dev (bus 1) (slot 0x13) (vslot 7)))) \
        (device (vusb (num-ports 8))))";

    fn config(text: &str) -> Config {
        read_config(&read_one(text.as_bytes(), &Limits::default()).unwrap()).unwrap()
    }

    fn json_of(config: Config) -> Value {
        serde_json::to_value(Domain::of(&running(7, config))).unwrap()
    }

    fn echoed(mut domain: Value) -> Config {
        let object = domain.as_object_mut().unwrap();
        object.retain(|key, _| !STATUS_KEYS.contains(&key.as_str()));
        let sent: DomainConfig = serde_json::from_value(domain).unwrap();
        read_config(&sent.to_sxp()).unwrap()
    }

    #[test]
    fn an_answer_is_a_configuration() {
        let first = json_of(config(EVERYTHING));
        let again = json_of(echoed(first.clone()));
        assert_eq!(again, first);
        let small = json_of(config("(vm (name a) (memory 64))"));
        assert_eq!(json_of(echoed(small.clone())), small);
    }

    #[test]
    fn units_words_and_classes_are_in_the_keys() {
        let domain = json_of(config(EVERYTHING));
        assert_eq!(domain["memory_mib"], 128);
        assert_eq!(domain["max_memory_mib"], 256);
        assert_eq!(domain["state"], "running");
        assert_eq!(domain["vcpus_at_start"], json!([0, 2]));
        assert_eq!(domain["cpus"], json!([[0, 2], [], [1, 2]]));
        assert_eq!(domain["devices"]["vif"][0]["mac"], "00:16:3e:01:00:01");
        assert_eq!(domain["devices"]["pci"][0]["functions"][0]["address"], "0001:0c:1b.2");
        assert_eq!(domain["devices"]["tap"][0]["mode"], "w!");
        assert_eq!(domain["settings"]["twice"], json!({"each": ["1", [["2"]]]}));
        assert_eq!(domain["settings"]["unknown"], json!([["a", ["b"]], "c"]));
        assert_eq!(domain["settings"]["none"], Value::Null);
    }

    #[test]
    fn no_password_is_shown() {
        let text = "(vm (name a) (memory 64) (vncpasswd hunter1) (xenstore_data (vm-data/password hunter2)) \
            (image (hvm (vncpasswd hunter3) (x (y (passwd hunter4))))) (device (vfb (vnc 1) (vncpasswd hunter5))))";
        let shown = json_of(config(text)).to_string();
        assert!(!shown.contains("hunter"), "{shown}");
    }

    #[test]
    fn the_keys_of_the_state_are_those_beside_the_configuration() {
        let view = running(7, config(EVERYTHING));
        let configured = serde_json::to_value(DomainConfig::of(&view.config, None)).unwrap();
        let schema = serde_json::to_value(schemars::schema_for!(Domain)).unwrap();
        let properties = schema["properties"].as_object().unwrap().keys();
        let status: Vec<_> = properties
            .filter(|key| configured.get(key.as_str()).is_none() && *key != "image")
            .collect();
        let mut expected = STATUS_KEYS;
        expected.sort_unstable();
        let mut status: Vec<&str> = status.iter().map(|key| key.as_str()).collect();
        status.sort_unstable();
        assert_eq!(status, expected);
    }
}

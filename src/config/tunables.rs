//! The settings that a running daemon changes on SIGHUP.

use super::settings::FileSettings;
use crate::core::model::{DeviceDefaults, DomainLookup, Policy, RelocationDefaults, Text};
use arc_swap::ArcSwap;
use std::sync::Arc;
use std::time::Duration;

/// Settings that a running daemon changes on SIGHUP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tunables {
    /// The log filter, in the syntax of `tracing`.
    pub log_filter: String,
    /// Host names, in lower case, that a request over TCP may name in addition to the machine's
    /// own.
    pub allowed_hosts: Vec<String>,
    /// The largest request body, in bytes.
    pub max_body: usize,
    /// The time for a client to send a request, and to take its answer.
    pub request_timeout: Duration,
    /// The ids of the users of this machine who are operators on the unix sockets and over
    /// loopback, beside root and the daemon's own user.
    pub trusted_users: Vec<u32>,
    /// Whether every user of this machine is an operator over loopback.
    pub trust_loopback: bool,
    /// The part for the engine and the wires.
    pub policy: Policy,
}

/// The tunables in force: shared by many readers, and replaced as a whole by a reload.
pub type LiveTunables = Arc<ArcSwap<Tunables>>;

impl Default for Tunables {
    fn default() -> Self {
        Self::new(&FileSettings::defaults(), None)
    }
}

impl Tunables {
    /// The tunables of a file. `log_filter` is the command line's.
    pub(super) fn new(file: &FileSettings, log_filter: Option<String>) -> Self {
        Self {
            log_filter: log_filter.unwrap_or_else(|| file.log_filter.clone()),
            allowed_hosts: file.http_hosts.clone(),
            max_body: file.max_body,
            request_timeout: file.request_timeout,
            trusted_users: file.loopback.trusted_users.clone(),
            trust_loopback: file.loopback.trusts_everybody,
            policy: Policy {
                dom0_min_mem_mib: file.dom0_min_mem_mib,
                dom0_ballooning: file.dom0_ballooning.unwrap_or(file.dom0_min_mem_mib > 0),
                enable_dump: file.enable_dump,
                file_dirs: file.file_dirs.clone(),
                node_shutdown: file.node_shutdown,
                relocation: RelocationDefaults {
                    plain_port: file.relocation.port,
                    ssl_port: file.relocation_ssl.port,
                    ssl: file.relocation_ssl.by_default,
                },
                lookup: if file.fleet.route { DomainLookup::Fleet } else { DomainLookup::ThisHost },
                devices: device_defaults(file),
            },
        }
    }
}

/// The defaults of devices. Xen's own defaults are `None`: they are not written into
/// configurations.
fn device_defaults(file: &FileSettings) -> DeviceDefaults {
    let unless = |text: &Text, default: &str| {
        Some(text).filter(|text| !text.is_empty() && **text != default).cloned()
    };
    DeviceDefaults {
        vif_script: unless(&file.vif_script, "vif-bridge"),
        vif_bridge: unless(&file.vif_bridge, ""),
        vnc_listen: unless(&file.vnc_listen.0.to_string().into(), "127.0.0.1"),
        keymap: unless(&file.keymap, ""),
    }
}

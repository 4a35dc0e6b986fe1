//! The values of the configuration file.

use super::address::ListenIp;
use super::listener::{UnixSocket, XenApiEntry};
use crate::core::model::{Password, Scheduler, Text};
use std::path::PathBuf;
use std::time::Duration;

/// The values of a configuration file, one field a key of the table.
///
/// `FileSettings::defaults()` has the defaults of the table; `Default` is empty. `None` means that
/// the file has no such key and that its default depends on something else.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct FileSettings {
    pub(super) http_server: bool,
    pub(super) http_port: u16,
    pub(super) http_address: ListenIp,
    pub(super) http_hosts: Vec<String>,
    pub(super) unix_server: bool,
    pub(super) unix_path: Option<PathBuf>,
    pub(super) unix_mode: u32,
    pub(super) unix_group: Option<String>,
    pub(super) max_body: usize,
    pub(super) max_connections: usize,
    pub(super) request_timeout: Duration,
    /// In the filter syntax of `tracing`.
    pub(super) log_filter: String,
    pub(super) logfile: Option<PathBuf>,
    pub(super) dom0_min_mem_mib: u64,
    pub(super) dom0_ballooning: Option<bool>,
    pub(super) node_shutdown: bool,
    pub(super) enable_dump: bool,
    /// Empty when the key has no value.
    pub(super) vif_script: Text,
    /// Also set by `vif-script`. Empty for the script's choice.
    pub(super) vif_bridge: Text,
    pub(super) vnc_listen: ListenIp,
    pub(super) vnc_password: Option<Password>,
    /// Empty for the device model's choice.
    pub(super) keymap: Text,
    pub(super) unix_xmlrpc_server: bool,
    pub(super) tcp_xmlrpc_server: bool,
    pub(super) tcp_xmlrpc_address: ListenIp,
    pub(super) tcp_xmlrpc_port: u16,
    pub(super) tcp_xmlrpc_key: Option<PathBuf>,
    pub(super) tcp_xmlrpc_cert: Option<PathBuf>,
    pub(super) xen_api_server: Option<Vec<XenApiEntry>>,
    pub(super) password_file: Option<PathBuf>,
    pub(super) access_without_password: bool,
    pub(super) storage_path: Option<PathBuf>,
    pub(super) relocation_server: bool,
    pub(super) relocation_port: u16,
    pub(super) relocation_address: ListenIp,
    pub(super) relocation_hosts: String,
    pub(super) hypervisor_limit: Duration,
    pub(super) scheduler: Scheduler,
    pub(super) sim_cpus: u32,
    pub(super) sim_memory_mib: u64,
}

impl FileSettings {
    /// A unix socket with the file's mode and group.
    pub(super) fn unix_socket(&self, path: PathBuf) -> UnixSocket {
        UnixSocket { path, mode: self.unix_mode, group: self.unix_group.clone() }
    }
}

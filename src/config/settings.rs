//! The values of the configuration file.

use super::address::ListenIp;
use super::listener::{Auth, TlsFiles, UnixSocket, XenApiEntry};
use super::options::{Hypervisor, LogFormat};
use crate::core::fleet::HostName;
use crate::core::model::{Password, Scheduler, Text};
use crate::fleet::{ClusterName, EtcdEndpoint};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// The values of a configuration file: each key of the table sets one field.
///
/// `FileSettings::defaults()` has the defaults of the table; `Default` is empty. `None` means that
/// the file has no such key and that its default depends on something else.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct FileSettings {
    pub(super) hypervisor: Hypervisor,
    pub(super) http: TcpSettings,
    pub(super) http_auth: Auth,
    pub(super) http_tls: TlsSettings,
    pub(super) http_hosts: Vec<String>,
    pub(super) unix: UnixSettings,
    pub(super) max_body: usize,
    pub(super) body_memory_mib: usize,
    pub(super) max_connections: usize,
    pub(super) request_timeout: Duration,
    /// In the filter syntax of `tracing`.
    pub(super) log_filter: String,
    pub(super) logfile: Option<PathBuf>,
    pub(super) log_format: LogFormat,
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
    pub(super) users_file: Option<PathBuf>,
    pub(super) loopback: LoopbackSettings,
    /// Empty for any directory.
    pub(super) file_dirs: Vec<PathBuf>,
    pub(super) tcp_xmlrpc: TcpSettings,
    pub(super) tcp_xmlrpc_auth: Auth,
    pub(super) tcp_xmlrpc_tls: TlsSettings,
    pub(super) xen_api_server: Option<Vec<XenApiEntry>>,
    pub(super) password_file: Option<PathBuf>,
    pub(super) access_without_password: bool,
    pub(super) storage_path: Option<PathBuf>,
    pub(super) argo: TcpSettings,
    pub(super) argo_tls: TlsSettings,
    pub(super) argo_commands: PathBuf,
    pub(super) domain_files: PathBuf,
    pub(super) metrics: TcpSettings,
    pub(super) metrics_tls: TlsSettings,
    /// Regular expressions; empty for all hosts.
    pub(super) metrics_hosts: String,
    pub(super) relocation: TcpSettings,
    pub(super) relocation_ssl: RelocationSslSettings,
    pub(super) relocation_hosts: String,
    pub(super) fleet: FleetKeys,
    pub(super) hypervisor_limit: Duration,
    pub(super) scheduler: Scheduler,
    pub(super) sim_cpus: u32,
    pub(super) sim_memory_mib: u64,
}

/// A TCP listener.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct TcpSettings {
    pub(super) enabled: bool,
    pub(super) address: ListenIp,
    pub(super) port: u16,
}

impl TcpSettings {
    pub(super) fn socket_address(&self) -> SocketAddr {
        SocketAddr::new(self.address.0, self.port)
    }
}

/// The encryption of migration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct RelocationSslSettings {
    /// Whether domains are accepted over encrypted connections.
    pub(super) enabled: bool,
    pub(super) port: u16,
    /// Whether domains are sent over encrypted connections by default.
    pub(super) by_default: bool,
    pub(super) own: TlsSettings,
    /// The certificates of other hosts.
    pub(super) peers: Option<PathBuf>,
}

/// The fleet, and how etcd is reached.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)]
pub(super) struct FleetKeys {
    /// `None` for a host in no fleet.
    pub(super) cluster: Option<ClusterName>,
    /// `None` for the name of the machine.
    pub(super) host: Option<HostName>,
    pub(super) endpoints: Vec<EtcdEndpoint>,
    pub(super) ca: Option<PathBuf>,
    /// What this host shows etcd.
    pub(super) tls: TlsSettings,
    pub(super) user: Option<String>,
    pub(super) password_file: Option<PathBuf>,
    pub(super) allows_old: bool,
    pub(super) takes_users: bool,
    /// Whether requests about domains of other hosts are passed on.
    pub(super) route: bool,
    /// Whether the Xen-API shows all hosts and domains.
    pub(super) in_xen_api: bool,
    pub(super) key_file: Option<PathBuf>,
    pub(super) storages: Vec<String>,
}

/// The encryption of a TCP listener.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct TlsSettings {
    pub(super) key: Option<PathBuf>,
    pub(super) cert: Option<PathBuf>,
}

impl TlsSettings {
    /// Key and certificate; `None` for a plain connection. The error names the keys of the file,
    /// of which one is missing.
    pub(super) fn files(&self, key: &str, cert: &str) -> Result<Option<TlsFiles>, String> {
        match (self.key.clone(), self.cert.clone()) {
            (Some(key), Some(cert)) => Ok(Some(TlsFiles { key, cert })),
            (None, None) => Ok(None),
            _ => Err(format!("{key} and {cert} belong together, give both")),
        }
    }
}

/// Which users of this machine are trusted without a login.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct LoopbackSettings {
    /// The ids of users, who are trusted on the unix sockets, too.
    pub(super) trusted_users: Vec<u32>,
    pub(super) trusts_everybody: bool,
}

/// The unix sockets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct UnixSettings {
    pub(super) http_enabled: bool,
    pub(super) http_path: Option<PathBuf>,
    pub(super) xmlrpc_enabled: bool,
    /// Permission bits of all sockets.
    pub(super) mode: u32,
    /// Group of all sockets.
    pub(super) group: Option<String>,
}

impl UnixSettings {
    /// A socket with this path, which is a default one or one that somebody chose.
    pub(super) fn socket(&self, path: PathBuf, is_default: bool) -> UnixSocket {
        UnixSocket { path, is_default, mode: self.mode, group: self.group.clone() }
    }
}

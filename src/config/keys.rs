//! The table of configuration keys: how each is read, its default, and what it is for.
//!
//! [`super::unused`] has those that xend read and that have no effect here.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::file::Settings;
use super::unused::UNUSED;
use super::value::{Entry, Problem};

/// A key that has an effect.
pub(super) struct Key {
    pub(super) name: &'static str,
    /// Its value, as the file would say it; empty for none.
    pub(super) default: &'static str,
    /// Whether SIGHUP takes a change over.
    pub(super) reload: bool,
    /// What it is for.
    pub(super) about: &'static str,
    /// What a broken value leads to.
    pub(super) broken: Broken,
    pub(super) read: fn(&mut Settings, &Entry<'_>) -> Result<(), Problem>,
}

/// What a broken value leads to. No way opens a door that the writer did not mean to open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Broken {
    /// The daemon does not start.
    Refused,
    /// The listener is left out, everything else is served.
    LeavesOut(Service),
    /// The default counts, which admits nobody else.
    Default,
}

/// What is served, by the listener that a key belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Service {
    Http,
    Unix,
    UnixXmlRpc,
    TcpXmlRpc,
    XenApi,
    Relocation,
}

impl Service {
    /// How a message calls it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Http => "HTTP over TCP",
            Self::Unix => "HTTP on the unix socket",
            Self::UnixXmlRpc => "XML-RPC on the unix socket",
            Self::TcpXmlRpc => "XML-RPC over TCP",
            Self::XenApi => "the Xen-API",
            Self::Relocation => "the relocation server",
        }
    }
}

const PORT: RangeInclusive<u64> = 1..=65535;
const MEGABYTES: RangeInclusive<u64> = 0..=1 << 30;

const fn key(
    name: &'static str,
    default: &'static str,
    about: &'static str,
    read: fn(&mut Settings, &Entry<'_>) -> Result<(), Problem>,
) -> Key {
    Key { name, default, reload: false, about, broken: Broken::Refused, read }
}

impl Key {
    /// SIGHUP takes a change over.
    const fn reload(self) -> Self {
        Self { reload: true, ..self }
    }

    /// A broken value leaves a listener out.
    const fn of(self, service: Service) -> Self {
        Self { broken: Broken::LeavesOut(service), ..self }
    }

    /// A broken value is as good as none.
    const fn or_default(self) -> Self {
        Self { broken: Broken::Default, ..self }
    }
}

/// Fills a setting.
fn set<T>(slot: &mut Option<T>, value: Result<T, Problem>) -> Result<(), Problem> {
    *slot = Some(value?);
    Ok(())
}

/// All keys that have an effect, in the order of the commented sample file.
#[rustfmt::skip]
pub(super) const KEYS: &[Key] = &[
    key("xend-http-server", "yes", "HTTP over TCP", |s, e| set(&mut s.http_server, e.yes_no())).of(Service::Http),
    key("xend-port", "8000", "its port", |s, e| set(&mut s.port, e.number("a port", &PORT))).of(Service::Http),
    key("xend-address", "localhost", "its address; '' is every interface", |s, e| set(&mut s.address, e.address()))
        .of(Service::Http),
    key("xend-http-hosts", "", "names under which clients reach this machine, beside its own",
        |s, e| set(&mut s.hosts, e.hosts())).or_default().reload(),
    key("xend-unix-server", "yes", "HTTP on a unix socket", |s, e| set(&mut s.unix_server, e.yes_no())).of(Service::Unix),
    key("xend-unix-path", "/var/lib/xend/xend-socket", "its path", |s, e| set(&mut s.unix_path, e.path()))
        .of(Service::Unix),
    key("xend-unix-mode", "0600", "permission bits of unix sockets", |s, e| set(&mut s.unix_mode, e.mode())).or_default(),
    key("xend-unix-group", "", "group of unix sockets, by name or number",
        |s, e| set(&mut s.unix_group, e.text("a group"))).or_default(),
    key("xend-max-body", "1048576", "the largest request body in bytes",
        |s, e| set(&mut s.max_body, e.number("a number of bytes", &(1..=1 << 30)))).or_default().reload(),
    key("xend-max-connections", "512", "connections on each listener",
        |s, e| set(&mut s.max_connections, e.number("a number of connections", &(1..=100_000)))).or_default(),
    key("xend-request-timeout", "30", "seconds for a whole request",
        |s, e| set(&mut s.request_timeout, e.number("a number of seconds", &(1..=86_400)).map(Duration::from_secs)))
        .or_default().reload(),
    key("loglevel", "INFO", "what is logged", |s, e| set(&mut s.log, e.log_level())).reload(),
    key("logfile", "", "the file that the log goes to; standard error if none", |s, e| set(&mut s.logfile, e.path())),
    key("dom0-min-mem", "196", "MiB that Domain-0 keeps",
        |s, e| set(&mut s.dom0_min_mem, e.number("a number of MiB", &MEGABYTES))).reload(),
    key("enable-dom0-ballooning", "yes", "whether Domain-0 gives memory to new domains; no if dom0-min-mem is 0",
        |s, e| set(&mut s.dom0_ballooning, e.yes_no())).reload(),
    key("enable-dump", "no", "whether every crashed domain's memory is written to a file",
        |s, e| set(&mut s.enable_dump, e.yes_no())).reload(),
    key("xend-node-shutdown", "no", "whether POST /xend/node may shut the machine down",
        |s, e| set(&mut s.node_shutdown, e.yes_no())).reload(),
    key("vif-script", "vif-bridge", "hotplug script of network interfaces that name none", Settings::read_vif_script).reload(),
    key("vif-bridge", "", "bridge of network interfaces that name none",
        |s, e| set(&mut s.vif_bridge, e.free_text())).reload(),
    key("vnc-listen", "127.0.0.1", "address of VNC screens that name none",
        |s, e| set(&mut s.vnc_listen, e.free_address())).reload(),
    key("vncpasswd", "", "password of VNC screens that name none", |s, e| set(&mut s.vncpasswd, e.free_text())),
    key("keymap", "", "keyboard of VNC screens that name none", |s, e| set(&mut s.keymap, e.free_file_name())).reload(),
    key("xend-unix-xmlrpc-server", "yes", "XML-RPC on a unix socket", |s, e| set(&mut s.xmlrpc_unix, e.yes_no()))
        .of(Service::UnixXmlRpc),
    key("xend-tcp-xmlrpc-server", "no", "XML-RPC over TCP", |s, e| set(&mut s.xmlrpc_tcp, e.yes_no())).of(Service::TcpXmlRpc),
    key("xend-tcp-xmlrpc-server-address", "localhost", "its address",
        |s, e| set(&mut s.xmlrpc_address, e.address())).of(Service::TcpXmlRpc),
    key("xend-tcp-xmlrpc-server-port", "8006", "its port",
        |s, e| set(&mut s.xmlrpc_port, e.number("a port", &PORT))).of(Service::TcpXmlRpc),
    key("xend-tcp-xmlrpc-server-ssl-key-file", "", "its key; a relative name is beside the configuration file",
        |s, e| set(&mut s.xmlrpc_key, e.file_beside())).of(Service::TcpXmlRpc),
    key("xend-tcp-xmlrpc-server-ssl-cert-file", "", "its certificate",
        |s, e| set(&mut s.xmlrpc_cert, e.file_beside())).of(Service::TcpXmlRpc),
    key("xen-api-server", "((unix))", "where the Xen-API is served, and to whom", Settings::read_xen_api).of(Service::XenApi),
    key("xend-password-file", "/var/lib/xend/passwords", "users and hashed passwords", |s, e| set(&mut s.password_file, e.path())),
    key("xend-access-without-password", "no", "whether XML-RPC without passwords may be reached from other machines",
        |s, e| set(&mut s.open_access, e.yes_no())).or_default(),
    key("xend-storage-path", "/var/lib/xend/storage", "directory of disk images", |s, e| set(&mut s.storage, e.path())),
    key("xend-relocation-server", "no", "whether domains from other hosts are taken in",
        |s, e| set(&mut s.relocation_server, e.yes_no())).of(Service::Relocation),
    key("xend-relocation-port", "8002", "the port for them, here and on other hosts",
        |s, e| set(&mut s.relocation_port, e.number("a port", &PORT))).of(Service::Relocation),
    key("xend-relocation-address", "''", "the address for them",
        |s, e| set(&mut s.relocation_address, e.address())).of(Service::Relocation),
    key("xend-relocation-hosts-allow", r"'^localhost$ ^localhost\\.localdomain$'", "which hosts may send some",
        |s, e| set(&mut s.relocation_hosts, e.patterns())).of(Service::Relocation),
    key("xend-hypervisor-limit", "120", "seconds that one call of the hypervisor may take, or a long one without progress: for slow test machines",
        |s, e| set(&mut s.hypervisor_limit, e.number("a number of seconds", &(10..=86_400)).map(Duration::from_secs))),
    key("scheduler", "credit", "the simulated host's", |s, e| set(&mut s.scheduler, e.scheduler())),
    key("sim-cpus", "4", "the simulated host's", |s, e| set(&mut s.sim_cpus, e.number("a number of CPUs", &(1..=4096)))),
    key("sim-memory", "16384", "the simulated host's, in MiB",
        |s, e| set(&mut s.sim_memory, e.number("a number of MiB", &MEGABYTES))),
];

/// The key of this name.
pub(super) fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// All keys, for people: one a line, with default, what SIGHUP takes over, and what it is for.
pub fn reference() -> String {
    let used = KEYS.iter().map(|key| {
        let blank = if key.default.is_empty() { "" } else { " " };
        let reload = if key.reload { " [reload]" } else { "" };
        format!("({}{blank}{})  {}{reload}\n", key.name, key.default, key.about)
    });
    let unused = UNUSED.iter().map(|key| format!("({})  has no effect: {}\n", key.name, key.why));
    used.chain(unused).collect()
}

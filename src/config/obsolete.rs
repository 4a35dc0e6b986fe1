//! Keys that xend read and that have no effect here, each with the reason.

/// A key without an effect.
pub(super) struct ObsoleteKey {
    pub(super) name: &'static str,
    /// Values that need no warning: xend's default, and those of its sample files.
    pub(super) harmless: &'static [&'static str],
    /// Why the key has no effect, and what to use instead.
    pub(super) reason: &'static str,
}

impl ObsoleteKey {
    /// Whether a value needs no warning. `key` is the key as the file spells it.
    pub(super) fn is_harmless(&self, key: &str, value: &str) -> bool {
        self.harmless.contains(&value) || (key.starts_with("block-") && key == value)
    }
}

const fn obsolete(
    name: &'static str,
    harmless: &'static [&'static str],
    reason: &'static str,
) -> ObsoleteKey {
    ObsoleteKey { name, harmless, reason }
}

const OFF: &[&str] = &["no", "n", "0", "off", "false", "f"];
const ON: &[&str] = &["yes", "y", "1", "on", "true", "t"];

const OLD_RELOCATION_TLS: &str = "write xend-relocation-ssl";
const PLAIN_VNC: &str =
    "today's libxl starts VNC servers without TLS, keep (vnc-listen 127.0.0.1) and use a tunnel";
const OWN_STATE: &str = "xend keeps its data in the state directory, see --state-dir";
const NO_LOCKS: &str = "domains are not locked, so a domain can run on two hosts by mistake";
const NO_CONSOLE_SERVER: &str = "xenconsoled serves the consoles";
const OWN_BLOCK_SCRIPTS: &str = "the type in a disk's uname selects its script";
/// Stands for the keys that xend 3.0 read for each type of disk.
const BLOCK_TYPE: &str = "block-TYPE";
const MISSPELT: &str = "xend never read this key, write xend-tcp-xmlrpc-server";

/// All keys without an effect here that a xend up to 4.4, or a distribution's xend, read.
pub(super) const OBSOLETE_KEYS: &[ObsoleteKey] = &[
    obsolete("network-script", &[], "make bridges with the network configuration of the system"),
    obsolete("dom0-cpus", &["0"], "set dom0_max_vcpus on Xen's command line"),
    obsolete("total_available_memory", &["0"], "today's Xen reserves no memory for 32-bit guests"),
    obsolete("console-limit", &["1024"], "xenconsoled has a limit of its own"),
    obsolete(
        "device-create-timeout",
        &["100"],
        "libxl has a built-in time limit for hotplug scripts",
    ),
    obsolete(
        "device-destroy-timeout",
        &["100"],
        "libxl has a built-in time limit for hotplug scripts",
    ),
    obsolete("external-migration-tool", &[""], "virtual TPMs are not migrated"),
    obsolete("resource-label-change-script", &[""], "there are no security labels"),
    obsolete("xsm_module_name", &["dummy"], "FLASK is configured on Xen's command line"),
    obsolete("qemu-dm-logrotate-count", &["10"], "libxl rotates the logs of device models"),
    obsolete("pci-passthrough-strict-check", ON, "libxl checks PCI devices"),
    obsolete("pci-dev-assign-strict-check", ON, "libxl checks PCI devices"),
    obsolete("pscsi-device-mask", &["*"], "SCSI devices are scanned on demand"),
    obsolete("vnc-tls", OFF, PLAIN_VNC),
    obsolete("vnc-x509-cert-dir", &["/etc/xen/vnc", "vnc"], PLAIN_VNC),
    obsolete("vnc-x509-verify", OFF, PLAIN_VNC),
    obsolete("xend-udev-event-server", OFF, "xend watches XenStore instead"),
    obsolete("xend-domains-path", &["/var/lib/xend/domains", "/var/lib/xend/domains/"], OWN_STATE),
    obsolete("xend-state-path", &["/var/lib/xend/state", "/var/lib/xend/state/"], OWN_STATE),
    obsolete(
        "xend-security-path",
        &["/var/lib/xend/security", "/var/lib/xend/security/"],
        OWN_STATE,
    ),
    obsolete("xend-domain-lock", OFF, NO_LOCKS),
    obsolete(
        "xend-domain-lock-path",
        &["/var/lib/xen/images/vm_locks", "/var/lib/xen/images/vm_locks/"],
        NO_LOCKS,
    ),
    obsolete("xend-domain-lock-utility", &["domain-lock"], NO_LOCKS),
    obsolete("xend-domain-lock-device", &[""], NO_LOCKS),
    obsolete("xend-relocation-tls", OFF, OLD_RELOCATION_TLS),
    // Misspelled in the sample files of xend 3.
    obsolete("xen-tcp-xmlrpc-server", OFF, MISSPELT),
    obsolete("xen-tcp-xmlrpc-server-address", &["localhost"], MISSPELT),
    obsolete("xen-tcp-xmlrpc-server-port", &["8006"], MISSPELT),
    obsolete("xen-tcp-xmlrpc-server-ssl-key-file", &[""], MISSPELT),
    obsolete("xen-tcp-xmlrpc-server-ssl-cert-file", &[""], MISSPELT),
    // From xend before 3.0 and the sample file of 3.0.
    obsolete("xend-event-port", &["8001"], "events are at /xend/events"),
    obsolete("console-address", &["localhost"], NO_CONSOLE_SERVER),
    obsolete("console-port-base", &["9600"], NO_CONSOLE_SERVER),
    obsolete("block-file", &[], OWN_BLOCK_SCRIPTS),
    obsolete("block-enbd", &[], OWN_BLOCK_SCRIPTS),
    obsolete(BLOCK_TYPE, &[], OWN_BLOCK_SCRIPTS),
    obsolete(
        "vif-antispoof",
        OFF,
        "the hotplug script adds rules against spoofing for interfaces with an ip",
    ),
    obsolete("dbroot", &[], OWN_STATE),
    obsolete("lastboot", &[], OWN_STATE),
];

/// The obsolete key with this name. Any `block-TYPE` is one: `block-drbd`, `block-iscsi`, ...
pub(super) fn find(name: &str) -> Option<&'static ObsoleteKey> {
    let listed = |name| OBSOLETE_KEYS.iter().find(|key| key.name == name);
    let is_block_type = || name.strip_prefix("block-").is_some_and(|kind| !kind.is_empty());
    listed(name).or_else(|| listed(BLOCK_TYPE).filter(|_| is_block_type()))
}

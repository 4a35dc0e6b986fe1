//! Keys that xend read and that have no effect here, each with the reason.

/// A key without an effect.
pub(super) struct Unused {
    pub(super) name: &'static str,
    /// Values that ask for nothing that is missing: xend's default, and what its own sample files
    /// said in passing.
    pub(super) harmless: &'static [&'static str],
    /// Why it has no effect, and what to do instead.
    pub(super) why: &'static str,
}

impl Unused {
    /// Whether this value of the key, as the file spells it, asks for nothing that is missing.
    pub(super) fn is_harmless(&self, key: &str, value: &str) -> bool {
        self.harmless.contains(&value) || (key.starts_with("block-") && key == value)
    }
}

const fn unused(
    name: &'static str,
    harmless: &'static [&'static str],
    why: &'static str,
) -> Unused {
    Unused { name, harmless, why }
}

const OFF: &[&str] = &["no", "n", "0", "off", "false", "f"];
const ON: &[&str] = &["yes", "y", "1", "on", "true", "t"];

const PLAIN_RELOCATION: &str = "domains move unencrypted, use a network of its own or a tunnel";
const PLAIN_VNC: &str =
    "today's libxl starts VNC servers without TLS, keep (vnc-listen 127.0.0.1) and use a tunnel";
const OWN_STATE: &str = "what is stored is in the state directory, see --state-dir";
const NO_LOCKS: &str = "domains are not locked, nothing keeps one from running on two hosts";
const NO_CONSOLE_SERVER: &str = "consoles are xenconsoled's";
const OWN_BLOCK_SCRIPTS: &str = "the type in a disk's uname names its script";
/// The key that xend 3.0 looked up for a disk of any TYPE.
const BLOCK_TYPE: &str = "block-TYPE";
const MISSPELT: &str = "xend never read it, write xend-tcp-xmlrpc-server";

/// Every key that some xend from before 3.0 to 4.4, or a distribution's, read and that has no
/// effect here.
pub(super) const UNUSED: &[Unused] = &[
    unused("network-script", &[], "make bridges with the system's own network configuration"),
    unused("dom0-cpus", &["0"], "give Xen dom0_max_vcpus when the machine boots"),
    unused("total_available_memory", &["0"], "today's Xen keeps no memory aside for 32-bit guests"),
    unused("console-limit", &["1024"], "xenconsoled has the limit of today's libxl"),
    unused(
        "device-create-timeout",
        &["100"],
        "libxl waits for hotplug scripts as long as it was built to",
    ),
    unused(
        "device-destroy-timeout",
        &["100"],
        "libxl waits for hotplug scripts as long as it was built to",
    ),
    unused("external-migration-tool", &[""], "virtual TPMs do not move"),
    unused("resource-label-change-script", &[""], "there is no security module"),
    unused("xsm_module_name", &["dummy"], "today's Xen is told of FLASK when the machine boots"),
    unused("qemu-dm-logrotate-count", &["10"], "libxl keeps the logs of device models"),
    unused("pci-passthrough-strict-check", ON, "libxl checks PCI devices by itself"),
    unused("pci-dev-assign-strict-check", ON, "libxl checks PCI devices by itself"),
    unused("pscsi-device-mask", &["*"], "SCSI devices are looked for when they are asked for"),
    unused("vnc-tls", OFF, PLAIN_VNC),
    unused("vnc-x509-cert-dir", &["/etc/xen/vnc", "vnc"], PLAIN_VNC),
    unused("vnc-x509-verify", OFF, PLAIN_VNC),
    unused("xend-udev-event-server", OFF, "changes come from XenStore"),
    unused("xend-domains-path", &["/var/lib/xend/domains", "/var/lib/xend/domains/"], OWN_STATE),
    unused("xend-state-path", &["/var/lib/xend/state", "/var/lib/xend/state/"], OWN_STATE),
    unused("xend-security-path", &["/var/lib/xend/security", "/var/lib/xend/security/"], OWN_STATE),
    unused("xend-domain-lock", OFF, NO_LOCKS),
    unused(
        "xend-domain-lock-path",
        &["/var/lib/xen/images/vm_locks", "/var/lib/xen/images/vm_locks/"],
        NO_LOCKS,
    ),
    unused("xend-domain-lock-utility", &["domain-lock"], NO_LOCKS),
    unused("xend-domain-lock-device", &[""], NO_LOCKS),
    unused("xend-relocation-ssl", OFF, PLAIN_RELOCATION),
    unused("xend-relocation-tls", OFF, PLAIN_RELOCATION),
    unused("xend-relocation-ssl-server", OFF, PLAIN_RELOCATION),
    unused("xend-relocation-ssl-port", &["8003"], PLAIN_RELOCATION),
    unused("xend-relocation-server-ssl-key-file", &[""], PLAIN_RELOCATION),
    unused("xend-relocation-server-ssl-cert-file", &[""], PLAIN_RELOCATION),
    // A misspelling in the sample files of xend 3.
    unused("xen-tcp-xmlrpc-server", OFF, MISSPELT),
    unused("xen-tcp-xmlrpc-server-address", &["localhost"], MISSPELT),
    unused("xen-tcp-xmlrpc-server-port", &["8006"], MISSPELT),
    unused("xen-tcp-xmlrpc-server-ssl-key-file", &[""], MISSPELT),
    unused("xen-tcp-xmlrpc-server-ssl-cert-file", &[""], MISSPELT),
    // Of xend before 3.0 and of 3.0's sample file.
    unused("xend-event-port", &["8001"], "events are at /xend/events"),
    unused("console-address", &["localhost"], NO_CONSOLE_SERVER),
    unused("console-port-base", &["9600"], NO_CONSOLE_SERVER),
    unused("block-file", &[], OWN_BLOCK_SCRIPTS),
    unused("block-enbd", &[], OWN_BLOCK_SCRIPTS),
    unused(BLOCK_TYPE, &[], OWN_BLOCK_SCRIPTS),
    unused(
        "vif-antispoof",
        OFF,
        "the hotplug script has rules against spoofing where an interface has an ip",
    ),
    unused("dbroot", &[], OWN_STATE),
    unused("lastboot", &[], OWN_STATE),
];

/// The key of this name. xend 3.0 looked up a script for whatever type a disk had: `block-drbd`,
/// `block-iscsi`, ...
pub(super) fn find(name: &str) -> Option<&'static Unused> {
    let listed = |name| UNUSED.iter().find(|key| key.name == name);
    let of_disk = || name.strip_prefix("block-").is_some_and(|kind| !kind.is_empty());
    listed(name).or_else(|| listed(BLOCK_TYPE).filter(|_| of_disk()))
}

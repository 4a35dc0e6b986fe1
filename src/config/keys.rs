//! Keys of xend that mean nothing here yet.

/// Whether xend knew `key`, from 3.0 to 4.4, although it has no effect here.
///
/// Their values are never looked at, so that a password among them ends up in no message.
pub(super) fn is_without_effect(key: &str) -> bool {
    const KEYS: &[&str] = &[
        "block-enbd",
        "block-file",
        "console-address",
        "console-limit",
        "console-port-base",
        "dom0-cpus",
        "enable-dump",
        "external-migration-tool",
        "keymap",
        "network-script",
        "pci-passthrough-strict-check",
        "pci-dev-assign-strict-check",
        "qemu-dm-logrotate-count",
        "resource-label-change-script",
        "vif-antispoof",
        "vif-bridge",
        "vif-script",
        "vnc-listen",
        "vnc-tls",
        "vnc-x509-cert-dir",
        "vnc-x509-verify",
        "vncpasswd",
        "xsm_module_name",
        "xend-domains-lock-path",
        "xend-domains-path",
        "xend-security-path",
        "xend-state-path",
    ];
    const FAMILIES: &[&str] = &["xend-relocation-", "xend-udev-event-server"];
    KEYS.contains(&key) || FAMILIES.iter().any(|family| key.starts_with(family))
}

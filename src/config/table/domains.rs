//! Keys of domains.

use crate::config::diagnostic::Diagnostic;
use crate::config::entry::{Entry, MOST_MEMORY, Problem, is_file_name};
use crate::config::keys::{Field, Section, field, key};
use crate::config::settings::FileSettings;
use crate::core::model::Password;
use crate::sxp::Sxp;
use std::path::Path;

pub(super) const DOMAIN_0: Section = Section {
    title: "Domain-0",
    keys: &[
        key(
            "dom0-min-mem",
            "196",
            "The memory in MiB that Domain-0 keeps when it makes room for a new domain.",
            field!(dom0_min_mem_mib: |entry| entry.mebibytes(0..=MOST_MEMORY)),
        )
        .details(
            "When the host has too little free memory for a new domain, Domain-0 gives the \
             rest, down to this size. With 0 it never does. xm mem-set can still shrink it, \
             down to this size.",
        )
        .reload(),
        key(
            "enable-dom0-ballooning",
            "yes",
            "Whether Domain-0 gives memory to new domains; no if dom0-min-mem is 0.",
            field!(dom0_ballooning: |entry| entry.yes_no().map(Some)),
        )
        .computed()
        .reload(),
        key(
            "xend-node-shutdown",
            "no",
            "Whether a POST to /xend/node may shut down or reboot the machine.",
            field!(node_shutdown: |entry| entry.yes_no()),
        )
        .reload(),
    ],
};

pub(super) const DOMAINS: Section = Section {
    title: "Domains",
    keys: &[
        key(
            "enable-dump",
            "no",
            "Whether the memory of every crashed domain is dumped to a file, whatever its \
             on_crash is.",
            field!(enable_dump: |entry| entry.yes_no()),
        )
        .reload(),
        key(
            "vif-script",
            "vif-bridge",
            "The hotplug script of network interfaces that have none.",
            Field { read: read_vif_script, differs: |old, new| old.vif_script != new.vif_script },
        )
        .details(
            "It applies to domains that are started later. A bridge can follow the script; \
             other arguments have no effect.",
        )
        .examples(&["(vif-script vif-route)", "(vif-script 'vif-bridge bridge=xenbr1')"])
        .reload(),
        key(
            "vif-bridge",
            "",
            "The bridge of network interfaces that have none.",
            field!(vif_bridge: |entry| entry.free_text()),
        )
        .examples(&["(vif-bridge xenbr0)"])
        .reload(),
        key(
            "vnc-listen",
            "127.0.0.1",
            "The IP address of VNC screens that have none.",
            field!(vnc_listen: |entry| entry.optional_ip()),
        )
        .reload(),
        key(
            "vncpasswd",
            "",
            "The password of VNC screens that have none.",
            field!(vnc_password: |entry| entry.free_text().map(Password::new)),
        )
        .details("It is neither stored nor shown. A screen with (vncpasswd '') has no password.")
        .examples(&["(vncpasswd 'secret')"]),
        key(
            "keymap",
            "",
            "The keyboard of VNC screens that have none.",
            field!(keymap: |entry| entry.optional_file_name()),
        )
        .examples(&["(keymap de)"])
        .reload(),
    ],
};

/// Reads `(vif-script 'vif-bridge bridge=xenbr1')`: a script and its default bridge.
fn read_vif_script(
    settings: &mut FileSettings,
    entry: &Entry<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Result<(), Problem> {
    let text = entry.free_text()?.to_string();
    let mut words = text.split_whitespace();
    let script = words.next().unwrap_or_default();
    let path = Path::new(script);
    let is_path = path.is_absolute() && path.file_name().is_some();
    if !script.is_empty() && !is_path && !is_file_name(script) {
        let message =
            format!("'{}' is neither a file name nor an absolute path", script.escape_debug());
        return Err(entry.problem(entry.values.first().map_or(entry.offset, Sxp::offset), &message));
    }
    settings.vif_script = script.into();
    for word in words {
        if let Some(bridge) = word.strip_prefix("bridge=") {
            settings.vif_bridge = bridge.into();
        } else {
            let word = word.escape_debug();
            let message = format!("vif-script: '{word}' has no effect, only bridge=NAME has");
            diagnostics.push(entry.source.position(entry.offset).warning(message));
        }
    }
    Ok(())
}

//! Domain-0's network, changed with iproute2 as Xen's own hotplug scripts do.

use crate::core::error::Error;
use crate::core::model::{Interface, InterfaceChange, NetworkChange};
use std::process::Command;

/// Changes Domain-0's network. It is no error if an interface that is added exists already, or one
/// that is removed does not.
pub(super) fn change(change: &NetworkChange) -> Result<(), Error> {
    const EXISTS: Option<&str> = Some("File exists");
    const MISSING: Option<&str> = Some("Cannot find device");
    match change {
        NetworkChange::MakeBridge(name) => {
            ip_unless(EXISTS, &["link", "add", "name", name, "type", "bridge"])?;
            ip(&["link", "set", "dev", name, "up"])
        }
        NetworkChange::MakeVlan { device, tag } => {
            let name = Interface::vlan_name(device, *tag);
            let tag = tag.to_string();
            let vlan = ["link", "add", "link", device, "name", &name, "type", "vlan", "id", &tag];
            ip_unless(EXISTS, &vlan)?;
            ip(&["link", "set", "dev", &name, "up"])
        }
        NetworkChange::RemoveBridge(name) => {
            ip_unless(MISSING, &["link", "delete", "dev", name, "type", "bridge"])
        }
        NetworkChange::RemoveVlan { device, tag } => {
            let name = Interface::vlan_name(device, *tag);
            ip_unless(MISSING, &["link", "delete", "dev", &name, "type", "vlan"])
        }
        NetworkChange::Interface(InterfaceChange::Adjust { name, mac, mtu }) => {
            if let Some(mac) = mac {
                ip(&["link", "set", "dev", name, "address", &mac.to_string()])?;
            }
            if let Some(mtu) = mtu {
                ip(&["link", "set", "dev", name, "mtu", &mtu.to_string()])?;
            }
            Ok(())
        }
        NetworkChange::Interface(InterfaceChange::Link { name, bridge: Some(bridge) }) => {
            ip(&["link", "set", "dev", name, "master", bridge])
        }
        NetworkChange::Interface(InterfaceChange::Link { name, bridge: None }) => {
            ip(&["link", "set", "dev", name, "nomaster"])
        }
    }
}

fn ip(args: &[&str]) -> Result<(), Error> {
    ip_unless(None, args)
}

/// Runs `ip`. A failure with the message `harmless` is no error.
fn ip_unless(harmless: Option<&str>, args: &[&str]) -> Result<(), Error> {
    let output = Command::new("ip")
        .args(args)
        .output()
        .map_err(|error| Error::backend("ip cannot be run: is iproute2 installed?", error))?;
    let message = String::from_utf8_lossy(&output.stderr);
    if output.status.success() || harmless.is_some_and(|harmless| message.contains(harmless)) {
        return Ok(());
    }
    let message = message.trim().trim_start_matches("RTNETLINK answers: ");
    tracing::warn!("ip {}: {message}", args.join(" "));
    // The kernel refuses it: a name that is taken, an address that is none, an interface in use.
    Err(Error::Unsupported(format!("The network could not be changed: {message}")))
}

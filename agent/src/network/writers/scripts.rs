//! `ifup` and `ifdown`, which several distributions have.

use crate::network::plan::Interface;
use crate::network::writer::{Failed, Guest};

/// The programs that bring interfaces up and down.
pub(super) const PROGRAMS: &[&str] = &["ifup", "ifdown"];

/// Takes the interfaces down. An interface may be up by other means than `ifup`, which would then
/// stumble over the addresses that are there.
pub(super) fn take_down(guest: &Guest<'_>, interfaces: &[Interface]) {
    let down = |guest: &Guest<'_>, interface: &Interface| {
        guest.share(2).try_to_run("ifdown", &[&interface.name]);
        if guest.has("ip") {
            guest.try_to_run("ip", &["addr", "flush", "dev", &interface.name, "scope", "global"]);
        }
        Ok(())
    };
    drop(guest.for_each(interfaces.iter(), down));
}

/// Brings those interfaces up that are configured. After a change was taken back, others may be
/// among them, which stay down.
pub(super) fn bring_up(
    guest: &Guest<'_>,
    interfaces: &[Interface],
    is_configured: impl Fn(&Interface) -> bool,
) -> Result<(), Failed> {
    let configured = interfaces.iter().filter(|interface| is_configured(interface));
    guest.for_each(configured, |guest, interface| guest.run("ifup", &[&interface.name]))
}

//! What the host may do with the guest, and the agent's version.

use super::report::Report;
use crate::root::Root;

/// The node that is written last of all but `data/updated`, and never changes: while it is there,
/// the rest is.
pub(super) const LAST_NODE: &str = "attr/PVAddons/BuildVersion";

/// A node that says `1` if the kernel has this driver.
const DRIVERS: [(&str, &str); 3] = [
    ("feature/hotplug/vif", "/sys/bus/xen/drivers/vif"),
    ("feature/hotplug/vbd", "/sys/bus/xen/drivers/vbd"),
    // XAPI's memory daemon moves memory between guests that have this. libxl lets no guest write
    // it.
    ("control/feature-balloon", "/sys/devices/system/xen_memory/xen_memory0"),
];

/// The version in the form that XAPI knows. Xen Orchestra hides a major version of 0, and XAPI puts
/// -1 for a micro version that is not there: the agent's own version stands in the build.
const VERSION: [(&str, &str); 5] = [
    ("attr/PVAddons/Installed", "1"),
    ("attr/PVAddons/MajorVersion", "1"),
    ("attr/PVAddons/MinorVersion", "0"),
    ("attr/PVAddons/MicroVersion", "0"),
    (LAST_NODE, concat!("xend-", env!("CARGO_PKG_VERSION"))),
];

/// Adds `feature/*` and `control/*`.
pub(super) fn add_features(report: &mut Report, root: &Root) {
    for (node, driver) in DRIVERS {
        if root.exists(driver) {
            report.add(node, "1");
        }
    }
}

/// Adds `attr/PVAddons/*`, by which hosts know that there is an agent.
pub(super) fn add_version(report: &mut Report) {
    for (node, value) in VERSION {
        report.add(node, value);
    }
}

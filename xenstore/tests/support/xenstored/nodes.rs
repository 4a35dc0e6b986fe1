//! The nodes of a guest as libxl makes them.

use xend_xenstore::{Access, Error, Nodes, Permission};

/// A guest's directory.
pub(crate) fn directory_of(domid: u32) -> String {
    format!("/local/domain/{domid}")
}

/// Makes a new guest's nodes. It may read its whole directory, and change a few nodes.
pub(crate) fn make_nodes(nodes: &mut impl Nodes, domid: u32) -> Result<(), Error> {
    const OWNED: [&str; 11] = [
        "attr",
        "control/feature-poweroff",
        "control/feature-reboot",
        "control/feature-suspend",
        "control/shutdown",
        "control/sysrq",
        "data",
        "device/suspend/event-channel",
        "drivers",
        "error",
        "feature",
    ];
    let directory = directory_of(domid);
    nodes.mkdir(&directory)?;
    let readable = [Permission::new(Access::None, 0), Permission::new(Access::Read, domid)];
    // What is made below inherits this.
    nodes.set_permissions(&directory, &readable)?;
    for name in ["cpu", "memory", "device", "control"] {
        nodes.mkdir(&format!("{directory}/{name}"))?;
    }
    for name in OWNED {
        let path = format!("{directory}/{name}");
        nodes.mkdir(&path)?;
        nodes.set_permissions(&path, &[Permission::new(Access::None, domid)])?;
    }
    nodes.write(&format!("{directory}/name"), format!("guest-{domid}").as_bytes())?;
    nodes.write(&format!("{directory}/domid"), domid.to_string().as_bytes())
}

//! What is done with the host: `shutdown`, `reboot`, and with Xen's messages: `clear`

use super::table::{Asked, Operation, Success};
use crate::core::model::Invalid;
use crate::core::op::{Change, Op};

pub(super) static SHUTDOWN: Operation = Operation {
    name: "shutdown",
    label: "Shut down",
    about: "Switches the host off, if the configuration allows it.",
    when: &[],
    loses: None,
    params: &[],
    success: Success::Empty,
    op: |asked| power(asked, false),
};

pub(super) static REBOOT: Operation = Operation {
    name: "reboot",
    label: "Reboot",
    about: "Reboots the host, if the configuration allows it.",
    when: &[],
    loses: None,
    params: &[],
    success: Success::Empty,
    op: |asked| power(asked, true),
};

/// xend answered 0 and did nothing.
fn power(asked: &Asked<'_>, reboot: bool) -> Result<Op, Invalid> {
    if asked.settings.node_shutdown {
        Ok(Change::PowerHost { reboot }.into())
    } else {
        Err(Invalid::new(
            "Not allowed, set (xend-node-shutdown yes) in xend-config.sxp to allow it",
        ))
    }
}

pub(super) static CLEAR: Operation = Operation {
    name: "clear",
    label: "Clear",
    about: "Empties Xen's message buffer.",
    when: &[],
    loses: None,
    params: &[],
    success: Success::Empty,
    op: |_| Ok(Change::ClearDmesg.into()),
};

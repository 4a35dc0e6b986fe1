//! `pause`, `unpause`, `destroy`, `shutdown`, `reset`, `wait_for_devices`

use super::table::{DESTROYABLE, GUEST, Operation, Success, Takes, needed};
use crate::core::model::{Invalid, ShutdownReason};
use crate::core::op::{DomainOp, Query};
use serde::{Deserialize, Deserializer};
use std::str::FromStr;

pub(super) static PAUSE: Operation = Operation {
    name: "pause",
    label: "Pause",
    about: "Keeps the domain's VCPUs off the CPUs.",
    when: &GUEST,
    loses: None,
    params: &[],
    success: Success::Empty,
    op: |asked| asked.domain(DomainOp::Pause),
};

pub(super) static UNPAUSE: Operation = Operation {
    name: "unpause",
    label: "Unpause",
    about: "Lets a paused domain run.",
    when: &GUEST,
    loses: None,
    params: &[],
    success: Success::Empty,
    op: |asked| asked.domain(DomainOp::Unpause),
};

pub(super) static DESTROY: Operation = Operation {
    name: "destroy",
    label: "Destroy",
    about: "Takes the domain off the host at once. A managed domain stays defined; of a suspended one its memory is given up.",
    when: &DESTROYABLE,
    loses: Some("What its guest has not written to its disks is lost."),
    params: &[],
    success: Success::Accepted,
    op: |asked| asked.domain(DomainOp::Destroy),
};

pub(super) static RESET: Operation = Operation {
    name: "reset",
    label: "Reset",
    about: "Takes the domain off the host at once and builds it anew: the button on a machine's front.",
    when: &GUEST,
    loses: Some("What its guest has not written to its disks is lost."),
    params: &[],
    success: Success::Accepted,
    op: |asked| asked.domain(DomainOp::Reset),
};

pub(super) static SHUTDOWN: Operation = Operation {
    name: "shutdown",
    label: "Shut down",
    about: "Asks the guest to stop. What happens then is for on_poweroff, on_reboot and on_crash to say.",
    when: &GUEST,
    loses: Some("What its guest does ends."),
    params: &[needed("reason", Takes::Word(&REASONS), "What the guest is asked for", "poweroff")],
    success: Success::Accepted,
    op: |asked| {
        let Shutdown { reason } = asked.params.request()?;
        asked.domain(DomainOp::Shutdown(reason))
    },
};

pub(super) static WAIT_FOR_DEVICES: Operation = Operation {
    name: "wait_for_devices",
    label: "Wait for devices",
    about: "Answers when every device is connected, or names the one that is not.",
    when: &GUEST,
    loses: None,
    params: &[],
    success: Success::Accepted,
    op: |asked| Ok(Query::DevicesConnected(asked.target()).into()),
};

#[derive(Debug, Deserialize)]
struct Shutdown {
    #[serde(deserialize_with = "parsed")]
    reason: ShutdownReason,
}

fn parsed<'de, D: Deserializer<'de>, T: FromStr<Err = Invalid>>(
    deserializer: D,
) -> Result<T, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}

/// What xend took; `suspend` came from `xm save` alone.
const REASONS: [&str; 5] = ["poweroff", "reboot", "halt", "suspend", "crash"];

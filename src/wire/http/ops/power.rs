//! `pause`, `unpause`, `destroy`, `shutdown`, `reset`, `wait_for_devices`

use super::table::{DESTROYABLE, GUEST, Operation, Success, Takes, needed};
use crate::core::model::ShutdownReason;
use crate::core::op::{DomainOp, Query};
use serde::Deserialize;

pub(super) static PAUSE: Operation = Operation {
    name: "pause",
    about: "Keeps the domain's VCPUs off the CPUs.",
    when: &GUEST,
    loses: false,
    params: &[],
    success: Success::Empty,
    op: |asked| asked.domain(DomainOp::Pause),
};

pub(super) static UNPAUSE: Operation = Operation {
    name: "unpause",
    about: "Lets a paused domain run.",
    when: &GUEST,
    loses: false,
    params: &[],
    success: Success::Empty,
    op: |asked| asked.domain(DomainOp::Unpause),
};

pub(super) static DESTROY: Operation = Operation {
    name: "destroy",
    about: "Takes the domain off the host at once. A managed domain stays defined; of a suspended one its memory is given up.",
    when: &DESTROYABLE,
    loses: true,
    params: &[],
    success: Success::Accepted,
    op: |asked| asked.domain(DomainOp::Destroy),
};

pub(super) static RESET: Operation = Operation {
    name: "reset",
    about: "Takes the domain off the host at once and builds it anew: the button on a machine's front.",
    when: &GUEST,
    loses: true,
    params: &[],
    success: Success::Accepted,
    op: |asked| asked.domain(DomainOp::Reset),
};

pub(super) static SHUTDOWN: Operation = Operation {
    name: "shutdown",
    about: "Asks the guest to stop. What happens then is for on_poweroff, on_reboot and on_crash to say.",
    when: &GUEST,
    loses: true,
    params: &[needed("reason", Takes::Word(&REASONS), "What the guest is asked for", "poweroff")],
    success: Success::Accepted,
    op: |asked| {
        let Shutdown { reason } = asked.params.request()?;
        asked.domain(DomainOp::Shutdown(reason.into()))
    },
};

pub(super) static WAIT_FOR_DEVICES: Operation = Operation {
    name: "wait_for_devices",
    about: "Answers when every device is connected, or names the one that is not.",
    when: &GUEST,
    loses: false,
    params: &[],
    success: Success::Accepted,
    op: |asked| Ok(Query::DevicesConnected(asked.target()).into()),
};

#[derive(Debug, Deserialize)]
struct Shutdown {
    reason: Reason,
}

const REASONS: [&str; 5] = ["poweroff", "reboot", "halt", "suspend", "crash"];

/// What xend took; `suspend` came from `xm save` alone.
#[derive(Debug, Clone, Copy)]
enum Reason {
    Poweroff,
    Reboot,
    Halt,
    Suspend,
    Crash,
}

impl<'de> Deserialize<'de> for Reason {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.as_str() {
            "poweroff" => Ok(Self::Poweroff),
            "reboot" => Ok(Self::Reboot),
            "halt" => Ok(Self::Halt),
            "suspend" => Ok(Self::Suspend),
            "crash" => Ok(Self::Crash),
            _ => Err(serde::de::Error::custom(format!("'{text}' is not one of {}", REASONS.join(", ")))),
        }
    }
}

impl From<Reason> for ShutdownReason {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::Poweroff => Self::Poweroff,
            Reason::Reboot => Self::Reboot,
            Reason::Halt => Self::Halt,
            Reason::Suspend => Self::Suspend,
            Reason::Crash => Self::Crash,
        }
    }
}

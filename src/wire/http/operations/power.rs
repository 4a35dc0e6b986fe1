//! `pause`, `unpause`, `destroy`, `shutdown`, `reset`, `wait_for_devices`.

use crate::core::model::{Invalid, ShutdownReason};
use crate::core::op::DomainOp;
use crate::core::rights::OpKind;
use crate::wire::http::engine_request::Query;
use crate::wire::http::operation::{DESTROYABLE, GUEST, Operation, ParamKind, Success, required};
use serde::{Deserialize, Deserializer};
use std::str::FromStr;

pub(crate) static PAUSE: Operation = Operation {
    name: "pause",
    label: "Pause",
    about: "Stops scheduling the domain's VCPUs.",
    kinds: &[OpKind::Pause],
    stages: &GUEST,
    data_loss: None,
    params: &[],
    success: Success::Empty,
    build: |request| request.change(DomainOp::Pause),
};

pub(crate) static UNPAUSE: Operation = Operation {
    name: "unpause",
    label: "Unpause",
    about: "Lets a paused domain run.",
    kinds: &[OpKind::Unpause],
    stages: &GUEST,
    data_loss: None,
    params: &[],
    success: Success::Empty,
    build: |request| request.change(DomainOp::Unpause),
};

pub(crate) static DESTROY: Operation = Operation {
    name: "destroy",
    label: "Destroy",
    about: "Terminates the domain immediately. A managed domain stays defined; a suspended one \
            loses its saved memory.",
    kinds: &[OpKind::Destroy],
    stages: &DESTROYABLE,
    data_loss: Some("Data that the guest has not written to its disks will be lost."),
    params: &[],
    success: Success::Accepted,
    build: |request| request.change(DomainOp::Destroy),
};

pub(super) static RESET: Operation = Operation {
    name: "reset",
    label: "Reset",
    about: "Terminates the domain immediately and rebuilds it, like a machine's reset button.",
    kinds: &[OpKind::Reset],
    stages: &GUEST,
    data_loss: Some("Data that the guest has not written to its disks will be lost."),
    params: &[],
    success: Success::Accepted,
    build: |request| request.change(DomainOp::Reset),
};

pub(crate) static SHUTDOWN: Operation = Operation {
    name: "shutdown",
    label: "Shut down",
    about: "Asks the guest to shut down. on_poweroff, on_reboot and on_crash decide what happens \
            then.",
    kinds: &[OpKind::Shutdown],
    stages: &GUEST,
    data_loss: Some("Everything that runs in the guest will be stopped."),
    params: &[required("reason", ParamKind::Word(&REASONS), "Request to the guest", "poweroff")],
    success: Success::Accepted,
    build: |request| {
        let Shutdown { reason } = request.params.parse()?;
        request.change(DomainOp::Shutdown(reason))
    },
};

pub(super) static WAIT_FOR_DEVICES: Operation = Operation {
    name: "wait_for_devices",
    label: "Wait for devices",
    about: "Waits until all devices are connected. Fails with the name of a device that is not.",
    kinds: &[OpKind::WaitForDevices],
    stages: &GUEST,
    data_loss: None,
    params: &[],
    success: Success::Accepted,
    build: |request| Ok(Query::DevicesConnected(request.domain()).into()),
};

#[derive(Debug, Deserialize)]
struct Shutdown {
    #[serde(deserialize_with = "from_str")]
    reason: ShutdownReason,
}

fn from_str<'de, D: Deserializer<'de>, T: FromStr<Err = Invalid>>(
    deserializer: D,
) -> Result<T, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}

/// The reasons that xend accepted. Only `xm save` sent `suspend`.
const REASONS: [&str; 5] = ["poweroff", "reboot", "halt", "suspend", "crash"];

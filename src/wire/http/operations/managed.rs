//! Operations on managed domains: `start`, `delete`, `suspend`, `resume`.

use crate::core::op::DomainOp;
use crate::core::rights::OpKind;
use crate::wire::http::operation::{
    GUEST, HALTED, Operation, Param, ParamKind, SUSPENDED, Success, optional,
};
use crate::wire::http::params::flag;
use serde::Deserialize;

const PAUSED: Param = optional("paused", ParamKind::Flag, "0", "Leave the domain paused", "1");

pub(crate) static START: Operation = Operation {
    name: "start",
    label: "Start",
    about: "Builds a defined domain, waits for its devices and unpauses it.",
    kinds: &[OpKind::Start],
    stages: &HALTED,
    data_loss: None,
    params: &[PAUSED],
    success: Success::Accepted,
    build: |request| {
        let StartOrResume { paused } = request.params.parse()?;
        request.change(DomainOp::Start { paused })
    },
};

pub(crate) static DELETE: Operation = Operation {
    name: "delete",
    label: "Delete",
    about: "Deletes the definition of a halted domain.",
    kinds: &[OpKind::Delete],
    stages: &HALTED,
    data_loss: Some("Its configuration will be lost. Its disks are kept."),
    params: &[],
    success: Success::Accepted,
    build: |request| request.change(DomainOp::Delete),
};

pub(crate) static SUSPEND: Operation = Operation {
    name: "suspend",
    label: "Suspend",
    about: "Saves the memory of a managed domain to a file that xend keeps, and stops the domain.",
    kinds: &[OpKind::Suspend],
    stages: &GUEST,
    data_loss: None,
    params: &[],
    success: Success::Accepted,
    build: |request| request.change(DomainOp::Suspend),
};

pub(crate) static RESUME: Operation = Operation {
    name: "resume",
    label: "Resume",
    about: "Restores a suspended domain, which continues where it stopped.",
    kinds: &[OpKind::Resume],
    stages: &SUSPENDED,
    data_loss: None,
    params: &[PAUSED],
    success: Success::Accepted,
    build: |request| {
        let StartOrResume { paused } = request.params.parse()?;
        request.change(DomainOp::Resume { paused })
    },
};

#[derive(Debug, Deserialize)]
struct StartOrResume {
    #[serde(default, deserialize_with = "flag")]
    paused: bool,
}

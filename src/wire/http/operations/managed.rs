//! `start`, `delete`, `suspend`, `resume`: what is done with a domain that is defined

use super::table::{GUEST, HALTED, Operation, Param, SUSPENDED, Success, Takes, optional};
use crate::core::op::DomainOp;
use crate::wire::http::params::flag;
use serde::Deserialize;

const PAUSED: Param = optional("paused", Takes::Flag, "0", "Whether the domain stays paused", "1");

pub(super) static START: Operation = Operation {
    name: "start",
    label: "Start",
    about: "Starts a defined domain, waits for its devices and lets it run.",
    when: &HALTED,
    loses: None,
    params: &[PAUSED],
    success: Success::Accepted,
    op: |asked| {
        let Begin { paused } = asked.params.request()?;
        asked.domain(DomainOp::Start { paused })
    },
};

pub(super) static DELETE: Operation = Operation {
    name: "delete",
    label: "Delete",
    about: "Forgets the definition of a domain that is halted.",
    when: &HALTED,
    loses: Some("Its configuration is forgotten. Its disks stay."),
    params: &[],
    success: Success::Accepted,
    op: |asked| asked.domain(DomainOp::Delete),
};

pub(super) static SUSPEND: Operation = Operation {
    name: "suspend",
    label: "Suspend",
    about: "Keeps the memory of a managed domain in a file of xend's own and takes it off the host.",
    when: &GUEST,
    loses: None,
    params: &[],
    success: Success::Accepted,
    op: |asked| asked.domain(DomainOp::Suspend),
};

pub(super) static RESUME: Operation = Operation {
    name: "resume",
    label: "Resume",
    about: "Brings a suspended domain back to where it was.",
    when: &SUSPENDED,
    loses: None,
    params: &[PAUSED],
    success: Success::Accepted,
    op: |asked| {
        let Begin { paused } = asked.params.request()?;
        asked.domain(DomainOp::Resume { paused })
    },
};

#[derive(Debug, Deserialize)]
struct Begin {
    #[serde(default, deserialize_with = "flag")]
    paused: bool,
}

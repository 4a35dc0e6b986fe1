//! `domain_sched_credit_get`, `domain_sched_credit_set`, and the same for credit2

use super::table::{Asked, EVERYWHERE, Operation, Param, Success, Takes, optional};
use crate::core::model::{Invalid, Scheduler};
use crate::core::op::{DomainOp, Op, Query};
use crate::wire::http::params::whole;
use serde::{Deserialize, Deserializer};

const PARAMS: &[Param] = &[
    optional(
        "weight",
        Takes::Number("1 to 65535"),
        "what it is",
        "The share against other domains",
        "512",
    ),
    optional(
        "cap",
        Takes::Number("% of one CPU"),
        "what it is",
        "The most CPU time; 0 for no limit",
        "50",
    ),
];

pub(super) static GET: Operation = Operation {
    name: "domain_sched_credit_get",
    label: "Show credit parameters",
    about: "Shows the domain's parameters in the credit scheduler.",
    when: &EVERYWHERE,
    loses: None,
    params: &[],
    success: Success::Answer,
    op: |asked| Ok(Query::Sched(asked.target(), Scheduler::Credit).into()),
};

pub(super) static SET: Operation = Operation {
    name: "domain_sched_credit_set",
    label: "Set credit parameters",
    about: "Sets the domain's parameters in the credit scheduler: one of them at least.",
    when: &EVERYWHERE,
    loses: None,
    params: PARAMS,
    success: Success::Zero,
    op: |asked| set(asked, Scheduler::Credit),
};

pub(super) static GET2: Operation = Operation {
    name: "domain_sched_credit2_get",
    label: "Show credit2 parameters",
    about: "Shows the domain's parameters in the credit2 scheduler.",
    when: &EVERYWHERE,
    loses: None,
    params: &[],
    success: Success::Answer,
    op: |asked| Ok(Query::Sched(asked.target(), Scheduler::Credit2).into()),
};

pub(super) static SET2: Operation = Operation {
    name: "domain_sched_credit2_set",
    label: "Set credit2 parameters",
    about: "Sets the domain's parameters in the credit2 scheduler: one of them at least.",
    when: &EVERYWHERE,
    loses: None,
    params: PARAMS,
    success: Success::Zero,
    op: |asked| set(asked, Scheduler::Credit2),
};

/// One of them at least: xend took either.
#[derive(Debug, Deserialize)]
struct Share {
    #[serde(default, deserialize_with = "some")]
    weight: Option<u16>,
    #[serde(default, deserialize_with = "some")]
    cap: Option<u16>,
}

fn some<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u16>, D::Error> {
    whole(deserializer).map(Some)
}

fn set(asked: &Asked<'_>, scheduler: Scheduler) -> Result<Op, Invalid> {
    let Share { weight, cap } = asked.params.request()?;
    if weight.is_none() && cap.is_none() {
        return Err(Invalid::new("Missing parameter: weight"));
    }
    asked.domain(DomainOp::SetShare { scheduler, weight, cap })
}

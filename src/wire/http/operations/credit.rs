//! `domain_sched_credit_get`, `domain_sched_credit_set`, and the same for credit2.

use crate::core::model::{Invalid, Scheduler};
use crate::core::op::DomainOp;
use crate::core::rights::OpKind;
use crate::wire::http::engine_request::{EngineRequest, Query};
use crate::wire::http::operation::{
    ANY_STAGE, AnswerType, Operation, OperationRequest, Param, ParamKind, Success, optional,
};
use crate::wire::http::params::integer;
use crate::wire::http::quantity::Quantity;
use serde::{Deserialize, Deserializer};

const PARAMS: &[Param] = &[
    optional(
        "weight",
        ParamKind::Number("1 to 65535"),
        "unchanged",
        "CPU share relative to other domains",
        "512",
    ),
    optional(
        "cap",
        ParamKind::Quantity(Quantity::PercentOfCpu),
        "unchanged",
        "CPU limit; 0 for none",
        "50",
    ),
];

pub(super) static GET: Operation = Operation {
    name: "domain_sched_credit_get",
    label: "Show credit parameters",
    about: "Shows the domain's parameters in the credit scheduler.",
    kinds: &[OpKind::ShowSched],
    stages: &ANY_STAGE,
    data_loss: None,
    params: &[],
    success: Success::Answer(AnswerType::Credit),
    build: |request| Ok(Query::Sched(request.domain(), Scheduler::Credit).into()),
};

pub(super) static SET: Operation = Operation {
    name: "domain_sched_credit_set",
    label: "Set credit parameters",
    about: "Sets the domain's parameters in the credit scheduler. At least one is required.",
    kinds: &[OpKind::SetShare],
    stages: &ANY_STAGE,
    data_loss: None,
    params: PARAMS,
    success: Success::Zero,
    build: |request| set(request, Scheduler::Credit),
};

pub(super) static GET2: Operation = Operation {
    name: "domain_sched_credit2_get",
    label: "Show credit2 parameters",
    about: "Shows the domain's parameters in the credit2 scheduler.",
    kinds: &[OpKind::ShowSched],
    stages: &ANY_STAGE,
    data_loss: None,
    params: &[],
    success: Success::Answer(AnswerType::Credit),
    build: |request| Ok(Query::Sched(request.domain(), Scheduler::Credit2).into()),
};

pub(super) static SET2: Operation = Operation {
    name: "domain_sched_credit2_set",
    label: "Set credit2 parameters",
    about: "Sets the domain's parameters in the credit2 scheduler. At least one is required.",
    kinds: &[OpKind::SetShare],
    stages: &ANY_STAGE,
    data_loss: None,
    params: PARAMS,
    success: Success::Zero,
    build: |request| set(request, Scheduler::Credit2),
};

/// At least one is required: xend accepted either.
#[derive(Debug, Deserialize)]
struct CreditParams {
    #[serde(default, deserialize_with = "some_integer")]
    weight: Option<u16>,
    #[serde(default, deserialize_with = "some_integer")]
    cap: Option<u16>,
}

fn some_integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u16>, D::Error> {
    integer(deserializer).map(Some)
}

fn set(request: &OperationRequest<'_>, scheduler: Scheduler) -> Result<EngineRequest, Invalid> {
    let CreditParams { weight, cap } = request.params.parse()?;
    if weight.is_none() && cap.is_none() {
        return Err(Invalid::missing("weight"));
    }
    request.change(DomainOp::SetShare { scheduler, weight, cap })
}

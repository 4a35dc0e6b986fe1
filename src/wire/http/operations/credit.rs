//! `domain_sched_credit_get`, `domain_sched_credit_set`, and the same for credit2.

use crate::core::model::{Invalid, MAX_VCPUS, Scheduler};
use crate::core::op::DomainOp;
use crate::core::rights::OpKind;
use crate::wire::http::engine_request::{EngineRequest, Query};
use crate::wire::http::operation::{
    ANY_STAGE, AnswerType, Operation, OperationRequest, Param, ParamKind, Success, optional,
};
use crate::wire::http::params::{bad_value, out_of_range, some_number_of_any_size};
use crate::wire::http::quantity::Quantity;
use serde::Deserialize;

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
    #[serde(default, deserialize_with = "some_number_of_any_size")]
    weight: Option<i128>,
    #[serde(default, deserialize_with = "some_number_of_any_size")]
    cap: Option<i128>,
}

/// A parameter as the scheduler has it. `most` is the greatest value, with what it depends on.
fn share(name: &str, value: i128, least: u16, most: (u32, &str)) -> Result<u16, Invalid> {
    let (most, reason) = most;
    let share = u16::try_from(value).ok();
    share.filter(|share| *share >= least && u32::from(*share) <= most).ok_or_else(|| {
        let range = out_of_range(value, least, most);
        bad_value(name, format!("{range}{reason}"))
    })
}

fn set(request: &OperationRequest<'_>, scheduler: Scheduler) -> Result<EngineRequest, Invalid> {
    let CreditParams { weight, cap } = request.params.parse()?;
    if weight.is_none() && cap.is_none() {
        return Err(Invalid::missing("weight"));
    }
    let most_weight = (u32::from(u16::MAX), "");
    let weight = weight.map(|weight| share("weight", weight, 1, most_weight)).transpose()?;
    let vcpus = request.view.map_or(MAX_VCPUS, |view| view.config.vcpus);
    let reason = format!(" for {vcpus} VCPUs (100 is one CPU)");
    let most_cap = (vcpus * 100, reason.as_str());
    let cap = cap.map(|cap| share("cap", cap, 0, most_cap)).transpose()?;
    request.change(DomainOp::SetShare { scheduler, weight, cap })
}

//! `cpu_sedf_set`, `cpu_sedf_get`.

use crate::core::model::SedfParams;
use crate::core::op::DomainOp;
use crate::core::rights::OpKind;
use crate::wire::http::engine_request::Query;
use crate::wire::http::operation::{
    ANY_STAGE, AnswerType, Operation, ParamKind, Success, required,
};
use crate::wire::http::params::{flag, integer_in, nanoseconds};
use crate::wire::http::quantity::Quantity;
use serde::Deserialize;
use std::time::Duration;

pub(super) static SET: Operation = Operation {
    name: "cpu_sedf_set",
    label: "Set SEDF parameters",
    about: "Sets the SEDF scheduler's parameters. On other schedulers, sets their closest \
            equivalents.",
    kinds: &[OpKind::SetSedf],
    stages: &ANY_STAGE,
    data_loss: None,
    params: &[
        required(
            "period",
            ParamKind::Quantity(Quantity::Nanoseconds),
            "Length of a period",
            "20000000",
        ),
        required(
            "slice",
            ParamKind::Quantity(Quantity::Nanoseconds),
            "Guaranteed CPU time per period",
            "5000000",
        ),
        required(
            "latency",
            ParamKind::Quantity(Quantity::Nanoseconds),
            "Maximum delay after the domain wakes",
            "0",
        ),
        required("extratime", ParamKind::Flag, "Allow the domain to use idle CPU time", "1"),
        required(
            "weight",
            ParamKind::Number("share"),
            "CPU share instead of a slice; 0 for none",
            "0",
        ),
    ],
    success: Success::Zero,
    build: |request| {
        let params: SetSedf = request.params.parse()?;
        request.change(DomainOp::SetSedf(params.into()))
    },
};

pub(super) static GET: Operation = Operation {
    name: "cpu_sedf_get",
    label: "Show SEDF parameters",
    about: "Shows the SEDF scheduler's parameters. On other schedulers, shows the closest \
            equivalents of theirs.",
    kinds: &[OpKind::ShowSedf],
    stages: &ANY_STAGE,
    data_loss: None,
    params: &[],
    success: Success::Answer(AnswerType::Sedf),
    build: |request| Ok(Query::Sedf(request.domain()).into()),
};

/// All are required, and xm sends them all. Times are in nanoseconds.
#[derive(Debug, Deserialize)]
struct SetSedf {
    #[serde(deserialize_with = "nanoseconds")]
    period: u64,
    #[serde(deserialize_with = "nanoseconds")]
    slice: u64,
    #[serde(deserialize_with = "nanoseconds")]
    latency: u64,
    #[serde(deserialize_with = "flag")]
    extratime: bool,
    #[serde(deserialize_with = "integer_in::<_, 0, 65535>")]
    weight: u32,
}

impl From<SetSedf> for SedfParams {
    fn from(params: SetSedf) -> Self {
        Self {
            period: Duration::from_nanos(params.period),
            slice: Duration::from_nanos(params.slice),
            latency: Duration::from_nanos(params.latency),
            extratime: params.extratime,
            weight: params.weight,
        }
    }
}

//! `cpu_sedf_set`, `cpu_sedf_get`

use super::table::{EVERYWHERE, Operation, Success, Takes, needed};
use crate::core::model::SedfParams;
use crate::core::op::{DomainOp, Query};
use crate::wire::http::params::{flag, whole};
use serde::Deserialize;
use std::time::Duration;

pub(super) static SET: Operation = Operation {
    name: "cpu_sedf_set",
    label: "Set SEDF parameters",
    about: "Sets the parameters of the SEDF scheduler, or those of today's schedulers that mean the same.",
    when: &EVERYWHERE,
    loses: None,
    params: &[
        needed("period", Takes::Number("ns"), "The length of a period", "20000000"),
        needed("slice", Takes::Number("ns"), "CPU time guaranteed in each period", "5000000"),
        needed("latency", Takes::Number("ns"), "The largest delay after the domain wakes", "0"),
        needed("extratime", Takes::Flag, "Whether it may use time that nobody else wants", "1"),
        needed("weight", Takes::Number("share"), "A share in place of a slice; 0 for none", "0"),
    ],
    success: Success::Zero,
    op: |asked| {
        let request: Set = asked.params.request()?;
        asked.domain(DomainOp::SetSedf(request.into()))
    },
};

pub(super) static GET: Operation = Operation {
    name: "cpu_sedf_get",
    label: "Show SEDF parameters",
    about: "Shows the parameters of the SEDF scheduler, or what those of today's schedulers mean in its terms.",
    when: &EVERYWHERE,
    loses: None,
    params: &[],
    success: Success::Answer,
    op: |asked| Ok(Query::Sedf(asked.target()).into()),
};

/// All of them must be there, as xm sends them; times in nanoseconds.
#[derive(Debug, Deserialize)]
struct Set {
    #[serde(deserialize_with = "whole")]
    period: u64,
    #[serde(deserialize_with = "whole")]
    slice: u64,
    #[serde(deserialize_with = "whole")]
    latency: u64,
    #[serde(deserialize_with = "flag")]
    extratime: bool,
    #[serde(deserialize_with = "whole")]
    weight: u32,
}

impl From<Set> for SedfParams {
    fn from(Set { period, slice, latency, extratime, weight }: Set) -> Self {
        Self {
            period: Duration::from_nanos(period),
            slice: Duration::from_nanos(slice),
            latency: Duration::from_nanos(latency),
            extratime,
            weight,
        }
    }
}

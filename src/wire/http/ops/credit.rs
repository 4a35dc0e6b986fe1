//! `domain_sched_credit_get`, `domain_sched_credit_set`, and the same for credit2

use super::{Operation, Success};
use crate::core::model::{DomainRef, Invalid, Scheduler};
use crate::core::op::{Change, DomainOp, Op, Query};
use crate::wire::http::params::{Params, whole};
use serde::{Deserialize, Deserializer};

pub(super) static GET: Operation = Operation {
    name: "domain_sched_credit_get",
    success: Success::Answer,
    op: |domain, _| Ok(Query::Sched(domain, Scheduler::Credit).into()),
};

pub(super) static SET: Operation = Operation {
    name: "domain_sched_credit_set",
    success: Success::Zero,
    op: |domain, params| set(domain, params, Scheduler::Credit),
};

pub(super) static GET2: Operation = Operation {
    name: "domain_sched_credit2_get",
    success: Success::Answer,
    op: |domain, _| Ok(Query::Sched(domain, Scheduler::Credit2).into()),
};

pub(super) static SET2: Operation = Operation {
    name: "domain_sched_credit2_set",
    success: Success::Zero,
    op: |domain, params| set(domain, params, Scheduler::Credit2),
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

fn set(domain: DomainRef, params: &Params, scheduler: Scheduler) -> Result<Op, Invalid> {
    let Share { weight, cap } = params.request()?;
    if weight.is_none() && cap.is_none() {
        return Err(Invalid::new("Missing parameter: weight"));
    }
    Ok(Change::Domain(domain, DomainOp::SetShare { scheduler, weight, cap }).into())
}

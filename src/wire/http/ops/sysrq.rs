//! `sysrq`

use super::{Operation, Success};
use crate::core::op::{Change, DomainOp};
use crate::wire::http::params::whole;
use serde::Deserialize;

pub(super) static SYSRQ: Operation = Operation {
    name: "sysrq",
    success: Success::Accepted,
    op: |domain, params| {
        let Sysrq { key } = params.request()?;
        Ok(Change::Domain(domain, DomainOp::Sysrq(key)).into())
    },
};

/// The key's character code: xm sends 115 for `s`.
#[derive(Debug, Deserialize)]
struct Sysrq {
    #[serde(deserialize_with = "whole")]
    key: u8,
}

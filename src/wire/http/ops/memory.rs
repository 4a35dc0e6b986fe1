//! `mem_target_set`, `maxmem_set`: MiB

use super::{Operation, Success};
use crate::core::op::{Change, DomainOp};
use crate::wire::http::params::whole;
use serde::Deserialize;

pub(super) static MEM_TARGET_SET: Operation = Operation {
    name: "mem_target_set",
    success: Success::Empty,
    op: |domain, params| {
        let MemTargetSet { target } = params.request()?;
        Ok(Change::Domain(domain, DomainOp::SetMemory(target)).into())
    },
};

pub(super) static MAXMEM_SET: Operation = Operation {
    name: "maxmem_set",
    success: Success::Zero,
    op: |domain, params| {
        let MaxmemSet { memory } = params.request()?;
        Ok(Change::Domain(domain, DomainOp::SetMaxMemory(memory)).into())
    },
};

#[derive(Debug, Deserialize)]
struct MemTargetSet {
    #[serde(deserialize_with = "whole")]
    target: u64,
}

#[derive(Debug, Deserialize)]
struct MaxmemSet {
    #[serde(deserialize_with = "whole")]
    memory: u64,
}

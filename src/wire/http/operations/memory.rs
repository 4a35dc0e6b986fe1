//! `mem_target_set`, `maxmem_set`: MiB

use super::table::{EVERYWHERE, Operation, Success, Takes, needed};
use crate::core::op::DomainOp;
use crate::wire::http::params::whole;
use serde::Deserialize;

pub(super) static MEM_TARGET_SET: Operation = Operation {
    name: "mem_target_set",
    label: "Set memory",
    about: "Tells the guest's balloon driver how much memory it is to have. It takes a moment.",
    when: &EVERYWHERE,
    loses: None,
    params: &[needed("target", Takes::Number("MiB"), "At most the domain's maxmem", "256")],
    success: Success::Empty,
    op: |asked| {
        let MemTargetSet { target } = asked.params.request()?;
        asked.domain(DomainOp::SetMemory(target))
    },
};

pub(super) static MAXMEM_SET: Operation = Operation {
    name: "maxmem_set",
    label: "Set maximum memory",
    about: "Sets how much memory the domain can be given.",
    when: &EVERYWHERE,
    loses: None,
    params: &[needed("memory", Takes::Number("MiB"), "At least what it has", "512")],
    success: Success::Zero,
    op: |asked| {
        let MaxmemSet { memory } = asked.params.request()?;
        asked.domain(DomainOp::SetMaxMemory(memory))
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

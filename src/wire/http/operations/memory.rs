//! `mem_target_set`, `maxmem_set`, in MiB.

use crate::core::model::DomainConfig;
use crate::core::op::DomainOp;
use crate::core::rights::OpKind;
use crate::core::snapshot::DomainView;
use crate::wire::http::operation::{ANY_STAGE, Operation, ParamKind, Success, required};
use crate::wire::http::params::{bad_value, mebibytes, mebibytes_of_any_size, out_of_range};
use crate::wire::http::quantity::Quantity;
use serde::Deserialize;

pub(super) static MEM_TARGET_SET: Operation = Operation {
    name: "mem_target_set",
    label: "Set memory",
    about: "Sets the memory target of the guest's balloon driver, which takes a moment to reach \
            it.",
    kinds: &[OpKind::SetMemory],
    stages: &ANY_STAGE,
    data_loss: None,
    params: &[required(
        "target",
        ParamKind::Quantity(Quantity::Mebibytes),
        "New memory target, at most maxmem",
        "256",
    )],
    success: Success::Empty,
    build: |request| {
        let MemTargetSet { target: asked } = request.params.parse()?;
        let target = u64::try_from(asked).map_err(|_| {
            let most = request.view.map_or(DomainConfig::MAX_MEMORY, |view| view.config.maxmem);
            let is_domain0 = request.view.is_some_and(DomainView::is_privileged);
            let least = if is_domain0 { request.policy.dom0_min_mem_mib } else { 1 };
            bad_value("target", out_of_range(asked, least, most) + " MiB")
        })?;
        request.change(DomainOp::SetMemory(target))
    },
};

pub(super) static MAXMEM_SET: Operation = Operation {
    name: "maxmem_set",
    label: "Set maximum memory",
    about: "Sets the upper limit of the domain's memory.",
    kinds: &[OpKind::SetMaxMemory],
    stages: &ANY_STAGE,
    data_loss: None,
    params: &[required(
        "memory",
        ParamKind::Quantity(Quantity::Mebibytes),
        "New limit, at least the current memory",
        "512",
    )],
    success: Success::Zero,
    build: |request| {
        let MaxmemSet { memory } = request.params.parse()?;
        request.change(DomainOp::SetMaxMemory(memory))
    },
};

#[derive(Debug, Deserialize)]
struct MemTargetSet {
    #[serde(deserialize_with = "mebibytes_of_any_size")]
    target: i128,
}

#[derive(Debug, Deserialize)]
struct MaxmemSet {
    #[serde(deserialize_with = "mebibytes")]
    memory: u64,
}

//! `vcpuinfo`, the one operation that GET performs too.

use super::{Operation, Success};
use crate::core::op::Query;

pub(super) static VCPUINFO: Operation =
    Operation { name: "vcpuinfo", success: Success::Answer, op: |domain, _| Ok(Query::Vcpus(domain).into()) };

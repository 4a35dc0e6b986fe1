//! The problem of an operation that failed: what the error says, and what the operation and the
//! domain add to it.

use super::json::names::Names;
use super::json::problem::Problem;
use super::obstacles::state_permits;
use super::operation::{DomainStage, Operation};
use super::operations::by_page::DOMAIN_OPERATIONS;
use super::request::RequestInfo;
use crate::core::error::Error;
use crate::core::snapshot::DomainView;

/// The problem of an error, with the parameter that it names, or with what the domain can do in its
/// present state.
pub(super) fn problem_of(
    request: &RequestInfo,
    operation: &Operation,
    names: Names,
    domain: Option<&DomainView>,
    error: &Error,
) -> Problem {
    let described = Problem::of(error);
    match (error, domain) {
        (Error::Invalid(refusal), _) => {
            let Some(param) = operation.param_of(refusal) else { return described };
            let described = described.about(names.of(param));
            match param.kind.allowed() {
                Some(allowed) => described.allowing(allowed.iter().copied()),
                None => described,
            }
        }
        (
            Error::BadState { .. }
            | Error::NotStarted(_)
            | Error::NotManaged(_)
            | Error::NoTransfer,
            Some(view),
        ) => {
            let stage = DomainStage::of(view);
            let access = request.access();
            let can = DOMAIN_OPERATIONS.iter().filter(|other| {
                other.name != operation.name
                    && other.stages.contains(&stage)
                    && state_permits(other.name, view)
                    && other.is_offered_on(&access, view)
            });
            described.allowing(can.map(|other| other.name))
        }
        _ => described,
    }
}

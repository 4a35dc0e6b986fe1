//! Questions before an operation that can lose data.

use super::errors::{invalid_request, malformed_request, shown};
use super::operation::Operation;
use super::request::RequestInfo;
use axum::response::Response;

/// A confirmation of none of the operations that ask for one.
pub(super) fn nothing_to_confirm(request: &RequestInfo, operations: &[&Operation]) -> Response {
    let Ok(op) = request.query.operation() else { return invalid_request(request) };
    let reason = if operations.iter().any(|operation| operation.name == op) {
        let page = request.path.trim_end_matches("/confirm");
        format!("{op} needs no confirmation, POST op={op} to {page}")
    } else {
        format!("There is no operation {} here", shown(&op))
    };
    malformed_request(request, &reason)
}

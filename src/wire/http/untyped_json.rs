//! A body in JSON that does not say so: the commonest mistake with curl.

use super::errors::{malformed_request, no_operation, sxp_error};
use super::format::Format;
use super::json::problem::Problem;
use super::json::problem_kind::ProblemKind;
use super::operation::Operation;
use super::request::RequestInfo;
use super::response::{because, respond};
use axum::response::Response;

/// What to do.
pub(super) const ADVICE: &str =
    "The body looks like JSON: send it with Content-Type: application/json";

/// The answer to a request with such a body, which names no operation. xend's answer was the empty
/// string; none of its clients sends JSON.
pub(super) fn refused(request: &RequestInfo, operations: &[&Operation]) -> Response {
    match request.format {
        Format::Json => {
            let text = format!("Missing parameter: op. {ADVICE}");
            let missing = Problem::new(ProblemKind::MISSING_PARAMETER, text).about("op");
            no_operation(request, operations, &missing)
        }
        Format::Html { .. } => malformed_request(request, ADVICE),
        Format::Sxp => because(respond(406, "Invalid request", sxp_error(ADVICE)), ADVICE),
    }
}

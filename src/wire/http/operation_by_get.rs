//! Operations that a program asks for by GET, which does none.
//!
//! xend ignored `op` in a query of GET, and so do we for its clients. A program of today is told
//! how an operation is done.

use super::errors::problem;
use super::format::Format;
use super::json::problem::Problem;
use super::json::problem_kind::ProblemKind;
use super::operation::ParamKind;
use super::page::Page;
use super::params::Params;
use axum::extract::Request;
use axum::http::Method;
use axum::response::Response;

/// The refusal of a request for JSON whose query has an operation; `None` if it has none, or one
/// that GET of the page does.
pub(super) fn refusal(page: &Page, request: &Request) -> Option<Response> {
    // A form for people says itself what it has no answer to.
    let is_form = page.is_form();
    if is_form || !matches!(*request.method(), Method::GET | Method::HEAD) {
        return None;
    }
    let query = Params::from_query(request.uri().query()?);
    let ops = query.values("op");
    if ops.is_empty() || Format::negotiate(request.headers()) != Format::Json {
        return None;
    }
    let done = page.query.iter().find_map(|param| match param.kind {
        ParamKind::Word(words) if param.name == "op" => Some(words),
        _ => None,
    });
    let done = done.unwrap_or_default();
    if ops.iter().all(|op| done.iter().any(|word| word.as_bytes() == &**op)) {
        return None;
    }
    let asked =
        page.operations.iter().find(|one| ops.iter().any(|op| one.name.as_bytes() == &**op));
    let text = match asked.or(page.operations.first()) {
        Some(operation) => format!(
            "GET does no operation: send {{\"op\": \"{}\"}} by POST, with Content-Type: \
             application/json",
            operation.name
        ),
        None => "GET does no operation, and this page has none".to_owned(),
    };
    let refused = Problem::new(ProblemKind::INVALID, text).about("op");
    Some(problem(&if done.is_empty() { refused } else { refused.allowing(done.iter().copied()) }))
}

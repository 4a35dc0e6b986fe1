//! Queries that a program of today got wrong.
//!
//! xend ignored parameters that a page does not have, and `op` in a query of GET, which does no
//! operation; so do we for its clients. A program of today is told what the page or the operation
//! has, and how an operation is done.

use super::errors::problem;
use super::format::Format;
use super::json::problem::Problem;
use super::json::problem_kind::ProblemKind;
use super::operation::{Operation, ParamKind};
use super::page::Page;
use super::params::Params;
use axum::extract::Request;
use axum::http::Method;
use axum::response::Response;
use xend_spelling::nearest;

/// The most characters of a parameter's name in a problem.
const MAX_SHOWN: usize = 40;

/// The refusal of a request for JSON that goes to a form for people, or whose query has a parameter
/// that the page does not have, or an operation that its GET does not do; `None` if there is none.
pub(super) fn refusal(page: &Page, request: &Request) -> Option<Response> {
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    if !is_read || Format::negotiate(request.headers()) != Format::Json {
        return None;
    }
    if page.is_form() {
        // Whether there is the domain or image of a form comes first, and whether it may be seen.
        return (!page.path.contains('{')).then(no_json);
    }
    let query = request.uri().query()?;
    let query = Params::from_query(query);
    operation(page, &query).or_else(|| unknown_parameter(page, &query))
}

/// The refusal of a request for JSON that goes to a form for people.
pub(super) fn no_json() -> Response {
    let text = "The page is a form for people, and has no JSON: operations are sent by POST to the \
                pages that have them, see /xend/openapi.json";
    problem(&Problem::new(ProblemKind::NOT_ACCEPTABLE, text))
}

fn unknown_parameter(page: &Page, query: &Params) -> Option<Response> {
    let names: Vec<&str> = page.query.iter().map(|param| param.name).collect();
    unknown_name(query, &names).map(|refused| problem(&refused))
}

/// The refusal of a request for JSON whose query has a parameter that `operation` does not have;
/// `None` if there is none. Beside a body in JSON, which stands alone, there is no query.
pub(super) fn refusal_of_post(
    query: &Params,
    operation: &Operation,
    has_json_body: bool,
) -> Option<Response> {
    let of_operation = operation.params.iter().map(|param| param.name);
    let names: Vec<&str> = ["op"].into_iter().chain(of_operation).collect();
    let refused = if has_json_body {
        let advice = "the parameters of an operation are members of the body";
        unknown_name(query, &[]).map(|unknown| unknown.with_advice(advice))
    } else {
        unknown_name(query, &names)
    };
    refused.map(|refused| problem(&refused))
}

/// The refusal of a parameter that is not one of `names`; `None` if there is none.
pub(super) fn unknown_name(query: &Params, names: &[&str]) -> Option<Problem> {
    let known = || names.iter().copied();
    let name = query.names().into_iter().find(|name| known().all(|known| known != name))?;
    let shown: String = name.chars().take(MAX_SHOWN).flat_map(char::escape_debug).collect();
    let advice = nearest(&name, known()).map(|known| format!(", did you mean {known}?"));
    let text = format!("Unknown parameter {shown}{}", advice.unwrap_or_default());
    let unknown = Problem::new(ProblemKind::UNKNOWN_PARAMETER, text).about(shown);
    Some(unknown.allowing(known()))
}

fn operation(page: &Page, query: &Params) -> Option<Response> {
    let ops = query.values("op");
    if ops.is_empty() {
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

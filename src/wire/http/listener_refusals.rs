//! Refusals of listeners, as problems.
//!
//! A listener refuses requests before a wire sees them, and knows no format but plain text. Clients
//! that ask for JSON get the same as a problem.

use super::format::Format;
use super::json::problem::Problem;
use super::json::problem_kind::ProblemKind;
use crate::core::ports::{RefusalReason, RequestRefusal};
use axum::body::Body;
use axum::extract::Request;
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::middleware::Next;
use axum::response::Response;

/// The middleware around all that can refuse a request: `axum::middleware::from_fn`. Status and
/// headers of a refusal stay.
pub async fn refusals_in_json(request: Request, next: Next) -> Response {
    let format = Format::negotiate(request.headers());
    let response = next.run(request).await;
    match response.extensions().get::<RequestRefusal>() {
        Some(refusal) if format == Format::Json => {
            let problem = Problem::new(kind(refusal.reason), refusal.text.clone());
            with_problem(response, &problem)
        }
        _ => response,
    }
}

const fn kind(reason: RefusalReason) -> &'static ProblemKind {
    match reason {
        RefusalReason::ForeignHost => ProblemKind::FOREIGN_HOST,
        RefusalReason::ForeignPage => ProblemKind::FOREIGN_PAGE,
        RefusalReason::Unencrypted => ProblemKind::NOT_PRIVATE,
        RefusalReason::WrongPassword => ProblemKind::WRONG_PASSWORD,
        RefusalReason::Busy => ProblemKind::BUSY,
        RefusalReason::Broken => ProblemKind::FAILED,
    }
}

fn with_problem(response: Response, problem: &Problem) -> Response {
    let (mut parts, _) = response.into_parts();
    let text = problem.to_json();
    parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    parts.headers.insert(CONTENT_LENGTH, text.len().into());
    Response::from_parts(parts, Body::from(text))
}

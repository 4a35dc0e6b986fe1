//! The pages on which clients follow operations that they do not wait for.

use super::answer;
use super::context::Http;
use super::engine_request::EngineAnswer;
use super::errors;
use super::etag::TaggedJson;
use super::json::problem::Problem;
use super::json::problem_kind::ProblemKind;
use super::request::RequestInfo;
use super::response::{Content, respond, with_location};
use super::tasks::{Ended, Task};
use crate::core::error::Error;
use crate::core::model::{Uuid, parse_uuid};
use crate::memory_budget::Reservation;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::response::Response;
use serde_json::value::RawValue;
use std::sync::Arc;

/// The page of a task is below it.
const PATH: &str = "/xend/task";

/// Carries out `work` as a task: `202`, with the task and its Location. `memory` is that of what
/// the work was made from.
pub(super) fn begin(
    http: &Http,
    request: &RequestInfo,
    op: &'static str,
    domain: Option<(String, Uuid)>,
    work: impl Future<Output = Result<EngineAnswer, Error>> + Send + 'static,
    memory: Option<Reservation>,
) -> Response {
    let id = http.engine().new_uuid();
    let owner = request.caller.principal.clone();
    let task = Task { op, owner, domain, began: http.engine().now(), ended: None };
    let json = answer::print(&task.to_json(id, &http.view(&request.caller)));
    if let Err(refusal) = http.tasks().begin(id, task) {
        return errors::problem(&refusal);
    }
    let shared = http.clone();
    http.engine().spawn(async move {
        let done = work.await;
        drop(memory);
        let outcome = match done {
            Ok(answer) => {
                let json = answer::json(&answer);
                let text = json.and_then(|json| String::from_utf8(json).ok());
                Ok(text.and_then(|text| RawValue::from_string(text).ok()).map(Arc::from))
            }
            Err(error) => Err(Problem::of(&error)),
        };
        shared.tasks().end(id, Ended { at: shared.engine().now(), outcome });
    });
    let mut response = respond(202, "Accepted", Content::Json(json.into()));
    let applied = HeaderValue::from_static("respond-async");
    response.headers_mut().insert("preference-applied", applied);
    with_location(response, &format!("{}{PATH}/{id}", request.origin))
}

/// `GET /xend/task`
pub(super) async fn list(State(http): State<Http>, request: RequestInfo) -> Response {
    let view = http.view(&request.caller);
    let tasks = http.tasks().all(&request.caller);
    let size = tasks.iter().map(|(_, task)| task.size()).sum();
    let print = || {
        TaggedJson::new(answer::print_list(tasks.iter().map(|(id, task)| task.to_json(*id, &view))))
    };
    let json = http.engine().print(size, print).await;
    json.respond(request.has_tags.as_deref())
}

/// `GET /xend/task/ID`
pub(super) async fn task(State(http): State<Http>, request: RequestInfo) -> Response {
    let id = parse_uuid(request.name()).ok();
    let task = id.and_then(|id| Some((id, http.tasks().get(id, &request.caller)?)));
    let Some((id, task)) = task else {
        let text = format!("No such task {}", request.name());
        return errors::problem(&Problem::new(ProblemKind::NO_SUCH_TASK, text));
    };
    let view = http.view(&request.caller);
    let print = || TaggedJson::new(answer::print(&task.to_json(id, &view)));
    let json = http.engine().print(task.size(), print).await;
    json.respond(request.has_tags.as_deref())
}

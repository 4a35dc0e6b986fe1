//! The pages on which clients follow operations that they do not wait for.

use super::answer;
use super::context::Http;
use super::engine_request::{EngineAnswer, EngineRequest};
use super::etag::TaggedJson;
use super::format::Format;
use super::json::names::Names;
use super::json::problem::Problem;
use super::json::problem_kind::ProblemKind;
use super::operation::Operation;
use super::operation_problem::problem_of;
use super::request::RequestInfo;
use super::response::{Content, ok, respond, with_location};
use super::tasks::{Ended, Task, TaskDomain};
use super::{errors, events, host};
use crate::core::model::{DomainRef, parse_uuid};
use crate::core::op::{Change, DomainOp, Outcome};
use crate::core::snapshot::DomainView;
use crate::memory_budget::Reservation;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::response::Response;
use serde_json::value::RawValue;
use std::sync::Arc;

/// The page of a task is below it.
const PATH: &str = "/xend/task";

/// Carries out an operation as a task: `202`, with the task and its Location. `domain` is the one
/// in the path, `memory` that of what the request was made from.
pub(super) fn begin(
    http: &Http,
    request: &RequestInfo,
    operation: &'static Operation,
    names: Names,
    domain: Option<&DomainView>,
    engine_request: EngineRequest,
    memory: Option<Reservation>,
) -> Response {
    let id = http.engine().new_uuid();
    let task = Task {
        op: operation.name,
        owner: request.caller.principal.clone(),
        domain: domain.map(TaskDomain::from).or_else(|| new_domain(&engine_request)),
        is_transfer: is_transfer(&engine_request),
        began: http.engine().now(),
        ended: None,
    };
    let json = answer::print(&task.to_json(id, &http.view(&request.caller).snapshot()));
    if let Err(refusal) = http.tasks().begin(id, task) {
        return errors::problem(&refusal);
    }
    let shared = http.clone();
    let request_info = request.clone();
    http.engine().spawn(async move {
        let done = engine_request.ask(shared.engine(), &request_info.caller).await;
        drop(memory);
        let made = match &done {
            Ok(EngineAnswer::Changed(Outcome::Domain(view))) => Some(TaskDomain::from(&**view)),
            _ => None,
        };
        let outcome = match done {
            Ok(answer) => {
                let json = answer::json(&answer);
                let text = json.and_then(|json| String::from_utf8(json).ok());
                Ok(text.and_then(|text| RawValue::from_string(text).ok()).map(Arc::from))
            }
            Err(error) => {
                let error = names.in_error(operation, error);
                let snapshot = shared.view(&request_info.caller).snapshot();
                let domain = snapshot.find(&DomainRef::new(request_info.name()));
                let domain = domain.filter(|_| !operation.stages.is_empty()).map(AsRef::as_ref);
                Err(problem_of(&request_info, operation, names, domain, &error))
            }
        };
        shared.tasks().end(id, Ended { at: shared.engine().now(), outcome }, made);
    });
    let mut response = respond(202, "Accepted", Content::Json(json.into()));
    let applied = HeaderValue::from_static("respond-async");
    response.headers_mut().insert("preference-applied", applied);
    with_location(response, &format!("{}{PATH}/{id}", request.origin))
}

/// The domain that a request makes; `None` if the request does not name it.
fn new_domain(request: &EngineRequest) -> Option<TaskDomain> {
    let EngineRequest::Change(Change::Create(config) | Change::Define(config)) = request else {
        return None;
    };
    Some(TaskDomain { name: config.name.to_string(), uuid: config.uuid })
}

/// Whether a request moves the memory of a domain.
const fn is_transfer(request: &EngineRequest) -> bool {
    let EngineRequest::Change(change) = request else { return false };
    match change {
        Change::Restore { .. } => true,
        Change::Domain(_, op) => matches!(
            op,
            DomainOp::Suspend
                | DomainOp::Resume { .. }
                | DomainOp::Save { .. }
                | DomainOp::Migrate { .. }
                | DomainOp::Dump { .. }
        ),
        _ => false,
    }
}

/// `GET /xend/task`
pub(super) async fn list(State(http): State<Http>, request: RequestInfo) -> Response {
    let view = http.view(&request.caller);
    let follow = events::follow_query(&http, &view, request.format);
    let snapshot = view.snapshot();
    let tasks = http.tasks().all(&request.caller);
    let size = tasks.iter().map(|(_, task)| task.size()).sum();
    // A client of JSON may leave Accept out, or send that of curl.
    if request.format == (Format::Html { explicit: true }) {
        let page = || host::tasks::page(&request, follow, &snapshot, &tasks).render();
        return ok(Content::Html(http.engine().print(size, page).await));
    }
    let print = || {
        let tasks = tasks.iter().map(|(id, task)| task.to_json(*id, &snapshot));
        TaggedJson::new(answer::print_list(tasks))
    };
    let json = http.engine().print(size, print).await;
    json.respond(request.has_tags.as_deref())
}

/// `GET /xend/task/ID`
pub(super) async fn task(State(http): State<Http>, request: RequestInfo) -> Response {
    let is_page = request.format == (Format::Html { explicit: true });
    let id = parse_uuid(request.name()).ok();
    let task = id.and_then(|id| Some((id, http.tasks().get(id, &request.caller)?)));
    let Some((id, task)) = task else {
        let text = format!("No such task {}", request.name());
        let missing = Problem::new(ProblemKind::NO_SUCH_TASK, text);
        if is_page {
            let hint = "A task is kept for an hour after its end, and until xend is restarted.";
            return errors::truly_refused(&request, &missing, hint);
        }
        return errors::problem(&missing);
    };
    let view = http.view(&request.caller);
    let follow = events::follow_query(&http, &view, request.format);
    let snapshot = view.snapshot();
    if is_page {
        let page = || host::tasks::task_page(&request, follow, &snapshot, id, &task).render();
        return ok(Content::Html(http.engine().print(task.size(), page).await));
    }
    let print = || TaggedJson::new(answer::print(&task.to_json(id, &snapshot)));
    let json = http.engine().print(task.size(), print).await;
    json.respond(request.has_tags.as_deref())
}

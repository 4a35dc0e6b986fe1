//! POST: finds the operation that `op` names, performs it, and answers with its result.

use super::body::{PostBody, PostContent, read_body};
use super::context::Http;
use super::engine_request::{EngineAnswer, EngineRequest, Query};
use super::errors::{
    busy, creation_failed, no_operation, no_operations, no_such_domain, operation_failed, problem,
    refused, unknown_operation,
};
use super::format::Format;
use super::host::upload::created_image;
use super::json::problem::Problem;
use super::json::problem_kind::ProblemKind;
use super::json::request::Arguments;
use super::operation::{Operation, OperationRequest, Success};
use super::operation_problem::problem_of;
use super::operations::by_page;
use super::page::Page;
use super::params::Params;
use super::path::domain_path;
use super::placed::{self, Performed, Placed};
use super::request::RequestInfo;
use super::response::{Content, because, ok, respond, see_other, with_location};
use super::{answer, domain_list, events, html, query_by_get, task_pages, untyped_json};
use crate::core::error::Error;
use crate::core::model::{DomainRef, Uuid};
use crate::core::op::Outcome;
use crate::memory_budget::Reservation;
use crate::sxp::Limits;
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_LENGTH;
use axum::response::Response;
use xend_spelling::nearest;

/// `POST` to a page.
pub(super) async fn dispatch(
    page: &'static Page,
    http: Http,
    request: RequestInfo,
    raw_request: Request,
) -> Result<Response, Response> {
    if page.operations.is_empty() {
        return Err(no_operations(&request));
    }
    let headers = placed::headers(page, &raw_request);
    let body = read(&http, &request, raw_request).await?;
    let engine = http.engine().clone();
    let size = request.query.encoded_len() + body.size;
    let performed = async move { perform_named(page, &http, &request, body, headers).await };
    engine.offload(size, Box::pin(performed)).await
}

/// Reads the body. Its errors are those of the request.
async fn read(
    http: &Http,
    request: &RequestInfo,
    raw_request: Request,
) -> Result<PostBody, Response> {
    let max_body = http.max_body();
    read_body(http, raw_request, max_body).await.map_err(|error| error.answer(request, max_body))
}

/// Performs the operation that the body names.
async fn perform_named(
    page: &Page,
    http: &Http,
    request: &RequestInfo,
    body: PostBody,
    headers: HeaderMap,
) -> Result<Response, Response> {
    let PostBody { content, mut memory, .. } = body;
    if page.is_domain() {
        let domain = DomainRef::new(request.name());
        if http.view(&request.caller).snapshot().find(&domain).is_none() {
            return Err(no_such_domain(request, domain.as_str()));
        }
    }
    if request.format == Format::Json {
        let unknown = match content {
            PostContent::Other { is_empty: false } => Some("A body is application/json, or a form"),
            PostContent::UntypedJson { form: None } => Some(untyped_json::ADVICE),
            _ => None,
        };
        if let Some(text) = unknown {
            return Err(problem(&Problem::new(ProblemKind::UNKNOWN_MEDIA, text)));
        }
    }
    let is_untyped_json = matches!(content, PostContent::UntypedJson { .. });
    // A form replaces parameters of the query; JSON stands alone.
    let body = match content {
        PostContent::Json(json) => Err(json),
        PostContent::Form(form) | PostContent::UntypedJson { form: Some(form) } => {
            Ok(request.query.overridden_by(form))
        }
        PostContent::UntypedJson { form: None } | PostContent::Other { .. } => {
            Ok(request.query.clone())
        }
    };
    let op = match &body {
        Ok(params) => params.operation().map_err(Problem::from),
        Err(json) => json.op().map(str::to_owned),
    };
    let op = op.map_err(|refusal| {
        if is_untyped_json {
            untyped_json::refused(request, page.operations)
        } else {
            no_operation(request, page.operations, &refusal)
        }
    })?;
    let known = page.operations.iter().find(|operation| operation.name == op);
    let Some(operation) = known.copied() else {
        let is_plain = page.is_text() && request.format != Format::Json;
        let plain = is_plain.then(|| request.with_format(Format::Html { explicit: false }));
        let request = plain.as_ref().unwrap_or(request);
        let advice = advice_on_operation(page, &op);
        return Ok(unknown_operation(request, &op, page.operations, advice.as_deref()));
    };
    let is_checked = request.format == Format::Json;
    let refusal = || query_by_get::refusal_of_post(&request.query, operation, body.is_err());
    if let Some(refusal) = is_checked.then(refusal).flatten() {
        return Err(refusal);
    }
    let placed = Placed::of(operation, body.as_ref());
    let arguments = match body {
        Ok(params) => params.into(),
        Err(json) => json
            .arguments(operation)
            .map_err(|refusal| refused(request, operation.name, &refusal))?,
    };
    if let Some(placed) = placed {
        memory.grow(placed.len()).map_err(|over| busy(request, &over.to_string()))?;
        let placed = (placed, headers);
        return match placed::pass(http, request, operation, &arguments, placed).await? {
            Performed::There(answer) => Ok(answer),
            Performed::Here(host) => {
                let answer = perform(http, request, operation, arguments, Some(memory)).await;
                Ok(placed::naming(answer, host))
            }
        };
    }
    Ok(perform(http, request, operation, arguments, Some(memory)).await)
}

/// What a client meant by an operation that the page does not have.
fn advice_on_operation(page: &Page, op: &str) -> Option<String> {
    let names = page.operations.iter().map(|operation| operation.name);
    let on_other_page = || {
        let path = by_page::path_of(op)?;
        Some(format!("it is an operation of {path}"))
    };
    on_other_page().or_else(|| Some(format!("did you mean {}?", nearest(op, names)?)))
}

/// Performs an operation and answers with its result. `memory` is that of the arguments, and of
/// what the engine is given.
pub(super) async fn perform(
    http: &Http,
    request: &RequestInfo,
    operation: &'static Operation,
    arguments: Arguments,
    memory: Option<Reservation>,
) -> Response {
    let Arguments { params, config, names } = arguments;
    let is_page_form = request.format == Format::Html { explicit: true };
    // Forms of pages send fields that were left empty.
    let filled = is_page_form.then(|| {
        let params = params.without_blank(|name| operation.has_optional(name));
        params.with_line_feeds(|name| operation.has_text_area(name))
    });
    let params = filled.as_ref().unwrap_or(&params);
    let view = http.view(&request.caller);
    let follow = events::follow_query(http, &view, request.format);
    let snapshot = view.snapshot();
    let domain = if operation.stages.is_empty() {
        None
    } else {
        snapshot.find(&DomainRef::new(request.name())).map(AsRef::as_ref)
    };
    let new_uuid = http.engine().new_uuid();
    let operation_request = OperationRequest {
        name: request.name(),
        view: domain,
        params,
        config: config.as_ref(),
        policy: &view.policy(),
        new_uuid,
    };
    // For the tree of a configuration, until the model has been made of it.
    let mut tree = http.budget().reservation();
    let length = params.encoded_len();
    if let Err(over) = tree.grow(Limits::DEFAULT.most_memory(length, length)) {
        return busy(request, &over.to_string());
    }
    let engine_request = operation.request(&operation_request);
    drop((tree, config));
    let answer = match engine_request {
        Ok(EngineRequest::ListDomains) => {
            return match domain_list::perform(http, &view, request, params, follow).await {
                Ok(list) => ok(list),
                Err(error) => operation_failed(request, operation.name, &error),
            };
        }
        Ok(engine_request) if is_wanted_as_task(request, &engine_request) => {
            return task_pages::begin(
                http,
                request,
                operation,
                names,
                domain,
                engine_request,
                memory,
            );
        }
        Ok(engine_request) => engine_request.ask(http.engine(), &request.caller).await,
        Err(invalid) => Err(Error::Invalid(invalid)),
    };
    let answer = answer.map_err(|error| names.in_error(operation, error));
    let exists = !matches!(answer, Err(Error::NoSuchDomain(_) | Error::NoSuchVnet(_)));
    let is_permitted = !matches!(answer, Err(Error::NotPermitted { .. }));
    let response = match answer {
        Ok(answer) => succeeded(request, operation, params, &answer, new_uuid),
        Err(error) if request.format == Format::Json => {
            let problem = problem(&problem_of(request, operation, names, domain, &error));
            return because(problem, error.for_record());
        }
        Err(error) if is_page_form && exists && is_permitted && operation.reads_domain_config() => {
            creation_failed(request, operation.name, params, &error)
        }
        Err(error) => operation_failed(request, operation.name, &error),
    };
    // Failures have the Location as well, unless the domain does not exist.
    if operation.success == Success::Accepted && exists && request.format != Format::Json {
        with_location(response, &request.parent_location())
    } else {
        response
    }
}

/// Whether the client wants to follow it, and it is not a question.
fn is_wanted_as_task(request: &RequestInfo, engine_request: &EngineRequest) -> bool {
    let can_be_long = matches!(
        engine_request,
        EngineRequest::Change(_) | EngineRequest::Query(Query::DevicesConnected(_))
    );
    request.prefers_task && request.format == Format::Json && can_be_long
}

/// The answer of an operation that is done. If it made an image, that is `new_uuid`.
fn succeeded(
    request: &RequestInfo,
    operation: &Operation,
    params: &Params,
    answer: &EngineAnswer,
    new_uuid: Uuid,
) -> Response {
    // A script that does not ask for pages gets xend's answer.
    let wants_page = request.format == Format::Html { explicit: true };
    match operation.success {
        Success::Answer(_) => ok(answer::content(request, operation.name, answer)),
        Success::Created | Success::Restored => created(request, operation, answer),
        Success::Listed(page) | Success::Made(page) if wants_page => see_other(page),
        Success::Made(_) => created_image(request, new_uuid),
        Success::Accepted | Success::Empty | Success::Listed(_) | Success::Zero
            if request.format == Format::Json =>
        {
            no_content()
        }
        Success::Accepted if wants_page => respond(
            202,
            "Accepted",
            Content::Html(html::message::done(request, operation.name, params)),
        ),
        Success::Empty | Success::Zero if wants_page => {
            ok(Content::Html(html::message::done(request, operation.name, params)))
        }
        Success::Accepted => respond(202, "Accepted", Content::Empty),
        Success::Empty | Success::Listed(_) => ok(Content::Empty),
        Success::Zero => ok(Content::data(request.format, "0".into())),
    }
}

/// `204 No Content`, which has no length either.
fn no_content() -> Response {
    let mut response = respond(204, "No Content", Content::Empty);
    response.headers_mut().remove(CONTENT_LENGTH);
    response
}

/// `201`, with the domain's Location.
fn created(request: &RequestInfo, operation: &Operation, answer: &EngineAnswer) -> Response {
    let EngineAnswer::Changed(Outcome::Domain(view)) = answer else {
        return ok(answer::content(request, operation.name, answer));
    };
    let url = format!("{}{}", request.origin, domain_path(view.name().as_str()));
    let content = match request.format {
        Format::Html { .. } => Content::Html(html::create::created(request, view, &url)),
        Format::Sxp if operation.success == Success::Restored => Content::Empty,
        Format::Sxp | Format::Json => answer::content(request, operation.name, answer),
    };
    // xend's phrase for create, and HTTP's for restore.
    let is_old = operation.success == Success::Created && request.format != Format::Json;
    with_location(respond(201, if is_old { "created" } else { "Created" }, content), &url)
}

//! POST: finds the operation that `op` names, performs it, and answers with its result.

use super::body::{BodyError, Form, read_form};
use super::context::Http;
use super::engine_request::{EngineAnswer, EngineRequest};
use super::errors::{
    busy, creation_failed, invalid_request, malformed_request, no_such_domain, operation_failed,
    unknown_operation,
};
use super::format::Format;
use super::operation::{Operation, OperationRequest, Success};
use super::operations::by_page;
use super::page::Page;
use super::params::Params;
use super::path::encode_segment;
use super::request::RequestInfo;
use super::response::{Content, ok, respond, with_location};
use super::{answer, domain_list, events, html};
use crate::core::error::Error;
use crate::core::model::DomainRef;
use crate::core::op::Outcome;
use crate::sxp::Limits;
use axum::extract::Request;
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
        let text = format!("Not implemented: {} has no operations", request.path);
        return Err(respond(501, "Not implemented", Content::Text(text.into())));
    }
    let Form { params, memory } = read_params(&http, &request, raw_request).await?;
    let engine = http.engine().clone();
    let size = params.encoded_len();
    let performed = Box::pin(async move {
        let answered = perform_named(page, &http, &request, &params).await;
        drop((params, memory));
        answered
    });
    engine.offload(size, performed).await
}

/// Performs the operation that the parameters name.
async fn perform_named(
    page: &Page,
    http: &Http,
    request: &RequestInfo,
    params: &Params,
) -> Result<Response, Response> {
    if page.is_domain() {
        let domain = DomainRef::new(request.name());
        if http.view(&request.caller).snapshot().find(&domain).is_none() {
            return Err(no_such_domain(request, domain.as_str()));
        }
    }
    let op = params.operation().ok_or_else(|| invalid_request(request))?;
    if let Some(operation) = page.operations.iter().find(|operation| operation.name == op) {
        return Ok(perform(http, request, operation, params).await);
    }
    let advice = advice_on_operation(page, &op);
    let plain = page.is_text.then(|| request.with_format(Format::Html { explicit: false }));
    Ok(unknown_operation(plain.as_ref().unwrap_or(request), &op, advice.as_deref()))
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

/// Reads the parameters of the query and of the body, as one form.
async fn read_params(
    http: &Http,
    request: &RequestInfo,
    raw_request: Request,
) -> Result<Form, Response> {
    let max_body = http.max_body();
    match read_form(http, raw_request, max_body).await {
        Ok(form) => Ok(Form { params: request.query.overridden_by(form.params), ..form }),
        Err(BodyError::OverBudget(over)) => Err(busy(request, &over.to_string())),
        Err(BodyError::TooLarge) => {
            let text = format!(
                "The body is larger than {max_body} bytes, see xend-max-body in xend-config.sxp"
            );
            Err(respond(413, "Request entity too large", Content::Text(text.into())))
        }
        Err(BodyError::Malformed(reason)) => Err(malformed_request(request, &reason)),
    }
}

/// Performs an operation and answers with its result.
pub(super) async fn perform(
    http: &Http,
    request: &RequestInfo,
    operation: &Operation,
    params: &Params,
) -> Response {
    let is_page_form = request.format == Format::Html { explicit: true };
    // Forms of pages send fields that were left empty.
    let filled = is_page_form.then(|| {
        let params = params.without_blank(|name| operation.has_optional(name));
        params.with_line_feeds(|name| operation.has_text_area(name))
    });
    let params = filled.as_ref().unwrap_or(params);
    let view = http.view(&request.caller);
    let follow = events::follow_query(http, &view, request.format);
    let snapshot = view.snapshot();
    let domain = if operation.stages.is_empty() {
        None
    } else {
        snapshot.find(&DomainRef::new(request.name())).map(AsRef::as_ref)
    };
    let operation_request =
        OperationRequest { name: request.name(), view: domain, params, policy: &view.policy() };
    // For the tree of a configuration, until the model has been made of it.
    let mut tree = http.budget().reservation();
    let length = params.encoded_len();
    if let Err(over) = tree.grow(Limits::DEFAULT.most_memory(length, length)) {
        return busy(request, &over.to_string());
    }
    let engine_request = operation.request(&operation_request);
    drop(tree);
    let answer = match engine_request {
        Ok(EngineRequest::Change(change)) => {
            http.engine().execute(&request.caller, change).await.map(EngineAnswer::Changed)
        }
        Ok(EngineRequest::Query(query)) => query.ask(&view).await,
        Ok(EngineRequest::ListDomains) => {
            return match domain_list::perform(http, &view, request, params, follow).await {
                Ok(list) => ok(list),
                Err(error) => operation_failed(request, operation.name, &error),
            };
        }
        Err(invalid) => Err(Error::Invalid(invalid)),
    };
    let exists = !matches!(answer, Err(Error::NoSuchDomain(_) | Error::NoSuchVnet(_)));
    let is_permitted = !matches!(answer, Err(Error::NotPermitted { .. }));
    let response = match answer {
        Ok(answer) => succeeded(request, operation, &answer),
        Err(error) if is_page_form && exists && is_permitted && operation.reads_domain_config() => {
            creation_failed(request, operation.name, params, &error)
        }
        Err(error) => operation_failed(request, operation.name, &error),
    };
    // Failures have the Location as well, unless the domain does not exist.
    if operation.success == Success::Accepted && exists {
        with_location(response, &request.parent_location())
    } else {
        response
    }
}

fn succeeded(request: &RequestInfo, operation: &Operation, answer: &EngineAnswer) -> Response {
    // A script that does not ask for pages gets xend's answer.
    let wants_page = request.format == Format::Html { explicit: true };
    match operation.success {
        Success::Answer => ok(answer::content(request, operation.name, answer)),
        Success::Created | Success::Restored => created(request, operation, answer),
        Success::Accepted if wants_page => {
            respond(202, "Accepted", Content::Html(html::message::done(request, operation.name)))
        }
        Success::Empty | Success::Zero if wants_page => {
            ok(Content::Html(html::message::done(request, operation.name)))
        }
        Success::Accepted => respond(202, "Accepted", Content::Empty),
        Success::Empty => ok(Content::Empty),
        Success::Zero => ok(Content::data(request.format, "0".into())),
    }
}

/// `201`, with the domain's Location.
fn created(request: &RequestInfo, operation: &Operation, answer: &EngineAnswer) -> Response {
    let EngineAnswer::Changed(Outcome::Domain(view)) = answer else {
        return ok(answer::content(request, operation.name, answer));
    };
    let url = format!("{}/xend/domain/{}", request.origin, encode_segment(view.name().as_str()));
    let content = match request.format {
        Format::Html { .. } => Content::Html(html::create::created(request, view, &url)),
        Format::Sxp if operation.success == Success::Restored => Content::Empty,
        Format::Sxp | Format::Json => answer::content(request, operation.name, answer),
    };
    // xend's phrase for create, and HTTP's for restore.
    let phrase = if operation.success == Success::Restored { "Created" } else { "created" };
    with_location(respond(201, phrase, content), &url)
}

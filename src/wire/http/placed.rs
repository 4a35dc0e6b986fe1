//! `host` of `create` and `new` on a host in a fleet: the domain goes to the host of this name, or
//! to the one that suits it best. The request is passed on to that host, as requests about its
//! pages are.

use super::context::Http;
use super::engine_request::EngineRequest;
use super::errors::{busy, operation_failed, truly_refused};
use super::host::fleet::unknown;
use super::json::problem::Problem;
use super::json::problem_kind::ProblemKind;
use super::json::request::{Arguments, JsonBody};
use super::operation::{Operation, OperationRequest};
use super::page::Page;
use super::params::{Params, bad_value};
use super::pass_on::{self, is_for_old_client};
use super::request::RequestInfo;
use crate::core::error::Error;
use crate::core::model::{DomainConfig, Uuid};
use crate::core::op::Change;
use crate::core::view::{FleetHost, NotPlaced, View};
use crate::memory_budget::OverBudget;
use crate::sxp::Limits;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, UPGRADE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::response::Response;

/// The parameter.
const HOST: &str = "host";
/// The host that suits the domain best.
const AUTO: &str = "auto";
/// The page that does it.
const PATH: &str = "/xend/domain";
/// The header of the answer that names the host.
const HOST_HEADER: HeaderName = HeaderName::from_static("x-xend-host");
/// What to do when no host is found, and when this one is not to find one.
const MAKE_ROOM: &str = "Name a host, or make room on one.";
const ASK_ITSELF: &str = "Leave host out, or ask a host itself.";

/// The headers of a request to a page with such operations: the other host gets them.
pub(super) fn headers(page: &Page, request: &Request) -> HeaderMap {
    let has_host = page.operations.iter().any(|operation| is_placed(operation));
    if has_host { request.headers().clone() } else { HeaderMap::new() }
}

fn is_placed(operation: &Operation) -> bool {
    operation.has_optional(HOST)
}

/// A request that may name a host.
pub(super) struct Placed {
    media: HeaderValue,
    /// The body without the host.
    body: Vec<u8>,
}

impl Placed {
    /// The request, if it has the parameter. What it says is checked later.
    pub(super) fn of(operation: &Operation, body: Result<&Params, &JsonBody>) -> Option<Self> {
        let has_host = match body {
            Ok(params) => !params.values(HOST).is_empty(),
            Err(json) => json.has(HOST),
        };
        (has_host && is_placed(operation)).then(|| Self {
            media: HeaderValue::from_static(match body {
                Ok(_) => "application/x-www-form-urlencoded",
                Err(_) => "application/json",
            }),
            body: match body {
                Ok(params) => params.form_without(HOST),
                Err(json) => json.text_without(HOST),
            },
        })
    }

    /// The bytes that it takes in memory.
    pub(super) fn len(&self) -> usize {
        self.body.len()
    }

    /// The request for the other host.
    fn request(self, mut headers: HeaderMap) -> Request {
        headers.remove(UPGRADE);
        headers.insert(CONTENT_TYPE, self.media);
        headers.insert(CONTENT_LENGTH, self.body.len().into());
        let mut request = Request::new(Body::from(self.body));
        *request.method_mut() = Method::POST;
        *request.headers_mut() = headers;
        request
    }
}

/// Where an operation is performed.
pub(super) enum Performed {
    /// On this host, which has done nothing yet. It is named in the answer, unless the operation
    /// fails anywhere.
    Here(Option<HeaderValue>),
    /// On another host, which answers this.
    There(Response),
}

/// Passes an operation on to the host that it names, if that is another one.
pub(super) async fn pass(
    http: &Http,
    request: &RequestInfo,
    operation: &Operation,
    arguments: &Arguments,
    (placed, headers): (Placed, HeaderMap),
) -> Result<Performed, Response> {
    let host = arguments.params.text(HOST);
    let host =
        host.map_err(|invalid| operation_failed(request, operation.name, &invalid.into()))?;
    // Forms of pages send fields that were left empty.
    let Some(host) = host.filter(|host| !host.is_empty()) else {
        return Ok(Performed::Here(None));
    };
    let view = http.view(&request.caller);
    let name = if host == AUTO {
        let config = config(http, &view, request, operation, arguments);
        let Some(config) = config.map_err(|over| busy(request, &over.to_string()))? else {
            return Ok(Performed::Here(None));
        };
        let chosen = view.host_for(&config).await;
        chosen.map_err(|reason| not_placed(request, operation, &reason))?.to_string()
    } else {
        host
    };
    let host = view.fleet_host(&name).await.map_err(|error| unknown(request, &error))?;
    let value = HeaderValue::try_from(&name).ok();
    match host {
        Some(FleetHost::Own) => Ok(Performed::Here(value)),
        Some(FleetHost::Other(host)) => {
            let asked = placed.request(headers);
            let answer = pass_on::ask(http, request, *host, PATH, asked).await?;
            Ok(Performed::There(naming(answer, value)))
        }
        None => {
            let reason = format!("there is no host {name:?} in the fleet, write {AUTO} or a name");
            let invalid = bad_value(HOST, reason);
            Err(operation_failed(request, operation.name, &invalid.into()))
        }
    }
}

/// An answer that names the host.
pub(super) fn naming(mut answer: Response, host: Option<HeaderValue>) -> Response {
    if let Some(host) = host {
        answer.headers_mut().insert(HOST_HEADER, host);
    }
    answer
}

/// The configuration of the new domain; `None` if it cannot be read.
fn config(
    http: &Http,
    view: &View,
    request: &RequestInfo,
    operation: &Operation,
    arguments: &Arguments,
) -> Result<Option<Box<DomainConfig>>, OverBudget> {
    let mut tree = http.budget().reservation();
    let length = arguments.params.encoded_len();
    tree.grow(Limits::DEFAULT.most_memory(length, length))?;
    let engine_request = operation.request(&OperationRequest {
        name: request.name(),
        view: None,
        params: &arguments.params,
        config: arguments.config.as_ref(),
        policy: &view.policy(),
        new_uuid: Uuid::nil(),
    });
    Ok(match engine_request {
        Ok(EngineRequest::Change(Change::Create(config) | Change::Define(config))) => Some(config),
        _ => None,
    })
}

fn not_placed(request: &RequestInfo, operation: &Operation, reason: &NotPlaced) -> Response {
    let (kind, hint) = match reason {
        NotPlaced::PassedOnBefore(_) => (ProblemKind::LOOP, ASK_ITSELF),
        NotPlaced::NoHost(_) => (ProblemKind::NO_HOST, MAKE_ROOM),
        NotPlaced::Failed(error @ (Error::Invalid(_) | Error::BeyondLimits(_))) => {
            return operation_failed(request, operation.name, error);
        }
        NotPlaced::Failed(error) => return unknown(request, error),
    };
    let text = reason.to_string();
    if is_for_old_client(request) {
        let error = Error::Unreachable { message: text, source: None };
        return operation_failed(request, operation.name, &error);
    }
    truly_refused(request, &Problem::new(kind, text), hint)
}

//! `/xend/host/NAME/domain` and below, `/xend/host/NAME/node`: pages of another host of the fleet.
//!
//! The request is passed on to that host, which answers as it answers its own callers, with the
//! rights that the caller has here. A host's own name leads to its own pages.

use super::body::DRAIN_LIMIT;
use super::context::Http;
use super::errors::{
    malformed_request, method_not_supported, operation_failed, too_large, truly_refused,
};
use super::format::Format;
use super::host::fleet::{host_path, unknown};
use super::json::problem::Problem;
use super::json::problem_kind::ProblemKind;
use super::page::Page;
use super::path::{decode, with_path};
use super::peer_body::{PeerBody, is_too_long};
use super::peer_call::{PeerCall, REQUEST_HEADER};
use super::peer_exchange::{PeerAnswer, Unanswered, described};
use super::request::RequestInfo;
use crate::core::caller::Caller;
use crate::core::error::Error;
use crate::core::fleet::{HostName, Member};
use crate::core::rights::OpKind;
use crate::core::view::{FleetHost, NotAsked, View};
use crate::long_body::is_too_slow;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{
    ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HOST, IF_NONE_MATCH, UPGRADE, UPGRADE_INSECURE_REQUESTS,
    USER_AGENT,
};
use axum::http::{HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use std::time::Duration;

/// How long a host may take to answer a question.
const QUESTION_LIMIT: Duration = Duration::from_secs(30);
/// How long a host may take to do what it is asked to; one that has gone is noticed before.
const CHANGE_LIMIT: Duration = Duration::from_secs(3600);
/// The longest answer of another host, in bytes.
const MAX_ANSWER: usize = 256 << 20;
/// The most hosts that an error names.
const MOST_NAMED: usize = 20;

/// The headers of a request that pass. The others are about the client's connection, or secret.
const PASSED: [HeaderName; 6] =
    [ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, IF_NONE_MATCH, UPGRADE_INSECURE_REQUESTS, USER_AGENT];

/// The operation that errors name.
const OP: &str = "host";

/// Makes a path below this host's own name that of its own page.
pub(super) async fn own_pages(State(http): State<Http>, request: Request, next: Next) -> Response {
    let own = own_path(request.uri().path(), || http.view(&Caller::internal()).own_host());
    next.run(match own {
        Some(path) => {
            let mut request = with_path(request, path);
            request.extensions_mut().insert(OfThisHost);
            request
        }
        None => request,
    })
    .await
}

/// A request that names this host: it is about what is here.
#[derive(Debug, Clone, Copy)]
pub(super) struct OfThisHost;

/// `/xend/node` for `/xend/host/xen1/node` on xen1; `None` for a path that is no such one.
fn own_path(path: &str, own: impl FnOnce() -> Option<HostName>) -> Option<String> {
    let below = path.trim_start_matches('/').strip_prefix("xend/")?;
    let below = below.trim_start_matches('/').strip_prefix("host/")?;
    let (name, page) = below.trim_start_matches('/').split_once('/')?;
    let page = page.trim_start_matches('/');
    // The same pages as those of other hosts.
    let is_passed_on = match page.split_once('/').unwrap_or((page, "")) {
        ("domain", _) => true,
        ("node", below) => below.trim_start_matches('/').is_empty(),
        _ => false,
    };
    let is_own = || own().is_some_and(|own| own.as_str() == decode(name));
    (is_passed_on && is_own()).then(|| format!("/xend/{page}"))
}

/// A page of another host.
pub(super) async fn pass(
    State(http): State<Http>,
    info: RequestInfo,
    request: Request,
) -> Result<Response, Response> {
    let methods: &[&str] = &["GET", "HEAD", "POST"];
    if !methods.contains(&request.method().as_str()) {
        return Err(method_not_supported(request.method(), request.headers(), methods));
    }
    let view = http.view(&info.caller);
    let host = view.fleet_host(info.name()).await.map_err(|error| unknown(&info, &error))?;
    let Some(FleetHost::Other(host)) = host else {
        return Err(no_such_host(&view, &info).await);
    };
    // `/xend/host/NAME/domain/web1`
    let page = info.path.splitn(5, '/').nth(4).unwrap_or_default();
    let path = format!("/xend/{page}");
    ask(&http, &info, *host, &path, request).await
}

/// What another host answers for its page at this path.
pub(super) async fn ask(
    http: &Http,
    info: &RequestInfo,
    (host, member): (HostName, Member),
    path: &str,
    request: Request,
) -> Result<Response, Response> {
    if request.headers().contains_key(UPGRADE) {
        let text = format!("Consoles and screens are at the host that has the domain: ask {host}");
        return Err(failure(info, ProblemKind::NOT_PASSED_ON, text));
    }
    let asked = http.view(&info.caller).ask_host(&host, &member).await;
    let (stream, on_behalf) = asked.map_err(|error| match error {
        NotAsked::PassedOnBefore { .. } => failure(info, ProblemKind::LOOP, error.to_string()),
        NotAsked::Failed(error) if info.format == Format::Json || is_for_old_client(info) => {
            operation_failed(info, OP, &error)
        }
        NotAsked::Failed(error) => truly_refused(info, &Problem::of(&error), HINT),
    })?;
    let call = PeerCall::new(&on_behalf, &info.origin, host_path(host.as_str()));
    let header = call.encode().and_then(|call| HeaderValue::try_from(call).ok());
    let header = header.ok_or_else(|| {
        let text =
            format!("{host} cannot be asked: the account has too many domains, use patterns");
        failure(info, ProblemKind::REMOTE, text)
    })?;
    let is_change = *request.method() == Method::POST;
    let limit = if is_change { CHANGE_LIMIT } else { QUESTION_LIMIT };
    let max_body = http.max_body();
    let answer = PeerAnswer::to(passed(request, path, header, max_body), stream, limit).await;
    let answer = answer.map_err(|unanswered| match unanswered {
        Unanswered::OwnBody(error) => body_failed(info, &error, max_body),
        Unanswered::Refused(reason) => {
            let text = format!("{host} refuses the request: {reason}");
            failure(info, ProblemKind::REMOTE, text)
        }
        Unanswered::Lost(reason) if is_change => {
            let text = format!(
                "{host} was asked, and its answer is lost: {reason}. The change may have happened: \
                 look there before you ask again"
            );
            failure(info, ProblemKind::REMOTE, text)
        }
        Unanswered::NotSent(reason) | Unanswered::Lost(reason) => {
            failure(info, ProblemKind::REMOTE, format!("{host} does not answer: {reason}"))
        }
    })?;
    if answer.least_length() > u64::try_from(MAX_ANSWER).unwrap_or(u64::MAX) {
        let done = if is_change { "has done it, but its" } else { "answers, but the" };
        let most = MAX_ANSWER >> 20;
        let text = format!("{host} {done} answer is longer than {most} MiB: ask {host} itself");
        return Err(failure(info, ProblemKind::REMOTE, text));
    }
    Ok(answer.shown(MAX_ANSWER))
}

/// The answer to a client whose body has not arrived as a whole.
fn body_failed(info: &RequestInfo, error: &hyper::Error, max_body: usize) -> Response {
    if is_too_long(error) {
        return too_large(info, max_body);
    }
    if is_too_slow(error) {
        let text = "The body arrives too slowly: nothing was changed";
        return failure(info, ProblemKind::TOO_SLOW, text.to_owned());
    }
    malformed_request(info, &format!("The body broke off: {}", described(error)))
}

/// What to do about a host that cannot be asked.
const HINT: &str = "Its domains may still be running. The page of hosts says when it was heard of.";

/// The request for the other host. That host knows its own limit of bodies, and reads some more so
/// that its answer is seen.
fn passed(
    request: Request,
    path: &str,
    header: HeaderValue,
    max_body: usize,
) -> hyper::Request<PeerBody<Body>> {
    let (head, body) = request.into_parts();
    let query = head.uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let mut request =
        hyper::Request::new(PeerBody::new(body, max_body.saturating_add(DRAIN_LIMIT)));
    *request.method_mut() = head.method;
    if let Ok(target) = format!("{path}{query}").parse() {
        *request.uri_mut() = target;
    }
    let headers = request.headers_mut();
    for name in PASSED {
        if let Some(value) = head.headers.get(&name) {
            headers.insert(name, value.clone());
        }
    }
    headers.insert(HOST, HeaderValue::from_static("peer"));
    headers.insert(REQUEST_HEADER, header);
    request
}

/// `404`, with the names of the hosts that there are, for those who may know them.
async fn no_such_host(view: &View, info: &RequestInfo) -> Response {
    let mut text = format!("No such host {}", info.name());
    if view.may(OpKind::ShowFleet) {
        if let Ok(Some(fleet)) = view.fleet().await {
            let names = fleet.members.keys().take(MOST_NAMED).map(HostName::as_str);
            let names: Vec<_> = names.collect();
            let more = if fleet.members.size() > MOST_NAMED { ", ..." } else { "" };
            text = format!("{text}: the fleet has {}{more}", names.join(", "));
        }
    }
    failure(info, ProblemKind::NO_SUCH_OBJECT, text)
}

/// The answer to a request that cannot be passed on.
pub(super) fn failure(info: &RequestInfo, kind: &'static ProblemKind, text: String) -> Response {
    if is_for_old_client(info) {
        let error = Error::Unreachable { message: text, source: None };
        return operation_failed(info, OP, &error);
    }
    truly_refused(info, &Problem::new(kind, text), HINT)
}

/// Whether the answer is for a client of xend on a page of xend's: it shows the bodies of 500 and
/// 404 alone.
pub(super) fn is_for_old_client(info: &RequestInfo) -> bool {
    info.format == Format::Sxp && info.is_of_xend()
}

/// Whether a page is one of another host.
pub(super) fn is_passed_on(page: &Page) -> bool {
    page.path.starts_with("/xend/host/{host}/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_name_leads_to_the_own_pages() {
        let own = |path: &str| own_path(path, || "xen1".parse().ok());
        for (path, page) in [
            ("/xend/host/xen1/domain", "/xend/domain"),
            ("//xend//host/xen1//domain/a/b/", "/xend/domain/a/b/"),
            ("/xend/host/xen%31/node", "/xend/node"),
            ("/xend/host/xen1/node//", "/xend/node//"),
        ] {
            assert_eq!(own(path).as_deref(), Some(page), "{path}");
        }
        for path in [
            "/xend/host/xen1",
            "/xend/host/xen2/domain",
            "/xend/host/xen1/domains",
            "/xend/host/xen1/node/storage",
            "/xend/host/xen1/host/xen1/node",
            "/xend/domain/xen1/domain",
        ] {
            assert_eq!(own(path), None, "{path}");
        }
    }
}

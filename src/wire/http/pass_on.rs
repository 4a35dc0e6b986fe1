//! `/xend/host/NAME/domain` and below, `/xend/host/NAME/node`: pages of another host of the fleet.
//!
//! The request is passed on to that host, which answers as it answers its own callers, with the
//! rights that the caller has here. A host's own name leads to its own pages.

use super::context::Http;
use super::errors::{method_not_supported, operation_failed, truly_refused};
use super::format::Format;
use super::host::fleet::{host_path, unknown};
use super::json::problem::Problem;
use super::json::problem_kind::ProblemKind;
use super::page::Page;
use super::path::{decode, with_path};
use super::peer_body::PeerBody;
use super::peer_call::{ANSWER_HEADER, PeerCall, REQUEST_HEADER};
use super::request::RequestInfo;
use crate::core::caller::Caller;
use crate::core::fleet::HostName;
use crate::core::rights::OpKind;
use crate::core::view::{FleetHost, NotAsked, View};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{
    ACCEPT, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, DATE, HOST, IF_NONE_MATCH, SERVER,
    TRANSFER_ENCODING, UPGRADE, UPGRADE_INSECURE_REQUESTS, USER_AGENT,
};
use axum::http::{HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use http_body_util::{BodyExt as _, Collected, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use std::time::Duration;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

/// How long a host may take to answer a question.
const QUESTION_LIMIT: Duration = Duration::from_secs(30);
/// How long a host may take to do what it is asked to; one that has gone is noticed before.
const CHANGE_LIMIT: Duration = Duration::from_secs(3600);
/// The longest answer of another host, in bytes.
const MAX_ANSWER: usize = 256 << 20;
/// The longest head of an answer, in bytes.
const MAX_HEAD: usize = 64 << 10;
/// How much is read of a refusal, in bytes, and how many characters of it are shown.
const MAX_REFUSAL: usize = 4 << 10;
const MAX_SHOWN: usize = 300;
/// The most hosts that an error names.
const MOST_NAMED: usize = 20;

/// The headers of a request that pass. The others are about the client's connection, or secret.
const PASSED: [HeaderName; 6] =
    [ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, IF_NONE_MATCH, UPGRADE_INSECURE_REQUESTS, USER_AGENT];
/// The headers of an answer that do not.
const KEPT_BACK: [HeaderName; 5] = [CONNECTION, DATE, SERVER, TRANSFER_ENCODING, UPGRADE];

/// The operation that errors name.
const OP: &str = "host";

/// Makes a path below this host's own name that of its own page.
pub(super) async fn own_pages(State(http): State<Http>, request: Request, next: Next) -> Response {
    let own = own_path(request.uri().path(), || http.view(&Caller::internal()).own_host());
    next.run(match own {
        Some(path) => with_path(request, path),
        None => request,
    })
    .await
}

/// `/xend/node` for `/xend/host/xen1/node` on xen1; `None` for a path that is no such one.
fn own_path(path: &str, own: impl FnOnce() -> Option<HostName>) -> Option<String> {
    let below = path.trim_start_matches('/').strip_prefix("xend/")?;
    let below = below.trim_start_matches('/').strip_prefix("host/")?;
    let (name, page) = below.trim_start_matches('/').split_once('/')?;
    let page = page.trim_start_matches('/');
    let is_passed_on = ["domain", "node"].iter().any(|first| {
        page.strip_prefix(first).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    });
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
    let name = info.name();
    let host = view.fleet_host(name).await.map_err(|error| unknown(&info, &error))?;
    let Some(FleetHost::Other(host)) = host else {
        return Err(no_such_host(&view, &info).await);
    };
    let (host, member) = *host;
    if request.headers().contains_key(UPGRADE) {
        let text = format!("Consoles and screens are at the host that has the domain: ask {host}");
        return Err(failure(&info, ProblemKind::NOT_PASSED_ON, text));
    }
    let (stream, on_behalf) = view.ask_host(&host, &member).await.map_err(|error| match error {
        NotAsked::PassedOnBefore { .. } => failure(&info, ProblemKind::LOOP, error.to_string()),
        NotAsked::Failed(error) if info.format == Format::Json => {
            operation_failed(&info, OP, &error)
        }
        NotAsked::Failed(error) => truly_refused(&info, &Problem::of(&error), HINT),
    })?;
    let call = PeerCall::new(&on_behalf, &info.origin, host_path(host.as_str()));
    let remote = |reason: String| {
        let text = format!("{host} does not answer: {reason}");
        failure(&info, ProblemKind::REMOTE, text)
    };
    let header = call.encode().and_then(|call| HeaderValue::try_from(call).ok());
    let header = header.ok_or_else(|| {
        remote("the account has more domains than can be sent; use patterns".to_owned())
    })?;
    let is_change = *request.method() == Method::POST;
    let request = passed(request, header, http.max_body());
    let limit = if is_change { CHANGE_LIMIT } else { QUESTION_LIMIT };
    let answer = async {
        let (mut sender, connection) = http1::Builder::new()
            .max_buf_size(MAX_HEAD)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| error.to_string())?;
        let connection = AbortOnDropHandle::new(tokio::spawn(connection));
        let answer = sender.send_request(request).await.map_err(|error| error.to_string())?;
        Ok::<_, String>((answer, connection))
    };
    let late = || Err(format!("it takes longer than {} s", limit.as_secs()));
    let (answer, connection) =
        timeout(limit, answer).await.unwrap_or_else(|_| late()).map_err(&remote)?;
    if !answer.headers().contains_key(ANSWER_HEADER) {
        return Err(remote(refusal(answer).await));
    }
    Ok(shown(answer, connection))
}

/// What to do about a host that cannot be asked.
const HINT: &str = "Its domains may still be running. The page of hosts says when it was heard of.";

/// The request for the other host.
fn passed(
    request: Request,
    header: HeaderValue,
    max_body: usize,
) -> hyper::Request<PeerBody<Body>> {
    let (head, body) = request.into_parts();
    let path = head.uri.path();
    // `/xend/host/NAME/domain/web1`
    let page = path.splitn(5, '/').nth(4).unwrap_or_default();
    let query = head.uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let mut request = hyper::Request::new(PeerBody::new(body, max_body));
    *request.method_mut() = head.method;
    if let Ok(target) = format!("/xend/{page}{query}").parse() {
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

/// The answer of the other host, as it arrives.
fn shown(answer: hyper::Response<Incoming>, connection: Connection) -> Response {
    let (mut head, body) = answer.into_parts();
    head.headers.remove(ANSWER_HEADER);
    for name in KEPT_BACK {
        head.headers.remove(name);
    }
    let body = PeerBody::new(body, MAX_ANSWER).map_frame(move |frame| {
        // The connection lives as long as the body.
        let _ = &connection;
        frame
    });
    Response::from_parts(head, Body::new(body))
}

/// The task that moves the bytes of a connection.
type Connection = AbortOnDropHandle<hyper::Result<()>>;

/// Why the other host has not answered, in its own words.
async fn refusal(answer: hyper::Response<Incoming>) -> String {
    let status = answer.status();
    let is_text = answer.headers().get(CONTENT_TYPE).is_some_and(|media| media == "text/plain");
    if !is_text || status.is_success() {
        return "what it sends is no answer of a xend of the fleet".to_owned();
    }
    let body = Limited::new(PeerBody::new(answer.into_body(), MAX_REFUSAL), MAX_REFUSAL);
    let text = body.collect().await.map(Collected::to_bytes).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let text: String = text.chars().filter(|c| !c.is_control()).take(MAX_SHOWN).collect();
    format!("it refuses this host: {text}")
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

fn failure(info: &RequestInfo, kind: &'static ProblemKind, text: String) -> Response {
    truly_refused(info, &Problem::new(kind, text), HINT)
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
            ("/xend/host/xen1/node/storage", "/xend/node/storage"),
        ] {
            assert_eq!(own(path).as_deref(), Some(page), "{path}");
        }
        for path in [
            "/xend/host/xen1",
            "/xend/host/xen2/domain",
            "/xend/host/xen1/domains",
            "/xend/host/xen1/host/xen1/node",
            "/xend/domain/xen1/domain",
        ] {
            assert_eq!(own(path), None, "{path}");
        }
    }
}

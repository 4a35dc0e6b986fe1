//! A domain of another host of the fleet under its own name: with `xend-fleet-route`, what is asked
//! about a domain that is not here goes to the host that has it.

use super::context::Http;
use super::host::fleet::unknown;
use super::json::problem_kind::ProblemKind;
use super::pass_on::{OfThisHost, ask, failure};
use super::request::RequestInfo;
use crate::core::fleet::HostName;
use crate::core::model::{DomainLookup, DomainRef};
use crate::core::view::FleetHost;
use axum::extract::{Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;

/// The most hosts that an error names.
const MOST_NAMED: usize = 20;

/// Passes on what is asked about a domain of another host, if that is wanted. What is asked about a
/// domain that is here, or that no host has, is answered here.
pub(super) async fn route(
    State(http): State<Http>,
    info: RequestInfo,
    request: Request,
    next: Next,
) -> Result<Response, Response> {
    let view = http.view(&info.caller);
    let domain = DomainRef::new(info.name());
    let is_routed = view.policy().lookup == DomainLookup::Fleet
        && [Method::GET, Method::HEAD, Method::POST].contains(request.method())
        && request.extensions().get::<OfThisHost>().is_none()
        && view.snapshot().find(&domain).is_none();
    if !is_routed {
        return Ok(next.run(request).await);
    }
    let hosts = view.hosts_of(&domain).await.map_err(|error| unknown(&info, &error))?;
    let name = match hosts.as_slice() {
        [] => return Ok(next.run(request).await),
        [name] => name.as_str(),
        several => return Err(on_several(&info, several)),
    };
    match view.fleet_host(name).await.map_err(|error| unknown(&info, &error))? {
        Some(FleetHost::Other(host)) => ask(&http, &info, *host, &info.path, request).await,
        // It has left meanwhile.
        Some(FleetHost::Own) | None => Ok(next.run(request).await),
    }
}

/// The answer about a name or a UUID that several hosts have.
fn on_several(info: &RequestInfo, hosts: &[HostName]) -> Response {
    let name = info.name();
    let more = if hosts.len() > MOST_NAMED { ", ..." } else { "" };
    let named: Vec<_> = hosts.iter().take(MOST_NAMED).map(HostName::as_str).collect();
    let text = format!(
        "Several hosts have a domain {name}: {}{more}. Ask one of them, at \
         /xend/host/HOST/domain/{name}",
        named.join(", ")
    );
    failure(info, ProblemKind::ON_SEVERAL_HOSTS, text)
}

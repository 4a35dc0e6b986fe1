//! The list of domains, in each format: `GET /xend/domain`, and `op=list`.

use super::answer;
use super::context::Http;
use super::errors::operation_failed;
use super::etag::TaggedJson;
use super::events;
use super::format::Format;
use super::html;
use super::json::domain::{Domain, DomainSummary};
use super::list_query::{ListQuery, ROWS};
use super::params::Params;
use super::request::RequestInfo;
use super::response::{Content, ok};
use crate::core::error::Error;
use crate::core::snapshot::{DomainView, Snapshot};
use crate::core::view::View;
use crate::shape::{self, Sink, SxpSink};
use axum::extract::State;
use axum::response::Response;
use std::sync::Arc;

/// The most domains whose figures a page of the list follows. On a larger host its script reads the
/// page again: the figures of all domains would be many times as large.
const MOST_FIGURES: usize = 500;

/// `GET /xend/domain`
pub(super) async fn get(
    State(http): State<Http>,
    request: RequestInfo,
) -> Result<Response, Response> {
    let query = match request.format {
        Format::Sxp => None,
        Format::Html { .. } | Format::Json => Some(
            ListQuery::parse(&request.query)
                .map_err(|invalid| operation_failed(&request, "list", &invalid.into()))?,
        ),
    };
    let detailed = match request.format {
        Format::Json => request
            .query
            .flag("detail")
            .map_err(|invalid| operation_failed(&request, "list", &invalid.into()))?,
        Format::Sxp | Format::Html { .. } => {
            request.query.single("detail").is_ok_and(|detail| *detail == *b"1")
        }
    };
    let view = http.view(&request.caller);
    let follow = events::follow_query(&http, &view, request.format);
    let snapshot =
        view.domains().await.map_err(|error| operation_failed(&request, "list", &error))?;
    Ok(ok(match query {
        Some(query) if request.format == Format::Json => {
            if let Err(invalid) = query.filter {
                return Err(operation_failed(&request, "list", &invalid.into()));
            }
            let now = http.engine().now();
            let print = || {
                let domains = query.select(&snapshot, &view.last_samples(), now);
                if detailed {
                    let domains = domains.into_iter().map(|view| Domain::of(view));
                    return TaggedJson::list_without_figures(domains);
                }
                let lines = domains.into_iter().map(|view| DomainSummary::of(view));
                TaggedJson::new(answer::print_list(lines))
            };
            let json = http.engine().print(list_size(&snapshot, true), print).await;
            return Ok(json.respond(request.has_tags.as_deref()));
        }
        Some(query) => page(&http, &view, &request, follow, &query, &snapshot).await,
        None => sxp_list(&http, &request.query, detailed, &snapshot).await,
    }))
}

/// Answers `op=list`: the domains on the host in full.
pub(super) async fn perform(
    http: &Http,
    view: &View,
    request: &RequestInfo,
    params: &Params,
    follow: String,
) -> Result<Content, Error> {
    let snapshot = view.domains().await?;
    Ok(match request.format {
        Format::Sxp => Content::SharedSxp(http.domain_details(&snapshot).await),
        Format::Html { .. } => {
            page(http, view, request, follow, &ListQuery::parse(params)?, &snapshot).await
        }
        Format::Json => {
            let on_host = snapshot.domains().filter(|domain| domain.facts.is_some());
            let print = || answer::print_list(on_host.map(|view| Domain::of(view)));
            Content::Json(http.engine().print(list_size(&snapshot, true), print).await.into())
        }
    })
}

/// The list as a page. `follow` is the query of `/xend/events` for its script.
async fn page(
    http: &Http,
    view: &View,
    request: &RequestInfo,
    follow: String,
    query: &ListQuery,
    snapshot: &Snapshot,
) -> Content {
    let round = view.last_samples();
    let now = http.engine().now();
    let follow =
        if snapshot.len() > MOST_FIGURES { follow.replace("figures=1&", "") } else { follow };
    let print = || html::domain_list::page(request, follow, query, snapshot, &round, now);
    // A page has some of the domains, and looks at all of them.
    let size = ROWS * 1024 + list_size(snapshot, false);
    Content::Html(http.engine().print(size, print).await)
}

/// About how many bytes a list has.
fn list_size(snapshot: &Snapshot, detailed: bool) -> usize {
    snapshot.len() * if detailed { 1024 } else { 64 }
}

/// xend's list. An unknown state lists no domains.
async fn sxp_list(http: &Http, query: &Params, detailed: bool, snapshot: &Snapshot) -> Content {
    let states = query.values("state");
    let Some(state) = states.last() else {
        return Content::SharedSxp(if detailed {
            http.domain_details(snapshot).await
        } else {
            http.domain_names(snapshot).await
        });
    };
    let state = String::from_utf8_lossy(state).to_ascii_lowercase();
    let print = || {
        let domains = snapshot.domains().filter(|view| shape::is_in_state(view, Some(&state)));
        let mut sink = SxpSink::default();
        write_list(&mut sink, domains, detailed);
        sink.into_bytes()
    };
    Content::Sxp(http.engine().print(list_size(snapshot, detailed), print).await.into())
}

fn write_list<'a>(
    sink: &mut impl Sink,
    domains: impl Iterator<Item = &'a Arc<DomainView>>,
    detailed: bool,
) {
    sink.begin_list();
    for view in domains {
        if detailed {
            shape::domain(sink, view);
        } else {
            sink.text(view.name().as_str().as_bytes());
        }
    }
    sink.end_list();
}

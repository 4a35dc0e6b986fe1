//! The list of domains, in each format: `GET /xend/domain`, and `op=list`.

use super::answer;
use super::context::Http;
use super::errors::operation_failed;
use super::etag::TaggedJson;
use super::events;
use super::format::Format;
use super::html;
use super::json::domain::DomainSummary;
use super::list_query::{ListQuery, ROWS};
use super::params::Params;
use super::request::RequestInfo;
use super::response::{Content, ok};
use crate::core::error::Error;
use crate::core::snapshot::Snapshot;
use crate::core::view::View;
use crate::shape;
use axum::extract::State;
use axum::response::Response;

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
            let has_tags = request.has_tags.as_deref();
            if detailed && query.is_plain() {
                let places = http.engine().places();
                let json = http.domain_lists().json(places, &snapshot, query.state).await;
                return Ok(json.respond(has_tags));
            }
            let now = http.engine().now();
            let print = || {
                let domains = query.select(&snapshot, &view.last_samples(), now);
                if detailed {
                    return TaggedJson::domains(domains.into_iter().map(AsRef::as_ref), 0);
                }
                let lines = domains.into_iter().map(|view| DomainSummary::of(view));
                TaggedJson::new(answer::print_list(lines))
            };
            let json = http.engine().print(list_size(&snapshot, true), print).await;
            return Ok(json.respond(has_tags));
        }
        Some(query) => page(&http, &view, &request, follow, &query, &snapshot).await,
        None => {
            let states = request.query.values("state");
            sxp_list(&http, states.last().map(AsRef::as_ref), detailed, &snapshot).await
        }
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
        Format::Sxp => sxp_list(http, None, true, &snapshot).await,
        Format::Html { .. } => {
            page(http, view, request, follow, &ListQuery::parse(params)?, &snapshot).await
        }
        Format::Json => {
            let places = http.engine().places();
            let json = http.domain_lists().json(places, &snapshot, None).await;
            Content::SharedJson(json.into_text())
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
async fn sxp_list(
    http: &Http,
    state: Option<&[u8]>,
    detailed: bool,
    snapshot: &Snapshot,
) -> Content {
    let is = |known: &&str, state: &[u8]| known.as_bytes().eq_ignore_ascii_case(state);
    let known = state.and_then(|state| shape::STATES.into_iter().find(|known| is(known, state)));
    if state.is_some() && known.is_none() {
        return Content::Sxp("()".into());
    }
    let lists = http.domain_lists();
    let places = http.engine().places();
    Content::SharedSxp(if detailed {
        lists.details(places, snapshot, known).await
    } else {
        lists.names(places, snapshot, known).await
    })
}

//! GET of each page, except for the list of domains, the events and the reference.

use super::context::Http;
use super::errors::{invalid_request, no_such_domain, operation_failed};
use super::html::domain::Details;
use super::operations::by_page::DOMAIN_OPERATIONS;
use super::operations::vcpus::VCPUINFO;
use super::params::Params;
use super::request::RequestInfo;
use super::response::{self, Content, download, ok};
use super::{answer, config_text, events, html, post};
use crate::core::model::DomainRef;
use crate::core::op::{Outcome, Query};
use crate::core::snapshot::DomainView;
use crate::shape::Sink;
use axum::extract::{Path, State};
use axum::response::Response;
use std::sync::Arc;
use xend_templates::{ASSETS, ASSETS_VERSION};

/// A response; as an error, the response to a failure.
type Answer = Result<Response, Response>;

/// `GET /`. xend listed nothing here.
pub(super) async fn root(request: RequestInfo) -> Response {
    directory(&request, &[])
}

/// `GET /xend`
pub(super) async fn xend(request: RequestInfo) -> Response {
    directory(&request, &["node", "domain", "vnet"])
}

/// `GET /xend/assets/VERSION/NAME`: a file that pages refer to. It never changes under the current
/// version; under another one, which a page of another daemon refers to, it can.
pub(super) async fn asset(Path((version, name)): Path<(String, String)>) -> Response {
    match ASSETS.iter().find(|asset| asset.name == name) {
        Some(asset) => response::asset(asset, version == *ASSETS_VERSION),
        None => response::not_found(&format!("Not found: {name}")),
    }
}

/// `GET /xend/new`
pub(super) async fn new(request: RequestInfo) -> Answer {
    let template = request
        .query
        .choice("template", &html::create::TEMPLATE_KEYS)
        .map_err(|invalid| operation_failed(&request, "new", &invalid.into()))?;
    Ok(ok(Content::Html(html::create::new(&request, template))))
}

/// `GET /xend/domain/NAME`. `?op=vcpuinfo` shows the VCPUs; other operations are ignored, since
/// xend's GET performs no other.
pub(super) async fn domain(State(http): State<Http>, request: RequestInfo) -> Answer {
    let follow = events::follow_query(&http, request.format);
    let view = find_domain(&http, &request, "show").await?;
    match request.query.operation().as_deref() {
        None if !request.query.values("op").is_empty() => return Ok(invalid_request(&request)),
        Some("vcpuinfo") => {
            return Ok(post::perform(&http, &request, &VCPUINFO, &Params::default()).await);
        }
        _ => {}
    }
    if request.format.is_html() {
        // The stream follows the UUID, so that it survives a rename.
        let follow = format!("{follow}&domain={}", view.uuid);
        let details = Details { follow, ..read_details(&http, &request, &view).await };
        return Ok(ok(Content::Html(html::domain::page(&request, &view, &details))));
    }
    Ok(ok(answer::content(&request, &Outcome::Domain(view))))
}

/// `GET /xend/domain/NAME/config`: the configuration as a file.
pub(super) async fn config(State(http): State<Http>, request: RequestInfo) -> Answer {
    let view = find_domain(&http, &request, "config").await?;
    let mut text = config_text::print(view.definition.as_ref().unwrap_or(&view.config));
    text.push('\n');
    Ok(download(Content::Sxp(text.into()), view.name().as_str()))
}

/// `GET /xend/domain/NAME/confirm?op=OP`: the page that asks before data is lost.
pub(super) async fn confirm(State(http): State<Http>, request: RequestInfo) -> Answer {
    let view = find_domain(&http, &request, "confirm").await?;
    let op = request.query.operation().unwrap_or_default();
    let operation = DOMAIN_OPERATIONS.iter().find(|operation| operation.name == op);
    Ok(match operation.and_then(|operation| Some((operation, operation.data_loss?))) {
        Some((operation, data_loss)) => {
            ok(Content::Html(html::confirm::page(&request, &view, operation, data_loss)))
        }
        None => invalid_request(&request),
    })
}

/// `GET /xend/domain/NAME/console`
pub(super) async fn console(State(http): State<Http>, request: RequestInfo) -> Answer {
    let follow = events::follow_query(&http, request.format);
    let query = Query::Console(DomainRef::new(request.name()));
    let outcome = execute(&http, &request, "console", query).await?;
    if request.format.is_html() {
        let page = html::text::console(&request, follow, text(outcome));
        return Ok(ok(Content::Html(page)));
    }
    Ok(plain_text(outcome))
}

/// `GET /xend/node`
pub(super) async fn node(State(http): State<Http>, request: RequestInfo) -> Answer {
    let follow = events::follow_query(&http, request.format);
    let outcome = execute(&http, &request, "node", Query::Host).await?;
    if let (Outcome::Host(info, figures), true) = (&outcome, request.format.is_html()) {
        let snapshot = http.engine().snapshot();
        let round = http.engine().samples().last();
        let page = html::node::page(&request, follow, info, figures, &snapshot, &round);
        return Ok(ok(Content::Html(page)));
    }
    Ok(ok(answer::content(&request, &outcome)))
}

/// `GET /xend/node/dmesg`
pub(super) async fn dmesg(State(http): State<Http>, request: RequestInfo) -> Answer {
    let outcome = execute(&http, &request, "dmesg", Query::Dmesg).await?;
    if request.format.is_html() {
        let page = html::text::page(&request, "Xen message buffer", text(outcome));
        return Ok(ok(Content::Html(page)));
    }
    Ok(plain_text(outcome))
}

/// `GET /xend/node/log`: plain text in every format, as in xend.
pub(super) async fn log(State(http): State<Http>, _: RequestInfo) -> Response {
    ok(Content::Text(http.log().into()))
}

/// `GET /xend/vnet`
pub(super) async fn vnets(State(http): State<Http>, request: RequestInfo) -> Answer {
    let outcome = execute(&http, &request, "vnet", Query::Vnets).await?;
    Ok(ok(answer::content(&request, &outcome)))
}

/// `GET /xend/vnet/ID`
pub(super) async fn vnet(State(http): State<Http>, request: RequestInfo) -> Answer {
    let query = Query::Vnet(request.name().to_owned());
    let outcome = execute(&http, &request, "vnet", query).await?;
    Ok(ok(answer::content(&request, &outcome)))
}

/// Asks the engine; an error is the response to its failure.
async fn execute(
    http: &Http,
    request: &RequestInfo,
    op: &str,
    query: Query,
) -> Result<Outcome, Response> {
    let outcome = http.engine().execute(&request.caller, query).await;
    outcome.map_err(|error| operation_failed(request, op, &error))
}

/// The domain in the path; an error is the response that there is none.
async fn find_domain(
    http: &Http,
    request: &RequestInfo,
    op: &str,
) -> Result<Arc<DomainView>, Response> {
    let query = Query::Domain(DomainRef::new(request.name()));
    match execute(http, request, op, query).await? {
        Outcome::Domain(view) => Ok(view),
        _ => Err(no_such_domain(request, request.name())),
    }
}

/// Reads what a domain's page shows beside its view. Queries that fail are left out.
async fn read_details(http: &Http, request: &RequestInfo, view: &DomainView) -> Details {
    let engine = http.engine();
    let caller = &request.caller;
    let domain = DomainRef::new(view.uuid.to_string());
    let ask = |query: Query| async { engine.execute(caller, query).await.ok() };
    let samples = engine.samples().of(&view.uuid);
    let history = engine.journal().of(&view.uuid);
    if view.facts.is_none() {
        let sedf = ask(Query::Sedf(domain)).await;
        return Details { sedf, samples, history, ..Details::default() };
    }
    let (vcpus, sedf, devices, console) = tokio::join!(
        ask(Query::Vcpus(domain.clone())),
        ask(Query::Sedf(domain.clone())),
        ask(Query::AllDevices(domain.clone())),
        ask(Query::Console(domain)),
    );
    Details { vcpus, sedf, devices, console, samples, history, ..Details::default() }
}

fn directory(request: &RequestInfo, entries: &[&str]) -> Response {
    if request.format.is_html() {
        return ok(Content::Html(html::directory::page(request, entries)));
    }
    ok(Content::serialized(
        request.format,
        |sink| write_directory(sink, Some("ls"), entries),
        |sink| write_directory(sink, None, entries),
    ))
}

/// Writes `(ls node domain vnet)`; JSON has no leading word.
fn write_directory(sink: &mut impl Sink, head: Option<&str>, entries: &[&str]) {
    sink.begin_list();
    for word in head.iter().chain(entries) {
        sink.text(word.as_bytes());
    }
    sink.end_list();
}

fn plain_text(outcome: Outcome) -> Response {
    match outcome {
        Outcome::Text(text) => ok(Content::Text(text.into())),
        _ => ok(Content::Text(Vec::new().into())),
    }
}

/// The text of an outcome for a page.
fn text(outcome: Outcome) -> String {
    match outcome {
        Outcome::Text(text) => String::from_utf8_lossy(&text).into_owned(),
        _ => String::new(),
    }
}

//! GET of each page, except for the list of domains, the events and the reference.

use super::confirmation::nothing_to_confirm;
use super::context::Http;
use super::errors::{invalid_request, malformed_request, operation_failed};
use super::etag::TaggedJson;
use super::format::Format;
use super::html::domain::Details;
use super::json::answers::{Node, Vnet};
use super::json::domain::Domain;
use super::json::request::Arguments;
use super::operation::asking;
use super::operations::by_page::DOMAIN_OPERATIONS;
use super::operations::vcpus::VCPUINFO;
use super::page::HostPages;
use super::query_by_get::no_json;
use super::request::RequestInfo;
use super::response::{self, Content, download, ok, respond};
use super::screen_socket::ScreenViewer;
use super::viewer_socket::{self, Viewed};
use super::{answer, config_text, events, host, html, post};
use crate::core::consoles::ConsoleViewer;
use crate::core::error::Error;
use crate::core::model::DomainRef;
use crate::core::rights::OpKind;
use crate::core::snapshot::DomainView;
use crate::core::view::View;
use crate::shape::{self, Sink, SxpSink};
use axum::Extension;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{Path, State};
use axum::http::header::{SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use std::sync::Arc;
use xend_templates::{ASSETS, ASSETS_VERSION};

/// A response; as an error, the response to a failure.
type Answer = Result<Response, Response>;

/// The entries of `/xend` for clients of xend, and what they need.
const DIRECTORY: [(&str, OpKind); 4] = [
    ("node", OpKind::ShowHost),
    ("domain", OpKind::ListDomains),
    ("vnet", OpKind::ShowVnets),
    ("host", OpKind::ShowFleet),
];

/// Where a browser goes from the pages above it.
const HOME: &str = "/xend/domain";

/// `GET /`. xend listed nothing here, which its clients get. A browser is sent to the list of
/// domains.
pub(super) async fn root(request: RequestInfo) -> Response {
    if is_for_browser(&request) {
        return response::see_other(HOME);
    }
    directory(&request, if request.format == Format::Json { &["xend"] } else { &[] })
}

/// `GET /xend`: in JSON all pages that are directly below, else those of xend. A browser is sent to
/// the list of domains.
pub(super) async fn xend(Extension(pages): Extension<HostPages>, request: RequestInfo) -> Response {
    if is_for_browser(&request) {
        return response::see_other(HOME);
    }
    if request.format == Format::Json {
        let readable = pages.0.iter().filter(|page| !page.is_form() && request.may_open(page.kind));
        let below = readable.filter_map(|page| page.path.strip_prefix("/xend/"));
        return directory(&request, &below.filter(|name| !name.contains('/')).collect::<Vec<_>>());
    }
    let entries = DIRECTORY.iter().filter(|(_, kind)| request.may_open(*kind));
    let entries: Vec<_> = entries.map(|(name, _)| *name).collect();
    directory(&request, &entries)
}

/// `GET /xend/assets/VERSION/NAME`: a file that pages refer to. It never changes under the current
/// version; under another one, which a page of another daemon refers to, it can.
pub(super) async fn asset(Path((version, name)): Path<(String, String)>) -> Response {
    match ASSETS.iter().find(|asset| asset.name == name) {
        Some(asset) => response::asset(asset, version == *ASSETS_VERSION),
        None => response::not_found(&format!("Not found: {name}")),
    }
}

/// `GET /xend/domain/NAME`. `?op=vcpuinfo` shows the VCPUs; other operations are ignored, since
/// xend's GET performs no other.
pub(super) async fn domain(State(http): State<Http>, request: RequestInfo) -> Answer {
    let view = http.view(&request.caller);
    let follow = events::follow_query(&http, &view, request.format);
    let domain = find_domain(&view, &request, "show").await?;
    match request.query.operation().as_deref() {
        Err(refusal) if !refusal.is_missing() => return Ok(invalid_request(&request)),
        Ok("vcpuinfo") => {
            return Ok(post::perform(&http, &request, &VCPUINFO, Arguments::default(), None).await);
        }
        _ => {}
    }
    if request.format.is_html() {
        // The stream follows the UUID, so that it survives a rename.
        let follow = format!("{follow}&domain={}", domain.uuid);
        let details = Details { follow, ..read_details(&view, &domain).await };
        let page = || html::domain::page(&request, &domain, &details);
        return Ok(ok(Content::Html(http.engine().print(domain.config.text_size(), page).await)));
    }
    if request.format == Format::Json {
        let print = || TaggedJson::without_figures(Domain::of(&domain));
        let json = http.engine().print(domain.config.text_size(), print).await;
        return Ok(json.respond(request.has_tags.as_deref()));
    }
    let content = || sxp(|sink| shape::domain(sink, &domain));
    Ok(ok(http.engine().print(domain.config.text_size(), content).await))
}

/// `GET /xend/domain/NAME/config`: the configuration as a file.
pub(super) async fn config(State(http): State<Http>, request: RequestInfo) -> Answer {
    let domain = find_domain(&http.view(&request.caller), &request, "config").await?;
    let config = domain.definition.as_ref().unwrap_or(&domain.config);
    let mut text = http.engine().print(config.text_size(), || config_text::print(config)).await;
    text.push('\n');
    Ok(download(Content::Sxp(text.into()), domain.name().as_str(), "sxp"))
}

/// `GET /xend/domain/NAME/confirm?op=OP`: the page that asks before data is lost.
pub(super) async fn confirm(State(http): State<Http>, request: RequestInfo) -> Answer {
    let view = http.view(&request.caller);
    let domain = find_domain(&view, &request, "confirm").await?;
    let op = request.query.operation().unwrap_or_default();
    Ok(match asking(&DOMAIN_OPERATIONS, &op) {
        Some((operation, data_loss)) => {
            for kind in operation.kinds {
                view.require_on(*kind, operation.name, &domain)
                    .map_err(failed(&request, operation.name))?;
            }
            if request.format == Format::Json {
                return Err(no_json());
            }
            ok(Content::Html(html::confirm::page(&request, &domain, operation, data_loss)))
        }
        None => nothing_to_confirm(&request, &DOMAIN_OPERATIONS),
    })
}

/// `GET /xend/domain/NAME/console`. With an upgrade to a WebSocket, the console itself.
pub(super) async fn console(
    State(http): State<Http>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    request: RequestInfo,
) -> Answer {
    if wants_websocket(&headers) {
        return open_viewer::<ConsoleViewer>(&http, &request, upgrade).await;
    }
    let view = http.view(&request.caller);
    let follow = events::follow_query(&http, &view, request.format);
    let domain = find_domain(&view, &request, "console").await?;
    let follow = format!("{follow}&domain={}", domain.uuid);
    let uuid = DomainRef::new(domain.uuid.to_string());
    let text = view.console(&uuid).await.map_err(failed(&request, "console"))?;
    if is_viewer_wanted(&request) {
        let text = String::from_utf8_lossy(&text).into_owned();
        let may_press_sysrq = view.may_on(OpKind::Sysrq, &domain);
        let page = html::text::console(&request, follow, &domain, text, may_press_sysrq);
        return Ok(ok(Content::Html(page)));
    }
    Ok(ok(Content::Text(text.into())))
}

/// `GET /xend/domain/NAME/screen`. With an upgrade to a WebSocket, the screen itself.
pub(super) async fn screen(
    State(http): State<Http>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    request: RequestInfo,
) -> Answer {
    if wants_websocket(&headers) {
        // Clients of websockify name a protocol.
        let upgrade = upgrade.map(|upgrade| upgrade.protocols(["binary"]));
        return open_viewer::<ScreenViewer>(&http, &request, upgrade).await;
    }
    let view = http.view(&request.caller);
    let follow = events::follow_query(&http, &view, request.format);
    let domain = find_domain(&view, &request, "screen").await?;
    let follow = format!("{follow}&domain={}", domain.uuid);
    let uuid = DomainRef::new(domain.uuid.to_string());
    let address = view.screen_address(&uuid).map_err(failed(&request, "screen"))?;
    if is_viewer_wanted(&request) {
        let page = ok(Content::Html(html::text::screen(&request, follow, &domain, &address)));
        return Ok(response::with_data_images(page));
    }
    Ok(ok(Content::Text(address.into())))
}

fn wants_websocket(headers: &HeaderMap) -> bool {
    headers.contains_key(UPGRADE) && headers.contains_key(SEC_WEBSOCKET_KEY)
}

/// `426`, for a client with another version of the protocol (RFC 6455, 4.4).
fn websocket_version() -> Response {
    let text = "The WebSocket cannot be opened: version 13 is expected\n";
    let mut response = respond(426, "Upgrade Required", Content::Text(text.into()));
    let headers = response.headers_mut();
    headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    response
}

async fn open_viewer<V: Viewed>(
    http: &Http,
    request: &RequestInfo,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Answer {
    let upgrade = upgrade.map_err(|refusal| {
        if matches!(refusal, WebSocketUpgradeRejection::InvalidWebSocketVersionHeader(_)) {
            return websocket_version();
        }
        let reason = format!("The WebSocket cannot be opened: {refusal}");
        malformed_request(request, &reason)
    })?;
    viewer_socket::open::<V>(http, request, upgrade).await
}

/// `GET /xend/node`
pub(super) async fn node(State(http): State<Http>, request: RequestInfo) -> Answer {
    let view = http.view(&request.caller);
    let follow = events::follow_query(&http, &view, request.format);
    let (info, figures) = view.host().await.map_err(failed(&request, "node"))?;
    if request.format.is_html() {
        let snapshot = view.snapshot();
        let round = view.last_samples();
        let page = html::node::page(&request, follow, &info, &figures, &snapshot, &round);
        return Ok(ok(Content::Html(page)));
    }
    Ok(ok(match request.format {
        Format::Json => Content::Json(answer::print(&Node::of(&info, &figures)).into()),
        _ => sxp(|sink| shape::node(sink, &info, &figures)),
    }))
}

/// `GET /xend/node/dmesg`
pub(super) async fn dmesg(State(http): State<Http>, request: RequestInfo) -> Answer {
    let text = http.view(&request.caller).dmesg().await.map_err(failed(&request, "dmesg"))?;
    if request.format.is_html() {
        let text = String::from_utf8_lossy(&text).into_owned();
        return Ok(ok(Content::Html(html::text::dmesg(&request, text))));
    }
    Ok(ok(Content::Text(text.into())))
}

/// `GET /xend/node/log`: a page for browsers, plain text for all others, as in xend.
pub(super) async fn log(State(http): State<Http>, request: RequestInfo) -> Answer {
    let view = http.view(&request.caller);
    view.require(OpKind::ReadLog, "log").map_err(failed(&request, "log"))?;
    let text = http.log();
    if is_page_wanted(&request) {
        let print = || host::log::page(&request, &text).map(|page| page.render());
        let page = http.engine().print(text.len(), print).await;
        let page = page.map_err(|invalid| operation_failed(&request, "log", &invalid.into()))?;
        return Ok(ok(Content::Html(page)));
    }
    Ok(ok(Content::Text(text.into())))
}

/// `GET /xend/vnet`
pub(super) async fn vnets(State(http): State<Http>, request: RequestInfo) -> Answer {
    let vnets = http.view(&request.caller).vnets().await.map_err(failed(&request, "vnet"))?;
    if request.format.is_html() {
        return Ok(ok(Content::Html(html::vnet::list(&request, &vnets))));
    }
    let ids: Vec<&str> = vnets.iter().map(|vnet| vnet.id.as_str()).collect();
    if request.format == Format::Json {
        return Ok(TaggedJson::new(answer::print(&ids)).respond(request.has_tags.as_deref()));
    }
    Ok(ok(sxp(|sink| write_words(sink, None, &ids))))
}

/// `GET /xend/vnet/ID`
pub(super) async fn vnet(State(http): State<Http>, request: RequestInfo) -> Answer {
    let view = http.view(&request.caller);
    let vnet = view.vnet(request.name()).await.map_err(failed(&request, "vnet"))?;
    if request.format.is_html() {
        return Ok(ok(Content::Html(html::vnet::page(&request, &vnet))));
    }
    Ok(ok(match request.format {
        Format::Json => Content::Json(answer::print(&Vnet::of(&vnet)).into()),
        _ => sxp(|sink| shape::vnet(sink, &vnet)),
    }))
}

/// The response to an error of the engine.
fn failed(request: &RequestInfo, op: &str) -> impl FnOnce(Error) -> Response {
    move |error| operation_failed(request, op, &error)
}

/// The domain in the path.
async fn find_domain(
    view: &View,
    request: &RequestInfo,
    op: &str,
) -> Result<Arc<DomainView>, Response> {
    view.domain(&DomainRef::new(request.name())).await.map_err(failed(request, op))
}

/// Reads what a domain's page shows beside its view. Queries that fail are left out.
async fn read_details(view: &View, domain: &DomainView) -> Details {
    let uuid = DomainRef::new(domain.uuid.to_string());
    let samples = view.samples(&domain.uuid);
    let history = view.history(&domain.uuid);
    let host = view.host_info().clone();
    let scheduler = async { view.scheduler(&uuid).await.ok() };
    let sedf = async { view.sedf(&uuid).await.ok().map(|(_, params)| params) };
    let destinations = view.destinations();
    if domain.facts.is_none() {
        let (scheduler, sedf, destinations) = tokio::join!(scheduler, sedf, destinations);
        let details = Details { host, scheduler, sedf, samples, history, ..Details::default() };
        return Details { destinations, ..details };
    }
    let vcpus = async { view.vcpus(&uuid).await.map(|(_, vcpus)| vcpus).unwrap_or_default() };
    let devices = async { view.all_devices(&uuid).await.unwrap_or_default() };
    let console = async { view.console(&uuid).await.ok() };
    let (vcpus, scheduler, sedf, devices, console, destinations) =
        tokio::join!(vcpus, scheduler, sedf, devices, console, destinations);
    let follow = String::new();
    Details {
        follow,
        host,
        vcpus,
        scheduler,
        sedf,
        devices,
        console,
        samples,
        history,
        destinations,
    }
}

/// Whether Accept names HTML. On pages with text, who takes anything gets the text.
fn is_page_wanted(request: &RequestInfo) -> bool {
    request.format == (Format::Html { explicit: true })
}

/// Whether a page with a console or a screen is wanted, and can be shown: another host of the fleet
/// shows the text.
fn is_viewer_wanted(request: &RequestInfo) -> bool {
    is_page_wanted(request) && request.base.is_none()
}

/// Whether a person asks: scripts of old that read pages get xend's.
const fn is_for_browser(request: &RequestInfo) -> bool {
    request.is_navigation && request.format.is_html()
}

fn directory(request: &RequestInfo, entries: &[&str]) -> Response {
    if request.format.is_html() {
        return ok(Content::Html(html::directory::page(request, entries)));
    }
    if request.format == Format::Json {
        return ok(Content::Json(answer::print(&entries).into()));
    }
    ok(sxp(|sink| write_words(sink, Some("ls"), entries)))
}

/// An S-expression.
fn sxp(write: impl FnOnce(&mut SxpSink)) -> Content {
    let mut sink = SxpSink::default();
    write(&mut sink);
    Content::Sxp(sink.into_bytes().into())
}

/// Writes `(ls node domain vnet)`; the list of vnets has no leading word.
fn write_words(sink: &mut impl Sink, head: Option<&str>, entries: &[&str]) {
    sink.begin_list();
    for word in head.iter().chain(entries) {
        sink.text(word.as_bytes());
    }
    sink.end_list();
}

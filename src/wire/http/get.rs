//! What is read with GET.

use super::errors::{failed, invalid_request, no_such_domain};
use super::events;
use super::format::Format;
use super::html::domain::Seen;
use super::list_query::Selection;
use super::operations::{ON_DOMAIN, create, vcpuinfo};
use super::params::Params;
use super::request::{Place, caller};
use super::response::{self, Content, download, not_found, ok};
use super::{Http, html};
use crate::core::caller::Caller;
use crate::core::error::Error;
use crate::core::model::DomainRef;
use crate::core::op::{Outcome, Query};
use crate::core::snapshot::{DomainView, Snapshot};
use crate::shape::{self, JsonSink, Sink, SxpSink};
use axum::extract::{Path, Request, State};
use axum::response::Response;
use bytes::Bytes;
use std::sync::Arc;
use xend_templates::{ASSETS, ASSETS_VERSION};

/// `GET /`: xend listed nothing here.
pub(super) async fn root(format: Format, request: Request) -> Response {
    directory(&Place::of(&request, &[], format), &[])
}

/// `GET /xend`
pub(super) async fn xend(format: Format, request: Request) -> Response {
    directory(&Place::of(&request, &[], format), &["node", "domain", "vnet"])
}

fn directory(place: &Place, entries: &[&str]) -> Response {
    if let Format::Html { .. } = place.format {
        return ok(Content::Html(html::directory(place, entries)));
    }
    ok(place.write(
        |sink| list_directory(sink, Some("ls"), entries),
        |sink| list_directory(sink, None, entries),
    ))
}

/// `(ls node domain vnet)`; JSON needs no word in front.
fn list_directory(sink: &mut impl Sink, head: Option<&str>, entries: &[&str]) {
    sink.begin_list();
    for word in head.iter().chain(entries) {
        sink.text(word.as_bytes());
    }
    sink.end_list();
}

/// What a page's script follows, from now on: taken before the page's domains are looked at, so
/// that nothing between is missed.
pub(super) fn following(http: &Http, format: Format) -> String {
    match format {
        Format::Html { .. } => format!("?figures=1&after={}", events::last_id(&http.0.engine)),
        Format::Sxp | Format::Json => String::new(),
    }
}

/// `GET /xend/domain`
pub(super) async fn domains(
    State(http): State<Http>,
    format: Format,
    request: Request,
) -> Response {
    let query = Params::from_query(request.uri().query().unwrap_or(""));
    let place = Place::of(&request, &[], format);
    let selection = match (format, Selection::of(&query)) {
        (Format::Sxp, _) => None,
        (Format::Html { .. } | Format::Json, Ok(selection)) => Some(selection),
        (Format::Html { .. } | Format::Json, Err(invalid)) => {
            return failed(&place, "list", &invalid.into());
        }
    };
    let detail = query.one("detail").is_ok_and(|detail| detail == b"1");
    let events = following(&http, format);
    let snapshot = match list(&http, &caller(&request)).await {
        Ok(snapshot) => snapshot,
        Err(error) => return failed(&place, "list", &error),
    };
    ok(match selection {
        Some(selection) if format == Format::Json => {
            let shown = selection.domains(&snapshot, &http.0.engine.samples().last());
            let mut sink = JsonSink::default();
            list_of(&mut sink, shown.into_iter(), detail);
            response::data(format, sink.into_bytes())
        }
        Some(selection) => list_page(&http, &place, events, &selection, &snapshot),
        None => Content::Sxp(list_in_sxp(&http, &query, detail, &snapshot).await),
    })
}

/// xend's list: of an unknown state there are no domains.
async fn list_in_sxp(http: &Http, query: &Params, detail: bool, snapshot: &Snapshot) -> Bytes {
    let state =
        query.all("state").last().map(|state| String::from_utf8_lossy(state).to_ascii_lowercase());
    let cache = &http.0.cache;
    match state {
        None if detail => cache.details(snapshot).await,
        None => cache.names(snapshot).await,
        Some(state) => {
            let mut sink = SxpSink::default();
            let shown = snapshot.domains().filter(|view| shape::is_in_state(view, Some(&state)));
            list_of(&mut sink, shown, detail);
            sink.into_bytes().into()
        }
    }
}

/// The list as a page.
pub(super) fn list_page(
    http: &Http,
    place: &Place,
    events: String,
    selection: &Selection,
    snapshot: &Snapshot,
) -> Content {
    let engine = &http.0.engine;
    Content::Html(html::domain_list::page(
        place,
        events,
        selection,
        snapshot,
        &engine.samples().last(),
        engine.now(),
    ))
}

async fn list(http: &Http, caller: &Caller) -> Result<Arc<Snapshot>, Error> {
    match http.0.engine.execute(caller, Query::Domains).await? {
        Outcome::Domains(snapshot) => Ok(snapshot),
        _ => Ok(http.0.engine.snapshot()),
    }
}

fn list_of<'a>(
    sink: &mut impl Sink,
    views: impl Iterator<Item = &'a Arc<DomainView>>,
    detail: bool,
) {
    sink.begin_list();
    for view in views {
        if detail {
            shape::domain(sink, view);
        } else {
            sink.text(view.name().as_str().as_bytes());
        }
    }
    sink.end_list();
}

/// `GET /xend/domain/NAME`. Of all operations GET performs vcpuinfo alone; others in the query mean
/// nothing.
pub(super) async fn domain(
    State(http): State<Http>,
    Path(name): Path<String>,
    format: Format,
    request: Request,
) -> Response {
    let place = Place::of(&request, &[&name], format);
    let caller = caller(&request);
    let query = Params::from_query(request.uri().query().unwrap_or(""));
    let events = following(&http, format);
    let view = match find(&http, &caller, &name).await {
        Ok(view) => view,
        Err(error) => return failed(&place, "show", &error),
    };
    match query.op().as_deref() {
        None if query.all("op").next().is_some() => return invalid_request(&place),
        Some("vcpuinfo") => return vcpuinfo(&http, &caller, &place).await,
        _ => {}
    }
    if let Format::Html { .. } = format {
        // By its UUID, so that a rename does not end it.
        let events = format!("{events}&domain={}", view.uuid);
        let seen = Seen { events, ..look(&http, &caller, &view).await };
        return ok(Content::Html(html::domain::page(&place, &view, &seen)));
    }
    ok(place.show(&Outcome::Domain(view)))
}

async fn find(http: &Http, caller: &Caller, name: &str) -> Result<Arc<DomainView>, Error> {
    match http.0.engine.execute(caller, Query::Domain(DomainRef::new(name))).await? {
        Outcome::Domain(view) => Ok(view),
        _ => Err(Error::NoSuchDomain(name.to_owned())),
    }
}

/// What a page shows of a domain beside its view. What the hypervisor does not tell is left out.
async fn look(http: &Http, caller: &Caller, view: &DomainView) -> Seen {
    let engine = &http.0.engine;
    let (samples, history) = (engine.samples().of(&view.uuid), engine.journal().of(&view.uuid));
    let domain = DomainRef::new(view.uuid.to_string());
    let ask = |query: Query| async { engine.execute(caller, query).await.ok() };
    if view.facts.is_none() {
        return Seen { sedf: ask(Query::Sedf(domain)).await, samples, history, ..Seen::default() };
    }
    let (vcpus, sedf, devices, console) = tokio::join!(
        ask(Query::Vcpus(domain.clone())),
        ask(Query::Sedf(domain.clone())),
        ask(Query::AllDevices(domain.clone())),
        ask(Query::Console(domain)),
    );
    Seen { vcpus, sedf, devices, console, samples, history, ..Seen::default() }
}

/// `GET /xend/domain/NAME/config`: what the domain could be created from again, as a file.
pub(super) async fn config(
    State(http): State<Http>,
    Path(name): Path<String>,
    format: Format,
    request: Request,
) -> Response {
    let place = Place::of(&request, &[&name], format);
    match find(&http, &caller(&request), &name).await {
        Ok(view) => {
            let mut text = create::printed(view.definition.as_ref().unwrap_or(&view.config));
            text.push('\n');
            download(Content::Sxp(text.into()), view.name().as_str())
        }
        Err(error) => failed(&place, "config", &error),
    }
}

/// `GET /xend/domain/NAME/confirm?op=OP`: asks before data is lost.
pub(super) async fn confirm(
    State(http): State<Http>,
    Path(name): Path<String>,
    format: Format,
    request: Request,
) -> Response {
    let place = Place::of(&request, &[&name], format);
    let query = Params::from_query(request.uri().query().unwrap_or(""));
    let Some(view) = http.0.engine.snapshot().find(&DomainRef::new(&name)).cloned() else {
        return no_such_domain(&place, &name);
    };
    let op = query.op().unwrap_or_default();
    let asked = ON_DOMAIN.iter().find(|operation| operation.name == op);
    match asked.and_then(|operation| Some((operation, operation.loses?))) {
        Some((operation, loses)) => {
            ok(Content::Html(html::create::confirm(&place, &view, operation, loses)))
        }
        None => invalid_request(&place),
    }
}

/// `GET /xend/new`: a page with an empty configuration or a template.
pub(super) async fn new(format: Format, request: Request) -> Response {
    let query = Params::from_query(request.uri().query().unwrap_or(""));
    let place = Place::of(&request, &[], format);
    match query.word("template", &html::create::TEMPLATE_KEYS) {
        Ok(template) => ok(Content::Html(html::create::new(&place, template))),
        Err(invalid) => failed(&place, "new", &invalid.into()),
    }
}

/// `GET /xend/assets/VERSION/NAME`: what pages refer to. Under the version that pages name it never
/// changes; under another one, which a page of an earlier daemon names, it may.
pub(super) async fn asset(Path((version, name)): Path<(String, String)>) -> Response {
    match ASSETS.iter().find(|asset| asset.name == name) {
        Some(asset) => response::asset(asset, version == *ASSETS_VERSION),
        None => not_found(&format!("Not found: {name}")),
    }
}

/// `GET /xend/node`
pub(super) async fn node(State(http): State<Http>, format: Format, request: Request) -> Response {
    let place = Place::of(&request, &[], format);
    let events = following(&http, format);
    match http.0.engine.execute(&caller(&request), Query::Host).await {
        Ok(Outcome::Host(info, figures)) if matches!(format, Format::Html { .. }) => {
            let engine = &http.0.engine;
            let (snapshot, round) = (engine.snapshot(), engine.samples().last());
            ok(Content::Html(html::node::page(&place, events, &info, &figures, &snapshot, &round)))
        }
        Ok(outcome) => ok(place.show(&outcome)),
        Err(error) => failed(&place, "node", &error),
    }
}

/// `GET /xend/node/dmesg`
pub(super) async fn dmesg(State(http): State<Http>, format: Format, request: Request) -> Response {
    let place = Place::of(&request, &[], format);
    match http.0.engine.execute(&caller(&request), Query::Dmesg).await {
        Ok(outcome) => text(&place, "Xen's messages", outcome),
        Err(error) => failed(&place, "dmesg", &error),
    }
}

/// `GET /xend/domain/NAME/console`
pub(super) async fn console(
    State(http): State<Http>,
    Path(name): Path<String>,
    format: Format,
    request: Request,
) -> Response {
    let place = Place::of(&request, &[&name], format);
    match http.0.engine.execute(&caller(&request), Query::Console(DomainRef::new(&name))).await {
        Ok(Outcome::Text(text)) if matches!(format, Format::Html { .. }) => {
            ok(Content::Html(html::console(
                &place,
                following(&http, format),
                &name,
                String::from_utf8_lossy(&text).into_owned(),
            )))
        }
        Ok(outcome) => text(&place, "Console", outcome),
        Err(error) => failed(&place, "console", &error),
    }
}

/// Text as it is, wrapped for a browser.
fn text(place: &Place, title: &str, outcome: Outcome) -> Response {
    let Outcome::Text(text) = outcome else { return ok(Content::Text(Bytes::new())) };
    ok(match place.format {
        Format::Html { .. } => {
            Content::Html(html::text(place, title, String::from_utf8_lossy(&text).into_owned()))
        }
        Format::Sxp | Format::Json => Content::Text(text.into()),
    })
}

/// `GET /xend/node/log`: text for everybody, as xend had it.
pub(super) async fn log(State(http): State<Http>) -> Response {
    ok(Content::Text((http.0.log)().into()))
}

/// `GET /xend/vnet`
pub(super) async fn vnets(State(http): State<Http>, format: Format, request: Request) -> Response {
    let place = Place::of(&request, &[], format);
    match http.0.engine.execute(&caller(&request), Query::Vnets).await {
        Ok(outcome) => ok(place.show(&outcome)),
        Err(error) => failed(&place, "vnet", &error),
    }
}

/// `GET /xend/vnet/ID`
pub(super) async fn vnet(
    State(http): State<Http>,
    Path(id): Path<String>,
    format: Format,
    request: Request,
) -> Response {
    let place = Place::of(&request, &[&id], format);
    match http.0.engine.execute(&caller(&request), Query::Vnet(id)).await {
        Ok(outcome) => ok(place.show(&outcome)),
        Err(error) => failed(&place, "vnet", &error),
    }
}

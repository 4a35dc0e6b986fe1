//! What is read with GET.

use super::accept::Format;
use super::ops::{Place, caller, failed, invalid_request, no_such_domain, vcpuinfo};
use super::params::Params;
use super::reply::{Content, not_found, ok};
use super::{Http, html};
use crate::core::caller::Caller;
use crate::core::error::Error;
use crate::core::model::DomainRef;
use crate::core::op::{Outcome, Query};
use crate::core::snapshot::{DomainView, Snapshot};
use crate::shape::{self, Sink};
use axum::extract::{Path, Request, State};
use axum::response::Response;
use std::sync::Arc;

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
    ok(place
        .write(|sink| list_directory(sink, Some("ls"), entries), |sink| list_directory(sink, None, entries)))
}

/// `(ls node domain vnet)`; JSON needs no word in front.
fn list_directory(sink: &mut impl Sink, head: Option<&str>, entries: &[&str]) {
    sink.begin_list();
    for word in head.iter().chain(entries) {
        sink.text(word.as_bytes());
    }
    sink.end_list();
}

/// `GET /xend/domain`
pub(super) async fn domains(State(http): State<Http>, format: Format, request: Request) -> Response {
    let query = Params::from_query(request.uri().query().unwrap_or(""));
    let state = query.all("state").last().map(|state| String::from_utf8_lossy(state).to_ascii_lowercase());
    let detail = query.one("detail").is_ok_and(|detail| detail == b"1");
    let snapshot = match list(&http, &caller(&request)).await {
        Ok(snapshot) => snapshot,
        Err(error) => return failed(&Place::of(&request, &[], format), "list", &error.to_string()),
    };
    if let (Format::Sxp, None) = (format, &state) {
        let cache = &http.0.cache;
        let printed = if detail { cache.details(&snapshot).await } else { cache.names(&snapshot).await };
        return ok(Content::Sxp(printed));
    }
    let place = Place::of(&request, &[], format);
    let shown = || snapshot.domains().filter(|view| shape::is_in_state(view, state.as_deref()));
    if let Format::Html { .. } = format {
        let views: Vec<_> = shown().cloned().collect();
        return ok(Content::Html(html::domains(&place, state.clone(), &views)));
    }
    ok(place.write(|sink| list_of(sink, shown(), detail), |sink| list_of(sink, shown(), detail)))
}

async fn list(http: &Http, caller: &Caller) -> Result<Arc<Snapshot>, Error> {
    match http.0.engine.execute(caller, Query::Domains).await? {
        Outcome::Domains(snapshot) => Ok(snapshot),
        _ => Ok(http.0.engine.snapshot()),
    }
}

fn list_of<'a>(sink: &mut impl Sink, views: impl Iterator<Item = &'a Arc<DomainView>>, detail: bool) {
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

/// `GET /xend/domain/NAME`. Of all operations GET performs vcpuinfo alone; others in the query mean nothing.
pub(super) async fn domain(
    State(http): State<Http>,
    Path(name): Path<String>,
    format: Format,
    request: Request,
) -> Response {
    let place = Place::of(&request, &[&name], format);
    let caller = caller(&request);
    let query = Params::from_query(request.uri().query().unwrap_or(""));
    let domain = DomainRef::new(name);
    let view = match http.0.engine.execute(&caller, Query::Domain(domain.clone())).await {
        Ok(Outcome::Domain(view)) => view,
        Ok(_) => return no_such_domain(domain.as_str()),
        Err(Error::NoSuchDomain(name)) => return no_such_domain(&name),
        Err(error) => return failed(&place, "show", &error.to_string()),
    };
    match query.op().as_deref() {
        None if query.all("op").next().is_some() => return invalid_request(&place),
        Some("vcpuinfo") => return vcpuinfo(&http, &caller, &place).await,
        _ => {}
    }
    if let Format::Html { .. } = format {
        let vcpus = http.0.engine.execute(&caller, Query::Vcpus(domain.clone())).await.ok();
        let sedf = http.0.engine.execute(&caller, Query::Sedf(domain)).await.ok();
        return ok(Content::Html(html::domain(&place, &view, vcpus.as_ref(), sedf.as_ref())));
    }
    ok(place.show(&Outcome::Domain(view)))
}

/// `GET /xend/node`
pub(super) async fn node(State(http): State<Http>, format: Format, request: Request) -> Response {
    let place = Place::of(&request, &[], format);
    match http.0.engine.execute(&caller(&request), Query::Host).await {
        Ok(outcome) => ok(place.show(&outcome)),
        Err(error) => failed(&place, "node", &error.to_string()),
    }
}

/// `GET /xend/node/dmesg`
pub(super) async fn dmesg(State(http): State<Http>, format: Format, request: Request) -> Response {
    let place = Place::of(&request, &[], format);
    match http.0.engine.execute(&caller(&request), Query::Dmesg).await {
        Ok(outcome) => text(&place, "Xen's messages", outcome),
        Err(error) => failed(&place, "dmesg", &error.to_string()),
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
    match http.0.engine.execute(&caller(&request), Query::Console(DomainRef::new(name))).await {
        Ok(outcome) => text(&place, "Console", outcome),
        Err(Error::NoSuchDomain(name)) => no_such_domain(&name),
        Err(error) => failed(&place, "console", &error.to_string()),
    }
}

/// Text as it is, wrapped for a browser.
fn text(place: &Place, title: &str, outcome: Outcome) -> Response {
    let Outcome::Text(text) = outcome else { return ok(Content::Text(bytes::Bytes::new())) };
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
        Err(error) => failed(&place, "vnet", &error.to_string()),
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
        Err(error) => not_found(&error.to_string()),
    }
}

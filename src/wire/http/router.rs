//! The router: from a request to the handler of its page.

use super::admission::Admission;
use super::answer_budget::reserve;
use super::context::Http;
use super::errors::{method_not_supported, not_found};
use super::format::Format;
use super::host::storage::UPLOAD_PATH;
use super::host::upload;
use super::page::{FormPage, HostPages, Page, PageAnswer};
use super::path::{as_utf8, canonicalize, escape_slashes};
use super::request::{HostTraits, ListenerLogin, RequestInfo};
use super::request_log;
use super::response::{Content, respond};
use super::unknown_path::UnknownSegment;
use super::{
    elsewhere, get, login, new_domain, pages, pass_on, post, query_by_get, response, selection,
};
use crate::core::caller::Caller;
use crate::core::model::DomName;
use crate::core::ports::Logins;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{Extensions, HeaderMap, Method, StatusCode, Version};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use axum::routing::{self, MethodRouter};
use axum::{Extension, Router};
use std::any::Any;
use std::sync::Arc;
use tower::{ServiceBuilder, ServiceExt};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use xend_templates::ASSETS_PATH;

/// The path of a domain's page. Its other pages are below.
const DOMAIN_PATH: &str = "/xend/domain/{domain}";

impl Http {
    /// The router of all pages. Every request must have a [`Caller`]
    /// among its extensions; one without it is refused, and so is a caller who is nobody.
    pub fn router(self) -> Router {
        self.router_with(None)
    }

    /// The router of a listener with accounts: a caller who is nobody can log in on a page. It must
    /// be behind the server's guard, see `admission.rs`.
    pub fn router_with_accounts(self, logins: Arc<dyn Logins>) -> Router {
        self.router_with(Some(logins))
    }

    fn router_with(self, logins: Option<Arc<dyn Logins>>) -> Router {
        let http = self.clone();
        let local = self.clone();
        let host = HostTraits {
            is_simulated: http.engine().is_simulated(),
            has_fleet: http.view(&Caller::internal()).has_fleet(),
        };
        let host_pages = pages::of_host(host.has_fleet);
        let listener_login =
            if logins.is_some() { ListenerLogin::Account } else { ListenerLogin::None };
        let admission = Admission { http: self.clone(), has_accounts: logins.is_some() };
        let login = logins.map(|logins| login::routes(self.clone(), logins)).unwrap_or_default();
        // One layer of several parts: each layer of a router copies all that is below it for each
        // request.
        let pages = routes(&host_pages, host.has_fleet.then_some(&local))
            .with_state(self.clone())
            .merge(login)
            .layer(
                ServiceBuilder::new()
                    .layer(CatchPanicLayer::custom(handle_panic))
                    .layer(CompressionLayer::new().compress_when(is_browser_media))
                    .layer(from_fn_with_state(self, reserve)),
            );
        // A path that old clients write in another way (`//xend/domain/`) has no route: it is made
        // canonical and routed again. The usual request is routed once.
        let canonical = made_once(pages.clone().fallback(unknown));
        let pages = made_once(
            pages.fallback(move |request: Request| canonical.oneshot(canonicalize(request))),
        );
        let router = Router::new().fallback(move |request: Request| {
            let is_domain = |request: &Request, name: &str| {
                let name = DomName::adopted(name);
                // A request without a caller is refused later.
                let caller = request.extensions().get::<Caller>();
                caller.is_some_and(|caller| http.view(caller).snapshot().by_name(&name).is_some())
            };
            pages.clone().oneshot(escape_slashes(as_utf8(request), is_domain))
        });
        let router = if host.has_fleet {
            router.layer(from_fn_with_state(local, pass_on::own_pages))
        } else {
            router
        };
        router.layer(
            ServiceBuilder::new()
                .layer(from_fn(request_log::log))
                .layer(Extension(listener_login))
                .layer(Extension(host_pages))
                .layer(Extension(host))
                .layer(from_fn_with_state(admission, Admission::check)),
        )
    }
}

/// The router with the service of its fallback, which a router that was given no state makes anew
/// for each request.
fn made_once(router: Router) -> Router {
    router.with_state(())
}

/// The routes of all pages. `of_fleet` is for a host in a fleet.
fn routes(pages: &HostPages, of_fleet: Option<&Http>) -> Router<Http> {
    let assets = format!("{ASSETS_PATH}/{{version}}/{{*name}}");
    let unsupported = |method: Method, headers: HeaderMap| async move {
        method_not_supported(&method, &headers, Page::READ_ONLY)
    };
    let router = Router::new().route(&assets, routing::get(get::asset).fallback(unsupported));
    let upload =
        routing::post(upload::post).fallback(|method: Method, headers: HeaderMap| async move {
            method_not_supported(&method, &headers, &["POST"])
        });
    let router = router.route(UPLOAD_PATH, upload);
    pages.0.iter().fold(router, |router, page| {
        let methods = match of_fleet.filter(|_| page.path.starts_with(DOMAIN_PATH)) {
            Some(http) => methods(page).layer(from_fn_with_state(http.clone(), elsewhere::route)),
            None => methods(page),
        };
        let router = router.route(page.path, methods);
        match page.path {
            "/xend/host/{host}/domain/{domain}" => {
                router.route(&format!("{}/{{*below}}", page.path), routing::any(pass_on::pass))
            }
            _ => router,
        }
    })
}

fn methods(page: &'static Page) -> MethodRouter<Http> {
    // The other host knows what its page takes.
    if pass_on::is_passed_on(page) {
        return (page.get)();
    }
    (page.get)()
        .post(move |State(http): State<Http>, info: RequestInfo, request: Request| async move {
            match page.answer {
                PageAnswer::FormOfPage(FormPage::Selection) => {
                    selection::perform(http, info, request).await
                }
                PageAnswer::FormOfPage(FormPage::NewDomain) => {
                    new_domain::post(http, info, request).await
                }
                _ => post::dispatch(page, http, info, request).await,
            }
        })
        .fallback(move |method: Method, headers: HeaderMap| async move {
            method_not_supported(&method, &headers, page.methods())
        })
        .layer(from_fn(move |request: Request, next: Next| async move {
            match query_by_get::refusal(page, &request) {
                Some(refusal) => refusal,
                None => next.run(request).await,
            }
        }))
}

/// Whether a response is a page or one of its files. These are compressed on request, and nothing
/// else is: old clients need a Content-Length, and some (Python's `requests`) ask for compression
/// that they do not need.
fn is_browser_media(_: StatusCode, _: Version, headers: &HeaderMap, _: &Extensions) -> bool {
    let media = headers.get(CONTENT_TYPE).map_or(&b""[..], |media| media.as_bytes());
    [&b"text/html"[..], b"text/css", b"text/javascript"].iter().any(|page| media.starts_with(page))
}

/// A panic costs one request, not the daemon.
fn handle_panic(_: Box<dyn Any + Send>) -> Response {
    tracing::error!("A request made the daemon panic, this is a bug");
    let text = "Internal error, see the log";
    respond(500, "Internal server error", Content::Text(text.into()))
}

/// A path that leads to no page. As in xend, the answer names the first unknown segment. Who does
/// not ask for S-expressions, as clients of xend do, is told what it probably means.
async fn unknown(
    method: Method,
    Extension(pages): Extension<HostPages>,
    info: RequestInfo,
) -> Response {
    let is_known = matches!(method, Method::GET | Method::HEAD | Method::POST);
    if !is_known && info.format != Format::Json {
        return response::method_not_supported(&method);
    }
    let paths: Vec<&str> = pages.0.iter().map(|page| page.path).collect();
    let unknown = UnknownSegment::of(&info.path, &paths);
    let text = format!("Not found: {}", unknown.name);
    not_found(
        &info,
        &match unknown.meant.filter(|_| info.format != Format::Sxp) {
            Some(meant) => format!("{text}, did you mean {meant}?"),
            None => text,
        },
    )
}

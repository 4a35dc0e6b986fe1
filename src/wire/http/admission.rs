//! Who is let in: what a request passes before its page.
//!
//! Operators and the users whom the server knows pass. A caller who is nobody becomes a user by the
//! cookie of a session, on a listener with accounts; else a browser is sent to the login page, and
//! a script is refused.
//!
//! # Requests of foreign pages
//!
//! A browser sends the cookie along, whoever makes it send a request. Three things keep pages of
//! other sites from using it:
//!
//! - The cookie is `SameSite=Strict`. But to a browser, all ports of a host are one site: a page of
//!   another server on this machine is none of another site.
//! - The server's guard refuses changes whose `Origin`, `Sec-Fetch-Site` or `Referer` is not that
//!   of this daemon, port included.
//! - A request that has none of the three passes the guard, since scripts send none. By a cookie it
//!   is allowed to read, not to change anything: every browser sends one of them with a form of our
//!   pages.

use super::context::Http;
use super::errors::{login_required, no_origin, not_known};
use super::path::{LOGIN_PATH, LOGOUT_PATH, login_path};
use super::request::RequestInfo;
use super::response::see_other;
use super::session_cookie;
use crate::core::caller::{Caller, Principal};
use axum::extract::{FromRequestParts as _, Request, State};
use axum::http::header::{CACHE_CONTROL, ORIGIN, REFERER, UPGRADE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use xend_templates::ASSETS_PATH;

/// The check of all requests to a router.
#[derive(Clone)]
pub(super) struct Admission {
    pub(super) http: Http,
    /// Whether users can log in.
    pub(super) has_accounts: bool,
}

impl Admission {
    /// The middleware: `axum::middleware::from_fn_with_state(admission, Admission::check)`.
    pub(super) async fn check(
        State(admission): State<Self>,
        mut request: Request,
        next: Next,
    ) -> Response {
        let path = request.uri().path();
        // A request without a caller is refused by its page.
        let Some(caller) = request.extensions().get::<Caller>() else {
            return next.run(request).await;
        };
        if is_in_force(caller) || path.starts_with(ASSETS_PATH) {
            return next.run(request).await;
        }
        let nobody = Caller::nobody(caller.via.clone());
        let is_login = path == LOGIN_PATH || path == LOGOUT_PATH;
        let mut tokens = session_cookie::tokens(request.headers(), &nobody.via);
        let sessions = admission.http.sessions();
        let session = tokens.find_map(|token| sessions.find(&token));
        drop(tokens);
        match session.filter(|_| admission.has_accounts) {
            Some(_) if !is_login && is_change(&request) && !has_origin(request.headers()) => {
                refuse(request, nobody, |info, _| no_origin(info)).await
            }
            Some(session) => {
                let is_navigation = RequestInfo::is_navigation(request.headers());
                if is_navigation || is_change(&request) {
                    session.touch();
                }
                request.extensions_mut().insert(nobody.logged_in(session.user().clone()));
                request.extensions_mut().insert(session);
                let mut response = next.run(request).await;
                // After the logout, the button Back shows no page again.
                let headers = response.headers_mut();
                headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
                response
            }
            None if !admission.has_accounts => {
                refuse(request, nobody, |info, _| not_known(info)).await
            }
            None if is_login => {
                request.extensions_mut().insert(nobody);
                next.run(request).await
            }
            None => refuse(request, nobody, to_login).await,
        }
    }
}

/// Whether the caller may use the interface, as far as their rights go.
fn is_in_force(caller: &Caller) -> bool {
    match &caller.principal {
        Principal::Operator => true,
        Principal::User(user) => !user.is_revoked(),
        Principal::Nobody => false,
    }
}

/// Whether a request may change anything; what is typed into a console or on a screen does.
fn is_change(request: &Request) -> bool {
    !matches!(*request.method(), Method::GET | Method::HEAD)
        || request.headers().contains_key(UPGRADE)
}

/// Whether a request says which page it comes from. The guard has checked what it says.
fn has_origin(headers: &HeaderMap) -> bool {
    let is_filled = |value: &HeaderValue| !value.is_empty();
    headers.contains_key(ORIGIN)
        || headers.contains_key("sec-fetch-site")
        || headers.get(REFERER).is_some_and(is_filled)
}

async fn refuse(
    request: Request,
    nobody: Caller,
    answer: impl FnOnce(&RequestInfo, &Parts) -> Response,
) -> Response {
    let (mut parts, _) = request.into_parts();
    parts.extensions.insert(nobody);
    match RequestInfo::from_request_parts(&mut parts, &()).await {
        Ok(info) => answer(&info, &parts),
        Err(refusal) => refusal,
    }
}

/// Sends a browser to the login page. A form that comes too late leads to its page after the login,
/// and is to be filled in again.
fn to_login(info: &RequestInfo, parts: &Parts) -> Response {
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    let is_page = matches!(parts.method, Method::GET | Method::HEAD);
    let login = login_path(if is_page { target } else { parts.uri.path() });
    if info.is_navigation {
        return see_other(&login);
    }
    let is_of_page = parts.headers.contains_key("sec-fetch-mode")
        || session_cookie::tokens(&parts.headers, &info.caller.via).next().is_some();
    login_required(info, is_of_page, &login)
}

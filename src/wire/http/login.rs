//! The page on which users log in, and the logout.

use super::body::{BodyError, Form, read_form};
use super::context::Http;
use super::errors::{RETRY_SECONDS, busy, malformed_request, method_not_supported, not_private};
use super::html;
use super::params::Params;
use super::path::{LOGIN_PATH, LOGOUT_PATH, page_after_login};
use super::request::RequestInfo;
use super::response::{Content, ok, respond, see_other};
use super::session_cookie;
use super::sessions::Token;
use crate::core::caller::{Principal, Via};
use crate::core::ports::{LoginError, Logins};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{RETRY_AFTER, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::response::Response;
use axum::routing;
use std::sync::Arc;
use xend_templates::LoginMessage;

/// The size limit of the form in bytes.
const MAX_FORM: usize = 16 * 1024;

#[derive(Clone)]
struct LoginPages {
    http: Http,
    logins: Arc<dyn Logins>,
}

/// The routes of the login page and of the logout.
pub(super) fn routes(http: Http, logins: Arc<dyn Logins>) -> Router {
    let without = |methods: &'static [&'static str]| {
        move |method: Method, headers: HeaderMap| async move {
            method_not_supported(&method, &headers, methods)
        }
    };
    let login = routing::get(show).post(log_in).fallback(without(&["GET", "HEAD", "POST"]));
    let logout = routing::post(log_out).fallback(without(&["POST"]));
    Router::new()
        .route(LOGIN_PATH, login)
        .route(LOGOUT_PATH, logout)
        .with_state(LoginPages { http, logins })
}

/// `GET /xend/login?next=PATH`
async fn show(headers: HeaderMap, request: RequestInfo) -> Response {
    let next = next_page(&request.query);
    if request.caller.principal != Principal::Nobody {
        return see_other(&next);
    }
    if !request.caller.via.is_private() {
        return not_private(&request);
    }
    let has_ended = session_cookie::tokens(&headers, &request.caller.via).next().is_some();
    let message = has_ended.then(|| LoginMessage {
        text: "Your session has ended. Log in again.".to_owned(),
        failed: false,
    });
    ok(Content::Html(html::login::page(&request, &next, "", message)))
}

/// `POST /xend/login`: begins a session. A browser that has one already gets another.
async fn log_in(
    State(pages): State<LoginPages>,
    request: RequestInfo,
    raw_request: Request,
) -> Response {
    let via = &request.caller.via;
    if request.session.is_none() && request.caller.principal != Principal::Nobody {
        return see_other(&next_page(&request.query));
    }
    if !via.is_private() {
        return not_private(&request);
    }
    let headers = raw_request.headers().clone();
    let form = read_form(&pages.http, raw_request, MAX_FORM).await;
    let Form { params: form, memory: _memory } = match form {
        Ok(form) => form,
        Err(BodyError::OverBudget(over)) => return busy(&request, &over.to_string()),
        Err(BodyError::TooLarge | BodyError::Malformed(_)) => {
            return malformed_request(&request, "The form is malformed or too large");
        }
    };
    let next = next_page(&form);
    let name = form.text("user").ok().flatten().unwrap_or_default();
    let password = form.text("password").ok().flatten().unwrap_or_default();
    match pages.logins.log_in(&name, &password, via).await {
        Ok(user) => {
            end_sessions(&pages.http, &headers, via);
            let token = Token::new(pages.http.engine().new_secret());
            pages.http.sessions().begin(token, user);
            with_cookie(see_other(&next), session_cookie::set(via, token))
        }
        Err(error) => refused(&request, &next, &name, &error),
    }
}

fn refused(request: &RequestInfo, next: &str, name: &str, error: &LoginError) -> Response {
    let (code, phrase, text) = match error {
        LoginError::Refused(_) => (403, "Forbidden", "The name or the password is wrong."),
        LoginError::Busy => {
            (503, "Service Unavailable", "Many logins are waiting. Try again in a moment.")
        }
        LoginError::Broken(_) => (
            500,
            "Internal server error",
            "The password could not be checked. Ask the operator of the host.",
        ),
    };
    let message = LoginMessage { text: text.to_owned(), failed: true };
    let page = html::login::page(request, next, name, Some(message));
    let mut response = respond(code, phrase, Content::Html(page));
    if matches!(error, LoginError::Busy) {
        response.headers_mut().insert(RETRY_AFTER, RETRY_SECONDS);
    }
    response
}

/// `POST /xend/logout`
async fn log_out(
    State(pages): State<LoginPages>,
    headers: HeaderMap,
    request: RequestInfo,
) -> Response {
    let via = &request.caller.via;
    end_sessions(&pages.http, &headers, via);
    with_cookie(see_other(LOGIN_PATH), session_cookie::clear(via))
}

fn end_sessions(http: &Http, headers: &HeaderMap, via: &Via) {
    for token in session_cookie::tokens(headers, via) {
        http.sessions().end(&token);
    }
}

fn with_cookie(mut response: Response, cookie: Option<HeaderValue>) -> Response {
    if let Some(cookie) = cookie {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    response
}

fn next_page(params: &Params) -> String {
    let next = params.text("next").ok().flatten().unwrap_or_default();
    page_after_login(&next).to_owned()
}

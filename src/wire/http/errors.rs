//! Responses to requests that failed. Old clients show the bodies of 500 and 404 only, so every
//! failed operation is one of the two. Clients that ask for JSON get true statuses and problems,
//! and so do browsers on pages that xend did not have.

use super::config_text;
use super::format::Format;
use super::hints::{hint, hint_on};
use super::html;
use super::json::problem::Problem;
use super::json::problem_kind::ProblemKind;
use super::operation::Operation;
use super::page::Page;
use super::params::Params;
use super::request::RequestInfo;
use super::response::{self, Content, because, respond};
use super::stream_permits::TooManyStreams;
use crate::core::error::{Error, ErrorKind};
use crate::core::model::Invalid;
use crate::memory_budget::OverBudget;
use crate::shape::{self, Sink, SxpSink};
use axum::http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::Response;

/// The time in seconds after which a client may try again.
pub(super) const RETRY_SECONDS: HeaderValue = HeaderValue::from_static("5");

/// `406 Invalid request`, for no operation or several.
pub(super) fn invalid_request(request: &RequestInfo) -> Response {
    malformed_request(request, "Exactly one operation is expected, give op=NAME once")
}

/// A request without exactly one operation, which `refusal` is about.
pub(super) fn no_operation(
    request: &RequestInfo,
    operations: &[&Operation],
    refusal: &Problem,
) -> Response {
    if request.format == Format::Json {
        let known = operations.iter().map(|operation| operation.name);
        return problem(&refusal.clone().allowing(known));
    }
    invalid_request(request)
}

/// `406 Invalid request`. xend's body was the empty string.
pub(super) fn malformed_request(request: &RequestInfo, reason: &str) -> Response {
    let content = match request.format {
        Format::Sxp => Content::Sxp("''".into()),
        Format::Html { .. } => Content::Html(html::message::error(
            request,
            "Invalid request",
            reason,
            "The reference lists the operations of each page and their parameters.",
        )),
        Format::Json => return malformed(reason),
    };
    let response = match true_status(request, ProblemKind::MALFORMED) {
        Some(code) => respond(code, phrase_of(code), content),
        None => respond(406, "Invalid request", content),
    };
    because(response, reason)
}

/// `501`, for an unknown operation, with the advice on what was meant. xend sent plain text under
/// the type `application/sxp`, and clients read it. The advice is not in the reason phrase.
pub(super) fn unknown_operation(
    request: &RequestInfo,
    op: &str,
    operations: &[&Operation],
    advice: Option<&str>,
) -> Response {
    let phrase = format!("Operation not implemented: {op}");
    let text = advice.map_or_else(|| phrase.clone(), |advice| format!("{phrase}, {advice}"));
    let content = match request.format {
        Format::Sxp => Content::Sxp(text.clone().into()),
        Format::Html { explicit: true } => Content::Html(html::message::error(
            request,
            "Operation not implemented",
            &text,
            "The reference lists all operations.",
        )),
        Format::Html { explicit: false } => Content::Text(text.clone().into()),
        Format::Json => return no_such_operation(op, operations, advice),
    };
    let response = match true_status(request, ProblemKind::UNKNOWN_OPERATION) {
        Some(code) => respond(code, phrase_of(code), content),
        None => respond(501, &phrase, content),
    };
    because(response, text)
}

/// The status of a failure on a page that xend did not have, for browsers and the like; `None` for
/// pages and formats of xend, whose clients show the bodies of 500 and 404 alone.
fn true_status(request: &RequestInfo, kind: &ProblemKind) -> Option<u16> {
    (request.format.is_html() && !request.is_of_xend()).then_some(kind.status)
}

/// The reason phrase that a status usually has.
pub(super) fn phrase_of(code: u16) -> &'static str {
    StatusCode::from_u16(code).ok().and_then(|status| status.canonical_reason()).unwrap_or_default()
}

/// A response with the status that a problem has in all formats, for pages that xend did not have.
pub(super) fn truly_refused(request: &RequestInfo, refusal: &Problem, hint: &str) -> Response {
    let text = refusal.detail();
    let content = match request.format {
        Format::Sxp => sxp_error(text),
        Format::Html { .. } if refusal.status == 404 => {
            Content::Html(html::message::missing(request, refusal.title(), text, hint))
        }
        Format::Html { .. } => {
            Content::Html(html::message::error(request, refusal.title(), text, hint))
        }
        Format::Json => return problem(refusal),
    };
    because(respond(refusal.status, phrase_of(refusal.status), content), text)
}

/// An operation that failed, also because of a bad parameter: `404` if its domain or vnet does not
/// exist, else `500`.
pub(super) fn operation_failed(request: &RequestInfo, op: &str, error: &Error) -> Response {
    let reason = error.for_record();
    if request.format == Format::Json {
        return because(problem(&Problem::of(error)), reason);
    }
    let message = error.to_string();
    if let Error::NoSuchDomain(_) | Error::NoSuchVnet(_) = error {
        return not_found(request, &message);
    }
    let hint = hint_on(op, error, request.caller.is_operator());
    let content = match request.format {
        Format::Html { .. } => {
            let said = html::fault::text(request, op, error);
            Content::Html(if matches!(error, Error::NotPermitted { .. }) {
                html::message::not_permitted(request, &said, hint)
            } else if matches!(error, Error::NoSuchObject { .. }) {
                html::message::not_found(request, &said)
            } else {
                html::message::error(request, &html::fault::title(request, op), &said, hint)
            })
        }
        Format::Sxp | Format::Json => sxp_error(&message),
    };
    let response = match true_status(request, ProblemKind::of(error)) {
        Some(code) => respond(code, phrase_of(code), content),
        None => respond(500, &failed_phrase(op), content),
    };
    because(response, reason)
}

/// A domain that could not be created, on a page: the form keeps the text and shows the error in
/// it.
pub(super) fn creation_failed(
    request: &RequestInfo,
    op: &str,
    params: &Params,
    error: &Error,
) -> Response {
    let text = params.single("config").ok();
    let config_error = text
        .as_deref()
        .filter(|_| error.kind() == ErrorKind::Invalid)
        .and_then(|text| config_text::parse(text, shape::read_config).err());
    let is_empty = matches!(error, Error::Invalid(refusal) if refusal.is_missing());
    let text = text.unwrap_or_default();
    let hint = hint(error, request.caller.is_operator());
    let failure = match config_error {
        _ if is_empty => html::create::Failure::of_missing_text(),
        Some(error) => html::create::Failure::in_text(&text, &error),
        None => html::create::Failure::of(error, hint),
    };
    let page = html::create::failed(request, &text, &failure);
    because(respond(500, &failed_phrase(op), Content::Html(page)), error.for_record())
}

/// `404 Not found`. xend's text was `<Fault 3: 'nosuch'>`.
pub(super) fn no_such_domain(request: &RequestInfo, name: &str) -> Response {
    let text = format!("No such domain {name}");
    if request.format == Format::Json {
        return problem(&Problem::new(ProblemKind::NO_SUCH_DOMAIN, text));
    }
    not_found(request, &text)
}

/// `404 Not found`: a page when a browser opens it, else plain text, as in xend.
pub(super) fn not_found(request: &RequestInfo, text: &str) -> Response {
    if request.format == Format::Json {
        return problem(&Problem::new(ProblemKind::NOT_FOUND, text));
    }
    if !request.is_navigation {
        return response::not_found(text);
    }
    because(respond(404, "Not found", Content::Html(html::message::not_found(request, text))), text)
}

/// `403`, for a caller who is nobody on a listener without accounts. xm shows the reason phrase.
pub(super) fn not_known(request: &RequestInfo) -> Response {
    let text = "You are not known as an operator of this host, and have no account on it. Become \
                root, or have yourself named in xend-trusted-users in xend-config.sxp. Over TCP, \
                (xend-http-trust-loopback yes) lets in every user of this machine, and \
                xend-http-auth makes a listener on which users log in.";
    let phrase = "Forbidden: become root, or see xend-trusted-users";
    refuse(request, phrase, ProblemKind::NOT_KNOWN, text)
}

/// `403`, for a password or a session that would cross a network in the clear.
pub(super) fn not_private(request: &RequestInfo) -> Response {
    let text = "Passwords are accepted over TLS, or from this machine. Open the page with https.";
    refuse(request, "Forbidden", ProblemKind::NOT_PRIVATE, text)
}

/// `403`, for a change by a cookie that does not say from which page it comes.
pub(super) fn no_origin(request: &RequestInfo) -> Response {
    let text = "A change by the cookie of a session must come from a page: Origin, Sec-Fetch-Site \
                and Referer are missing. A script logs in with HTTP Basic instead.";
    refuse(request, "Forbidden", ProblemKind::NO_ORIGIN, text)
}

/// `401 Unauthorized`, for a caller who has not logged in. What the script of a page reads in the
/// background has no challenge that a browser knows: it would ask for a password out of the blue.
/// `login` is the login page that leads on.
pub(super) fn login_required(request: &RequestInfo, is_of_page: bool, login: &str) -> Response {
    let text = "Log in: send the name and the password of an account with HTTP Basic, or open \
                /xend/login in a browser.";
    let challenge = if is_of_page {
        HeaderValue::from_static("Cookie realm=\"xend\"")
    } else {
        HeaderValue::from_static("Basic realm=\"xend\", charset=\"UTF-8\"")
    };
    let mut response = if request.format == (Format::Html { explicit: true }) {
        let page = html::login::required(request, login);
        because(respond(401, "Unauthorized", Content::Html(page)), text)
    } else {
        refuse(request, "Unauthorized", ProblemKind::NOT_LOGGED_IN, text)
    };
    response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    response
}

/// `503`, for a request that there is no memory for now.
pub(super) fn busy(request: &RequestInfo, text: &str) -> Response {
    let mut response = refuse(request, "Service Unavailable", ProblemKind::BUSY, text);
    response.headers_mut().insert(RETRY_AFTER, RETRY_SECONDS);
    response
}

/// `503`, instead of an answer that there is no memory for now. Its request is done, so that a
/// client must not simply send a change again.
pub(super) fn no_room_for_answer(answer: &Response, is_post: bool, over: OverBudget) -> Response {
    let text = if is_post {
        "The request is done, but there are too many large answers at a time for its own".to_owned()
    } else {
        over.to_string()
    };
    let media = answer.headers().get(CONTENT_TYPE).map_or(&b""[..], |media| media.as_bytes());
    let content = match media {
        b"application/sxp" => sxp_error(&text),
        b"application/json" | b"application/problem+json" => {
            let kind = if is_post { ProblemKind::ANSWER_LOST } else { ProblemKind::BUSY };
            Content::Problem(Problem::new(kind, text).to_json().into())
        }
        _ => Content::Text(format!("{text}\n").into()),
    };
    let mut response = respond(503, "Service Unavailable", content);
    if !is_post {
        response.headers_mut().insert(RETRY_AFTER, RETRY_SECONDS);
    }
    response
}

/// `503`, for a stream beyond the most at a time. `streams` names them. It is text in all formats
/// but JSON.
pub(super) fn too_many_streams(
    request: &RequestInfo,
    streams: &str,
    refusal: &TooManyStreams,
) -> Response {
    let most = refusal.most;
    let text = format!("There are {most} {streams} already, try again later");
    if request.format == Format::Json {
        return problem(&Problem::new(ProblemKind::BUSY, text));
    }
    because(respond(503, "Service Unavailable", Content::Text(text.clone().into())), text)
}

/// `413`. It is text in all formats but JSON.
pub(super) fn too_large(request: &RequestInfo, max_body: usize) -> Response {
    let text =
        format!("The body is larger than {max_body} bytes, see xend-max-body in xend-config.sxp");
    if request.format == Format::Json {
        return problem(&Problem::new(ProblemKind::TOO_LARGE, text));
    }
    because(respond(413, "Request entity too large", Content::Text(text.clone().into())), text)
}

/// A page without operations. It is text in all formats but JSON.
pub(super) fn no_operations(request: &RequestInfo) -> Response {
    if request.format == Format::Json {
        let text = format!("{} has no operations", request.path);
        return method_not_allowed(text, Page::READ_ONLY);
    }
    let text = format!("Not implemented: {} has no operations", request.path);
    because(respond(501, "Not implemented", Content::Text(text.clone().into())), text)
}

/// A method other than those of the page: `501`, or `405` in JSON.
pub(super) fn method_not_supported(
    method: &Method,
    headers: &HeaderMap,
    methods: &[&str],
) -> Response {
    if Format::negotiate(headers) != Format::Json {
        return response::method_not_supported(method);
    }
    let advice = if methods.contains(&"POST") { ": operations are done by POST" } else { "" };
    method_not_allowed(format!("There is no method {method} here{advice}"), methods)
}

fn method_not_allowed(text: String, methods: &[&str]) -> Response {
    let kind = Problem::new(ProblemKind::METHOD, text);
    let mut response = problem(&kind.allowing(methods.iter().copied()));
    if let Ok(allowed) = HeaderValue::from_str(&methods.join(", ")) {
        response.headers_mut().insert(ALLOW, allowed);
    }
    response
}

/// A problem, in the format that the request asks for.
pub(super) fn refused(request: &RequestInfo, op: &str, refusal: &Problem) -> Response {
    if request.format == Format::Json {
        return problem(refusal);
    }
    operation_failed(request, op, &Error::Invalid(Invalid::new(refusal.detail())))
}

/// The response to a client that asks for JSON.
pub(super) fn problem(problem: &Problem) -> Response {
    let content = Content::Problem(problem.to_json().into());
    let mut response = respond(problem.status, phrase_of(problem.status), content);
    if response.status() == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(RETRY_AFTER, RETRY_SECONDS);
    }
    because(response, problem.detail())
}

fn malformed(reason: &str) -> Response {
    problem(&Problem::new(ProblemKind::MALFORMED, reason))
}

/// The most characters of an operation's name in a problem.
const MAX_SHOWN: usize = 40;

/// The name of an operation that a client gave, as far as it is shown.
pub(super) fn shown(op: &str) -> String {
    op.chars().take(MAX_SHOWN).flat_map(char::escape_debug).collect()
}

fn no_such_operation(op: &str, operations: &[&Operation], advice: Option<&str>) -> Response {
    let known = operations.iter().map(|operation| operation.name);
    let shown = shown(op);
    let text = match advice {
        Some(advice) => format!("There is no operation {shown} here: {advice}"),
        None => format!("There is no operation {shown} here"),
    };
    let unknown = Problem::new(ProblemKind::UNKNOWN_OPERATION, text);
    problem(&unknown.about("op").allowing(known))
}

/// A request that is refused before its page sees it, in the format that it asks for.
fn refuse(request: &RequestInfo, phrase: &str, kind: &'static ProblemKind, text: &str) -> Response {
    let content = match request.format {
        Format::Sxp => sxp_error(text),
        Format::Html { explicit: true } => {
            Content::Html(html::message::refused(request, kind.title, text))
        }
        Format::Html { explicit: false } => Content::Text(format!("{text}\n").into()),
        Format::Json => return problem(&Problem::new(kind, text)),
    };
    because(respond(kind.status, phrase, content), text)
}

/// The reason phrase of an operation that failed.
pub(super) fn failed_phrase(op: &str) -> String {
    format!("Request failed: {op}")
}

/// The body of a failure in an S-expression.
pub(super) fn sxp_error(message: &str) -> Content {
    let mut sink = SxpSink::default();
    sink.text_field("xend.err", message.as_bytes());
    Content::Sxp(sink.into_bytes().into())
}

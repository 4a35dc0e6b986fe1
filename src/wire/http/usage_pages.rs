//! `GET /xend/domain/NAME/history` and `GET /xend/node/history`: what was used over a span.

use super::answer;
use super::context::Http;
use super::errors::operation_failed;
use super::format::Format;
use super::html::usage::{Scale, UsageSubject};
use super::json;
use super::operation::{Param, ParamKind, optional};
use super::request::RequestInfo;
use super::response::{Content, download, ok};
use super::{html, usage_csv};
use crate::core::error::Error;
use crate::core::model::{DomainRef, Invalid, Span, UsageHistory};
use axum::extract::State;
use axum::response::Response;

const OP: &str = "history";

const SPANS: [&str; Span::ALL.len()] = {
    let mut names = [""; Span::ALL.len()];
    let mut n = 0;
    while n < names.len() {
        names[n] = Span::ALL[n].name();
        n += 1;
    }
    names
};

const FORMATS: [&str; 2] = ["csv", "json"];

/// The parameters of both pages.
pub(super) static QUERY: [Param; 2] = [
    optional("span", ParamKind::Word(&SPANS), "day", "Span, up to the last whole minute", "week"),
    optional(
        "format",
        ParamKind::Word(&FORMATS),
        "by Accept",
        "Format of the answer, whatever Accept says",
        "csv",
    ),
];

/// `GET /xend/domain/NAME/history`
pub(super) async fn domain(
    State(http): State<Http>,
    request: RequestInfo,
) -> Result<Response, Response> {
    let view = http.view(&request.caller);
    let name = DomainRef::new(request.name());
    let (span, format) = query(&request).map_err(|invalid| refused(&request, &invalid.into()))?;
    let (domain, usage) =
        view.usage(&name, span).await.map_err(|error| refused(&request, &error))?;
    let subject = UsageSubject::of_domain(&domain, view.host_info());
    Ok(respond(&request, format, &usage, &subject))
}

/// `GET /xend/node/history`
pub(super) async fn host(
    State(http): State<Http>,
    request: RequestInfo,
) -> Result<Response, Response> {
    let view = http.view(&request.caller);
    let (span, format) = query(&request).map_err(|invalid| refused(&request, &invalid.into()))?;
    let usage = view.host_usage(span).await.map_err(|error| refused(&request, &error))?;
    let info = view.host_info();
    let subject = UsageSubject::of_host(Scale::of_host(info), &info.uname[1]);
    Ok(respond(&request, format, &usage, &subject))
}

fn query(request: &RequestInfo) -> Result<(Span, Option<&'static str>), Invalid> {
    let span = request.query.choice("span", &SPANS)?;
    let span = span.and_then(Span::from_name).unwrap_or(Span::Day);
    Ok((span, request.query.choice("format", &FORMATS)?))
}

fn refused(request: &RequestInfo, error: &Error) -> Response {
    operation_failed(request, OP, error)
}

fn respond(
    request: &RequestInfo,
    format: Option<&str>,
    usage: &UsageHistory,
    subject: &UsageSubject,
) -> Response {
    let json = || ok(Content::Json(answer::print(&json::usage::UsageHistory::of(usage)).into()));
    match (format, request.format) {
        (Some("json"), _) | (None, Format::Json) => json(),
        (None, Format::Html { explicit: true }) => {
            ok(Content::Html(html::usage::page(request, usage, subject)))
        }
        _ => {
            let name = format!("{}-{}", subject.name, usage.span.name());
            download(Content::Csv(usage_csv::print(usage)), &name, "csv")
        }
    }
}

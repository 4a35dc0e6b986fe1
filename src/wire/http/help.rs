//! `GET /xend/help`: every page and operation, printed from the table that the router is made from.

use super::format::Format;
use super::html;
use super::operations::{Needed, Operation, Param, Takes};
use super::pages::{PAGES, Page};
use super::request::Place;
use super::response::{Content, ok};
use crate::shape::Sink;
use axum::extract::Request;
use axum::response::Response;
use xend_templates::{HelpOperation, HelpPage, HelpParam, HelpSection};

/// The reference, in the format that was asked for.
pub(super) async fn help(format: Format, request: Request) -> Response {
    let place = Place::of(&request, &[], format);
    if let Format::Html { .. } = place.format {
        return ok(Content::Html(page(&place).render()));
    }
    let origin = &place.origin;
    ok(place.write(|sink| tell(sink, origin), |sink| tell(sink, origin)))
}

/// Writes `(help (page (path /xend) (about ...) (op (name pause) ...)) ...)`.
fn tell(sink: &mut impl Sink, origin: &str) {
    sink.begin_record("help");
    sink.begin_many("page");
    for page in &PAGES {
        sink.begin_fields_item("page");
        sink.text_field("path", page.path.as_bytes());
        sink.text_field("about", page.about.as_bytes());
        params(sink, "query", page.query);
        sink.begin_many("op");
        for operation in page.ops {
            sink.begin_fields_item("op");
            sink.text_field("name", operation.name.as_bytes());
            sink.text_field("about", operation.about.as_bytes());
            sink.text_field("answer", operation.success.about().as_bytes());
            params(sink, "param", operation.params);
            sink.text_field("example", example(origin, page, operation).as_bytes());
            sink.end_fields_item();
        }
        sink.end_many();
        sink.end_fields_item();
    }
    sink.end_many();
    sink.end_record();
}

fn params(sink: &mut impl Sink, key: &str, params: &[Param]) {
    sink.begin_many(key);
    for param in params {
        sink.begin_fields_item(key);
        sink.text_field("name", param.name.as_bytes());
        sink.text_field("type", param.takes.kind().as_bytes());
        sink.text_field("unit", param.takes.unit().as_bytes());
        match param.needed {
            Needed::Yes => sink.uint_field("required", true),
            Needed::Else(default) => {
                sink.uint_field("required", false);
                sink.text_field("default", default.as_bytes());
            }
        }
        sink.text_field("about", param.about.as_bytes());
        sink.text_field("example", param.example.as_bytes());
        sink.end_fields_item();
    }
    sink.end_many();
}

/// A line for a shell.
fn example(origin: &str, page: &Page, operation: &Operation) -> String {
    let mut line = format!("curl -H 'Accept: application/sxp' -d op={}", operation.name);
    for param in operation
        .params
        .iter()
        .filter(|param| param.needed == Needed::Yes || param.name == "weight")
    {
        let escaped = matches!(param.takes, Takes::Config(_) | Takes::Path | Takes::Text(_));
        let option = if escaped { "--data-urlencode" } else { "-d" };
        let field = format!("{}={}", param.name, param.example);
        let plain = field.bytes().all(|b| b.is_ascii_alphanumeric() || b"=-_./:".contains(&b));
        let quote = if plain { "" } else { "'" };
        line.extend([" ", option, " ", quote, &field, quote]);
    }
    let path = page.path.replace("{domain}", "web1").replace("{id}", "1");
    format!("{line} {origin}{path}")
}

fn page(place: &Place) -> HelpPage {
    let section = |page: &Page| HelpSection {
        path: page.path.to_owned(),
        about: page.about.to_owned(),
        query: page.query.iter().map(param).collect(),
        operations: page
            .ops
            .iter()
            .map(|operation| HelpOperation {
                name: operation.name.to_owned(),
                about: operation.about.to_owned(),
                answer: operation.success.about().to_owned(),
                params: operation.params.iter().map(param).collect(),
                example: example(&place.origin, page, operation),
            })
            .collect(),
    };
    HelpPage { crumbs: html::crumbs(place), sections: PAGES.iter().map(section).collect() }
}

fn param(param: &Param) -> HelpParam {
    HelpParam {
        name: param.name.to_owned(),
        kind: param.takes.kind().to_owned(),
        unit: param.takes.unit(),
        default: match param.needed {
            Needed::Yes => None,
            Needed::Else(default) => Some(default.to_owned()),
        },
        about: param.about.to_owned(),
        example: param.example.to_owned(),
    }
}

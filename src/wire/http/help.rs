//! `GET /xend/help`: the reference of all pages and operations, printed from their table.

use super::html::parts::frame;
use super::operation::{Operation, Param, ParamKind};
use super::page::Page;
use super::request::RequestInfo;
use super::response::{Content, ok};
use crate::core::rights::Access;
use crate::shape::Sink;
use axum::response::Response;
use xend_templates::{HelpOperation, HelpPage, HelpParam, HelpSection};

/// The reference of `pages`: those that the caller may read, and the operations that the caller may
/// do.
pub(super) fn answer(request: &RequestInfo, pages: &[Page]) -> Response {
    let access = request.access();
    let sections = pages.iter().filter(|page| access.may(page.kind));
    let sections: Vec<_> = sections.map(|page| Section::new(page, &access)).collect();
    if request.format.is_html() {
        return ok(Content::Html(help_page(request, &sections).render()));
    }
    let origin = &request.origin;
    ok(Content::serialized(
        request.format,
        |sink| write(sink, origin, &sections),
        |sink| write(sink, origin, &sections),
    ))
}

/// A page with some of its operations.
struct Section<'a> {
    page: &'a Page,
    operations: Vec<&'static Operation>,
}

impl<'a> Section<'a> {
    fn new(page: &'a Page, access: &Access) -> Self {
        let operations = page.operations.iter().copied();
        let operations = operations.filter(|operation| operation.is_offered(access)).collect();
        Self { page, operations }
    }
}

/// Writes `(help (page (path /xend) (about ...) (op (name pause) ...)) ...)`.
fn write(sink: &mut impl Sink, origin: &str, sections: &[Section<'_>]) {
    sink.begin_record("help");
    sink.begin_many("page");
    for Section { page, operations } in sections {
        sink.begin_fields_item("page");
        sink.text_field("path", page.path.as_bytes());
        sink.text_field("about", page.about.as_bytes());
        write_params(sink, "query", page.query);
        sink.begin_many("op");
        for operation in operations {
            sink.begin_fields_item("op");
            sink.text_field("name", operation.name.as_bytes());
            sink.text_field("about", operation.about.as_bytes());
            sink.text_field("answer", operation.success.about().as_bytes());
            write_params(sink, "param", operation.params);
            sink.text_field("example", example(origin, page, operation).as_bytes());
            sink.end_fields_item();
        }
        sink.end_many();
        sink.end_fields_item();
    }
    sink.end_many();
    sink.end_record();
}

fn write_params(sink: &mut impl Sink, key: &str, params: &[Param]) {
    sink.begin_many(key);
    for param in params {
        sink.begin_fields_item(key);
        sink.text_field("name", param.name.as_bytes());
        sink.text_field("type", param.kind.word().as_bytes());
        sink.text_field("unit", param.kind.unit().as_bytes());
        sink.flag_field("required", param.default.is_none());
        if let Some(default) = param.default {
            sink.text_field("default", default.as_bytes());
        }
        sink.text_field("about", param.about.as_bytes());
        sink.text_field("example", param.example.as_bytes());
        sink.end_fields_item();
    }
    sink.end_many();
}

/// Optional parameters that requests have in most cases. The credit schedulers require one of two.
const TYPICAL: [&str; 3] = ["weight", "address", "gateway"];

/// A curl command for the shell.
fn example(origin: &str, page: &Page, operation: &Operation) -> String {
    let mut line = format!("curl -H 'Accept: application/sxp' -d op={}", operation.name);
    let shown = operation
        .params
        .iter()
        .filter(|param| param.default.is_none() || TYPICAL.contains(&param.name));
    for param in shown {
        let is_free_text = !matches!(
            param.kind,
            ParamKind::Number(_) | ParamKind::Quantity(_) | ParamKind::Flag | ParamKind::Word(_)
        );
        let option = if is_free_text { "--data-urlencode" } else { "-d" };
        let field = match param.kind {
            // Every user of a machine sees the command lines of its programs.
            ParamKind::Password => format!("{}@file", param.name),
            _ => format!("{}={}", param.name, param.example),
        };
        let is_plain = field.bytes().all(|b| b.is_ascii_alphanumeric() || b"=-_./:@".contains(&b));
        let quote = if is_plain { "" } else { "'" };
        line.extend([" ", option, " ", quote, &field, quote]);
    }
    let path = page.path.replace("{domain}", "web1").replace("{id}", "1");
    format!("{line} {origin}{path}")
}

fn help_page(request: &RequestInfo, sections: &[Section<'_>]) -> HelpPage {
    let section = |Section { page, operations }: &Section<'_>| HelpSection {
        path: page.path.to_owned(),
        about: page.about.to_owned(),
        query: page.query.iter().map(help_param).collect(),
        operations: operations
            .iter()
            .map(|operation| HelpOperation {
                name: operation.name.to_owned(),
                about: operation.about.to_owned(),
                answer: operation.success.about().to_owned(),
                params: operation.params.iter().map(help_param).collect(),
                example: example(&request.origin, page, operation),
            })
            .collect(),
    };
    HelpPage { frame: frame(request), sections: sections.iter().map(section).collect() }
}

fn help_param(param: &Param) -> HelpParam {
    HelpParam {
        name: param.name.to_owned(),
        kind: param.kind.word().to_owned(),
        unit: param.kind.unit(),
        default: param.default.map(str::to_owned),
        about: param.about.to_owned(),
        example: param.example.to_owned(),
    }
}

//! `GET /xend/help`: the reference of all pages, operations and calls, printed from their tables.

mod calls;
mod curl;
mod part;
mod search;

use super::context::Http;
use super::errors::operation_failed;
use super::html::parts::frame;
use super::operation::{Operation, Param, ParamKind, optional};
use super::page::{HostPages, Page};
use super::pass_on::is_passed_on;
use super::request::{ListenerLogin, RequestInfo};
use super::response::{Content, ok};
use crate::call_reference::CallReference;
use crate::core::model::Invalid;
use crate::core::rights::{Access, OpKind};
use crate::shape::Sink;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use calls::FoundCalls;
use curl::Curl;
use part::{PARTS, Part};
use search::Search;
use xend_templates::{
    HelpContent, HelpOperation, HelpPage, HelpParam, HelpSection, HelpTab, OperationLink,
};

/// The parameters of the page.
pub(super) const QUERY: [Param; 2] = [
    optional(
        "part",
        ParamKind::Word(&PARTS),
        "http",
        "The wire that the reference is of",
        "xml-rpc",
    ),
    optional(
        "q",
        ParamKind::Text("words"),
        "all",
        "Operations and calls with these words",
        "pause",
    ),
];

/// About how many bytes the reference of a wire has.
const SIZE: usize = 256 * 1024;

/// What a request asks for.
struct Wanted {
    part: Part,
    text: String,
    search: Search,
}

impl Wanted {
    fn of(request: &RequestInfo) -> Result<Self, Invalid> {
        let word = request.query.choice("part", &PARTS)?;
        let part = Part::ALL.into_iter().find(|part| word == Some(part.word()));
        let text = request.query.text("q")?.unwrap_or_default();
        Ok(Self { part: part.unwrap_or(Part::Http), search: Search::new(&text), text })
    }
}

/// `GET /xend/help`: the reference of the pages that the caller may read, of the operations that
/// the caller may do, and of the calls of XML-RPC.
pub(super) async fn get(
    State(http): State<Http>,
    Extension(pages): Extension<HostPages>,
    request: RequestInfo,
) -> Response {
    let wanted = match Wanted::of(&request) {
        Ok(wanted) => wanted,
        Err(invalid) => return operation_failed(&request, "help", &invalid.into()),
    };
    let content = || content(http.calls(), &request, &pages, &wanted);
    ok(http.engine().print(SIZE, content).await)
}

fn content(
    calls: &CallReference,
    request: &RequestInfo,
    pages: &HostPages,
    wanted: &Wanted,
) -> Content {
    let access = request.access();
    // Who may not know the hosts of the fleet has no use for their pages.
    let is_known = |page: &Page| !is_passed_on(page) || access.may(OpKind::ShowFleet);
    let sections = pages.0.iter().filter(|page| access.may(page.kind) && is_known(page));
    let sections: Vec<_> =
        sections.filter_map(|page| Section::found(page, &access, &wanted.search)).collect();
    if request.format.is_html() {
        return Content::Html(help_page(calls, request, &sections, wanted).render());
    }
    let curl = curl_of(request);
    if wanted.part != Part::Http {
        let found = FoundCalls::new(calls, wanted.part, curl, &wanted.search);
        return Content::serialized(
            request.format,
            |sink| write_calls(sink, calls, wanted.part, &found),
            |sink| write_calls(sink, calls, wanted.part, &found),
        );
    }
    Content::serialized(
        request.format,
        |sink| write(sink, curl, &sections),
        |sink| write(sink, curl, &sections),
    )
}

/// How the caller asks this listener with curl.
fn curl_of(request: &RequestInfo) -> Curl<'_> {
    let user = request.caller.user().filter(|_| request.login == ListenerLogin::Account);
    Curl { origin: &request.origin, user: user.map(|user| user.name()) }
}

/// Writes `(help (login ...) (call ...) ...)`.
fn write_calls(sink: &mut impl Sink, calls: &CallReference, part: Part, found: &FoundCalls<'_>) {
    sink.begin_record("help");
    if let Some(login) = calls::login(calls).filter(|_| part == Part::XenApi) {
        sink.text_field("login", login.as_bytes());
    }
    found.write(sink);
    sink.end_record();
}

/// A page with some of its operations.
struct Section<'a> {
    page: &'a Page,
    /// Whether the page itself is looked for, and not its operations alone.
    is_found: bool,
    operations: Vec<&'static Operation>,
}

impl<'a> Section<'a> {
    /// The page with the operations that somebody looks for; `None` if neither it nor one of them
    /// is found.
    fn found(page: &'a Page, access: &Access, search: &Search) -> Option<Self> {
        let own = [page.path, page.about].into_iter().chain(texts(page.query));
        let is_found = search.finds(own);
        let operations = page.operations.iter().copied().filter(|operation| {
            let own = [page.path, operation.name, operation.about];
            operation.is_offered(access)
                && search.finds(own.into_iter().chain(texts(operation.params)))
        });
        let operations: Vec<_> = operations.collect();
        (is_found || !operations.is_empty()).then_some(Self { page, is_found, operations })
    }

    /// The number of what is found: the page, and operations.
    fn count(&self) -> usize {
        usize::from(self.is_found) + self.operations.len()
    }
}

/// What the reference says about parameters.
fn texts(params: &'static [Param]) -> impl Iterator<Item = &'static str> {
    params.iter().flat_map(|param| [param.name, param.about])
}

/// Writes `(help (page (path /xend) (about ...) (op (name pause) ...)) ...)`.
fn write(sink: &mut impl Sink, curl: Curl<'_>, sections: &[Section<'_>]) {
    sink.begin_record("help");
    sink.begin_many("page");
    for Section { page, operations, .. } in sections {
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
            sink.text_field("example", curl.operation(page, operation).as_bytes());
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

fn help_page(
    calls: &CallReference,
    request: &RequestInfo,
    sections: &[Section<'_>],
    wanted: &Wanted,
) -> HelpPage {
    let found = |part| FoundCalls::new(calls, part, curl_of(request), &wanted.search);
    let xml_rpc = found(Part::XmlRpc);
    let xen_api = found(Part::XenApi);
    let count = |part| match part {
        Part::Http => sections.iter().map(Section::count).sum(),
        Part::XmlRpc => xml_rpc.count(),
        Part::XenApi => xen_api.count(),
    };
    let tab = |part: Part| HelpTab {
        part: part.word().to_owned(),
        label: part.label().to_owned(),
        count: count(part),
        is_current: part == wanted.part,
    };
    let is_search = !wanted.text.trim().is_empty();
    HelpPage {
        frame: frame(request),
        search: wanted.text.clone(),
        part: wanted.part.word().to_owned(),
        tabs: Part::ALL.into_iter().map(tab).collect(),
        content: match wanted.part {
            Part::Http => HelpContent::Pages {
                index: index(sections),
                sections: sections.iter().map(|one| help_section(request, one)).collect(),
            },
            Part::XmlRpc => HelpContent::Calls { login: None, sections: xml_rpc.sections(true) },
            Part::XenApi if calls.xen_api.is_none() => HelpContent::NotServed(
                "The Xen-API is not served on this host: xen-api-server in xend-config.sxp, or \
                 --xen-api, has its listeners."
                    .to_owned(),
            ),
            Part::XenApi => HelpContent::Calls {
                login: calls::login(calls),
                sections: xen_api.sections(is_search),
            },
        },
    }
}

/// The operations by their names. Several pages can have one of a name.
fn index(sections: &[Section<'_>]) -> Vec<OperationLink> {
    let mut index: Vec<_> = sections
        .iter()
        .flat_map(|Section { page, operations, .. }| {
            operations.iter().map(|operation| OperationLink {
                name: operation.name.to_owned(),
                path: page.path.to_owned(),
            })
        })
        .collect();
    index.sort_by(|a, b| (&a.name, &a.path).cmp(&(&b.name, &b.path)));
    index
}

fn help_section(request: &RequestInfo, section: &Section<'_>) -> HelpSection {
    let Section { page, operations, .. } = section;
    HelpSection {
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
                example: curl_of(request).operation(page, operation),
            })
            .collect(),
    }
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

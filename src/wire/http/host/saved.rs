//! `GET /xend/saved`: domains that were saved to files, and suspended ones.

use super::listing::{PAGE_PARAM, Part, empty_text, list_page, respond};
use crate::core::error::Error;
use crate::core::lifecycle::State;
use crate::core::ports::SavedFile as File;
use crate::core::rights::OpKind;
use crate::core::snapshot::{DomainView, Snapshot};
use crate::wire::http::confirmation::nothing_to_confirm;
use crate::wire::http::context::Http;
use crate::wire::http::errors::{operation_failed, truly_refused};
use crate::wire::http::html::parts::{action, domain_link, domain_path, frame, moment};
use crate::wire::http::html::plain_form::form_of;
use crate::wire::http::html::units::bytes;
use crate::wire::http::json::host::{Saved, SavedFile};
use crate::wire::http::json::problem::Problem;
use crate::wire::http::json::problem_kind::ProblemKind;
use crate::wire::http::json::task::moment as rfc3339;
use crate::wire::http::operation::Param;
use crate::wire::http::operation::asking;
use crate::wire::http::operations::by_page::SAVED_OPERATIONS;
use crate::wire::http::operations::save::RESTORE;
use crate::wire::http::operations::{managed, saved};
use crate::wire::http::request::RequestInfo;
use crate::wire::http::response::{Content, ok};
use axum::extract::State as Shared;
use axum::response::Response;
use std::path::Path;
use std::sync::Arc;
use xend_templates::{Cell, ConfirmPage, Link, ListPage, OperationForm, Table, TableColumn};

/// The page.
pub(crate) const PATH: &str = "/xend/saved";

/// The files of a page.
const PER_PAGE: usize = 50;

/// The suspended domains of a page: the list of domains has all.
const MAX_SUSPENDED: usize = 200;

/// The parameters of the page.
pub(crate) const QUERY: [Param; 1] = [PAGE_PARAM];

/// `GET /xend/saved`
pub(crate) async fn get(
    Shared(http): Shared<Http>,
    request: RequestInfo,
) -> Result<Response, Response> {
    let view = http.view(&request.caller);
    let failed = |error| operation_failed(&request, "saved", &error);
    let found = view.saved_files().await.map_err(failed)?;
    let part = Part::of(&request.query, PER_PAGE).map_err(|invalid| failed(invalid.into()))?;
    let snapshot = view.snapshot();
    let suspended = suspended(&snapshot);
    let total = found.files.len();
    let shown = part.select(found.files.iter());
    let directories: Vec<String> =
        view.saved_dirs().iter().map(|dir| dir.display().to_string()).collect();
    let json = Saved {
        directories,
        total,
        files: shown.iter().map(|file| json(file)).collect(),
        suspended: suspended.iter().map(|view| view.name().to_string()).collect(),
    };
    Ok(respond(&request, &json, || {
        let files = Table {
            pager: part.pager(&request, total),
            empty: empty_text("saved domains", total, false),
            ..files(&request, &shown)
        };
        let about = match json.directories.as_slice() {
            [] => "The account has no directory for files.".to_owned(),
            dirs if request.caller.is_operator() => format!(
                "Files in {}; xend-file-dirs in xend-config.sxp names the directories.",
                dirs.join(", ")
            ),
            dirs => format!("Files in {}.", dirs.join(", ")),
        };
        ListPage {
            tables: vec![files, suspended_table(&request, &suspended)],
            ..list_page(&request, "Saved domains", &about)
        }
    }))
}

/// `GET /xend/saved/confirm?op=delete&file=PATH`
pub(crate) async fn confirm(
    Shared(http): Shared<Http>,
    request: RequestInfo,
) -> Result<Response, Response> {
    let view = http.view(&request.caller);
    let failed = |error| operation_failed(&request, "delete", &error);
    view.require(OpKind::RemoveSaved, "delete").map_err(failed)?;
    let op = request.query.operation().unwrap_or_default();
    let Some((operation, data_loss)) = asking(&SAVED_OPERATIONS, &op) else {
        return Ok(nothing_to_confirm(&request, &SAVED_OPERATIONS));
    };
    let file = request.query.path("file").map_err(|invalid| failed(invalid.into()))?;
    if let Err(error) = view.saved_domain(&file).await {
        return Err(match error {
            Error::Invalid(refusal) => {
                let missing = Problem::new(ProblemKind::NO_SUCH_OBJECT, refusal.to_string());
                truly_refused(&request, &missing, "The page of saved domains lists their files.")
            }
            other => failed(other),
        });
    }
    let page = ConfirmPage {
        frame: frame(&request),
        domain: Link::new(file.display().to_string(), target(PATH, &file)),
        // The file is in the target.
        operation: OperationForm { fields: Vec::new(), ..form_of(operation) },
        data_loss: data_loss.to_owned(),
    };
    Ok(ok(Content::Html(page.render())))
}

/// A page with a file in its query.
fn target(page: &str, file: &Path) -> String {
    let query = form_urlencoded::byte_serialize(file.as_os_str().as_encoded_bytes());
    format!("{page}?file={}", query.collect::<String>())
}

fn json(file: &File) -> SavedFile {
    SavedFile {
        file: file.path.display().to_string(),
        domain: file.name.to_string(),
        uuid: file.uuid.map(|uuid| uuid.to_string()),
        memory_mib: file.memory_mib,
        size_bytes: file.size,
        saved_at: rfc3339(file.saved_at),
    }
}

fn files(request: &RequestInfo, shown: &[&File]) -> Table {
    let access = request.access();
    let operations = [&RESTORE, &saved::DELETE];
    let offered: Vec<_> = operations.iter().filter(|it| it.is_offered(&access)).collect();
    let row = |file: &&File| {
        let confirm = target(&format!("{PATH}/confirm"), &file.path);
        vec![
            Cell::Text(file.path.display().to_string()),
            Cell::Text(file.name.to_string()),
            Cell::Text(format!("{} MiB", file.memory_mib)),
            Cell::Text(bytes(file.size)),
            Cell::Moment(moment(file.saved_at)),
            Cell::Actions {
                href: target("/xend/domain", &file.path),
                name: file.path.display().to_string(),
                actions: offered.iter().map(|operation| action(operation, &confirm)).collect(),
            },
        ]
    };
    Table {
        id: "files".to_owned(),
        title: "Files".to_owned(),
        columns: vec![
            TableColumn::text("File"),
            TableColumn::text("Domain"),
            TableColumn::number("Memory"),
            TableColumn::number("Size"),
            TableColumn::text("Saved (UTC)"),
            TableColumn::text("Actions"),
        ],
        rows: shown.iter().map(row).collect(),
        ..Table::default()
    }
}

/// The managed domains whose memory is in a file of the daemon's own.
fn suspended(snapshot: &Snapshot) -> Vec<&Arc<DomainView>> {
    let is_suspended = |view: &&Arc<DomainView>| {
        view.suspended && view.facts.is_none() && view.state() == State::Suspended
    };
    snapshot.domains().filter(is_suspended).take(MAX_SUSPENDED).collect()
}

fn suspended_table(request: &RequestInfo, suspended: &[&Arc<DomainView>]) -> Table {
    let access = request.access();
    let row = |view: &&Arc<DomainView>| {
        let href = domain_path(view);
        let confirm = format!("{href}/confirm");
        let operations = [&managed::RESUME, &managed::DELETE];
        let offered = operations.iter().filter(|it| it.is_offered_on(&access, view));
        vec![
            Cell::Link(domain_link(view)),
            Cell::Text(format!("{} MiB", view.config.memory)),
            Cell::Actions {
                href,
                name: view.name().to_string(),
                actions: offered.map(|operation| action(operation, &confirm)).collect(),
            },
        ]
    };
    Table {
        id: "suspended".to_owned(),
        title: "Suspended domains".to_owned(),
        columns: vec![
            TableColumn::text("Domain"),
            TableColumn::number("Memory"),
            TableColumn::text("Actions"),
        ],
        rows: suspended.iter().map(row).collect(),
        empty: "No managed domain is suspended.".to_owned(),
        pager: None,
    }
}

//! `GET /xend/journal`: the events since the daemon started, the latest first.

use super::listing::{PAGE_PARAM, Part, choice_field, empty_text, list_page, respond, text_field};
use crate::core::journal::Event;
use crate::core::model::Invalid;
use crate::core::snapshot::Snapshot;
use crate::shape;
use crate::wire::http::context::Http;
use crate::wire::http::errors::operation_failed;
use crate::wire::http::events;
use crate::wire::http::html::history;
use crate::wire::http::html::parts::domain_link;
use crate::wire::http::json::host::{Journal, JournalEvent};
use crate::wire::http::json::task::moment;
use crate::wire::http::operation::{Param, ParamKind, optional};
use crate::wire::http::params::Params;
use crate::wire::http::request::RequestInfo;
use axum::extract::State;
use axum::response::Response;
use std::sync::Arc;
use xend_templates::{Cell, Link, ListPage, Table, TableColumn};

/// The events of a page.
const PER_PAGE: usize = 100;

/// The kinds that the filter knows, with what they are called.
const KINDS: [(&str, &str); 6] = [
    ("", "All"),
    ("operations", "Operations"),
    ("failures", "Failures"),
    ("states", "States"),
    ("changes", "Changes"),
    ("guests", "Guests"),
];

const KIND_WORDS: [&str; 5] = ["operations", "failures", "states", "changes", "guests"];

/// The parameters of the page.
pub(crate) const QUERY: [Param; 3] = [
    optional("q", ParamKind::Text("part of a name or text"), "all", "Events with this", "web"),
    optional("kind", ParamKind::Word(&KIND_WORDS), "all", "Events of this kind", "failures"),
    PAGE_PARAM,
];

/// Which events are shown.
struct Filter {
    kind: Option<&'static str>,
    /// In lower case.
    wanted: String,
}

impl Filter {
    fn of(query: &Params) -> Result<Self, Invalid> {
        // The filter of the page sends an empty value for all.
        let is_blank = query.text("kind")?.is_none_or(|kind| kind.is_empty());
        let kind = if is_blank { None } else { query.choice("kind", &KIND_WORDS)? };
        let wanted = query.text("q")?.unwrap_or_default();
        Ok(Self { kind, wanted: wanted.trim().to_lowercase() })
    }

    fn is_set(&self) -> bool {
        self.kind.is_some() || !self.wanted.is_empty()
    }

    fn has(&self, event: &Event) -> bool {
        let is_of_kind = match (self.kind, shape::event_kind(&event.what)) {
            // What an operation does in between, and how far it is, is on the page of tasks.
            (_, "progress") => false,
            (None, _)
            | (Some("operations"), "done" | "failed")
            | (Some("failures"), "failed" | "disputed")
            | (Some("states"), "appeared" | "gone" | "state")
            | (Some("changes"), "renamed" | "configured")
            | (Some("guests"), "guest") => true,
            _ => false,
        };
        is_of_kind && (self.wanted.is_empty() || self.is_in(event))
    }

    /// Whether a text of the event has what is wanted.
    fn is_in(&self, event: &Event) -> bool {
        let entry = history::entry(event);
        let shown = history::shown(event).text;
        let texts = [&event.name, &entry.text, &shown, &entry.caller];
        texts.into_iter().any(|text| text.to_lowercase().contains(&self.wanted))
    }
}

/// `GET /xend/journal`
pub(crate) async fn get(
    State(http): State<Http>,
    request: RequestInfo,
) -> Result<Response, Response> {
    let failed = |invalid: Invalid| operation_failed(&request, "journal", &invalid.into());
    let filter = Filter::of(&request.query).map_err(failed)?;
    let part = Part::of(&request.query, PER_PAGE).map_err(failed)?;
    let view = http.view(&request.caller);
    let follow = events::follow_query(&http, &view, request.format);
    let all = view.events_after(0, usize::MAX).events;
    let snapshot = view.snapshot();
    let print = || {
        let found: Vec<&Arc<Event>> = all.iter().rev().filter(|event| filter.has(event)).collect();
        let total = found.len();
        let events = part.select(found.into_iter());
        let journal = Journal { total, events: events.iter().map(|event| json(event)).collect() };
        respond(&request, &journal, || {
            let rows = events.iter().map(|event| row(event, &snapshot)).collect();
            ListPage {
                follow: part.is_first().then_some(follow.clone()),
                filter: vec![
                    choice_field("kind", "Kind", filter.kind.unwrap_or_default(), &KINDS),
                    text_field("q", "Find", &filter.wanted),
                ],
                tables: vec![Table {
                    pager: part.pager(&request, total),
                    empty: empty_text("events", total, filter.is_set()),
                    ..table(rows)
                }],
                ..list_page(&request, "Events", "What has happened since xend was started.")
            }
        })
    };
    Ok(http.engine().print(all.len() * 128, print).await)
}

fn json(event: &Event) -> JournalEvent {
    let entry = history::entry(event);
    JournalEvent {
        at: moment(event.at),
        kind: shape::event_kind(&event.what),
        about: event.name.clone(),
        uuid: event.uuid.map(|uuid| uuid.to_string()),
        text: entry.text,
        caller: (!entry.caller.is_empty()).then_some(entry.caller),
    }
}

fn row(event: &Event, snapshot: &Snapshot) -> Vec<Cell> {
    let entry = history::shown(event);
    let domain = event.uuid.and_then(|uuid| snapshot.by_uuid(&uuid));
    vec![
        Cell::Moment(entry.at),
        match domain {
            // Under the name that it had then.
            Some(view) => Cell::Link(Link::new(event.name.clone(), domain_link(view).href)),
            None => Cell::Text(event.name.clone()),
        },
        if entry.failed { Cell::State("failed".to_owned()) } else { Cell::Text(String::new()) },
        Cell::Text(entry.text),
        Cell::Text(entry.caller),
    ]
}

fn table(rows: Vec<Vec<Cell>>) -> Table {
    Table {
        id: "events".to_owned(),
        title: "Events".to_owned(),
        columns: vec![
            TableColumn::text("Time (UTC)"),
            TableColumn::text("About"),
            TableColumn::text("Result"),
            TableColumn::text("Event"),
            TableColumn::text("Caller"),
        ],
        rows,
        ..Table::default()
    }
}

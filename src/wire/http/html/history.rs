//! A domain's history in words.

use super::parts::moment;
use crate::core::journal::{Event, EventKind};
use crate::core::lifecycle::State;
use crate::shape;
use crate::wire::http::operations::by_page::label_of;
use xend_templates::HistoryEntry;

/// An event, with its operation as pages call it.
pub(crate) fn shown(event: &Event) -> HistoryEntry {
    let text = match &event.what {
        EventKind::Done { op, .. } => label_of(op),
        EventKind::Failed { op, error, .. } => format!("{}: {error}", label_of(op)),
        _ => return entry(event),
    };
    HistoryEntry { text, ..entry(event) }
}

/// An event, with its operation as programs call it.
pub(crate) fn entry(event: &Event) -> HistoryEntry {
    let (text, caller, failed) = match &event.what {
        EventKind::Appeared(State::Halted) => ("Defined".to_owned(), "", false),
        EventKind::Appeared(State::Suspended) => ("Defined, suspended".to_owned(), "", false),
        EventKind::Appeared(state) => {
            (format!("On the host, {}", shape::state_name(*state)), "", false)
        }
        EventKind::Gone => ("Removed".to_owned(), "", false),
        EventKind::State { from, to } => {
            (format!("{} → {}", shape::state_name(*from), shape::state_name(*to)), "", false)
        }
        EventKind::Renamed { from } => (format!("Renamed from {from}"), "", false),
        EventKind::Configured => ("Configuration changed".to_owned(), "", false),
        EventKind::Reported => ("The guest reports a change".to_owned(), "", false),
        EventKind::Disputed { owner } => (
            format!("Belongs to {owner} in the fleet, and may run on both: destroy one of them"),
            "",
            true,
        ),
        EventKind::Progress(_) => ("In progress".to_owned(), "", false),
        EventKind::Done { op, caller } => ((*op).to_owned(), caller.text.as_str(), false),
        EventKind::Failed { op, caller, error } => {
            (format!("{op}: {error}"), caller.text.as_str(), true)
        }
    };
    HistoryEntry { at: moment(event.at), text, caller: caller.to_owned(), failed }
}

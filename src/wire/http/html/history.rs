//! A domain's history in words.

use super::parts::moment;
use crate::core::journal::{Event, EventKind};
use crate::core::lifecycle::State;
use crate::shape;
use xend_templates::HistoryEntry;

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
        EventKind::Progress(_) => ("In progress".to_owned(), "", false),
        EventKind::Done { op, caller } => ((*op).to_owned(), caller.text.as_str(), false),
        EventKind::Failed { op, caller, error } => {
            (format!("{op}: {error}"), caller.text.as_str(), true)
        }
    };
    HistoryEntry { at: moment(event.at), text, caller: caller.to_owned(), failed }
}

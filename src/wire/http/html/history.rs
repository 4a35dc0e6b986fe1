//! A domain's history in words.

use crate::core::journal::{Event, EventKind};
use crate::core::lifecycle::State;
use crate::shape;
use xend_templates::{HistoryEntry, Moment};

pub(super) fn entry(event: &Event) -> HistoryEntry {
    let at = jiff::Timestamp::try_from(event.at).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
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
    HistoryEntry {
        at: Moment {
            iso: at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            text: at.strftime("%Y-%m-%d %H:%M:%S").to_string(),
        },
        text,
        caller: caller.to_owned(),
        failed,
    }
}

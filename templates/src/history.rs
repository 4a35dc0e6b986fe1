//! The history of a domain.

use crate::parts::{Moment, scroll};
use maud::{Markup, html};

/// An event in a domain's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEntry {
    pub at: Moment,
    /// The event in words.
    pub text: String,
    /// The caller of an operation; empty for other events.
    pub caller: String,
    pub failed: bool,
}

pub(crate) fn history_table(entries: &[HistoryEntry]) -> Markup {
    html! {
        @if entries.is_empty() {
            p { "No events since xend was started." }
        } @else {
            (scroll("Events", &html! {
                table {
                    thead {
                        tr {
                            @for heading in ["Time (UTC)", "Event", "Caller"] {
                                th scope="col" { (heading) }
                            }
                        }
                    }
                    tbody {
                        @for entry in entries {
                            tr {
                                td { (entry.at.markup()) }
                                td {
                                    @if entry.failed { span.badge.failed { "failed" } " " }
                                    (entry.text)
                                }
                                td.muted { (entry.caller) }
                            }
                        }
                    }
                }
            }))
        }
    }
}

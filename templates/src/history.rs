//! What happened to a domain.

use maud::{Markup, html};

use crate::parts::Moment;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEntry {
    /// When.
    pub at: Moment,
    /// What, in words.
    pub what: String,
    /// Who asked for it, if anybody did.
    pub caller: String,
    /// Whether it failed.
    pub failed: bool,
}

pub(crate) fn history_table(entries: &[HistoryEntry]) -> Markup {
    html! {
        @if entries.is_empty() {
            p { "Nothing since xend was started." }
        } @else {
            div.scroll {
                table {
                    thead { tr { @for name in ["When (UTC)", "What", "Who"] { th scope="col" { (name) } } } }
                    tbody {
                        @for entry in entries {
                            tr {
                                td { (entry.at.markup()) }
                                td { @if entry.failed { span.badge.failed { "failed" } " " } (entry.what) }
                                td.muted { (entry.caller) }
                            }
                        }
                    }
                }
            }
        }
    }
}

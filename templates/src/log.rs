//! The page of the daemon's log.

use crate::assets::path;
use crate::layout::{Frame, Layout};
use crate::list_page::{FilterField, filter_form};
use crate::table::Pager;
use maud::html;

/// The page of `/xend/node/log`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPage {
    pub frame: Frame,
    pub filter: Vec<FilterField>,
    /// The lines that match, the oldest first.
    pub lines: Vec<LogLine>,
    pub pager: Option<Pager>,
    /// Whether the page ends with the newest line, so that the script can follow the log.
    pub is_newest: bool,
}

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    pub text: String,
    /// Whether people should see it at once: a warning or an error.
    pub level: LogLevel,
}

/// How important a line of the log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    Debug,
    Info,
    Warning,
    Error,
}

impl LogLevel {
    /// All levels, in the order of their importance.
    pub const ALL: [Self; 4] = [Self::Debug, Self::Info, Self::Warning, Self::Error];

    /// The value of `level`.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl LogPage {
    /// The whole document.
    pub fn render(&self) -> String {
        let body = html! {
            (filter_form(&self.filter))
            @if self.lines.is_empty() { p { "No line of the log matches." } }
            // The script asks for the page again, and shows its lines here.
            pre.log #log tabindex="0" role="log" aria-live="off" aria-label="Log"
                data-follow[self.is_newest] hidden[self.lines.is_empty()] {
                @for line in &self.lines {
                    @match line.level {
                        LogLevel::Debug | LogLevel::Info => (line.text),
                        level => span class=(level.key()) { (line.text) },
                    }
                    "\n"
                }
            }
            @if let Some(pager) = &self.pager { (pager.markup()) }
        };
        let head = html! { script type="module" src=(path("log.js")) {} };
        Layout { head: Some(head), ..Layout::new("Log", &self.frame, body) }.render()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{HOSTILE, assert_document, frame};

    fn page(lines: &[(&str, LogLevel)]) -> String {
        let line =
            |(text, level): &(&str, LogLevel)| LogLine { text: (*text).into(), level: *level };
        LogPage {
            frame: frame(&["xend", "node", "log"]),
            filter: vec![],
            lines: lines.iter().map(line).collect(),
            pager: None,
            is_newest: true,
        }
        .render()
    }

    #[test]
    fn lines_are_kept_and_escaped() {
        let text = page(&[("a", LogLevel::Info), (HOSTILE, LogLevel::Error)]);
        assert_document(&text);
        assert!(text.contains(">a\n<span class=\"error\">&lt;script"), "{text}");
    }

    #[test]
    fn a_log_without_lines_says_so() {
        let text = page(&[]);
        assert!(text.contains("No line of the log matches.") && text.contains(" hidden"), "{text}");
    }
}

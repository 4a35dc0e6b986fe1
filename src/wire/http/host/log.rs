//! The page of `/xend/node/log`: the daemon's log with a filter.

use super::listing::{PAGE_PARAM, Part, choice_field, text_field};
use crate::core::model::Invalid;
use crate::wire::http::html::parts::frame;
use crate::wire::http::operation::{Param, ParamKind, optional};
use crate::wire::http::params::Params;
use crate::wire::http::request::RequestInfo;
use xend_templates::{LogLevel, LogLine, LogPage};

/// The lines of a page.
const PER_PAGE: usize = 500;

const LEVELS: [&str; LogLevel::ALL.len()] = ["debug", "info", "warning", "error"];

/// The parameters of the page for people.
pub(crate) const QUERY: [Param; 3] = [
    optional(
        "level",
        ParamKind::Word(&LEVELS),
        "debug",
        "Lines of this level and above (HTML)",
        "warning",
    ),
    optional("q", ParamKind::Text("part of a line"), "all", "Lines with this (HTML)", "web1"),
    PAGE_PARAM,
];

/// The page. `text` is the log.
pub(crate) fn page(request: &RequestInfo, text: &str) -> Result<LogPage, Invalid> {
    let (least, wanted) = filter(&request.query)?;
    let part = Part::of(&request.query, PER_PAGE)?;
    let lowercase = wanted.to_lowercase();
    let has_text = |line: &str| lowercase.is_empty() || line.to_lowercase().contains(&lowercase);
    let matching: Vec<(LogLevel, &str)> = text
        .lines()
        .map(|line| (level(line), line))
        .filter(|(level, line)| *level >= least && has_text(line))
        .collect();
    let total = matching.len();
    // The newest part is the first one, and within a part the newest line is the last.
    let lines = part.select(matching.into_iter().rev()).into_iter().rev();
    let lines = lines.map(|(level, line)| LogLine { text: line.to_owned(), level }).collect();
    Ok(LogPage {
        frame: frame(request),
        filter: vec![
            choice_field(
                "level",
                "Level",
                least.key(),
                &[
                    ("debug", "All"),
                    ("info", "Information and above"),
                    ("warning", "Warnings and errors"),
                    ("error", "Errors"),
                ],
            ),
            text_field("q", "Find", &wanted),
        ],
        lines,
        pager: part.pager(request, total),
        is_newest: part.is_first(),
    })
}

/// The least level and the text that lines must have.
fn filter(query: &Params) -> Result<(LogLevel, String), Invalid> {
    let key = query.choice("level", &LEVELS)?;
    let level = LogLevel::ALL.into_iter().find(|level| Some(level.key()) == key);
    let wanted = query.text("q")?.unwrap_or_default();
    Ok((level.unwrap_or(LogLevel::Debug), wanted.trim().to_owned()))
}

/// The level of a line, `[date time pid] LEVEL (module:line) message`.
fn level(line: &str) -> LogLevel {
    let word = line.split_once("] ").and_then(|(_, rest)| rest.split(' ').next());
    match word {
        Some("ERROR") => LogLevel::Error,
        Some("WARNING") => LogLevel::Warning,
        Some("DEBUG" | "TRACE") => LogLevel::Debug,
        _ => LogLevel::Info,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_the_level_that_it_names() {
        for (line, expected) in [
            ("[2026-11-29 17:00:00 4711] WARNING (save:12) Slow", LogLevel::Warning),
            ("[2026-11-29 17:00:00 4711] ERROR (save:12) [x] INFO", LogLevel::Error),
            ("[2026-11-29 17:00:00 4711] TRACE (save:12) x", LogLevel::Debug),
            ("the daemon's log", LogLevel::Info),
            ("", LogLevel::Info),
        ] {
            assert_eq!(level(line), expected, "{line}");
        }
    }

    #[test]
    fn levels_have_an_order_and_the_names_of_the_filter() {
        assert!(LogLevel::Error > LogLevel::Warning && LogLevel::Info > LogLevel::Debug);
        assert_eq!(LogLevel::ALL.map(LogLevel::key), LEVELS);
        assert!(filter(&Params::from_query("level=loud")).is_err());
    }
}

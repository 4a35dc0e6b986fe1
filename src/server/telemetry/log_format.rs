//! The format of log lines.

use crate::config::LogFormat;
use std::fmt::{self, Write as _};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::{Format, Json, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// The date and the time in a line.
const TIME: &str = "%Y-%m-%d %H:%M:%S";

/// The format of the lines in standard error or in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LineFormat {
    /// [`XendFormat`]
    Xend,
    /// `<PRIORITY>message`, as systemd's journal reads it. The journal knows time and process.
    Journal,
    /// Objects with `timestamp`, `level`, `target`, and `fields`, of which `message` is one.
    Json,
    /// The same for systemd's journal, which takes the `<PRIORITY>` before an object away.
    JournalJson,
}

/// The formats of lines by where they go.
#[derive(Debug, Clone, Copy)]
pub(super) struct LineFormats {
    pub(super) in_file: LineFormat,
    /// Also as long as the file cannot be opened.
    pub(super) on_stderr: LineFormat,
}

impl LineFormats {
    /// `on_journal` is whether standard error is the journal's, which keeps times of its own.
    pub(super) fn new(format: LogFormat, on_journal: bool) -> Self {
        let in_file = match format {
            LogFormat::Auto | LogFormat::Xend => LineFormat::Xend,
            LogFormat::Json => LineFormat::Json,
            LogFormat::Journal => LineFormat::Journal,
        };
        let on_stderr = match format {
            LogFormat::Auto if on_journal => LineFormat::Journal,
            LogFormat::Json if on_journal => LineFormat::JournalJson,
            _ => in_file,
        };
        Self { in_file, on_stderr }
    }
}

impl LineFormat {
    /// Escapes the control characters of a line.
    pub(super) fn escape(self, line: &str) -> String {
        match self {
            Self::Xend | Self::Journal => escape_control_characters(line),
            Self::Json | Self::JournalJson => escape_in_json(line),
        }
    }

    /// A warning about the log itself, which does not go through `tracing`.
    pub(super) fn own_line(self, message: &str) -> String {
        match self {
            Self::Xend => {
                let now = jiff::Zoned::now().strftime(TIME).to_string();
                format!("[{now} {}] WARNING (log) {message}\n", std::process::id())
            }
            Self::Journal => journal_line(Level::WARN, message) + "\n",
            Self::Json => json_line(Level::WARN, "log", message) + "\n",
            Self::JournalJson => {
                journal_line(Level::WARN, &json_line(Level::WARN, "log", message)) + "\n"
            }
        }
    }

    /// The line that says why the daemon has failed: it may have no log yet. In xend's format it is
    /// the one that the other commands print.
    pub(super) fn failure(self, message: &str) -> String {
        let line = match self {
            Self::Xend => format!("xend: {message}"),
            Self::Journal => journal_line(Level::ERROR, message),
            Self::Json => json_line(Level::ERROR, "xend", message),
            Self::JournalJson => {
                journal_line(Level::ERROR, &json_line(Level::ERROR, "xend", message))
            }
        };
        self.escape(&line) + "\n"
    }
}

impl<S, N> FormatEvent<S, N> for LineFormat
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        match self {
            Self::Xend => XendFormat.format_event(context, writer, event),
            Self::Json => json().format_event(context, writer, event),
            Self::JournalJson => {
                write_priority(&mut writer, event)?;
                json().format_event(context, writer, event)
            }
            Self::Journal => {
                write_priority(&mut writer, event)?;
                context.format_fields(writer.by_ref(), event)?;
                writeln!(writer)
            }
        }
    }
}

fn write_priority(writer: &mut Writer<'_>, event: &Event<'_>) -> fmt::Result {
    write!(writer, "<{}>", priority(*event.metadata().level()))
}

fn journal_line(level: Level, message: &str) -> String {
    format!("<{}>{message}", priority(level))
}

/// What [`Format<Json>`] makes of an event without fields.
fn json_line(level: Level, target: &str, message: &str) -> String {
    let line = serde_json::json!({
        "timestamp": jiff::Timestamp::now().to_string(),
        "level": level.as_str(),
        "target": target,
        "fields": { "message": message },
    });
    line.to_string()
}

fn json() -> Format<Json> {
    tracing_subscriber::fmt::format().json().with_current_span(false).with_span_list(false)
}

/// The priority of syslog.
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    }
}

/// Formats events as `[date time pid] LEVEL (module:line) message`.
#[derive(Debug)]
pub(super) struct XendFormat;

impl<S, N> FormatEvent<S, N> for XendFormat
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let now = jiff::Zoned::now();
        let metadata = event.metadata();
        // Python's names of the levels.
        let level = match *metadata.level() {
            Level::ERROR => "ERROR",
            Level::WARN => "WARNING",
            Level::INFO => "INFO",
            Level::DEBUG => "DEBUG",
            Level::TRACE => "TRACE",
        };
        let module = metadata.module_path().unwrap_or(metadata.target());
        let module = module.rsplit("::").next().unwrap_or(module);
        write!(
            writer,
            "[{} {}] {level} ({module}:{}) ",
            now.strftime(TIME),
            std::process::id(),
            metadata.line().unwrap_or(0)
        )?;
        context.format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}

/// Escapes control characters: a client's line feed must not begin a forged line, and an escape
/// sequence must not reach the administrator's terminal.
pub(super) fn escape_control_characters(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    for c in line.chars() {
        if c.is_control() {
            text.extend(c.escape_default());
        } else {
            text.push(c);
        }
    }
    text
}

/// Escapes the control characters that JSON leaves as they are, U+007F to U+009F: terminals obey
/// them.
fn escape_in_json(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    for c in line.chars() {
        if c.is_control() {
            // All of them are below U+00A0. Writing to a string cannot fail.
            let _ = write!(text, "\\u{:04x}", u32::from(c));
        } else {
            text.push(c);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_about_the_log_has_its_format() {
        let xend = LineFormat::Xend.own_line("Full");
        assert!(xend.starts_with('[') && xend.ends_with("] WARNING (log) Full\n"), "{xend}");
        assert_eq!(LineFormat::Journal.own_line("Full"), "<4>Full\n");
        let json: serde_json::Value =
            serde_json::from_str(&LineFormat::Json.own_line("Full")).unwrap();
        assert_eq!((&json["level"], &json["fields"]["message"]), (&"WARN".into(), &"Full".into()));
    }

    #[test]
    fn a_failure_has_the_format_of_the_log() {
        assert_eq!(LineFormat::Xend.failure("No\nway"), "xend: No\\nway\n");
        assert_eq!(LineFormat::Journal.failure("No way"), "<3>No way\n");
        let json: serde_json::Value =
            serde_json::from_str(&LineFormat::Json.failure("No \"way\"")).unwrap();
        assert_eq!(json["fields"]["message"], "No \"way\"");
        assert_eq!((&json["level"], &json["target"]), (&"ERROR".into(), &"xend".into()));
        let for_journal = LineFormat::JournalJson.failure("No way");
        let json = for_journal.strip_prefix("<3>").unwrap();
        assert!(json.starts_with('{') && json.ends_with("}\n"), "{for_journal}");
    }

    #[test]
    fn the_journal_gets_priorities_only_where_it_keeps_the_lines() {
        use LineFormat::{Journal, JournalJson, Json, Xend};
        for (format, on_journal, in_file, on_stderr) in [
            (LogFormat::Auto, false, Xend, Xend),
            (LogFormat::Auto, true, Xend, Journal),
            (LogFormat::Xend, true, Xend, Xend),
            (LogFormat::Json, false, Json, Json),
            (LogFormat::Json, true, Json, JournalJson),
            (LogFormat::Journal, false, Journal, Journal),
        ] {
            let formats = LineFormats::new(format, on_journal);
            assert_eq!((formats.in_file, formats.on_stderr), (in_file, on_stderr), "{format:?}");
        }
    }
}

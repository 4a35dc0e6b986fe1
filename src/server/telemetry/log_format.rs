//! The format of log lines.

use std::fmt;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// The date and the time in a line.
const TIME: &str = "%Y-%m-%d %H:%M:%S";

/// Formats events as `[date time pid] LEVEL (module:line) message`.
#[derive(Debug)]
pub(super) struct XendFormat {
    pid: u32,
}

impl XendFormat {
    pub(super) fn for_this_process() -> Self {
        Self { pid: std::process::id() }
    }
}

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
            self.pid,
            metadata.line().unwrap_or(0)
        )?;
        context.format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}

/// A line about the log itself, which does not go through `tracing`.
pub(super) fn own_line(message: &str) -> String {
    let now = jiff::Zoned::now().strftime(TIME).to_string();
    format!("[{now} {}] WARNING (log) {message}\n", std::process::id())
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

//! The fields of a log line: `message name=value name="a value"`.

use std::fmt::{self, Debug};
use tracing::field::{Field, Visit};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::Writer;

/// Prints fields. A value with blanks is in quotes, so that one can tell where it ends.
#[derive(Debug)]
pub(super) struct LogFields;

impl<'writer> FormatFields<'writer> for LogFields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'writer>, fields: R) -> fmt::Result {
        let mut printer = FieldPrinter { writer, is_first: true, result: Ok(()) };
        fields.record(&mut printer);
        printer.result
    }
}

struct FieldPrinter<'writer> {
    writer: Writer<'writer>,
    is_first: bool,
    result: fmt::Result,
}

impl FieldPrinter<'_> {
    fn print(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        // Those of the crate log say where a line comes from.
        if self.result.is_err() || field.name().starts_with("log.") {
            return;
        }
        let separator = if self.is_first { "" } else { " " };
        self.is_first = false;
        self.result = match field.name() {
            "message" => write!(self.writer, "{separator}{value}"),
            name => write!(self.writer, "{separator}{}={value}", name.trim_start_matches("r#")),
        };
    }
}

impl Visit for FieldPrinter<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.print(field, format_args!("{value}")),
            _ => self.print(field, format_args!("{value:?}")),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let text = format!("{value:?}");
        if field.name() != "message" && text.contains(char::is_whitespace) {
            self.print(field, format_args!("{text:?}"));
        } else {
            self.print(field, format_args!("{text}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::server::telemetry::log_ring::LogRing;
    use crate::server::telemetry::log_writer::RingWriter;
    use tracing::subscriber::with_default;
    use tracing_subscriber::fmt;
    use tracing_subscriber::layer::SubscriberExt as _;

    #[test]
    fn values_with_blanks_are_quoted() {
        let ring = LogRing::default();
        let layer = fmt::layer().fmt_fields(super::LogFields).with_ansi(false);
        let layer = layer.without_time().with_level(false).with_target(false);
        let subscriber =
            tracing_subscriber::registry().with(layer.with_writer(RingWriter(ring.clone())));
        with_default(subscriber, || {
            let error = "Domain \"web1\" already exists with ID 1";
            let all = "all \"of\" it";
            tracing::info!(op = "new", domid = 3, %error, file = %"/a", "Failed: {all}");
        });
        assert_eq!(
            ring.text(),
            "Failed: all \"of\" it op=\"new\" domid=3 \
             error=\"Domain \\\"web1\\\" already exists with ID 1\" file=/a\n"
        );
    }
}

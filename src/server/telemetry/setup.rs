//! Setting the log up and changing it.

use super::announcements::Announcements;
use super::journal::is_journal;
use super::log_fields::LogFields;
use super::log_format::{LineFormat, LineFormats};
use super::log_ring::LogRing;
use super::log_writer::{self, LogTarget, LogWriter, RingWriter};
use crate::config::{Config, Diagnostic, LogFormat};
use std::env;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};
use tracing_subscriber::{EnvFilter, Registry, fmt, reload};

/// A log that cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter is wrong.
    #[error("Cannot understand the log filter '{filter}'")]
    Filter {
        filter: String,
        /// The parser's error.
        source: ParseError,
    },
    /// The log file cannot be opened.
    #[error("Cannot open the log file {}", path.display())]
    File { path: PathBuf, source: io::Error },
    /// There can be no thread that writes the log.
    #[error("Cannot start the thread of the log")]
    Thread(#[source] io::Error),
    /// The process already has a subscriber.
    #[error("Cannot set up the log")]
    Init(#[from] TryInitError),
    /// The subscriber is gone.
    #[error("Cannot change the log filter")]
    Reload(#[from] reload::Error),
}

/// The log of the process.
#[derive(Debug, Clone)]
pub struct Telemetry {
    filter: reload::Handle<EnvFilter, Registry>,
    ring: LogRing,
    writer: LogWriter,
}

impl Telemetry {
    /// Sets up the log of this process. Events that pass `filter` go to `logfile`; to standard
    /// error without one, and as long as it cannot be opened.
    pub fn init(
        filter: &str,
        logfile: Option<&Path>,
        format: LogFormat,
    ) -> Result<Self, TelemetryError> {
        let (target, failure) = logfile.map_or((LogTarget::Stderr, None), LogTarget::open);
        let (telemetry, subscriber) = Self::build(filter, target, line_formats(format))?;
        subscriber.try_init()?;
        if let (Some(path), Some(error)) = (logfile, failure) {
            let path = path.display();
            tracing::error!("The log goes to standard error, {path} cannot be opened: {error}");
        }
        Ok(telemetry)
    }

    fn build(
        filter: &str,
        target: LogTarget,
        formats: LineFormats,
    ) -> Result<(Self, impl tracing::Subscriber + Send + Sync + use<>), TelemetryError> {
        let ring = LogRing::default();
        let writer = LogWriter::new(target, formats).map_err(TelemetryError::Thread)?;
        let (filter, handle) = reload::Layer::new(parse(filter)?);
        let keeper = fmt::layer()
            .with_ansi(false)
            .fmt_fields(LogFields)
            .event_format(LineFormat::Xend)
            .with_writer(RingWriter(ring.clone()));
        let printer = fmt::layer()
            .with_ansi(false)
            .fmt_fields(LogFields)
            .event_format(writer.clone())
            .with_writer(writer.clone());
        let subscriber = tracing_subscriber::registry().with(filter).with(keeper).with(printer);
        Ok((Self { filter: handle, ring, writer }, subscriber))
    }

    /// Where listeners are announced.
    pub fn announcements(&self) -> Announcements {
        Announcements::new(self.writer.format(), self.writer.is_in_file())
    }

    /// Whether the log goes to its file. Without one, and as long as it cannot be opened, it goes
    /// to standard error.
    pub fn is_in_file(&self) -> bool {
        self.writer.is_in_file()
    }

    /// The latest lines.
    pub fn ring(&self) -> LogRing {
        self.ring.clone()
    }

    /// Replaces the filter and opens the log file again, which may have been rotated. If either
    /// fails, both stay.
    pub fn reload(&self, filter: &str) -> Result<(), TelemetryError> {
        let filter = parse(filter)?;
        self.writer.reopen().map_err(|(path, source)| TelemetryError::File { path, source })?;
        self.filter.reload(filter)?;
        Ok(())
    }
}

/// The error of the log file that shows without opening it.
pub fn check(config: &Config) -> Option<Diagnostic> {
    let error = log_writer::check(config.logfile.as_deref()?).err()?;
    let position = config.origins.keys.get("logfile")?;
    Some(position.warning(format!("logfile: {error}; the log goes to standard error")))
}

/// Says why the daemon failed, on standard error, in the format of the log if that went there.
pub fn report_failure(format: LogFormat, message: &str) {
    write_line(&line_formats(format).on_stderr.failure(message));
}

/// The same of a command line that could not be read, with its hints: in the journal, each line is
/// an error.
pub fn report_usage(message: &str) {
    match line_formats(LogFormat::Auto).on_stderr {
        LineFormat::Journal => {
            let lines = message.lines().filter(|line| !line.trim().is_empty());
            lines.for_each(|line| write_line(&LineFormat::Journal.failure(line)));
        }
        LineFormat::Xend | LineFormat::Json | LineFormat::JournalJson => write_line(message),
    }
}

/// Writes to standard error, which may be closed.
fn write_line(line: &str) {
    io::stderr().lock().write_all(line.as_bytes()).ok();
}

/// The formats of lines.
fn line_formats(format: LogFormat) -> LineFormats {
    let stream = env::var("JOURNAL_STREAM").ok();
    LineFormats::new(format, is_journal(stream.as_deref(), io::stderr()))
}

fn parse(filter: &str) -> Result<EnvFilter, TelemetryError> {
    EnvFilter::try_new(filter)
        .map_err(|source| TelemetryError::Filter { filter: filter.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    use tracing::subscriber::with_default;

    const XEND: LineFormats =
        LineFormats { in_file: LineFormat::Xend, on_stderr: LineFormat::Xend };

    #[test]
    fn file_and_ring_have_the_lines_in_xends_format() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log/xend.log");
        let (telemetry, subscriber) =
            Telemetry::build("info", LogTarget::open(&path).0, XEND).unwrap();
        with_default(subscriber, || {
            tracing::warn!(domid = 3, "Two\nlines\x1b[31m");
            tracing::debug!("Not shown");
        });
        let text = telemetry.ring().text();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        assert_eq!(text.lines().count(), 1, "{text}");
        let (stamp, rest) = text.split_once("] ").unwrap();
        assert_eq!(stamp.split(' ').nth(2), Some(std::process::id().to_string().as_str()));
        assert_eq!(
            (stamp.len() - stamp.rfind(' ').unwrap(), &stamp[..3]),
            (stamp.len() - 20, "[20")
        );
        assert!(rest.starts_with("WARNING (tests:"), "{rest}");
        assert!(rest.contains("Two\\nlines\\"), "{rest}");
        assert!(rest.ends_with("domid=3\n") && !rest.contains('\x1b'), "{rest}");
    }

    /// What a file gets of two events, beside the ring.
    fn lines_in(format: LineFormat) -> Vec<String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("xend.log");
        let target = LogTarget::open(&path).0;
        let formats = LineFormats { in_file: format, on_stderr: LineFormat::Xend };
        let (telemetry, subscriber) = Telemetry::build("info", target, formats).unwrap();
        with_default(subscriber, || {
            tracing::warn!(domid = 3, "Two\nlines\x1b[31m \u{7f}\u{9b}ü");
            tracing::error!("Broken");
        });
        let ring = telemetry.ring().text();
        let mut ring = ring.lines().map(|line| line.split("] ").nth(1).unwrap_or_default());
        assert!(ring.next().unwrap().starts_with("WARNING (tests:"));
        assert!(ring.next().unwrap().starts_with("ERROR (tests:"));
        let text = std::fs::read_to_string(&path).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn the_journal_gets_priorities_and_no_times() {
        let lines = lines_in(LineFormat::Journal);
        let [warning, error] = lines.as_slice() else { panic!("{lines:?}") };
        assert!(warning.starts_with("<4>Two\\nlines\\"), "{warning}");
        assert!(warning.ends_with("ü domid=3") && !warning.contains('\x1b'), "{warning}");
        assert_eq!(error, "<3>Broken");
    }

    #[test]
    fn json_has_an_object_a_line() {
        let lines = lines_in(LineFormat::Json);
        let [warning, error] = lines.as_slice() else { panic!("{lines:?}") };
        assert!(!warning.contains(char::is_control), "{warning}");
        let warning: serde_json::Value = serde_json::from_str(warning).unwrap();
        assert_eq!((&warning["level"], &warning["fields"]["domid"]), (&"WARN".into(), &3.into()));
        assert!(warning["fields"]["message"].as_str().unwrap().starts_with("Two"), "{warning}");
        assert!(warning["target"].as_str().unwrap().starts_with("xend::server"), "{warning}");
        assert!(warning["timestamp"].as_str().unwrap().ends_with('Z'), "{warning}");
        let error: serde_json::Value = serde_json::from_str(error).unwrap();
        assert_eq!(error["fields"]["message"], "Broken");
        for line in lines_in(LineFormat::JournalJson) {
            let json = line.strip_prefix("<4>").or_else(|| line.strip_prefix("<3>")).unwrap();
            assert!(serde_json::from_str::<serde_json::Value>(json).is_ok(), "{line}");
        }
    }

    #[test]
    fn the_filter_and_the_file_can_be_changed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("xend.log");
        let (telemetry, subscriber) =
            Telemetry::build("error", LogTarget::open(&path).0, XEND).unwrap();
        with_default(subscriber, || {
            tracing::info!("One");
            assert!(telemetry.reload("xend=nonsense").is_err());
            std::fs::rename(&path, dir.path().join("old")).unwrap();
            telemetry.reload("info").unwrap();
            tracing::info!("Two");
        });
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.ends_with("Two\n") && !text.contains("One"), "{text}");
    }

    #[test]
    fn a_file_that_cannot_be_opened_leaves_the_log_to_standard_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("xend.log");
        std::fs::create_dir(&path).unwrap();
        let (target, error) = LogTarget::open(&path);
        assert_eq!(error.unwrap().kind(), io::ErrorKind::IsADirectory);
        let on_journal = LineFormats { in_file: LineFormat::Xend, on_stderr: LineFormat::Journal };
        let (telemetry, subscriber) = Telemetry::build("info", target, on_journal).unwrap();
        assert!(!telemetry.is_in_file());
        assert_eq!(telemetry.writer.format(), LineFormat::Journal);
        with_default(subscriber, || {
            tracing::info!("One");
            let error = telemetry.reload("info").unwrap_err();
            assert_eq!(error.to_string(), format!("Cannot open the log file {}", path.display()));
            std::fs::remove_dir(&path).unwrap();
            telemetry.reload("info").unwrap();
            tracing::info!("Two");
        });
        assert!(telemetry.ring().text().contains("One"));
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.lines().count() == 1 && text.starts_with('['), "{text}");

        // Nobody reads the pipe.
        let pipe = dir.path().join("pipe");
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        assert!(LogTarget::open(&pipe).1.is_some());
    }
}

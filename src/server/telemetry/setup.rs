//! Setting the log up and changing it.

use super::log_format::XendFormat;
use super::log_ring::LogRing;
use super::log_writer::{LogTarget, LogWriter};
use std::io;
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
    writer: LogWriter,
}

impl Telemetry {
    /// Sets up the log of this process. Events that pass `filter` go to `logfile`; to standard
    /// error without one, and as long as it cannot be opened.
    pub fn init(filter: &str, logfile: Option<&Path>) -> Result<Self, TelemetryError> {
        let (target, failure) = logfile.map_or((LogTarget::Stderr, None), LogTarget::open);
        let (telemetry, subscriber) = Self::build(filter, target)?;
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
    ) -> Result<(Self, impl tracing::Subscriber + Send + Sync + use<>), TelemetryError> {
        let writer = LogWriter::new(LogRing::default(), target);
        let writer = writer.map_err(TelemetryError::Thread)?;
        let (filter, handle) = reload::Layer::new(parse(filter)?);
        let printer = fmt::layer()
            .with_ansi(false)
            .event_format(XendFormat::for_this_process())
            .with_writer(writer.clone());
        let subscriber = tracing_subscriber::registry().with(filter).with(printer);
        Ok((Self { filter: handle, writer }, subscriber))
    }

    /// The latest lines.
    pub fn ring(&self) -> LogRing {
        self.writer.ring().clone()
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

fn parse(filter: &str) -> Result<EnvFilter, TelemetryError> {
    EnvFilter::try_new(filter)
        .map_err(|source| TelemetryError::Filter { filter: filter.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    use tracing::subscriber::with_default;

    #[test]
    fn file_and_ring_have_the_lines_in_xends_format() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log/xend.log");
        let (telemetry, subscriber) = Telemetry::build("info", LogTarget::open(&path).0).unwrap();
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

    #[test]
    fn the_filter_and_the_file_can_be_changed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("xend.log");
        let (telemetry, subscriber) = Telemetry::build("error", LogTarget::open(&path).0).unwrap();
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
        let (telemetry, subscriber) = Telemetry::build("info", target).unwrap();
        with_default(subscriber, || {
            tracing::info!("One");
            let error = telemetry.reload("info").unwrap_err();
            assert_eq!(error.to_string(), format!("Cannot open the log file {}", path.display()));
            std::fs::remove_dir(&path).unwrap();
            telemetry.reload("info").unwrap();
            tracing::info!("Two");
        });
        assert!(telemetry.ring().text().contains("One"));
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 1);

        // Nobody reads the pipe.
        let pipe = dir.path().join("pipe");
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        assert!(LogTarget::open(&pipe).1.is_some());
    }
}

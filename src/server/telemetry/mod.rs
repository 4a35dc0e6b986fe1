//! The log: to standard error or a file, and the latest lines in memory for the page
//! `/xend/node/log`.
//!
//! Both get the same lines, in the form that xend's own log had and its readers know:
//!
//! ```text
//! [2026-11-20 10:24:13 5794] INFO (SrvDaemon:332) Xend Daemon started
//! ```

mod form;
mod ring;
mod sink;

use std::io;
use std::path::{Path, PathBuf};

use tracing_subscriber::filter::ParseError;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};
use tracing_subscriber::{EnvFilter, Registry, fmt, reload};

use form::XendLines;
pub use ring::LogRing;
use sink::{Lines, Sink};

/// A log that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter makes no sense.
    #[error("Cannot understand the log filter '{filter}'")]
    Filter {
        /// What was given.
        filter: String,
        /// What is wrong with it.
        source: ParseError,
    },
    /// The log file cannot be opened.
    #[error("Cannot open the log file {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The process already has a subscriber.
    #[error("Cannot set up the log")]
    Init(#[from] TryInitError),
    /// The subscriber is gone.
    #[error("Cannot change the log filter")]
    Reload(#[from] reload::Error),
}

/// The log of the process, once it is set up.
#[derive(Debug, Clone)]
pub struct Telemetry {
    filter: reload::Handle<EnvFilter, Registry>,
    lines: Lines,
}

impl Telemetry {
    /// Sets the log of this process up: what `filter` lets through goes to `logfile`, or to
    /// standard error.
    pub fn init(filter: &str, logfile: Option<&Path>) -> Result<Self, TelemetryError> {
        let (telemetry, subscriber) = Self::build(filter, logfile)?;
        subscriber.try_init()?;
        Ok(telemetry)
    }

    fn build(
        filter: &str,
        logfile: Option<&Path>,
    ) -> Result<(Self, impl tracing::Subscriber + Send + Sync + use<>), TelemetryError> {
        let sink = match logfile {
            None => Sink::Stderr,
            Some(path) => Sink::open(path)
                .map_err(|source| TelemetryError::File { path: path.to_owned(), source })?,
        };
        let lines = Lines::new(LogRing::default(), sink);
        let (filter, handle) = reload::Layer::new(parse(filter)?);
        let printer = fmt::layer()
            .with_ansi(false)
            .event_format(XendLines::of_this_process())
            .with_writer(lines.clone());
        let subscriber = tracing_subscriber::registry().with(filter).with(printer);
        Ok((Self { filter: handle, lines }, subscriber))
    }

    /// The latest lines.
    pub fn ring(&self) -> LogRing {
        self.lines.ring().clone()
    }

    /// Replaces the filter and opens the log file anew, in case it was rotated away. If either
    /// fails, both stay as they are.
    pub fn reload(&self, filter: &str) -> Result<(), TelemetryError> {
        let filter = parse(filter)?;
        self.lines.reopen().map_err(|(path, source)| TelemetryError::File { path, source })?;
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
    use tracing::subscriber::with_default;

    #[test]
    fn lines_have_xends_form_in_the_file_and_in_the_ring() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log/xend.log");
        let (telemetry, subscriber) = Telemetry::build("info", Some(&path)).unwrap();
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
        let (telemetry, subscriber) = Telemetry::build("error", Some(&path)).unwrap();
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
    fn a_file_that_cannot_be_opened_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let error = Telemetry::build("info", Some(dir.path())).err().unwrap();
        assert_eq!(error.to_string(), format!("Cannot open the log file {}", dir.path().display()));
    }
}

//! The writer of the log.

use super::log_format::escape_control_characters;
use super::log_ring::LogRing;
use arc_swap::ArcSwap;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tracing_subscriber::fmt::MakeWriter;

/// The destination of the log, in addition to the ring.
#[derive(Debug)]
pub(super) enum LogTarget {
    Stderr,
    File {
        path: PathBuf,
        /// The open file. A reload after a rotation replaces it.
        file: ArcSwap<File>,
    },
}

impl LogTarget {
    /// Opens a file for appending. A new file or directory is not readable for others.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        if let Some(parent) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o750).create(parent)?;
        }
        let file = ArcSwap::from_pointee(append(path)?);
        Ok(Self::File { path: path.to_owned(), file })
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o640).open(path)
}

/// Writes each line to the ring and to the target.
#[derive(Debug, Clone)]
pub(super) struct LogWriter {
    ring: LogRing,
    target: Arc<LogTarget>,
}

impl LogWriter {
    pub(super) fn new(ring: LogRing, target: LogTarget) -> Self {
        Self { ring, target: Arc::new(target) }
    }

    pub(super) fn ring(&self) -> &LogRing {
        &self.ring
    }

    /// Opens the file again.
    pub(super) fn reopen(&self) -> Result<(), (PathBuf, io::Error)> {
        if let LogTarget::File { path, file } = &*self.target {
            let new = append(path).map_err(|error| (path.clone(), error))?;
            file.store(Arc::new(new));
        }
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LogWriter {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

/// Each call of `write` is one event: the formatting layer of `tracing` calls it so.
impl Write for &LogWriter {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let mut line = escape_control_characters(text.strip_suffix('\n').unwrap_or(&text));
        self.ring.push(&line);
        line.push('\n');
        // A failed write, on a full disk or to a closed pipe, must not disturb the daemon.
        match &*self.target {
            LogTarget::Stderr => io::stderr().lock().write_all(line.as_bytes()).ok(),
            LogTarget::File { file, .. } => (&**file.load()).write_all(line.as_bytes()).ok(),
        };
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

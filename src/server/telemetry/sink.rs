//! Where log lines go.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use tracing_subscriber::fmt::MakeWriter;

use super::form::escape;
use super::ring::LogRing;

/// Where the lines go beside the ring.
#[derive(Debug)]
pub(super) enum Sink {
    Stderr,
    File {
        path: PathBuf,
        /// The file now open under that path; a rotation puts another in its place.
        file: ArcSwap<File>,
    },
}

impl Sink {
    /// A file to append to. Neither it nor its directory is for everybody's eyes, if we have to
    /// make them.
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

/// The writer of the log: each line goes to the ring and to the sink.
#[derive(Debug, Clone)]
pub(super) struct Lines {
    ring: LogRing,
    sink: Arc<Sink>,
}

impl Lines {
    pub(super) fn new(ring: LogRing, sink: Sink) -> Self {
        Self { ring, sink: Arc::new(sink) }
    }

    pub(super) fn ring(&self) -> &LogRing {
        &self.ring
    }

    /// Opens the file under its path anew.
    pub(super) fn reopen(&self) -> Result<(), (PathBuf, io::Error)> {
        if let Sink::File { path, file } = &*self.sink {
            let new = append(path).map_err(|error| (path.clone(), error))?;
            file.store(Arc::new(new));
        }
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

/// One call of `write` is one event, as the formatting layer of `tracing` does it.
impl Write for &Lines {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let mut line = escape(text.strip_suffix('\n').unwrap_or(&text));
        self.ring.push(&line);
        line.push('\n');
        // A log that cannot be written, on a full disk or with nobody at the other end, must not
        // trouble the work.
        match &*self.sink {
            Sink::Stderr => io::stderr().lock().write_all(line.as_bytes()).ok(),
            Sink::File { file, .. } => (&**file.load()).write_all(line.as_bytes()).ok(),
        };
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

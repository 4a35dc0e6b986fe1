//! The writer of the log.

use super::line_queue::LineQueue;
use super::log_format::{LineFormat, LineFormats, escape_control_characters};
use super::log_ring::LogRing;
use crate::parent_dir;
use arc_swap::ArcSwapOption;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags, fcntl_getfl, fcntl_setfl};
use std::borrow::Cow;
use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::registry::LookupSpan;

/// The destination of the log, beside the ring.
#[derive(Debug)]
pub(super) enum LogTarget {
    Stderr,
    File {
        path: PathBuf,
        /// The open file. A reload after a rotation replaces it. `None` if it could not be opened:
        /// the log goes to standard error then.
        file: ArcSwapOption<File>,
    },
}

impl LogTarget {
    /// Opens a file for appending, or tells why it cannot be opened. A new file or directory is not
    /// readable for others.
    pub(super) fn open(path: &Path) -> (Self, Option<io::Error>) {
        let made = parent_dir::make(path, 0o750);
        let (file, error) = match made.and_then(|()| append(path)) {
            Ok(file) => (Some(Arc::new(file)), None),
            Err(error) => (None, Some(error)),
        };
        (Self::File { path: path.to_owned(), file: ArcSwapOption::new(file) }, error)
    }

    /// The open file; `None` if lines go to standard error.
    fn file(&self) -> Option<Arc<File>> {
        match self {
            Self::Stderr => None,
            Self::File { file, .. } => file.load_full(),
        }
    }

    /// The format of the lines that go there now.
    fn format(&self, formats: LineFormats) -> LineFormat {
        if self.file().is_some() { formats.in_file } else { formats.on_stderr }
    }
}

/// Fails if a log file could not be opened. Nothing is made.
pub(super) fn check(path: &Path) -> io::Result<()> {
    match open(path, OFlags::empty()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            parent_dir::check(path)?;
            parent_dir::check_writable(parent_dir::of(path))
        }
        opened => opened.map(drop),
    }
}

/// Opens a file, which is made if there is none.
fn append(path: &Path) -> io::Result<File> {
    open(path, OFlags::CREATE)
}

/// Opens a file, without waiting for the other end of a pipe. Writing to it blocks.
fn open(path: &Path, more: OFlags) -> io::Result<File> {
    let flags = more
        | OFlags::WRONLY
        | OFlags::APPEND
        | OFlags::NONBLOCK
        | OFlags::NOCTTY
        | OFlags::CLOEXEC;
    let file = rustix::fs::open(path, flags, Mode::from_raw_mode(0o640))?;
    // The file was opened here: its flags are nobody else's.
    fcntl_setfl(&file, fcntl_getfl(&file)? - OFlags::NONBLOCK)?;
    Ok(File::from(file))
}

/// Writes a line to the target, for as long as that takes. A failure, on a full disk or to a closed
/// pipe, must not disturb the daemon.
fn write(target: &LogTarget, line: &str) {
    match target.file() {
        Some(file) => write_all(&*file, line.as_bytes()).ok(),
        None => write_all(io::stderr(), line.as_bytes()).ok(),
    };
}

/// Writes everything, also where another process has made the destination non-blocking.
fn write_all(mut to: impl Write + AsFd, mut rest: &[u8]) -> io::Result<()> {
    while !rest.is_empty() {
        match to.write(rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => rest = rest.get(count..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                poll(&mut [PollFd::new(&to, PollFlags::OUT)], None)?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Writes each line to the target.
#[derive(Debug, Clone)]
pub(super) struct LogWriter {
    target: Arc<LogTarget>,
    formats: LineFormats,
    queue: Arc<LineQueue>,
}

impl LogWriter {
    pub(super) fn new(target: LogTarget, formats: LineFormats) -> io::Result<Self> {
        let target = Arc::new(target);
        let format = {
            let target = Arc::clone(&target);
            move || target.format(formats)
        };
        let queue = LineQueue::new(format, {
            let target = Arc::clone(&target);
            move |line: &str| write(&target, line)
        })?;
        Ok(Self { target, formats, queue: Arc::new(queue) })
    }

    /// Whether lines go to the file now.
    pub(super) fn is_in_file(&self) -> bool {
        self.target.file().is_some()
    }

    /// The format of the lines that are written now.
    pub(super) fn format(&self) -> LineFormat {
        self.target.format(self.formats)
    }

    /// Opens the file again.
    pub(super) fn reopen(&self) -> Result<(), (PathBuf, io::Error)> {
        if let LogTarget::File { path, file } = &*self.target {
            let new = append(path).map_err(|error| (path.clone(), error))?;
            file.store(Some(Arc::new(new)));
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

impl<S, N> FormatEvent<S, N> for LogWriter
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        self.format().format_event(context, writer, event)
    }
}

/// Each call of `write` is one event: the formatting layer of `tracing` calls it so.
impl Write for &LogWriter {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let mut line = self.format().escape(&text_of(event));
        line.push('\n');
        self.queue.push(line);
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Keeps each line in the ring.
#[derive(Debug, Clone)]
pub(super) struct RingWriter(pub(super) LogRing);

impl<'a> MakeWriter<'a> for RingWriter {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

/// Each call of `write` is one event, as in [`LogWriter`].
impl Write for &RingWriter {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        self.0.push(&escape_control_characters(&text_of(event)));
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The text of an event without its line end.
fn text_of(event: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(event.strip_suffix(b"\n").unwrap_or(event))
}

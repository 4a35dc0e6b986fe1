//! The writer of the log.

use super::line_queue::LineQueue;
use super::log_format::escape_control_characters;
use super::log_ring::LogRing;
use arc_swap::ArcSwapOption;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags, fcntl_getfl, fcntl_setfl};
use std::fs::{DirBuilder, File};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tracing_subscriber::fmt::MakeWriter;

/// The destination of the log, in addition to the ring.
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
        let parent = path.parent().unwrap_or(Path::new(""));
        let made = DirBuilder::new().recursive(true).mode(0o750).create(parent);
        let (file, error) = match made.and_then(|()| append(path)) {
            Ok(file) => (Some(Arc::new(file)), None),
            Err(error) => (None, Some(error)),
        };
        (Self::File { path: path.to_owned(), file: ArcSwapOption::new(file) }, error)
    }
}

/// Opens a file, without waiting for the other end of a pipe. Writing to it blocks.
fn append(path: &Path) -> io::Result<File> {
    let flags = OFlags::WRONLY
        | OFlags::APPEND
        | OFlags::CREATE
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
    let file = match target {
        LogTarget::Stderr => None,
        LogTarget::File { file, .. } => file.load_full(),
    };
    match file {
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

/// Writes each line to the ring and to the target.
#[derive(Debug, Clone)]
pub(super) struct LogWriter {
    ring: LogRing,
    target: Arc<LogTarget>,
    queue: Arc<LineQueue>,
}

impl LogWriter {
    pub(super) fn new(ring: LogRing, target: LogTarget) -> io::Result<Self> {
        let target = Arc::new(target);
        let queue = LineQueue::new({
            let target = Arc::clone(&target);
            move |line: &str| write(&target, line)
        })?;
        Ok(Self { ring, target, queue: Arc::new(queue) })
    }

    pub(super) fn ring(&self) -> &LogRing {
        &self.ring
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

/// Each call of `write` is one event: the formatting layer of `tracing` calls it so.
impl Write for &LogWriter {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let mut line = escape_control_characters(text.strip_suffix('\n').unwrap_or(&text));
        self.ring.push(&line);
        line.push('\n');
        self.queue.push(line);
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

//! Standard input and output: a request a line, a response a line, in the same order.

use super::data_files::DataFiles;
use crate::exchange::{Exchange, GuestData, NoData, RawRequest};
use crate::root::Root;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use xend_guest_protocol::limits::MAX_PAYLOAD;

/// The exchange over standard input and output.
pub struct Stdio {
    stdin: io::Stdin,
    lines: Lines,
    data: Box<dyn GuestData>,
}

impl Stdio {
    /// What the host has written for the guest is below the directory `data`, if there is one.
    pub fn new(data: Option<PathBuf>) -> Self {
        let data: Box<dyn GuestData> = match data {
            Some(directory) => Box::new(DataFiles(Root::new(directory))),
            None => Box::new(NoData),
        };
        Self { stdin: io::stdin(), lines: Lines::default(), data }
    }

    /// Reads what is there. Standard input is not made non-blocking: other programs share it.
    fn read(&mut self) -> io::Result<bool> {
        let mut ready = [PollFd::new(&self.stdin, PollFlags::IN)];
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        match poll(&mut ready, Some(&at_once)) {
            Ok(0) | Err(Errno::INTR) => return Ok(false),
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
        let mut buffer = [0; 4096];
        match rustix::io::read(&self.stdin, &mut buffer) {
            Ok(0) => self.lines.end(),
            Ok(read) => self.lines.push(buffer.get(..read).unwrap_or_default()),
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(true)
    }
}

impl Exchange for Stdio {
    fn next_request(&mut self) -> io::Result<Option<RawRequest>> {
        loop {
            if let Some(request) = self.lines.next() {
                return Ok(Some(request));
            }
            if self.lines.is_ended {
                return Ok(None);
            }
            match self.read() {
                Ok(true) => {}
                Ok(false) => return Ok(None),
                Err(error) => {
                    self.lines.close();
                    return Err(error);
                }
            }
        }
    }

    fn put_response(&mut self, _id: &str, text: &[u8]) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        let line = [text, b"\n"].concat();
        let written = stdout.write_all(&line).and_then(|()| stdout.flush());
        if written.is_err() {
            // Nobody listens: nothing more is carried out.
            self.lines.close();
        }
        written
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        (!self.lines.is_ended).then(|| self.stdin.as_fd())
    }

    fn interval(&self) -> Option<Duration> {
        None
    }

    fn clean_up(&mut self, _now: Instant) -> io::Result<()> {
        Ok(())
    }

    fn is_finished(&self) -> bool {
        self.lines.is_ended
    }

    fn data(&mut self) -> &mut dyn GuestData {
        &mut *self.data
    }
}

/// Bytes that become lines.
#[derive(Default)]
struct Lines {
    bytes: Vec<u8>,
    /// The rest of a line is dropped: it is longer than any request.
    is_too_long: bool,
    is_ended: bool,
    number: u64,
}

impl Lines {
    fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    fn end(&mut self) {
        if !self.bytes.is_empty() && !self.bytes.ends_with(b"\n") {
            self.bytes.push(b'\n');
        }
        self.is_ended = true;
    }

    fn close(&mut self) {
        self.bytes.clear();
        self.is_ended = true;
    }

    /// The next line that is not empty. Of one that is too long a request's length and one byte are
    /// returned, which no parser takes.
    fn next(&mut self) -> Option<RawRequest> {
        loop {
            let Some(end) = self.bytes.iter().position(|&byte| byte == b'\n') else {
                return self.start_of_long_line();
            };
            let mut line: Vec<u8> = self.bytes.drain(..=end).collect();
            line.pop();
            let is_rest = std::mem::take(&mut self.is_too_long);
            if !is_rest && !line.trim_ascii().is_empty() {
                line.truncate(MAX_PAYLOAD + 1);
                return Some(self.request(line));
            }
        }
    }

    fn start_of_long_line(&mut self) -> Option<RawRequest> {
        if self.is_too_long {
            self.bytes.clear();
        }
        if self.bytes.len() <= MAX_PAYLOAD {
            return None;
        }
        let mut line = std::mem::take(&mut self.bytes);
        line.truncate(MAX_PAYLOAD + 1);
        self.is_too_long = true;
        Some(self.request(line))
    }

    fn request(&mut self, text: Vec<u8>) -> RawRequest {
        self.number += 1;
        RawRequest { id: self.number.to_string(), text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(lines: &mut Lines) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| lines.next()).map(|request| request.text).collect()
    }

    #[test]
    fn a_line_is_a_request() {
        let mut lines = Lines::default();
        lines.push(b"one\n\n  \ntw");
        assert_eq!(texts(&mut lines), [b"one"]);
        lines.push(b"o\nthree");
        assert_eq!(texts(&mut lines), [b"two"]);
        lines.end();
        let last = lines.next().unwrap();
        assert_eq!((last.id.as_str(), last.text.as_slice()), ("3", b"three".as_slice()));
        assert!(lines.next().is_none());
    }

    #[test]
    fn a_line_without_end_is_one_request_and_no_memory() {
        let mut lines = Lines::default();
        let mut requests = Vec::new();
        for _ in 0..100 {
            lines.push(&[b'x'; 4096]);
            requests.extend(texts(&mut lines));
            assert!(lines.bytes.len() <= 2 * 4096);
        }
        lines.push(b"\nnext\n");
        requests.extend(texts(&mut lines));
        assert_eq!(requests.iter().map(Vec::len).collect::<Vec<_>>(), [MAX_PAYLOAD + 1, 4]);
    }
}
